"""`python -m clothseg segment` writes the library's results for every photo once."""

import csv
import json
import os
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image
from pycocotools.coco import COCO
from results import files, table

from clothseg import Segmentation, Segmenter
from clothseg.cli import main
from clothseg.labels import ATR, GROUPS, NAMES
from clothseg.options import CutoutOptions, PackshotOptions, TryonOptions


pytestmark = pytest.mark.usefixtures("load_once")


def test_segment_writes_the_librarys_results_and_names_broken_photos(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos), "--out", str(out), "--model", str(tiny_model), "--keep", "Face", "Upper"]
    assert main([*argv, "--write", "labels", "cutouts", "overlays", "items", "--rules"]) == 1
    said = capsys.readouterr()
    assert "broken.jpg is" in said.err and "2 of 3 photos segmented." in said.out
    kinds = {"labels": "png", "cutouts": "png", "overlays": "jpg", "items": "json", "summaries": "json"}
    made = {f"{kind}/{name}.{suffix}" for kind, suffix in kinds.items() for name in ("a", "june/b")}
    assert files(out) == made | {"results.csv"}

    result = Segmenter.from_pretrained(str(tiny_model))(photos / "june" / "b.JPG", rules=True)
    np.testing.assert_array_equal(np.asarray(Image.open(out / "labels" / "june" / "b.png")), result.label_map)
    assert Image.open(out / "labels" / "june" / "b.png").mode == "P"
    assert main([*argv, "--write", "labels", "--rules", "--grey"]) == 1
    grey = Image.open(out / "labels" / "june" / "b.png")
    assert grey.mode == "L" and "2 of 3 photos segmented." in capsys.readouterr().out
    np.testing.assert_array_equal(np.asarray(grey), result.label_map)
    cutout = result.cutout("Upper-clothes", "Dress", "Face", "Scarf")
    np.testing.assert_array_equal(np.asarray(Image.open(out / "cutouts" / "june" / "b.png")), np.asarray(cutout))
    summary = json.loads((out / "summaries" / "june" / "b.json").read_text())
    assert summary.pop("made")["labels"]["rules"] is True and summary == result.to_dict()
    found = [item.to_dict() for item in result.items("Upper-clothes", "Dress", "Face", "Scarf")]
    assert json.loads((out / "items" / "june" / "b.json").read_text())["items"] == found

    lines = table(out / "results.csv")
    assert list(lines) == ["a.png", "broken.jpg", "june/b.JPG"]
    assert "broken.jpg" in lines["broken.jpg"]["error"] and lines["broken.jpg"]["width"] == ""
    assert (lines["june/b.JPG"]["width"], lines["june/b.JPG"]["height"]) == ("128", "96")
    assert sum(float(lines["a.png"][name]) for name in NAMES) == pytest.approx(1, abs=1e-4)


def test_max_side_reduces_photos(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos / "a.png"), "--out", str(out), "--model", str(tiny_model), "--write", "labels"]
    assert main([*argv, "--max_side", "75"]) == 0
    assert Image.open(out / "labels" / "a.png").size == (50, 75)
    assert table(out / "results.csv")["a.png"]["height"] == "75"
    assert main(argv) == 0  # other options: repeated
    assert Image.open(out / "labels" / "a.png").size == (100, 150)
    assert main([*argv, "--max_side", "8"]) == 2
    assert main(["segment", "--dataset", "a/b", "--push_to_hub", "a/c", "--max_side", "75"]) == 2
    said = capsys.readouterr().err
    assert (
        "max_side can be a whole number from 32, not 8" in said and "--max_side cannot be used with --dataset" in said
    )


def test_finished_photos_are_skipped(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "broken.jpg").unlink()
    out = tmp_path / "out"
    argv = ["segment", str(photos), "--out", str(out), "--model", str(tiny_model), "--write", "labels"]
    assert main(argv) == 0
    before = {path: path.stat().st_mtime_ns for path in (out / "labels").rglob("*.png")}
    Image.fromarray(draw(3, 80, 80).image).save(photos / "c.png")
    assert main(argv) == 0
    assert "1 of 1 photos segmented, 2 were done already." in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in before} and len(table(out / "results.csv")) == 3
    assert main([*argv, "cutouts"]) == 0  # this kind is missing
    assert "3 of 3 photos" in capsys.readouterr().out
    assert main(argv) == 0  # cut-outs are not needed
    assert "0 of 0 photos segmented, 3 were" in capsys.readouterr().out
    assert main([*argv, "--overwrite"]) == 0
    assert all(path.stat().st_mtime_ns > time for path, time in before.items())
    assert main([*argv, "cutouts"]) == 0  # earlier cut-outs are still valid
    assert "0 of 0 photos segmented, 3 were" in capsys.readouterr().out
    (out / "labels" / "c.png").unlink()
    assert main(argv) == 0
    assert "1 of 1 photos segmented" in capsys.readouterr().out


@pytest.mark.parametrize(
    "more",
    [
        ["--edges", "plain"], ["--zoom", "off"], ["--people", "all"], ["--tta"], ["--rules"], ["--keep", "Face"],
        ["--crop"], ["--grow", "3"], ["--background", "#ff8800"], ["--background", "PHOTO"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_changed_options_repeat_photos(
    more: list[str], photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = photos / "a.png"
    argv = ["segment", str(photo), "--out", str(tmp_path / "out"), "--model", str(tiny_model)]
    more = [str(photo) if word == "PHOTO" else word for word in more]
    said = []
    for given in (argv, [*argv, *more], [*argv, *more], argv):
        assert main(given) == 0
        said.append(capsys.readouterr().out[:6])
    assert said == ["1 of 1", "1 of 1", "0 of 0", "1 of 1"]


def test_changed_model_or_photo_repeats_photos(
    photos: Path,
    tiny_model: Path,
    tmp_path: Path,
    loaded: dict[str, Segmenter],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Models are distinguished by the content of their files, even if their folders have the same name."""
    photo, other = photos / "a.png", tmp_path / "other" / tiny_model.name
    shutil.copytree(tiny_model, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "note": 1}))
    loaded[str(other)] = Segmenter.from_pretrained(str(tiny_model))
    argv = ["segment", str(photo), "--out", str(tmp_path / "out"), "--write", "labels", "overlays"]
    assert main([*argv, "--model", str(tiny_model)]) == 0
    assert main([*argv, "--model", str(other)]) == 0
    assert capsys.readouterr().out.count("1 of 1 photos segmented") == 2

    Image.fromarray(draw(5, 150, 100).image).save(photo)
    assert main([*argv[:-1], "--model", str(other)]) == 0
    assert "1 of 1 photos segmented" in capsys.readouterr().out
    assert not (tmp_path / "out" / "overlays" / "a.jpg").exists(), "it shows the old photo"
    os.utime(photo, (1, 1))
    assert main([*argv, "--model", str(other)]) == 0
    assert "1 of 1 photos segmented" in capsys.readouterr().out


@pytest.mark.parametrize("inside", ["out", ".", "june"])
def test_output_files_are_not_segmented(
    inside: str, photos: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "broken.jpg").unlink()
    (photos / "__MACOSX").mkdir()
    for name in ("._a.png", "__MACOSX/._a.png", "__MACOSX/x.jpg"):
        (photos / name).write_bytes(b"\0\5\x16\7 no photo")
    taken = 1 if inside == "june" else 2
    argv = ["segment", str(photos), "--out", str(photos / inside), "--model", str(tiny_model), "--write", "overlays"]
    assert main(argv) == 0 and main(argv) == 0
    said = capsys.readouterr().out
    assert f"{taken} of {taken} photos segmented." in said and f"0 of 0 photos segmented, {taken} were done" in said


def test_photos_with_the_same_name_get_distinct_files(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = {"a.jpg": "a.jpg", "a.png": "a.png", "A.webp": "A.webp", "b.png": "b", "a.jpg.png": "a.jpg-2"}
    folder, other, out = tmp_path / "photos", tmp_path / "other", tmp_path / "out"
    folder.mkdir()
    other.mkdir()
    for seed, name in enumerate(names):
        Image.fromarray(draw(seed, 64, 48 + seed).image).save(folder / name)
    Image.fromarray(draw(9, 64, 80).image).save(other / "b.png")
    argv = ["segment", str(folder), str(other), "--out", str(out), "--model", str(tiny_model), "--write", "labels"]
    assert main(argv) == 0 and main(argv) == 0
    assert "0 of 0 photos segmented, 6 were done already" in capsys.readouterr().out
    assert files(out / "labels") == {f"{name}.png" for name in (*names.values(), "b-2")}
    for seed, name in enumerate(names.values()):
        assert Image.open(out / "labels" / f"{name}.png").width == 48 + seed
    with (out / "results.csv").open(newline="") as file:
        assert sorted(line["files"] for line in csv.DictReader(file)) == sorted([*names.values(), "b-2"])


def test_segment_reads_photos_in_a_zip(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sent, out = tmp_path / "sent.zip", tmp_path / "out"
    with zipfile.ZipFile(sent, "w") as archive:
        for path in sorted(photos.rglob("*")):
            archive.write(path, path.relative_to(photos))
        archive.writestr("../../evil.png", (photos / "a.png").read_bytes())
    argv = ["segment", str(sent), "--out", str(out), "--model", str(tiny_model), "--write", "labels"]
    assert main(argv) == 2 and "add --zip" in capsys.readouterr().err
    assert main([*argv, "--zip"]) == 1 and main([*argv, "--zip"]) == 1
    said = capsys.readouterr()
    assert "2 of 4 photos segmented." in said.out and "0 of 2 photos segmented, 2 were done already" in said.out
    assert "evil.png was not read: its name in the ZIP points outside the ZIP" in said.err
    assert files(out) == {f"{kind}/{name}" for kind, suffix in (("labels", "png"), ("summaries", "json"))
                          for name in (f"a.{suffix}", f"june/b.{suffix}")} | {"results.csv"}  # fmt: skip
    assert not list(tmp_path.rglob("evil*")) and not (tmp_path.parent / "evil.png").exists()
    expected = Segmenter.from_pretrained(str(tiny_model))(photos / "june" / "b.JPG").label_map
    np.testing.assert_array_equal(np.asarray(Image.open(out / "labels" / "june" / "b.png")), expected)


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
    assert main([*argv, "tryon", "--reach", "999"]) == 2 and "from 0 to 256, not 999" in capsys.readouterr().err


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


def test_exit_status_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["--help"], ["segment", "--help"]):
        with pytest.raises(SystemExit):
            main(argv)
        assert "2 for wrong arguments" in " ".join(capsys.readouterr().out.split())


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


def test_replacing_results_of_an_earlier_run_is_reported(
    photos: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["segment", str(photos / "a.png"), "--out", str(out), "--model", str(tiny_model)]

    def told(*more: str) -> str:
        assert main([*argv, *more]) == 0
        lines = capsys.readouterr().err.splitlines()
        return next((line for line in lines if line.startswith(str(out))), "")

    assert told() == "" and told() == "" and told("--write", "overlays") == ""
    said = told("--edges", "plain", "--keep", "Face")
    assert said.startswith(f"{out} contains files of 1 of these photos that were made differently (")
    assert "edges guided, now plain" in said and "other classes" in said and "another --out" in said
    assert told("--edges", "plain", "--keep", "Face") == ""
    assert told("--overwrite") == "", "explicitly requested"
    Image.fromarray(draw(5, 150, 100).image).save(photos / "a.png")
    assert "(photos that have changed, or others of the same names)" in told()


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

    again = [*argv, *write, "--find", "hair"]
    assert main(again) == 0 and "another search" in capsys.readouterr().err
    assert main(again) == 0 and "0 of 0 photos segmented, 1 were done already" in capsys.readouterr().out
    assert main([*argv, "--write", "cutouts", "--find", "hair of the person on the left"]) == 0
    assert json.loads((out / "summaries" / "a.json").read_text())["made"]["cutouts"]["people"] == "all"
    absent = next(name for name in ATR.garments if name not in result.areas)
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
