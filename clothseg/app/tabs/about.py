"""The About tab: the classes, the model's accuracy and its limits."""

import re
from pathlib import Path

import gradio as gr

from clothseg.app import about
from clothseg.labels import LabelSet


def about_tab(address: str, labels: LabelSet) -> tuple[gr.HTML, gr.Markdown]:
    """Add the tab's components to the Blocks being built; return the still empty ones that show the model.

    Args:
        address: where programs reach the app: a Space's name or a URL.
        labels: the model's classes.
    """
    with gr.Row(elem_classes="two"):
        with gr.Column(elem_classes="card"):
            gr.HTML(about.classes(labels))
        with gr.Column(elem_classes="card"):
            gr.HTML(about.limits(labels))
            model = gr.HTML()
    figures = gr.Markdown(elem_classes="card", elem_id="figures")
    with gr.Column(elem_classes="card", elem_id="manual"):
        gr.Markdown(about.manual(address, labels))
    return model, figures


def card_figures(folder: Path | None) -> str:
    """Return the figures of a model's card as Markdown without pictures; empty if it has none."""
    if folder is None:
        return ""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8")
    except OSError:
        return ""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    wanted = [part for part in parts if part.startswith(("## Figures", "## What it can do"))]
    return re.sub(r"^!\[[^\]]*\]\([^)]*\)\n*", "", "\n".join(wanted), flags=re.MULTILINE).strip()
