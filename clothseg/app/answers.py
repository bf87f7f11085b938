"""The server's answers to a visitor's actions on the tab for one photo; independent of the tab's components."""

import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from clothseg.app import html
from clothseg.app.cards import cards
from clothseg.app.components.parts import mask_of_parts
from clothseg.app.components.stage import cutout_value, stage_news, stage_value
from clothseg.app.corrections import corrected
from clothseg.app.downloads import (
    FORMATS,
    new_name,
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
from clothseg.app.messages import localized
from clothseg.app.photo_input import fitting_photo, plain_errors
from clothseg.app.selection import (
    Choice,
    PhotoResult,
    carried,
    cutout_of,
    find_parts_by_words,
    first_picks,
    items_of,
    preview_of,
)
from clothseg.app.server.lazy_files import lazy_file
from clothseg.app.settings import OPACITY, SWITCHES, Settings, cutout_options, hex_of, switch_options, write_link
from clothseg.batch.training_examples import save_training_example
from clothseg.errors import ClothsegError
from clothseg.options import CutoutOptions, PackshotOptions, SegmentOptions, TryonOptions
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
"""The page's names of files for other tools, and what `Answers.for_tool` calls them."""


class Answers:
    """The answers of one model.

    Attributes:
        refused: replaces the result of a photo that could not be used.
        unchanged: replaces a result that is already shown.
    """

    refused = "refused"
    unchanged: tuple[()] = ()

    def __init__(self, segmenter: Segmenter) -> None:
        """Answer with `segmenter`, which segments one photo at a time."""
        self.segmenter = segmenter

    def analyse(
        self,
        said: Any,
        path: str | bytes | None,
        before: Any,
        kept: Sequence[str],
        ticks: Sequence[bool],
        settings: Sequence[Any],
    ) -> tuple[PhotoResult, dict[str, Any]] | tuple[()] | str | None:
        """Segment a photo.

        Args:
            said: what the browser shows (`Choice.of`).
            path: of the photo; None if there is none.
            before: what was returned last, or None.
            kept: classes that a link picks.
            ticks: of the switches.
            settings: of the cut-out.

        Returns:
            The result and the stage's value; `unchanged`; why there is none; or None without a photo.
        """
        if path is None:
            return None
        choice = Choice.of(said)
        try:
            options = SegmentOptions.of(switch_options(ticks))
            shown = before if isinstance(before, PhotoResult) and before.path == path else None
            if shown and shown.options == options and not choice.restoring:
                return self.unchanged  # Gradio sends some changes of a photo twice
            photo = fitting_photo(path)
            result = self.segmenter(path if photo is None else photo, options)
            note = ""
            if photo is not None:
                result = replace(result, name=Path(path).name if isinstance(path, str) else None)
                width, height = photo.size
                note = tr(
                    "The photo is larger than this app takes. It was reduced to {width} × {height} pixels.",
                    width=width,
                    height=height,
                )
            same = choice.restoring or (shown is not None and choice.number == shown.number)
            found = PhotoResult(path, options, result, result, note=note, preview=shown.preview if shown else "")
            if same and choice.edits:
                found = corrected(self.segmenter, found, choice.edits)
            wanted = choice.classes or kept
            labels = found.result.labels
            picked = carried(found.parts, choice.picked) if same else first_picks(found.parts, wanted, labels)
            found = replace(found, picked=tuple(picked))
            return found, self._staged(found, settings)
        except ClothsegError as error:
            return localized(str(error))

    def correct(self, event: gr.EventData, said: Any, seen: Any, *settings: Any) -> tuple[Any, Any, Any]:
        """Return the result, the stage's value and the announcement after the visitor's corrections."""
        wanted = event._data if isinstance(event._data, dict) else {}
        if not isinstance(seen, PhotoResult):
            return gr.skip(), _lost(said), gr.skip()
        if wanted.get("base") != seen.started:
            return gr.skip(), gr.skip(), gr.skip()
        try:
            found = corrected(self.segmenter, seen, Choice.of(wanted).edits)
        except ClothsegError as error:
            gr.Warning(localized(str(error)))
            found = replace(seen)  # includes the corrections that could be applied
        before = {part.key for part in seen.parts}
        garments = found.result.labels.garments
        fresh = [part.key for part in found.parts if part.name in garments and part.key not in before]
        found = replace(found, picked=(*Choice.of(said).picked, *fresh))
        value = self._staged(found, settings) | {"turn": wanted.get("turn")}
        return found, value, html.announcement(self.told(found))

    def _staged(self, found: PhotoResult, settings: Sequence[Any]) -> dict[str, Any]:
        return stage_value(
            found.result,
            found.preview,
            found.number,
            base=found.started,
            parts=found.parts,
            picked=found.picked,
            background=_color(cutout_options(*settings)),
            edits=found.edits,
        )

    def told(self, found: PhotoResult) -> str:
        """Return the text that screen readers announce for a result."""
        names = [tr(part.name) for part in found.parts]
        if not names:
            return tr("No clothes or body parts were found. One person, well visible, works best.")
        return tr("Found: {names}.", names=", ".join(names))

    @staticmethod
    def describe(seen: Any) -> str:
        """Return the cards of a result."""
        return cards(seen.small, seen.parts) if isinstance(seen, PhotoResult) else ""

    def search(self, said: Any, seen: Any, text: str) -> tuple[list[str] | None, str]:
        """Return the keys of the parts that a search means, and what to say of it; None leaves the picks as they
        are."""
        if not isinstance(seen, PhotoResult) or not text.strip():
            return None, ""
        found = self._as_shown(seen, Choice.of(said))
        try:
            keys, notes = find_parts_by_words(found, text)
        except ClothsegError as error:
            return None, html.search_notes([localized(str(error))])
        names = [tr(part.name) for part in found.parts if part.key in keys]
        heard = tr("Found: {names}.", names=", ".join(names)) if names else ""
        return keys or None, html.search_notes([localized(note) for note in notes], heard)

    @staticmethod
    @plain_errors
    def preview(said: Any, seen: Any, *settings: Any) -> Any:
        """Return the refined cut-out of the picked parts, for the stage that shows this result."""
        choice = Choice.of(said)
        if not isinstance(seen, PhotoResult):
            return _lost(said)
        options = cutout_options(*settings)
        # A new photo's first picks are the server's; the browser has them a moment later.
        picked = choice.picked if choice.number == seen.number else seen.picked
        cutout = cutout_value(preview_of(seen, picked, options), picked) if picked else None
        download = _dragged(seen, picked, options) if picked else None
        return stage_news(seen.number, cutout=cutout, background=_color(options), download=download)

    def file(self, kind: str) -> Callable[..., str | None]:
        """Return a handler that writes a file of a kind for the state of the browser, and returns its path."""
        write = _FILES[kind]

        @plain_errors
        def make(said: Any, seen: Any, polygons: bool, *settings: Any) -> str | None:
            if not isinstance(seen, PhotoResult):
                return None
            choice = Choice.of(said)
            return write(self._as_shown(seen, choice), choice.picked, cutout_options(*settings), polygons)

        return make

    @plain_errors
    def for_tool(self, said: Any, seen: Any, kind: str, color: str, polygons: bool, *settings: Any) -> str | None:
        """Make a file for another tool, one of `EXPORTS`, from what the browser shows, and return its path."""
        if not isinstance(seen, PhotoResult) or kind not in {each for _, each in EXPORTS}:
            return None
        choice = Choice.of(said)
        result = self._as_shown(seen, choice).result
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
                return _lost(said)
            path = save_training_example(self._as_shown(seen, Choice.of(said)).result, folder)
            gr.Info(tr("Saved as training example {id}.", id=path.stem))
            return gr.skip()

        return save

    def _as_shown(self, seen: PhotoResult, choice: Choice) -> PhotoResult:
        """Return the result with the corrections that the browser shows; the server may not have them yet."""
        if choice.number and list(seen.edits) != list(choice.edits):
            return corrected(self.segmenter, seen, choice.edits)
        return seen

    @staticmethod
    @plain_errors
    def address(*values: Any) -> str:
        """Return the query of the page's address: the settings, without the picked parts."""
        return write_link(Settings(values[: len(SWITCHES)], cutout=cutout_options(*values[len(SWITCHES) :])))

    @staticmethod
    @plain_errors
    def link(said: Any, seen: Any, *values: Any) -> Any:
        """Return the query of a link to the settings; it names classes only if they differ from the first picks."""
        choice = Choice.of(said)
        opacity = OPACITY if choice.opacity is None else choice.opacity
        keep: tuple[str, ...] = ()
        if isinstance(seen, PhotoResult):
            if set(choice.picked) != set(first_picks(seen.parts, (), seen.result.labels)):
                keep = tuple(dict.fromkeys(part.name for part in seen.parts if part.key in choice.picked))
        settings = Settings(values[: len(SWITCHES)], keep, opacity, cutout_options(*values[len(SWITCHES) :]))
        return gr.update(value=write_link(settings), visible=True)


def _lost(said: Any) -> Any:
    """Return the stage's value if it shows a result that the server no longer has: the browser sends the photo
    again."""
    number = Choice.of(said).number
    return stage_news(number, lost=True) if number else gr.skip()


def _color(options: CutoutOptions) -> str | None:
    """Return the background colour for the stage to draw."""
    return options.background if isinstance(options.background, str) and options.background != "none" else None


def _dragged(seen: PhotoResult, picked: Sequence[str], options: CutoutOptions) -> dict[str, Any]:
    """The file that dragging the cut-out out of the browser gives; it is written when the browser fetches it."""
    held = weakref.ref(seen)  # a photo that the session has dropped is not kept for this

    def write() -> str | None:
        now = held()
        return None if now is None else _cutout(now, picked, options, False)

    name = new_name(seen.result, "-cutout.png")
    return {"url": lazy_file(write), "name": name, "type": "image/png", "picked": list(picked)}


def _cutout(seen: PhotoResult, picked: Sequence[str], options: CutoutOptions, polygons: bool) -> str | None:
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
    "cutout": _cutout,
    "each": _each,
    "mask": _mask,
    "masks": _masks,
    "labels": lambda seen, picked, options, polygons: save_labels(seen.result),
    "summary": lambda seen, picked, options, polygons: save_summary(seen.result),
    "items": lambda seen, picked, options, polygons: save_items(seen.result, items_of(seen.result)),
    "coco": lambda seen, picked, options, polygons: save_coco(seen.result, items_of(seen.result), polygons),
}
