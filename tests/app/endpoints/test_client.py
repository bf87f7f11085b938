"""The app's endpoints, called as programs call them.

Covers `clothseg.app.endpoints.batch`, `clothseg.app.endpoints.events`, `clothseg.app.endpoints.inputs`,
`clothseg.app.endpoints.items`, `clothseg.app.endpoints.photo`, `clothseg.app.endpoints.pictures`,
`clothseg.app.endpoints.service`, `clothseg.app.photo_input`, `clothseg.app.mcp`.
"""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from endpoint_answers import CUTOUT, read
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from clothseg import Click, Segmentation, Segmenter
from clothseg.app.mcp import OLD_SWITCHES
from clothseg.batch.photo_files import KINDS
from clothseg.labels import GROUPS, NAMES, hex_color
from clothseg.options import ENDPOINT_OPTIONS, CutoutOptions, PackshotOptions, TryonOptions
from clothseg.postprocess.strokes import Stroke


def test_segment_equals_the_library(client: Client, photo: Path, expected: Segmentation) -> None:
    overlay, label_map, summary = client.predict(handle_file(photo), api_name="/segment")
    assert np.array_equal(read(label_map), expected.label_map)
    assert summary == json.loads(expected.to_json())
    assert Path(label_map).name == "holiday-labels.png"
    with Image.open(overlay) as image:
        assert image.size == expected.photo.size
        assert np.abs(np.asarray(image, np.int16) - np.asarray(expected.overlay(), np.int16)).mean() < 6  # JPEG


def test_refine_equals_the_library(
    client: Client, library: Segmenter, photo: Path, expected: Segmentation, tmp_path: Path
) -> None:
    handed = expected.relabel(list(expected.areas)[-1], "Scarf")
    handed.save_label_map(tmp_path / "map.png")
    overlay, label_map, summary = client.predict(
        handle_file(photo),
        [{"x": 100, "y": 150, "label": "Dress"}, {"x": 20, "y": 20, "label": "Background"}],
        [{"points": [[10, 200], [60, 220]], "radius": 5, "label": "Bag"}],
        handle_file(tmp_path / "map.png"),
        api_name="/refine",
    )
    corrected = expected.with_label_map(handed.label_map)
    corrected = library.refine(corrected, [Click(100, 150, "Dress"), Click(20, 20, "Background")])
    corrected = corrected.paint(Stroke([(10, 200), (60, 220)], 5, "Bag").mask(corrected.label_map.shape), "Bag")
    assert np.array_equal(read(label_map), corrected.label_map)
    assert summary == json.loads(corrected.to_json())
    assert [each["kind"] for each in summary["corrections"]] == ["label_map", "click", "click", "paint"]
    assert not np.array_equal(read(overlay), read(client.predict(handle_file(photo), api_name="/segment")[0]))


def test_refine_rejects_invalid_input(client: Client, photo: Path, tmp_path: Path) -> None:
    Image.new("L", (5, 5)).save(tmp_path / "small.png")
    for given, said in (
        ({"clicks": [{"x": 200, "y": 0, "label": "Hat"}]}, "outside the photo of 200 x 301 pixels"),
        ({"clicks": [{"x": 1, "y": 0, "label": "Sock"}]}, "Unknown class 'Sock'"),
        ({"clicks": [{"x": 1, "y": 0}]}, "A click is a JSON object"),
        ({"strokes": [{"points": [], "radius": 1, "label": "Hat"}]}, "1 to 20,000 points"),
        ({"label_map": handle_file(tmp_path / "small.png")}, "200 x 301 pixels, not 5 x 5"),
        ({"exclude": ["Background"]}, "cannot be Background"),
        ({"exclude": ["Sock"]}, "Unknown class 'Sock'"),
    ):
        with pytest.raises(AppError, match=said):
            client.predict(handle_file(photo), **given, api_name="/refine")


def test_exclude_equals_the_library(client: Client, library: Segmenter, photo: Path, expected: Segmentation) -> None:
    names = list(expected.areas)[1:3]
    _, label_map, _ = client.predict(handle_file(photo), exclude=names, api_name="/segment")
    assert np.array_equal(read(label_map), library(photo, exclude=names).label_map)


def test_cutout_equals_the_library(client: Client, photo: Path, expected: Segmentation) -> None:
    names = list(expected.areas)[1:4]
    path = client.predict(handle_file(photo), names, api_name="/cutout")
    assert np.array_equal(read(path), np.asarray(expected.cutout(*names)))
    assert Path(path).name == "holiday-cutout.png"


def test_class_groups_and_polygons_are_accepted(client: Client, photo: Path, expected: Segmentation) -> None:
    path = client.predict(handle_file(photo), ["Lower", "Hair"], api_name="/cutout")
    assert np.array_equal(read(path), np.asarray(expected.cutout(*GROUPS["Lower"], "Hair")))
    found, coco, archive = client.predict(handle_file(photo), ["Body"], cutouts=True, polygons=True, api_name="/items")
    items = expected.items(*GROUPS["Body"])
    assert found["items"] == [item.to_dict() for item in items] != []
    with zipfile.ZipFile(archive) as packed:
        for written in (json.loads(Path(coco).read_text()), json.loads(packed.read("coco.json"))):
            assert [each["segmentation"] for each in written["annotations"]] == [item.polygons for item in items]


def test_masks_equal_the_library(client: Client, photo: Path, expected: Segmentation) -> None:
    options = {"grow": 2, "invert": True, "crop": True}
    paths = client.predict(handle_file(photo), ["Lower", "Hair"], options, api_name="/masks")
    pictures = expected.mask_pictures("Lower", "Hair", options=CutoutOptions.of(options))
    assert [Path(path).name for path in paths] == [f"holiday-mask-{name}.png" for name in pictures]
    for path, picture in zip(paths, pictures.values(), strict=True):
        assert np.array_equal(read(path), np.asarray(picture))
    assert Path(client.predict(handle_file(photo), api_name="/masks")[0]).name == "holiday-mask-kept.png"
    with pytest.raises(AppError, match="Unknown class 'Sock'"):
        client.predict(handle_file(photo), ["Sock"], api_name="/masks")


def test_tryon_equals_the_library(client: Client, photo: Path, expected: Segmentation) -> None:
    mask, picture = client.predict(handle_file(photo), "lower", {"reach": 3, "blur": 2}, api_name="/tryon")
    made = expected.tryon(options=TryonOptions(part="lower", reach=3, blur=2))
    assert (Path(mask).name, Path(picture).name) == ("holiday-agnostic-mask.png", "holiday-agnostic.png")
    assert np.array_equal(read(mask), np.asarray(made.mask)) and np.array_equal(
        read(picture), np.asarray(made.picture)
    )
    with pytest.raises(AppError, match="part can be upper, lower or overall, not 'shoes'"):
        client.predict(handle_file(photo), "shoes", api_name="/tryon")
    with pytest.raises(AppError, match="A try-on mask has no option 'wide'"):
        client.predict(handle_file(photo), "upper", {"wide": 3}, api_name="/tryon")


def test_export_equals_the_library(client: Client, photo: Path, expected: Segmentation, tmp_path: Path) -> None:
    for kind, polygons in (("cvat", True), ("yolo", False)):
        path = Path(client.predict(handle_file(photo), kind, ["Body"], polygons=polygons, api_name="/export"))
        expected.export(tmp_path / path.name, kind, "Body", polygons=polygons)
        assert path.read_bytes().replace(b"tiny", b"") == (tmp_path / path.name).read_bytes().replace(b"tiny", b"")
        assert path.name == f"holiday-{kind}{path.suffix}"
    with pytest.raises(
        AppError, match="The format can be coco, yolo, labelme, label-studio, cvat, svg, psd, not 'voc'"
    ):
        client.predict(handle_file(photo), "voc", api_name="/export")


def test_recolor_and_packshot_equal_the_library(client: Client, photo: Path, expected: Segmentation) -> None:
    path = client.predict(handle_file(photo), ["Upper"], "#a03050", api_name="/recolor")
    assert np.array_equal(read(path), np.asarray(expected.recolor("Upper", "#a03050")))
    shot = {"aspect": "4:5", "shadow": True}
    path = client.predict(handle_file(photo), ["Body"], shot, {"background": "#eeeeee"}, api_name="/packshot")
    made = expected.packshot("Body", packshot=PackshotOptions.of(shot), options=CutoutOptions("#eeeeee"))
    assert np.array_equal(read(path), np.asarray(made))
    with pytest.raises(AppError, match="colour such as"):
        client.predict(handle_file(photo), ["Upper"], "red", api_name="/recolor")
    with pytest.raises(AppError, match="aspect can be 1:1, 4:5 or 3:4"):
        client.predict(handle_file(photo), ["Upper"], {"aspect": "2:1"}, api_name="/packshot")


OTHERWISE = {"people": "all", "edges": "plain", "zoom": "off", "tta": True, "rules": True}


def test_options_equal_the_library(client: Client, photo: Path, library: Segmenter) -> None:
    expected = library(photo, **OTHERWISE)
    assert not np.array_equal(expected.label_map, library(photo).label_map)
    _, label_map, _ = client.predict(handle_file(photo), **OTHERWISE, api_name="/segment")
    assert np.array_equal(read(label_map), expected.label_map)
    options = {"crop": True, "margin": 3, "grow": 2, "background": "#ff8800"}
    by_old_name = {"average" if name == "tta" else name: value for name, value in OTHERWISE.items()}
    path = client.predict(handle_file(photo), ["Hair"], options, **by_old_name, api_name="/cutout")
    assert np.array_equal(read(path), np.asarray(expected.cutout("Hair", options=CutoutOptions.of(options))))


def test_cutout_accepts_a_background_picture(
    client: Client, photo: Path, expected: Segmentation, tmp_path: Path
) -> None:
    wall = tmp_path / "wall.png"
    Image.new("RGB", (30, 20), "#123456").save(wall)
    path = client.predict(handle_file(photo), ["Hair"], None, handle_file(wall), api_name="/cutout")
    assert np.array_equal(read(path), np.asarray(expected.cutout("Hair", options=CutoutOptions(background=wall))))


def test_items_equal_the_library(client: Client, photo: Path, library: Segmenter) -> None:
    expected = library(photo, people="all")
    items = expected.items()
    told, coco, nothing = client.predict(handle_file(photo), people="all", api_name="/items")
    assert told["items"] == json.loads(json.dumps([item.to_dict() for item in items])) and nothing is None
    assert sum(told["counts"].values()) == len(items) > 2
    masks = json.loads(Path(coco).read_text())["annotations"]
    assert [mask["segmentation"] for mask in masks] == [item.rle for item in items]
    named = [items[0].name]
    arguments = {"classes": named, "cutouts": True, "options": {"crop": True}, "people": "all"}
    told, _, archive = client.predict(handle_file(photo), **arguments, api_name="/items")
    with zipfile.ZipFile(archive) as files:
        pictures = [name for name in files.namelist() if name.endswith(".png")]
    assert len(pictures) == len(told["items"]) and {item["name"] for item in told["items"]} == set(named)


def test_batch_returns_a_zip_and_names_bad_photos(
    client: Client, photo: Path, expected: Segmentation, tmp_path: Path
) -> None:
    bad, packed = tmp_path / "bad.jpg", tmp_path / "more.zip"
    bad.write_text("no picture")
    with zipfile.ZipFile(packed, "w") as archive:
        archive.write(photo, "inside/other.jpg")
    job = client.submit([handle_file(path) for path in (photo, bad, packed)], ["labels"], api_name="/batch")
    *steps, (report, answer) = job
    assert [step["done"] for step, _ in steps] == [0, 1, 2, 3] and all(file is None for _, file in steps)
    assert (report["done"], report["total"], len(report["errors"])) == (3, 3, 1)
    assert report["errors"][0].startswith("bad.jpg is not a readable image")
    with zipfile.ZipFile(answer) as archive:
        assert {*archive.namelist()} == {"labels/holiday.png", "labels/inside/other.png", "results.csv"}
        with Image.open(archive.open("labels/holiday.png")) as labels:
            assert np.array_equal(np.asarray(labels), expected.label_map)


def test_batch_search_lists_the_photos_that_match(client: Client, photo: Path, expected: Segmentation) -> None:
    query = "third bag, everything but the velvet hair"
    *_, (report, answer) = client.submit([handle_file(photo)], query=query, api_name="/batch")
    found = expected.find(query)
    assert report["matches"] == [{"photo": "holiday.jpg", "items": len(found), "missing": ["third bag"]}]
    assert client.predict(handle_file(photo), query, api_name="/find")[0]["missing"] == ["third bag"]
    assert (report["query"], report["ignored"], report["notes"]) == (query, ["velvet"], ["Ignored: “velvet”."])
    with zipfile.ZipFile(answer) as archive, Image.open(archive.open("cutouts/holiday.png")) as cutout:
        assert np.array_equal(np.asarray(cutout), np.asarray(expected.cutout_mask(found.mask)))
    for arguments, message in (
        ({"query": "velvet"}, "Nothing of “velvet” was understood"),
        ({"query": "hair", "classes": ["Hair"]}, "query replaces classes: give one of them."),
        ({"query": "hair", "kinds": ["labels"]}, "A search chooses what files contain: write at least one of"),
    ):
        with pytest.raises(AppError, match=message):
            client.predict([handle_file(photo)], **arguments, api_name="/batch")


@pytest.mark.parametrize(
    ("photos", "message"),
    [
        (None, "No photos were given; add photos or a ZIP of photos."),
        (
            "photo",
            f"Choose what to write from {', '.join(KINDS)}, not mattes.",
        ),
    ],
)
def test_invalid_batch_gives_a_clear_error(client: Client, photo: Path, photos: Any, message: str) -> None:
    given = [handle_file(photo)] if photos else None
    with pytest.raises(AppError) as caught:
        client.predict(given, ["mattes"] if photos else [], api_name="/batch")
    assert str(caught.value) == message


def test_absent_class_gives_an_empty_cutout(client: Client, photo: Path, expected: Segmentation) -> None:
    absent = next(name for name in NAMES if name not in expected.areas)
    assert not read(client.predict(handle_file(photo), [absent], api_name="/cutout")).any()


def test_labels_and_health_describe_classes_and_model(client: Client) -> None:
    labels = client.predict(api_name="/labels")
    assert [(each["id"], each["name"]) for each in labels] == list(enumerate(NAMES))
    assert labels[7]["groups"] == ["All garments", "Upper", "Lower"] and labels[0]["groups"] == []
    assert all(each["color"] == hex_color(each["name"]) for each in labels)
    health = client.predict(api_name="/health")
    assert (health["status"], health["model"], health["revision"], health["notice"]) == ("ok", "tiny", None, "")
    assert health["image_size"] == [128, 128]


def test_only_the_named_endpoints_are_listed(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == {
        "/segment",
        "/refine",
        "/cutout",
        "/masks",
        "/tryon",
        "/recolor",
        "/packshot",
        "/items",
        "/find",
        "/export",
        "/batch",
        "/labels",
        "/health",
    }
    assert [p["parameter_name"] for p in named["/cutout"]["parameters"]] == [*CUTOUT, *ENDPOINT_OPTIONS, *OLD_SWITCHES]
    assert [p["parameter_name"] for p in named["/segment"]["parameters"] if not p["parameter_has_default"]] == [
        "photo"
    ]
    assert "everything else becomes transparent" in named["/cutout"]["description"]


@pytest.mark.parametrize(
    ("content", "classes", "message"),
    [
        (None, ["Hat"], "No photo was given; send one."),
        (b"just text", ["Hat"], "holiday.jpg is not a readable image; use JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF."),
        (b"", ["Hat"], "holiday.jpg is empty: it has no bytes."),
        (
            "photo",
            ["Cape", "Hat"],
            f"Unknown class 'Cape'; the classes are: {', '.join(NAMES)}; groups of them: {', '.join(GROUPS)}.",
        ),
        ("photo", [], f"Name at least one class; the classes are: {', '.join(NAMES)}."),
    ],
)
def test_cutout_errors_reach_the_caller(
    client: Client, photo: Path, tmp_path: Path, content: Any, classes: list[str], message: str
) -> None:
    sent = tmp_path / "holiday.jpg"
    sent.write_bytes(photo.read_bytes() if content == "photo" else content or b"")
    with pytest.raises(AppError) as caught:
        client.predict(None if content is None else handle_file(sent), classes, api_name="/cutout")
    assert str(caught.value) == message


def test_find_selects_items_by_words(client: Client, photo: Path, expected: Segmentation) -> None:
    items, cutout = client.predict(handle_file(photo), "alles außer den Haaren", api_name="/find")
    made = expected.find("everything but the hair")
    assert [item["box"] for item in items["items"]] == [list(item.box) for item in made]
    assert (items["query"], items["ignored"], items["notes"]) == ("alles außer den Haaren", [], [])
    assert np.array_equal(read(cutout), np.asarray(expected.cutout_mask(made.mask)))
    items, _ = client.predict(handle_file(photo), "velvet hair of the person on the left", api_name="/find")
    assert items["ignored"] == ["velvet"] and all(item["wearer"] == 1 for item in items["items"])
    for query, message in (("", "The search is empty"), ("velvet", "Nothing of “velvet” was understood")):
        with pytest.raises(AppError, match=message):
            client.predict(handle_file(photo), query, api_name="/find")
