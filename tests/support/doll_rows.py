"""Rows of a data set of paper dolls, valid and invalid ones."""

import io
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Image, Value
from paper_dolls import draw
from PIL import Image as PILImage


def png(picture: PILImage.Image) -> dict[str, Any]:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return {"bytes": buffer.getvalue(), "path": None}


FEATURES = Features({"id": Value("string"), "image": Image(decode=False), "mask": Image(decode=False)})


def dolls(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of dolls as returned by `load_splits`."""
    drawn = {f"doll-{number}": draw(number, 48, 32) for number in range(seed, seed + count)}
    return [
        {"id": row_id, "image": png(PILImage.fromarray(doll.image)), "mask": png(PILImage.fromarray(doll.mask))}
        for row_id, doll in drawn.items()
    ]


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "doll-1": ({"mask": png(PILImage.new("L", (31, 48)))}, "the mask is 31x48 pixels, the photo 32x48"),
    "doll-3": ({"mask": png(PILImage.new("L", (32, 48), 42))}, "the mask contains 42"),
    "doll-4": ({"mask": png(PILImage.new("RGB", (32, 48), (1, 2, 3)))}, "the mask is a colour picture"),
    "doll-6": ({"image": {"bytes": b"text", "path": None}}, "is not a readable image"),
    "doll-7": ({"mask": {"bytes": b"text", "path": None}}, "the mask is not a readable picture"),
    "doll-9": ({"image": {"bytes": dolls(1)[0]["image"]["bytes"][:400], "path": None}}, "damaged"),
    "doll-10": ({"mask": None}, "it has no mask"),
    "doll-11": ({"image": None}, "the photo is empty"),
}


def write_dolls(folder: Path, count: int = 14, bad: bool = True, part: str = "train", seed: int = 0) -> Path:
    rows = [row | BAD[row["id"]][0] if bad and row["id"] in BAD else row for row in dolls(count, seed)]
    Dataset.from_list(rows, features=FEATURES).to_parquet(folder / f"{part}.parquet")
    return folder
