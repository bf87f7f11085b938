"""Items in the formats of labelling and training tools, and as outlines: one photo, or one file for many."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

from clothseg.errors import ConfigError
from clothseg.images.file_names import escaped
from clothseg.labels import ATR, LabelSet
from clothseg.outputs import coco
from clothseg.outputs.formats import cvat, label_studio, labelme, psd, svg, yolo
from clothseg.outputs.items import Item


Pixels = npt.NDArray[np.uint8]


class Format(NamedTuple):
    """A format.

    Attributes:
        suffix: of a photo's file.
        merged: name of the one file of many photos; None if each photo keeps its own.
        extra: name of a file that describes the data set or the project; None for none.
    """

    suffix: str
    merged: str | None = None
    extra: str | None = None


FORMATS = {
    "coco": Format(".json", "coco.json"),
    "yolo": Format(".txt", extra="data.yaml"),
    "labelme": Format(".json"),
    "label-studio": Format(".json", "label-studio.json", "label-studio.xml"),
    "cvat": Format(".xml", "cvat.xml"),
    "svg": Format(".svg"),
    "psd": Format(".psd"),
}
"""Name -> format."""

WITH_POLYGONS = ("coco", "label-studio", "cvat")
"""Formats with a choice between exact masks and polygons."""


def encode(
    kind: str,
    items: Sequence[Item],
    size: tuple[int, int],
    photo: str | None = None,
    polygons: bool = False,
    model: str | None = None,
    labels: LabelSet = ATR,
    picture: tuple[Pixels, Pixels | None] | None = None,
) -> bytes:
    """Return a photo's file.

    Args:
        kind: one of `FORMATS`.
        items: of the photo.
        size: (height, width) of the photo.
        photo: its file name or path.
        polygons: write polygons, in `WITH_POLYGONS`; else exact masks.
        model: name of the model that found the items.
        labels: the classes.
        picture: the photo (H, W, 3) uint8 and its opacity (H, W) uint8 or None; only "psd" needs it.

    Raises:
        ConfigError: an unknown format, or "psd" cannot be written.

    >>> encode("yolo", [], (4, 4))
    b''
    """
    if kind not in FORMATS:
        raise ConfigError(f"The format can be {', '.join(FORMATS)}, not {kind!r}.")
    if kind == "psd":
        assert picture is not None, "a PSD needs the photo"
        return psd.to_psd(items, *picture)
    if kind == "yolo":
        text = yolo.to_yolo(items)
    elif kind == "svg":
        text = svg.to_svg(items, size, labels)
    elif kind == "cvat":
        text = cvat.to_cvat(items, size, photo, polygons, labels)
    elif kind == "labelme":
        text = json.dumps(labelme.to_labelme(items, size, photo), ensure_ascii=False)
    elif kind == "label-studio":
        # a list of tasks, as Label Studio imports it
        text = json.dumps([label_studio.to_task(items, size, photo, polygons, model)], ensure_ascii=False)
    else:
        text = json.dumps(coco.to_coco(items, size, photo, polygons, model, labels), ensure_ascii=False)
    return escaped(text).encode()


def extra_text(kind: str, labels: LabelSet = ATR) -> str:
    """Return the text of a format's extra file."""
    return yolo.data_yaml(labels) if kind == "yolo" else label_studio.labeling_config(labels)


def extra_path(kind: str) -> str:
    """Return the path of a format's extra file in a folder or ZIP: that of YOLO lies beside its folder of labels."""
    return f"{kind}/{FORMATS[kind].extra}" if kind == "yolo" else FORMATS[kind].extra or ""


def write_merged(
    kind: str, stream: IO[str], parts: Callable[[], Iterator[str]], model: str | None = None, labels: LabelSet = ATR
) -> None:
    """Write the files of many photos as one; only one photo's is in memory at a time.

    Args:
        kind: a format with a merged file.
        stream: a text stream in UTF-8.
        parts: returns the texts of `encode`, the same ones in the same order in each of its calls.
        model: name of the model that found the items.
        labels: the classes.
    """
    if kind == "coco":
        coco.write_merged(stream, lambda: map(json.loads, parts()), model, labels)
    elif kind == "cvat":
        cvat.write_merged(stream, parts, labels)
    else:
        stream.write("[")
        for number, part in enumerate(parts()):
            stream.write(("" if number == 0 else ",") + "\n" + part.strip()[1:-1])
        stream.write("\n]\n")
