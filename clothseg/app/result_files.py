"""The files that a visitor takes away from the tab for one photo."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from clothseg.app.components.parts import mask_of_parts
from clothseg.app.corrections import as_shown, lost
from clothseg.app.downloads import (
    FORMATS,
    save_coco,
    save_cutout_picture,
    save_format,
    save_items,
    save_items_zip,
    save_labels,
    save_mask,
    save_masks_zip,
    save_packshot,
    save_recolored,
    save_summary,
    save_tryon_zip,
)
from clothseg.app.i18n import tr
from clothseg.app.photo_input import plain_errors
from clothseg.app.selection import Choice, PhotoResult, cutout_of, items_of
from clothseg.app.settings import cutout_options, hex_of
from clothseg.batch.training_examples import save_training_example
from clothseg.options import CutoutOptions, PackshotOptions, TryonOptions
from clothseg.outputs.masks import KEPT
from clothseg.segmenter import Segmenter


EXPORTS = (
    ("Recoloured photo (PNG)", "recolor"),
    ("Packshot, square (PNG)", "packshot-1:1"),
    ("Packshot, 4:5 (PNG)", "packshot-4:5"),
    ("Try-on mask: upper garment (ZIP)", "tryon-upper"),
    ("Try-on mask: lower garment (ZIP)", "tryon-lower"),
    ("Try-on mask: whole outfit (ZIP)", "tryon-overall"),
    *FORMATS,
)
"""The page's names of files for other tools, and what `ResultFiles.for_tool` calls them."""


class ResultFiles:
    """Makes the files of one model's results."""

    def __init__(self, segmenter: Segmenter) -> None:
        """Make files of results of `segmenter`, which applies corrections that the server does not have yet."""
        self.segmenter = segmenter

    def file(self, kind: str) -> Callable[..., str | None]:
        """Return a handler that writes a file of a kind for the state of the browser, and returns its path."""
        write = _FILES[kind]

        @plain_errors
        def make(said: Any, seen: Any, polygons: bool, *settings: Any) -> str | None:
            if not isinstance(seen, PhotoResult):
                return None
            choice = Choice.of(said)
            return write(as_shown(self.segmenter, seen, choice), choice.picked, cutout_options(*settings), polygons)

        return make

    @plain_errors
    def for_tool(self, said: Any, seen: Any, kind: str, color: str, polygons: bool, *settings: Any) -> str | None:
        """Make a file for another tool, one of `EXPORTS`, from what the browser shows, and return its path."""
        if not isinstance(seen, PhotoResult) or kind not in {each for _, each in EXPORTS}:
            return None
        choice = Choice.of(said)
        result = as_shown(self.segmenter, seen, choice).result
        if kind == "recolor":
            return save_recolored(result, [mask_of_parts(result, [key]) for key in choice.picked], hex_of(color))
        if kind.startswith("packshot-"):
            shot = PackshotOptions.of({"aspect": kind.partition("-")[2], "shadow": True})
            return save_packshot(result, mask_of_parts(result, choice.picked), shot, cutout_options(*settings))
        if kind.startswith("tryon-"):
            return save_tryon_zip(result, TryonOptions.of({"part": kind.partition("-")[2]}))
        return save_format(result, items_of(result), kind, polygons)

    def training_example(self, folder: Path) -> Callable[[Any, Any], Any]:
        """Return a handler that saves photo and label map, as the browser shows them, to a data set folder."""

        @plain_errors
        def save(said: Any, seen: Any) -> Any:
            if not isinstance(seen, PhotoResult):
                return lost(said)
            path = save_training_example(as_shown(self.segmenter, seen, Choice.of(said)).result, folder)
            gr.Info(tr("Saved as training example {id}.", id=path.stem))
            return gr.skip()

        return save


def cutout_file(seen: PhotoResult, picked: Sequence[str], options: CutoutOptions) -> str | None:
    """Write the cut-out of the parts with the keys `picked`, unless the last one is the same; None without parts."""
    if not picked:
        return None
    return seen.cutout_file.path(
        (frozenset(picked), options) if isinstance(options.background, str) else None,
        lambda: save_cutout_picture(seen.result, cutout_of(seen.result, picked, options)),
    )


def _each(seen: PhotoResult, picked: Sequence[str], options: CutoutOptions, polygons: bool) -> str | None:
    return save_items_zip(seen.result, items_of(seen.result, picked), options, polygons) if picked else None


def _mask(seen: PhotoResult, picked: Sequence[str], options: CutoutOptions, polygons: bool) -> str | None:
    return save_mask(seen.result, mask_of_parts(seen.result, picked), options) if picked else None


def _masks(seen: PhotoResult, picked: Sequence[str], options: CutoutOptions, polygons: bool) -> str | None:
    masks = {KEPT: mask_of_parts(seen.result, picked)} | {key: mask_of_parts(seen.result, [key]) for key in picked}
    return save_masks_zip(seen.result, masks, options) if picked else None


_FILES: dict[str, Callable[[PhotoResult, Sequence[str], CutoutOptions, bool], str | None]] = {
    "cutout": lambda seen, picked, options, polygons: cutout_file(seen, picked, options),
    "each": _each,
    "mask": _mask,
    "masks": _masks,
    "labels": lambda seen, picked, options, polygons: save_labels(seen.result),
    "summary": lambda seen, picked, options, polygons: save_summary(seen.result),
    "items": lambda seen, picked, options, polygons: save_items(seen.result, items_of(seen.result)),
    "coco": lambda seen, picked, options, polygons: save_coco(seen.result, items_of(seen.result), polygons),
}
