"""The stage: the photo with its parts, on which people pick, compare and correct; all of it drawn in the browser.

What the server says to the browser is the component's value, made by `stage_value`:

```
number      of the result. Another number is another result
base        of the result that corrections began with: with the same base, zoom, view and corrections are kept
photo       the photo's preview, {"url": ...}; may have alpha
width, height       of the photo
map         {"width", "height", "data"}: for each pixel 1 + the place of its part in `parts`, as `parts.pack` writes it
parts       [{key, name, label, color, number, ink, person, box, share, confidence, point, depth}], see `parts.Part`;
            `name` is the class's in the API, `label` what people read, `ink` reads well on `color`
classes     [{name, label, color, ink, number}], all that can be chosen for corrections, Background among them
picked      keys of the parts that are picked when the result is new; later the browser knows better
cutout      {"picture": {"url": ...}, "picked": [keys]}, the server's refined cut-out; shown while exactly those are
            picked
background  CSS colour behind the cut-out; null for none
download    {"url", "name", "type", "picked": [keys]}, the file that dragging the cut-out out of the browser gives, as
            long as exactly those are picked, or null; url may be relative to the page
opacity     of the colours over the photo to begin with, 0..1; null leaves it
view        "cutout", "regions" or "compare" to begin with; null leaves the one that is shown
edits       corrections that the result has, as the event `edit` gave them
turn        of the event `edit` that this answers; null if it answers none
editable    whether corrections are offered
```

What changes later of the result that is shown comes by `stage_news`: cutout, background, download; or lost: True, if
the server does not have it any more, because it was restarted or too much time has passed. It goes another way
than the value, because of two values in quick succession gradio's page shows the last alone.

What the browser says to the server are events of the component, their data in `gr.EventData`:

```
picked      {number, picked: [keys]}                        200 ms after the last of quick picks
edit        {number, base, turn, edits: [operations]}       all corrections that hold; those undone are left out

operations, with x, y, points and radius in pixels of the photo, and label the name of a class:
    {"kind": "click", x, y, label}
    {"kind": "stroke", points: [[x, y], ...], radius, label}
    {"kind": "relabel", part: key, x, y, label}             x, y: where the part was pressed
    {"kind": "exclude", label}                              the class is not in the photo
```

On the page itself other scripts speak with it by DOM events of `document`:

```
stage:save  from the stage: the cut-out's file is wanted
stage:lost  from the stage: the server does not have the result any more
stage:do    to the stage, detail one of {pick: [keys]}, {toggle: key}, {only: key}, {hover: key or null},
            {view: name}, {opacity: 0..1}, {correct: true or false}
stage:state from the stage, after each change: {number, coming, picked: [keys], hover: key or null, view, opacity,
            correct, edits}; null for number where nothing is shown, true for coming while another result is prepared
```

The height of all of it, toolbars included, is the CSS variable `--stage-height`, which the page sets.

An answer to `edit` has another number, the event's base, turn and edits, and the same photo: zoom, view, picks stay,
and keys in `picked` that the result before did not have are picked as well. If a correction cannot be made, the answer
has the edits that could.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import gradio as gr
import numpy as np
from PIL import Image

from clothseg.app.components.parts import Part, find_parts, pack, part_map
from clothseg.app.components.stage_source import markup, script, style, texts
from clothseg.app.downloads import new_file
from clothseg.app.i18n import tr
from clothseg.images.atomic_files import save_picture
from clothseg.labels import BACKGROUND, LabelSet
from clothseg.segmentation import Segmentation


SIDE = 1600
"""Longest side of the photo's preview and of the map, in pixels."""


def stage(**options: Any) -> gr.HTML:
    """The component; `options` are gr.HTML's own, such as `elem_id` and `visible`."""
    return gr.HTML(
        html_template=markup(),
        css_template=style(),
        js_on_load=script(),
        apply_default_css=False,
        texts=texts(),
        news=None,
        **options,
    )


def stage_value(
    result: Segmentation,
    photo: str,
    number: int,
    *,
    base: int | None = None,
    parts: Sequence[Part] | None = None,
    picked: Sequence[str] = (),
    cutout: dict[str, Any] | None = None,
    background: str | None = None,
    download: dict[str, Any] | None = None,
    view: str | None = None,
    opacity: float | None = None,
    edits: Sequence[dict[str, Any]] = (),
    turn: int | None = None,
    editable: bool = True,
) -> dict[str, Any]:
    """The component's value for a result, as the module's docstring has it.

    Args:
        result: to show.
        photo: path of the photo's preview (`save_photo`), in a folder that gradio serves.
        number: of the result.
        base: of the result that its corrections began with; None if it is that itself.
        parts: of the result, if they were found already (`find_parts`).
        picked: keys of parts.
        cutout: `cutout_value`, if there is one already.
        background: CSS colour behind the cut-out.
        download: of the cut-out's file: url, name, type and picked.
        view: to show.
        opacity: of the colours over the photo, 0..1.
        edits: corrections that the result has.
        turn: of the event `edit` that the value answers.
        editable: whether corrections are offered.
    """
    parts = find_parts(result) if parts is None else parts
    size = preview_size(result)
    several = len({part.person for part in parts if part.person}) > 1
    return {
        "number": number,
        "base": number if base is None else base,
        "photo": _file(photo),
        "width": result.photo.width,
        "height": result.photo.height,
        "map": {"width": size[0], "height": size[1], "data": pack(part_map(result, parts, size))},
        "parts": [_part(part, several, result.labels) for part in parts],
        "classes": [_class(name, result.labels) for name in result.labels.names],
        "picked": list(picked),
        "cutout": cutout,
        "background": background,
        "download": download,
        "view": view,
        "opacity": opacity,
        "edits": list(edits),
        "turn": turn,
        "editable": editable,
    }


def stage_news(number: int, **changed: Any) -> Any:
    """An update of the component: other values of `cutout`, `background` or `download` for the result with a number,
    or that it is `lost`.

    It is ignored if another result is shown by then.
    """
    return gr.update(news={"number": number, **changed}, texts=texts())  # Gradio's updates replace all props


def cutout_value(path: str, picked: Sequence[str]) -> dict[str, Any]:
    """`cutout` of the component's value: a picture of the whole photo's shape, and the parts that it is of."""
    # separate values, since Gradio passes on only known fields of a file
    return {"picture": _file(path), "picked": list(picked)}


def save_photo(result: Segmentation) -> str:
    """Write the photo's preview, where gradio serves it: JPEG, or PNG if it has alpha. Return its path."""
    size = preview_size(result)
    if result.alpha is None:
        path = new_file(result, "-photo.jpg")
        # First by a whole number: on large photos, Pillow is slow to copy all pixels, and OpenCV to average them.
        photo = result.photo.reduce(max(1, result.photo.width // size[0]))
        if photo.size != size:
            photo = Image.fromarray(cv2.resize(np.asarray(photo), size, interpolation=cv2.INTER_LINEAR))
        photo.save(path, quality=90)
        return str(path)
    path = new_file(result, "-photo.png")
    photo = result.photo.copy()
    photo.putalpha(Image.fromarray(result.alpha))
    # Pillow weights colours by their opacity, unlike OpenCV.
    save_picture(photo.resize(size, Image.Resampling.BICUBIC, reducing_gap=2), path)
    return str(path)


def preview_size(result: Segmentation) -> tuple[int, int]:
    """(width, height) of the photo's preview and of the map."""
    scale = min(1.0, SIDE / max(result.photo.size))
    return max(1, round(result.photo.width * scale)), max(1, round(result.photo.height * scale))


def _file(path: str) -> dict[str, Any]:
    return {"path": path, "meta": {"_type": "gradio.FileData"}}


def _class(name: str, labels: LabelSet) -> dict[str, Any]:
    class_id = labels.id_of(name)
    return {
        "name": name,
        "label": tr(name),
        "color": labels.hex_color(name) if class_id != BACKGROUND else "#888888",
        "ink": labels.ink(name),
        "number": class_id,
    }


def _part(part: Part, several: bool, labels: LabelSet) -> dict[str, Any]:
    label = tr(part.name)
    if several and part.person:
        label = tr("{label}, person {number}", label=label, number=part.person)
    return {
        **_class(part.name, labels),
        "key": part.key,
        "label": label,
        "person": part.person,
        "box": list(part.box),
        "share": round(part.share, 6),
        "confidence": None if part.confidence is None else round(part.confidence, 4),
        "point": list(part.point),
        "depth": round(part.depth, 1),
    }
