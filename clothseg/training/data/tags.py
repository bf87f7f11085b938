"""Tags of photos without masks: which classes a photo shows."""

from clothseg.errors import DataError
from clothseg.labels import BACKGROUND, IGNORE, LabelSet
from clothseg.labels.roles import find_pairs, part_of
from clothseg.training.data.mask_classes import ATR_MASKS, MaskClasses


def tag_ids(tags: object, place: str, classes: MaskClasses = ATR_MASKS) -> list[int]:
    """Return the class ids of a photo's tags: ids, or names in any case; `shoes`, `legs` and `arms` mean both sides.

    Names that a label map replaces mean the new classes, or nothing if it ignores them.

    Args:
        tags: a list of them, or None if the photo has none.
        place: where they are in the data, for messages.
        classes: the classes.

    Raises:
        DataError: a tag is not a class; the message names it.
    """
    if tags is None:
        return []
    if not isinstance(tags, list):
        raise DataError(f"{place}: classes must be a list of class ids or names, not {str(tags)[:50]!r}.")
    found: set[int] = set()
    labels, known = classes.labels, _tags(classes)
    for tag in tags:
        ids = known.get(tag.strip().casefold()) if isinstance(tag, str) else (tag,)
        if ids is None or not all(isinstance(index, int) and 0 <= index < len(labels) for index in ids):
            raise DataError(
                f"{place}: {str(tag)[:50]!r} in classes is not a class; give ids 0 to {len(labels) - 1} or names: "
                f"{', '.join(labels.names)}{_both_sides(labels)}."
            )
        found.update(ids)
    return sorted(found - {BACKGROUND})


def _tags(classes: MaskClasses) -> dict[str, tuple[int, ...]]:
    old = {name: (index,) if index != IGNORE else () for name, index in classes.old_names.items()}
    names = list(old)
    replaced = {name.casefold(): ids for name, ids in old.items()}
    for left, right in find_pairs(names):
        replaced.setdefault(f"{part_of(names[left])}s", (*old[names[left]], *old[names[right]]))
    labels = classes.labels
    tags: dict[str, tuple[int, ...]] = {name.casefold(): (index,) for index, name in enumerate(labels.names)}
    return replaced | tags | {f"{part_of(labels.names[left])}s": (left, right) for left, right in labels.pairs}


def _both_sides(labels: LabelSet) -> str:
    parts = [f"{part_of(labels.names[left])}s".capitalize() for left, _ in labels.pairs]
    return f", and {', '.join(parts)} for both sides" if parts else ""
