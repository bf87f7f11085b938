"""The page after its server has discarded the photo or restarted.

Covers `clothseg/app/page/kept.js`.
"""

from pathlib import Path
from uuid import uuid4

import httpx
import numpy as np
from app_server import free_port, running_app
from browsing import await_result, download, inner_point, only, picked, stage_point, upload
from chromium import PATIENCE
from paper_dolls import draw
from PIL import Image
from playwright.sync_api import Browser, Page, Request, expect

from clothseg import Segmentation, Segmenter
from clothseg.app.settings import DEFAULT_OPTIONS


SESSIONS = 64
"""Number of sessions that Gradio keeps: `state_session_capacity` in `blocks.launch_options`."""


class Calls:
    """The page's calls of the server."""

    def __init__(self, page: Page) -> None:
        self.page, self.begun, self.open = page, 0, set[Request]()
        page.on("request", self._begin)
        for end in ("requestfinished", "requestfailed"):
            page.on(end, self._end)

    def _begin(self, request: Request) -> None:
        if "/queue/" in request.url:
            self.begun += 1
            self.open.add(request)

    def _end(self, request: Request) -> None:
        self.open.discard(request)

    def await_last(self) -> None:
        """Wait until all are answered and none follows: the page lets at most 700 ms pass between cause and call."""
        last = False
        while not last:
            before = self.begun
            self.page.evaluate("() => new Promise((done) => setTimeout(done, 900))")
            last = not self.open and self.begun == before


def crowd(url: str, calls: Calls) -> None:
    """Open so many sessions that the server discards the page's, which makes no call meanwhile.

    A call would keep the session, and a late one would send the photo again before the test does what should have
    that effect.
    """
    calls.await_last()
    with httpx.Client(base_url=url, timeout=60) as client:
        events = client.get("/config").json()["dependencies"]
        opened = next(event["id"] for event in events if any(kind == "load" for _, kind in event["targets"]))
        for _ in range(SESSIONS + 1):
            call = {"fn_index": opened, "session_hash": uuid4().hex, "data": []}
            client.post("/gradio_api/run/predict", json=call).raise_for_status()


def edits(page: Page) -> list[dict[str, object]]:
    return list(page.evaluate("window.clothseg.choice().edits"))


def paint(page: Page, result: Segmentation) -> None:
    """Paint one correction with the brush."""
    x, y = inner_point(result.mask(max(result.areas, key=lambda name: result.areas[name])))
    if page.locator(".stage .tools").is_hidden():
        page.locator('.stage [data-do="correct"]').click()
    page.locator(".stage .tools [value=brush]").check(force=True)
    page.locator(".stage .tools select").select_option("Scarf")
    page.locator(".stage .list").click(position=stage_point(page, result, (x, y)))


def test_photo_picks_and_corrections_survive_a_server_restart(
    browser: Browser, tiny_model: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "holiday.png"
    Image.fromarray(draw(1, 300, 200).image).save(photo)
    result = Segmenter.from_pretrained(tiny_model)(photo, DEFAULT_OPTIONS)
    name = max((name for name in result.areas if name != "Background"), key=lambda name: result.areas[name])
    expect.set_options(timeout=PATIENCE)
    port, model = free_port(), {"CLOTHSEG_MODEL": str(tiny_model)}
    folders = [tmp_path / each for each in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    page = browser.new_page(viewport={"width": 1366, "height": 768})
    page.set_default_timeout(PATIENCE)
    calls = Calls(page)
    with running_app(folders[0], port=port, **model) as url:
        page.goto(url)
        expect(page.get_by_role("heading", name="Drop a photo to begin")).to_be_visible()
        upload(page, photo)
        number = await_result(page)
        only(page, name)

        crowd(url, calls)  # a correction works with a photo that the server has discarded
        paint(page, result)
        expect(page.locator("#said-here")).to_contain_text("It was sent again.")
        number = await_result(page, number)
        assert picked(page)[0] == name and len(edits(page)) == 1

        page.evaluate("document.querySelector('#said-here').textContent = ''")
        crowd(url, calls)  # so does a download
        whole = download(page, "#save", tmp_path)
        expect(page.locator("#said-here")).to_contain_text("It was sent again.")
        await_result(page, number)
        kept, made = picked(page), edits(page)
        assert len(made) == 1 and whole.name == "holiday-cutout.png"
    page.locator("#save").click()
    expect(page.get_by_text("Attempting reconnection")).to_be_visible()
    with running_app(folders[1], port=port, **model):  # without the files of the first server
        expect(page.get_by_text("Attempting reconnection")).to_have_count(0)
        await_result(page)
        assert picked(page) == kept and edits(page) == made
        with Image.open(download(page, "#save", tmp_path)) as again, Image.open(whole) as before:
            assert np.array_equal(np.asarray(again), np.asarray(before)) and np.asarray(again)[..., 3].any()
        keys = page.evaluate("""() => new Promise((done) => {
          const opening = indexedDB.open('clothseg', 1);
          opening.onsuccess = () => {
            const keys = opening.result.transaction('photos').objectStore('photos').getAllKeys();
            keys.onsuccess = () => done(keys.result);
          };
        })""")
        assert keys == [], "the browser keeps the photo longer than needed"
        page.close()
