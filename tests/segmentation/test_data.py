"""The data of a result are validated and immutable."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from clothseg import Segmentation
from clothseg.labels import NUM_CLASSES


LABEL_MAP = np.array([[0, 0, 0, 0, 0], [0, 7, 7, 0, 0], [0, 8, 8, 8, 0], [0, 7, 7, 0, 0]], np.uint8)
PHOTO = np.random.default_rng(0).integers(1, 256, (4, 5, 3), np.uint8)


def test_result_is_immutable() -> None:
    label_map, probability = LABEL_MAP.copy(), np.full((2, 3), 255, np.uint8)
    result = Segmentation(PHOTO, label_map, probability=probability)  # type: ignore[arg-type]
    label_map[:] = probability[:] = 5
    np.testing.assert_array_equal(result.label_map, LABEL_MAP)
    assert (result.probability == 255).all() and not result.probability.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        result.label_map[0, 0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.label_map = label_map  # type: ignore[misc]
    result.areas["Dress"] = 7
    assert result.areas["Dress"] == 0.2


@pytest.mark.parametrize(
    ("label_map", "said"),
    [
        (LABEL_MAP.T, r"must be \(4, 5\)"),
        (LABEL_MAP.astype(np.int64), "uint8"),
        (np.full((4, 5), NUM_CLASSES, np.uint8), "contains the id 18"),
    ],
)
def test_invalid_label_maps_and_photos_raise_value_error(label_map: np.ndarray, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Segmentation(Image.fromarray(PHOTO), label_map)
    with pytest.raises(ValueError, match="must be RGB"):
        Segmentation(Image.fromarray(PHOTO).convert("L"), LABEL_MAP)


@pytest.mark.parametrize("probability", [np.zeros((4, 5), np.float32), np.zeros((4, 5, 1), np.uint8)])
def test_invalid_probability_raises_value_error(probability: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"probability must be \(h, w\) uint8"):
        Segmentation(Image.fromarray(PHOTO), LABEL_MAP, probability=probability)
