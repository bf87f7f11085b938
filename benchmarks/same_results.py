"""Whether two checkouts of clothseg give the same results: label maps, probabilities, confidences and people.

    python benchmarks/same_results.py OTHER photos.parquet --photos 100
    python benchmarks/same_results.py OTHER photos.parquet --photos 12 --every_option
    python benchmarks/same_results.py OTHER train.parquet --scores

Each checkout runs in a process of its own, from its own folder, with the embedded weights, on photos of the data set
and the same number of paper dolls. Results are compared by their hashes, so equal means equal to the bit.

`--scores` says instead how much the results differ, on the photos by which docs/experiments/development-split.json
chooses settings: equal pixels, confidences, and mean IoU and boundary F1 of both against the masks.
"""

import argparse
import hashlib
import io
import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


HERE = Path(__file__).parents[1]

DEFAULTS: list[dict[str, Any]] = [{}]

EVERY_OPTION: list[dict[str, Any]] = [
    {"edges": edges, "zoom": zoom, "people": people, "tta": tta, "rules": rules, "max_side": max_side}
    for edges, zoom, people, tta, rules, max_side in itertools.product(
        ("guided", "plain"), ("auto", "off"), ("one", "all"), (False, True), (False, True), (None, 300)
    )
]


def main() -> None:
    """Print how many results are equal, and the names of the others."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="folder of the other checkout")
    parser.add_argument("data", type=Path, help="parquet file with a column image")
    parser.add_argument("--photos", type=int, default=20, help="first rows, and dolls, to take (default 20)")
    parser.add_argument("--every_option", action="store_true", help="all combinations of options, not the defaults")
    parser.add_argument("--scores", action="store_true", help="how much results differ, on the development photos")
    parser.add_argument("--save", type=Path, help=argparse.SUPPRESS)  # in the processes
    parser.add_argument("--hashes", choices=("here",), help=argparse.SUPPRESS)  # in the processes
    options = parser.parse_args()
    if options.hashes:
        sys.stdout.write(json.dumps(hashes(options.data, options.photos, options.every_option)))
        return
    if options.save:
        save(options.data, options.save)
        return
    if options.scores:
        print_scores(options.data, options.other.resolve())
        return
    ours, theirs = (json.loads(run(folder, "--hashes", "here")) for folder in (HERE, options.other.resolve()))
    different = [key for key in ours if ours[key] != theirs.get(key)]
    print(f"{len(ours) - len(different)} of {len(ours)} results are equal to the bit.")
    for key in different:
        parts = [name for name in ours[key] if ours[key][name] != theirs.get(key, {}).get(name)]
        print(f"{key}: {', '.join(parts)} differ")
    sys.exit(1 if different else 0)


def run(folder: Path, *more: str) -> bytes:
    """Run this script with a checkout, and return its output."""
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-P", str(Path(__file__).resolve()), *sys.argv[1:], *more]
    return subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, check=True).stdout  # noqa: S603 - our own script


def development_rows(data: Path) -> list[dict[str, Any]]:
    """Return the rows by which settings are chosen."""
    import pyarrow.parquet as pq

    split = json.loads((HERE / "docs" / "experiments" / "development-split.json").read_text())
    rows = {row["id"]: row for row in pq.read_table(data).to_pylist()}
    return [rows[name] for name in split["validation"]]


def save(data: Path, file: Path) -> None:
    """Write the label maps and confidences of the development photos to an .npz file."""
    import numpy as np

    from clothseg import Segmenter

    segmenter, found = Segmenter.from_pretrained(device="cpu"), {}
    for row in development_rows(data):
        result = segmenter(row["image"]["bytes"])
        found[f"label map {row['id']}"] = result.label_map
        found[f"confidence {row['id']}"] = np.array([result.confidence.get(name, 0) for name in result.labels.names])
    np.savez_compressed(file, **found)


def print_scores(data: Path, other: Path) -> None:
    """Print how much the results of two checkouts differ, and how well each fits the masks."""
    import numpy as np

    sys.path.insert(0, str(HERE))
    from clothseg.labels import NUM_CLASSES
    from clothseg.training.data.decoding import decode_mask
    from clothseg.training.evaluation.boundary import boundary_f1
    from clothseg.training.evaluation.metrics import confusion_matrix

    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, "ours.npz"), Path(folder, "theirs.npz")]
        for checkout, file in zip((HERE, other), files, strict=True):
            run(checkout, "--save", str(file))
        ours, theirs = (dict(np.load(file)) for file in files)
    rows, scores = development_rows(data), []
    for results in (ours, theirs):
        counts, edges = np.zeros((NUM_CLASSES, NUM_CLASSES)), []
        for row in rows:
            truth, found = decode_mask(row["mask"], row["id"]), results[f"label map {row['id']}"]
            counts += confusion_matrix(truth, found)
            edges.append(boundary_f1(truth, found))
        hits = np.diag(counts)
        union = counts.sum(axis=0) + counts.sum(axis=1) - hits
        f1 = np.nanmean(np.nanmean(edges, axis=0), axis=1)
        scores.append((np.mean(hits[union > 0] / union[union > 0]), *f1))
    for name, each in zip(("this checkout", "the other"), scores, strict=True):
        print(f"{name}: mean IoU {each[0]:.4f}, boundary F1 {each[1]:.4f} at 2 px, {each[2]:.4f} at 5 px")
    maps = [f"label map {row['id']}" for row in rows]
    equal = [float((ours[key] == theirs[key]).mean()) for key in maps]
    print(f"equal pixels: {np.mean(equal):.4%} on average, {min(equal):.4%} in the worst photo")
    shares = np.stack([np.bincount(theirs[key].ravel(), minlength=NUM_CLASSES) / theirs[key].size for key in maps])
    ours_sure, theirs_sure = (np.stack([each[f"confidence {row['id']}"] for row in rows]) for each in (ours, theirs))
    both = (ours_sure > 0) & (theirs_sure > 0)
    for least, most in ((0.01, 1), (0.003, 0.01), (0.001, 0.003), (0, 0.001)):
        chosen = both & (shares >= least) & (shares < most)
        difference = np.abs(ours_sure - theirs_sure)[chosen].mean()
        print(f"confidences of classes on {least:.1%} to {most:.1%} of a photo differ by {difference:.4f} on average")


def hashes(data: Path, photos: int, every_option: bool) -> dict[str, dict[str, str]]:
    """Return the results of this process's clothseg: photo and options -> part of the result -> its hash."""
    import inspect

    import pyarrow.parquet as pq
    from PIL import Image

    from clothseg import Segmenter

    sys.path.append(str(HERE / "tests" / "support"))
    from paper_dolls import draw

    rows = pq.read_table(data, columns=["image"]).slice(0, photos).to_pylist()
    pictures = {
        f"photo {n}": Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB") for n, row in enumerate(rows)
    }
    pictures |= {f"doll {n}": Image.fromarray(draw(n, 480, 320 + 160 * (n % 3)).image) for n in range(photos)}
    segmenter = Segmenter.from_pretrained(device="cpu")
    known = inspect.signature(Segmenter.__call__).parameters
    before = {"max_side": "longest", "tta": "average"}  # names in older checkouts
    renamed = {new: new if new in known else old for new, old in before.items()}
    # Checkouts without these options assume upright photos, and look for people seen from behind.
    fixed = {key: value for key, value in {"orientation": "upright", "back_view": "auto"}.items() if key in known}
    made = {}
    for settings in EVERY_OPTION if every_option else DEFAULTS:
        for name, picture in pictures.items():
            result = segmenter(picture, **fixed, **{renamed.get(key, key): value for key, value in settings.items()})
            people = result.person_map if hasattr(result, "person_map") else result.wearers
            parts = {"label map": result.label_map, "probability": result.probability, "person map": people}
            found = {part: digest(array.tobytes()) for part, array in parts.items() if array is not None}
            found["confidence"] = digest(json.dumps(result.confidence).encode())
            made[f"{name} {settings}"] = found
    return made


def digest(content: bytes) -> str:
    """Return a short hash."""
    return hashlib.sha256(content).hexdigest()[:16]


if __name__ == "__main__":
    main()
