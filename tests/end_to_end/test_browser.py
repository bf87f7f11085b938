"""The page in a real browser: uploads, picks, options, corrections and downloads.

Covers `clothseg.app.theme`, `clothseg.app.tabs.segment`, `clothseg.app.blocks`.
"""

import json
import re
import zipfile
from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import (
    DESKTOP,
    PATIENCE,
    PHONE,
    await_result,
    card,
    download,
    inner_point,
    only,
    picked,
    stage_point,
    upload,
)
from paper_dolls import draw
from PIL import Image
from playwright.sync_api import Page, Route, expect

from benchmarks import page as page_benchmark
from clothseg import Click, Segmentation, Segmenter
from clothseg.app.components.parts import find_parts, mask_of_parts
from clothseg.app.i18n import tr
from clothseg.app.limits import MAX_FILE_BYTES
from clothseg.app.selection import cutout_of, first_picks
from clothseg.app.settings import DEFAULT_CUTOUT, DEFAULT_OPTIONS
from clothseg.images.image_file import MAX_PIXELS
from clothseg.labels import ATR, GROUPS
from clothseg.options import CutoutOptions
from clothseg.postprocess.strokes import Stroke


@pytest.fixture(scope="module")
def library(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(tiny_model)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / "holiday.jpg", folder / "evening.png"]
    for seed, path in enumerate(paths, start=1):
        Image.fromarray(draw(seed, 600, 400).image).save(path)
    return paths


@pytest.fixture(scope="module")
def expected(library: Segmenter, photos: list[Path]) -> Segmentation:
    return library(photos[0], DEFAULT_OPTIONS)


def assert_file(path: Path, result: Segmentation, keys: Sequence[str], options: CutoutOptions) -> None:
    with Image.open(path) as image:
        assert np.array_equal(np.asarray(image), np.asarray(cutout_of(result, keys, options)))


def assert_labels(page: Page, label_map: np.ndarray, folder: Path) -> None:
    open_more(page)
    with Image.open(download(page, "#save-labels", folder)) as image:
        assert np.array_equal(np.asarray(image), label_map)


def open_more(page: Page) -> None:
    if not page.locator("#save-labels").is_visible():
        page.locator("#more > button").click()


def slow(page: Page, path: str) -> None:
    """Reload the page, and from then on delay its requests to addresses with `path` by 1.5 seconds."""
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
    page.reload()


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


def test_parts_can_be_picked_by_card_click_and_group(
    page: Page, photos: list[Path], expected: Segmentation, tmp_path: Path
) -> None:
    one, two, three = sorted(expected.areas, key=lambda name: -expected.areas[name])[:3]
    assert "Background" not in (one, two, three), "the tiny model finds background in the photo"
    upload(page, photos[0])
    await_result(page)
    page.locator('#items [data-pick=""]').click()
    expect(page.locator("#save")).to_be_disabled()
    open_more(page)
    expect(page.locator("#save-each")).to_be_disabled()
    only(page, one)
    assert picked(page) == [one]
    card(page, two).click()
    page.locator(".stage .list").click(position=stage_point(page, expected, inner_point(expected.mask(three))))
    assert {*picked(page)} == {one, two, three}
    # The download starts before the server has received the last pick.
    card(page, two).click()
    assert_file(
        download(page, "#save", tmp_path),
        expected,
        [part.key for part in find_parts(expected) if part.name in (one, three)],
        DEFAULT_CUTOUT,
    )
    page.get_by_role("button", name="Body", exact=True).click()
    assert picked(page) == [part.key for part in find_parts(expected) if part.name in GROUPS["Body"]]


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_picks_are_kept_for_the_next_photo(page: Page, photos: list[Path], library: Segmenter, tmp_path: Path) -> None:
    both = [library(photo, DEFAULT_OPTIONS) for photo in photos]
    name = next(part.key for part in find_parts(both[0]) if part.key in {each.key for each in find_parts(both[1])})
    upload(page, photos[0])
    await_result(page)
    only(page, name)
    number = await_result(page)
    upload(page, photos[1])
    await_result(page, number)
    assert picked(page) == [name]
    path = download(page, "#save", tmp_path)
    assert path.name == "evening-cutout.png"
    assert_file(path, both[1], [name], DEFAULT_CUTOUT)


def test_invalid_file_shows_an_error_and_the_next_photo_works(page: Page, photos: list[Path], tmp_path: Path) -> None:
    upload(page, photos[0])
    await_result(page)
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


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_photo_uploaded_right_after_an_invalid_file_is_kept(page: Page, photos: list[Path], tmp_path: Path) -> None:
    text = tmp_path / "notes.jpg"
    text.write_text("no picture")
    slow(page, "queue/join")
    upload(page, text)
    expect(page.get_by_role("alert")).to_have_count(1)
    expect(page.locator("#photo img")).to_have_count(0)
    upload(page, photos[0])  # before the answer to the removed photo arrives
    await_result(page)
    assert page.evaluate("window.late.length")


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_photo_uploaded_early_uses_the_settings_of_the_link(page: Page, served: str, photos: list[Path]) -> None:
    slow(page, "run/predict")
    page.goto(served + "?edges=plain&keep=Hair,Face")
    upload(page, photos[0])
    await_result(page)
    assert picked(page) == ["Hair", "Face"]
    page.get_by_role("button", name="Detection settings").first.click()
    expect(page.locator("#look").get_by_label("Sharp borders")).not_to_be_checked()
    assert page.evaluate("window.late.length")


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
@pytest.mark.parametrize("way", ["chosen", "by gradio's paste button", "before the page's script"])
def test_browser_reduces_photos_with_too_many_pixels(
    page: Page, served: str, photos: list[Path], tmp_path: Path, way: str
) -> None:
    def with_lower_limit(route: Route) -> None:
        answer = route.fetch()
        parts = re.split(r"(?<=window\.gradio_config = )(.+?)(?=;</script>)", answer.text(), maxsplit=1)
        before, config, after = parts
        changed = json.loads(config)
        limit = f"const MOST_PIXELS = {MAX_PIXELS}"
        assert limit in changed["js"]
        changed["js"] = changed["js"].replace(limit, "const MOST_PIXELS = 100000")
        if way.startswith("before"):
            changed["js"] = f"() => setTimeout({changed['js']}, 1500)"
        route.fulfill(response=answer, body=before + json.dumps(changed).replace("<", "\\u003c") + after)

    page.route(f"{served}/", with_lower_limit)
    page.reload()
    if not way.startswith("before"):
        page.wait_for_function("window.clothseg")
    name = photos[1].stem
    if way.startswith("by"):
        name = "clipboard"
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
    else:
        upload(page, photos[1])
        assert way == "chosen" or not page.evaluate("window.clothseg")
    expect(page.locator("#said-here")).to_contain_text("It was reduced to 258 × 387 pixels.")
    await_result(page)
    with Image.open(download(page, "#save", tmp_path)) as image:
        assert image.size == (258, 387) and Path(image.filename).name == f"{name}-cutout.png"


def test_clicking_an_example_gives_a_cutout(page: Page, tmp_path: Path) -> None:
    page.locator("#examples button").first.click()
    await_result(page)
    page.locator("#items [data-key]").first.click()
    if page.locator("#save").is_disabled():
        page.locator("#items [data-key]").first.click()
    assert download(page, "#save", tmp_path).name == "businesswoman-cutout.png"


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
@pytest.mark.parametrize("way", ["drop", "paste", "drop early"])
def test_photo_can_be_dropped_and_pasted_anywhere(page: Page, photos: list[Path], way: str) -> None:
    script = """([text, way]) => {
      const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], 'anywhere.png', {type: 'image/png'}));
      const options = {bubbles: true, cancelable: true};
      const event = way !== 'paste' ? new DragEvent('drop', {dataTransfer: data, ...options})
        : new ClipboardEvent('paste', {clipboardData: data, ...options});
      (document.querySelector('.title h1') || document).dispatchEvent(event);
      return event.defaultPrevented;
    }"""
    arguments = [b64encode(photos[1].read_bytes()).decode(), way]
    if way == "drop early":  # before Gradio has built the page
        page.add_init_script(
            f"""document.addEventListener('DOMContentLoaded', () => {{
              window.handled = ({script})({json.dumps(arguments)}) && !document.querySelector('.title');
            }});"""
        )
        page.reload()
        await_result(page)
        assert page.evaluate("window.handled")
        return
    page.get_by_role("tab", name="Batch").click()
    assert page.evaluate(script, arguments) is (way == "drop"), (
        "a dropped file that is not handled would replace the page"
    )
    page.get_by_role("tab", name="Segment").click()
    expect(page.get_by_role("heading", name="Drop a photo to begin")).to_be_visible()
    assert page.evaluate(script, arguments)
    await_result(page)


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_changing_detection_settings_keeps_the_picks(
    page: Page, photos: list[Path], library: Segmenter, tmp_path: Path
) -> None:
    upload(page, photos[0])
    number = await_result(page)
    only(page, "Hair")
    page.get_by_role("button", name="Detection settings").first.click()
    page.locator("#look").get_by_label("Sharp borders").uncheck()
    await_result(page, number)
    assert picked(page) == ["Hair"]
    result = library(photos[0], DEFAULT_OPTIONS, edges="plain")
    assert_file(download(page, "#save", tmp_path), result, ["Hair"], DEFAULT_CUTOUT)
    assert_labels(page, result.label_map, tmp_path)


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_cutout_follows_the_options(page: Page, photos: list[Path], expected: Segmentation, tmp_path: Path) -> None:
    upload(page, photos[0])
    await_result(page)
    page.locator("#ground [value=Transparent]").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#ground [value=White]")).to_be_checked()
    page.get_by_label("Crop to the cut-out").first.check()
    keys = picked(page)
    options = CutoutOptions(background="#ffffff", crop=True, drop_specks=True)
    assert_file(download(page, "#save", tmp_path), expected, keys, options)
    open_more(page)
    with zipfile.ZipFile(download(page, "#save-each", tmp_path)) as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")]
    assert len(names) == len(expected.items(*[key.partition("/")[0] for key in keys]))
    assert json.loads(download(page, "#save-items", tmp_path).read_text())["items"]
    assert json.loads(download(page, "#save-coco", tmp_path).read_text())["annotations"]
    assert download(page, "#save-summary", tmp_path).name == "holiday.json"


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_cutout_can_be_copied_to_the_clipboard(
    page: Page, photos: list[Path], expected: Segmentation, tmp_path: Path
) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    upload(page, photos[0])
    await_result(page)
    page.locator("#copy").click()
    expect(page.locator("#said-here")).to_have_text("The cut-out was copied.")
    numbers = page.evaluate("""async () => {
      const [item] = await navigator.clipboard.read();
      return [...new Uint8Array(await (await item.getType('image/png')).arrayBuffer())];
    }""")
    path = tmp_path / "copied.png"
    path.write_bytes(bytes(numbers))
    with Image.open(path) as image:
        alpha = np.asarray(image.convert("RGBA"))[..., 3]
    whole = np.asarray(cutout_of(expected, picked(page), DEFAULT_CUTOUT))[..., 3]
    assert np.array_equal(alpha, whole)


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_dragging_and_the_context_menu_give_the_full_size_cutout(
    page: Page, photos: list[Path], expected: Segmentation, tmp_path: Path
) -> None:
    upload(page, photos[0])
    await_result(page)
    keys = picked(page)
    box, point = (
        page.locator(".stage .list").bounding_box(),
        stage_point(page, expected, inner_point(mask_of_parts(expected, keys[:1]))),
    )
    x, y = box["x"] + point["x"], box["y"] + point["y"]
    page.evaluate(
        "addEventListener('dragstart', (event) => { window.dragged = event.dataTransfer.getData('DownloadURL'); })"
    )
    for _ in range(100):  # until the server has sent the file's address
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 30, y + 20, steps=4)
        page.mouse.up()
        if dragged := page.evaluate("window.dragged"):
            break
        page.wait_for_timeout(100)
    kind, name, url = dragged.split(":", 2)
    assert (kind, name) == ("image/png", "holiday-cutout.png")
    file = page.request.get(url)
    assert file.ok and 'filename="holiday-cutout.png"' in file.headers["content-disposition"]
    path = tmp_path / name
    path.write_bytes(file.body())
    assert_file(path, expected, keys, DEFAULT_CUTOUT)
    assert page.request.get(f"{url}0").status == 404

    page.mouse.click(x, y, button="right")
    with page.expect_download() as waiting:
        page.get_by_role("menuitem", name="Download the cut-out").click()
    assert_file(waiting.value.path(), expected, keys, DEFAULT_CUTOUT)


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_link_restores_its_settings(page: Page, served: str, photos: list[Path], library: Segmenter) -> None:
    query = "?edges=plain&keep=Hair,Face&opacity=0.4&background=%23ff8800&crop=true"
    page.goto(served + query)
    upload(page, photos[0])
    await_result(page)
    assert picked(page) == ["Hair", "Face"]
    expect(page.locator("#stage .opacity input")).to_have_value("0.4")
    result = library(photos[0], DEFAULT_OPTIONS, edges="plain")
    with page.expect_download() as waiting:
        page.locator("#save").click()
    options = CutoutOptions(background="#ff8800", crop=True, drop_specks=True)
    assert_file(waiting.value.path(), result, ["Hair", "Face"], options)
    open_more(page)
    page.locator("#link").click()
    expect(page.locator("#link-text textarea, #link-text input")).to_have_value(f"{served}/{query}")


def test_regions_can_be_corrected_by_click_brush_and_eraser(
    page: Page, photos: list[Path], library: Segmenter, expected: Segmentation, tmp_path: Path
) -> None:
    upload(page, photos[0])
    number = await_result(page)
    largest = max(expected.areas, key=lambda name: expected.areas[name])
    x, y = inner_point(expected.mask(largest))
    page.locator('.stage [data-do="correct"]').click()
    page.locator(".stage .tools select").select_option("Scarf")
    page.locator(".stage .list").click(position=stage_point(page, expected, (x, y)))
    number = await_result(page, number)
    (click,) = page.evaluate("window.clothseg.choice().edits")
    assert click["label"] == "Scarf" and np.hypot(click["x"] - x, click["y"] - y) < 8
    corrected = library.refine(expected, [Click(click["x"], click["y"], "Scarf")])
    assert corrected.mask("Scarf").sum() > expected.mask("Scarf").sum()
    assert_labels(page, corrected.label_map, tmp_path)

    for tool, label in (("brush", "Bag"), ("erase", "Background")):
        page.locator(f".stage .tools [value={tool}]").check(force=True)
        if tool == "brush":
            page.locator(".stage .tools select").select_option(label)
        box, point = page.locator(".stage .list").bounding_box(), stage_point(page, expected, (x, y))
        page.mouse.move(box["x"] + point["x"] - 20, box["y"] + point["y"])
        page.mouse.down()
        page.mouse.move(box["x"] + point["x"] + 20, box["y"] + point["y"] + 5, steps=5)
        page.mouse.up()
        number = await_result(page, number)
        stroke = page.evaluate("window.clothseg.choice().edits.at(-1)")
        assert (stroke["kind"], stroke["label"], len(stroke["points"]) > 1) == ("stroke", label, True)
        covered = Stroke(stroke["points"], stroke["radius"], label).mask(corrected.label_map.shape)
        corrected = corrected.paint(covered, label)
        assert covered.sum() > 100
        assert_labels(page, corrected.label_map, tmp_path)
    for left in (2, 1, 0):
        page.keyboard.press("Control+z")
        number = await_result(page, number)
        assert len(page.evaluate("window.clothseg.choice().edits")) == left
    assert_labels(page, expected.label_map, tmp_path)
    page.keyboard.press("Control+Shift+z")
    await_result(page, number)
    assert page.evaluate("window.clothseg.choice().edits[0]") == click


def test_one_of_three_people_can_be_cut_out(page: Page, library: Segmenter, tmp_path: Path) -> None:
    path = tmp_path / "three.png"
    Image.fromarray(np.hstack([draw(seed, 400, 260).image for seed in (1, 2, 3)])).save(path)
    page.get_by_role("button", name="Detection settings").first.click()
    page.locator("#look").get_by_label("Separate people").check()
    upload(page, path)
    await_result(page)
    result = library(path, DEFAULT_OPTIONS, people="all")
    parts = find_parts(result)
    assert page.locator("#items [data-key]").evaluate_all("all => all.map((each) => each.dataset.key)") == [
        part.key for part in parts
    ]
    with page.expect_response(lambda answer: answer.url.endswith("-preview.png")) as refined:
        only(page, parts[0].key)
    with Image.open(BytesIO(refined.value.body())) as image:
        assert np.asarray(image)[..., 3].any(), "the preview of one person's cut-out is empty"
    with Image.open(download(page, "#save", tmp_path)) as image:
        alpha = np.asarray(image)[..., 3]
    assert alpha.any() and not alpha[~mask_of_parts(result, [parts[0].key])].any()


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_download_button_is_reached_with_few_tab_presses(page: Page, photos: list[Path]) -> None:
    upload(page, photos[0])
    await_result(page)
    page.locator(".stage .views input").first.focus()
    keys = []
    while page.evaluate("document.activeElement.id") != "save":
        page.keyboard.press("Tab")
        keys.append(page.evaluate("document.activeElement.dataset.key"))
        assert len(keys) <= 11, keys
    (first,) = filter(None, keys)
    before = picked(page)
    card(page, first).focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.key") not in (None, first)
    expect(card(page, first)).to_have_attribute("aria-pressed", str(first not in before).lower())


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_page_benchmark_measures_waiting_times(page: Page, tmp_path: Path) -> None:
    page.evaluate(page_benchmark.WATCH)
    for seed in range(2):
        shown, downloaded, picked = page_benchmark.wait(page, page_benchmark.photo(tmp_path, seed, (450, 680)))
        assert 0 < picked and 0.01 < shown < downloaded < PATIENCE / 1000


@pytest.mark.parametrize("page", [DESKTOP], indirect=True)
def test_work_survives_reload_language_change_and_back(page: Page, photos: list[Path], expected: Segmentation) -> None:
    upload(page, photos[0])
    await_result(page)
    only(page, "Hair")
    page.locator("#ground").get_by_label("White").check(force=True)
    page.locator('.stage [data-do="correct"]').click()
    page.locator(".stage .tools select").select_option("Scarf")
    largest = max(expected.areas, key=lambda name: expected.areas[name])
    page.locator(".stage .list").click(position=stage_point(page, expected, inner_point(expected.mask(largest))))
    page.wait_for_function("window.clothseg.choice().edits.length")
    page.wait_for_url("**/?background=*")
    (edit,) = page.evaluate("window.clothseg.choice().edits")
    page.wait_for_timeout(1500)

    def away_and_back() -> None:
        page.goto("about:blank")
        page.go_back()

    for again in (page.reload, page.get_by_role("link", name="Deutsch").click, away_and_back):
        again()
        await_result(page)
        said = page.evaluate("window.clothseg.choice()")
        assert "Hair" in said["picked"] and said["edits"] == [edit]
        expect(page.locator("#ground [value=White]")).to_be_checked()
