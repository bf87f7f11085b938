"""The audit finds planted faults, accepts good rows, and writes a report without scripts or external resources.

Covers `clothseg.commands.audit`, `clothseg.training.data.audit_report`.
"""

import io
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from datasets import Dataset, Features, Image, Value
from paper_dolls import Doll, draw
from PIL import Image as PILImage

from clothseg import Segmenter
from clothseg.labels import IGNORE, NAMES
from clothseg.training.data.audit import MIN_FIT, Audit, audit, edge_fit, person_iou
from clothseg.training.data.audit_report import text, write_html


EVIL = "<script>alert(1)</script>\x1b[2J"
SIZE = (192, 128)


def stored(array: np.ndarray, kind: str) -> dict[str, object]:
    file = io.BytesIO()
    PILImage.fromarray(array).save(file, kind, quality=95)
    return {"bytes": file.getvalue(), "path": None}


def rows(*parts: tuple[str, np.ndarray | bytes, np.ndarray]) -> Dataset:
    """Undecoded rows of id, photo (pixels, or the bytes of a file) and mask."""
    columns = {
        "id": [row_id for row_id, _, _ in parts],
        "image": [
            {"bytes": photo, "path": None} if isinstance(photo, bytes) else stored(photo, "JPEG")
            for _, photo, _ in parts
        ],
        "mask": [stored(mask, "PNG") for _, _, mask in parts],
    }
    features = Features({"id": Value("string"), "image": Image(decode=False), "mask": Image(decode=False)})
    return Dataset.from_dict(columns, features=features)


@pytest.fixture(scope="module")
def dolls() -> list[Doll]:
    return [draw(seed, *SIZE) for seed in range(8)]


@pytest.fixture(scope="module")
def splits(dolls: list[Doll]) -> dict[str, Dataset]:
    """Six rows to train on and two held out, with one fault of each kind."""
    holed = dolls[1].mask.copy()
    largest = 1 + np.bincount(holed.ravel())[1:].argmax()
    inside = np.argwhere(cv2.erode((holed == largest).view(np.uint8), np.ones((5, 5), np.uint8)))
    holed[tuple(inside[0])] = 0
    wrong_class = np.full(SIZE, 99, np.uint8)
    train = rows(
        ("sound", dolls[0].image, dolls[0].mask),
        ("holed", dolls[1].image, holed),
        (EVIL, b"no photo", dolls[2].mask),
        ("wrong-class", dolls[2].image, wrong_class),
        ("misaligned", dolls[3].image, np.roll(dolls[3].mask, 24, axis=1)),
        ("nobody", dolls[6].image, np.zeros(SIZE, np.uint8)),
    )
    copy = np.clip(dolls[0].image.astype(int) + 6, 0, 255).astype(np.uint8)
    return {
        "train": train,
        "validation": rows(("copy", copy, dolls[0].mask), ("other", dolls[5].image, dolls[5].mask)),
    }


@pytest.fixture(scope="module")
def found(splits: dict[str, Dataset]) -> Audit:
    return audit(splits)


def test_audit_finds_planted_faults(found: Audit) -> None:
    assert [(row.split, row.row_id) for row in found.bad] == [("train", EVIL), ("train", "wrong-class")]
    assert "99" in found.bad[1].reason and "Row" not in found.bad[1].reason
    assert [row.row_id for row in found.suspects] == ["misaligned"]
    assert [row.row_id for row in found.rows if row.is_empty] == ["nobody"]
    assert [[found.rows[number].row_id for number in group] for group in found.crossing] == [["sound", "copy"]]
    assert {row.row_id: row.repair.holes for row in found.rows}["holed"] >= 1
    assert not found.is_clean


def test_counts_include_only_good_rows(found: Audit, dolls: list[Doll]) -> None:
    np.testing.assert_array_equal(
        found.pixels["validation"],
        np.bincount(np.concatenate([dolls[0].mask.ravel(), dolls[5].mask.ravel()]), minlength=len(NAMES)),
    )
    assert found.photos["train"][0] == 4 and found.counts == {"train": 6, "validation": 2}
    assert {(row.width, row.height) for row in found.rows} == {SIZE[::-1]}


def test_audit_of_good_rows_is_clean(dolls: list[Doll]) -> None:
    result = audit({"train": rows(*((str(i), doll.image, doll.mask) for i, doll in enumerate(dolls[:3])))})
    assert result.is_clean and not result.groups


def test_text_report_names_findings_and_escapes_control_characters(found: Audit) -> None:
    shown = text(found, "the set")
    assert shown.startswith("Audit of the set\n")
    for line in (r"Rows +6 +2", r"Bad rows +2 +0", r"Masks without a person +1 +0"):
        assert re.search(line, shown), line
    assert "train misaligned: edge fit" in shown and "train sound, validation copy" in shown
    assert "\x1b" not in shown
    table = shown.split("\n\n")[1].splitlines()
    assert len({len(line) for line in table}) == 1, "columns are aligned"


def test_html_report_is_one_file_without_scripts_or_external_resources(
    found: Audit, splits: dict[str, Dataset], tmp_path: Path
) -> None:
    path = tmp_path / "audit.html"
    write_html(found, splits, "<b>set</b>", path, examples=1)
    page = path.read_text(encoding="utf-8")
    assert "<script" not in page and "<b>" not in page and "&lt;script&gt;" in page
    assert not re.search(r"https?:|<link|url\(|@import", page)
    sources = re.findall(r'src="([^"]*)"', page)
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    # two of a pair of copies, two of the suspect, three of each kind of repair
    assert len(sources) == 2 + 2 + 3 + 3


def test_edge_fit_separates_matching_from_wrong_masks(dolls: list[Doll]) -> None:
    larger = [draw(seed) for seed in range(12)]
    true = np.array([edge_fit(doll.image, doll.mask) for doll in larger])
    wrong = np.array([edge_fit(doll.image, larger[number - 1].mask) for number, doll in enumerate(larger)])
    assert np.mean(true > MIN_FIT) > 0.9 and np.mean(wrong < MIN_FIT) > 0.9


@pytest.mark.parametrize("mask", [np.zeros(SIZE, np.uint8), np.full(SIZE, IGNORE, np.uint8)])
def test_edge_fit_is_nan_without_a_person(mask: np.ndarray, dolls: list[Doll]) -> None:
    assert np.isnan(edge_fit(dolls[0].image, mask))


def test_edge_fit_separates_mirrored_masks_of_real_photos(shared_data: Path) -> None:
    from clothseg.training.data.decoding import decode_row
    from clothseg.training.data.sources import load_labelled

    pairs = [decode_row(row) for row in load_labelled(shared_data / "sample_train.parquet")]
    assert np.mean([edge_fit(*pair) > MIN_FIT for pair in pairs]) > 0.9
    assert np.mean([edge_fit(photo, mask[:, ::-1]) < MIN_FIT for photo, mask in pairs]) > 0.8


def test_audit_reports_low_overlap_with_the_models_person(dolls: list[Doll], tiny_model: Path) -> None:
    segmenter = Segmenter.from_pretrained(tiny_model)
    seen = segmenter(dolls[0].image).label_map
    assert person_iou(segmenter, dolls[0].image, seen) == 1
    assert person_iou(segmenter, dolls[0].image, np.where(seen == 0, 4, 0).astype(np.uint8)) == 0
    unsure = np.where(np.arange(SIZE[1]) < 64, seen, IGNORE).astype(np.uint8)
    assert person_iou(segmenter, dolls[0].image, unsure) == 1
    result = audit({"train": rows(("0", dolls[0].image, np.where(seen == 0, 4, 0).astype(np.uint8)))}, segmenter)
    assert len(result.suspects) == 1 and "overlap with the model's person 0.00" in text(result, "set")
