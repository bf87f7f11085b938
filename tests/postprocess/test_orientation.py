"""clothseg.postprocess.orientation: photos are segmented in the orientation in which the person is upright."""

import numpy as np
import pytest
from PIL import Image

from clothseg import Segmenter
from clothseg.labels import LABEL2ID, NAMES, PALETTE
from clothseg.outputs.notes import TURNED
from clothseg.postprocess.orientation import (
    ROTATIONS,
    SLACK,
    find_layout,
    find_orientation,
    turn,
    turn_back,
)
from clothseg.postprocess.people import from_left_to_right, people_of


PERSON = (
    ("Hair", 10, 65, 22, 95),
    ("Face", 22, 65, 40, 95),
    ("Upper-clothes", 40, 60, 100, 100),
    ("Right-arm", 45, 50, 95, 60),
    ("Left-arm", 45, 100, 95, 110),
    ("Right-leg", 100, 60, 150, 78),
    ("Left-leg", 100, 82, 150, 100),
    ("Right-shoe", 150, 60, 160, 78),
    ("Left-shoe", 150, 82, 160, 100),
)
SHIRT = (("Upper-clothes", 40, 50, 120, 110),)


def painted(*boxes: tuple, size: tuple[int, int] = (170, 160), at: int = 0) -> np.ndarray:
    """(H, W) uint8 label map of boxes (class, top, left, bottom, right), moved to the right by `at`."""
    label_map = np.zeros(size, np.uint8)
    for name, top, left, bottom, right in boxes:
        label_map[top:bottom, left + at : right + at] = LABEL2ID[name]
    return label_map


def photo_of(label_map: np.ndarray) -> Image.Image:
    return Image.fromarray(PALETTE[label_map])


def as_logits(label_map: np.ndarray, sure: float) -> np.ndarray:
    rest = np.full((18, *label_map.shape), np.log((1 - sure) / 17), np.float32)
    np.put_along_axis(rest, label_map[None].astype(int), np.float32(np.log(sure)), axis=0)
    return rest


class Network:
    """Recognises classes by their colours, with high confidence only if the head is above the clothes.

    `passes` counts the inferences.
    """

    def __init__(self) -> None:
        self.passes = 0

    def infer(self, photo: Image.Image, size: tuple[int, int] = (144, 96)) -> np.ndarray:
        small = np.asarray(photo.resize(size[::-1], Image.Resampling.NEAREST)).astype(int)
        return self.read(small)

    def read(self, pixels: np.ndarray) -> np.ndarray:
        self.passes += 1
        labels = np.abs(pixels[..., None, :] - PALETTE.astype(int)).sum(axis=-1).argmin(axis=-1).astype(np.uint8)
        rows = np.nonzero(np.isin(labels, [LABEL2ID["Hair"], LABEL2ID["Face"]]))[0]
        others = np.nonzero(np.isin(labels, [LABEL2ID["Upper-clothes"]]))[0]
        # At borders, resizing mixes colours to those of other classes.
        upright = len(rows) and len(others) and np.quantile(rows, 0.9) <= np.quantile(others, 0.1)
        return as_logits(labels, 0.97 if upright else 0.5)


@pytest.fixture
def segmenter() -> Segmenter:
    """A segmenter with `Network` as its engine."""
    found = Segmenter.from_pretrained()
    found.network = network = Network()
    ramp = found.pixels([Image.fromarray(np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2))])
    low, high = ramp.min(axis=(0, 2, 3)), ramp.max(axis=(0, 2, 3))

    def engine(pixels: np.ndarray) -> np.ndarray:
        colors = (pixels - low[:, None, None]) / (high - low)[:, None, None] * 255
        return np.stack([network.read(each[:, 2::4, 2::4].transpose(1, 2, 0)) for each in colors])

    found.engine = engine
    return found


@pytest.mark.parametrize("rotation", ROTATIONS)
def test_turn_back_inverts_turn(rotation: int) -> None:
    array = np.random.default_rng(0).integers(0, 18, (37, 53), np.uint8)
    turned = np.asarray(turn(Image.fromarray(array), rotation))
    np.testing.assert_array_equal(turned, np.rot90(array, -rotation // 90))
    np.testing.assert_array_equal(turn_back(turned, rotation), array)


def test_layout_locates_head_and_legs() -> None:
    label_map = painted(*PERSON)
    layout = find_layout(as_logits(label_map, 0.97))
    assert layout.figure == pytest.approx((label_map > 0).mean())
    assert layout.confidence == pytest.approx(0.97, abs=1e-3)
    assert layout.head_height < 0.2 < 0.6 < layout.legs_height
    assert layout.is_upright and layout.shows_person
    for times in (1, 2, 3):
        assert not find_layout(as_logits(np.rot90(label_map, times), 0.97)).shows_person
    assert find_layout(as_logits(np.zeros((9, 9), np.uint8), 0.97)).figure == 0


@pytest.mark.parametrize("size", [(170, 160), (170, 170), (160, 260)])
@pytest.mark.parametrize("rotation", ROTATIONS)
def test_upright_orientation_is_found(rotation: int, size: tuple[int, int]) -> None:
    network = Network()
    photo = photo_of(turn_back(painted(*PERSON, size=(170, max(size))), rotation))
    logits = network.infer(photo)
    network.passes = 0
    found = find_orientation(photo, logits, infer=network.infer, as_array=lambda each: each, aspect=1.5)
    assert found.rotation == rotation
    assert (network.passes == 0) == (rotation == 0) or found.crop is not None
    if rotation == 0:
        assert found.logits is logits
    else:
        np.testing.assert_array_equal(found.logits, network.infer(turn(photo, rotation)))


def test_photos_without_a_person_are_not_rotated() -> None:
    network = Network()
    for label_map in (painted(*SHIRT), painted()):
        photo = photo_of(label_map)
        for rotation in ROTATIONS:
            turned = turn(photo, rotation)
            found = find_orientation(
                turned, network.infer(turned), infer=network.infer, as_array=lambda each: each, aspect=1.5
            )
            assert found.rotation == 0


def test_rotation_to_lower_confidence_is_rejected() -> None:
    label_map = painted(*PERSON)
    photo = photo_of(label_map)
    for gain, expected in ((0.02, 180), (0.01 - SLACK, 180), (-0.01 - SLACK, 0)):
        first = as_logits(label_map[::-1, ::-1], 0.96)
        other = as_logits(label_map, 0.96 + gain)
        found = find_orientation(
            turn(photo, 180),
            first,
            infer=lambda each, other=other, first=first: other if each.size == photo.size else first,
            as_array=lambda each: each,
            aspect=1.5,
        )
        assert found.rotation == expected


@pytest.mark.parametrize("people", ["one", "all"])
@pytest.mark.parametrize("rotation", ROTATIONS)
def test_results_of_rotated_photos_match_the_upright_result(segmenter: Segmenter, rotation: int, people: str) -> None:
    upright = photo_of(painted(*PERSON))
    expected = segmenter(upright, edges="plain", people=people)
    assert expected.rotation == 0 and {"Left-shoe", "Right-shoe", "Face"} <= set(expected.areas)
    photo = Image.fromarray(turn_back(np.asarray(upright), rotation))
    result = segmenter(photo, edges="plain", people=people)
    assert result.rotation == rotation and result.photo.size == photo.size
    np.testing.assert_array_equal(result.label_map, turn_back(expected.label_map, rotation))
    np.testing.assert_array_equal(result.probability, turn_back(expected.probability, rotation))
    assert result.notes == ((TURNED[rotation],) if rotation else ())
    assert result.to_dict()["rotation"] == rotation and result.to_dict()["notes"] == list(result.notes)
    (same,) = segmenter.batch([photo], edges="plain", people=people)
    np.testing.assert_array_equal(same.label_map, result.label_map)


def test_people_are_numbered_left_to_right_after_rotation() -> None:
    person_map = np.zeros((40, 90), np.uint8)
    for number, left in ((1, 5), (2, 35), (3, 60)):
        person_map[10:30, left : left + 20] = number
    for rotation in ROTATIONS:
        found = people_of(from_left_to_right(turn_back(person_map, rotation)))
        assert [person.number for person in found] == [1, 2, 3]
        lefts = [person.box.left for person in found]
        assert lefts == sorted(lefts)
    np.testing.assert_array_equal(from_left_to_right(person_map), person_map)
    assert not from_left_to_right(np.zeros((4, 5), np.uint8)).any()


def test_upright_option_skips_rotation_and_needs_one_pass(segmenter: Segmenter) -> None:
    photo = photo_of(np.ascontiguousarray(painted(*PERSON)[::-1, ::-1]))
    segmenter.network.passes = 0
    result = segmenter(photo, orientation="upright", zoom="off")
    assert result.rotation == 0 and segmenter.network.passes == 1
    segmenter.network.passes = 0
    assert segmenter(photo_of(painted(*PERSON)), zoom="off").rotation == 0 and segmenter.network.passes == 1


def test_fake_network_recognises_every_painted_class() -> None:
    label_map = painted(*PERSON, size=(160, 160))
    labels = Network().infer(photo_of(label_map), label_map.shape).argmax(axis=0)
    assert {NAMES[each] for each in np.unique(labels)} == {"Background", *(name for name, *_ in PERSON)}
