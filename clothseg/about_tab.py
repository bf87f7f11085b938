"""The tab that says what the classes mean, what the model is worth and where its limits are."""

import re
from pathlib import Path

import gradio as gr

from clothseg import facts
from clothseg.segmenter import Segmenter


def about_tab(segmenter: Segmenter, address: str) -> None:
    """Add the tab's components to the Blocks being built.

    Args:
        segmenter: The model that is served.
        address: Where programs reach the app: a Space's name or a URL.
    """
    with gr.Row(elem_classes="two"):
        with gr.Column(elem_classes="card"):
            gr.HTML(facts.classes())
        with gr.Column(elem_classes="card"):
            gr.HTML(facts.limits())
            gr.HTML(facts.model(segmenter.name, segmenter.revision, segmenter.license_note))
    if figures := card_figures(segmenter.folder):
        with gr.Column(elem_classes="card", elem_id="figures"):
            gr.Markdown(figures)
    with gr.Column(elem_classes="card", elem_id="manual"):
        gr.Markdown(facts.manual(address))


def card_figures(folder: Path | None) -> str:
    """What a model's card says of its worth, as Markdown without its pictures; empty if it says nothing."""
    if folder is None:
        return ""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
    except OSError:
        return ""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    wanted = [part for part in parts if part.startswith(("## Figures", "## What it can do"))]
    return re.sub(r"^!\[[^\]]*\]\([^)]*\)\n*", "", "\n".join(wanted), flags=re.MULTILINE).strip()
