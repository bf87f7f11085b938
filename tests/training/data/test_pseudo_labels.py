"""Pseudo-labels: low-confidence pixels are ignored, tags are respected, flat-lay photos show no body."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset
from PIL import Image

from clothseg import Segmenter
from clothseg.errors import DataError
from clothseg.labels import ATR, GROUPS, IGNORE, LABEL2ID, NUM_CLASSES, ids_of, mirror
from clothseg.training.data import pseudo_labels
from clothseg.training.data.decoding import decode_mask
from clothseg.training.data.loading import load_splits
from clothseg.training.data.pseudo_labels import (
    UNTAGGED_FACTOR,
    Labelling,
    known_tags,
    label_rows,
    respect_tags,
    without_wearer,
)
from clothseg.training.data.sources import load_unlabelled, read_ids
from clothseg.training.data.tags import tag_ids


GARMENTS, BODY = ids_of(GROUPS["All garments"]), ids_of(GROUPS["Body"])
DRESS, SKIRT, UPPER, SHOES = LABEL2ID["Dress"], LABEL2ID["Skirt"], LABEL2ID["Upper-clothes"], [9, 10]


class Mistaken:
    """A teacher that knows the true masks, but is slightly more confident in a wrong class for some garments."""

    name, image_size, labels = "mistaken", (128, 96), ATR

    def __init__(self, rows: Dataset, mistakes: dict[int, int]) -> None:
        self.masks = {row["image"]["bytes"]: decode_mask(row["mask"], row["id"]) for row in rows}
        self.mistakes = mistakes

    def logits(self, photos: list[Image.Image], size: tuple[int, int]) -> np.ndarray:
        return np.stack([self._of(photo) for photo in photos])

    def _of(self, photo: Image.Image) -> np.ndarray:
        pixels, small = np.asarray(photo), None
        for stored, mask in self.masks.items():
            known = np.asarray(Image.open(io.BytesIO(stored)))
            if np.array_equal(known, pixels):
                small = mask[::4, ::4]
            elif np.array_equal(known[:, ::-1], pixels):
                small = mirror(mask[::4, ::4])
        assert small is not None
        shares = np.full((NUM_CLASSES, *small.shape), 0.005, np.float32)
        np.put_along_axis(shares, small[None].astype(np.int64), 0.4, axis=0)
        taken = small.copy()
        for true, other in self.mistakes.items():
            taken[small == true] = other
        here = np.take_along_axis(shares, taken[None].astype(np.int64), axis=0)
        np.put_along_axis(shares, taken[None].astype(np.int64), np.where(here < 0.4, 0.5, 0.9), axis=0)
        return np.log(shares / shares.sum(axis=0))


@pytest.fixture(scope="module")
def teacher(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(str(tiny_model), device="cpu")


@pytest.fixture(scope="module")
def dolls(doll_data: Path) -> Dataset:
    return load_splits(str(doll_data), None, 0.1, 0).train


def garments_of(row: dict) -> list[int]:
    shown = np.unique(decode_mask(row["mask"], row["id"]))
    return [int(index) for index in shown if index in GARMENTS]


def tagged(rows: Dataset, tags: list[list[int]]) -> Dataset:
    return rows.select_columns(["id", "image"]).add_column("classes", tags)


def test_low_confidence_pixels_are_ignored(teacher: Segmenter, dolls: Dataset) -> None:
    rows = dolls.select(range(2)).select_columns(["id", "image"])
    sure = label_rows(teacher, rows, 0.0)
    unsure = label_rows(teacher, rows, 0.6)
    for everything, some in zip(sure, unsure, strict=True):
        full, part = decode_mask(everything["mask"], "x"), decode_mask(some["mask"], "x")
        assert full.shape == (128, 96) and full.max() < 18
        left_out = part == 255
        assert 0 < left_out.mean() < 1 and (part[~left_out] == full[~left_out]).all()


def test_tags_correct_garments_and_keep_the_rest(dolls: Dataset) -> None:
    mistakes = {DRESS: SKIRT, SKIRT: DRESS}
    mistaken = Mistaken(dolls, mistakes)
    tags = [garments_of(row) for row in dolls]
    assert {DRESS, SKIRT} <= {index for row_tags in tags for index in row_tags}
    plain = label_rows(mistaken, dolls.select_columns(["id", "image"]), 0.3, (1.0,))
    with_tags = label_rows(mistaken, tagged(dolls, tags), 0.3, (1.0,))
    wrong_before = 0
    for row, row_tags, one, other in zip(dolls, tags, plain, with_tags, strict=True):
        truth, before, after = (decode_mask(each["mask"], row["id"]) for each in (row, one, other))
        # the middles of surfaces: the teacher sees every fourth pixel
        inner = np.kron(_inner(truth[::4, ::4]), np.ones((4, 4), bool))
        for true, taken in mistakes.items():
            area = inner & (truth == true)
            if not area.any() or taken in row_tags:
                continue  # tags do not tell where a garment is
            wrong_before += int((before[area] == taken).sum())
            assert (after[area] == true).all()
        body = inner & np.isin(truth, (0, *BODY)) & (before == truth)
        kept = body & (after != IGNORE)  # doubtful pixels around a missed small garment are ignored
        assert (after[kept] == truth[kept]).all() and kept.sum() > 0.9 * body.sum()
    assert wrong_before > 1000


def _inner(mask: np.ndarray) -> np.ndarray:
    """Pixels whose 8 neighbours have their class."""
    padded = np.pad(mask, 1, mode="edge")
    height, width = mask.shape
    around = [padded[dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3)]
    return np.logical_and.reduce([plane == mask for plane in around])


def test_doubtful_pixels_are_ignored_when_a_tag_is_not_found(dolls: Dataset) -> None:
    teacher = Mistaken(dolls, {})
    rows = dolls.select([0, 1])
    tags = [garments_of(row) for row in rows]
    absent = next(index for index in GARMENTS if index not in tags[0])
    sound = label_rows(teacher, tagged(rows, tags), 0.3, (1.0,))
    missed = label_rows(teacher, tagged(rows, [[*tags[0], absent], tags[1]]), 0.3, (1.0,))
    first, second = (decode_mask(each[0]["mask"], "x") for each in (sound, missed))
    left_out = second == IGNORE
    assert left_out.sum() > (first == IGNORE).sum() and (second[~left_out] == first[~left_out]).all()
    assert sound[1]["mask"]["bytes"] == missed[1]["mask"]["bytes"]


@pytest.mark.parametrize("seed", range(5))
def test_tags_change_only_the_odds_of_untagged_garments(seed: int) -> None:
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.ones(NUM_CLASSES), (6, 5)).transpose(2, 0, 1).astype(np.float32)
    known = tuple(sorted(rng.choice(GARMENTS, 6, replace=False).tolist()))
    tags = list(known[: 1 + seed])
    found = respect_tags(shares, tags, known)
    assert np.allclose(found.sum(axis=0), 1, atol=1e-5)
    odds = (found / found[0]) / (shares / shares[0])
    expected = [UNTAGGED_FACTOR if index in known and index not in tags else 1 for index in range(NUM_CLASSES)]
    assert np.allclose(odds, np.array(expected)[:, None, None], rtol=1e-3)
    assert np.allclose(respect_tags(shares, [], known), shares, atol=1e-6)


@pytest.mark.parametrize("tags", [[DRESS], SHOES])
def test_without_wearer_assigns_foreground_to_tagged_garments(tags: list[int]) -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(NUM_CLASSES), (6, 5)).transpose(2, 0, 1).astype(np.float32)
    found = without_wearer(shares, tags)
    assert np.allclose(found.sum(axis=0), 1, atol=1e-5) and np.array_equal(found[0], shares[0])
    assert set(np.flatnonzero(found.any(axis=(1, 2)))) == {0, *tags}


def test_flat_lay_photos_show_only_tagged_classes(dolls: Dataset) -> None:
    teacher = Mistaken(dolls, {})
    rows = tagged(dolls, [[UPPER]] * len(dolls))
    found = label_rows(teacher, rows, 0.3, (1.0,), worn=False)
    assert found["id"] == dolls["id"]
    for row in found:
        assert set(np.unique(decode_mask(row["mask"], "x"))) <= {0, UPPER, IGNORE}

    class Blind(Mistaken):
        def _of(self, photo: Image.Image) -> np.ndarray:
            logits = np.zeros((NUM_CLASSES, photo.height // 4, photo.width // 4), np.float32)
            logits[0] = 9
            return logits

    with pytest.raises(DataError, match="found no garment in any of the 12 flat-lay photos"):
        label_rows(Blind(dolls, {}), rows, 0.3, (1.0,), worn=False)


def test_tags_may_be_ids_or_names(tmp_path: Path, doll_data: Path) -> None:
    assert tag_ids(["hat", "Shoes", 5, "Left-Arm"], "x") == [1, 5, 9, 10, 14]
    assert tag_ids(None, "x") == [] and tag_ids([0, "background"], "x") == []
    wrong = (["t-shirt"], "'t-shirt' in classes is not a class"), ([18], "'18'"), ("Hat", "must be a list")
    for bad, message in wrong:
        with pytest.raises(DataError, match=message):
            tag_ids(bad, "shop, row 7")
    dolls = Dataset.from_parquet(str(doll_data / "validation.parquet"))
    dolls.add_column("classes", [["Dress"], ["Skirt", "Bag"], [], None, ["Shoes"]]).to_parquet(tmp_path / "t.parquet")
    rows = load_unlabelled(str(tmp_path / "t.parquet"))
    assert rows["classes"][:] == [[7], [5, 16], [], [], [9, 10]] and known_tags(rows) == (5, 7, 9, 10, 16)
    left = load_unlabelled(str(tmp_path / "t.parquet"), excluded=rows["id"][:3])
    assert left["id"][:] == rows["id"][3:]
    with pytest.raises(DataError, match="no rows left"):
        load_unlabelled(str(tmp_path / "t.parquet"), excluded=rows["id"][:])


def test_finished_labels_are_reused_until_settings_change(tiny_model: Path, doll_data: Path, tmp_path: Path) -> None:
    out, ids = tmp_path / "run" / "labels.parquet", tmp_path / "ids.txt"
    common = {"option": "unlabelled_name", "worn": True, "teacher": str(tiny_model), "revision": None}
    name = str(doll_data / "validation.parquet")

    def label(**changed: object) -> int:
        given = {"name": name, "min_probability": 0.1, "scales": (1.0,), **common, **changed}
        Labelling(out, **given).write()
        return out.stat().st_mtime_ns

    first = label()
    assert label() == first
    ids.write_text("# held out\ndoll-000100\n\n")
    assert read_ids(str(ids)) == ["doll-000100"]
    second = label(exclude_file=str(ids))
    assert second != first and len(Dataset.from_parquet(str(out))) == 4
    out.with_name("labels.parquet.json").write_text("{")  # cut short
    assert label(exclude_file=str(ids)) != second
    assert json.loads(out.with_name("labels.parquet.json").read_text())["excluded"] == ["doll-000100"]
    with pytest.raises(DataError, match="needs a column classes with the garments in each photo"):
        label(option="flat_lay_name", worn=False)
    with pytest.raises(DataError, match=r"nowhere\.txt cannot be read"):
        label(exclude_file=str(tmp_path / "nowhere.txt"))


def test_interrupted_labelling_resumes(
    tiny_model: Path, doll_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pseudo_labels, "PART", 2)

    def labelling(folder: str) -> Labelling:
        given = {"option": "unlabelled_name", "worn": True, "teacher": str(tiny_model), "revision": None}
        name = str(doll_data / "validation.parquet")
        return Labelling(tmp_path / folder / "x.parquet", name=name, min_probability=0.1, scales=(1.0,), **given)

    labelling("unbroken").write()
    stopped, photos = labelling("stopped"), []
    assert stopped.segmenter is not None
    logits = stopped.segmenter.logits

    def until_the_fourth(photos_given: list[Image.Image], size: tuple[int, int] | None = None) -> np.ndarray:
        photos.append(photos_given)
        if len(photos) == 4:
            raise KeyboardInterrupt
        return logits(photos_given, size)

    monkeypatch.setattr(stopped.segmenter, "logits", until_the_fourth)
    with pytest.raises(KeyboardInterrupt):
        stopped.write()
    again = labelling("stopped")
    assert again.segmenter is not None
    logits = again.segmenter.logits
    photos.append([])  # past the fourth
    monkeypatch.setattr(again.segmenter, "logits", until_the_fourth)
    again.write()
    assert len(photos) == 4 + 1 + 3  # two of five photos were done
    one, other = (Dataset.from_parquet(str(tmp_path / name / "x.parquet")) for name in ("unbroken", "stopped"))
    assert [row["id"] for row in one] == [row["id"] for row in other]
    assert all(np.array_equal(a["mask"], b["mask"]) for a, b in zip(one, other, strict=True))
    assert sorted(path.name for path in (tmp_path / "stopped").iterdir()) == ["x.parquet", "x.parquet.json"]


def test_unlabelled_photos_load_from_parquet(doll_data: Path, tmp_path: Path) -> None:
    assert len(load_unlabelled(str(doll_data / "train.parquet"))) == 12
    with pytest.raises(DataError, match="takes a parquet file or a Hub id"):
        load_unlabelled(str(tmp_path / "nowhere.parquet"))
    Dataset.from_dict({"picture": [1]}).to_parquet(tmp_path / "odd.parquet")
    with pytest.raises(DataError, match="no column image; it has picture"):
        load_unlabelled(str(tmp_path / "odd.parquet"))


def test_undecodable_photo_names_its_row(teacher: Segmenter) -> None:
    rows = Dataset.from_list([{"id": "odd", "image": {"bytes": b"text", "path": None}}])
    with pytest.raises(DataError, match="Row odd: "):
        label_rows(teacher, rows)
