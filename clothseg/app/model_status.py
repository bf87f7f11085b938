"""Show the model's name and state on the page; pages opened while it is loading are updated."""

from typing import Any, NamedTuple

import gradio as gr

from clothseg.app import about, html
from clothseg.app.i18n import deferred
from clothseg.app.model_loader import failure, pending
from clothseg.app.server.gradio_internals import render_config
from clothseg.app.tabs.about import card_figures
from clothseg.app.translated_blocks import Page
from clothseg.segmenter import Segmenter


ASK_SECONDS = 2
"""Seconds between a page's checks whether the model is loaded."""


class Places(NamedTuple):
    """Components that show the model: a notice while it is loading, and its details afterwards."""

    notice: gr.HTML
    facts: gr.HTML
    figures: gr.Markdown
    footer: gr.HTML


def tell(page: Page, segmenter: Segmenter, places: Places) -> None:
    """Fill `places` of a page that is being built, now or when the model is loaded."""
    coming = pending(segmenter)
    if coming is None:
        _write(places, _news(segmenter))
        return
    _write(places, [html.loading(coming.asked), *[""] * 3])
    watch = gr.Timer(ASK_SECONDS)

    def ask() -> list[Any]:
        if not coming.loaded.done() or failure(coming) is not None:
            return [gr.skip(), *(gr.skip() for _ in places)]
        return [gr.Timer(active=False), *(gr.update(value=text, visible=bool(text)) for text in _news(segmenter))]

    def renew(_: Any) -> None:
        if failure(coming) is None:
            with deferred():
                _write(places, _news(segmenter))
            watch.active = False
            page.config = render_config(page)  # for pages opened later

    watch.tick(ask, None, [watch, *places], queue=False, show_progress="hidden", api_visibility="private")
    coming.loaded.add_done_callback(renew)


def _news(segmenter: Segmenter) -> list[str]:
    known = segmenter.name, segmenter.revision, segmenter.license_note
    return ["", about.model(*known), card_figures(segmenter.folder), html.footer(*known, segmenter.notice)]


def _write(places: Places, texts: list[str]) -> None:
    for component, text in zip(places, texts, strict=True):
        component.value, component.visible = text, bool(text)
