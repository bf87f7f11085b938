"""The stage's files for the browser, and what it says; the page in the browser alone uses them, too."""

from pathlib import Path
from typing import Any

from clothseg.app.i18n import tr


_FOLDER = Path(__file__).with_name("stage")
_SCRIPTS = (
    "state.js",
    "viewport.js",
    "pictures.js",
    "paint.js",
    "pick.js",
    "correct.js",
    "menu.js",
    "pointer.js",
    "keys.js",
    "main.js",
)
"""Files of the stage's script, joined in this order: functions can be used anywhere, constants after their file."""


def markup() -> str:
    """Return the stage's HTML."""
    return (_FOLDER / "stage.html").read_text(encoding="utf-8")


def style() -> str:
    """Return the stage's CSS: rules to be nested in one for the element that contains the stage."""
    return (_FOLDER / "stage.css").read_text(encoding="utf-8")


def script() -> str:
    """Return the stage's script: the body of a function of `element`, `props`, `trigger` and `watch`."""
    return "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in _SCRIPTS)


def texts() -> dict[str, Any]:
    """Return the stage's texts. The browser replaces names in braces; shortcuts are [keys, meaning, for edits]."""
    return {
        "stage": tr("Photo and its regions"),
        "views": tr("View"),
        "cutout": tr("Cut-out"),
        "regions": tr("Regions"),
        "compare": tr("Compare"),
        "opacity": tr("Overlay opacity"),
        "history": tr("Corrections"),
        "undo": tr("Undo"),
        "redo": tr("Redo"),
        "reset": tr("Undo all"),
        "correct": tr("Correct"),
        "help": tr("Keyboard shortcuts"),
        "close": tr("Close"),
        "tools": tr("Tool"),
        "click": tr("Click"),
        "brush": tr("Brush"),
        "erase": tr("Erase"),
        "class": tr("Class"),
        "size": tr("Brush size"),
        "list": tr("Regions of the photo"),
        "divider": tr("Divider between photo and cut-out"),
        "zoom": tr("Zoom"),
        "zoom_in": tr("Zoom in"),
        "zoom_out": tr("Zoom out"),
        "zoom_reset": tr("Fit"),
        "busy": tr("Correcting…"),
        "only": tr("Only this"),
        "pick": tr("Add to the cut-out"),
        "unpick": tr("Remove from the cut-out"),
        "save": tr("Download the cut-out"),
        "this_is": tr("This is …"),
        "label_is": tr("{label} is …"),
        "not_in_photo": tr("Not in this photo: {label}"),
        "nothing_here": tr("Nothing found here"),
        "nothing_picked": tr("Click a garment to pick it"),
        "no_parts": tr("No clothes found in this photo"),
        "hint_click": tr("Choose a class, then click where it is missing"),
        "hint_brush": tr("Choose a class, then paint where it is missing"),
        "hint_erase": tr("Paint over what does not belong to the person"),
        "said_picked": tr("{label} added to the cut-out"),
        "said_unpicked": tr("{label} removed from the cut-out"),
        "said_only": tr("Only {label} in the cut-out"),
        "said_corrected": tr("Corrected to {label}"),
        "said_excluded": tr("{label} is not in this photo"),
        "said_undone": tr("Undone"),
        "said_redone": tr("Redone"),
        "shortcuts": [
            [["←", "→"], tr("Go to the previous or next region"), False],
            [[tr("Enter")], tr("Add the region to the cut-out, or remove it"), False],
            [["O"], tr("Only this"), False],
            [["M"], tr("Menu of the region (right click, long press)"), False],
            [["1", "2", "3"], tr("Cut-out, regions, compare"), False],
            [["+", "−", "0"], tr("Zoom in, zoom out, fit"), False],
            [[tr("Shift"), "←"], tr("Move the zoomed photo"), False],
            [["C"], tr("Correct the regions"), True],
            [["[", "]"], tr("Smaller or larger brush"), True],
            [[tr("Ctrl"), "Z"], tr("Undo"), True],
            [[tr("Ctrl"), tr("Shift"), "Z"], tr("Redo"), True],
            [["?"], tr("Show this list"), False],
        ],
    }
