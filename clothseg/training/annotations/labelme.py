"""Annotations of LabelMe: a JSON file with shapes for each photo."""

import base64
import io
import json
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from clothseg.errors import DataError
from clothseg.training.annotations.source import (
    Annotated,
    Ids,
    Source,
    circle,
    fill,
    ids_of_names,
    named,
    photo_sizes,
    upright,
)


def is_labelme(content: Any) -> bool:
    """Return whether a JSON file's content is one of LabelMe's."""
    return isinstance(content, dict) and isinstance(content.get("shapes"), list) and "imagePath" in content


def read_labelme(folder: Path, photos: Path | None = None) -> Source:
    """Read a folder of LabelMe files.

    Shapes are painted in the order of the file: later ones are on top. Classes are in alphabetical order.

    Args:
        folder: with the JSON files, also in folders within it.
        photos: folder of the photos; by default each is where its file says.

    Raises:
        DataError: there is no such file.
    """
    source = Source("LabelMe", {}, [])
    found: list[tuple[str, Path, dict[str, Any]]] = []
    for file in sorted(folder.rglob("*.json")):
        name = file.relative_to(folder).with_suffix("").as_posix()
        try:
            content = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            source.wrong.append((name, f"{file.name} cannot be read as JSON: {error}"))
            continue
        if not is_labelme(content):
            source.ignored["JSON files of other tools"] += 1
            continue
        path = str(content["imagePath"]).replace("\\", "/")
        photo = photos / Path(path).name if photos else file.parent / path
        if not photo.is_file():
            source.wrong.append((name, f"there is no photo {photo}"))
        elif not content["shapes"]:
            source.ignored["photos without annotations"] += 1
        else:
            found.append((name, photo, content))
    if not found and not source.wrong:
        raise DataError(f"{folder} contains no LabelMe files: JSON files with imagePath and shapes.")
    ids = ids_of_names(sorted({str(shape.get("label")) for _, _, content in found for shape in content["shapes"]}))
    source.names = named(ids)
    for name, photo, content in found:
        source.photos.append(Annotated(name, photo, partial(_draw, content, ids, photo, source.ignored)))
    return source


def _draw(
    content: dict[str, Any], ids_of: dict[str, int], photo: Path, ignored: Counter[str]
) -> tuple[Ids, Counter[int]]:
    height, width = content.get("imageHeight"), content.get("imageWidth")
    if not height or not width:
        height, width = photo_sizes(photo)[1]
    ids = np.zeros((int(height), int(width)), np.uint16)
    counts: Counter[int] = Counter()
    for shape in content["shapes"]:
        value, kind = ids_of[str(shape.get("label"))], shape.get("shape_type") or "polygon"
        try:
            area = _paint(ids, value, kind, shape)
        except (ValueError, TypeError, KeyError, IndexError, OSError) as error:
            raise DataError(f"a {kind} of {shape.get('label')!r} cannot be read ({error}).") from error
        if area is None:
            ignored[f"shapes of the type {kind}"] += 1
        elif not area:
            ignored["shapes without an area"] += 1
        else:
            counts[value] += 1
    return upright(ids, photo), counts


def _paint(ids: Ids, value: int, kind: str, shape: dict[str, Any]) -> int | None:
    """Paint a shape; return the number of pixels, None for kinds that have no area."""
    points = np.array(shape["points"], np.float64).reshape(-1, 2)
    if kind == "polygon":
        return fill(ids, value, [points])
    if kind == "rectangle":
        (left, top), (right, bottom) = points[:2]
        return fill(ids, value, [np.array([(left, top), (right, top), (right, bottom), (left, bottom)])])
    if kind == "circle":
        return fill(ids, value, [circle(points[0], float(np.hypot(*(points[1] - points[0]))))])
    if kind == "mask":
        with Image.open(io.BytesIO(base64.b64decode(shape["mask"]))) as picture:
            inside = np.asarray(picture) > 0
        left, top = (round(each) for each in points[0].tolist())
        part = ids[max(top, 0) : top + inside.shape[0], max(left, 0) : left + inside.shape[1]]
        inside = inside[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]]
        part[inside] = value
        return int(np.count_nonzero(inside))
    return None
