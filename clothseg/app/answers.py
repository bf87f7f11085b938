"""The server's answers to a visitor's actions on the tab for one photo; independent of the tab's components."""

import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from clothseg.app import html
from clothseg.app.cards import cards
from clothseg.app.components.stage import cutout_value, stage_news, stage_value
from clothseg.app.corrections import as_shown, corrected, lost
from clothseg.app.downloads import new_name
from clothseg.app.i18n import tr
from clothseg.app.messages import localized
from clothseg.app.photo_input import fitting_photo, plain_errors
from clothseg.app.result_files import cutout_file
from clothseg.app.selection import Choice, PhotoResult, carried, find_parts_by_words, first_picks, preview_of
from clothseg.app.server.lazy_files import lazy_file
from clothseg.app.settings import cutout_options, switch_options
from clothseg.errors import ClothsegError
from clothseg.options import CutoutOptions, SegmentOptions
from clothseg.segmenter import Segmenter


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
                    "The photo is larger than this app accepts. It was reduced to {width} × {height} pixels.",
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
            return gr.skip(), lost(said), gr.skip()
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
        found = as_shown(self.segmenter, seen, Choice.of(said))
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
            return lost(said)
        options = cutout_options(*settings)
        # A new photo's first picks are the server's; the browser has them a moment later.
        picked = choice.picked if choice.number == seen.number else seen.picked
        cutout = cutout_value(preview_of(seen, picked, options), picked) if picked else None
        download = _dragged(seen, picked, options) if picked else None
        return stage_news(seen.number, cutout=cutout, background=_color(options), download=download)


def _color(options: CutoutOptions) -> str | None:
    """Return the background colour for the stage to draw."""
    return options.background if isinstance(options.background, str) and options.background != "none" else None


def _dragged(seen: PhotoResult, picked: Sequence[str], options: CutoutOptions) -> dict[str, Any]:
    """The file that dragging the cut-out out of the browser gives; it is written when the browser fetches it."""
    held = weakref.ref(seen)  # a photo that the session has dropped is not kept for this

    def write() -> str | None:
        now = held()
        return None if now is None else cutout_file(now, picked, options)

    name = new_name(seen.result, "-cutout.png")
    return {"url": lazy_file(write), "name": name, "type": "image/png", "picked": list(picked)}
