"""Outlines of items as SVG, in the palette's colours: for vector programs, cutters and web pages."""

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

from clothseg.labels import ATR, LabelSet
from clothseg.outputs.items import Item
from clothseg.outputs.mask_encoding import rings


def to_svg(items: Sequence[Item], size: tuple[int, int], labels: LabelSet = ATR) -> str:
    """Return an SVG of the photo's size in pixels, with one path for each item; holes stay holes.

    Args:
        items: of the photo.
        size: (height, width) of the photo.
        labels: classes, whose colours the paths have.
    """
    height, width = size
    paths = "".join(_path(item, labels.hex_color(item.name)) for item in items)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'fill-rule="evenodd">\n{paths}</svg>\n'
    )


def _path(item: Item, color: str) -> str:
    drawn = " ".join(
        "M" + " L".join(f"{x:g} {y:g}" for x, y in ring.tolist()) + " Z" for ring in rings(item.mask, item.box[:2])
    )
    about = f'id="item-{item.index}" data-class={quoteattr(item.name)} fill="{color}" stroke="{color}"'
    return f'  <path {about} fill-opacity="0.6" d="{drawn}"><title>{escape(item.name)}</title></path>\n'
