"""The kinds of files of `python -m clothseg segment`, and their options."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image
from pycocotools.coco import COCO
from results import files, table

from clothseg import Segmentation, Segmenter
from clothseg.cli import main
from clothseg.labels import ATR, GROUPS
from clothseg.options import CutoutOptions, PackshotOptions, TryonOptions


pytestmark = pytest.mark.usefixtures("load_once")


def test_cutout_options_equal_the_library(photos: Path, tiny_model: Path, tmp_path: Path) -> None:
    flags = ["--crop", "--margin", "2", "--grow", "-1", "--feather", "1.5", "--soft_edges", "--fill_holes"]
    argv = ["segment", str(photos / "a.png"), "--out", str(tmp_path / "out"), "--model", str(tiny_model), *flags]
    assert main([*argv, "--drop_specks", "--background", str(photos / "june" / "b.JPG"), "--people", "all"]) == 0
    options = CutoutOptions(
        photos / "june" / "b.JPG", crop=True, margin=2, grow=-1, feather=1.5, soft_edges=True, fill_holes=True,
        drop_specks=True,
    )  # fmt: skip
    result: Segmentation = Segmenter.from_pretrained(str(tiny_model))(photos / "a.png", people="all")
    made = np.asarray(Image.open(tmp_path / "out" / "cutouts" / "a.png"))
    np.testing.assert_array_equal(made, np.asarray(result.cutout(*GROUPS["All garments"], options=options)))


def test_masks_are_written_to_a_folder_per_class(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, photo = tmp_path / "out", photos / "a.png"
    argv = ["segment", str(photo), "--out", str(out), "--model", str(tiny_model), "--write", "masks", "--grow", "2"]
    assert main([*argv, "--invert", "--keep", "Body", "Upper"]) == 0
    result = Segmenter.from_pretrained(str(tiny_model))(photo)
    pictures = result.mask_pictures("Body", "Upper", options=CutoutOptions(grow=2, invert=True))
    expected = {f"masks/{name}/a.png" for name in pictures}
    assert files(out) == expected | {"summaries/a.json", "results.csv"} and len(expected) > 2
    for name, picture in pictures.items():
        np.testing.assert_array_equal(np.asarray(Image.open(out / "masks" / name / "a.png")), np.asarray(picture))
    some = next(name for name in pictures if name != "kept")
    again = [*argv, "--invert", "--keep", "Body", "Upper"]
    capsys.readouterr()
    assert main(again) == 0 and "0 of 0 photos segmented, 1 were done already" in capsys.readouterr().out
    (out / "masks" / some / "a.png").unlink()
    assert main(again) == 0 and "1 of 1 photos segmented" in capsys.readouterr().out
    assert main([*argv, "--keep", some]) == 0  # masks of other classes are removed
    assert files(out) == {f"masks/{name}/a.png" for name in ("kept", some)} | {"summaries/a.json", "results.csv"}
    assert main([*argv, "--crop"]) == 2 and "--crop does not change masks" in capsys.readouterr().err
    assert main([*argv[:-4], "--write", "labels", "--invert"]) == 2
    assert "add cutouts or masks to --write" in capsys.readouterr().err


def test_tryon_options_equal_the_library(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos / "a.png"), "--out", str(out), "--model", str(tiny_model), "--write"]
    assert main([*argv, "tryon", "--part", "lower", "--shape", "outline", "--reach", "0", "--blur", "1.5"]) == 0
    options = TryonOptions(part="lower", shape="outline", reach=0, blur=1.5)
    made = Segmenter.from_pretrained(str(tiny_model))(photos / "a.png").tryon(options=options)
    assert files(out) >= {"tryon/agnostic-mask/a.png", "tryon/agnostic/a.png"}
    for folder, picture in zip(("agnostic-mask", "agnostic"), made, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(out / "tryon" / folder / "a.png")), np.asarray(picture))
    capsys.readouterr()
    assert main([*argv, "tryon"]) == 0 and "1 of 1 photos segmented" in capsys.readouterr().out
    assert main([*argv, "tryon"]) == 0 and "0 of 0 photos segmented" in capsys.readouterr().out
    assert main([*argv, "labels", "--blur", "2"]) == 2 and "--blur is an option of try-on" in capsys.readouterr().err


def test_annotation_formats_are_written_and_merged(photos: Path, tiny_model: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos), "--out", str(out), "--model", str(tiny_model), "--polygons", "--write"]
    assert main([*argv, "yolo", "labelme", "label-studio", "cvat", "svg"]) == 1
    each = {"yolo/labels": "txt", "labelme": "json", "label-studio": "json", "cvat": "xml", "svg": "svg"}
    expected = {f"{kind}/{name}.{suffix}" for kind, suffix in each.items() for name in ("a", "june/b")}
    merged = {"yolo/data.yaml", "label-studio.json", "label-studio.xml", "cvat.xml", "results.csv"}
    assert files(out) == expected | merged | {"summaries/a.json", "summaries/june/b.json"}
    names = re.findall(r'<image id="(\d)" name="([^"]+)"', (out / "cvat.xml").read_text())
    assert names == [("0", "a.png"), ("1", "june/b.JPG")]
    result = Segmenter.from_pretrained(str(tiny_model))(photos / "a.png")
    result.export(tmp_path / "a.txt", "yolo")
    assert (out / "yolo" / "labels" / "a.txt").read_bytes() == (tmp_path / "a.txt").read_bytes() != b""
    tasks = json.loads((out / "label-studio.json").read_text())
    assert [task["data"]["image"].partition("d=")[2] for task in tasks] == ["a.png", "june/b.JPG"]
    assert tasks[0]["predictions"][0]["result"][0]["type"] == "polygonlabels"


def test_packshot_options_equal_the_library(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos / "a.png"), "--out", str(out), "--model", str(tiny_model)]
    more = ["--packshot", "--aspect", "4:5", "--padding", "0.1", "--shadow", "--background", "#eeeeee", "--grow", "1"]
    assert main([*argv, *more]) == 0
    shot = PackshotOptions(aspect="4:5", padding=0.1, shadow=True)
    result = Segmenter.from_pretrained(str(tiny_model))(photos / "a.png")
    made = result.packshot(packshot=shot, options=CutoutOptions("#eeeeee", grow=1))
    np.testing.assert_array_equal(np.asarray(Image.open(out / "packshots" / "a.png")), np.asarray(made))
    assert files(out) == {"packshots/a.png", "summaries/a.json", "results.csv"}
    assert main([*argv, "--write", "labels", "--packshot"]) == 0 and (out / "labels" / "a.png").exists()
    assert main([*argv, "--aspect", "4:5"]) == 2 and "add --packshot" in capsys.readouterr().err


def test_coco_file_covers_the_whole_folder(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It contains all photos of the table, including those of earlier runs."""
    out = tmp_path / "out"
    argv = ["segment", str(photos), "--out", str(out), "--model", str(tiny_model), "--write", "coco", "--polygons"]
    assert main(argv) == 1
    Image.fromarray(draw(3, 80, 80).image).save(photos / "c.png")
    assert main(argv) == 1 and "1 of 2 photos segmented, 2 were done already" in capsys.readouterr().out
    assert files(out) >= {"coco.json", "coco/a.json", "coco/c.json", "coco/june/b.json"}
    coco, one = COCO(out / "coco.json"), COCO(out / "coco" / "june" / "b.json")
    assert [image["file_name"] for image in coco.loadImgs(coco.getImgIds())] == ["a.png", "c.png", "june/b.JPG"]
    ids = [annotation["id"] for annotation in coco.dataset["annotations"]]
    assert len(ids) == len(set(ids)) > len(one.dataset["annotations"]) > 0
    last = coco.loadAnns(coco.getAnnIds(imgIds=3))
    alone = one.dataset["annotations"]
    assert [each["segmentation"] for each in last] == [each["segmentation"] for each in alone]
    assert all(isinstance(each["segmentation"], list) for each in last)
    assert main(argv[:-1]) == 1  # run lengths instead: repeated
    assert isinstance(COCO(out / "coco.json").dataset["annotations"][0]["segmentation"], dict)
    assert (
        main([*argv[:-2], "labels", "--polygons"]) == 2
        and "add coco, label-studio or cvat to --write" in capsys.readouterr().err
    )


def test_find_selects_items_by_words(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos / "a.png"), "--out", str(out), "--model", str(tiny_model)]
    write = ["--write", "labels", "cutouts", "masks", "packshots", "items", "coco"]
    assert main([*argv, *write, "--find", "everything but the velvet hair"]) == 0
    assert "Ignored: “velvet”." in capsys.readouterr().err
    result = Segmenter.from_pretrained(str(tiny_model))(photos / "a.png")
    found = result.find("everything but the hair")
    expected = result.cutout_mask(found.mask)
    np.testing.assert_array_equal(np.asarray(Image.open(out / "cutouts" / "a.png")), np.asarray(expected))
    np.testing.assert_array_equal(np.asarray(Image.open(out / "masks" / "kept" / "a.png")) > 0, found.mask)
    expected = result.packshot_mask(found.mask)
    np.testing.assert_array_equal(np.asarray(Image.open(out / "packshots" / "a.png")), np.asarray(expected))
    listed = json.loads((out / "items" / "a.json").read_text())["items"]
    assert listed == [item.to_dict() for item in found] and listed
    assert len(COCO(out / "coco" / "a.json").dataset["annotations"]) == len(found)
    assert table(out / "results.csv")["a.png"]["found"] == str(len(found))
    assert {path.name for path in (out / "masks").iterdir()} == {"kept"}

    absent = next(name for name in ATR.garments if name not in result.areas)
    assert main([*argv, *write, "--find", f"{absent}, everything but the hair"]) == 0
    assert "Found in 1 of them, in 1 only parts of the search" in capsys.readouterr().out
    assert table(out / "results.csv")["a.png"]["missing"] == absent

    again = [*argv, *write, "--find", "hair"]
    assert main(again) == 0 and "another search" in capsys.readouterr().err
    assert main(again) == 0 and "0 of 0 photos segmented, 1 were done already" in capsys.readouterr().out
    assert main([*argv, "--write", "cutouts", "--find", "hair of the person on the left"]) == 0
    assert json.loads((out / "summaries" / "a.json").read_text())["made"]["cutouts"]["people"] == "all"
    capsys.readouterr()
    for said in ("1 of 1 photos segmented", "0 of 0 photos segmented, 1 were done already"):
        assert main([*argv, *write, "--find", absent]) == 0
        told = capsys.readouterr().out
        assert said in told and ("Found in 0 of them" in told) == said.startswith("1")
    assert {path.parent.name for path in out.rglob("a.*")} == {"labels", "summaries"}, (
        "files of another search are removed"
    )
    assert table(out / "results.csv")["a.png"]["found"] == "0"
    assert json.loads((out / "coco.json").read_text())["images"] == []
    for wrong, message in (
        (["--find", " "], '--find needs words, such as --find "red dress".'),
        (["--background", "red"], "--background red: there is no such file; give a picture, a colour such as"),
        (["--revision", "v1", "--model", str(tiny_model)], "A revision belongs to a model on the Hub, not to the f"),
        (["--find", "velvet"], "Nothing of “velvet” was understood"),
        (["--find", "hair", "--keep", "Hair"], "--find replaces --keep"),
        (["--find", "hair", "--write", "labels"], "add one of cutouts, masks"),
    ):
        assert main([*argv, *wrong]) == 2 and message in capsys.readouterr().err
