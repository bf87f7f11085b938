"""Fully transparent pixels become Background without a person; other pixels are kept."""

import numpy as np

from clothseg.labels import NUM_CLASSES
from clothseg.postprocess.decoding import Prediction
from clothseg.postprocess.transparency import background_where_transparent, clear_transparent
from clothseg.postprocess.zoom_crop import confidences


def test_transparent_pixels_become_background(rng: np.random.Generator) -> None:
    label_map = rng.integers(0, NUM_CLASSES, (40, 30), np.uint8)
    alpha = rng.choice(np.array([0, 1, 255], np.uint8), (40, 30))
    cleared = background_where_transparent(label_map, alpha)
    assert not cleared[alpha == 0].any()
    np.testing.assert_array_equal(cleared[alpha > 0], label_map[alpha > 0])
    opaque = np.full_like(alpha, 255)
    assert background_where_transparent(label_map, opaque) is label_map


def test_transparent_pixels_have_full_confidence(rng: np.random.Generator) -> None:
    label_map = rng.integers(1, NUM_CLASSES, (40, 30), np.uint8)
    probability = rng.integers(50, 200, (20, 15)).astype(np.uint8)
    person_map = np.ones((40, 30), np.uint8)
    alpha = np.zeros((40, 30), np.uint8)
    alpha[:20] = 255
    before = Prediction(label_map, confidences(label_map, probability), probability, person_map)
    after = clear_transparent(before, alpha)
    assert not after.label_map[20:].any() and (after.label_map[:20] == label_map[:20]).all()
    assert (after.probability[10:] == 255).all() and (after.probability[:10] == probability[:10]).all()
    assert after.person_map is not None and not after.person_map[20:].any() and after.person_map[:20].all()
    assert after.confidence[0] > 0.99
