"""Build the page from its tabs, links and endpoints."""

from pathlib import Path
from typing import Any

import gradio as gr

from clothseg.app import html
from clothseg.app.endpoints.events import add_endpoints
from clothseg.app.i18n import deferred, tr
from clothseg.app.limits import KEEP_SECONDS, MAX_FILE_BYTES, MAX_UPLOAD_BYTES
from clothseg.app.links import from_link
from clothseg.app.model_status import Places, tell
from clothseg.app.server.gradio_internals import WITHOUT_REQUEST
from clothseg.app.tabs.about import about_tab
from clothseg.app.tabs.batch import batch_tab
from clothseg.app.tabs.compare import Models, compare_tab, follow_photo
from clothseg.app.tabs.live import live_tab
from clothseg.app.tabs.segment import SegmentTab
from clothseg.app.tabs.segment_events import PAGE_READY, connect
from clothseg.app.theme import paper_and_ink
from clothseg.app.translated_blocks import Page
from clothseg.images.image_file import FORMATS_TEXT, pixel_limit
from clothseg.segmenter import Segmenter


_SCRIPTS = ("state", "names", "stream", "photos", "cards", "find", "files", "kept", "address")
"""Files of the page's script, joined in this order."""


def build(
    segmenter: Segmenter,
    examples: Path | None = None,
    address: str = "http://127.0.0.1:7860",
    models: Models = Models(),  # noqa: B008 - immutable
    save_corrections: Path | None = None,
) -> gr.Blocks:
    """Return the app for a model.

    Args:
        segmenter: segments one photo at a time; may still be loading (`model_loader.LazySegmenter`).
        examples: folder of example photos; their names are in `tabs.segment.EXAMPLES`.
        address: where programs reach the app, a Space's name or a URL; shown in the page's API examples.
        models: other models that can be compared with this one.
        save_corrections: data set folder for corrected results from `/refine` and the page; None saves none.
    """
    with deferred(), Page(title=tr("clothseg: clothes, cut out"), delete_cache=(600, KEEP_SECONDS)) as page:
        gr.HTML(html.header())
        notice = gr.HTML(elem_id="loading")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab(tr("Segment"), id="segment"):
                segment = SegmentTab(examples, save_corrections is not None)
                connect(segment, segmenter, save_corrections)
            with gr.Tab(tr("Batch"), id="batch"):
                batch_tab(segmenter)
            with gr.Tab(tr("Live"), id="live"):
                live_tab(segmenter)
            with gr.Tab(tr("Compare"), id="compare") as tab:
                follow_photo(tab, _photo(page), compare_tab(segmenter, models))
            with gr.Tab(tr("About"), id="about"):
                model, figures = about_tab(address, segmenter.labels)
        tell(page, segmenter, Places(notice, model, figures, gr.HTML()))
        add_endpoints(segmenter, save_corrections)

        def opened_by(request: gr.Request) -> Any:
            query = dict(request.query_params)
            return from_link(query, segmenter.labels) if query else gr.skip()

        private: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        opened = page.load(opened_by, None, segment.linked, **private)
        opened.then(None, None, None, js=f"async () => {{ {PAGE_READY} window.clothseg.begin(); }}", **private)
    return page


def _photo(page: gr.Blocks) -> Any:
    """Return the photo of the Segment tab."""
    return next(block for block in page.blocks.values() if block.elem_id == "photo")


def page_script() -> str:
    """Return the page's script: a function that Gradio runs once in the browser."""
    folder = Path(__file__).with_name("page")
    parts = [(folder / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS]
    return "() => {\n" + "\n".join(parts) + "}"


def launch_options() -> dict[str, Any]:
    """Return the options that Gradio takes at launch instead of when the page is built: style, limits and switches."""
    with deferred():
        texts = {
            "LANGUAGE": tr("en"),
            "EXAMPLE": tr("Example {number}", number="${index + 1}"),
            "PICTURE": tr("Picture"),
            "COPIED": tr("The cut-out was copied."),
            "SENT_AGAIN": tr("The server had lost the photo. It was sent again."),
            "LOST": tr("The server has lost the photo. Please open it again."),
            "REDUCED": tr(
                "The photo is larger than this app accepts. It was reduced to {width} × {height} pixels.",
                width="${canvas.width}",
                height="${canvas.height}",
            ),
            "MOST_PIXELS": str(pixel_limit()),
            "MOST_BYTES": str(MAX_FILE_BYTES),
            "MOST_UPLOAD": str(MAX_UPLOAD_BYTES),
            "TOO_LARGE": tr("The photo is too large: the limit is {limit} MB.", limit=MAX_FILE_BYTES // 2**20),
            "TOO_LARGE_UPLOAD": tr(
                "{name} is too large: the limit is {limit} MB.", name="${name}", limit=MAX_UPLOAD_BYTES // 2**20
            ),
            "NO_PICTURE": tr(
                "{name} is not a readable image; use {formats}.", name="${name}", formats=tr(FORMATS_TEXT)
            ),
            "NOT_READY": tr("The page was not ready yet. Please add the file again."),
            "NOT_PASTED": tr("The browser did not allow pasting. Press Ctrl+V."),
            "NOTHING_TO_PASTE": tr("The clipboard contains no picture."),
            "NOT_COPIED": tr("The browser did not allow copying. Use Download."),
        }
    script = page_script()
    for place, text in texts.items():
        script = script.replace(f"{{{{{place}}}}}", text)
    return {
        "theme": paper_and_ink(),
        "css": html.style(),
        "css_paths": Path(__file__).with_name("ui.css"),
        "max_file_size": MAX_UPLOAD_BYTES,
        # Each session keeps its photo and label map; this limits the memory that closed tabs still use.
        "state_session_capacity": 64,
        "run_history": False,
        "show_error": True,
        "ssr_mode": False,
        "footer_links": ["api", "settings"],
        "js": script,
        **WITHOUT_REQUEST,
    }
