"""Items as a Label Studio task with predictions: brush masks, which are exact, or polygons.

The format: https://labelstud.io/guide/predictions. Brush masks are run lengths of an RGBA picture, packed bit by bit
as in thi.ng/rle-pack, which Label Studio's own converter reads (`label_studio_converter.brush`).
"""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np

from clothseg.labels import ATR, LabelSet
from clothseg.outputs.items import Item
from clothseg.outputs.mask_encoding import Mask


LOCAL_FILES = "/data/local-files/?d="
"""Address of photos that Label Studio serves from a folder; their paths follow."""

_LONGEST = 2**16
_WORD = 8
_SIZES = (3, 4, 8, 16)
"""Numbers of bits for the length of a run."""


def to_task(
    items: Sequence[Item],
    size: tuple[int, int],
    photo: str | None = None,
    polygons: bool = False,
    model: str | None = None,
) -> dict[str, Any]:
    """Return a photo's task with one prediction, JSON-ready.

    Args:
        items: of the photo.
        size: (height, width) of the photo.
        photo: its path below the folder that Label Studio serves.
        polygons: write polygons, which are easier to edit; else brush masks, which are exact.
        model: name of the model that found the items.
    """
    results = [_result(item, number, value) for item in items for number, value in enumerate(_values(item, polygons))]
    scores = [item.confidence for item in items if item.confidence is not None]
    prediction = {
        "model_version": model or "clothseg",
        "score": round(float(np.mean(scores)), 4) if scores else 0.0,
        "result": [{**each, "original_width": size[1], "original_height": size[0]} for each in results],
    }
    return {
        "data": {"image": LOCAL_FILES + quote(photo or "photo", errors="surrogateescape")},
        "predictions": [prediction],
    }


def labeling_config(labels: LabelSet = ATR) -> str:
    """Return the labelling interface of a project that takes brush masks and polygons of these classes, XML."""
    lines = [
        f"    <Label value={quoteattr(name)} background={quoteattr(labels.hex_color(name))}/>"
        for name in labels.foreground
    ]
    tags = "\n".join(
        f'  <{kind} name="{kind[:-6].lower()}" toName="image">\n' + "\n".join(lines) + f"\n  </{kind}>"
        for kind in ("BrushLabels", "PolygonLabels")
    )
    return f'<View>\n  <Image name="image" value="$image" zoom="true"/>\n{tags}\n</View>\n'


def brush_rle(mask: Mask) -> list[int]:
    """Return the run lengths of an (H, W) bool mask, as Label Studio's brush has them: bytes.

    >>> brush_rle(np.ones((1, 2), np.bool_))
    [0, 0, 0, 8, 57, 27, 252, 255, 224]
    """
    flat = mask.ravel()
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flat)) + 1, [flat.size]])
    bits = [format(4 * flat.size, "032b"), format(_WORD - 1, "05b"), *(format(size - 1, "04b") for size in _SIZES)]
    for start, length in zip(starts[:-1].tolist(), np.diff(starts).tolist(), strict=True):
        word = "1" * _WORD if flat[start] else "0" * _WORD
        left = 4 * length  # each pixel has four equal channels
        while left:
            run = min(left, _LONGEST)
            index = next(index for index, size in enumerate(_SIZES) if run <= 2**size)
            bits.append(f"1{index:02b}{run - 1:0{_SIZES[index]}b}{word}")
            left -= run
    joined = "".join(bits)
    joined += "0" * (-len(joined) % 8)
    return np.packbits(np.frombuffer(joined.encode(), np.uint8) - ord("0")).tolist()


def _values(item: Item, polygons: bool) -> list[tuple[str, dict[str, Any]]]:
    """Return (type, value) of each result of an item."""
    if not polygons:
        return [("brushlabels", {"format": "rle", "rle": brush_rle(item.full_mask()), "brushlabels": [item.name]})]
    height, width = item.size
    percent = [np.reshape(polygon, (-1, 2)) * (100 / width, 100 / height) for polygon in item.polygons]
    return [
        ("polygonlabels", {"points": ring.round(4).tolist(), "closed": True, "polygonlabels": [item.name]})
        for ring in percent
    ]


def _result(item: Item, number: int, value: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    kind, content = value
    return {
        "id": f"{item.index}-{number}",
        "type": kind,
        "from_name": kind[:-6],
        "to_name": "image",
        "image_rotation": 0,
        "value": content,
        **({} if item.confidence is None else {"score": round(item.confidence, 4)}),
    }
