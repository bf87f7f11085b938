"""Refinement by clicks runs the network only without stored evidence."""

import numpy as np
import pytest
from PIL import Image

from clothseg import Click, ConfigError, Segmentation
from clothseg.segmentation.clicks import refine


def test_refine_runs_the_network_once_and_only_if_needed(rng: np.random.Generator) -> None:
    asked: list[tuple[int, int]] = []

    def infer(photo: Image.Image) -> np.ndarray:
        asked.append(photo.size)
        return rng.normal(size=(18, 12, 8)).astype(np.float32)

    photo = Image.fromarray(rng.integers(0, 256, (48, 32, 3), np.uint8))
    result = Segmentation(photo, np.full((48, 32), 4, np.uint8))
    assert refine(result, [], infer) is result and not asked
    once = refine(result, [Click(5, 5, "Dress")], infer)
    again = refine(once, [Click(20, 40, "Pants")], infer)
    assert asked == [(32, 48)]
    assert (again.label_map[5, 5], again.label_map[40, 20]) == (7, 6)
    assert [each.label for each in again.corrections] == ["Dress", "Pants"]


def test_click_outside_is_rejected_before_inference(rng: np.random.Generator) -> None:
    result = Segmentation(Image.new("RGB", (8, 8)), np.zeros((8, 8), np.uint8))
    with pytest.raises(ConfigError, match="outside"):
        refine(result, [Click(1, 1, "Hat"), Click(8, 0, "Hat")], infer=lambda photo: pytest.fail("asked"))
