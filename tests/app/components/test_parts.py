import numpy as np
from paper_dolls import draw

from clothseg import Segmentation
from clothseg.app.components.parts import (
    find_parts,
    mask_of_parts,
    pack,
    part_map,
    unpack,
)
from clothseg.labels import LABEL2ID, NAMES


def doll(**attributes: object) -> Segmentation:
    drawn = draw(1, 450, 300)
    return Segmentation(drawn.image, drawn.mask, **attributes)


def two_people() -> Segmentation:
    """Two dolls side by side; the bag belongs to no person."""
    first, second = draw(1, 450, 300), draw(7, 450, 300)
    people = np.hstack([np.where(first.mask, 1, 0), np.where(second.mask, 2, 0)]).astype(np.uint8)
    labels = np.hstack([first.mask, second.mask])
    labels[400:440, 280:320], people[400:440, 280:320] = LABEL2ID["Bag"], 0
    return Segmentation(np.hstack([first.image, second.image]), labels, person_map=people)


def test_parts_of_one_person_are_its_classes() -> None:
    result = doll(confidence={"Dress": 0.8}, probability=np.full((9, 6), 204, np.uint8))
    parts = find_parts(result)
    assert [part.key for part in parts] == [name for name in result.areas if name != "Background"]
    for part in parts:
        mask = result.mask(part.name)
        assert part.person is None and part.share == mask.mean() and part.confidence == 0.8
        rows, columns = np.nonzero(mask)
        left, top = int(columns.min()), int(rows.min())
        assert part.box == (left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top)
        assert mask[part.point[1], part.point[0]] and part.depth >= 1
        assert np.array_equal(mask_of_parts(result, [part.key]), mask)


def test_parts_of_two_people_are_separate() -> None:
    result = two_people()
    parts = find_parts(result)
    assert {part.person for part in parts} == {1, 2, None}
    total = np.zeros(result.label_map.shape, int)
    for part in parts:
        mask = mask_of_parts(result, [part.key])
        assert np.array_equal(mask, (result.person_map == (part.person or 0)) & result.mask(part.name))
        total += mask
    assert total.max() == 1
    bag = next(part for part in parts if part.key == "Bag/0")
    assert bag.person is None and bag.box == (280, 400, 40, 40) and bag.share == 1600 / result.label_map.size
    everybody = mask_of_parts(result, ["Face"])
    assert np.array_equal(everybody, result.mask("Face"))
    assert not np.array_equal(everybody, mask_of_parts(result, ["Face/1"]))


def test_unknown_keys_add_nothing() -> None:
    for result in (doll(), two_people()):
        assert not mask_of_parts(result, ["Background", "Bagg", "Face/9", "Face/x", "Face/-1", "", "/"]).any()
        assert not mask_of_parts(result, []).any()


def test_specks_are_not_parts() -> None:
    labels = np.zeros((400, 300), np.uint8)
    labels[100:200, 100:200], labels[300:303, 10:13] = LABEL2ID["Dress"], LABEL2ID["Hat"]
    result = Segmentation(np.zeros((400, 300, 3), np.uint8), labels)
    assert [part.key for part in find_parts(result)] == ["Dress"]
    assert [part.key for part in find_parts(result, min_share=0)] == ["Hat", "Dress"]


def test_part_map_round_trip() -> None:
    result = two_people()
    parts = find_parts(result)
    width, height = result.photo.size
    ids = part_map(result, parts, (width, height))
    for number, part in enumerate(parts, start=1):
        assert np.array_equal(ids == number, mask_of_parts(result, [part.key]))
    assert np.array_equal(unpack(pack(ids), ids.shape), ids)
    random = np.random.default_rng(0).integers(0, 2**16, (31, 17), np.uint16)
    assert np.array_equal(unpack(pack(random), random.shape), random)


def test_reduced_part_map_keeps_parts_in_place() -> None:
    result = two_people()
    parts = find_parts(result)
    ids = part_map(result, parts, (300, 225))
    assert ids.shape == (225, 300)
    for number, part in enumerate(parts, start=1):
        assert ids[part.point[1] // 2, part.point[0] // 2] == number
    assert {NAMES.index(part.name) for part in parts} == set(np.unique(result.label_map).tolist()) - {0}
