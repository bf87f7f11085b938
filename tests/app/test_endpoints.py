"""The app's endpoints, called as programs call them.

Covers `clothseg.app.endpoints.batch`, `clothseg.app.endpoints.events`, `clothseg.app.endpoints.inputs`,
`clothseg.app.endpoints.items`, `clothseg.app.endpoints.photo`, `clothseg.app.endpoints.pictures`,
`clothseg.app.endpoints.service`, `clothseg.app.photo_input`, `clothseg.app.mcp`.
"""

import asyncio
import base64
import dataclasses
import io
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from app_server import ROOT, environment
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from javascript import node
from paper_dolls import draw
from PIL import Image

from clothseg import Click, Segmentation, Segmenter
from clothseg.app import about
from clothseg.app.mcp import OLD_SWITCHES
from clothseg.batch.photo_files import KINDS
from clothseg.labels import FASHN, GROUPS, NAMES, hex_color
from clothseg.options import ENDPOINT_OPTIONS, CutoutOptions, PackshotOptions, TryonOptions
from clothseg.postprocess.strokes import Stroke


CUTOUT = ("photo", "classes", "options", "background")
"""Parameters of /cutout before those of the segmentation."""


@pytest.fixture(scope="module")
def app(served: str) -> str:
    return served


@pytest.fixture(scope="module")
def client(app: str, tmp_path_factory: pytest.TempPathFactory) -> Client:
    return Client(app, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


@pytest.fixture(scope="module")
def library(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(tiny_model)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG stored sideways with an EXIF orientation, as phones save it."""
    path = tmp_path_factory.mktemp("photos") / "holiday.jpg"
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(draw(1, 301, 200).image).rotate(90, expand=True).save(path, exif=exif, quality=95)
    return path


@pytest.fixture(scope="module")
def expected(library: Segmenter, photo: Path) -> Segmentation:
    return library(photo)


def read(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def read_url(url: str) -> Image.Image:
    return Image.open(io.BytesIO(httpx.get(url).raise_for_status().content))


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
    query = "everything but the velvet hair"
    *_, (report, answer) = client.submit([handle_file(photo)], query=query, api_name="/batch")
    found = expected.find(query)
    assert report["matches"] == [{"photo": "holiday.jpg", "items": len(found)}]
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


def call(app: str, endpoint: str, data: list[Any]) -> Any:
    """Call an endpoint over plain HTTP, as curl does."""
    answer = httpx.post(f"{app}/gradio_api/call/{endpoint}", json={"data": data}).raise_for_status()
    stream = httpx.get(f"{app}/gradio_api/call/{endpoint}/{answer.json()['event_id']}", timeout=60).text
    event, result = re.findall(r"event: (\w+)\ndata: (.*)", stream)[-1]
    return event, json.loads(result)


def test_raw_http_equals_the_library(app: str, photo: Path, expected: Segmentation, tmp_path: Path) -> None:
    uploaded = httpx.post(f"{app}/gradio_api/upload", files={"files": ("holiday.jpg", photo.read_bytes())}).json()[0]
    event, (_, label_map, summary) = call(app, "segment", [{"path": uploaded, "meta": {"_type": "gradio.FileData"}}])
    assert (event, summary["name"]) == ("complete", "holiday.jpg")
    (tmp_path / "labels.png").write_bytes(httpx.get(label_map["url"]).raise_for_status().content)
    assert np.array_equal(read(str(tmp_path / "labels.png")), expected.label_map)


def test_data_url_is_decoded_exactly(app: str, photo: Path, expected: Segmentation, tmp_path: Path) -> None:
    url = "data:image/jpeg;base64," + base64.b64encode(photo.read_bytes()).decode()
    event, (_, label_map, _) = call(app, "segment", [{"url": url, "meta": {"_type": "gradio.FileData"}}])
    assert event == "complete"
    (tmp_path / "labels.png").write_bytes(httpx.get(label_map["url"]).raise_for_status().content)
    assert np.array_equal(read(str(tmp_path / "labels.png")), expected.label_map)


@pytest.mark.parametrize(
    "url", ["data:image/png;base64,!", "data:image/png,plain", "data:;base64," + "A" * 36_000_000]
)
def test_invalid_data_urls_are_rejected(app: str, url: str) -> None:
    event, answer = call(app, "segment", [{"url": url, "meta": {"_type": "gradio.FileData"}}])
    assert event == "error"
    assert re.search("base64|too large: the limit is 25 MB", answer["error"])


@pytest.mark.parametrize("path", ["/etc/hostname", str(ROOT / "pyproject.toml"), "http://127.0.0.1:1/x.png"])
def test_server_files_and_hosts_are_not_accessible(app: str, path: str) -> None:
    event, answer = call(app, "segment", [{"path": path, "meta": {"_type": "gradio.FileData"}}])
    assert event == "error", answer
    assert httpx.get(f"{app}/gradio_api/file={path}", follow_redirects=False).status_code in (403, 404, 400)


def test_calls_without_options_still_work(app: str, photo: Path, expected: Segmentation) -> None:
    url = "data:image/jpeg;base64," + base64.b64encode(photo.read_bytes()).decode()
    image = {"url": url, "meta": {"_type": "gradio.FileData"}}
    event, (_, label_map, _) = call(app, "segment", [image])
    assert event == "complete"
    with Image.open(io.BytesIO(httpx.get(label_map["url"]).content)) as answer:
        assert np.array_equal(np.asarray(answer), expected.label_map)
    event, (cutout,) = call(app, "cutout", [image, ["Hair"]])
    with Image.open(io.BytesIO(httpx.get(cutout["url"]).content)) as answer:
        assert np.array_equal(np.asarray(answer), np.asarray(expected.cutout("Hair")))


def test_mcp_tools_are_described_and_work(app: str, photo: Path, expected: Segmentation) -> None:
    """All tools are listed, describe their parameters, and answer."""
    from jsonschema import Draft202012Validator
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    url = "data:image/jpeg;base64," + base64.b64encode(photo.read_bytes()).decode()
    calls: dict[str, dict[str, Any]] = {
        "segment": {"photo": url},
        "refine": {"photo": url, "clicks": [{"x": 100, "y": 150, "label": "Bag"}], "exclude": ["Hat"]},
        "cutout": {"photo": url, "classes": ["Hair"], "options": {"crop": True, "margin": 3}, "zoom": "off"},
        "masks": {"photo": url, "classes": ["Body"], "options": {"invert": True}},
        "tryon": {"photo": url, "part": "overall", "options": {"shape": "outline", "blur": 2}},
        "recolor": {"photo": url, "classes": ["Upper"], "color": "#a03050"},
        "packshot": {"photo": url, "options": {"aspect": "4:5", "shadow": True}},
        "items": {"photo": url, "cutouts": True, "people": "all"},
        "find": {"photo": url, "query": "velvet hair", "options": {"crop": True}},
        "export": {"photo": url, "format": "labelme"},
        "batch": {"photos": [url, url], "kinds": ["items"], "query": "everything but the hair"},
        "labels": {},
        "health": {},
    }

    async def talk() -> tuple[Any, dict[str, Any], list[Any]]:
        async with streamable_http_client(f"{app}/gradio_api/mcp/") as (read_stream, write_stream, _):
            async with ClientSession(read_stream, write_stream) as session:
                await session.initialize()
                answers = {name: await session.call_tool(name, arguments) for name, arguments in calls.items()}
                wrong = await session.call_tool("cutout", {"photo": url, "classes": ["Hair"], "options": {"corp": 1}})
                local = await session.call_tool("batch", {"photos": [url, f"{app}/gradio_api/info"]})
                return (await session.list_tools()).tools, answers, [wrong, local]

    tools, answers, (wrong, local) = asyncio.run(talk())
    assert {tool.name for tool in tools} == set(calls)
    for tool in tools:
        Draft202012Validator.check_schema(tool.inputSchema)
        assert "$ref" not in str(tool.inputSchema), "clients do not resolve references"
        about = [tool.description, *(each["description"] for each in tool.inputSchema["properties"].values())]
        assert all(text.endswith(".") for text in about), "truncated or missing description"
        assert "Returns: " in tool.description
    inputs = {tool.name: tool.inputSchema for tool in tools}
    assert set(inputs["cutout"]["properties"]) == {*CUTOUT, *ENDPOINT_OPTIONS, *OLD_SWITCHES}
    assert inputs["cutout"]["required"] == ["photo"]
    assert set(inputs["cutout"]["properties"]["options"]["properties"]) == {
        field.name for field in dataclasses.fields(CutoutOptions)
    }
    text = {name: " ".join(part.model_dump_json() for part in answers[name].content) for name in calls}
    assert not any(answer.isError for answer in answers.values()), text
    assert all(repr(name) in text["segment"] for name in expected.areas)
    assert (
        read_url(re.search(r"http\S+-cutout\.png", text["cutout"])[0]).size
        == expected.cutout("Hair", options=CutoutOptions(crop=True, margin=3)).size
    )
    assert read_url(re.search(r"http\S+?-mask-kept\.png", text["masks"])[0]).mode == "L"
    assert read_url(re.search(r"http\S+-agnostic-mask\.png", text["tryon"])[0]).size == expected.photo.size
    assert "-recolored.png" in text["recolor"] and "-packshot.png" in text["packshot"]
    assert "-labelme.json" in text["export"]
    assert "'ignored': ['velvet']" in text["find"] and "-cutout.png" in text["find"]
    assert "'kind': 'click'" in text["refine"] and "-labels.png" in text["refine"]
    assert "-items.zip" in text["items"] and "'wearer': 1" in text["items"]
    assert "clothseg.zip" in text["batch"] and "'done': 2" in text["batch"] and "'matches': [{" in text["batch"]
    assert "'Scarf'" in text["labels"] and "'tiny'" in text["health"]
    assert local.isError and "not a public host" in local.content[0].text
    assert wrong.isError and "corp" in wrong.content[0].text


def test_manual_examples_run(app: str, photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photo.parent)
    code = re.search(r"```javascript\n(.*?)```", about.manual(app), re.DOTALL)
    (photo.parent / "example.mjs").write_text(code[1] + "process.exit();")
    assert node(photo.parent, "example.mjs").startswith(f"{app}/gradio_api/file=")
    code = re.search(r"```python\n(.*?)```", about.manual(app), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code[1], names)
    assert read(names["cutout"]).shape[2] == 4
    assert names["summary"]["name"] == "holiday.jpg"


def test_manual_contains_the_spaces_address() -> None:
    assert "https://jane-doe-clothseg.hf.space/gradio_api/mcp/" in about.manual("jane-doe/clothseg")
    assert 'Client("jane-doe/clothseg")' in about.manual("jane-doe/clothseg")
    assert 'classes: ["top", "dress"]' in about.manual("jane-doe/clothseg", FASHN)


def test_unloadable_model_gives_a_one_line_error() -> None:
    process = subprocess.run(
        [sys.executable, str(ROOT / "app.py")],
        env=environment(CLOTHSEG_MODEL="./nothing"),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == 1
    assert re.fullmatch(r"The app cannot start: There is no folder \./nothing.*\n", process.stderr)
