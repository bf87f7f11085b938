"""Items as "CVAT for images 1.1", XML: masks, which are exact, or polygons.

The format: https://docs.cvat.ai/docs/dataset_management/formats/format-cvat/. Pieces of one item that are polygons
have the same `group_id`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import IO
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from clothseg.labels import ATR, LabelSet
from clothseg.outputs.items import Item
from clothseg.outputs.mask_encoding import Mask


def to_cvat(
    items: Sequence[Item],
    size: tuple[int, int],
    photo: str | None = None,
    polygons: bool = False,
    labels: LabelSet = ATR,
) -> str:
    """Return annotations of one photo, XML.

    Args:
        items: of the photo.
        size: (height, width) of the photo.
        photo: its file name or path, as CVAT's task has it.
        polygons: write polygons; else masks, which are exact.
        labels: classes of the task.
    """
    shapes = "".join(_polygons(item) if polygons else _mask(item) for item in items)
    about = f'name={quoteattr(_xml(photo or "photo"))} width="{size[1]}" height="{size[0]}"'
    return f'{head(labels)}  <image id="0" {about}>\n{shapes}  </image>\n{TAIL}'


def write_merged(stream: IO[str], parts: Callable[[], Iterator[str]], labels: LabelSet = ATR) -> None:
    """Write the annotations of many photos, each from `to_cvat`, as one file with numbered images."""
    stream.write(head(labels))
    for number, part in enumerate(parts()):
        start, end = part.index('<image id="0"'), part.rindex("</image>")
        stream.write(f'  <image id="{number}"{part[start + len(_FIRST) : end]}</image>\n')
    stream.write(TAIL)


TAIL = "</annotations>\n"

_FIRST = '<image id="0"'


def head(labels: LabelSet = ATR) -> str:
    """Return the beginning of the file, with the classes and their colours."""
    classes = "".join(
        f"<label><name>{escape(name)}</name><color>{labels.hex_color(name)}</color><type>any</type>"
        "<attributes></attributes></label>"
        for name in labels.foreground
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n  <version>1.1</version>\n'
        f"  <meta><task><name>clothseg</name><labels>{classes}</labels></task></meta>\n"
    )


def mask_runs(mask: Mask) -> list[int]:
    """Return CVAT's run lengths of an (h, w) bool mask over its box: alternately outside and inside, row by row.

    >>> mask_runs(np.array([[True, True, False], [False, True, True]]))
    [0, 2, 2, 2]
    """
    flat = mask.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *runs] if flat[0] else runs


def _mask(item: Item) -> str:
    x, y, width, height = item.box
    runs = ", ".join(map(str, mask_runs(item.mask)))
    return (
        f'    <mask label={quoteattr(item.name)} source="auto" occluded="0" rle="{runs}" left="{x}" top="{y}" '
        f'width="{width}" height="{height}" z_order="0">\n    </mask>\n'
    )


def _polygons(item: Item) -> str:
    group = f' group_id="{item.index}"' if len(item.polygons) > 1 else ""
    shapes = []
    for polygon in item.polygons:
        points = ";".join(f"{x:.2f},{y:.2f}" for x, y in zip(polygon[::2], polygon[1::2], strict=True))
        about = f'label={quoteattr(item.name)} source="auto" occluded="0" points="{points}" z_order="0"{group}'
        shapes.append(f"    <polygon {about}>\n    </polygon>\n")
    return "".join(shapes)


def _xml(text: str) -> str:
    """Return text without characters that XML cannot hold."""
    return "".join(letter if letter >= " " and not "\ud800" <= letter <= "\udfff" else "_" for letter in text)
