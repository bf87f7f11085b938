"""The endpoints over plain HTTP and MCP, and the examples in the page's manual.

Covers `clothseg.app.mcp`.
"""

import asyncio
import base64
import dataclasses
import io
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from app_server import ROOT, environment
from endpoint_answers import CUTOUT, call, read, read_url
from javascript import node
from PIL import Image

from clothseg import Segmentation
from clothseg.app import about
from clothseg.app.mcp import OLD_SWITCHES
from clothseg.labels import FASHN
from clothseg.options import ENDPOINT_OPTIONS, CutoutOptions


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
