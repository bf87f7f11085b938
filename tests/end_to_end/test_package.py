"""`import clothseg` is fast, and the exported names exist."""

import os
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

import pytest

import clothseg


ROOT = Path(clothseg.__file__).parents[1]


def test_import_loads_no_heavy_libraries() -> None:
    code = (
        "import sys, clothseg; "
        "print(*{name.partition('.')[0] for name in sys.modules} & {'torch', 'transformers', 'cv2', 'gradio', 'PIL'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == ""


def test_segmenting_a_photo_does_not_import_torch(tmp_path: Path) -> None:
    """PyTorch takes seconds and 400 MB to import; without a cached conversion, another process converts the model."""
    pytest.importorskip("openvino")
    heavy = {"torch", "transformers", "scipy", "httpx2", "pandas", "gradio"}  # httpx2 is the Hub's client
    code = (
        "import sys; from clothseg.cli import main; "
        "status = main(['segment', 'examples/photographer.jpg', '--out', sys.argv[1]]); "
        f"print(status, *{{name.partition('.')[0] for name in sys.modules}} & {heavy})"
    )
    cache, out = tmp_path / "cache", tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-c", code, str(out)], capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"CLOTHSEG_CACHE": str(cache), "HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 0 and done.stdout.split()[-1] == "0", done.stdout + done.stderr
    assert list(cache.glob("openvino-*/model.xml")) and list(out.glob("cutouts/*"))


def test_every_exported_name_exists() -> None:
    for name in clothseg.__all__:
        assert getattr(clothseg, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Segmentator'"):
        clothseg.Segmentator  # noqa: B018


def test_no_installed_package_is_agpl() -> None:
    """For example, `albumentationsx` is AGPL and uses the import name of albumentations."""
    for package in distributions():
        stated = [package.metadata.get("License", ""), package.metadata.get("License-Expression", "")]
        stated += package.metadata.get_all("Classifier") or []
        # Some give the full text, which names other licences.
        names = [text.partition("\n")[0] for text in stated if text]
        assert not any("AGPL" in name or "Affero" in name for name in names), package.name


def test_deprecated_names_work_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match=r"clothseg\.Crew is now called clothseg\.WorkerPool"):
        assert clothseg.Crew is clothseg.WorkerPool
    with pytest.raises(AttributeError):
        _ = clothseg.Nothing
