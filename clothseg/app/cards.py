"""The list of found parts next to the stage: a card for each part, with picture, name and colours."""

import base64
from collections.abc import Sequence
from html import escape
from io import BytesIO
from itertools import groupby

import cv2
import numpy as np
from PIL import Image

from clothseg.app import html
from clothseg.app.components.parts import Part, mask_of_parts
from clothseg.app.i18n import tr
from clothseg.app.selection import of_group
from clothseg.labels import LabelSet
from clothseg.outputs.color_names import Color, dominant
from clothseg.segmentation import Segmentation


THUMBNAIL = 112
"""Longest side of a card's picture in pixels: twice its size on the page, for high-resolution screens."""


def cards(small: Segmentation, parts: Sequence[Part]) -> str:
    """Return the HTML of the list. The browser decides which cards are pressed (`page/cards.js`).

    Args:
        small: the result at the size of the page's previews.
        parts: of the result.
    """
    if not parts:
        return ""
    count = tr("1 item") if len(parts) == 1 else tr("{number} items", number=len(parts))
    people = len({part.person for part in parts if part.person})
    told = ", " + tr("{number} people", number=people) if people > 1 else ""
    groups = []
    for person, own in groupby(parts, key=lambda part: part.person):
        title = tr("Person {number}", number=person) if person else tr("Nobody’s")
        made = "".join(_card(part, small) for part in own)
        head = f"<h3>{title}</h3>" if people > 1 else ""
        label = title if people > 1 else tr("Items found")
        groups.append(f'{head}<div class="cards" role="group" aria-label="{label}">{made}</div>')
    presets = _presets(parts, small.labels)
    return (
        f"<h2>{tr('Items found')} <small>{count}{told}</small></h2>"
        f'<div class="presets" role="group" aria-label="{tr("Choose items")}">{presets}</div>{"".join(groups)}'
    )


def _presets(parts: Sequence[Part], labels: LabelSet) -> str:
    chosen: dict[str, list[str]] = {}
    for group in labels.groups:
        keys = of_group(group, parts, labels)
        if keys and keys not in chosen.values():
            chosen[group] = keys
    everything = [part.key for part in parts]
    if everything not in chosen.values():
        chosen["Everything"] = everything
    buttons = [
        f'<button type="button" data-pick="{escape(" ".join(keys))}">{_named(group)}</button>'
        for group, keys in chosen.items()
    ]
    return "".join([*buttons, f'<button type="button" data-pick="">{tr("None")}</button>'])


def _named(group: str) -> str:
    return tr("Everything") if group == "Everything" else html.class_name(group)


def _card(part: Part, small: Segmentation) -> str:
    picture, colors = _picture(part, small)
    dots = "".join(f'<i style="background:{color.hex}"></i>' for color in colors)
    names = ", ".join(tr(color.name) for color in colors[:2])
    swatch = html.swatch(part.name, small.labels)
    return (
        f'<button type="button" class="thing" data-key="{part.key}" data-class="{escape(part.name)}" '
        f'aria-pressed="false" title="{tr("Double click: only this")}"><img alt="" src="{picture}"><span>{swatch}'
        f"<b>{html.class_name(part.name)}</b><small>{dots}{names}</small></span></button>"
    )


def _picture(part: Part, small: Segmentation) -> tuple[str, tuple[Color, ...]]:
    """Return a small picture of a part as a data: URL, and its colours."""
    mask = mask_of_parts(small, [part.key])
    x, y, width, height = cv2.boundingRect(mask.view(np.uint8))
    if not width:
        return "", ()
    place = np.s_[y : y + height, x : x + width]
    pixels, inside = np.asarray(small.photo)[place], mask[place]
    shrink = min(1.0, THUMBNAIL / max(width, height))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    cut = np.dstack([pixels, inside.view(np.uint8) * 255])
    file = BytesIO()
    Image.fromarray(cut).resize(size, Image.Resampling.BOX).save(file, "WEBP", quality=80, method=2)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}", dominant(pixels, inside)[:3]
