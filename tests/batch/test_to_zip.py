"""A batch to ZIP contains every photo once, is written atomically, and needs constant memory."""

import csv
import errno
import io
import json
import threading
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image
from pycocotools.coco import COCO

from clothseg import ConfigError, Segmentation, Segmenter, UnknownClassError
from clothseg.batch.photo_files import OutputSpec
from clothseg.batch.to_zip import segment_to_zip
from clothseg.images.decode import load_photo
from clothseg.images.zip_archive import Limits
from clothseg.labels import ATR, NAMES


class FakeModel:
    """A stand-in for a model that calls a function of the photo."""

    workers = 1
    name = "pretended"
    labels = ATR

    def __init__(self, function: Callable[..., Segmentation]) -> None:
        self._function = function

    def __call__(self, photo: Any, **options: Any) -> Segmentation:
        return self._function(photo, **options)

    def with_streams(self) -> "FakeModel":
        return self


@pytest.fixture(scope="module")
def segmenter(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(tiny_model)


def doll(path: Path, seed: int = 1, height: int = 96, width: int = 64) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw(seed, height, width).image).save(path)
    return path


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def table(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read("results.csv").decode(), newline="")))


def picture(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(archive.read(name))))


def test_zip_has_every_photo_once_with_the_segmenters_results(segmenter: Segmenter, tmp_path: Path) -> None:
    one, two = doll(tmp_path / "a" / "image.png"), doll(tmp_path / "b" / "image.png", 2)
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8 no photo")
    sent = packed(
        tmp_path / "sent.zip",
        {"june/c.png": doll(tmp_path / "c.png", 3).read_bytes(), "__MACOSX/june/._c.png": b"x", "notes.txt": b"x"},
    )
    out = tmp_path / "out.zip"
    wanted = OutputSpec(("labels", "cutouts", "overlays"), ("Face", "Upper"))
    seen = list(segment_to_zip(segmenter, [one, two, tmp_path / "broken.jpg", sent], out, wanted, rules=True))

    assert [progress[:3] for progress in seen] == [
        (0, 4, ""), (1, 4, "broken.jpg"), (2, 4, "image.png"), (3, 4, "image.png"), (4, 4, "june/c.png"),
    ]  # fmt: skip
    assert [bool(progress.error) for progress in seen] == [False, True, False, False, False]
    with zipfile.ZipFile(out) as archive:
        names = ("image", "image-2", "june/c")
        kinds = {"labels": "png", "cutouts": "png", "overlays": "jpg"}
        made = {f"{kind}/{name}.{suffix}" for kind, suffix in kinds.items() for name in names}
        assert set(archive.namelist()) == made | {"results.csv"} and archive.testzip() is None
        for name, path in zip(names, (one, two, tmp_path / "c.png"), strict=True):
            result = segmenter(path, rules=True)
            np.testing.assert_array_equal(picture(archive, f"labels/{name}.png"), result.label_map)
            cutout = result.cutout("Upper-clothes", "Dress", "Face", "Scarf")
            np.testing.assert_array_equal(picture(archive, f"cutouts/{name}.png"), np.asarray(cutout))
        lines = table(archive)
    assert [(line["photo"], line["files"], bool(line["error"])) for line in lines] == [
        ("broken.jpg", "", True), ("image.png", names[0], False), ("image.png", names[1], False),
        ("june/c.png", names[2], False),
    ]  # fmt: skip
    assert sum(float(lines[1][name]) for name in NAMES) == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("polygons", [False, True])
def test_zip_has_one_coco_file_for_all_photos(segmenter: Segmenter, tmp_path: Path, polygons: bool) -> None:
    paths = [doll(tmp_path / "one" / "a.png"), doll(tmp_path / "b.png", 2), tmp_path / "broken.jpg"]
    paths[2].write_bytes(b"\xff\xd8 no photo")
    out, wanted = tmp_path / "out.zip", OutputSpec(("coco",), polygons=polygons)
    list(segment_to_zip(segmenter, [tmp_path / "one", *paths[1:]], out, wanted))
    with zipfile.ZipFile(out) as archive:
        assert set(archive.namelist()) == {"coco.json", "results.csv"} and archive.testzip() is None
        (tmp_path / "coco.json").write_bytes(archive.read("coco.json"))
    coco = COCO(tmp_path / "coco.json")
    images = coco.loadImgs(coco.getImgIds())
    assert [image["file_name"] for image in images] == ["a.png", "b.png"]
    for image, path in zip(images, paths, strict=False):
        annotations = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
        found = segmenter(path).items()
        assert [each["bbox"] for each in annotations] == [list(item.box) for item in found] != []
        for annotation, item in zip(annotations, found, strict=True):
            mask = coco.annToMask(annotation).astype(bool)
            assert isinstance(annotation["segmentation"], list) == polygons
            assert polygons or (mask == item.full_mask()).all()
    ids = [annotation["id"] for annotation in coco.dataset["annotations"]]
    assert ids == list(range(1, len(ids) + 1))


def test_unexpected_errors_are_recorded_per_photo(
    segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [doll(tmp_path / f"{number}.png", number) for number in range(4)]
    failures = {"1.png": MemoryError(), "2.png": OSError(errno.EIO, "Input/output error"), "3.png": ValueError("odd")}

    def failing(photo: Path, **options: Any) -> Any:
        if photo.name in failures:
            raise failures[photo.name]
        return segmenter(photo, **options)

    list(segment_to_zip(FakeModel(failing), paths, tmp_path / "out.zip"))  # type: ignore[arg-type]
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        errors = [line["error"] for line in table(archive)]
    assert errors[0] == "" and "more memory" in errors[1] and "Input/output error" in errors[2] and "odd" in errors[3]
    assert all(error.startswith(f"{number}.png") for number, error in enumerate(errors) if number)


def test_table_names_are_not_spreadsheet_formulas(segmenter: Segmenter, tmp_path: Path) -> None:
    paths = [doll(tmp_path / "=1+1.png"), tmp_path / "@x.jpg"]
    paths[1].write_bytes(b"x")
    list(segment_to_zip(segmenter, paths, tmp_path / "out.zip"))
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        first, second = table(archive)
    assert (first["photo"], first["files"], second["photo"]) == ("./=1+1.png", "./=1+1", "./@x.jpg")
    assert second["error"].startswith("./@x.jpg is not")


@pytest.mark.parametrize(
    ("wanted", "options", "error"),
    [
        ({"kinds": ()}, {}, "Choose what to write"),
        ({"kinds": ("labels", "mattes")}, {}, "not mattes"),
        ({"classes": ("Trousers",)}, {}, "Trousers"),
        ({}, {"edges": "soft"}, "edges can be"),
        ({}, {"paths": []}, "No photos were given"),
        ({}, {"paths": ["missing.png"]}, "There is no file"),
        ({}, {"out": "nowhere/out.zip"}, "cannot be written"),
    ],
)
def test_invalid_options_raise_before_writing(
    wanted: dict[str, Any], options: dict[str, Any], error: str, segmenter: Segmenter, tmp_path: Path
) -> None:
    doll(tmp_path / "a.png")
    paths = [tmp_path / path for path in options.pop("paths", ["a.png"])]
    out = tmp_path / options.pop("out", "out.zip")
    with pytest.raises((ConfigError, UnknownClassError), match=error):
        list(segment_to_zip(segmenter, paths, out, OutputSpec(**wanted), **options))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_zip_beyond_the_limits_is_rejected(segmenter: Segmenter, tmp_path: Path) -> None:
    sent = packed(tmp_path / "sent.zip", {f"{number}.jpg": b"x" for number in range(3)})
    with pytest.raises(ConfigError, match="the limit is 2"):
        list(segment_to_zip(segmenter, [sent], tmp_path / "out.zip", limits=Limits(files=2)))
    with pytest.raises(ConfigError, match="3 photos are too many: the limit is 2"):
        list(segment_to_zip(segmenter, [doll(tmp_path / "a.png")] * 3, tmp_path / "out.zip", limits=Limits(files=2)))


def test_closing_leaves_no_file_and_no_thread(segmenter: Segmenter, tmp_path: Path) -> None:
    paths = [doll(tmp_path / "photos" / f"{number}.png", number) for number in range(20)]
    begun: list[Path] = []

    def noting(photo: Path, **options: Any) -> Any:
        begun.append(photo)
        return segmenter(photo, **options)

    before = threading.active_count()
    run = segment_to_zip(FakeModel(noting), paths, tmp_path / "out.zip")  # type: ignore[arg-type]
    assert [next(run).done for _ in range(3)] == [0, 1, 2]
    assert len(list(tmp_path.iterdir())) == 2, "the ZIP is being written under a temporary name"
    run.close()
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
    assert len(begun) <= 6 and threading.active_count() == before


def test_stopping_keeps_finished_photos(segmenter: Segmenter, tmp_path: Path) -> None:
    paths = [doll(tmp_path / f"{number}.png", number) for number in range(6)]
    seen: list[int] = []
    wanted = OutputSpec(("labels", "coco"))
    for progress in segment_to_zip(segmenter, paths, tmp_path / "out.zip", wanted, stop=lambda: seen[-1] == 2):
        seen.append(progress.done)
    assert seen == [0, 1, 2]
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        assert sorted(archive.namelist()) == ["coco.json", "labels/0.png", "labels/1.png", "results.csv"]
        assert [line["photo"] for line in table(archive)] == ["0.png", "1.png"]
        assert np.array_equal(picture(archive, "labels/1.png"), segmenter(paths[1]).label_map)


def test_photos_in_progress_are_dropped_when_the_batch_is_abandoned(
    segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [doll(tmp_path / f"{number}.png", number) for number in range(6)]
    closing, made = threading.Event(), []

    def slow(photo: Path, **options: Any) -> Any:
        assert photo == paths[0] or closing.wait(20)
        return segmenter(photo, **options)

    def noting(result: Segmentation, *_: Any) -> bytes:
        made.append(result.name)
        return b""

    monkeypatch.setattr("clothseg.batch.photo_files.encoded", noting)
    run = segment_to_zip(FakeModel(slow), paths, tmp_path / "out.zip")  # type: ignore[arg-type]
    assert [next(run).done for _ in range(2)] == [0, 1]
    threading.Timer(0.3, closing.set).start()
    run.close()
    assert closing.is_set() and set(made) == {"0.png"}


def test_full_disk_keeps_the_previous_zip(
    segmenter: Segmenter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.zip"
    out.write_bytes(b"older")
    path = doll(tmp_path / "a.png")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(ConfigError, match=r"out\.zip cannot be written: the disk is full"):
        list(segment_to_zip(segmenter, [path], out))
    assert out.read_bytes() == b"older" and len(list(tmp_path.iterdir())) == 2


def test_memory_does_not_grow_with_the_number_of_photos(tmp_path: Path) -> None:
    """Each of the 200 photos takes 480 KB with its label map: keeping them all would take 96 MB."""

    def segmented(photo: bytes, **_: Any) -> Segmentation:
        loaded = load_photo(photo)
        return Segmentation(loaded, np.zeros((loaded.height, loaded.width), np.uint8))

    content = [doll(tmp_path / f"{seed}.png", seed, 400, 300).read_bytes() for seed in range(4)]
    peaks = []
    for count in (4, 8, 200):  # the first run fills caches
        sent = packed(tmp_path / "sent.zip", {f"{number}.png": content[number % 4] for number in range(count)})
        tracemalloc.start()
        seen = list(segment_to_zip(FakeModel(segmented), [sent], tmp_path / "out.zip"))  # type: ignore[arg-type]
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(seen) == count + 1 and not any(progress.error for progress in seen)
    assert peaks[2] - peaks[1] < 8 * 2**20


def test_search_leaves_out_photos_without_a_match(tmp_path: Path) -> None:
    def segment(photo: Any, **_: Any) -> Segmentation:
        picture = load_photo(photo)
        label_map = np.zeros((picture.height, picture.width), np.uint8)
        label_map[20:60, 10:50] = ATR.id_of("Dress")
        if np.asarray(picture)[0, 0, 0] > 128:
            label_map[:12, 20:40] = ATR.id_of("Hat")
        return Segmentation(picture, label_map)

    for name, grey in (("bare.png", 10), ("hat.png", 200)):
        Image.new("RGB", (64, 96), (grey,) * 3).save(tmp_path / name)
    kinds = ("labels", "cutouts", "masks", "packshots", "items", "coco", "yolo")
    wanted = OutputSpec(kinds, find="hat")
    steps = list(segment_to_zip(FakeModel(segment), [tmp_path], tmp_path / "out.zip", wanted))  # type: ignore[arg-type]
    assert [(step.name, step.found) for step in steps] == [("", None), ("bare.png", 0), ("hat.png", 1)]
    with zipfile.ZipFile(tmp_path / "out.zip") as archive:
        of_bare = [name for name in archive.namelist() if "bare" in name]
        of_hat = {name.partition("/")[0] for name in archive.namelist() if "hat" in name}
        assert of_bare == ["labels/bare.png"] and of_hat == {*kinds} - {"coco"}
        assert [row["found"] for row in table(archive)] == ["0", "1"]
        annotations = json.loads(archive.read("coco.json"))
        assert [image["file_name"] for image in annotations["images"]] == ["hat.png"]
        assert np.array_equal(picture(archive, "masks/kept/hat.png") > 0, segment(tmp_path / "hat.png").mask("Hat"))
    list(segment_to_zip(FakeModel(segment), [tmp_path / "bare.png"], tmp_path / "none.zip", wanted))  # type: ignore[arg-type]
    with zipfile.ZipFile(tmp_path / "none.zip") as archive:
        assert json.loads(archive.read("coco.json"))["images"] == []
    with pytest.raises(ConfigError, match="A search chooses what files contain: write at least one of cutouts, masks"):
        OutputSpec(("labels", "tryon"), find="hat")
