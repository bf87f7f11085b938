"""Photos on their way to the page in a real browser: chosen, dropped, pasted, too large, unreadable, or early.

Covers `clothseg.app.theme`, `clothseg.app.blocks`, `clothseg/app/page/photos.js`.
"""

import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Any

from browsing import assert_file, await_result, download, on_desktop, on_phone, open_app, picked, upload
from PIL import Image
from playwright.sync_api import Page, Route, expect

from clothseg import Segmentation
from clothseg.app.components.parts import find_parts
from clothseg.app.i18n import tr
from clothseg.app.limits import MAX_FILE_BYTES
from clothseg.app.selection import first_picks
from clothseg.app.settings import DEFAULT_CUTOUT
from clothseg.images.image_file import MAX_PIXELS
from clothseg.labels import ATR


def slow(page: Page, path: str) -> None:
    """Delay the requests of a page that is not open yet to addresses with `path` by 1.5 seconds."""
    page.add_init_script(f"""
      const [send, late] = [window.fetch.bind(window), []];
      window.late = late;
      window.fetch = async (place, ...more) => {{
        if (!String(place.url || place).includes('{path}')) return send(place, ...more);
        await new Promise((done) => setTimeout(done, 1500));
        late.push(String(place.url || place));
        return send(place, ...more);
      }};
    """)


def test_uploaded_photo_gives_a_cutout_of_the_clothes(
    page: Page, photos: list[Path], expected: Segmentation, tmp_path: Path
) -> None:
    for place in ("#photo", "#examples", ".title h1"):
        expect(page.locator(place)).to_be_in_viewport(ratio=0.9)
    calls: list[Any] = []
    page.on("request", lambda sent: calls.append(sent.post_data_json["data"]) if "/queue/join" in sent.url else None)
    upload(page, photos[0])
    await_result(page)
    given = [call for call in calls if len(call) > 1 and isinstance(call[1], dict)]
    assert len(given) == 1, "Gradio reports a new photo twice; it must be segmented once"
    parts = find_parts(expected)
    first = first_picks(parts, (), ATR)
    assert picked(page) == first
    for place in (".stage canvas", "#save", "#copy", "#new-photo", f'#items [data-key="{parts[0].key}"]'):
        expect(page.locator(place)).to_be_in_viewport(ratio=0.9)
    if page.viewport_size["width"] < 600:
        backgrounds, buttons = page.locator("#ground").bounding_box(), page.locator("#take").bounding_box()
        assert backgrounds["y"] + backgrounds["height"] < buttons["y"], "the buttons hide the backgrounds"
    assert page.locator("#items .thing b").all_inner_texts() == [tr(part.name) for part in parts]
    expect(page.locator("#said")).to_contain_text(f"Found: {tr(parts[0].name)}")
    cutout = download(page, "#save", tmp_path)
    assert cutout.name == "holiday-cutout.png"
    assert_file(cutout, expected, first, DEFAULT_CUTOUT)


@on_phone
def test_clicking_an_example_gives_a_cutout(page: Page, tmp_path: Path) -> None:
    page.locator("#examples button").first.click()
    await_result(page)
    page.locator("#items [data-key]").first.click()
    if page.locator("#save").is_disabled():
        page.locator("#items [data-key]").first.click()
    assert download(page, "#save", tmp_path).name == "president-cutout.png"


DROP = """([text, way]) => {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const data = new DataTransfer();
  data.items.add(new File([bytes], 'anywhere.png', {type: 'image/png'}));
  const options = {bubbles: true, cancelable: true};
  const event = way === 'drop' ? new DragEvent('drop', {dataTransfer: data, ...options})
    : new ClipboardEvent('paste', {clipboardData: data, ...options});
  (document.querySelector('.title h1') || document).dispatchEvent(event);
  return event.defaultPrevented;
}"""


@on_desktop
def test_photo_can_be_dropped_and_pasted_anywhere(shown: Page, photos: list[Path]) -> None:
    page, number = shown, await_result(shown)
    first, second = (b64encode(photo.read_bytes()).decode() for photo in photos)
    page.get_by_role("tab", name="Batch").click()
    assert page.evaluate(DROP, [second, "drop"]), "a dropped file that is not handled would replace the page"
    assert not page.evaluate(DROP, [second, "paste"])
    page.get_by_role("tab", name="Segment").click()
    assert await_result(page) == number, "a photo dropped on another tab is ignored"
    for way, photo in (("drop", second), ("paste", first)):
        assert page.evaluate(DROP, [photo, way])
        number = await_result(page, number)


@on_desktop
def test_photo_dropped_before_the_page_is_built_is_kept(unopened: Page, served: str, photos: list[Path]) -> None:
    arguments = json.dumps([b64encode(photos[1].read_bytes()).decode(), "drop"])
    unopened.add_init_script(
        f"""document.addEventListener('DOMContentLoaded', () => {{
          window.handled = ({DROP})({arguments}) && !document.querySelector('.title');
        }});"""
    )
    unopened.goto(served)
    await_result(unopened)
    assert unopened.evaluate("window.handled")


@on_phone
def test_invalid_file_shows_an_error_and_the_next_photo_works(shown: Page, photos: list[Path], tmp_path: Path) -> None:
    page = shown
    clip, paper, text = (tmp_path / name for name in ("clip.mp4", "paper.pdf", "notes.jpg"))
    clip.write_bytes(bytes(MAX_FILE_BYTES + 1))
    upload(page, clip)  # is not uploaded
    expect(page.locator("#said-here")).to_contain_text("clip.mp4 is not a readable image; use JPEG, PNG")
    expect(page.locator("#save")).to_be_visible()
    paper.write_text("%PDF-1.7")
    upload(page, paper)
    expect(page.get_by_role("alert")).to_contain_text("paper.pdf is not a readable image; use JPEG, PNG")
    text.write_text("no picture")
    upload(page, text)
    expect(page.get_by_role("alert")).to_contain_text("notes.jpg is not a readable image; use JPEG, PNG")
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.locator("#photo img")).to_have_count(0)
    expect(page.locator("#save")).to_be_hidden()
    upload(page, photos[0])
    await_result(page)
    expect(page.get_by_role("alert")).to_have_count(0)


@on_desktop
def test_photo_uploaded_right_after_an_invalid_file_is_kept(
    unopened: Page, served: str, photos: list[Path], tmp_path: Path
) -> None:
    page = unopened
    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    slow(page, "queue/join")
    open_app(page, served)
    upload(page, text)
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.locator("#photo img")).to_have_count(0)
    upload(page, photos[0])  # before the answer to the removed photo arrives
    await_result(page)
    assert page.evaluate("window.late.length")


@on_desktop
def test_photo_uploaded_early_uses_the_settings_of_the_link(unopened: Page, served: str, photos: list[Path]) -> None:
    page = unopened
    slow(page, "run/predict")
    page.goto(served + "?edges=plain&keep=Hair,Face")
    upload(page, photos[0])
    await_result(page)
    assert picked(page) == ["Hair", "Face"]
    page.get_by_role("button", name="Detection settings").first.click()
    expect(page.locator("#look").get_by_label("Sharp borders")).not_to_be_checked()
    assert page.evaluate("window.late.length")


def open_with_lower_limit(page: Page, served: str, *, late: bool) -> None:
    """Open the page with a limit of 100,000 pixels; if `late`, its script runs 1.5 s after the page was built."""

    def with_lower_limit(route: Route) -> None:
        answer = route.fetch()
        parts = re.split(r"(?<=window\.gradio_config = )(.+?)(?=;</script>)", answer.text(), maxsplit=1)
        before, config, after = parts
        changed = json.loads(config)
        limit = f"const MOST_PIXELS = {MAX_PIXELS}"
        assert limit in changed["js"]
        changed["js"] = changed["js"].replace(limit, "const MOST_PIXELS = 100000")
        if late:
            changed["js"] = f"() => setTimeout({changed['js']}, 1500)"
        route.fulfill(response=answer, body=before + json.dumps(changed).replace("<", "\\u003c") + after)

    page.route(f"{served}/", with_lower_limit)
    page.goto(served)


def assert_reduced(page: Page, name: str, folder: Path) -> None:
    """The page says that the second of the photos was reduced, and its cut-out has the smaller size."""
    expect(page.locator("#said-here")).to_contain_text("It was reduced to 258 × 387 pixels.")
    with Image.open(download(page, "#save", folder)) as image:
        assert image.size == (258, 387) and Path(image.filename).name == f"{name}-cutout.png"


@on_desktop
def test_browser_reduces_photos_with_too_many_pixels(
    unopened: Page, served: str, photos: list[Path], tmp_path: Path
) -> None:
    """A photo pasted by Gradio's button, and one that is chosen."""
    page = unopened
    open_with_lower_limit(page, served, late=False)
    page.wait_for_function("window.clothseg")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(
        """async (bytes) => {
          const type = 'image/png';
          const picture = await (await fetch(`data:${type};base64,${bytes}`)).blob();
          await navigator.clipboard.write([new ClipboardItem({[type]: picture})]);
        }""",
        b64encode(photos[1].read_bytes()).decode(),
    )
    page.locator("#photo").get_by_label("Paste from clipboard").click()
    number = await_result(page)
    assert_reduced(page, "clipboard", tmp_path)
    page.evaluate("document.querySelector('#said-here').textContent = ''")
    upload(page, photos[1])
    await_result(page, number)
    assert_reduced(page, photos[1].stem, tmp_path)


@on_desktop
def test_browser_reduces_a_photo_chosen_before_the_script_runs(
    unopened: Page, served: str, photos: list[Path], tmp_path: Path
) -> None:
    page = unopened
    open_with_lower_limit(page, served, late=True)
    upload(page, photos[1])
    assert not page.evaluate("window.clothseg")
    await_result(page)
    assert_reduced(page, photos[1].stem, tmp_path)
