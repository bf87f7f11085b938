"""Annotations that are pictures: of class ids (grey or with a palette), or of one colour for each class."""

import json
import re
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError, DataError
from clothseg.images.file_types import SUFFIXES
from clothseg.labels import IGNORE
from clothseg.training.annotations.source import Annotated, Ids, Source, ids_of_names, upright


Palette = dict[str, tuple[int, int, int]]

_CVAT = re.compile(r"(?P<name>[^:#]+):(?P<red>\d+),(?P<green>\d+),(?P<blue>\d+):.*")
_HEX = re.compile(r"#?[0-9a-fA-F]{6}")


def read_palette(file: Path) -> Palette:
    """Read the colours of classes: JSON from names to colours ("#ff8800" or [255, 136, 0]), a labels.json with
    colours, or the labelmap.txt of CVAT.

    Raises:
        ConfigError: it cannot be read, or two classes have the same colour.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--palette {file} cannot be read: {error}.") from error
    palette: Palette = {}
    try:
        if file.suffix.lower() == ".json":
            content = json.loads(text)
            if "classes" in content:
                content = {each["name"]: each["color"] for each in content["classes"]}
            palette = {str(name): _color(color) for name, color in content.items()}
        else:
            for line in filter(None, map(str.strip, text.splitlines())):
                if not line.startswith("#"):
                    found = _CVAT.fullmatch(line)
                    if not found:
                        raise ValueError(f"the line {line[:60]!r} is not name:red,green,blue::")
                    palette[found["name"]] = _color([int(found[part]) for part in ("red", "green", "blue")])
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ConfigError(
            f"--palette {file} must be JSON from names to colours, such as "
            f'{{"background": "#000000", "top": [66, 133, 244]}}, or a labelmap.txt of CVAT: {error}.'
        ) from error
    if not palette:
        raise ConfigError(f"--palette {file} has no colours.")
    if len({*palette.values()}) < len(palette):
        raise ConfigError(f"--palette {file} gives two classes the same colour.")
    return palette


def _color(given: Any) -> tuple[int, int, int]:
    if isinstance(given, str) and _HEX.fullmatch(given):
        red, green, blue = bytes.fromhex(given.removeprefix("#"))
    else:
        red, green, blue = given
    if not all(isinstance(part, int) and 0 <= part <= 255 for part in (red, green, blue)):
        raise ValueError(f"{given!r} is not a colour")
    return red, green, blue


def read_pictures(masks: Path, photos: Path, palette: Palette | None = None, ignore_unknown: bool = False) -> Source:
    """Read a folder of masks and its folder of photos; a mask has its photo's name, apart from the suffix.

    Args:
        masks: folder of the masks.
        photos: folder of the photos.
        palette: the colours of the classes; None for masks of class ids.
        ignore_unknown: whether pixels of other colours are not annotated; otherwise the mask is wrong.

    Raises:
        DataError: no mask has a photo.
    """
    kind = "masks of class ids" if palette is None else "colour-coded masks"
    ids = ids_of_names(palette or ())
    source = Source(kind, None, [])
    if palette:
        source.names = {index: name for name, index in ids.items()}
    by_color = {color: ids[name] for name, color in (palette or {}).items()}
    by_name = {file.relative_to(photos).with_suffix("").as_posix(): file for file in _pictures(photos)}
    found = {file.relative_to(masks).with_suffix("").as_posix(): file for file in _pictures(masks)}
    for name, mask in found.items():
        if name not in by_name:
            source.ignored["masks without a photo"] += 1
            continue
        draw = partial(_draw, mask, by_name[name], by_color, ignore_unknown, source.ignored)
        source.photos.append(Annotated(name, by_name[name], draw))
    source.ignored["photos without a mask"] += len(by_name.keys() - found.keys())
    if not source.photos:
        raise DataError(f"No mask in {masks} has the name of a photo in {photos}, apart from the suffix.")
    return source


def _pictures(folder: Path) -> list[Path]:
    return [
        file
        for file in sorted(folder.rglob("*"))
        if file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and file.is_file()
    ]


def _draw(
    mask: Path,
    photo: Path,
    palette: dict[tuple[int, int, int], int],
    ignore_unknown: bool,
    ignored: Counter[str],
) -> tuple[Ids, Counter[int]]:
    try:
        with Image.open(mask) as picture:
            stored = np.asarray(picture.convert("RGB") if palette else picture)
    except Exception as error:  # decoders answer damaged bytes with nearly any exception
        raise DataError(f"{mask.name} is not a readable picture.") from error
    ids = _by_color(stored, palette, ignore_unknown, ignored) if palette else _grey(stored)
    shown = np.flatnonzero(np.bincount(ids.ravel()))
    return upright(ids, photo), Counter({int(index): 1 for index in shown})


def _grey(stored: npt.NDArray[Any]) -> Ids:
    if stored.ndim == 3:
        if not (stored[..., :1] == stored[..., :3]).all():
            raise DataError("the mask is a colour picture: give the colours of the classes with --palette.")
        stored = stored[..., 0]
    if stored.dtype == np.bool_:
        stored = stored.astype(np.uint8)
    if stored.size and (stored.min() < 0 or stored.max() > 65_535 or (stored != stored.astype(np.uint16)).any()):
        raise DataError("the mask has values that are not whole numbers from 0 to 65535.")
    return stored.astype(np.uint16)


def _by_color(
    stored: npt.NDArray[np.uint8], palette: dict[tuple[int, int, int], int], ignore: bool, ignored: Counter[str]
) -> Ids:
    numbers = stored.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    known = {(red << 16) + (green << 8) + blue: index for (red, green, blue), index in palette.items()}
    values, places = np.unique(numbers, return_inverse=True)
    ids = np.array([known.get(int(value), IGNORE) for value in values], np.uint16)
    unknown = np.array([int(value) not in known for value in values])
    if unknown.any():
        pixels = np.bincount(places.ravel(), minlength=len(values))[unknown]
        if not ignore:
            colors = ", ".join(f"#{value:06x}" for value in values[unknown][np.argsort(-pixels)][:3])
            raise DataError(
                f"{pixels.sum() / numbers.size:.1%} of the pixels have colours that the palette lacks, such as "
                f"{colors}; --unknown_colors ignore leaves them unannotated."
            )
        ignored["pixels of unknown colours"] += int(pixels.sum())
    return ids[places].reshape(numbers.shape)
