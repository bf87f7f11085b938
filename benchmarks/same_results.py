"""Whether two checkouts of clothseg give the same results: label maps, probabilities, confidences and people.

    python benchmarks/same_results.py OTHER photos.parquet --photos 100
    python benchmarks/same_results.py OTHER photos.parquet --photos 12 --every_option

Each checkout runs in a process of its own, from its own folder, with the embedded weights, on photos of the data set
and the same number of paper dolls. Results are compared by their hashes, so equal means equal to the bit.
"""

import argparse
import hashlib
import io
import itertools
import json
import os
import subprocess
import sys
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
    parser.add_argument("--hashes", choices=("here",), help=argparse.SUPPRESS)  # in the processes
    options = parser.parse_args()
    if options.hashes:
        sys.stdout.write(json.dumps(hashes(options.data, options.photos, options.every_option)))
        return
    ours, theirs = (run(folder, sys.argv[1:]) for folder in (HERE, options.other.resolve()))
    different = [key for key in ours if ours[key] != theirs.get(key)]
    print(f"{len(ours) - len(different)} of {len(ours)} results are equal to the bit.")
    for key in different:
        parts = [name for name in ours[key] if ours[key][name] != theirs.get(key, {}).get(name)]
        print(f"{key}: {', '.join(parts)} differ")
    sys.exit(1 if different else 0)


def run(folder: Path, arguments: list[str]) -> dict[str, Any]:
    """Return the hashes of a checkout."""
    environment = os.environ | {"PYTHONPATH": str(folder), "OMP_WAIT_POLICY": "passive"}
    command = [sys.executable, "-P", str(Path(__file__).resolve()), *arguments, "--hashes", "here"]
    done = subprocess.run(command, env=environment, cwd=folder, stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own script
    made: dict[str, Any] = json.loads(done.stdout)
    return made


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
