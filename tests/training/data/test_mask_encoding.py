"""Masks in another encoding are rejected or reported by name; ATR ids pass, even for a few photos."""

import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, Features, Image, Value
from paper_dolls import draw
from PIL import Image as PILImage

from clothseg.errors import DataError
from clothseg.labels import LABEL2ID, NAMES, SWAP_SIDES
from clothseg.training.data.audit import audit
from clothseg.training.data.audit_report import text, write_html
from clothseg.training.data.loading import load_splits
from clothseg.training.data.mask_encoding import (
    OTHER_IDS,
    findings_about,
    only_class_of,
    ordered_share,
    shares_text,
)
from clothseg.training.data.mask_statistics import MaskStatistics


Mask = np.ndarray
Change = Callable[[Mask], Mask]


@pytest.fixture(scope="module")
def masks() -> list[Mask]:
    return [draw(seed, 192, 128).mask for seed in range(16)]


def measured(masks: list[Mask]) -> MaskStatistics:
    found = MaskStatistics.empty(len(masks))
    for index, mask in enumerate(masks):
        found.measure(index, mask)
    return found


def ids(table: dict[int, int], others: int | None = None) -> Change:
    """A change of class ids by a table; ids not in the table stay, or become `others`."""
    lookup = np.arange(256, dtype=np.uint8) if others is None else np.full(256, others, np.uint8)
    for old, new in table.items():
        lookup[old] = new
    return lambda mask: lookup[mask]


def not_annotated(mask: Mask) -> Mask:
    """The mask with 255 in most of its centre."""
    changed = mask.copy()
    changed[50:150, 40:100] = 255
    return changed


LIP = next(table for name, table in OTHER_IDS.items() if "LIP" in name)
FIGURE = range(1, 18)

WRONG: dict[str, tuple[Change, str]] = {
    "0 and 255": (ids({0: 0}, 255), "only 0 (Background) and 255 (not annotated): a single class; masks of 0 and 255"),
    "0 and 1": (ids({0: 0}, 1), "only 0 (Background) and 1 (Hat), the latter in"),
    "0 alone": (ids({}, 0), "only 0 (Background): a single class"),
    "255 alone": (ids({}, 255), "all pixels are 255"),
    "1 and 255": (ids({0: 255}, 1), "only 1 (Hat) and 255 (not annotated): a single class"),
    "LIP": (ids({LABEL2ID[name]: new for name, new in LIP.items()} | {0: 0}, 0), "ids of LIP"),
    "plus one": (ids({old: old + 1 for old in range(17)} | {17: 0}), "ids shifted by one?"),
    "plus one, Background 0": (ids({old: old + 1 for old in range(1, 17)} | {17: 0}), "ATR's ids plus one"),
    "minus one": (ids({old: old - 1 for old in FIGURE}), "ATR's ids minus one"),
    "reduced labels": (ids({old: old - 1 for old in FIGURE} | {0: 255}), "ATR's ids minus one"),
    "backwards": (ids({old: 17 - old for old in range(18)}), "Scarf"),
    "Background and Scarf exchanged": (ids({0: 17, 17: 0}), "100% Scarf"),
}

ODD: dict[str, tuple[Change, str]] = {
    "one garment": (ids({4: 4}, 0), "only 0 (Background) and 4 (Upper-clothes)"),
    "few classes": (ids(dict.fromkeys((1, 2, 3, *range(8, 18)), 0)), "of the 18 classes: Background, Upper-clothes"),
    "viewer's sides": (lambda mask: SWAP_SIDES[mask], "left is the wearer's own"),
    "no Background": (ids({0: 255}), "0.0% of the annotated pixels are Background"),
    "middle not annotated": (not_annotated, "in the photos' centre"),
    "upside down": (lambda mask: np.ascontiguousarray(mask[::-1]), "turned sideways or upside down"),
    "sideways": (lambda mask: np.ascontiguousarray(np.rot90(mask)), "turned sideways or upside down"),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("count", [4, 16])
def test_other_encodings_are_rejected_by_name(name: str, count: int, masks: list[Mask]) -> None:
    change, expected = WRONG[name]
    findings = findings_about(measured([change(mask) for mask in masks[:count]]))
    refused = [finding.text for finding in findings if finding.refused]
    assert refused, findings
    assert findings[0].refused, "rejected findings come first"
    if count == 16 or "ids" not in expected:
        assert expected in "; ".join(refused)


@pytest.mark.parametrize("name", ODD)
def test_unusual_masks_give_a_warning(name: str, masks: list[Mask]) -> None:
    change, expected = ODD[name]
    findings = findings_about(measured([change(mask) for mask in masks]))
    assert expected in "; ".join(finding.text for finding in findings)
    assert not any(finding.refused for finding in findings), findings


def test_random_ids_are_rejected(masks: list[Mask]) -> None:
    """Nearly all permutations: swapping two neighbouring garments can look plausible."""
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(30):
        change = ids(dict(zip(FIGURE, (rng.permutation(17) + 1).tolist(), strict=True)))
        refused += any(finding.refused for finding in findings_about(measured([change(mask) for mask in masks])))
    assert refused >= 27


@pytest.mark.parametrize("count", [1, 2, 4, 16])
def test_atr_ids_are_never_rejected(count: int, masks: list[Mask]) -> None:
    """Whole figures, and half-length and close-up crops of them."""
    whole = measured(masks)
    closer = measured([np.ascontiguousarray(mask[20:110, 24:104]) for mask in masks])
    rng = np.random.default_rng(count)
    for _ in range(20):
        chosen = rng.choice(16, count, replace=False)
        assert not [finding for finding in findings_about(whole.at(chosen)) if finding.refused]
        assert not [finding for finding in findings_about(closer.at(chosen)) if finding.refused]
    if count == 16:
        assert not findings_about(whole)


def test_real_rows_are_never_rejected(shared_data: Path) -> None:
    """No subset of 1 to 64 rows of real data; of 16 rows, not even a warning."""
    from clothseg.training.data.inspection import measure_masks
    from clothseg.training.data.sources import load_labelled

    real = measure_masks(load_labelled(shared_data / "train.parquet"))
    assert len(real.pixels) == 799 and not findings_about(real)
    upright, best, seen, _ = ordered_share(real.places)
    assert upright == best > 0.99 and seen.sum() > 15_000
    rng = np.random.default_rng(0)
    for count in (1, 2, 4, 8, 16, 64):
        for _ in range(100):
            findings = findings_about(real.at(rng.choice(799, count, replace=False)))
            assert not [finding for finding in findings if finding.refused or count >= 16]


def test_statistics_describe_the_mask() -> None:
    mask = np.full((400, 300), 255, np.uint8)
    mask[:100], mask[300:] = 2, 9
    found = measured([mask, mask * 0])
    assert found.pixels[0, [2, 9]].tolist() == [30_000, 30_000] and found.ignored.tolist() == [60_000, 0]
    assert found.pixels[1].tolist() == [120_000] + [0] * 17
    rows, columns = found.places[0]
    assert rows[2] <= 12.5 and rows[9] >= 87 and np.isnan(rows[0]) and columns[2] == columns[9]
    assert found.middle[0, 0] == found.middle[0, 1] > 0 and found.middle[1, 1] == 0
    assert found.border[1, 0] == found.border[1].sum() > 0
    assert only_class_of(found.pixels[1]) == "Background" and only_class_of(found.pixels) is None
    assert only_class_of(found.pixels[:0]) is None and not findings_about(MaskStatistics.empty(0))


def test_shares_refer_to_annotated_pixels_and_photos() -> None:
    half = np.zeros((10, 10), np.uint8)
    half[:5], half[5] = 4, 255
    shown = shares_text({"train": measured([half, half * 0]), "test": measured([half])})
    assert re.search(r"Upper-clothes +26\.32% +50% +55\.56% +100%", shown)
    assert re.search(r"Not annotated \(255\) +5\.00% +10\.00%", shown)
    assert len(shown.splitlines()) == 20 and all(name in shown for name in NAMES)


def write(folder: Path, masks: list[Mask], part: str = "train", seed: int = 0) -> Path:
    def stored(array: Mask) -> dict[str, object]:
        file = io.BytesIO()
        PILImage.fromarray(array).save(file, "PNG")
        return {"bytes": file.getvalue(), "path": None}

    rows = [
        {"id": f"{part}-{index}", "image": stored(draw(seed + index, *mask.shape).image), "mask": stored(mask)}
        for index, mask in enumerate(masks)
    ]
    features = Features({"id": Value("string"), "image": Image(decode=False), "mask": Image(decode=False)})
    Dataset.from_list(rows, features=features).to_parquet(folder / f"{part}.parquet")
    return folder


def test_load_splits_rejects_or_warns_about_encodings(
    masks: list[Mask], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    change, expected = WRONG["LIP"]
    write(tmp_path, [change(mask) for mask in masks])
    with pytest.raises(DataError, match=f"cannot be right: .*{expected}.* 0 .Background. to 17 .Scarf."):
        load_splits(str(tmp_path), None, 0.2)
    write(tmp_path, [SWAP_SIDES[mask] for mask in masks])
    splits = load_splits(str(tmp_path), None, 0.2)
    assert "look odd: left arms" in caplog.text
    assert {part: len(found.pixels) for part, found in splits.masks.items()} == {"train": 13, "validation": 3}
    assert (splits.pixels == splits.masks["train"].pixels).all()


def test_held_out_rows_with_one_class_are_rejected(masks: list[Mask], tmp_path: Path) -> None:
    """The training rows are good; the held-out rows show a single class."""
    write(tmp_path, masks[:4])
    write(tmp_path, [masks[0] * 0], "validation", seed=50)
    with pytest.raises(DataError, match="part validation, show Background only: a mean IoU over a single class"):
        load_splits(str(tmp_path), check=True)


def test_audit_reports_other_encodings(masks: list[Mask], tmp_path: Path) -> None:
    from clothseg.training.data.sources import load_parts

    change, expected = WRONG["plus one"]
    write(tmp_path, [change(mask) for mask in masks[:4]])
    rows, parts, *_ = load_parts(str(tmp_path), None)
    found = audit({"train": rows.select(parts["train"])})
    assert not found.is_clean
    shown = text(found, "set")
    assert "The masks cannot be right:" in shown and expected in shown
    write_html(found, {"train": rows}, "set", tmp_path / "audit.html", 1)
    assert "Cannot be right: along the photos&#39; borders" in (tmp_path / "audit.html").read_text(encoding="utf-8")
