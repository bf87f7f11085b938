"""A pool of worker processes gives the results of threads, in order, and replaces dead workers."""

import errno
import os
import signal
import sys
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw
from PIL import ExifTags, Image
from worker_jobs import (
    Unreadable,
    kill_oneself,
    killed_by_three,
    name_of,
    pids,
    slow_at_first,
    until,
    when_there,
)

from clothseg import ConfigError, ImageError, ModelError, Segmentation, Segmenter, WorkerError, WorkerPool, errors
from clothseg.batch import worker_pool
from clothseg.batch.photo_files import KINDS, OutputSpec, kind_of, outcomes
from clothseg.batch.worker_process import picklable
from clothseg.cli import main
from clothseg.images.sources import collected
from clothseg.models.loading import load
from clothseg.options import CutoutOptions


@pytest.fixture(scope="module")
def segmenter(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(tiny_model)


@pytest.fixture(scope="module")
def workers(tiny_model: Path, segmenter: Segmenter) -> Iterator[WorkerPool]:
    """Two workers on the converted model that `segmenter` leaves in the cache."""
    with WorkerPool(2, tiny_model) as pool:
        yield pool


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    """Nine photos, the third broken."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(9):
        Image.fromarray(draw(seed, 90 + seed, 64).image).save(folder / f"{seed}.png")
    (folder / "2.png").write_bytes(b"no photo")
    return sorted(folder.iterdir())


def assert_equal(one: Segmentation, other: Segmentation) -> None:
    np.testing.assert_array_equal(one.label_map, other.label_map)
    np.testing.assert_array_equal(one.probability, other.probability)
    assert (one.confidence, one.name, one.model) == (other.confidence, other.name, other.model)
    assert one.photo == other.photo and one.to_dict() == other.to_dict()
    assert not one.label_map.flags.writeable and not one.probability.flags.writeable


def test_batches_equal_single_calls_in_order(workers: WorkerPool, segmenter: Segmenter, paths: list[Path]) -> None:
    turned = Image.fromarray(draw(1, 80, 60).image)
    turned.getexif()[ExifTags.Base.Orientation] = 6
    lazy = Image.open(paths[3])
    photos = [paths[0], str(paths[1]), paths[3].read_bytes(), turned, draw(5, 70, 70).image[:, ::-1], lazy, paths[4]]
    for options in ({}, {"edges": "plain", "zoom": "off"}, {"people": "all", "rules": True}, {"max_side": 48}):
        for photo, result in zip(photos, workers.batch(iter(photos), batch_size=3, **options), strict=True):
            assert_equal(result, segmenter(photo, **options))
    assert workers.batch([]) == []
    assert (workers.workers, workers.name) == (2, segmenter.name)


def test_errors_are_raised_in_order_and_the_pool_continues(
    workers: WorkerPool, segmenter: Segmenter, paths: list[Path]
) -> None:
    results = workers.iter_batch(paths)
    for path in paths[:2]:
        assert_equal(next(results), segmenter(path))
    with pytest.raises(ImageError, match=r"2\.png is not a readable image"):
        next(results)
    for photo, kind, said in (
        (print, ImageError, "must be a path"), ((part for part in ()), ImageError, "not generator"),
        (paths[0].parent, ImageError, "is a folder"),
    ):  # fmt: skip
        with pytest.raises(kind, match=said):
            workers.batch([photo])  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="edges can be"):
        workers.batch(paths, edges="soft")
    with pytest.raises(ConfigError, match="no option 'colour'"):
        workers.batch(paths, colour="red")
    with pytest.raises(TypeError, match="has no len") as found:
        workers.run(len)
    assert "In a worker: traceback" in found.value.__notes__[0]
    with pytest.raises(ConfigError, match="at least 1, not 0"):
        workers.batch(paths, batch_size=0)
    for _ in range(4):  # each worker gets an object that it cannot unpickle
        with pytest.raises(ValueError, match="unreadable"):
            workers.run(name_of, Unreadable())
    assert workers.run(name_of) == segmenter.name
    assert_equal(workers.batch(paths[:1])[0], segmenter(paths[0]))


def test_batch_size_limits_photos_taken_ahead(workers: WorkerPool) -> None:
    taken = 0

    def photos() -> Iterator[np.ndarray]:
        nonlocal taken
        while True:
            taken += 1
            yield draw(taken, 64, 64).image

    results = workers.iter_batch(photos(), batch_size=4)
    assert taken == 0
    for given in range(1, 5):
        next(results)
        assert taken == given + 4
    results.close()


@pytest.mark.parametrize("behind", ["a picture", "a colour"])
def test_workers_write_the_same_files_as_threads(
    behind: str, workers: WorkerPool, segmenter: Segmenter, paths: list[Path], tmp_path: Path
) -> None:
    """All kinds of output; packshots need a colour as their background."""
    kinds = tuple(kind for kind in KINDS if kind != "packshots") if behind == "a picture" else ("packshots",)
    background = paths[8] if behind == "a picture" else "#336699"
    sent = tmp_path / "sent.zip"
    with zipfile.ZipFile(sent, "w") as archive:
        archive.write(paths[5], "june/a.png")
        archive.writestr("../evil.png", paths[6].read_bytes())
    wanted = OutputSpec(kinds, ("Face", "Upper"), CutoutOptions(background, crop=True, feather=1.5))
    with collected([paths[0].parent, sent], unpack=True) as sources:
        one, other = (list(outcomes(model, sources, wanted, {"rules": True})) for model in (segmenter, workers))
    assert one == other
    assert sum(bool(outcome.error) for outcome in one) == 2 and {kind_of(each) for each in one[0].files} == {*kinds}


def test_segment_writes_the_same_files_with_workers(paths: list[Path], tiny_model: Path, tmp_path: Path) -> None:
    argv = ["segment", str(paths[0].parent), "--model", str(tiny_model)]
    found = []
    for workers in ("1", "2"):
        out = tmp_path / workers
        assert main([*argv, "--out", str(out), "--workers", workers]) == 1
        found.append({path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()})
    assert found[0] == found[1] and len(found[0]) == 3 * 8 + 1


@pytest.mark.parametrize("workers", ["0", "-1", "two", ""])
def test_invalid_worker_counts_are_rejected(workers: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["segment", "photos", "--out", "out", f"--workers={workers}"])
    assert "give auto, or a number of at least 1" in capsys.readouterr().err


def test_killed_worker_is_replaced_and_its_photo_repeated(
    workers: WorkerPool, segmenter: Segmenter, paths: list[Path], tmp_path: Path
) -> None:
    before = pids(workers)
    killer = threading.Thread(target=when_there, args=(tmp_path / "begun", lambda pid: os.kill(int(pid), 9)))
    killer.start()
    assert workers.run(slow_at_first, str(tmp_path / "begun")) == segmenter.name
    killer.join()
    assert len(pids(workers) - before) == 1
    workers.batch(paths[3:])
    for pid in pids(workers):  # while they are idle
        os.kill(pid, signal.SIGKILL)
    for path, result in zip(paths[3:], workers.batch(paths[3:]), strict=True):
        assert_equal(result, segmenter(path))


def test_photo_that_kills_two_workers_is_given_up(
    workers: WorkerPool, paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(WorkerError, match=r"of this photo died, and so did another .*signal 9.* memory is short"):
        workers.run(kill_oneself)
    monkeypatch.setattr("clothseg.batch.photo_files._made", killed_by_three)
    with collected(paths[3:]) as sources:
        found = list(outcomes(workers, sources, OutputSpec(("labels",)), {}))
    assert [bool(outcome.error) for outcome in found] == [True] + [False] * 5
    assert found[0].error.startswith("3.png: The worker process")


def test_invalid_pool_settings_raise_clear_errors(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="workers must be at least 1, not 0"):
        WorkerPool(0, tiny_model)
    with pytest.raises(ConfigError, match="no engine 'steam'"):
        WorkerPool(2, tiny_model, engine="steam")
    with pytest.raises(ModelError, match="no folder"):
        WorkerPool(2, tmp_path / "nowhere")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ConfigError, match=r"died before it had loaded the model \(exit status 1\)"):
        WorkerPool(2, tiny_model)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ConfigError, match="cannot be started: No such file"):
        WorkerPool(2, tiny_model)


def all_errors(kind: type[errors.ClothsegError]) -> set[type[errors.ClothsegError]]:
    return {kind}.union(*map(all_errors, kind.__subclasses__()))


def test_errors_are_picklable() -> None:
    for kind in all_errors(errors.ClothsegError):
        arguments = (15, "ended") if kind is errors.Interrupted else ("ended",)
        found = picklable(kind(*arguments))
        assert type(found) is kind and str(found) == "ended" and found.__dict__ == kind(*arguments).__dict__

    class Odd(Exception):
        pass

    assert str(picklable(Odd("no"))) == "Odd: no" and isinstance(picklable(Odd("no")), RuntimeError)
    full = picklable(OSError(errno.ENOSPC, "No space left"))
    assert isinstance(full, OSError) and full.errno == errno.ENOSPC


@pytest.mark.parametrize(
    ("cores", "photos", "model", "engine", "workers"),
    [
        (2, worker_pool.MANY, None, "openvino", 2), (2, worker_pool.MANY - 1, None, "openvino", 1), (64, None, None,
        "openvino", 4), (1, None, None, "openvino", 1), (2, None, None, "torch", 1), (2, None, "tiny", "openvino", 1),
    ],
)  # fmt: skip
def test_paying_workers_depends_on_cores_photos_model_and_engine(
    cores: int, photos: int | None, model: str | None, engine: str, workers: int,
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr("clothseg.engines.quickest", lambda _: engine)
    assert worker_pool.paying_workers(load(model and str(tiny_model)), photos) == workers


def test_workers_are_bound_to_separate_cores(workers: WorkerPool) -> None:
    mine = os.sched_getaffinity(0)

    def apart() -> bool:  # a replaced worker gets its cores shortly after it starts
        theirs = [os.sched_getaffinity(pid) for pid in sorted(pids(workers))]
        return theirs == [mine] * 2 if len(mine) == 1 else set.union(*theirs) == mine and not set.intersection(*theirs)

    until(apart)
