"""Ids in masks are mapped to class ids by the data set, a label set or a label map."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clothseg.errors import ConfigError
from clothseg.labels import ATR, CIHP, FASHN, LIP, LabelSet
from clothseg.training.data.mask_classes import ATR_MASKS, WRONG, check_teacher, mask_classes


def ids(*values: Any) -> np.ndarray:
    return np.array(values)


def write(path: Path, content: Any) -> str:
    path.write_text(json.dumps(content))
    return str(path)


def test_atr_is_the_default_label_set() -> None:
    assert mask_classes(None).labels == ATR and mask_classes(None).table is None
    found, wrong = ATR_MASKS.decode(ids(0, 17, 255, 18, 256, -1))
    assert found[:3].tolist() == [0, 17, 255] and wrong.tolist() == [-1, 18, 256]
    assert ATR_MASKS.known == "0 to 17, and 255 for pixels without annotation"


def test_data_set_classes_are_used() -> None:
    own = mask_classes({0: "background", 1: "top", 2: "shoes"})
    assert own.labels.names == ("background", "top", "shoes") and own.table is None
    assert own.decode(ids(3))[1].tolist() == [3]
    assert mask_classes(LIP.id2label).labels == LIP
    given = LabelSet.of(["none", "left sock", "right sock"])
    assert mask_classes(given).labels is given


def test_background_is_moved_to_class_0() -> None:
    last = mask_classes({0: "top", 1: "shoes", 2: "background"})
    assert last.labels.names == ("background", "top", "shoes")
    found, wrong = last.decode(ids(0, 1, 2, 255, 3, 2.5, float("nan"), -1, 70_000))
    assert found[:4].tolist() == [1, 2, 0, 255] and len(wrong) == 5
    assert last.known == "0 to 2, 255"
    without = mask_classes({0: "top", 1: "shoes"})
    assert without.labels.names == ("Background", "top", "shoes")
    assert without.decode(ids(0, 1, 255))[0].tolist() == [1, 2, 255]


def test_invalid_class_lists_raise_config_error() -> None:
    for stated in ({}, {0: "background"}, {0: "a", 2: "b"}):
        with pytest.raises(ConfigError, match=r"A label set has 2 to 255 classes|without gaps|names no class"):
            mask_classes(stated)


def test_label_set_is_given_by_title_or_file(tmp_path: Path) -> None:
    assert mask_classes({0: "a", 1: "b"}, "fashn").labels == FASHN
    own = write(tmp_path / "own.json", ["background", "left sock", "right sock"])
    assert mask_classes(None, own).labels.pairs == ((1, 2),)
    with pytest.raises(ConfigError, match=r"--labels nowhere: no such file; built-in label sets are ATR, LIP"):
        mask_classes(None, "nowhere")


def test_label_map_renames_ids_and_names(tmp_path: Path) -> None:
    content = {
        "Background": "background",
        "5": "top",
        "7": "top",
        "Pants": "bottom",
        "Left-shoe": "ignore",
        "500": None,
    }
    mapped = mask_classes(LIP, None, write(tmp_path / "map.json", content))
    assert mapped.labels.names == ("background", "top", "bottom")
    found, wrong = mapped.decode(ids(0, 5, 7, 9, 18, 500, 255, 4))
    assert found[:-1].tolist() == [0, 1, 1, 2, 255, 255, 255] and wrong.tolist() == [4]


def test_label_map_maps_to_ids_of_a_label_set(tmp_path: Path) -> None:
    file = write(tmp_path / "map.json", {"0": 0, "18": 9, "19": "Right-shoe", "3": "ignore"})
    for mapped in (mask_classes(None, None, file), mask_classes(LIP, "ATR", file)):
        assert mapped.labels == ATR and mapped.decode(ids(0, 18, 19, 3))[0].tolist() == [0, 9, 10, 255]
        assert mapped.table is not None and (mapped.table == WRONG).sum() == 65_536 - 5


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1], r"must be an object from old ids"),
        ({}, r"must be an object from old ids"),
        ({"0": "ignore"}, r"maps no id to a class"),
        ({"0": 0, "1": 1}, r"has new ids, whose names are not known"),
        (
            {"Hut": "a", "0": "b"},
            r"'Hut' is neither an id from 0 to 65535 nor a class of the data set \(Background, Hat",
        ),
        ({"70000": "a", "0": "b"}, r"'70000' is neither an id"),
    ],
)
def test_invalid_label_maps_raise_config_errors(content: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        mask_classes(ATR, None, write(tmp_path / "map.json", content))


@pytest.mark.parametrize("value", [18, -1, True, 1.5, "Hut", [1]])
def test_label_map_to_unknown_classes_raises_config_error(value: Any, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"is neither \"ignore\" nor a class; the new classes are: 0 Background, 1 Hat"
    ):
        mask_classes(None, "ATR", write(tmp_path / "map.json", {"1": value}))


def test_unreadable_label_maps_raise_config_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: No such file"):
        mask_classes(None, None, str(tmp_path / "none.json"))
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(ConfigError, match=r"bad.json is not JSON"):
        mask_classes(None, None, str(tmp_path / "bad.json"))


def test_label_map_uses_atr_names_by_default(tmp_path: Path) -> None:
    classes = mask_classes(
        None, None, write(tmp_path / "map.json", {"Background": "bg", "Hat": "hat", "Bag": "ignore"})
    )
    assert classes.labels.names == ("bg", "hat") and classes.old_names == {"Background": 0, "Hat": 1, "Bag": 255}
    assert classes.decode(np.array([0, 1, 16]))[0].tolist() == [0, 1, 255]
    assert classes.plain.decode(np.array([0, 1, 255]))[1].size == 0


def test_teacher_with_other_classes_is_rejected() -> None:
    check_teacher(ATR, LabelSet.of([name.lower().replace("-", " ") for name in ATR.names]), "teacher")
    with pytest.raises(ConfigError, match="The teacher teacher has other classes: class 10 is 'Jeans' there"):
        check_teacher(CIHP, LabelSet.of([*CIHP.names[:10], "Jeans", *CIHP.names[11:]]), "teacher")
    with pytest.raises(ConfigError, match="it has 2 classes, the training 18"):
        check_teacher(ATR, LabelSet.of(ATR.names[:2]), "teacher")
