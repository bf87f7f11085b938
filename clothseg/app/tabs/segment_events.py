"""The events of the Segment tab: analyse, correct, find, preview, download, and keep the settings in the address."""

from pathlib import Path
from typing import Any

import gradio as gr

from clothseg.app import html, links
from clothseg.app.answers import Answers
from clothseg.app.limits import MODEL_LIMIT, MODEL_QUEUE
from clothseg.app.result_files import ResultFiles
from clothseg.app.tabs.segment import SegmentTab
from clothseg.segmenter import Segmenter


PRIVATE: dict[str, Any] = {"api_visibility": "private"}

ASKED: dict[str, Any] = {"show_progress": "minimal", "trigger_mode": "once", "concurrency_limit": 2} | PRIVATE
"""Options of the events that create a file on request."""

HIDDEN: dict[str, Any] = {
    "show_progress": "hidden",
    "concurrency_limit": 2,
    "trigger_mode": "always_last",
} | PRIVATE
"""Options of the events that follow a result or a choice."""

MODEL: dict[str, Any] = {
    "concurrency_id": MODEL_QUEUE,
    "concurrency_limit": MODEL_LIMIT,
    "trigger_mode": "always_last",
} | PRIVATE
"""Options of the events that run the model."""

PAGE_READY = "while (!window.clothseg) await new Promise((done) => setTimeout(done, 20));"
"""Script of an async function that waits for the page's own script: gradio runs that after the page can be used."""


def connect(tab: SegmentTab, segmenter: Segmenter, save_corrections: Path | None = None) -> None:
    """Add the tab's events to the Blocks being built.

    Args:
        tab: its components.
        segmenter: runs one photo at a time.
        save_corrections: data set folder for "Save as training example"; None saves none.
    """
    answers, files = Answers(segmenter), ResultFiles(segmenter)
    _analyse(tab, answers)
    _correct(tab, answers)
    _describe(tab, answers)
    _search(tab, answers)
    _preview(tab, answers)
    _download(tab, files)
    if save_corrections is not None:
        _save_example(tab, files, save_corrections)
    _link(tab)
    _keep_settings(tab)


def _analyse(tab: SegmentTab, answers: Answers) -> None:
    """Segment a new photo, or the same one with other detection settings."""
    look = len(tab.look)

    def shown(found: bool) -> dict[Any, Any]:
        return {part: gr.update(visible=found) for part in (tab.after, tab.more, tab.take)} | {
            tab.before: gr.update(visible=not found)
        }

    def analyse(choice: Any, path: str | bytes | None, was: Any, kept: list[str], *values: Any) -> dict[Any, Any]:
        found = answers.analyse(choice, path, was, kept, values[:look], values[look:])
        if found is None and was is answers.refused:  # the photo could not be used, and the page shows why
            return {tab.seen: None}
        if found is None:
            return shown(False) | {
                tab.seen: None,
                tab.message: gr.update(value="", visible=False),
                tab.said: html.announcement(""),
                tab.canvas: None,
            }
        if not found:
            return {tab.said: gr.skip()}
        if isinstance(found, str):
            return shown(False) | {
                tab.seen: answers.refused,
                tab.message: gr.update(value=html.problem(found), visible=True),
                tab.canvas: None,
            }
        result, value = found
        same_photo = getattr(was, "path", None) == result.path
        return shown(True) | {
            tab.words: gr.skip() if same_photo else "",
            tab.told_found: gr.skip() if same_photo else "",
            tab.seen: result,
            tab.canvas: value,
            tab.message: gr.update(value=html.notes(result.notes), visible=bool(result.notes)),
            tab.said: html.announcement(answers.told(result)),
        }

    inputs = [tab.choice, tab.photo, tab.seen, tab.keep, *tab.look, *tab.cutout]
    result = [tab.seen, tab.message, tab.said, tab.canvas, tab.words, tab.told_found]
    analysed = gr.on(
        [tab.photo.change, *(box.input for box in tab.look)],
        analyse,
        inputs,
        [*result, tab.before, tab.after, tab.more, tab.take],
        js=_asking(len(inputs), "analyse"),
        show_progress_on=[tab.photo, tab.canvas],
        **MODEL,
    )
    # Not by the server: an update of the input would restore Gradio's own way to read files.
    analysed.then(None, None, None, js="() => window.clothseg.discard()", **PRIVATE)


def _correct(tab: SegmentTab, answers: Answers) -> None:
    """Apply the stage's corrections to the result."""
    inputs = [tab.choice, tab.seen, *tab.cutout]
    tab.canvas.edit(
        answers.correct,
        inputs,
        [tab.seen, tab.canvas, tab.said],
        js=_asking(len(inputs)),
        show_progress="hidden",
        **MODEL,
    )


def _describe(tab: SegmentTab, answers: Answers) -> None:
    """List the result's items, after the cut-out, which does not wait for them."""
    tab.seen.change(
        answers.describe,
        tab.seen,
        tab.items,
        js="async (seen) => [(await window.clothseg.later(), seen)]",
        **HIDDEN,
    )


def _search(tab: SegmentTab, answers: Answers) -> None:
    """Pick the items found by words; `page/find.js` presses the button, after a pause in the typing."""
    tab.go.click(
        answers.search,
        [tab.choice, tab.seen, tab.words],
        [tab.found_keys, tab.told_found],
        js=_asking(3),
        **HIDDEN,
    ).success(None, tab.found_keys, None, js=_PICK, **PRIVATE)


def _preview(tab: SegmentTab, answers: Answers) -> None:
    """Draw the cut-out again with other settings, and refine its edges for another choice."""
    inputs = [tab.choice, tab.seen, *tab.cutout]
    options: dict[str, Any] = {
        "fn": answers.preview,
        "inputs": inputs,
        "outputs": tab.canvas,
        "js": _asking(len(inputs), "later"),
    } | HIDDEN
    gr.on([tab.seen.change, *_settled(tab.cutout)], **options)
    tab.canvas.picked(**options)


def _download(tab: SegmentTab, files: ResultFiles) -> None:
    """Create files on request, for the current state of the browser, and download or copy them."""
    wanted = [tab.choice, tab.seen, tab.polygons, *tab.cutout]
    for kind, button in {"cutout": tab.save, **tab.files}.items():
        made = button.click(
            files.file(kind), wanted, tab.taken, js=_asking(len(wanted)), show_progress_on=button, **ASKED
        )
        made.success(None, tab.taken, None, js=_taking(button), **PRIVATE)
    exported = [tab.choice, tab.seen, tab.exported, tab.color, tab.polygons, *tab.cutout]
    made = tab.export.click(
        files.for_tool, exported, tab.taken, js=_asking(len(exported)), show_progress_on=tab.export, **ASKED
    )
    made.success(None, tab.taken, None, js=_taking(tab.export), **PRIVATE)
    copied = tab.copy.click(
        files.file("cutout"), wanted, tab.taken, js=_asking(len(wanted)), show_progress_on=tab.copy, **ASKED
    )
    copied.then(None, tab.taken, None, js="(file) => window.clothseg.copied(file)", **PRIVATE)


def _save_example(tab: SegmentTab, files: ResultFiles, folder: Path) -> None:
    """Write the corrected result as a row to train on."""
    tab.keep_example.click(
        files.training_example(folder),
        [tab.choice, tab.seen],
        tab.canvas,
        js=_asking(2),
        show_progress_on=tab.keep_example,
        **ASKED,
    )


def _link(tab: SegmentTab) -> None:
    """Copy a link that carries the settings and the choice."""
    inputs = [tab.choice, tab.seen, *tab.look, *tab.cutout]
    tab.link.click(
        links.link,
        inputs,
        tab.link_text,
        js=_asking(len(inputs)),
        show_progress="hidden",
        concurrency_limit=None,
        **PRIVATE,
    ).success(None, tab.link_text, tab.link_text, js=_COPY_LINK, **PRIVATE)


def _keep_settings(tab: SegmentTab) -> None:
    """Keep the settings in the page's address, for a reload or a change of the language."""
    gr.on(
        [*(box.input for box in tab.look), *_settled(tab.cutout)],
        links.address,
        [*tab.look, *tab.cutout],
        tab.address,
        queue=False,
        show_progress="hidden",
        trigger_mode="always_last",
        **PRIVATE,
    ).success(None, tab.address, None, js="(query) => window.clothseg.settle(query)", **PRIVATE)


def _settled(settings: list[Any]) -> list[Any]:
    """Return the events of new values; a slider's, at the end of the drag."""
    return [part.release if isinstance(part, gr.Slider) else part.change for part in settings]


def _asking(count: int, kind: str = "choice") -> str:
    """Return a script that puts the browser's choice into the first of an event's `count` inputs."""
    return f"""async (...values) => {{
      {PAGE_READY}
      return [await window.clothseg.{kind}(values), ...values.slice(1, {count})];
    }}"""


def _taking(button: gr.Button) -> str:
    """Return a script that downloads the file requested by a button, and presses it again if the server had lost the
    photo."""
    return f"(file) => window.clothseg.take(file, '#{button.elem_id}')"


_PICK = """(keys) => {
  if (keys) document.dispatchEvent(new CustomEvent('stage:do', {detail: {pick: keys}}));
}"""

# Only the browser knows the page's address: behind a proxy, the server has another one.
_COPY_LINK = """(query) => {
  const link = window.clothseg.link(query);
  navigator.clipboard?.writeText(link).catch(() => {});
  return link;
}"""
