"""Results on the label map of `gown`."""

import numpy as np
import pytest
from gown import LABEL_MAP, PHOTO
from PIL import Image

from clothseg import Segmentation


@pytest.fixture
def result() -> Segmentation:
    confidence = {"Belt": 0.55555, "Dress": 0.9, "Hat": 0.1, "Background": 1.0}
    return Segmentation(Image.fromarray(PHOTO), LABEL_MAP, confidence, name="gown.jpg", model="tiny")


@pytest.fixture
def clear() -> Segmentation:
    """A result of a partly transparent photo: fully in the first two rows, half in the third."""
    alpha = np.full((4, 5), 255, np.uint8)
    alpha[:2], alpha[2] = 0, 100
    person_map = np.ones((4, 5), np.uint8)
    return Segmentation(np.dstack([PHOTO, alpha]), LABEL_MAP, {"Dress": 0.9}, person_map=person_map)  # type: ignore[arg-type]
