"""Segmenters in other processes: pickled, sent to pools, used after a fork, and hashed by `datasets`.

Covers `clothseg.engines.forking`.
"""

import copy
import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import forked
import numpy as np
import pytest
from paper_dolls import draw
from safetensors.torch import load_file, save_file

from clothseg import ConfigError, ModelError, Segmenter


PATIENCE = 90
"""Seconds after which a silent process counts as hanging."""

ROOT = Path(__file__).parents[1]

PHOTOS = [draw(seed, 120, 80).image for seed in range(4)]


CASES = ["torch", "openvino", "onnx", "pool", "datasets"]


@pytest.fixture(scope="module")
def cases(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, int], str]:
    """The exit status of each case of tests/support/forks.py, and their output.

    In a separate process, since a fork of this one would inherit locks of libraries that other tests started.
    """
    script = ROOT / "tests" / "support" / "forks.py"
    env = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (ROOT, script.parent)))}
    done = forked.run(
        [sys.executable, script, tiny_model, tmp_path_factory.mktemp("forked"), *CASES],
        env=env, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1]), done.stderr


@pytest.mark.parametrize("case", CASES)
def test_forked_processes_can_use_a_segmenter(case: str, cases: tuple[dict[str, int], str]) -> None:
    statuses, said = cases
    assert statuses[case] == 0, said


def test_pickled_segmenter_loads_in_another_process(tiny_model: Path, tmp_path: Path, monkeypatch: Any) -> None:
    """The other process gets only the pickle, and has another working directory."""
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
    forked.run([sys.executable, "-c", code, tmp_path], cwd=ROOT, check=True, timeout=PATIENCE)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), segmenter(PHOTOS[0]).label_map)


def test_data_set_fingerprints_depend_on_the_segmenter(tiny_model: Path) -> None:
    pytest.importorskip("datasets")
    from datasets.fingerprint import Hasher

    segmenter, again = Segmenter.from_pretrained(tiny_model), Segmenter.from_pretrained(tiny_model)
    assert Hasher.hash(segmenter) == Hasher.hash(again)
    assert Hasher.hash(segmenter) != Hasher.hash(Segmenter.from_pretrained(tiny_model, precision="fast"))


def test_pickle_is_small_and_contains_no_token(tiny_model: Path) -> None:
    data = pickle.dumps(Segmenter.from_pretrained(tiny_model, token="hf_secret"))
    assert len(data) < 1000 and b"hf_secret" not in data


def test_copy_shares_the_engine(tiny_model: Path) -> None:
    segmenter = Segmenter.from_pretrained(tiny_model)
    copied = copy.copy(segmenter)
    assert copied is not segmenter and copied.engine is segmenter.engine
    assert pickle.dumps(copied) == pickle.dumps(segmenter)


def test_segmenter_with_custom_engine_cannot_be_pickled(tiny_model: Path) -> None:
    segmenter = Segmenter.from_pretrained(tiny_model)
    segmenter.engine = lambda pixels: np.zeros((len(pixels), 18, 32, 32), np.float32)
    with pytest.raises(ConfigError, match=r"cannot be pickled: use Segmenter\.from_pretrained"):
        pickle.dumps(segmenter)


def test_changed_weights_are_detected_on_unpickling(tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    for path in tiny_model.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    data = pickle.dumps(Segmenter.from_pretrained(folder))
    weights = load_file(folder / "model.safetensors")
    save_file({name: 2 * value for name, value in weights.items()}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"not those that the Segmenter was pickled with.*Load it again"):
        pickle.loads(data)
