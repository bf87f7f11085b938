"""Our preprocessing from preprocessor_config.json equals transformers' exactly."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image
from transformers import SegformerImageProcessorPil

from clothseg.models.preprocessing import read_preprocessing


STATED: dict[str, Any] = {
    "do_normalize": True,
    "do_reduce_labels": False,
    "do_rescale": True,
    "do_resize": True,
    "image_mean": [0.485, 0.456, 0.406],
    "image_processor_type": "SegformerImageProcessor",
    "image_std": [0.229, 0.224, 0.225],
    "resample": 2,
    "rescale_factor": 0.00392156862745098,
    "size": {"height": 64, "width": 96},
}


def write(folder: Path, stated: dict[str, Any]) -> Path:
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(stated))
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"image_mean": [0.5, 0.25, 0.1], "image_std": [0.3, 1.0, 0.7], "rescale_factor": 1 / 127.5},
        {"resample": 3, "size": {"height": 33, "width": 31}},
        {"resample": 0, "feature_extractor_type": "SegformerImageProcessor"},
    ],
)
def test_pixels_equal_transformers(changes: dict[str, Any], tmp_path: Path) -> None:
    path = write(tmp_path, STATED | changes)
    ours, theirs = read_preprocessing(path), SegformerImageProcessorPil.from_pretrained(tmp_path)
    every = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    images = [Image.fromarray(draw(0, 90, 70).image), Image.fromarray(every)]
    for size in (None, {"height": 16, "width": 16}):
        extra = {} if size is None else {"size": size}
        expected = theirs(images=images, return_tensors="np", **extra)["pixel_values"]
        found = ours(images, size)["pixel_values"]
        assert found.dtype == expected.dtype == np.float32
        np.testing.assert_array_equal(found, expected)
    assert (ours.size, ours.resample) == (dict(theirs.size), theirs.resample)


@pytest.mark.parametrize(
    "changes",
    [
        {"do_resize": False},
        {"do_rescale": None},
        {"size": 512},
        {"size": {"shortest_edge": 512}},
        {"do_center_crop": True},
        {"do_pad": False},
        {"image_mean": 0.5},
        {"image_mean": [0.5]},
        {"image_processor_type": "ViTImageProcessor"},
        {"image_processor_type": None},
    ],
)
def test_unsupported_settings_are_left_to_transformers(changes: dict[str, Any], tmp_path: Path) -> None:
    assert read_preprocessing(write(tmp_path, STATED)) is not None
    assert read_preprocessing(write(tmp_path, STATED | changes)) is None


@pytest.mark.parametrize("absent", sorted(set(STATED) - {"do_reduce_labels"}))
def test_missing_settings_are_left_to_transformers(absent: str, tmp_path: Path) -> None:
    stated = {key: value for key, value in STATED.items() if key != absent}
    assert read_preprocessing(write(tmp_path, stated)) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '"text"'])
def test_broken_files_are_left_to_transformers(text: str, tmp_path: Path) -> None:
    path = tmp_path / "preprocessor_config.json"
    path.write_text(text)
    assert read_preprocessing(path) is None
    assert read_preprocessing(tmp_path / "absent.json") is None
