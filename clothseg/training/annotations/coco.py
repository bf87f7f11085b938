"""Annotations in COCO's format: one JSON file with images, categories and polygons or run lengths."""

import json
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from clothseg.errors import DataError
from clothseg.training.annotations.source import (
    Annotated,
    Ids,
    Source,
    fill,
    ids_of_names,
    named,
    photo_sizes,
    upright,
)


def is_coco(content: Any) -> bool:
    """Return whether a JSON file's content is COCO's format."""
    return isinstance(content, dict) and all(isinstance(content.get(key), list) for key in ("images", "annotations"))


def read_coco(file: Path, photos: Path) -> Source:
    """Read a COCO file.

    Shapes are painted from the largest to the smallest, so that a belt is on top of a dress.

    Args:
        file: JSON file.
        photos: folder that the file's names are relative to.

    Raises:
        DataError: the file cannot be read, or is not COCO's format.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        categories = {each["id"]: str(each["name"]) for each in content["categories"]}
        images = {each["id"]: each for each in content["images"]}
        names = {image: str(each["file_name"]) for image, each in images.items()}
        shapes: dict[Any, list[dict[str, Any]]] = defaultdict(list)
        for each in content["annotations"]:
            shapes[each["image_id"]].append(each)
    except OSError as error:
        raise DataError(f"{file} cannot be read: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"{file} is not COCO's format, with images (id, file_name), categories (id, name) and annotations "
            f"(image_id, category_id, segmentation): {error!r}."
        ) from error
    if len({*categories.values()}) < len(categories):
        raise DataError(f"{file} has two categories of one name; rename one of them.")
    ids = ids_of_names(name for _, name in sorted(categories.items()))
    source = Source("COCO", named(ids), [])
    source.ignored["annotations of photos that the file does not list"] += sum(
        len(found) for image, found in shapes.items() if image not in images
    )
    by_category = {category: ids[name] for category, name in categories.items()}
    for image, name in sorted(names.items(), key=lambda item: item[1]):
        photo = photos / name
        if Path(name).is_absolute() or ".." in Path(name).parts:
            source.wrong.append((name, "its name leads out of the folder of the photos"))
        elif not photo.is_file():
            source.wrong.append((name, f"there is no photo {photo}"))
        elif not shapes[image]:
            source.ignored["photos without annotations"] += 1
        else:
            draw = partial(_draw, images[image], shapes[image], by_category, photo, source.ignored)
            source.photos.append(Annotated(Path(name).with_suffix("").as_posix(), photo, draw))
    return source


def _draw(
    image: dict[str, Any],
    shapes: list[dict[str, Any]],
    categories: dict[Any, int],
    photo: Path,
    ignored: Counter[str],
) -> tuple[Ids, Counter[int]]:
    height, width = image.get("height"), image.get("width")
    if height is None or width is None:
        height, width = photo_sizes(photo)[1]
    ids = np.zeros((int(height), int(width)), np.uint16)
    counts: Counter[int] = Counter()
    painted = []
    for shape in shapes:
        if shape.get("category_id") not in categories:
            raise DataError(f"an annotation has the unknown category {shape.get('category_id')!r}.")
        mask = np.zeros_like(ids)
        area = _paint(mask, shape.get("segmentation"))
        if area:
            painted.append((area, categories[shape["category_id"]], mask > 0))
        else:
            ignored["annotations without an area (boxes, points)"] += 1
    for _, value, inside in sorted(painted, key=lambda each: -each[0]):
        ids[inside] = value
        counts[value] += 1
    return upright(ids, photo), counts


def _paint(mask: Ids, segmentation: Any) -> int:
    """Fill a segmentation, polygons or run lengths, with 1; return the number of pixels."""
    from pycocotools import mask as coco

    try:
        if isinstance(segmentation, dict):
            if isinstance(segmentation["counts"], list):
                segmentation = coco.frPyObjects(segmentation, *mask.shape)
            inside = coco.decode(segmentation).astype(bool)
            if inside.shape != mask.shape:
                raise DataError("the run lengths of an annotation have another size than its photo.")
            mask[inside] = 1
            return int(np.count_nonzero(inside))
        return fill(mask, 1, [np.array(polygon, np.float64).reshape(-1, 2) for polygon in segmentation or ()])
    except DataError:
        raise
    except Exception as error:  # pycocotools raises all sorts
        raise DataError(f"an annotation has a segmentation that cannot be read ({error}).") from error
