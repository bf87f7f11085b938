"""The endpoint handler, loaded and called as the toolkit of Inference Endpoints does."""

import base64
import importlib.util
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import Segmenter
from clothseg.training.run import HANDLER


@pytest.fixture(scope="module")
def folder(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("endpoint") / "repository"
    shutil.copytree(tiny_model, folder)
    shutil.copyfile(HANDLER, folder / "handler.py")
    return folder


@pytest.fixture(scope="module")
def handler(folder: Path) -> Any:
    """As in huggingface_inference_toolkit.utils.check_and_register_custom_pipeline_from_directory."""
    spec = importlib.util.spec_from_file_location("handler", folder / "handler.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.EndpointHandler(path=str(folder))


def picture(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def test_handler_accepts_bytes_base64_and_images(handler: Any, folder: Path) -> None:
    photo = Image.fromarray(draw(1, 150, 100).image)
    file = io.BytesIO()
    photo.save(file, "PNG")
    text = base64.b64encode(file.getvalue()).decode()
    result = Segmenter.from_pretrained(folder)(photo, edges="plain", zoom="off", orientation="upright")
    for inputs in (file.getvalue(), text, f"data:image/png;base64,{text}", photo):
        answer = handler({"inputs": inputs, "parameters": {"classes": ["Hair", "Face"]}})
        assert json.loads(json.dumps(answer)) == answer, "the container answers in JSON"
        labels = picture(answer["label_map"])
        assert labels.shape == (150, 100) and (labels == result.label_map).mean() > 0.999
        cutout = picture(answer["cutout"])
        assert np.array_equal(cutout[..., 3] > 0, np.isin(labels, [2, 11]))
        assert np.array_equal(cutout[..., :3], np.asarray(photo))
        assert {each["name"]: pytest.approx(each["share"], abs=2e-3) for each in answer["classes"]} == result.areas
    assert "cutout" not in handler({"inputs": photo})


def test_handler_applies_exif_rotation_and_white_background(handler: Any) -> None:
    photo, file = Image.fromarray(draw(1, 150, 100).image), io.BytesIO()
    exif = Image.Exif()
    exif[274] = 6
    photo.rotate(90, expand=True).save(file, "PNG", exif=exif)
    upright, turned = handler({"inputs": photo}), handler({"inputs": file.getvalue()})
    assert upright["label_map"] == turned["label_map"] and (turned["width"], turned["height"]) == (100, 150)
    clear = Image.new("RGBA", (60, 80))
    white = Image.new("RGB", (60, 80), "white")
    assert handler({"inputs": clear})["label_map"] == handler({"inputs": white})["label_map"]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"inputs": b"no picture"}, "not a readable image"),
        ({"inputs": "no base64!"}, "not base64"),
        ({"inputs": 7}, "must be a photo"),
        ({}, "must be a photo"),
        ({"inputs": Image.new("RGB", (9, 9)), "parameters": {"classes": ["Cape"]}}, "Unknown class 'Cape'"),
        ({"inputs": Image.new("RGB", (9, 9)), "parameters": {"classes": 7}}, "must be a list"),
    ],
)
def test_invalid_input_returns_an_error_message(handler: Any, data: dict[str, Any], message: str) -> None:
    assert message in handler(data)["error"]
