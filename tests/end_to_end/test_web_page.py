"""The standalone web page: it agrees with the library, works offline and by keyboard, and sends no data."""

import base64
import functools
import os
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from javascript import MODULES
from paper_dolls import draw
from pictures import encoded
from PIL import Image
from playwright.sync_api import Browser, Page

from clothseg import ConfigError, Segmenter
from clothseg.commands.deploy_static import write
from clothseg.commands.static_page import page_files
from clothseg.commands.web_runtime import runtime_files
from clothseg.images.decode import load_photo
from clothseg.models.loading import load


ROOT = Path(__file__).parents[2]

PHOTOS = 4

LIMIT = 10_000_000
"""Bytes of the page with the embedded model, without the runtime."""

SEGMENT = """async ([file, options]) => {
  const bytes = Uint8Array.from(atob(file), (letter) => letter.charCodeAt(0));
  const {width, height} = await window.clothseg.segment(new Blob([bytes]), options);
  const ids = await window.clothseg.labels();
  let text = '';
  for (let at = 0; at < ids.length; at += 8192) text += String.fromCharCode(...ids.subarray(at, at + 8192));
  return [width, height, btoa(text)];
}"""

READY = """async () => {
  while (!window.clothseg) await new Promise((done) => setTimeout(done, 20));
  return window.clothseg.ready;
}"""


class Site:
    """Serves a folder of pages like `python -m http.server`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        handler = functools.partial(SimpleHTTPRequestHandler, directory=str(folder))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, own_model: Path) -> Iterator[Site]:
    """The page with the embedded model, and in the folder `own` the page with a model of other classes."""
    try:
        runtime = runtime_files(MODULES / "onnxruntime-web")
    except ConfigError:
        missing = "needs ONNX Runtime Web: `make node` installs it"
        pytest.fail(missing) if "CLOTHSEG_TEST_ALL" in os.environ else pytest.skip(missing)
    folder = tmp_path_factory.mktemp("site")
    files = page_files(load(None), runtime, ROOT)
    assert sum(len(content) for name, content in files.items() if not name.startswith("runtime/")) <= LIMIT
    write(files, folder)
    write(page_files(load(str(own_model)), runtime, ROOT), folder / "own")
    made = Site(folder)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def own_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny SegFormer with custom classes, of which the background is not the first."""
    import torch
    from tiny_segformer import tiny_config
    from transformers import SegformerForSemanticSegmentation, SegformerImageProcessorPil

    folder = tmp_path_factory.mktemp("own")
    torch.manual_seed(1)
    names = dict(enumerate(("coat", "background", "boots", "left wing", "right wing")))
    config = tiny_config(id2label=names, label2id={name: index for index, name in names.items()})
    SegformerForSemanticSegmentation(config).save_pretrained(folder)
    SegformerImageProcessorPil(size={"height": 96, "width": 64}, resample=3).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def page(site: Site, browser: Browser) -> Iterator[Page]:
    """The opened page; at the end, it must have had no errors and requested nothing from other hosts."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, locale="en-GB", service_workers="allow")
    page = context.new_page()
    page.set_default_timeout(60_000)
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: trouble.append(message.text) if message.type == "error" else None)
    known = (site.url, "data:", "blob:")
    page.on("request", lambda request: None if request.url.startswith(known) else trouble.append(request.url))
    page.goto(site.url)
    page.evaluate(READY)
    yield page
    assert not trouble
    context.close()


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.from_pretrained(engine="torch")


def segment(page: Page, photo: bytes, **options: str) -> np.ndarray:
    width, height, ids = page.evaluate(SEGMENT, [base64.b64encode(photo).decode(), options])
    return np.frombuffer(base64.b64decode(ids), np.uint8).reshape(height, width)


def photos() -> Iterator[tuple[bytes, dict[str, Any]]]:
    """`PHOTOS` dolls of several sizes with options; half of them are real photos if those are available.

    One figure is small and one lies on its side: both take further passes of the network.
    """
    sizes = ((300, 200), (240, 320), (420, 260), (97, 61))
    pictures = [Image.fromarray(draw(seed, *sizes[seed % 4]).image) for seed in range(PHOTOS)]
    small = Image.new("RGB", (500, 400), (120, 140, 150))
    small.paste(pictures[0].resize((90, 135)), (200, 150))
    pictures[:2] = [small, pictures[2].transpose(Image.Transpose.ROTATE_90)]
    table = ROOT.parent / "shared" / "data" / "train.parquet"
    if table.is_file():
        import pyarrow.parquet as pq

        rows = pq.read_table(table, columns=["image"]).slice(0, PHOTOS // 2).to_pylist()
        pictures[PHOTOS // 2 :] = [load_photo(row["image"]["bytes"]) for row in rows]
    one_pass = {"zoom": "off", "orientation": "upright"}
    for index, picture in enumerate(pictures):
        options = {} if index < 2 else one_pass | ({"edges": "plain"} if index == PHOTOS - 1 else {})
        yield encoded(picture, "PNG"), options


def test_web_labels_agree_with_the_library(page: Page, segmenter: Segmenter) -> None:
    agreement = []
    for photo, options in photos():
        found, expected = segment(page, photo, **options), segmenter(photo, **options).label_map
        assert found.shape == expected.shape
        agreement.append(float((found == expected).mean()))
    assert len(agreement) == PHOTOS
    assert min(agreement) >= 0.99 and np.mean(agreement) >= 0.999, agreement


def test_photo_gives_cutout_mask_and_labels(page: Page, tmp_path: Path) -> None:
    photo = draw(2, 300, 200).image
    path = tmp_path / "holiday.png"
    Image.fromarray(photo).save(path)
    page.locator("#photo input").set_input_files(path)
    page.locator("#items .thing").first.wait_for()
    ids = np.asarray(page.evaluate("window.clothseg.labels().then((ids) => [...ids])"), np.uint8).reshape(300, 200)
    parts = page.evaluate("window.clothseg.shown().parts.map(({key, number}) => [key, number])")
    picked = page.evaluate("window.clothseg.stage().picked")
    assert picked and "Hair" not in picked
    wanted = np.isin(ids, [number for key, number in parts if key in picked])

    assert np.array_equal(download(page, "#save", tmp_path / "holiday-cutout.png")[..., 3] == 255, wanted)
    made = download(page, "#save", tmp_path / "holiday-cutout.png")
    assert np.array_equal(made[wanted][:, :3], photo[wanted]) and not made[~wanted].any()
    mask = download(page, "[data-file=mask]", tmp_path / "holiday-mask.png")
    assert np.array_equal(mask[..., 0] == 255, wanted)
    labels = download(page, "[data-file=labels]", tmp_path / "holiday-labels.png")
    assert np.array_equal(labels[..., 0], ids)

    page.locator("#ground label", has_text="White").click()
    page.locator("#crop").click()
    white = download(page, "#save", tmp_path / "holiday-cutout.png")
    rows, columns = (np.flatnonzero(wanted.any(axis=axis)) for axis in (1, 0))
    assert white.shape[:2] == (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)
    assert (white[..., 3] == 255).all()
    page.locator("#ground label", has_text="Transparent").click()
    page.locator("#crop").click()


def download(page: Page, button: str, path: Path) -> np.ndarray:
    with page.expect_download() as waiting:
        page.locator(button).click()
    assert waiting.value.suggested_filename == path.name
    waiting.value.save_as(path)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGBA"))


def test_web_page_can_be_used_by_keyboard(page: Page) -> None:
    page.locator("#items [role=group] button").first.focus()
    page.keyboard.press("End")
    page.keyboard.press("Enter")
    assert page.evaluate("window.clothseg.stage().picked") == []
    assert page.locator("#save").is_disabled()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    first = page.locator("#items [data-key]").first.get_attribute("data-key")
    assert page.evaluate("window.clothseg.stage().picked") == [first]
    page.locator("#stage .list").focus()
    page.keyboard.press("2")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert len(page.evaluate("window.clothseg.stage().picked")) == 2
    assert page.locator("#stage input[value=regions]").is_checked()


def test_content_security_policy_blocks_other_hosts(site: Site, page: Page) -> None:
    asked: list[str] = []

    class Listening(SimpleHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with ThreadingHTTPServer(("127.0.0.1", 0), Listening) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        other = page.context.new_page()  # its errors are expected
        other.goto(f"{site.url}?backend=wasm")
        other.evaluate(READY)
        url = f"http://127.0.0.1:{elsewhere.server_port}/"
        options = "{method: 'POST', mode: 'no-cors', body: 'photo'}"
        send = f"fetch('{url}', {options}).then(() => 'sent', () => 'refused')"
        assert other.evaluate(send) == "refused"
        worker = next(worker for worker in other.workers if worker.url.endswith("worker.js"))
        assert worker.evaluate(send) == "refused"
        assert not asked
        elsewhere.shutdown()
        other.close()


def test_invalid_file_shows_an_error_and_transparent_areas_are_background(page: Page, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("no photo")
    page.locator("#photo input").set_input_files(tmp_path / "notes.png")
    page.get_by_text("This browser cannot read the file as a photo.").wait_for()
    transparent = np.dstack([draw(3, 120, 80).image, np.full((120, 80), 255, np.uint8)])
    transparent[:60, :, 3] = 0
    found = segment(page, encoded(Image.fromarray(transparent), "PNG"))
    assert not found[:60].any() and found[60:].any()


def test_model_with_custom_classes_shows_its_classes(site: Site, page: Page, own_model: Path) -> None:
    other = page.context.new_page()
    other.set_viewport_size({"width": 390, "height": 844})
    other.goto(f"{site.url}own/?lang=de")
    other.evaluate(READY)
    photo = encoded(Image.fromarray(draw(4, 200, 150).image), "PNG")
    expected = Segmenter.from_pretrained(str(own_model), engine="torch")(photo, orientation="upright").label_map
    assert (segment(other, photo) == expected).mean() >= 0.99
    other.locator("#photo input").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": photo})
    other.locator("#items .thing").first.wait_for()
    names = set(other.locator("#items .thing b").all_inner_texts())
    assert names and names <= {"coat", "boots", "left wing", "right wing"}
    other.get_by_text("Das Foto bleibt auf diesem Gerät").wait_for()
    other.get_by_text("SegFormer-Gewichte, die auf nvidia/mit beruhen").wait_for()
    assert other.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    other.close()


def test_web_page_works_offline_with_threads_after_the_first_visit(
    site: Site, page: Page, segmenter: Segmenter
) -> None:
    assert not page.evaluate("crossOriginIsolated"), "http.server does not send the headers for isolation"
    site.stop()
    page.reload()
    assert page.evaluate(READY)["threads"] > 1 and page.evaluate("crossOriginIsolated")
    photo = draw(5, 120, 80).image
    page.locator("#photo input").set_input_files(
        {"name": "a.png", "mimeType": "image/png", "buffer": encoded(Image.fromarray(photo), "PNG")}
    )
    page.locator("#items .thing").first.wait_for()
    expected = segmenter(photo).label_map
    ids = np.asarray(page.evaluate("window.clothseg.labels().then((ids) => [...ids])"), np.uint8)
    assert (ids.reshape(expected.shape) == expected).mean() >= 0.99
