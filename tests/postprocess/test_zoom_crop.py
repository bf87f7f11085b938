"""The zoom crop finds small figures for a second inference at a higher resolution, and is skipped otherwise."""

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import Segmenter
from clothseg.labels import NAMES
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.zoom_crop import FADE, PAYS_BELOW, blend_crop, confidences, find_zoom_crop, paste


def figure(size: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray:
    label_map = np.zeros(size, np.uint8)
    left, top, right, bottom = box
    label_map[top:bottom, left:right] = 4
    return label_map


def logits(label_map: np.ndarray, sure: float = 0.99) -> np.ndarray:
    """Logits that give each pixel's class the probability `sure`."""
    rest = np.full((18, *label_map.shape), np.log((1 - sure) / 17), np.float32)
    np.put_along_axis(rest, label_map[None].astype(int), np.float32(np.log(sure)), axis=0)
    return rest


def box_of(label_map: np.ndarray, aspect: float = 1.5) -> Box | None:
    return find_zoom_crop(logits(label_map), label_map.shape, aspect)


@pytest.mark.parametrize(
    ("size", "box", "expected"),
    [
        ((600, 400), (180, 260, 220, 320), Box(174, 251, 226, 329)),  # in the middle, with the network's aspect ratio
        ((600, 400), (0, 0, 40, 60), Box(0, 0, 52, 78)),  # in a corner: moved inside
        ((600, 400), (190, 200, 200, 300), Box(152, 185, 238, 315)),  # narrow: widened
        ((600, 400), (100, 50, 300, 560), None),  # large enough
        ((600, 400), (20, 280, 380, 300), None),  # as wide as the photo
        ((400, 600), (250, 10, 350, 390), Box(135, 0, 465, 400)),  # standing in a wide photo, which is squeezed
        ((400, 340), (120, 10, 220, 390), None),  # standing in a photo that is hardly wider
        ((400, 600), (20, 10, 580, 390), None),  # several, from edge to edge
        ((900, 300), (20, 100, 280, 500), Box(0, 40, 300, 560)),  # a half-length in a tall photo
    ],
)
def test_zoom_crop_has_a_margin_and_the_networks_aspect_ratio(
    size: tuple[int, int], box: tuple[int, int, int, int], expected: Box | None
) -> None:
    found = box_of(figure(size, box))
    if expected is None:
        assert found is None
    else:
        assert found is not None and np.abs(np.subtract(found, expected)).max() <= 1


def test_specks_do_not_change_the_zoom_crop() -> None:
    label_map = figure((600, 400), (180, 260, 220, 320))
    label_map[5:8, 5:8] = 9
    assert box_of(label_map) == box_of(figure((600, 400), (180, 260, 220, 320)))
    assert box_of(np.zeros((60, 40), np.uint8)) is None


def test_zoom_crop_is_small_and_contains_the_figure(rng: np.random.Generator) -> None:
    boxes = 0
    for _ in range(50):
        height, width = rng.integers(20, 300, 2)
        left, top = rng.integers(0, width - 1), rng.integers(0, height - 1)
        label_map = figure((height, width), (left, top, rng.integers(left + 1, width), rng.integers(top + 1, height)))
        box = box_of(label_map)
        if box is not None:
            boxes += 1
            assert 0 <= box.left < box.right <= width and 0 <= box.top < box.bottom <= height
            across, down = (box.right - box.left - 1) / width, (box.bottom - box.top - 1) / height
            assert across * down <= PAYS_BELOW**2
            assert label_map[box.top : box.bottom, box.left : box.right].sum() == label_map.sum()
    assert boxes >= 10


def test_zoom_crop_is_in_pixels_for_any_grid() -> None:
    seen = logits(figure((60, 40), (18, 26, 22, 32)))
    found = find_zoom_crop(seen, (600, 400), 1.5)
    assert found == Box(174, 251, 226, 329)
    wide = find_zoom_crop(seen, (600, 800), 1.5)  # the same cells twice as wide
    assert wide is not None and (wide.left + wide.right, wide.top + wide.bottom) == (800, 580)


def test_faint_pixels_count_if_connected_to_the_figure() -> None:
    seen = logits(figure((60, 40), (18, 26, 22, 32)))
    faint = np.log(np.array([0.55] + [0.45 / 17] * 17, np.float32))[:, None, None]
    seen[:, 32:36, 18:22] = faint
    seen[:, 5:10, 5:10] = faint
    assert find_zoom_crop(seen, (60, 40), 1.5) == box_of(figure((60, 40), (18, 26, 22, 36)))


@pytest.mark.parametrize(
    ("box", "sure", "found"),
    [
        ((8, 26, 12, 36), 0.8, True),
        ((8, 26, 12, 36), 0.95, False),
        ((4, 26, 14, 30), 0.8, False),  # the person does not stand
        ((8, 20, 12, 52), 0.8, False),  # the person is near
        ((0, 26, 4, 36), 0.8, False),  # the person may be cropped by the photo
    ],
)
def test_low_confidence_objects_are_ignored_beside_a_standing_person(
    box: tuple[int, int, int, int], sure: float, found: bool
) -> None:
    standing = figure((60, 40), box)
    seen = logits(standing)
    shares = np.full(18, 1e-6, np.float32)
    shares[[0, 7]] = 1 - sure, sure
    seen[:, 10:20, 25:35] = np.log(shares)[:, None, None]
    assert (find_zoom_crop(seen, (60, 40), 1.5) == box_of(standing)) == found


def test_crop_is_blended_except_at_the_photos_borders() -> None:
    first, closer = logits(np.full((20, 30), 4, np.uint8)), logits(np.full((100, 50), 7, np.uint8))
    mixed = blend_crop(closer, first, Box(0, 20, 60, 120), (120, 180))
    labels = mixed.argmax(axis=0)
    half = FADE / 2
    assert (labels[round(100 * half) + 1 :, : -round(50 * half) - 1] == 7).all()
    assert (labels[: round(100 * half) - 1] == 4).all() and (labels[:, -1] == 4).all()
    np.testing.assert_allclose(np.exp(mixed).sum(axis=0), 1, atol=1e-4)
    upright = blend_crop(closer, first, Box(0, 0, 60, 120), (120, 180)).argmax(axis=0)  # as high as the photo
    assert (upright[:, : -round(50 * half) - 1] == 7).all() and (upright[:, -1] == 4).all()
    assert blend_crop(closer, first, Box(0, 0, 180, 120), (120, 180)) is closer


def test_blending_uses_the_matching_part_of_the_first_inference() -> None:
    first = np.zeros((18, 60, 90), np.float32)
    first[3], first[5] = np.linspace(0, 8, 90), np.linspace(0, 4, 60)[:, None]
    box, size = Box(60, 40, 120, 80), (120, 180)  # two pixels a cell
    mixed = blend_crop(np.zeros((18, 20, 30), np.float32), first, box, size)
    expected = softmax(first)[:, 20:40, 30:60]
    edge = np.exp(mixed)[:, 0, 10:20]
    weight = 0.5 / (FADE * 20)
    np.testing.assert_allclose(edge, weight / 18 + (1 - weight) * expected[:, 0, 10:20], atol=0.01)


def softmax(values: np.ndarray) -> np.ndarray:
    shares = np.exp(values)
    return shares / shares.sum(axis=0)


def test_paste_changes_only_the_window_at_any_grid() -> None:
    box, size = Box(20, 40, 60, 100), (200, 100)
    for shrink in (1, 2, 4):
        whole = np.zeros((size[0] // shrink, size[1] // shrink), np.uint8)
        both = paste(whole, np.full((7, 5), 3, np.uint8), box, size)
        expected = whole.copy()
        expected[40 // shrink : 100 // shrink, 20 // shrink : 60 // shrink] = 3
        assert (both == expected).all() and not whole.any()
    tiny = paste(np.zeros((2, 2), np.uint8), np.full((7, 5), 3, np.uint8), Box(0, 0, 1, 1), size)
    assert tiny.tolist() == [[3, 0], [0, 0]]


def test_confidences_are_means_over_class_pixels() -> None:
    label_map = np.zeros((40, 40), np.uint8)
    label_map[:20], label_map[39, 39] = 4, 9
    probability = np.full((20, 20), 102, np.uint8)
    probability[:10] = 255
    means = confidences(label_map, probability)
    assert means[[0, 4, 9, 1]] == pytest.approx([0.4, 1, 0.4, 0])


def test_zoom_improves_a_figure_of_a_tenth_of_the_height() -> None:
    """In a plain photo of 12 megapixels, the figure of 424 pixels covers only a tenth of the network's rows."""
    doll = draw(2, 424, 282)
    photo = np.full((4240, 2830, 3), 128, np.uint8)
    photo[1908:2332, 1274:1556] = doll.image
    segmenter = Segmenter.from_pretrained()
    first, second = (segmenter(Image.fromarray(photo), zoom=zoom) for zoom in ("off", "auto"))
    wearing = doll.mask != 0
    right = [((each.label_map[1908:2332, 1274:1556] == doll.mask) & wearing).sum() for each in (first, second)]
    assert right[1] > 1.2 * right[0] and right[1] > 0.5 * wearing.sum()
    assert list(second.areas) == list(second.confidence)
    face = NAMES.index("Face")
    assert (second.label_map == face).any() and second.confidence["Face"] > 0.3
