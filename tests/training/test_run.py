"""A run from arguments to output folder: early checks, and results of earlier runs are never overwritten."""

import csv
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from paper_dolls import write_parquet
from safetensors import safe_open

from clothseg import Segmenter
from clothseg.errors import ConfigError, DataError, ModelError
from clothseg.training.arguments import parse_arguments
from clothseg.training.data.dataset import ParsingDataset
from clothseg.training.data.loading import load_splits
from clothseg.training.data.sources import load_labelled
from clothseg.training.data.split import SplitRecord
from clothseg.training.publish.report import FILES
from clothseg.training.run import check_network, run


def arguments(data: Path, model: Path, output: Path, *flags: str) -> list[str]:
    small = ["--image_size", "64", "--max_steps", "2", "--dataloader_num_workers", "0", "--use_cpu", "true"]
    names = ["--model_name_or_path", str(model), "--dataset_name", str(data), "--output_dir", str(output)]
    return [*names, *small, "--disable_tqdm", "true", "--logging_steps", "1", *flags]


def test_run_with_ema_and_float16_writes_a_loadable_model(
    doll_data: Path, image_classifier: Path, tiny_model: Path, tmp_path: Path
) -> None:
    flags = ["--ema_decay", "0.5", "--save_dtype", "float16", "--endpoint_handler", "--match_class_areas"]
    flags += ["--start_share", "0.1"]  # the former name of --weight_interpolation
    argv = arguments(doll_data, image_classifier, tmp_path, *flags)
    folder = run(*parse_arguments(argv), argv)
    assert folder == tmp_path / "model"
    assert (folder / "model.safetensors").stat().st_size < 0.6 * (tiny_model / "model.safetensors").stat().st_size
    with (
        safe_open(folder / "model.safetensors", "pt") as saved,
        safe_open(tiny_model / "model.safetensors", "pt") as published,
    ):  # the published parameter names, which all transformers releases load
        assert set(saved.keys()) == set(published.keys())
    assert Segmenter.from_pretrained(folder).image_size == (64, 64)
    assert "class EndpointHandler" in (folder / "handler.py").read_text()
    figures = json.loads((folder / "figures.json").read_text())
    assert set(FILES) <= {path.name for path in folder.iterdir()} and not list(folder.glob("*_photos.png"))
    card = (folder / "README.md").read_text()
    assert "![calibration](calibration.png)" in card and "interpolated with 10 % of the starting weights" in card
    assert "biases of the classes matched to the labelled areas" in card
    for size in ("own_size", "network_size"):
        low, high = figures["intervals"][size]["overall_accuracy"]
        assert 0 <= low <= figures[size]["overall_accuracy"] <= high <= 1
    with (folder / "training_log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows[:1]] == ["2"] and float(rows[0]["training_loss"]) > 0

    before = (folder / "model.safetensors").read_bytes()
    with pytest.raises(ConfigError, match="contains a finished model"):
        run(*parse_arguments(argv), argv)
    assert (folder / "model.safetensors").read_bytes() == before


def test_run_learns_unlabelled_photos_from_a_teacher(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    write_parquet(tmp_path / "photos.parquet", 5, seed=200, height=128, width=96)
    taught = [
        "--unlabelled_name",
        str(tmp_path / "photos.parquet"),
        "--teacher_model_name_or_path",
        str(tiny_model),
    ]
    rare = ["--rare_sampling", "0.9", "--class_weighting", "frequency", "--dice_weight", "1"]
    argv = arguments(doll_data, tiny_model, tmp_path, *taught, *rare, "--report_photos", "true")
    folder = run(*parse_arguments(argv), argv)
    assert {"best_photos.png", "worst_photos.png"} <= {path.name for path in folder.iterdir()}
    assert Segmenter.from_pretrained(folder).image_size == (64, 64)
    assert len(load_labelled(tmp_path / "unlabelled_labels.parquet")) == 5


def test_run_reports_test_rows_and_skips_bad_rows(doll_data: Path, tiny_model: Path, tmp_path: Path) -> None:
    data = tmp_path / "photos"
    data.mkdir()
    table = pq.read_table(doll_data / "train.parquet")
    masks = table["mask"].to_pylist()
    masks[4] = {"bytes": b"no picture", "path": None}
    column, stored = table.schema.get_field_index("mask"), table.schema.field("mask")
    table = table.set_column(column, stored, pa.array(masks, stored.type))
    pq.write_table(table, data / "train.parquet")
    (data / "test.parquet").symlink_to(doll_data / "validation.parquet")
    record = load_splits(str(data), None, 0.2, on_bad_row="skip").record
    earlier, reason = tmp_path / "split.json", record.skipped.pop("doll-000004")
    replace(record, train=[*record.train, "doll-000004"]).write(earlier)

    flags = ["--split_file", str(earlier), "--eval_strategy", "no"]
    argv = arguments(data, tiny_model, tmp_path / "run", *flags)
    with pytest.raises(DataError, match="doll-000004: the mask is not a readable picture"):
        run(*parse_arguments(argv), argv)
    argv += ["--on_bad_row", "skip"]
    folder = run(*parse_arguments(argv), argv)
    written = SplitRecord.read(folder / "split.json")
    assert written == replace(record, skipped={"doll-000004": reason})
    figures = json.loads((folder / "figures.json").read_text())
    assert figures["split"] == written.summary() | {"reported": "test"} and figures["photos"] == 5


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--resume_from_checkpoint", "true"), r"contains no checkpoint-N folder"),
        (("--resume_from_checkpoint", "nowhere"), r"nowhere: no such checkpoint folder"),
    ],
)
def test_resume_without_a_checkpoint_gives_a_clear_error(
    flags: tuple[str, ...], message: str, doll_data: Path, tiny_model: Path, tmp_path: Path
) -> None:
    argv = arguments(doll_data, tiny_model, tmp_path, *flags)
    with pytest.raises(ConfigError, match=message):
        run(*parse_arguments(argv), argv)


@pytest.mark.parametrize(
    ("left", "message"),
    [
        ("model", "model contains a finished model: choose another --output_dir, or move it away"),
        ("checkpoint-40", "the last one checkpoint-40: continue it with --resume_from_checkpoint true, choose"),
        ("model.incomplete", "is the trained model of a run that did not finish"),
        ("training_log.csv", "is an earlier run's log"),
    ],
)
def test_earlier_runs_are_not_overwritten(left: str, message: str, tmp_path: Path) -> None:
    """The same command started twice fails before it loads anything."""
    earlier = tmp_path / left / "weights"
    earlier.parent.mkdir()
    earlier.write_bytes(b"hours of work")
    argv = ["--output_dir", str(tmp_path), "--use_cpu", "true"]
    with pytest.raises(ConfigError, match=message):
        run(*parse_arguments(argv), argv)
    assert earlier.read_bytes() == b"hours of work"


def test_output_folder_that_is_a_file_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    argv = ["--output_dir", str(tmp_path / "file"), "--use_cpu", "true"]
    with pytest.raises(ConfigError, match="file is a file"):
        run(*parse_arguments(argv), argv)


def test_models_are_checked_before_rows_are_decoded(
    doll_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clothseg.training.run.load_splits", lambda *_, **__: pytest.fail("rows first"))
    teacher = ["--teacher_model_name_or_path", str(tmp_path), "--distillation_weight", "1"]
    for flags in (["--model_name_or_path", str(tmp_path)], ["--model_name_or_path", "lite0", *teacher]):
        argv = [*flags, "--from_scratch", "true", "--dataset_name", str(doll_data), "--use_cpu", "true"]
        argv += ["--output_dir", str(tmp_path / "run")]
        with pytest.raises(ModelError, match=r"config\.json"):
            run(*parse_arguments(argv), argv)


def test_repair_masks_applies_to_training_rows_only(
    doll_data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Seen(Exception):
        pass

    def look(*_: object, train_dataset: ParsingDataset, eval_dataset: ParsingDataset, **__: object) -> None:
        raise Seen(train_dataset.repair_masks, eval_dataset.repair_masks)

    monkeypatch.setattr("clothseg.training.run.ClothesTrainer", look)
    for flags, expected in ((["--repair_masks", "true"], (True, False)), ([], (False, False))):
        argv = arguments(doll_data, tiny_model, tmp_path, *flags)
        with pytest.raises(Seen) as seen:
            run(*parse_arguments(argv), argv)
        assert seen.value.args == expected


def test_script_without_the_package_tells_how_to_install_it(tmp_path: Path) -> None:
    """As started by `hf jobs uv run https://.../train_hf.py`, which copies only the script."""
    shutil.copy(Path(__file__).parents[2] / "train_hf.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-S", "train_hf.py", "--help"],
        cwd=tmp_path,
        env={"PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("error: train_hf.py needs the package clothseg") and done.stderr.count("\n") == 1
    assert "git clone" in done.stderr and "hf jobs uv run --with git+" in done.stderr


def test_handler_of_endpoints_is_refused_for_networks_that_plain_transformers_lacks() -> None:
    training = SimpleNamespace(activation_checkpointing=False)
    parsing = SimpleNamespace(endpoint_handler=True, match_class_areas=False)
    for kind in ("segformer", "clothseg-lite"):
        network = SimpleNamespace(config=SimpleNamespace(model_type=kind), supports_gradient_checkpointing=True)
        if kind == "segformer":
            check_network(network, training, parsing)  # type: ignore[arg-type]
        else:
            with pytest.raises(ConfigError, match="--endpoint_handler does not work with clothseg-lite"):
                check_network(network, training, parsing)  # type: ignore[arg-type]
