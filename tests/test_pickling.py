"""Segmenters in other processes: pickled, sent to pools, used after a fork, and as fingerprints of `datasets`."""

import copy
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paper_dolls import draw
from safetensors.torch import load_file, save_file

from clothseg import ConfigError, ModelError, Segmenter


PATIENCE = 90
"""Seconds after which a process that should have answered is taken to wait forever."""

ROOT = Path(__file__).parents[1]

PHOTOS = [draw(seed, 120, 80).image for seed in range(4)]


def in_a_fork(function: Callable[[], Any], folder: Path) -> Any:
    """What a function returns in a process forked from this one, which must end by itself."""
    answer = folder / "answer"
    child = os.fork()
    if not child:
        try:
            answer.write_bytes(pickle.dumps(function()))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        if os.waitpid(child, os.WNOHANG)[0]:
            return pickle.loads(answer.read_bytes())
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    pytest.fail("the forked process waits forever")


@pytest.mark.parametrize("engine", ["torch", "openvino", "onnx"])
def test_a_forked_process_can_use_the_model_and_load_it_anew(tiny_model: Path, tmp_path: Path, engine: str) -> None:
    segmenter = Segmenter.from_pretrained(tiny_model, engine=engine)
    expected = [result.label_map for result in segmenter.batch(PHOTOS, batch_size=4)]  # starts all of its threads

    def both() -> list[np.ndarray]:
        anew = pickle.loads(pickle.dumps(segmenter))
        assert anew is not segmenter and pickle.loads(pickle.dumps(segmenter)) is anew
        results = [*segmenter.batch(PHOTOS, batch_size=4), segmenter(PHOTOS[0]), *anew.batch(PHOTOS, batch_size=4)]
        return [result.label_map for result in results]

    found = in_a_fork(both, tmp_path)
    for label_map, other in zip(found, [*expected, expected[0], *expected], strict=True):
        assert np.mean(label_map == other) > 0.999


def test_pools_take_a_segmenter(tiny_model: Path) -> None:
    segmenter = Segmenter.from_pretrained(tiny_model)
    expected = [segmenter(photo) for photo in PHOTOS]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = pool.map_async(segmenter, PHOTOS).get(PATIENCE)
    for result, other in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result.label_map, other.label_map)
        assert result.model == other.model == "tiny"


def test_another_process_loads_it_from_its_folder(tiny_model: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """The file of `pickle.dump` is all that the other process gets, and its working folder is another."""
    monkeypatch.chdir(tiny_model.parent)
    segmenter = Segmenter.from_pretrained(tiny_model.name, precision="fast")
    monkeypatch.undo()
    np.save(tmp_path / "photo.npy", PHOTOS[0])
    (tmp_path / "segmenter.pickle").write_bytes(pickle.dumps(segmenter))
    code = (
        "import pathlib, pickle, sys, numpy; folder = pathlib.Path(sys.argv[1])\n"
        "segmenter = pickle.loads((folder / 'segmenter.pickle').read_bytes())\n"
        "assert segmenter.origin.precision == 'fast'\n"
        "numpy.save(folder / 'found.npy', segmenter(numpy.load(folder / 'photo.npy')).label_map)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, check=True, timeout=PATIENCE)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), segmenter(PHOTOS[0]).label_map)


def test_data_sets_are_mapped_by_several_processes(tiny_model: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    from datasets.fingerprint import Hasher

    segmenter, again = Segmenter.from_pretrained(tiny_model), Segmenter.from_pretrained(tiny_model)
    assert Hasher.hash(segmenter) == Hasher.hash(again)
    assert Hasher.hash(segmenter) != Hasher.hash(Segmenter.from_pretrained(tiny_model, precision="fast"))

    photos = datasets.Dataset.from_dict({"photo": [photo.tolist() for photo in PHOTOS]})
    mapped = photos.map(
        lambda row: {"areas": list(segmenter(np.asarray(row["photo"], np.uint8)).areas.values())}, num_proc=2
    )
    assert mapped["areas"] == [list(segmenter(photo).areas.values()) for photo in PHOTOS]


def test_a_pickle_is_small_and_holds_no_token(tiny_model: Path) -> None:
    data = pickle.dumps(Segmenter.from_pretrained(tiny_model, token="hf_secret"))
    assert len(data) < 1000 and b"hf_secret" not in data


def test_a_copy_shares_the_engine(tiny_model: Path) -> None:
    segmenter = Segmenter.from_pretrained(tiny_model)
    copied = copy.copy(segmenter)
    assert copied is not segmenter and copied.engine is segmenter.engine
    assert pickle.dumps(copied) == pickle.dumps(segmenter)


def test_one_put_together_by_hand_is_refused(tiny_model: Path) -> None:
    segmenter = Segmenter.from_pretrained(tiny_model)
    segmenter.engine = lambda pixels: np.zeros((len(pixels), 18, 32, 32), np.float32)
    with pytest.raises(ConfigError, match=r"cannot be pickled: use Segmenter\.from_pretrained"):
        pickle.dumps(segmenter)


def test_weights_that_have_changed_are_noticed(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in tiny_model.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    data = pickle.dumps(Segmenter.from_pretrained(folder))
    weights = load_file(folder / "model.safetensors")
    save_file({name: 2 * value for name, value in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"not those that the Segmenter was pickled with.*Load it anew"):
        pickle.loads(data)
