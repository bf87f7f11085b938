"""Exported files give PyTorch's results in ONNX Runtime and transformers.js, and are written atomically."""

import json
import subprocess
import sys
from pathlib import Path

import forked
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from javascript import node
from local_hub import LocalHub
from paper_dolls import draw
from PIL import Image
from transformers import AutoConfig, AutoImageProcessor, AutoModelForSemanticSegmentation

from clothseg import Segmenter
from clothseg.cli import main
from clothseg.commands import export
from clothseg.engines.conversion import example
from clothseg.models.loading import EMBEDDED


ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module", params=["tiny", "embedded"])
def name(request: pytest.FixtureRequest, tiny_model: Path) -> str:
    return str(tiny_model) if request.param == "tiny" else export.EMBEDDED


def stock_folder(name: str) -> Path:
    return EMBEDDED if name == export.EMBEDDED else Path(name)


@pytest.fixture(scope="module")
def folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of an export that was verified on photos."""
    place = tmp_path_factory.mktemp("export")
    photos = place / "photos"
    photos.mkdir()
    (photos / "notes.txt").write_text("not a photo")
    Image.fromarray(draw(1, 200, 150).image).save(photos / "doll.png")
    assert main(["export", name, "--out", str(place / "exported"), "--photos", str(photos)]) == 0
    return place / "exported"


@pytest.mark.parametrize(("batch", "height", "width"), [(1, 64, 64), (2, 160, 96), (3, 96, 128)])
def test_exported_model_accepts_any_batch_and_size(
    name: str, folder: Path, batch: int, height: int, width: int
) -> None:
    onnx.checker.check_model(folder / export.MODEL_FILE)
    session = onnxruntime.InferenceSession(folder / export.MODEL_FILE, providers=["CPUExecutionProvider"])
    stock = AutoModelForSemanticSegmentation.from_pretrained(stock_folder(name), dtype=torch.float32).eval()
    pixels = example(height, width, batch)
    with torch.inference_mode():
        expected = stock(pixel_values=pixels).logits.numpy()
    (found,) = session.run(["logits"], {"pixel_values": pixels.numpy()})
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_exported_folder_has_the_transformers_js_layout(name: str, folder: Path) -> None:
    files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert files == {export.MODEL_FILE, "config.json", "preprocessor_config.json"}
    assert AutoConfig.from_pretrained(folder).id2label[16] == "Bag"
    ours, theirs = (
        AutoImageProcessor.from_pretrained(place, backend="pil").to_dict() for place in (folder, stock_folder(name))
    )
    assert {key: ours[key] for key in theirs} == theirs


def test_transformers_js_gives_the_same_classes(name: str, folder: Path, tmp_path: Path) -> None:
    segmenter = Segmenter.from_pretrained(None if name == export.EMBEDDED else name, engine="torch")
    height, width = segmenter.image_size
    photo = Image.fromarray(draw(1, height, width).image)  # no resizing, which differs between libraries
    photo.save(tmp_path / "photo.png")
    told = node(tmp_path, ROOT / "benchmarks" / "transformers_js.mjs", folder, "photo.png", "ids")
    expected = segmenter.logits([photo])[0].argmax(axis=0)
    found = np.fromfile(tmp_path / "ids", np.uint8).reshape(expected.shape)
    assert (found == expected).mean() >= 0.9999
    assert json.loads(told)["equalInWebAssembly"] >= 0.9999


def test_disagreeing_export_keeps_the_previous_file(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "onnx").mkdir()
    (tmp_path / export.MODEL_FILE).write_text("an earlier one")
    monkeypatch.setattr(export, "AGREEMENT", 1.1)
    assert main(["export", str(tiny_model), "--out", str(tmp_path)]) == 1
    assert "; nothing was written" in capsys.readouterr().err
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["an earlier one"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--out", __file__], "is a file; give a folder"),
        (["--out", "OUT", "--photos", __file__], "is not a folder"),
        (["--out", "OUT", "--photos", "EMPTY"], "contains no photos"),
        (["--out", "OUT"], "pip install onnx onnxruntime"),
    ],
)
def test_mistakes_give_clear_errors(
    flags: list[str],
    message: str,
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    places = {"OUT": str(tmp_path / "out"), "EMPTY": str(tmp_path / "empty")}
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", str(tiny_model), *(places.get(flag, flag) for flag in flags)]) == 1
    assert message in capsys.readouterr().err


UPLOAD = """
import sys
from huggingface_hub import HfApi
HfApi().create_repo("alice/tiny")
HfApi().upload_folder(repo_id="alice/tiny", folder_path=sys.argv[1])
"""


def test_export_is_pushed_to_the_models_repository(tiny_model: Path, tmp_path: Path) -> None:
    def run(arguments: list[str], token: str) -> subprocess.CompletedProcess[str]:
        env = hub.env(token, home=tmp_path / token) | {"PYTHONPATH": str(ROOT)}
        return forked.run([sys.executable, *arguments], env=env, cwd=tmp_path, capture_output=True, text=True)

    command = ["-m", "clothseg", "export", "alice/tiny", "--out", "out", "--push_to_hub", "alice/tiny"]
    with LocalHub({"hf_alice": "alice", "hf_bob": "bob"}) as hub:
        assert run(["-c", UPLOAD, str(tiny_model)], "hf_alice").returncode == 0
        refused = run(command, "hf_bob")
        assert refused.returncode == 1 and "refused to let this token write to alice/tiny" in refused.stderr
        assert not (tmp_path / "out").exists()
        done = run(command, "hf_alice")
        assert done.returncode == 0, done.stderr
        files = hub.files("model", "alice/tiny")
        assert {"model.safetensors", export.MODEL_FILE} <= set(files)
        assert files[export.MODEL_FILE] == (tmp_path / "out" / export.MODEL_FILE).read_bytes()
