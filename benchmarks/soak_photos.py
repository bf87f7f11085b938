"""The soak's inputs and expected results, and the library's own speed without the app."""

import hashlib
import io
import random
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from clothseg.process_settings import tune


tune()

from PIL import Image  # noqa: E402

from clothseg import Segmenter  # noqa: E402
from clothseg.images.atomic_files import save_picture  # noqa: E402


def bad_files(photo: bytes) -> dict[str, bytes]:
    """Return files that are not valid photos, and what is wrong with them."""
    bomb = io.BytesIO()
    Image.new("1", (12000, 12000)).save(bomb, "PNG")
    return {
        "empty": b"",
        "text": b"this is no photo\n" * 100,
        "cut short": photo[: len(photo) // 2],
        "bomb": bomb.getvalue(),
        "page": b"<html><body><img src=x></body></html>",
    }


def digests(photos: list[bytes]) -> dict[bytes, str]:
    """Return the digest of the library's label map PNG for each photo."""
    segmenter, found = Segmenter.from_pretrained(), {}
    with tempfile.TemporaryDirectory() as folder:
        for photo in photos:
            path = Path(folder) / "labels.png"
            segmenter(photo).save_label_map(path)
            found[photo] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def within_reach(photos: list[bytes], threads: int, seconds: float, seed: int) -> float:
    """Return the photos per second of the library without the app, in a number of threads that process one photo after
    the other.

    Each photo is converted to the endpoint's files: overlay, label map and summary.
    """
    segmenter, ended, done = Segmenter.from_pretrained(), threading.Event(), Counter[int]()

    def one(number: int) -> None:
        rng = random.Random(1000 * seed + number)  # noqa: S311
        with tempfile.TemporaryDirectory() as folder:
            while not ended.is_set():
                result = segmenter(rng.choice(photos))
                save_picture(result.overlay(), Path(folder) / "overlay.jpg", quality=90)
                result.save_label_map(Path(folder) / "labels.png")
                result.to_dict()
                done[number] += 1

    with ThreadPoolExecutor(threads) as pool:
        started = time.monotonic()
        working = [pool.submit(one, number) for number in range(threads)]
        ended.wait(seconds)
        ended.set()
        for each in working:
            each.result()
        return done.total() / (time.monotonic() - started)
