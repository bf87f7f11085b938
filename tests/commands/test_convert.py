"""Argument errors of `convert`."""

from pathlib import Path

import pytest
from annotated import write_photos

from clothseg.cli import main


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return write_photos(tmp_path / "photos")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["nowhere", "out"], "nowhere does not exist"),
        (["photos", "out", "--kind", "colors"], "give --palette"),
        (["photos", "out"], "Masks need their photos: give --photos"),
        (["photos", "out", "--photos", "none"], "there is no such folder"),
        (["photos/0.jpg", "out"], "cannot be read as JSON"),
        (["photos", "out", "--kind", "coco"], "COCO's annotations are one JSON file"),
        (["photos", "out", "--photos", "photos", "--kind", "ids"], "the mask is a colour picture"),
        (["photos", "out", "--kind", "labelme"], "contains no LabelMe files"),
        (["photos", "out", "--photos", "photos", "--split", "a/b"], "give a name such as train"),
    ],
)
def test_wrong_arguments_give_clear_errors(
    argv: list[str], message: str, photos: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(photos.parent)
    assert main(["convert", *argv]) == 1
    assert message in capsys.readouterr().err
