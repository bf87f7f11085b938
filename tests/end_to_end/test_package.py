"""`import clothseg` is cheap and offers its names."""

import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

import clothseg


ROOT = Path(clothseg.__file__).parents[1]


def test_import_loads_no_heavy_library() -> None:
    code = (
        "import sys, clothseg; "
        "print(*{name.partition('.')[0] for name in sys.modules} & {'torch', 'transformers', 'cv2', 'gradio', 'PIL'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""


def test_a_network_that_was_converted_before_needs_no_torch(tmp_path: Path) -> None:
    """What makes the second start quick, and all others: importing torch and transformers takes several seconds."""
    pytest.importorskip("openvino")
    heavy = {"torch", "transformers", "scipy", "httpx2"}  # the last one is the Hub's client
    code = (
        "import sys; from clothseg import Segmenter; "
        "result = Segmenter.from_pretrained(device='cpu')('examples/photographer.jpg'); "
        f"print(*result.areas, *{{name.partition('.')[0] for name in sys.modules}} & {heavy})"
    )
    environment = os.environ | {"CLOTHSEG_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    first, second = (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment)
        for _ in range(2)
    )
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert {"torch", "transformers", "Background"} < set(first.stdout.split())
    assert set(second.stdout.split()) == set(first.stdout.split()) - heavy


def test_every_exported_name_exists() -> None:
    for name in clothseg.__all__:
        assert getattr(clothseg, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Segmentator'"):
        clothseg.Segmentator  # noqa: B018


def test_no_installed_package_is_agpl() -> None:
    """`albumentationsx`, for one, is AGPL and takes the import name of albumentations."""
    for package in distributions():
        stated = [package.metadata.get("License", ""), package.metadata.get("License-Expression", "")]
        stated += package.metadata.get_all("Classifier") or []
        names = [
            text.partition("\n")[0] for text in stated if text
        ]  # some give whole texts, which name other licences
        assert not any("AGPL" in name or "Affero" in name for name in names), package.name


def test_renamed_names_work_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match=r"clothseg\.Crew is now called clothseg\.WorkerPool"):
        assert clothseg.Crew is clothseg.WorkerPool
    with pytest.raises(AttributeError):
        _ = clothseg.Nothing
