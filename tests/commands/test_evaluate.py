"""`evaluate` from arguments to tables and files, and its early checks."""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from paper_dolls import draw_many, write_parquet

from clothseg.cli import main
from clothseg.commands import evaluate
from clothseg.errors import ClothsegError, ConfigError, DataError, ModelError
from clothseg.labels import NAMES
from clothseg.training.bars import hide_bars
from clothseg.training.data.sources import load_labelled
from clothseg.training.data.split import SplitRecord
from clothseg.training.evaluation.scoring import Scores, only_class
from clothseg.training.publish.report import FILES, table


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data") / "dolls"
    folder.mkdir()
    for split, count in (("train", 6), ("validation", 5)):
        write_parquet(folder / f"{split}.parquet", count, seed=10 * count, height=128, width=96)
    return folder


def run(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    evaluate.add_arguments(parser)
    return evaluate.run(parser.parse_args([*map(str, arguments), "--resamples", "50"]))


def test_evaluate_prints_tables_and_writes_files(
    data: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hide_bars(False)  # a training in this process may have hidden them
    out = tmp_path / "new" / "report"
    assert run(tiny_model, data, "--out", out, "--batch_size", "2") == 0
    said = capsys.readouterr()
    assert "Evaluating tiny" in said.err and "Evaluating" not in said.out
    assert {path.name for path in out.iterdir()} == set(FILES)

    figures = json.loads((out / "figures.json").read_text())
    assert figures["model"] == "tiny" and figures["dataset"] == "dolls" and figures["photos"] == 5
    assert str(tmp_path) not in (out / "figures.json").read_text()
    low, high = figures["intervals"]["own_size"]["mean_iou"]
    assert f"{figures['own_size']['mean_iou']:.3f} ({low:.3f} to {high:.3f})" in said.out
    assert f"{figures['calibration']['ece']:.3f} (" in said.out

    with (out / "per_class.csv").open() as file:
        classes = {row["class"]: row for row in csv.DictReader(file)}
    assert tuple(classes) == NAMES
    for name, row in classes.items():
        for key in ("iou", "precision", "boundary_f1_2px"):
            expected = figures["own_size"].get(f"{key}_{name}")
            assert row[key] == ("" if expected is None else str(expected))
    with (out / "photos.csv").open() as file:
        photos = list(csv.DictReader(file))
    assert len({row["id"] for row in photos}) == 5 and all(0 <= float(row["mean_iou"]) <= 1 for row in photos)


def test_evaluate_compares_two_models_with_pictures(
    data: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--against", "embedded", "--out", tmp_path, "--pictures", "--split", "train")
    assert run(tiny_model, data, *flags) == 0
    said = capsys.readouterr().out
    assert f"First: {tiny_model}. Second: embedded." in said and "split train" in said
    assert {path.name for path in tmp_path.iterdir()} == {
        *FILES, "differences.png", "best_photos.png", "worst_photos.png"
    }  # fmt: skip
    figures = json.loads((tmp_path / "figures.json").read_text())
    other, less = figures["against"], figures["difference"]
    assert other["model"] == "clothseg-lite" and other["photos"] == figures["photos"] == 6
    for key, value in less["own_size"].items():
        assert value == pytest.approx(figures["own_size"][key] - other["own_size"][key], abs=2e-6)
    high = less["intervals"]["own_size"]["mean_iou"][1]
    assert high < 0 and "worse" in said  # random weights lose against trained ones, even on dolls


def test_table_columns_are_aligned() -> None:
    lines = table(["", "a", "long head"], [["row", "1.00", "2"], ["longer row", "–", "3"]]).splitlines()
    assert len({len(line) for line in lines}) == 1 and lines[2].index("1.00") + 4 == lines[3].index("–") + 1


@pytest.mark.parametrize(
    ("flags", "error", "message"),
    [
        (("--pictures",), ConfigError, "give --out"),
        (("--against_revision", "v1"), ConfigError, "needs --against"),
        (("--out", __file__), ConfigError, "is a file"),
        (("--against", "{data}"), ModelError, "config.json"),
    ],
)
def test_wrong_options_raise_clear_errors(
    flags: tuple[str, ...], error: type[ClothsegError], message: str, data: Path, tiny_model: Path
) -> None:
    with pytest.raises(error, match=message):
        run(tiny_model, data, *(flag.format(data=data) for flag in flags))


def test_unknown_models_and_data_raise_clear_errors(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"config\.json"):
        run(tmp_path, data)
    with pytest.raises(DataError, match=r"contains no data set: .*train\.parquet"):
        run(tiny_model, tmp_path)
    with pytest.raises(DataError, match="has no split test, only train and validation"):
        run(tiny_model, data, "--split", "test")


@pytest.mark.parametrize(
    ("files", "flags", "split", "photos"),
    [
        (("validation.parquet",), (), "validation", 3),
        (("test.parquet",), (), "test", 3),
        (("dev.parquet",), ("--split", "validation"), "validation", 3),
        (("data/train-00000-of-00002.parquet", "data/train-00001-of-00002.parquet"), (), "train", 6),
        (
            ("train.parquet",),
            ("--split", "validation", "--on_bad_row", "skip"),
            "validation",
            1,
        ),  # drawn as in training
        (("train.parquet", "test.parquet"), (), "test", 3),
    ],
)
def test_evaluate_needs_only_the_scored_split(
    files: tuple[str, ...],
    flags: tuple[str, ...],
    split: str,
    photos: int,
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    for number, name in enumerate(files):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write_parquet(tmp_path / name, 3, seed=3 * number, height=64, width=48)
    assert run(tiny_model, tmp_path, *flags) == 0
    said = capsys.readouterr()
    assert f"split {split}," in said.out and f"{photos} photo" in said.out
    assert f"Only {photos} row" in caplog.text
    assert ("the only split" in said.err) == (split == "train")


def test_invalid_masks_are_rejected(tiny_model: Path, tmp_path: Path) -> None:
    dolls = [doll._replace(mask=(doll.mask > 0).astype(np.uint8)) for doll in draw_many(3, 0, 64, 48)]
    write_parquet(tmp_path / "test.parquet", dolls)
    with pytest.raises(DataError, match=r"cannot be right: they contain only 0 .Background. and 1 .Hat."):
        run(tiny_model, tmp_path)
    nobody = [doll._replace(mask=doll.mask * 0) for doll in dolls]
    write_parquet(tmp_path / "test.parquet", nobody)
    with pytest.raises(DataError, match="a single class"):
        run(tiny_model, tmp_path)


def test_split_file_selects_rows_and_bad_rows_can_be_skipped(data: Path, tiny_model: Path, tmp_path: Path) -> None:
    ids = load_labelled(data / "train.parquet")["id"][:]
    SplitRecord("dolls", None, "fraction", 1, train=ids[:1], validation=ids[1:3], test=ids[3:6]).write(
        tmp_path / "split.json"
    )
    chosen = ("--split_file", tmp_path / "split.json", "--split", "test", "--out")
    assert run(tiny_model, data, *chosen, tmp_path / "all") == 0
    spoilt = tmp_path / "spoilt"
    spoilt.mkdir()
    rows = pq.read_table(data / "train.parquet")
    masks = rows["mask"].to_pylist()
    masks[4] = {"bytes": b"no picture", "path": None}
    rows = rows.set_column(
        rows.schema.get_field_index("mask"), "mask", pa.array(masks, rows.schema.field("mask").type)
    )
    pq.write_table(rows, spoilt / "train.parquet")
    with pytest.raises(DataError, match=f"Row {ids[4]}: the mask"):
        run(tiny_model, spoilt, *chosen, tmp_path / "bad")
    assert run(tiny_model, spoilt, *chosen, tmp_path / "skipped", "--on_bad_row", "skip") == 0
    for name, expected in (("all", ids[3:6]), ("skipped", [ids[3], ids[5]])):
        with (tmp_path / name / "photos.csv").open() as file:
            assert [row["id"] for row in csv.DictReader(file)] == expected


@pytest.mark.parametrize(("value", "first"), [(0.0, True), (float("nan"), False)])
def test_model_that_predicts_one_class_is_rejected(
    value: float, first: bool, data: Path, tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A head of zeros that always predicts Hair, and one of NaN, as the first or second model."""
    from transformers import SegformerForSemanticSegmentation, SegformerImageProcessorPil

    broken = SegformerForSemanticSegmentation.from_pretrained(tiny_model)
    with torch.no_grad():
        broken.decode_head.classifier.weight.fill_(value)
        broken.decode_head.classifier.bias.zero_()[NAMES.index("Hair")] = 1
    broken.save_pretrained(tmp_path / "broken")
    SegformerImageProcessorPil.from_pretrained(tiny_model).save_pretrained(tmp_path / "broken")
    models = (tmp_path / "broken",) if first else (tiny_model, "--against", tmp_path / "broken")
    status = main(["evaluate", str(models[0]), str(data), *map(str, models[1:]), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().err.splitlines()[-1]
    assert status == 1
    assert "broken" in said and ("every pixel of all 5 photos Hair" in said or "finite" in said)
    assert not list((tmp_path / "out").glob("*"))


def test_only_class_ignores_masks_of_a_single_class() -> None:
    def scores(*cells: tuple[int, int]) -> Scores:
        matrices = np.zeros((2, 18, 18), np.int64)
        for truth, found in cells:
            matrices[1, truth, found] = 3
        nothing = np.zeros(0)
        return Scores(["a", "b"], matrices, matrices, nothing, nothing, nothing, matrices)

    assert only_class(scores((0, 0))) is None
    assert only_class(scores((0, 4), (4, 4))) == "Upper-clothes"
    assert only_class(scores((4, 0))) == "Background"
    assert only_class(scores((4, 4), (4, 5))) is None
