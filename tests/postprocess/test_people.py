"""clothseg.postprocess.people on label maps of several dolls, and through a segmenter."""

from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw

from clothseg import ConfigError, Segmenter
from clothseg.postprocess import people
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.people import parse, partition_by_person, people_of


def row_of_dolls(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Label map and person_map (0 for the background) of dolls side by side."""
    masks = [draw(seed + number, 192, 128).mask % 255 for number in range(count)]
    masks = [np.where(mask >= 18, 0, mask).astype(np.uint8) for mask in masks]
    person_map = [np.where(mask > 0, number, 0).astype(np.uint8) for number, mask in enumerate(masks, 1)]
    return np.hstack(masks), np.hstack(person_map)


def agreement(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.mean(found[true > 0] == true[true > 0]))


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", [0, 20])
def test_people_are_found_from_left_to_right(count: int, seed: int) -> None:
    labels, person_map = row_of_dolls(count, seed)
    divided = partition_by_person(labels)
    assert divided.min() == 1 and divided.max() == count
    assert agreement(divided, person_map) > 0.99
    middles = [box.left + box.right for _, box in people_of(np.where(labels > 0, divided, 0).astype(np.uint8))]
    assert len(middles) == count and middles == sorted(middles)


def test_touching_people_are_separated() -> None:
    labels, person_map = row_of_dolls(2, 3)
    labels[90:110, 40:216] = 4  # their clothes touch
    divided = partition_by_person(labels)
    assert divided.max() == 2 and agreement(divided, person_map) > 0.97


def test_specks_bags_and_hair_on_shoulders_are_not_people() -> None:
    labels, _ = row_of_dolls(1, 5)
    labels = np.pad(labels, ((0, 0), (0, 100)))
    rows, _ = np.nonzero(np.isin(labels, [2, 11]))
    labels[4:7, 180:183] = 11
    labels[120:150, 170:210] = 16
    below = int(rows.max()) + 4
    labels[below : below + 6, 60:66] = 2
    assert partition_by_person(labels).max() == 1


def test_empty_label_map_has_no_people() -> None:
    divided = partition_by_person(np.zeros((40, 30), np.uint8))
    assert not divided.any() and people_of(divided) == ()


def test_pixels_take_classes_from_the_crop_of_their_person() -> None:
    labels, _ = row_of_dolls(2)
    divided = partition_by_person(labels)
    boxes: list[Box] = []

    def look(box: Box) -> tuple[np.ndarray, np.ndarray]:
        boxes.append(box)
        shape = box.bottom - box.top, box.right - box.left
        return np.full(shape, len(boxes), np.uint8), np.full((3, 2), 100 * len(boxes), np.uint8)

    found, sure, person_map = parse(labels, np.zeros((96, 128), np.uint8), divided, 1.5, look)
    assert len(boxes) == 2
    for number in (1, 2):
        person = (labels > 0) & (divided == number)
        assert (found[person] == number).all()
    np.testing.assert_array_equal(person_map, found)
    assert set(np.unique(sure)) == {0, 100, 200}


def test_class_of_another_crop_replaces_background_only_if_connected() -> None:
    divided = np.repeat(np.array([[1, 2]], np.uint8), 60, axis=0).repeat(30, axis=1)
    labels = np.zeros((60, 60), np.uint8)
    labels[10:50, 10:25], labels[10:50, 40:50] = 4, 6
    arm, bag = (slice(30, 34), slice(25, 34)), (slice(30, 34), slice(36, 38))

    def look(box: Box) -> tuple[np.ndarray, np.ndarray]:
        seen = np.where(divided == (1 if box.left == 0 else 2), labels, 0)
        if box.left == 0:
            seen[arm], seen[bag] = 14, 16
        return seen[box.top : box.bottom, box.left : box.right], np.full((2, 2), 200, np.uint8)

    found, _, person_map = parse(labels, np.zeros((60, 60), np.uint8), divided, 1.0, look)
    assert (found[arm] == 14).all() and (person_map[arm] == divided[arm]).all()
    assert not found[bag].any() and not person_map[bag].any()
    assert (person_map[labels == 6] == 2).all()


def test_people_are_numbered_without_gaps() -> None:
    labels = np.ones((8, 30), np.uint8)
    divided = np.repeat(np.array([[1, 2, 3]], np.uint8), 8, axis=0).repeat(10, axis=1)
    labels[:, 10:20] = 0

    def look(box: Box) -> tuple[np.ndarray, np.ndarray]:
        return labels[box.top : box.bottom, box.left : box.right], np.zeros((2, 2), np.uint8)

    _, _, person_map = parse(labels, np.zeros((8, 30), np.uint8), divided, 0.5, look)
    assert set(np.unique(person_map)) == {0, 1, 2} and (person_map[:, 20:] == 2).all()


@pytest.mark.parametrize("rules", [False, True])
def test_result_has_a_person_map(tiny_model: Path, rules: bool) -> None:
    segmenter = Segmenter.from_pretrained(str(tiny_model), engine="torch")
    photo = np.hstack([draw(seed, 96, 64).image for seed in range(3)])
    result = segmenter(photo, people="all", rules=rules)
    assert result.person_map is not None and not result.person_map.flags.writeable
    np.testing.assert_array_equal(result.person_map > 0, result.label_map > 0)
    assert [person.number for person in result.people] == list(range(1, int(result.person_map.max()) + 1))
    (batched,) = segmenter.batch([photo], people="all", rules=rules)
    assert np.mean(batched.person_map == result.person_map) > 0.99
    assert segmenter(photo).people == ()


def test_unknown_people_option_raises_config_error(tiny_model: Path) -> None:
    with pytest.raises(ConfigError, match="people can be one or all, not 'some'"):
        Segmenter.from_pretrained(str(tiny_model), engine="torch")(draw(0, 32, 32).image, people="some")


def test_photos_of_one_person_have_one_person(shared_data: Path) -> None:
    from clothseg.training.data.decoding import decode_row
    from clothseg.training.data.loading import load_splits

    rows = load_splits(str(shared_data), None, 0.1, 0).validation
    masks = [decode_row(rows[index])[1] for index in range(0, 100, 4)]
    counts = [int(partition_by_person(np.where(mask == 255, 0, mask).astype(np.uint8)).max()) for mask in masks]
    assert counts.count(1) >= 24


def test_divided_face_counts_as_one_head() -> None:
    labels = np.zeros((120, 160), np.uint8)
    labels[20:30, 30:46] = 2
    labels[26:30, 32:44] = 11
    labels[32:42, 32:44] = 11  # below undetected glasses
    labels[50:110, 20:56] = 4
    assert partition_by_person(labels).max() == 1
    labels[32:36, 30:46] = 2  # separate hair: another person in front
    assert partition_by_person(labels).max() == 1 + 1


def test_specks_of_hair_change_no_count_and_are_compared_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    labels, _ = row_of_dolls(2, 4)
    expected = partition_by_person(labels).max()
    specks = np.zeros_like(labels, bool)
    specks[1::3, 1::3] = True
    compared = []
    continues = people._Piece.continues
    monkeypatch.setattr(people._Piece, "continues", lambda *pair: compared.append(1) or continues(*pair))
    assert partition_by_person(np.where(specks & (labels == 0), 2, labels).astype(np.uint8)).max() == expected
    assert 0 < len(compared) <= people._MAX_PIECES**2 / 2


def test_distant_strays_do_not_widen_crops_and_have_no_person() -> None:
    labels, _ = row_of_dolls(2, 4)
    alone = labels.copy()
    labels = np.pad(labels, ((0, 0), (0, 400)))
    labels[150:156, 620:626] = 9
    seen: list[list[Box]] = []
    for each in (alone, labels):
        boxes: list[Box] = []

        def look(box: Box, each: np.ndarray = each, boxes: list[Box] = boxes) -> tuple[np.ndarray, np.ndarray]:
            boxes.append(box)
            return each[box.top : box.bottom, box.left : box.right], np.full((3, 2), 200, np.uint8)

        found, _, person_map = parse(each, np.zeros((96, 128), np.uint8), partition_by_person(each), 1.5, look)
        seen.append(boxes)
        assert (person_map[:, :256] > 0).sum() > 0.95 * (alone > 0).sum() and not found[:, 400:].any()
    assert all(a.right - a.left <= b.right - b.left + 60 for a, b in zip(seen[1], seen[0], strict=True))
