"""Accuracy benchmarks run on paper dolls, and their parts are correct."""

import shutil
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from datasets import Dataset
from markdown_tables import table
from paper_dolls import draw, write_parquet

from benchmarks import (
    back_view,
    embedded,
    page_defaults,
    postprocessing,
    sliding_window,
    small_figures,
    video,
    zoom,
)
from clothseg import Segmenter
from clothseg.labels import mirror, swap_sides
from clothseg.postprocess.geometry import Box


def test_postprocessing_variants_cover_every_method(tiny_model: Path) -> None:
    segmenter = Segmenter.from_pretrained(str(tiny_model), device="cpu")
    found = postprocessing.variants(segmenter, draw(1, 96, 64).image, np.full(18, 2, np.float32))
    assert next(iter(found)) == "plain" and all(each.shape == (96, 64) for each in found.values())
    assert (found["left out: priors"] == found["plain"]).all()  # equal weights change nothing


def test_back_view_replaces_the_face_by_hair_and_swaps_sides() -> None:
    doll = next(doll for doll in map(draw, range(20)) if (doll.mask == 2).sum() > 300 < (doll.mask == 11).sum())
    face = np.isin(doll.mask, [3, 11])
    for neck in (False, True):
        made = back_view.back(doll.image, doll.mask, neck, np.random.default_rng(0))
        assert made is not None
        photo, truth = made
        painted = face & (truth == 2)
        assert painted.sum() == face.sum() if not neck else 0 < painted.sum() < face.sum()
        np.testing.assert_array_equal(truth[~face], swap_sides(doll.mask)[~face])
        far = cv2.dilate(face.view(np.uint8), np.ones((13, 13), np.uint8)) == 0
        np.testing.assert_array_equal(photo[far], doll.image[far])
        hair = doll.image[doll.mask == 2].mean(axis=0)
        assert np.abs(photo[painted].mean(axis=0) - hair).max() < 25
    assert back_view.back(doll.image, np.where(doll.mask == 2, 0, doll.mask), False, np.random.default_rng(0)) is None


def test_face_as_wall_recolours_only_the_face() -> None:
    doll = next(doll for doll in map(draw, range(20)) if (doll.mask == 11).sum() > 300)
    face = np.isin(doll.mask, [3, 11])
    made = back_view.face_as_wall(doll.image, doll.mask)
    assert made is not None
    far = cv2.dilate(face.view(np.uint8), np.ones((13, 13), np.uint8)) == 0
    np.testing.assert_array_equal(made[far], doll.image[far])
    assert made[face].std(axis=0).max() < 10
    assert back_view.face_as_wall(doll.image, np.zeros_like(doll.mask)) is None


def test_rank_maximises_dice_of_one_class() -> None:
    """The class wins only one of twelve pixels, but Dice is best with the pixels of 0.45 as well."""
    shares = np.zeros((2, 2, 6), np.float32)
    shares[1] = [[0.6, 0.45, 0.45, 0.45, 0, 0], [0, 0, 0, 0, 0, 0]]
    shares[0] = 1 - shares[1]
    logits = np.log(np.maximum(shares, 1e-9))
    assert postprocessing.winners(logits, (2, 6)).sum() == 1
    assert postprocessing.rank(logits, (2, 6)).sum() == 4


def test_video_benchmark_compares_methods_on_all_clips(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_parquet(tmp_path / "train.parquet", 1, height=48, width=32)
    write_parquet(tmp_path / "validation.parquet", 1, height=96, width=64)
    video.main([str(tmp_path), str(tiny_model), "--clips", "1", "--frames", "2"])
    _, *rows = table(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [
        [kind, way] for kind in ("handheld", "walking", "wide", "side by side", "waving") for way in video.WAYS
    ]
    assert all(0 <= float(row[2]) <= 1 and 0 <= float(row[3]) <= 1 and float(row[5]) > 0 for row in rows)


@pytest.mark.parametrize("share", sliding_window.SHARES)
@pytest.mark.parametrize(
    "figure", [Box(0, 0, 100, 200), Box(40, 10, 80, 190), Box(90, 0, 100, 30), Box(0, 150, 5, 200)]
)
def test_sliding_windows_cover_the_figure_and_overlap(figure: Box, share: float) -> None:
    boxes = sliding_window.windows(figure, share, (200, 100))
    assert all(0 <= box.left < box.right <= 100 and 0 <= box.top < box.bottom <= 200 for box in boxes)
    assert boxes[0].top <= figure.top and max(box.bottom for box in boxes) >= figure.bottom
    overlaps = [upper.bottom - lower.top for upper, lower in pairwise(boxes)]
    assert all(overlap >= (boxes[0].bottom - boxes[0].top) // 3 for overlap in overlaps)


def test_sliding_window_benchmark_prints_a_row_per_method(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("train", "validation"):
        write_parquet(tmp_path / f"{name}.parquet", 3)
    sliding_window.main([str(tmp_path), str(tiny_model), "--photos", "2"])
    _, *rows = table(capsys.readouterr().out)
    assert [row[0] for row in rows[:2]] == ["one pass", "windows of 0.8"]
    assert rows[0][1] == "1.0" and len(rows) == 1 + 2 * len(sliding_window.SHARES)


def test_small_figures_benchmark_prints_a_row_per_size_and_background(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_figures, "HEIGHTS", {0.3: 300})
    for name in ("train", "validation"):
        write_parquet(tmp_path / f"{name}.parquet", 2)
    small_figures.main([str(tmp_path), str(tiny_model), "--photos", "2"])
    _, *rows = table(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [[share, kind] for share in ("30%",) for kind in ("grey", "own")]


def test_embedded_benchmark_compares_models_on_a_split(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, seed in (("train", 0), ("validation", 50)):
        write_parquet(tmp_path / f"{name}.parquet", 3, seed=seed, height=192, width=128)
    garments = Dataset.from_parquet(str(tmp_path / "validation.parquet")).remove_columns(["mask"])
    garments.add_column("classes", [["Hat"], ["Shoes"], ["Dress"]]).to_parquet(tmp_path / "flat.parquet")
    (tmp_path / "ids.txt").write_text("doll-000050\ndoll-000052\n")
    other = shutil.copytree(tiny_model, tmp_path / "other" / "model")
    flat = ["--flat_lay", str(tmp_path / "flat.parquet"), "--ids", str(tmp_path / "ids.txt")]
    embedded.main([str(tmp_path), str(tiny_model), str(other), *flat, "--views"])
    blocks = [block for block in capsys.readouterr().out.split("\n\n") if block.startswith("|")]
    scores, views, flat_lay, portraits = map(table, blocks)
    assert scores[0][1:] == [tiny_model.name, "other", f"less {tiny_model.name}"]
    for _, first, second, less in scores[1:]:
        assert first == second and less in ("+0.000 (+0.000 to +0.000)", "–")
    assert len(views) == 1 + 2 * len(embedded.HARD_VIEWS) and flat_lay[0][0] == "2 flat-lay photos"
    assert [row[1] for row in portraits[1:]] == [tiny_model.name] * 2 + ["other"] * 2


def test_largest_garment_excludes_body_parts_and_merges_shoes() -> None:
    for seed in range(20):
        mask = draw(seed, 192, 128).mask
        pixels = np.bincount(mask.ravel(), minlength=18)
        pixels[9] += pixels[10]
        found = embedded.largest_garment(mask)
        assert found is not None and pixels[found] == max(pixels[index] for index in (1, 3, 4, 5, 6, 7, 8, 9, 16, 17))
        assert embedded.largest_garment(mirror(mask)) == found
    assert embedded.largest_garment(np.array([[0, 11, 2]], np.uint8)) is None


def test_true_crop_inference_changes_the_labels(tiny_model: Path) -> None:
    doll = draw(2, 160, 107)
    view = small_figures.shrunk(doll.image, doll.mask, np.full((600, 400, 3), 128, np.uint8), 160)
    segmenter = Segmenter.from_pretrained(str(tiny_model), engine="torch")
    labels = small_figures.surely(segmenter, view, view.shown(doll.mask))
    assert (labels != segmenter(view.photo, zoom="off").label_map)[view.part].any()


def test_background_colour_is_sampled_next_to_the_figure() -> None:
    photo, truth = np.zeros((90, 60, 3), np.uint8), np.zeros((90, 60), np.uint8)
    truth[10:80, 10:30] = 4
    photo[truth == 4], photo[:, 34:] = 255, 90
    assert (small_figures.ground(photo, truth, (300, 200)) == 90).all()
    truth[:, 2:58] = 4
    assert (small_figures.ground(photo, truth, (30, 20)) == 128).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_seam_counts_edges_in_neither_inference(axis: int) -> None:
    first, nearer = np.zeros((100, 100), np.uint8), np.zeros((50, 50), np.uint8)
    nearer[:, 20:30] = 16
    if axis:
        nearer = nearer.T
    box = Box(20, 30, 70, 80)
    both = first.copy()
    both[30:80, 20:70] = nearer
    assert zoom.seam(first, nearer, both, box) == 10  # the strip ends at both borders
    faded = both.copy()
    faded[30:32], faded[78:80], faded[:, 20:22], faded[:, 68:70] = 0, 0, 0, 0
    assert zoom.seam(first, nearer, faded, box) == 10  # the cut is further in
    first[(slice(None), slice(40, 50)) if axis == 0 else (slice(50, 60), slice(None))] = 16
    both = first.copy()
    both[30:80, 20:70] = nearer
    assert zoom.seam(first, nearer, both, box) == 0  # the strip continues outside


def test_page_defaults_benchmark_compares_page_and_api(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for seed, name in enumerate(("train", "validation")):
        write_parquet(tmp_path / f"{name}.parquet", 3, seed=seed, height=96, width=64)
    page_defaults.main([str(tmp_path), "--model", str(tiny_model), "--pairs", "2"])
    blocks = [block for block in capsys.readouterr().out.split("\n\n") if block.startswith("|")]
    assert len(blocks) == 2
    for block in blocks:
        _, usual, *others = table(block)
        assert usual[2:] == ["+0.0000", "+0.0000 to +0.0000"] and len(others) == 2
        for _, value, change, within in others:
            assert float(value) - float(usual[1]) == pytest.approx(float(change), abs=2e-4)
            low, high = map(float, within.split(" to "))
            assert low <= high
