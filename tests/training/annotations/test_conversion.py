"""Conversion maps classes by name and reports every photo that it cannot write."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from annotated import write

from clothseg.errors import ConfigError, DataError
from clothseg.labels import FASHN
from clothseg.training.annotations.conversion import classes_for, convert, write_folders
from clothseg.training.annotations.source import Annotated, Source


def source(photos: Path, *names: str) -> Source:
    ids = np.ones((96, 72), np.uint16)
    made = [Annotated(name, photos / "0.jpg", lambda: (ids, Counter({1: 1}))) for name in names]
    return Source("test", {0: "background", 1: "top", 2: "bag"}, made)


def test_classes_are_matched_by_name(photos: Path, tmp_path: Path) -> None:
    named = classes_for(source(photos), "FASHN", None)
    assert named.labels == FASHN and named.decode(np.array([0, 1, 2]))[0].tolist() == [0, 3, 8]
    with pytest.raises(ConfigError, match="--labels LIP has no class top, bag"):
        classes_for(source(photos), "LIP", None)
    mapped = classes_for(
        source(photos), None, str(write(tmp_path / "map.json", {"0": "bg", "top": "upper", "bag": None}))
    )
    assert mapped.labels.names == ("bg", "upper") and mapped.decode(np.array([1, 2]))[0].tolist() == [1, 255]


def test_different_classes_and_duplicate_names_are_rejected(photos: Path, tmp_path: Path) -> None:
    first = source(photos, "a", "a", "b/c")
    found = convert(first, classes_for(first, None, None), tmp_path / "out", "train", write_folders)
    assert found.written == 2 and found.wrong == [("a", "another photo has this name with another suffix")]
    assert (tmp_path / "out" / "images" / "train" / "b" / "c.jpg").read_bytes() == (photos / "0.jpg").read_bytes()
    assert json.loads((tmp_path / "out" / "conversion.json").read_text())["classes"][1]["shapes"] == 2
    with pytest.raises(ConfigError, match="has other classes"):
        convert(first, classes_for(first, "FASHN", None), tmp_path / "out", "test", write_folders)
    with pytest.raises(DataError, match="No photo with its annotations can be used"):
        convert(source(photos), classes_for(first, None, None), tmp_path / "none", "train", write_folders)
    assert not (tmp_path / "none").exists()
