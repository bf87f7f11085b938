"""Files that visitors take away from the tab for one photo."""

import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from clothseg import Segmenter
from clothseg.app.answers import Answers
from clothseg.app.components.parts import find_parts
from clothseg.app.previews import PREVIEW
from clothseg.app.result_files import EXPORTS, ResultFiles
from clothseg.app.selection import PhotoResult
from clothseg.app.settings import DEFAULT_CUTOUT, cutout_values
from clothseg.images import png_file
from clothseg.images.png_file import encode_png
from clothseg.labels import LABEL2ID


PLAIN = cutout_values(DEFAULT_CUTOUT)


@pytest.fixture(scope="module")
def files(tiny_model: Path) -> ResultFiles:
    return ResultFiles(Segmenter.from_pretrained(tiny_model))


def test_downloads_match_what_the_browser_shows(files: ResultFiles, doll: PhotoResult, tmp_path: Path) -> None:
    said = {"number": doll.number, "picked": ["Left-shoe", "Right-shoe"], "edits": []}

    def made(kind: str, said: Any = said) -> Path:
        return Path(files.file(kind)(said, doll, True, *PLAIN))

    cutout = made("cutout")
    assert cutout.name == "doll-cutout.png"
    with Image.open(cutout) as image:
        expected = doll.result.cutout("Left-shoe", "Right-shoe", options=DEFAULT_CUTOUT)
        assert np.array_equal(np.asarray(image), np.asarray(expected))
    with zipfile.ZipFile(made("each")) as archive:
        assert archive.namelist() == ["items.json", "coco.json", "01-Left-shoe.png", "02-Right-shoe.png"]
    mask = made("mask")
    assert mask.name == "doll-mask.png"
    with Image.open(mask) as image, Image.open(cutout) as whole:
        assert np.array_equal(np.asarray(image), np.asarray(whole)[..., 3])
    with zipfile.ZipFile(made("masks")) as archive:
        assert archive.namelist() == ["kept.png", "Left-shoe.png", "Right-shoe.png"]
    listed = json.loads(made("items").read_text())
    assert {item["name"] for item in listed["items"]} == {part.name for part in find_parts(doll.result)}
    annotations = json.loads(made("coco").read_text())["annotations"]
    assert len(annotations) == len(listed["items"]) and isinstance(annotations[0]["segmentation"], list)
    assert (made("labels").name, made("summary").name) == ("doll-labels.png", "doll.json")
    # Corrections not yet sent to the server are applied as well.
    edits = [{"kind": "relabel", "part": "Left-shoe", "x": 0, "y": 0, "label": "Background"}]
    with Image.open(made("labels", said | {"edits": edits})) as image:
        assert 9 not in np.asarray(image)
    assert files.file("cutout")(said | {"picked": []}, doll, False, *PLAIN) is None
    assert files.file("cutout")(said, None, False, *PLAIN) is None


def test_cutout_is_encoded_once_and_only_on_request(
    files: ResultFiles, doll: PhotoResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    encodings = list[tuple[int, int]]()

    def encode(picture: Image.Image) -> bytes:
        encodings.append(picture.size)
        return encode_png(picture)

    monkeypatch.setattr(png_file, "encode_png", encode)
    said = {"number": doll.number, "picked": ["Hat", "Skirt"]}
    previewed = Answers.preview(said, doll, *PLAIN)
    previews = len(encodings)
    assert previewed["news"]["download"] and max(max(size) for size in encodings) <= PREVIEW
    first, again = (files.file("cutout")(said, doll, False, *PLAIN) for _ in range(2))
    turned = files.file("cutout")(said | {"picked": ["Skirt", "Hat"]}, doll, False, *PLAIN)
    assert first == again == turned and len(encodings) == previews + 1
    other = files.file("cutout")(said | {"picked": ["Hat"]}, doll, False, *PLAIN)
    assert other != first and len(encodings) == previews + 2
    Path(str(other)).unlink()  # the storage was full
    assert Path(files.file("cutout")(said | {"picked": ["Hat"]}, doll, False, *PLAIN)).is_file()  # type: ignore[arg-type]


def test_exports_for_other_tools_are_created(files: ResultFiles, doll: PhotoResult) -> None:
    said = {"number": doll.number, "picked": ["Left-shoe"], "edits": []}
    for _, kind in EXPORTS:
        path = Path(files.for_tool(said, doll, kind, "rgba(160, 48, 80, 1)", True, *PLAIN))
        assert path.name.startswith("doll-") and path.stat().st_size > 50
    with zipfile.ZipFile(files.for_tool(said, doll, "tryon-lower", "#a03050", False, *PLAIN)) as archive:
        with Image.open(archive.open("agnostic-mask.png")) as image:
            assert np.array_equal(np.asarray(image), np.asarray(doll.result.tryon("lower").mask))
    with Image.open(files.for_tool(said, doll, "recolor", "#a03050", False, *PLAIN)) as image:
        assert np.array_equal(np.asarray(image), np.asarray(doll.result.recolor("Left-shoe", "#a03050")))
    with Image.open(files.for_tool(said, doll, "packshot-4:5", "", False, *PLAIN)) as image:
        assert image.width * 5 == pytest.approx(image.height * 4, abs=5)
    assert files.for_tool(said, doll, "/etc/passwd", "#a03050", False, *PLAIN) is None
    assert files.for_tool(said, None, "svg", "#a03050", False, *PLAIN) is None


def test_training_example_has_the_shown_corrections(
    files: ResultFiles, doll: PhotoResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Info", said.append)
    stroke = {"kind": "stroke", "points": [[20, 20], [60, 20]], "radius": 8, "label": "Bag"}
    save = files.training_example(tmp_path / "rows")
    save({"number": doll.number, "edits": [stroke]}, doll)
    save({}, None)
    [path] = (tmp_path / "rows" / "train").iterdir()
    [row] = pq.read_table(path).to_pylist()
    saved = np.asarray(Image.open(BytesIO(row["mask"]["bytes"])))
    assert saved[20, 40] == LABEL2ID["Bag"] and np.array_equal(saved[100:], doll.result.label_map[100:])
    assert len(json.loads(row["provenance"])["corrections"]) == 1
    assert [path.stem in text for text in said] == [True]
