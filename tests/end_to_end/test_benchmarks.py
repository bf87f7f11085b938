"""The benchmarks run, and print the tables that they promise; what they measure is not tested here."""

import argparse
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from itertools import pairwise
from multiprocessing import Pipe
from pathlib import Path
from threading import Thread

import cv2
import httpx
import numpy as np
import pytest
import torch
from datasets import Dataset
from markdown_tables import RATIO, table
from paper_dolls import draw, write_parquet
from PIL import Image

from benchmarks import (
    back_view,
    contenders,
    embedded,
    gpu,
    inference,
    input_pipeline,
    items,
    on_device,
    postprocessing,
    reduced,
    scale,
    sliding_window,
    small_figures,
    soak,
    soak_calls,
    training_speed,
    video,
    zoom,
)
from clothseg import Segmentation, Segmenter
from clothseg.labels import mirror, swap_sides
from clothseg.postprocess.zoom_crop import Box


def test_input_pipeline_is_compared_with_the_guides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_items_are_counted_and_timed(capsys: pytest.CaptureFixture[str]) -> None:
    dolls = [draw(seed) for seed in range(3)]
    results = [Segmentation(Image.fromarray(doll.image), doll.mask) for doll in dolls]
    there, split = items.counted(results)
    assert there["Left-shoe"] == there["Right-shoe"] == 3 and not split
    items.print_times(results[0], 1)
    _, *rows = table(capsys.readouterr().out)
    assert rows[0][0] == "plain" and rows[0][2] == "1.0" and all(float(row[2]) > 0 for row in rows)


def test_training_speed_compares_three_ways(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_speed, "matrix_flops", lambda device, dtype: 1e12)
    training_speed.main("--models b0 --size 32 --batch 2 --rounds 1 --steps 1 --device cpu".split())
    _, *rows = table(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [["B0", "plain"], ["B0", "default"], ["B0", "tuned"]]
    assert all(float(row[2]) > 0 and re.fullmatch(RATIO, row[3]) and row[6].endswith("%") for row in rows)
    assert rows[0][3] == "1.00 (1.00)"


def test_tuned_steps_take_fewer_operations() -> None:
    """By a quarter at 128x128 for B0, by more for larger inputs: mixing the head's weights costs the same for all."""
    pixels, labels = torch.randn(1, 3, 128, 128), torch.randint(18, (1, 128, 128))
    plain, default, tuned = (training_speed.build_step("b0", way, pixels, labels) for way in training_speed.WAYS)
    assert default.flops == tuned.flops and 0.6 < tuned.flops / plain.flops < 0.8


def test_gpu_runs_without_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """All of it but what a GPU alone has: CUDA graphs, and compiling."""
    Image.fromarray(draw(0, 96, 64).image).save(tmp_path / "photo.png")
    monkeypatch.setattr(gpu, "PHOTO", tmp_path / "photo.png")
    monkeypatch.setattr(gpu, "matrix_flops", lambda device, dtype: 1e12)
    gpu.main("--models b0 lite --size 64 --batches 2 --train-batch 1 --rounds 1 --device cpu".split())
    said = capsys.readouterr().out
    inference_part, training_part = said.split("| training")
    _, *rows = table(inference_part)
    ours = ("whole", "guided", "around it by the CPU", "guided by the CPU", "network", "network alone")
    assert [row[:3] for row in rows] == [
        *(["b0", "2", way] for way in ("pipeline", *ours)),
        *(["lite", "2", way] for way in ours),
    ]
    assert all(float(row[3]) > 0 for row in rows)
    assert all(0 < float(row[5].split()[0]) < 100 for row in rows if row[2] in gpu.ALONE)
    assert re.search(r"b0 \| 1 \| tuned \| \d", training_part) and training_part.count("aten::") > 12
    assert re.search(r"\nb0, each way at its best batch: pipeline \d+ photos/s, 1.00x the pipeline; whole ", said)
    assert "Left out" not in said


def test_one_way_that_fails_costs_the_others_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(batch: int) -> None:
        raise RuntimeError("no graph today")

    options = argparse.Namespace(rounds=3, device=torch.device("cpu"))
    choice = {"pipeline": gpu.Way(lambda batch: sum(range(batch * 1000))), "graph": gpu.Way(fail)}
    agenda = gpu.Agenda(1)
    gpu.inference("b2", 4, choice, 1.0, options, agenda)
    assert capsys.readouterr().out.startswith("| b2 | 4 | pipeline | ")
    assert agenda.left_out == ["b2, batch 4, graph: RuntimeError: no graph today"]
    late = gpu.Agenda(0)
    gpu.inference("b2", 4, choice, 1.0, options, late)
    assert late.left_out[0] == "b2, batch 4, pipeline: no time" and not capsys.readouterr().out


def test_on_device_compares_each_step(tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_traffic_counts_what_is_read_and_written() -> None:
    a, b = torch.zeros(4, 8), torch.zeros(8, 2)
    with gpu.Traffic() as traffic:
        (a @ b).view(2, 4)
    assert traffic.bytes == 4 * (32 + 16 + 8)


def test_reduced_results_are_compared_with_the_full_one(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reduced.main(["--model", str(tiny_model), "--megapixels", "0.6", "--rounds", "1"])
    _, *rows = table(capsys.readouterr().out)
    assert [row[0] for row in rows] == ["as it is", "2048", "1280", "640"]
    assert [row[3] for row in rows[:3]] == ["1.0000"] * 3  # no photo is as large
    assert 0.5 < float(rows[3][4]) <= float(rows[3][3]) < 1


def test_folders_and_streams_are_ways(tiny_model: Path, tmp_path: Path) -> None:
    paths = contenders.write_photos(tmp_path / "photos", 96)
    assert contenders.build(f"{tiny_model.name} folder", tiny_model.parent)(paths) == [""] * len(paths)
    for way in ("crew folder", "guided folder"):
        assert contenders.build(f"{tiny_model.name} {way}", tiny_model.parent)(paths) == [""] * len(paths)
    assert contenders.build(f"{tiny_model.name} streams", tiny_model.parent)(paths) == (len(paths), 18, 32, 32)


def test_batches_and_folders_are_compared_in_threads_and_in_workers(
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


def test_a_worker_answers_with_the_label_map_and_what_it_took(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contenders, "tune", lambda: None)  # what runs in its own process else, runs in ours here
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


def test_ways_take_turns_and_the_first_round_is_left_out() -> None:
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


def test_photos_have_the_size_asked_for(tmp_path: Path) -> None:
    for path in contenders.write_photos(tmp_path / "small", 640):
        assert max(Image.open(path).size) == 640
    for path in contenders.write_photos(tmp_path / "large", 0, 480_000):
        assert Image.open(path).size == (600, 800)


def test_scale_is_printed_and_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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


def test_decisions_try_every_way_on_a_photo(tiny_model: Path) -> None:
    segmenter = Segmenter.from_pretrained(str(tiny_model), device="cpu")
    found = postprocessing.variants(segmenter, draw(1, 96, 64).image, np.full(18, 2, np.float32))
    assert next(iter(found)) == "plain" and all(each.shape == (96, 64) for each in found.values())
    assert (found["left out: priors"] == found["plain"]).all()  # equal weights favour nobody


def test_a_back_has_hair_for_a_face_and_its_sides_swapped() -> None:
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


def test_a_face_like_the_wall_has_its_colour_and_nothing_else_changes() -> None:
    doll = next(doll for doll in map(draw, range(20)) if (doll.mask == 11).sum() > 300)
    face = np.isin(doll.mask, [3, 11])
    made = back_view.face_as_wall(doll.image, doll.mask)
    assert made is not None
    far = cv2.dilate(face.view(np.uint8), np.ones((13, 13), np.uint8)) == 0
    np.testing.assert_array_equal(made[far], doll.image[far])
    assert made[face].std(axis=0).max() < 10
    assert back_view.face_as_wall(doll.image, np.zeros_like(doll.mask)) is None


def test_ranking_finds_the_best_dice_of_one_class() -> None:
    """A class of twelve pixels that is no pixel's likeliest but one's: Dice wants those of 0.45 as well."""
    shares = np.zeros((2, 2, 6), np.float32)
    shares[1] = [[0.6, 0.45, 0.45, 0.45, 0, 0], [0, 0, 0, 0, 0, 0]]
    shares[0] = 1 - shares[1]
    logits = np.log(np.maximum(shares, 1e-9))
    assert postprocessing.winners(logits, (2, 6)).sum() == 1
    assert postprocessing.rank(logits, (2, 6)).sum() == 4


def test_a_short_soak_finds_nothing_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    """Four clients for two seconds on the real app, which SIGTERM ends."""
    settings = f"--clients 4 --minutes {2 / 60} --alone 0.5 --library 0.2 --megapixels 0.3 1 --left 0.2"
    found = soak.main(settings.split())
    said = capsys.readouterr().out
    assert (found["wrong"], found["crossed"], found["lost"], found["status"]) == (0, 0, 0, 0), said
    assert found["right"] > 1
    _, *rows = table(said)
    assert [row[0] for row in rows[:3]] == ["right", "refused", "busy"]
    assert "All that was accepted is answered" in said and "MB in the four quarters" in said


def test_a_soak_tells_right_answers_from_others(tmp_path: Path) -> None:
    """An app that answers every photo with the same label map, and takes a text for a photo."""

    def handler(request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if path.endswith("upload"):
            return httpx.Response(200, json=["/tmp/photo.jpg"])
        if request.method == "POST":
            return httpx.Response(200, json={"event_id": "1"})
        if "/call/" in path:
            url = {"url": "http://soak/map"}
            return httpx.Response(200, text=f"event: complete\ndata: {json.dumps([url, url, {}])}\n")
        return httpx.Response(200, content=b"one map")

    one, other = (hashlib.sha256(data).hexdigest() for data in (b"one map", b"another"))
    client = httpx.Client(transport=httpx.MockTransport(handler), base_url="http://soak")
    for kind, expected, outcome in (
        (None, {b"a": one}, "right"),
        (None, {b"a": other, b"b": one}, "crossed"),
        (None, {b"a": other}, "wrong"),
        ("text", {b"b": one}, "wrong"),
    ):
        assert soak_calls.judge(client, b"a", kind, expected)[0] == outcome


def test_video_compares_four_ways_on_five_kinds_of_clips(
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
def test_windows_go_down_the_figure_and_overlap(figure: Box, share: float) -> None:
    boxes = sliding_window.windows(figure, share, (200, 100))
    assert all(0 <= box.left < box.right <= 100 and 0 <= box.top < box.bottom <= 200 for box in boxes)
    assert boxes[0].top <= figure.top and max(box.bottom for box in boxes) >= figure.bottom
    overlaps = [upper.bottom - lower.top for upper, lower in pairwise(boxes)]
    assert all(overlap >= (boxes[0].bottom - boxes[0].top) // 3 for overlap in overlaps)


def test_windows_print_a_line_for_each_way(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("train", "validation"):
        write_parquet(tmp_path / f"{name}.parquet", 3)
    sliding_window.main([str(tmp_path), str(tiny_model), "--photos", "2"])
    _, *rows = table(capsys.readouterr().out)
    assert [row[0] for row in rows[:2]] == ["one look", "windows of 0.8"]
    assert rows[0][1] == "1.0" and len(rows) == 1 + 2 * len(sliding_window.SHARES)


def test_figures_far_off_print_a_line_for_each_share_and_ground(
    tmp_path: Path, tiny_model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_figures, "HEIGHTS", {0.3: 300})
    for name in ("train", "validation"):
        write_parquet(tmp_path / f"{name}.parquet", 2)
    small_figures.main([str(tmp_path), str(tiny_model), "--photos", "2"])
    _, *rows = table(capsys.readouterr().out)
    assert [row[:2] for row in rows] == [[share, kind] for share in ("30%",) for kind in ("grey", "own")]


def test_models_are_compared_on_a_development_split(
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


def test_the_largest_garment_is_no_body_part_and_shoes_count_together() -> None:
    for seed in range(20):
        mask = draw(seed, 192, 128).mask
        pixels = np.bincount(mask.ravel(), minlength=18)
        pixels[9] += pixels[10]
        found = embedded.largest_garment(mask)
        assert found is not None and pixels[found] == max(pixels[index] for index in (1, 3, 4, 5, 6, 7, 8, 9, 16, 17))
        assert embedded.largest_garment(mirror(mask)) == found
    assert embedded.largest_garment(np.array([[0, 11, 2]], np.uint8)) is None


def test_the_true_window_is_looked_at_again(tiny_model: Path) -> None:
    doll = draw(2, 160, 107)
    view = small_figures.shrunk(doll.image, doll.mask, np.full((600, 400, 3), 128, np.uint8), 160)
    segmenter = Segmenter.from_pretrained(str(tiny_model), engine="torch")
    labels = small_figures.surely(segmenter, view, view.shown(doll.mask))
    assert (labels != segmenter(view.photo, zoom="off").label_map)[view.part].any()


def test_a_ground_is_made_of_what_is_beside_the_figure() -> None:
    photo, truth = np.zeros((90, 60, 3), np.uint8), np.zeros((90, 60), np.uint8)
    truth[10:80, 10:30] = 4
    photo[truth == 4], photo[:, 34:] = 255, 90
    assert (small_figures.ground(photo, truth, (300, 200)) == 90).all()
    truth[:, 2:58] = 4
    assert (small_figures.ground(photo, truth, (30, 20)) == 128).all()


@pytest.mark.parametrize("axis", [0, 1])
def test_a_seam_is_a_line_that_neither_look_has(axis: int) -> None:
    first, nearer = np.zeros((100, 100), np.uint8), np.zeros((50, 50), np.uint8)
    nearer[:, 20:30] = 16
    if axis:
        nearer = nearer.T
    box = Box(20, 30, 70, 80)
    both = first.copy()
    both[30:80, 20:70] = nearer
    assert zoom.seam(first, nearer, both, box) == 10  # cut off at both ends
    faded = both.copy()
    faded[30:32], faded[78:80], faded[:, 20:22], faded[:, 68:70] = 0, 0, 0, 0
    assert zoom.seam(first, nearer, faded, box) == 10  # the cut is further in
    first[(slice(None), slice(40, 50)) if axis == 0 else (slice(50, 60), slice(None))] = 16
    both = first.copy()
    both[30:80, 20:70] = nearer
    assert zoom.seam(first, nearer, both, box) == 0  # it goes on
