"""Shared links show the app's own picture and description, and the page's first script comes first."""

import asyncio
from typing import Any

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from clothseg.app.i18n import use_language
from clothseg.app.server.page_head import ADDRESS, EARLY, PICTURE, PageHead, with_tags


PAGE = """<html><head><meta charset="utf-8"><meta property="og:title" content="Gradio" />
<meta
  property="og:image"
  content="https://example.org/banner.jpg"
/><meta name="twitter:title" content="Gradio"></head><body>ö</body></html>"""


@pytest.fixture(scope="module")
def client() -> TestClient:
    async def page(_: Any) -> HTMLResponse:
        return HTMLResponse(PAGE)

    async def other(_: Any) -> PlainTextResponse:
        return PlainTextResponse(PAGE)

    return TestClient(PageHead(Starlette(routes=[Route("/", page), Route("/other", other)])))


def test_page_has_our_preview_tags(client: TestClient) -> None:
    answer = client.get("/", headers={"host": "clothes.example", "x-forwarded-proto": "https"})
    assert (
        'content="Gradio' not in answer.text
        and "banner" not in answer.text
        and '<meta charset="utf-8">' in answer.text
    )
    assert f'property="og:image" content="https://clothes.example{ADDRESS}"' in answer.text
    assert "Finds every garment" in answer.text and "ö" in answer.text
    assert answer.text.startswith(f"<html><head><script>{EARLY.read_text()}</script><meta charset")
    assert client.get("/other").text == PAGE


def test_preview_picture_is_served(client: TestClient) -> None:
    answer = client.get(ADDRESS)
    assert answer.content == PICTURE.read_bytes() and answer.headers["content-type"] == "image/jpeg"
    with Image.open(PICTURE) as picture:
        assert picture.size == (1200, 630)


def test_preview_tags_are_translated_and_escaped() -> None:
    with use_language("de"):
        made = with_tags(PAGE.encode(), 'https://x"><script>').decode()
    assert "Kleidung" in made and "<script>" not in made


def test_other_connections_are_passed_on() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(PageHead(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == ["lifespan"]
