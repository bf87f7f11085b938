"""Segment a clip into a transparent clip of its garments, a clip with coloured regions, or a PNG of each frame.

The options are those of photos, with these exceptions. --crop and --margin: all frames of a clip have the same size.
--people: it would take one more pass for each person in each frame, and people's numbers would change when they pass
each other. --tta: each frame is averaged with earlier frames instead.
"""

import argparse
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from clothseg.commands.common import (
    CUTOUT,
    add_cutout_options,
    add_keep,
    add_model,
    add_precision,
    add_segment_options,
    as_usage,
    cutout_options,
    labels_of,
    segment_options,
)
from clothseg.commands.numbers import number
from clothseg.errors import UsageError
from clothseg.options import VIDEO_OPTIONS
from clothseg.video.reader import FORMATS_TEXT, MAX_PIXELS, MAX_SECONDS, Clip, import_av, open_clip


if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from clothseg.options import CutoutOptions
    from clothseg.segmentation import Segmentation
    from clothseg.video.writer import Write


HELP = "segment a clip"

SUFFIXES = {".webm": "cutout", ".mov": "cutout", ".mp4": "overlay"}
"""Outputs that each kind of clip supports. PNGs support all, and MP4 also cut-outs on a background."""

PHOTOS_ONLY = ("crop", "margin")
"""Options of cut-outs that clips do not have, since all frames have one size."""

KINDS = ("cutout", "overlay", "labels")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("clip", metavar="CLIP", type=Path, help=FORMATS_TEXT)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="NAME.webm (VP9) or NAME.mov (ProRes 4444, large) for a transparent clip, NAME.mp4 for a clip with "
        "coloured regions or with cut-outs on a --background, NAME.zip or a new folder for a PNG of each frame",
    )
    parser.add_argument(
        "--write", choices=KINDS, help="what to show (default: overlay for MP4 without --background, else cutout)"
    )
    add_keep(parser, "the cut-out")
    parser.add_argument(
        "--smooth",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="average over frames to reduce flicker (default: on)",
    )
    add_segment_options(parser, VIDEO_OPTIONS)
    add_model(parser)
    add_precision(parser)
    parser.add_argument(
        "--max_seconds",
        type=number(float, 0.1),
        default=MAX_SECONDS,
        metavar="SECONDS",
        help=f"longest clip (default: {MAX_SECONDS:g})",
    )
    parser.add_argument(
        "--max_pixels",
        type=number(int, 1),
        default=MAX_PIXELS,
        metavar="PIXELS",
        help=f"largest frame, width x height (default: {MAX_PIXELS:,})",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    add_cutout_options(parser, leave_out=PHOTOS_ONLY)


def run(arguments: argparse.Namespace) -> int:
    """Segment the clip, and print the speed and how steady the labels are.

    Returns:
        0.

    Raises:
        UsageError: wrong arguments.
        ImageError: the clip cannot be used; nothing is written then.
        ConfigError: PyAV is not installed, or the file cannot be written.
        ClothsegError: the model cannot be loaded.
    """
    out: Path = arguments.out
    labels = labels_of(arguments)
    with as_usage():
        keep, cutout = labels.class_names(arguments.keep), cutout_options(arguments)
        segment_options(arguments).excluded_ids(labels)
    kind = _kind(out, arguments.write, cutout.background != "none")
    given = [name for name in CUTOUT if getattr(arguments, name, None)]
    if given and kind != "cutout":
        raise UsageError(f"--{given[0]} is an option of cut-outs, and {out.name} shows {kind}: see --write.")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"There is no folder {out.parent}; create it first.")
    replaces = out.is_file() and arguments.overwrite and out.resolve() != arguments.clip.resolve()
    if out.exists() and not replaces:
        raise UsageError(f"{out} exists already; give another name{'' if out.is_dir() else ', or --overwrite'}.")
    import_av()
    with open_clip(arguments.clip, arguments.max_seconds, arguments.max_pixels) as clip:
        from clothseg.video.writer import clip_writer, picture_writer

        sound = arguments.clip if out.suffix.lower() == ".mp4" else None
        is_clip = out.suffix.lower() in SUFFIXES
        with clip_writer(out, clip.rate, sound) if is_clip else picture_writer(out, clip.rate) as write:
            said = _segment(clip, write, _Wanted(kind, keep, cutout), arguments)
    sys.stdout.write(f"{said} Written to {out}.\n")
    return 0


class _Wanted(NamedTuple):
    """The requested output for each frame."""

    kind: str
    keep: tuple[str, ...]
    cutout: "CutoutOptions"


def _segment(clip: Clip, write: "Write", wanted: _Wanted, arguments: argparse.Namespace) -> str:
    import numpy as np
    from tqdm.auto import tqdm

    from clothseg.segmenter import Segmenter
    from clothseg.video.optical_flow import Steadiness
    from clothseg.video.stream import segment_frames

    segmenter = Segmenter.from_pretrained(arguments.model, revision=arguments.revision, precision=arguments.precision)
    times: deque[Fraction] = deque()  # frames are taken ahead of the results

    def frames() -> "Iterator[npt.NDArray[np.uint8]]":
        for frame in clip:
            times.append(frame.time)
            yield frame.pixels

    steadiness, began, count = Steadiness(), time.monotonic(), 0
    options = segment_options(arguments)
    with closing(segment_frames(segmenter, frames(), options, smooth=arguments.smooth)) as results:  # type: ignore[type-var]
        for result in tqdm(results, total=clip.frames, unit=" frames"):
            if not count:
                wanted = _scaled(wanted, result.photo.size)
            write(_picture(result, wanted), times.popleft())
            steadiness.add(np.asarray(result.on_white), result.label_map)
            count += 1
    rate = count / max(1e-9, time.monotonic() - began)
    kept = "" if np.isnan(steadiness.mean) else f"; from frame to frame {steadiness.mean:.1%} of the labels stay"
    return f"{count} frames, {rate:.1f} a second ({float(rate / clip.rate):.2f} times real time){kept}."


def _picture(result: "Segmentation", wanted: _Wanted) -> "Image.Image":
    from clothseg.outputs.render import palette_image

    if wanted.kind == "labels":
        return palette_image(result.label_map, result.labels)
    return result.overlay() if wanted.kind == "overlay" else result.cutout(*wanted.keep, options=wanted.cutout)


def _scaled(wanted: _Wanted, size: tuple[int, int]) -> _Wanted:
    """Return `wanted` with a background picture scaled once instead of for each frame."""
    from PIL import Image

    from clothseg.outputs.cutout import cover

    background = wanted.cutout.background
    if not isinstance(background, Image.Image):
        return wanted
    return wanted._replace(cutout=replace(wanted.cutout, background=cover(background, size)))


def _kind(out: Path, wanted: str | None, grounded: bool) -> str:
    """Return what to write, which the file must be able to hold; `grounded`: cut-outs have a background."""
    suffix = out.suffix.lower()
    if suffix not in (*SUFFIXES, ".zip", ""):
        raise UsageError(f"--out must end in {', '.join(SUFFIXES)} or .zip, or be a new folder, not {out.name}.")
    only = SUFFIXES.get(suffix)
    if suffix == ".mp4" and grounded and wanted in (None, "cutout"):
        return "cutout"
    if only and wanted and wanted != only:
        fitting = [name for name, kind in SUFFIXES.items() if kind == wanted]
        ground = "; or give it a --background" if suffix == ".mp4" and wanted == "cutout" else ""
        raise UsageError(
            f"A {suffix} file can hold {only}, not {wanted}; for {wanted}, use "
            f"{' or '.join([*(f'NAME{name}' for name in fitting), 'NAME.zip', 'a folder'])}{ground}."
        )
    return wanted or only or "cutout"
