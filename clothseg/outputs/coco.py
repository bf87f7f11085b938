"""Write the items of one or many photos as a COCO data set.

The format: https://cocodataset.org/#format-data. In addition to COCO's keys, annotations have `confidence`, `colors`
and `wearer`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import IO, Any

from clothseg import __version__
from clothseg.images.file_names import escaped
from clothseg.labels import ATR, BACKGROUND, LabelSet
from clothseg.outputs.items import Item


_LICENCE = {"id": 1, "name": "not known: that of the photo", "url": ""}


def to_coco(
    items: Sequence[Item],
    size: tuple[int, int],
    photo: str | None = None,
    polygons: bool = False,
    model: str | None = None,
    labels: LabelSet = ATR,
) -> dict[str, Any]:
    """Return a COCO data set of one photo, JSON-ready, as `pycocotools.coco.COCO` loads it.

    Args:
        items: of the photo.
        size: (height, width) of the photo.
        photo: its file name.
        polygons: write polygons, which more tools read; else run lengths, which are exact.
        model: name of the model that found them.
        labels: the model's classes.
    """
    image = {"id": 1, "file_name": photo or "photo", "height": size[0], "width": size[1], "license": _LICENCE["id"]}
    return {**_head(model, labels), "images": [image], "annotations": [_annotation(item, polygons) for item in items]}


def write_merged(
    stream: IO[str],
    parts: Callable[[], Iterator[dict[str, Any]]],
    model: str | None = None,
    labels: LabelSet = ATR,
) -> None:
    """Write the data sets of many photos as one JSON data set with unique ids; only one photo's is in memory at a
    time.

    Args:
        stream: a text stream in UTF-8.
        parts: returns the data sets of `to_coco`, the same ones in the same order in both of its calls, since images
            come before annotations.
        model: name of the model that found the items.
        labels: the model's classes.
    """
    head = json.dumps(_head(model, labels), ensure_ascii=False)
    stream.write(f'{head[:-1]}, "images": [')
    for number, part in enumerate(parts(), 1):
        _write_one(stream, number == 1, {**part["images"][0], "id": number})
    stream.write('], "annotations": [')
    annotations = 0
    for number, part in enumerate(parts(), 1):
        for annotation in part["annotations"]:
            annotations += 1
            _write_one(stream, annotations == 1, {**annotation, "id": annotations, "image_id": number})
    stream.write("]}\n")


def _head(model: str | None, labels: LabelSet) -> dict[str, Any]:
    description = "Items of clothing found by clothseg" + (f", model {model}" if model else "")
    return {
        "info": {"description": description, "version": __version__},
        "licenses": [_LICENCE],
        "categories": [
            {"id": number, "name": name, "supercategory": "person"}
            for number, name in enumerate(labels.names)
            if number != BACKGROUND
        ],
    }


def _annotation(item: Item, polygons: bool) -> dict[str, Any]:
    return {
        "id": item.index,
        "image_id": 1,
        "category_id": item.class_id,
        "area": item.area,
        "bbox": list(item.box),
        "iscrowd": 0,
        "segmentation": item.polygons if polygons else item.rle,
        **{key: value for key, value in item.to_dict().items() if key in ("confidence", "colors", "wearer")},
    }


def _write_one(stream: IO[str], first: bool, value: dict[str, Any]) -> None:
    stream.write(("" if first else ",") + "\n" + escaped(json.dumps(value, ensure_ascii=False)))
