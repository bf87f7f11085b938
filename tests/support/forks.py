"""Segmenters in forked processes: `python forks.py MODEL FOLDER CASE...`; prints a line of JSON, case -> exit status.

Each case runs in its own process, forked from this one, which has only imported the slow packages: it has loaded no
model, computed nothing and started no Python thread (numpy's BLAS restarts its threads after a fork). The child is
equivalent to a fresh process, in a tenth of the time.
"""

import json
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import traceback
from pathlib import Path

import numpy as np
import torch  # noqa: F401 - here once, not in each case
import transformers.models.segformer.modeling_segformer  # noqa: F401
from paper_dolls import draw

from clothseg import Segmenter


PATIENCE = 90
"""Seconds after which a case counts as deadlocked."""

PHOTOS = [draw(seed, 120, 80).image for seed in range(4)]


def use_after_fork(model: Path, folder: Path, engine: str) -> None:
    """A forked process uses the model that its parent has used, and a new one unpickled from it."""
    segmenter = Segmenter.from_pretrained(model, engine=engine)
    expected = [result.label_map for result in segmenter.batch(PHOTOS, batch_size=4)]  # starts all of its threads
    child = os.fork()
    if not child:
        try:
            copy = pickle.loads(pickle.dumps(segmenter))
            assert copy is not segmenter and pickle.loads(pickle.dumps(segmenter)) is copy
            results = [*segmenter.batch(PHOTOS, batch_size=4), segmenter(PHOTOS[0]), *copy.batch(PHOTOS, batch_size=4)]
            (folder / "answer").write_bytes(pickle.dumps([result.label_map for result in results]))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    found = pickle.loads((folder / "answer").read_bytes())
    for label_map, other in zip(found, [*expected, expected[0], *expected], strict=True):
        assert np.mean(label_map == other) > 0.999


def use_in_a_pool(model: Path) -> None:
    """A pool of forked processes takes the segmenter itself as its function."""
    segmenter = Segmenter.from_pretrained(model)
    expected = [segmenter(photo) for photo in PHOTOS]
    with multiprocessing.get_context("fork").Pool(2) as pool:
        results = pool.map(segmenter, PHOTOS)
    for result, other in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result.label_map, other.label_map)
        assert result.model == other.model == "tiny"


def map_a_data_set(model: Path) -> None:
    """`datasets.map` with several processes."""
    import datasets

    segmenter = Segmenter.from_pretrained(model)
    photos = datasets.Dataset.from_dict({"photo": [photo.tolist() for photo in PHOTOS]})
    mapped = photos.map(
        lambda row: {"areas": list(segmenter(np.asarray(row["photo"], np.uint8)).areas.values())}, num_proc=2
    )
    assert mapped["areas"] == [list(segmenter(photo).areas.values()) for photo in PHOTOS]


def run(case: str, model: Path, folder: Path) -> None:
    """Run one of the cases; names of engines are cases too."""
    if case == "pool":
        use_in_a_pool(model)
    elif case == "datasets":
        map_a_data_set(model)
    else:
        use_after_fork(model, folder, case)


def status_of(case: str, model: Path, folder: Path) -> int:
    """Run a case in its own process; returns 0 if it passed."""
    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    try:
        signal.alarm(PATIENCE)
        run(case, model, folder)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


if __name__ == "__main__":
    model, folder = Path(sys.argv[1]), Path(sys.argv[2])
    assert threading.active_count() == 1
    statuses = {}
    for case in sys.argv[3:]:
        (folder / case).mkdir()
        sys.stderr.write(f"{case}:\n")
        statuses[case] = status_of(case, model, folder / case)
    sys.stdout.write(f"{json.dumps(statuses)}\n")
