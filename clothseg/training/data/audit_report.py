"""Print an audit's findings as tables, and write them to one self-contained HTML file with pictures."""

import base64
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import cv2
import jinja2
import numpy as np
import numpy.typing as npt
from datasets import Dataset
from PIL import Image

from clothseg.images.atomic_files import atomic_path
from clothseg.labels import ATR, LabelSet
from clothseg.outputs.render import overlay
from clothseg.training.data.audit import MIN_FIT, MIN_IOU, Audit, Row
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.repair import repair


TEMPLATE = Path(__file__).with_suffix(".html")
LISTED = 20
"""Number of rows that the terminal lists for each finding; the report lists ten times as many."""
THUMBNAIL = 240
"""Longest side of a picture in the report, in pixels."""
CLOSE_UP = 80
"""Side of the detail shown of a repair, in pixels of the photo."""


class Figure(NamedTuple):
    """Pictures side by side, as data URIs, and their caption."""

    pictures: list[str]
    caption: str


def findings(audit: Audit) -> list[tuple[str, list[str]]]:
    """Return the lines of the first table: a name, and a figure for each split."""
    lines: dict[str, list[str]] = {}
    copies = {number for group in audit.groups for number in group}
    cross_split_duplicates = {number for group in audit.crossing for number in group}
    for split, count in audit.counts.items():
        numbers = [number for number, row in enumerate(audit.rows) if row.split == split]
        rows = [audit.rows[number] for number in numbers]
        repairs = [row.repair for row in rows]
        cells = {
            "Rows": f"{count:,}",
            "Bad rows": f"{sum(bad.split == split for bad in audit.bad):,}",
            "Photo and mask do not seem to match": f"{sum(row.is_suspect for row in rows):,}",
            "Masks without a person": f"{sum(row.is_empty for row in rows):,}",
            "Near-duplicates of another row": f"{len(copies.intersection(numbers)):,}",
            "Near-duplicates of a row of another split": f"{len(cross_split_duplicates.intersection(numbers)):,}",
            "Width in pixels, min / median / max": _spread([row.width for row in rows]),
            "Height in pixels, min / median / max": _spread([row.height for row in rows]),
            "Holes that a repair fills (in masks)": _pieces([change.holes for change in repairs]),
            "Specks that a repair removes (in masks)": _pieces([change.specks for change in repairs]),
            "Pixels of spill that a repair cuts (in masks)": _pieces([change.rim_pixels for change in repairs]),
        }
        for name, cell in cells.items():
            lines.setdefault(name, []).append(cell)
    return list(lines.items())


def _spread(values: list[int]) -> str:
    return f"{min(values):,} / {np.median(values):,.0f} / {max(values):,}" if values else "-"


def _pieces(counts: list[int]) -> str:
    return f"{sum(counts):,} ({np.count_nonzero(counts):,})"


def text(audit: Audit, name: str) -> str:
    """Return the findings as plain text: tables, then the affected rows, at most `LISTED` of each kind."""
    splits = list(audit.counts)
    shares = [
        (label, [f"{share:.2%}" for split in splits for share in shares[split]])
        for label, shares in _class_shares(audit)
    ]
    parts = [
        f"Audit of {name}",
        _table(["", *splits], findings(audit)),
        _table(["", *(f"{split}, {what}" for split in splits for what in ("pixels", "photos"))], shares),
        _listed("The masks cannot be right", (finding.text for finding in audit.encoding if finding.refused)),
        _listed("The masks look odd", (finding.text for finding in audit.encoding if not finding.refused)),
        _listed("Bad rows", (f"{bad.split} {bad.row_id}: {bad.reason}" for bad in audit.bad)),
        _listed("Photo and mask do not seem to match", map(_suspicion, audit.suspects)),
        _listed("Near-duplicates across splits", (_members(audit, group) for group in audit.crossing)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _class_shares(audit: Audit) -> list[tuple[str, dict[str, tuple[float, float]]]]:
    """Return each class's share of the pixels and of the photos of each split."""
    good = {split: max(sum(row.split == split for row in audit.rows), 1) for split in audit.counts}
    return [
        (
            label,
            {
                split: (
                    float(audit.pixels[split][class_id] / max(audit.pixels[split].sum(), 1)),
                    float(audit.photos[split][class_id] / good[split]),
                )
                for split in audit.counts
            },
        )
        for class_id, label in enumerate(audit.classes.labels.names)
    ]


def _table(head: list[str], lines: list[tuple[str, list[str]]]) -> str:
    rows = [head, *([name, *cells] for name, cells in lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first, *others = widths
    return "\n".join(
        "  ".join([row[0].ljust(first), *(cell.rjust(width) for cell, width in zip(row[1:], others, strict=True))])
        for row in rows
    )


def _listed(title: str, lines: Iterable[str]) -> str:
    found = list(lines)
    if not found:
        return ""
    more = [f"  and {len(found) - LISTED:,} more"] if len(found) > LISTED else []
    # A row's id or an error may contain anything, also control characters for the terminal.
    shown = ["  " + "".join(c if c.isprintable() else "?" for c in line) for line in found[:LISTED]]
    return "\n".join([f"{title}:", *shown, *more])


def _suspicion(row: Row) -> str:
    seen = "" if np.isnan(row.iou) else f", overlap with the model's person {row.iou:.2f}"
    return f"{row.split} {row.row_id}: edge fit {row.fit:.3f}{seen}"


def _members(audit: Audit, group: list[int]) -> str:
    return ", ".join(f"{audit.rows[number].split} {audit.rows[number].row_id}" for number in group)


def write_html(audit: Audit, splits: dict[str, Dataset], name: str, path: Path, examples: int) -> None:
    """Write the report, with up to `examples` examples of each finding; their rows are decoded again.

    Args:
        audit: findings about `splits`.
        name: the data set's, for the title.
        path: file to write.
    """
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(
        TEMPLATE.read_text()
    )
    crossing, labels = audit.crossing, audit.classes.labels
    groups = crossing + [group for group in audit.groups if group not in crossing]
    people = [number for number, row in enumerate(audit.rows) if not row.is_empty]
    pieces = _most(
        audit, people, [audit.rows[i].repair.hole_pixels + audit.rows[i].repair.speck_pixels for i in people]
    )
    spill = _most(audit, people, [audit.rows[i].repair.rim_pixels for i in people])
    text = template.render(
        name=name,
        splits=list(audit.counts),
        findings=findings(audit),
        shares=_class_shares(audit),
        colors={label: labels.hex_color(label) for label in labels.names},
        known=audit.classes.known,
        whose="ATR's" if labels == ATR else "the",
        encoding=audit.encoding,
        bad=audit.bad[: 10 * LISTED],
        bad_count=len(audit.bad),
        groups=[_copies(audit, splits, group) for group in groups[:examples]],
        group_count=len(groups),
        crossing_count=len(crossing),
        suspects=[_pair(audit, splits, row) for row in audit.suspects[:examples]],
        suspect_count=len(audit.suspects),
        repairs=[_piece_repair(audit, splits, row) for row in pieces[:examples]],
        cuts=[_spill_repair(audit, splits, row) for row in spill[:examples]],
        min_fit=MIN_FIT,
        min_iou=MIN_IOU,
    )
    with atomic_path(path) as file:
        file.write_text(text, encoding="utf-8")


def _most(audit: Audit, numbers: list[int], sizes: list[int]) -> list[Row]:
    """Return the rows with the largest changes, relative to the photo's size."""
    ranked = sorted(
        (
            (size / (audit.rows[i].width * audit.rows[i].height), -i)
            for size, i in zip(sizes, numbers, strict=True)
            if size
        ),
        reverse=True,
    )
    return [audit.rows[-number] for _, number in ranked]


def _copies(audit: Audit, splits: dict[str, Dataset], group: list[int]) -> Figure:
    members = [audit.rows[number] for number in group]
    pictures = [_data_uri(decode_row(splits[row.split][row.place], audit.classes)[0]) for row in members[:4]]
    return Figure(pictures, _members(audit, group[: 2 * LISTED]))


def _pair(audit: Audit, splits: dict[str, Dataset], row: Row) -> Figure:
    photo, mask = decode_row(splits[row.split][row.place], audit.classes)
    return Figure([_data_uri(photo), _data_uri(overlay(photo, mask, labels=audit.classes.labels))], _suspicion(row))


def _piece_repair(audit: Audit, splits: dict[str, Dataset], row: Row) -> Figure:
    photo, mask = decode_row(splits[row.split][row.place], audit.classes)
    caption = f"{row.split} {row.row_id}: holes: {row.repair.holes}, specks: {row.repair.specks}"
    return Figure(_close_up(photo, mask, repair(mask).mask, audit.classes.labels), caption)


def _spill_repair(audit: Audit, splits: dict[str, Dataset], row: Row) -> Figure:
    photo, mask = decode_row(splits[row.split][row.place], audit.classes)
    before, after = repair(mask).mask, repair(mask, photo).mask
    return Figure(
        _close_up(photo, before, after, audit.classes.labels),
        f"{row.split} {row.row_id}: {row.repair.rim_pixels} pixels of spill",
    )


def _close_up(
    photo: npt.NDArray[np.uint8], before: npt.NDArray[np.uint8], after: npt.NDArray[np.uint8], labels: LabelSet
) -> list[str]:
    """Return photo, mask before and mask after, around the place with the most changes."""
    height, width = before.shape
    side = (min(CLOSE_UP, width), min(CLOSE_UP, height))
    amount = cv2.GaussianBlur((before != after).astype(np.float32), (0, 0), CLOSE_UP / 6)
    row, column = np.unravel_index(int(amount.argmax()), amount.shape)
    top, left = np.clip((row - side[1] // 2, column - side[0] // 2), 0, (height - side[1], width - side[0]))
    window = np.s_[top : top + side[1], left : left + side[0]]
    near = np.ascontiguousarray(photo[window])
    shown = [near, *(overlay(near, np.ascontiguousarray(mask[window]), 0.7, labels) for mask in (before, after))]
    return [_data_uri(picture, cv2.INTER_NEAREST) for picture in shown]


def _data_uri(picture: npt.NDArray[np.uint8], enlarging: int = cv2.INTER_AREA) -> str:
    scale = THUMBNAIL / max(picture.shape[:2])
    size = [max(round(side * scale), 1) for side in picture.shape[1::-1]]
    small = cv2.resize(picture, size, interpolation=enlarging if scale > 1 else cv2.INTER_AREA)
    file = io.BytesIO()
    Image.fromarray(small).save(file, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
