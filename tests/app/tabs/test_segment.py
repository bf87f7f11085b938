"""The tab for one photo: notes above the stage, and visible parts of the page."""

from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import Segmentation
from clothseg.app.tabs.segment import SegmentTab
from clothseg.app.tabs.segment_events import connect
from clothseg.labels import LABEL2ID
from clothseg.outputs.notes import HARDLY_ANYTHING, NOBODY, TURNED


DOLL = draw(1, 96, 64)
SHIRT = np.where(DOLL.mask > 0, np.uint8(LABEL2ID["Upper-clothes"]), np.uint8(0))
PHOTO = Image.fromarray(DOLL.image)


@pytest.mark.parametrize(
    ("result", "note", "parts"),
    [
        (Segmentation(PHOTO, DOLL.mask), None, True),
        (Segmentation(PHOTO, SHIRT), NOBODY, True),
        (Segmentation(PHOTO, DOLL.mask, rotation=90), TURNED[90], True),
        (Segmentation(PHOTO, np.zeros_like(SHIRT)), HARDLY_ANYTHING, False),
    ],
)
def test_notes_are_shown_above_the_stage(
    result: Segmentation, note: str | None, parts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    PHOTO.save(tmp_path / "doll.png")

    def segmenter(path: str, *_: Any) -> Segmentation:
        return result

    with gr.Blocks() as page:
        connect(SegmentTab(None), segmenter)  # type: ignore[arg-type]
    (analyse,) = (each for each in page.fns.values() if getattr(each.fn, "__name__", "") == "analyse")
    values: list[Any] = [getattr(component, "value", None) for component in analyse.inputs]
    values[:4] = [None, str(tmp_path / "doll.png"), None, []]
    shown = {component.elem_id: update for component, update in analyse.fn(*values).items()}
    said = shown["message"]
    assert said["visible"] == (note is not None) and (note is None or note in said["value"])
    assert [shown[name]["visible"] for name in ("before", "after", "more", "take")] == [False, True, True, True]
    assert bool(shown["stage"]["parts"]) == bool(shown["stage"]["picked"]) == parts
    assert ("No clothes or body parts" in shown["said"]) == (not parts)
