"""A local Ray cluster with two workers, one of which is killed, writes the same files as a single process."""

import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from paper_dolls import draw
from PIL import Image
from results import files
from worker_jobs import kill_own_process, process_of

from clothseg.batch import ray_pool
from clothseg.cli import main
from clothseg.errors import WorkerError


def test_ray_processes_every_photo_once_despite_a_killed_worker(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """One cluster for all checks, as its start takes longest."""
    import ray

    (tmp_path / "photos").mkdir()
    for seed in range(6):
        Image.fromarray(draw(seed, 96, 64).image).save(tmp_path / "photos" / f"{seed}.png")
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"no photo")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))  # for the workers
    argv = ["segment", str(tmp_path / "photos"), "--model", str(tiny_model), "--write", "labels", "coco"]
    assert main([*argv, "--out", str(tmp_path / "one")]) == 1

    run: Callable[..., Any] = ray_pool.RayPool.run
    ran, killed, turn = [], [], threading.Lock()

    def killing(pool: ray_pool.RayPool, *arguments: Any) -> Any:
        """Kill a worker before the third photo, and record every photo."""
        with turn:
            ran.append(arguments[-1])
            third = len(ran) == 3
        if third:
            killed.append(run(pool, process_of))
            os.kill(killed[0], 9)
        return run(pool, *arguments)

    monkeypatch.setattr(ray_pool.RayPool, "run", killing)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(num_cpus=2, include_dashboard=False, logging_level="ERROR", log_to_driver=False)
    try:
        assert main([*argv, "--out", str(tmp_path / "ray"), "--executor", "ray"]) == 1
        said = capfd.readouterr()
        assert "6 of 7 photos segmented." in said.out and "broken.jpg" in said.err and killed
        assert len(ran) == len(set(ran)) == 7
        assert files(tmp_path / "ray") == files(tmp_path / "one")
        for name in sorted(files(tmp_path / "one")):
            assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "one" / name).read_bytes(), name

        monkeypatch.setattr(ray_pool.RayPool, "run", run)
        with ray_pool.RayPool(1, str(tiny_model)) as pool:
            with pytest.raises(WorkerError, match="The Ray actor of this photo died, and so did another"):
                pool.run(kill_own_process)
        with pytest.raises(ray_pool.ConfigError, match="closed"):
            pool.run(process_of)
    finally:
        ray.shutdown()


def test_ray_executor_rejects_distributed_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["segment", str(tmp_path), "--out", str(tmp_path / "out"), "--executor", "ray"]) == 2
    assert "--executor ray distributes the photos itself" in capsys.readouterr().err


def test_unreachable_ray_address_gives_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(ray_pool.ConfigError, match=r"no Ray cluster at RAY_ADDRESS=127\.0\.0\.1:1"):
        ray_pool.RayPool()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs a system that binds processes to cores")
def test_each_ray_actor_is_bound_to_its_own_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[list[int]] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {2, 5, 7})
    monkeypatch.setattr("os.sched_setaffinity", lambda _, cores: bound.append(cores))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    (tmp_path / "clothseg-core-5.lock").mkdir()  # cannot be opened
    locks = [ray_pool._bind_to_core() for _ in range(3)]
    assert bound[:2] == [[2], [7]] and bound[2][0] in (2, 5, 7) and locks[2] is None
    locks[1].close()
    again = ray_pool._bind_to_core()
    assert bound[3] == [7], "an actor that ended leaves its core to the next one"
    for lock in (locks[0], again):
        lock.close()
