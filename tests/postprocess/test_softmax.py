"""Softmax and its inverse."""

import numpy as np

from clothseg.postprocess.softmax import as_logits, softmax


def test_softmax_sums_to_one_and_keeps_the_order(rng: np.random.Generator) -> None:
    logits = rng.normal(0, 30, (18, 9, 7)).astype(np.float32)
    probabilities = softmax(logits)
    np.testing.assert_allclose(probabilities.sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_array_equal(probabilities.argmax(axis=0), logits.argmax(axis=0))
    np.testing.assert_allclose(softmax(logits + 1000), probabilities, atol=1e-4)


def test_as_logits_inverts_softmax(rng: np.random.Generator) -> None:
    probabilities = softmax(rng.normal(size=(18, 5, 4)).astype(np.float32))
    np.testing.assert_allclose(softmax(as_logits(probabilities)), probabilities, atol=1e-6)
    assert np.isfinite(as_logits(np.zeros((18, 2, 2), np.float32))).all()
