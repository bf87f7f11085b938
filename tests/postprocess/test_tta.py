"""clothseg.postprocess.tta averages mirrored and rescaled photos; options apply to single photos and batches."""

from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, Segmenter
from clothseg.labels import SWAP_SIDES
from clothseg.postprocess.cleanup import apply_cleanup
from clothseg.postprocess.guided_edges import follow_edges
from clothseg.postprocess.softmax import as_logits, softmax
from clothseg.postprocess.tta import average_probabilities
from clothseg.postprocess.upsample import winners


@pytest.fixture(scope="module")
def teacher(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(str(tiny_model), device="cpu")


def test_tta_is_mirror_equivariant_with_swapped_sides(teacher: Segmenter) -> None:
    photo = Image.fromarray(draw(1, 128, 128).image)
    plain = average_probabilities(teacher.logits, teacher.image_size, photo, (1.0, 0.75))
    mirrored = average_probabilities(
        teacher.logits, teacher.image_size, photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (1.0, 0.75)
    )
    assert plain.shape == (18, 32, 32) and np.allclose(plain.sum(axis=0), 1, atol=1e-5)
    assert np.allclose(plain, mirrored[SWAP_SIDES[:18]][..., ::-1], atol=1e-5)
    assert not np.allclose(plain, plain[..., ::-1], atol=1e-2)


def test_tta_of_one_size_averages_photo_and_mirror_image(teacher: Segmenter) -> None:
    photo = Image.fromarray(draw(2, 128, 128).image)
    pair = teacher.logits([photo, photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)])
    weights = np.exp(pair - pair.max(axis=1, keepdims=True))
    probabilities = weights / weights.sum(axis=1, keepdims=True)
    expected = (probabilities[0] + probabilities[1][SWAP_SIDES[:18]][..., ::-1]) / 2
    assert np.allclose(average_probabilities(teacher.logits, teacher.image_size, photo, (1.0,)), expected, atol=1e-5)


def test_softmax_inverts_as_logits(rng: np.random.Generator) -> None:
    shares = softmax(rng.normal(size=(18, 4, 5)).astype(np.float32))
    np.testing.assert_allclose(shares.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_allclose(softmax(as_logits(shares)), shares, atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"edges": "plain"}, {"rules": True}, {"tta": True}])
def test_options_apply_to_single_photos_and_batches(teacher: Segmenter, options: dict) -> None:
    photos = [draw(seed, 150, 100 + seed).image for seed in (3, 4)]
    usual = [teacher(photo).label_map for photo in photos]
    made = [teacher(photo, **options).label_map for photo in photos]
    for one, other in zip(made, teacher.batch(photos, 2, **options), strict=True):
        assert (one == other.label_map).mean() > 0.999
        assert not other.label_map.flags.writeable
    assert all((one == other).all() for one, other in zip(usual, made, strict=True)) == (not options)
    logits = [teacher.logits([Image.fromarray(photo)])[0] for photo in photos]
    if options == {"edges": "plain"}:
        expected = [winners(each, photo.shape[:2]) for each, photo in zip(logits, photos, strict=True)]
    elif not options:
        expected = [follow_edges(each, photo) for each, photo in zip(logits, photos, strict=True)]
    else:
        expected = [apply_cleanup(each) for each in usual] if "rules" in options else made
    for one, other in zip(made, expected, strict=True):
        assert (one == other).mean() > 0.999


def test_tta_label_maps_are_mirror_equivariant(teacher: Segmenter) -> None:
    photo = draw(5, 128, 128).image
    there = teacher(photo, tta=True).label_map
    back = SWAP_SIDES[teacher(np.ascontiguousarray(photo[:, ::-1]), tta=True).label_map[:, ::-1]]
    assert (there == back).mean() > 0.999


def test_unknown_edges_option_raises_config_error(teacher: Segmenter) -> None:
    with pytest.raises(ConfigError, match="plain or guided, not"):
        teacher(draw(1, 64, 64).image, edges="sharp")
