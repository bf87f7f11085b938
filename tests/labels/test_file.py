"""labels.json: round trip, short forms, and clear errors."""

import json
from pathlib import Path

import pytest

from clothseg.errors import ConfigError
from clothseg.labels import ATR, KNOWN, LabelSet, read_labels, write_labels
from clothseg.labels.file import from_dict, to_dict


def test_label_set_round_trip(tmp_path: Path) -> None:
    own = LabelSet.of(["nichts", "Hut", "Schuh l", "Schuh r"], "Eigene", groups={"Schuhe": ("Schuh l", "Schuh r")})
    for labels in (*KNOWN.values(), own):
        write_labels(labels, tmp_path / "labels.json")
        assert read_labels(tmp_path / "labels.json") == labels


def test_short_forms_are_read() -> None:
    assert from_dict(list(ATR.names)) is ATR
    assert from_dict({str(index): name for index, name in ATR.id2label.items()}) is ATR
    named = from_dict({"classes": [{"name": "rest"}, {"name": "Bonnet", "role": "hat", "color": "#ff8800"}]})
    assert (named.names, named.roles[1], named.hex_color("Bonnet")) == (("rest", "Bonnet"), "hat", "#ff8800")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "cannot be read as JSON"),
        ("3", "list of names"),
        ('{"classes": 3}', "must be a list"),
        ('{"classes": [{"name": "bg"}, 3]}', "must be an object, not 3"),
        ('{"classes": [{"name": "bg"}, {"id": 2, "name": "Hat"}]}', "entry 1 has the id 2"),
        ('{"classes": [{"name": "bg"}, {"id": 1}]}', "Class 1 has no name"),
        ('{"classes": [{"name": "bg"}, {"name": "Hat", "colour": 1}]}', "no entry 'colour'; the entries are: color"),
        ('{"classes": [{"name": "bg"}, {"name": "Hat", "color": "red"}]}', "#ff8800"),
        ('{"classes": [{"name": "bg"}, {"name": "Hat", "role": "crown"}]}', "no role 'crown'"),
        ('{"classes": [{"name": "bg"}, {"name": "Hat"}], "pairs": [["Hat"]]}', "left and a right class"),
        ('{"classes": [{"name": "bg"}, {"name": "Hat"}], "groups": ["Hat"]}', "lists of classes"),
        ('{"0": "bg", "7": "Hat"}', "without gaps"),
    ],
)
def test_invalid_files_raise_config_errors(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "labels.json"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=f"labels.json.*{message}"):
        read_labels(path)


def test_missing_file_raises_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"labels\.json cannot be read"):
        read_labels(tmp_path / "labels.json")


def test_content_is_plain_json() -> None:
    assert from_dict(json.loads(json.dumps(to_dict(ATR)))) == ATR
