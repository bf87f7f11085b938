"""Segmenters in forked processes, each case in a fresh process: `python forks.py CASE MODEL FOLDER`."""

import multiprocessing
import os
import pickle
import sys
import traceback
from pathlib import Path

import numpy as np
from paper_dolls import draw

from clothseg import Segmenter


PHOTOS = [draw(seed, 120, 80).image for seed in range(4)]


def use_after_fork(model: Path, folder: Path, engine: str) -> None:
    """A forked process uses the model that its parent has used, and one that it loads anew from a pickle."""
    segmenter = Segmenter.from_pretrained(model, engine=engine)
    expected = [result.label_map for result in segmenter.batch(PHOTOS, batch_size=4)]  # starts all of its threads
    child = os.fork()
    if not child:
        try:
            anew = pickle.loads(pickle.dumps(segmenter))
            assert anew is not segmenter and pickle.loads(pickle.dumps(segmenter)) is anew
            results = [*segmenter.batch(PHOTOS, batch_size=4), segmenter(PHOTOS[0]), *anew.batch(PHOTOS, batch_size=4)]
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


if __name__ == "__main__":
    case, model, folder = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if case == "pool":
        use_in_a_pool(model)
    elif case == "datasets":
        map_a_data_set(model)
    else:
        use_after_fork(model, folder, case)
