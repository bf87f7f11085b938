"""Speed benchmarks run and print their tables; speed itself is not tested."""

import argparse
import re
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest
import torch
from markdown_tables import RATIO, table
from paper_dolls import draw, write_parquet
from PIL import Image

from benchmarks import (
    contenders,
    gpu,
    gpu_network,
    gpu_training,
    inference,
    input_pipeline,
    items,
    on_device,
    reduced,
    scale,
    training_speed,
)
from clothseg import Segmentation, Segmenter
from clothseg.training.arguments import parse_arguments


FAKE_TRAINING = Path(__file__).parents[1] / "support" / "fake_training.py"


@pytest.fixture
def two_examples(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Use two drawn photos instead of those in examples/, which are many."""
    (tmp_path / "examples").mkdir()
    for seed in range(2):
        Image.fromarray(draw(seed).image).save(tmp_path / "examples" / f"{seed}.jpg", quality=95)
    monkeypatch.setattr(contenders, "EXAMPLES", tmp_path / "examples")


def test_input_pipeline_benchmark_prints_a_row_per_augmentation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_parquet(tmp_path / "train.parquet", 8, height=48, width=32)
    write_parquet(tmp_path / "validation.parquet", 1, height=48, width=32)
    threads = torch.get_num_threads(), cv2.getNumThreads()
    input_pipeline.main([str(tmp_path), "--size", "32", "--rows", "6", "--rounds", "1", "--workers", "0"])
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])
    _, *rows = table(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [["standard", "0"], ["strong", "0"]]
    assert all(float(time) > 0 for row in rows for time in row[2:5])
    assert all(re.fullmatch(RATIO, row[5]) for row in rows)


def test_items_benchmark_counts_and_times_items(capsys: pytest.CaptureFixture[str]) -> None:
    dolls = [draw(seed) for seed in range(3)]
    results = [Segmentation(Image.fromarray(doll.image), doll.mask) for doll in dolls]
    there, split = items.counted(results)
    assert there["Left-shoe"] == there["Right-shoe"] == 3 and not split
    items.print_times(results[0], 1)
    _, *rows = table(capsys.readouterr().out)
    assert rows[0][0] == "plain" and rows[0][2] == "1.0" and all(float(row[2]) > 0 for row in rows)


def test_training_speed_benchmark_compares_three_methods(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_speed, "matrix_flops", lambda device, dtype: 1e12)
    training_speed.main("--models b0 --size 32 --batch 2 --rounds 1 --steps 1 --device cpu".split())
    _, *rows = table(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [["B0", "plain"], ["B0", "default"], ["B0", "tuned"]]
    assert all(float(row[2]) > 0 and re.fullmatch(RATIO, row[3]) and row[6].endswith("%") for row in rows)
    assert rows[0][3] == "1.00 (1.00)"


def test_tuned_training_steps_need_fewer_operations() -> None:
    """About a quarter fewer at 128x128 for B0, more at larger inputs: mixing the head's weights has a fixed cost."""
    pixels, labels = torch.randn(1, 3, 128, 128), torch.randint(18, (1, 128, 128))
    plain, default, tuned = (training_speed.build_step("b0", way, pixels, labels) for way in training_speed.WAYS)
    assert default.flops == tuned.flops and 0.6 < tuned.flops / plain.flops < 0.8


def test_gpu_benchmark_runs_on_the_cpu(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Everything except CUDA graphs and compilation, which need a GPU."""
    Image.fromarray(draw(0, 96, 64).image).save(tmp_path / "photo.png")
    (tmp_path / "photos").mkdir()
    for seed in range(2):
        Image.fromarray(draw(seed, 96, 64).image).save(tmp_path / "photos" / f"{seed}.jpg")
    monkeypatch.setattr(gpu, "EXAMPLES", tmp_path / "photos")
    monkeypatch.setattr(gpu_network, "PHOTO", tmp_path / "photos" / "0.jpg")
    monkeypatch.setattr(gpu, "matrix_flops", lambda device, dtype: 1e12)
    monkeypatch.setattr(gpu_training, "SCRIPT", FAKE_TRAINING)
    flags = "--models b0 lite --size 64 --batches 2 --train-batch 1 --rounds 1 --device cpu"
    gpu.main([*flags.split(), *"--train-batches 4 --train-photos 8 --train-steps 20".split()])
    said = capsys.readouterr().out
    correctness, real, inference_part = re.split(r"(?=\| train_hf.py|\| network \| batch)", said)
    _, *rows = table(correctness)
    assert [row[:3] for row in rows] == [[name, each, "4"] for name in ("b0", "lite") for each in ("exact", "fast")]
    assert all(row[3] == row[4] == "1.000000" for row in rows if row[1] == "exact")
    assert "\n| float32 | 4 | 400.0 | 4 min |\n" in real  # 100 steps per second, say the fake log's times
    assert re.search(r"Stopped by SIGTERM after \d+ steps and resumed for 5: .* uninterrupted run is 0.5 \(0 on", real)
    inference_part, training_part = inference_part.split("| training")
    _, *rows = table(inference_part)
    ours = ("whole", "guided", "around it by the CPU", "guided by the CPU", "network", "network alone")
    assert [row[:3] for row in rows] == [
        *(["b0", "2", way] for way in ("pipeline", *ours)),
        *(["lite", "2", way] for way in ours),
    ]
    assert all(float(row[3]) > 0 for row in rows)
    assert all(0 < float(row[5].split()[0]) < 100 for row in rows if row[2] in gpu_network.ALONE)
    assert re.search(r"b0 \| 1 \| tuned \| \d", training_part) and training_part.count("aten::") > 12
    assert re.search(r"\nb0, each way at its best batch: pipeline \d+ photos/s, 1.00x the pipeline; whole ", said)
    assert "Left out" not in said


def test_gpu_benchmark_commands_parse(tmp_path: Path) -> None:
    runs = gpu_training.Runs(tmp_path, tmp_path, ["--model_name_or_path", "nvidia/mit-b2"], 1, 1)
    for precision in (["--use_cpu", "true"], gpu_training.PRECISIONS["float32"][:2]):
        parsing, training = parse_arguments(gpu_training.command(runs, tmp_path / "run", 32, precision)[2:])
        assert parsing.from_scratch and training.per_device_train_batch_size == 32 and training.max_steps == 100_000
        assert training.report_to == ["tensorboard"]


def test_failed_training_run_reports_its_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_training, "SCRIPT", tmp_path / "train_hf.py")
    gpu_training.SCRIPT.write_text("raise SystemExit('error: no memory')")
    with pytest.raises(RuntimeError, match="it ended: error: no memory"):
        gpu_training.measure(gpu_training.Runs(tmp_path, tmp_path, [], 1, 60), "run", 1, [])


def test_failing_method_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(batch: int) -> None:
        raise RuntimeError("no graph today")

    options = argparse.Namespace(rounds=3, device=torch.device("cpu"))
    choice = {"pipeline": gpu_network.Way(lambda batch: sum(range(batch * 1000))), "graph": gpu_network.Way(fail)}
    agenda = gpu.Agenda(1)
    gpu.inference("b2", 4, choice, 1.0, options, agenda)
    assert capsys.readouterr().out.startswith("| b2 | 4 | pipeline | ")
    assert agenda.left_out == ["b2, batch 4, graph: RuntimeError: no graph today"]
    late = gpu.Agenda(0)
    gpu.inference("b2", 4, choice, 1.0, options, late)
    assert late.left_out[0] == "b2, batch 4, pipeline: no time" and not capsys.readouterr().out


def test_on_device_benchmark_compares_each_step(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for part in ("train", "validation"):
        write_parquet(tmp_path / f"{part}.parquet", 2, height=200, width=150)
    threads = torch.get_num_threads(), cv2.getNumThreads()
    on_device.main([str(tmp_path), "--model", str(tiny_model), "--photos", "2", "--enlarge", "2", "--device", "cpu"])
    torch.set_num_threads(threads[0])
    cv2.setNumThreads(threads[1])
    _, *rows = table(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [
        [photos, step] for photos in ("as they are", "2 times as large") for step in on_device.STEPS
    ]
    assert all(0.99 < float(row[3]) <= float(row[2]) <= 1 and float(row[4]) > 0 for row in rows)


def test_traffic_counts_bytes_read_and_written() -> None:
    a, b = torch.zeros(4, 8), torch.zeros(8, 2)
    with gpu_network.Traffic() as traffic:
        (a @ b).view(2, 4)
    assert traffic.bytes == 4 * (32 + 16 + 8)


@pytest.mark.usefixtures("two_examples")
def test_reduced_benchmark_compares_with_full_size(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reduced.main(["--model", str(tiny_model), "--megapixels", "0.6", "--rounds", "1"])
    _, *rows = table(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["unchanged", "2048", "1280", "640"]
    assert [row[3] for row in rows[:3]] == ["1.0000"] * 3  # no photo is as large
    assert 0.5 < float(rows[3][4]) <= float(rows[3][3]) < 1


@pytest.mark.usefixtures("two_examples")
def test_folder_and_stream_contenders_run(tiny_model: Path, tmp_path: Path) -> None:
    paths = contenders.write_photos(tmp_path / "photos", 96)
    assert contenders.build(f"{tiny_model.name} folder", tiny_model.parent)(paths) == [""] * len(paths)
    for way in ("crew folder", "guided folder"):
        assert contenders.build(f"{tiny_model.name} {way}", tiny_model.parent)(paths) == [""] * len(paths)
    assert contenders.build(f"{tiny_model.name} streams", tiny_model.parent)(paths) == (len(paths), 18, 32, 32)


def test_inference_benchmark_compares_threads_and_workers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Pretended:
        def __init__(self, way: str, folder: Path) -> None:
            self.seconds = 0.2 if "crew" in way else 0.4

        def __call__(self, argument: object) -> tuple[float, float, None]:
            return self.seconds, 0.0, None

        def stop(self) -> None: ...

    monkeypatch.setattr(inference, "Worker", Pretended)
    inference.compare_with_ourselves(tmp_path, {"small": ["a.jpg"] * 4}, 2)
    _, training, *rows = table(capsys.readouterr().out)
    assert training[4:7] == ["1.00x (1.00x)", "", ""] and len(rows) == len(inference.AGAINST_OURSELVES) - 1
    assert {(row[4], row[6]) for row in rows} == {("1.00x (1.00x)", "2.00x (2.00x)")}


@pytest.mark.usefixtures("two_examples")
def test_benchmark_worker_returns_label_map_time_and_memory(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The measured code runs in this process here, not in its own.
    monkeypatch.setattr(contenders, "tune", lambda: None)
    (path, *_) = contenders.write_photos(tmp_path / "photos", 320)
    ours, theirs = Pipe()
    thread = Thread(target=contenders._serve, args=(theirs, f"{tiny_model.name} exact", tiny_model.parent, None))
    thread.start()
    for message in ((path, True), (path, False), None):
        ours.send(message)
    _, (seconds, megabytes, label_map), (_, _, nothing) = (ours.recv() for _ in range(3))
    thread.join()
    assert nothing is None
    np.testing.assert_array_equal(
        label_map, Segmenter.from_pretrained(tiny_model, device="cpu")(path, edges="plain").label_map
    )
    assert seconds > 0 and 0 <= megabytes < 500


def test_interleave_alternates_methods_and_drops_the_first_round() -> None:
    calls = []

    def worker(name: str) -> Callable[[str], tuple[float, float, None]]:
        def call(argument: str) -> tuple[float, float, None]:
            calls.append((name, argument))
            return float(len(calls)), 0.0, None

        return call

    jobs = [(worker("stock"), ["a", "b"]), (worker("ours"), ["a", "b"])]
    assert contenders.interleave(jobs, 2).tolist() == [[3, 4], [5, 6]]
    assert calls == [(name, photo) for photo in "aba" for name in ("stock", "ours")]
    assert inference._ratio(np.array([4.0, 6.0]), np.array([1.0, 2.0])) == "3.50x (4.00x)"


def test_write_photos_gives_the_requested_size(tmp_path: Path) -> None:
    for path in contenders.write_photos(tmp_path / "small", 640):
        assert max(Image.open(path).size) == 640
    for path in contenders.write_photos(tmp_path / "large", 0, 480_000):
        assert Image.open(path).size == (600, 800)


def test_scale_benchmark_prints_and_plots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    by_size = {way: [0.1 * (1 + size) for size in scale.SIZES] for way in scale.NAMES}
    by_size["pipeline"].pop()
    scale._print("megapixels", scale.SIZES, by_size)
    _, *rows = table(capsys.readouterr().out)
    assert [row[0] for row in rows] == [f"{size:g}" for size in scale.SIZES] and rows[-1][1] == ""
    by_batch = {way: [0.1] * len(scale.BATCHES) for way in scale.IN_BATCHES}
    scale._print("photos in a batch", scale.BATCHES, by_batch)
    assert "the same in workers, ms" in capsys.readouterr().out
    scale._draw(tmp_path / "scale.png", by_size, by_batch, {way: [0.2, 0.1] for way in by_size})
    assert Image.open(tmp_path / "scale.png").width > 800


def test_png_files_are_compared_with_pillow(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("isal")
    from benchmarks import png

    png.main(["--megapixels", "0.06", "--rounds", "1"])
    rows = capsys.readouterr().out.splitlines()
    assert len(rows) == 7 and rows[5].startswith("| clothseg, ISA-L |")
