"""Near-duplicates: edited copies are found, different photos are not, and groups are complete."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from paper_dolls import draw
from PIL import Image, ImageEnhance, ImageOps

from clothseg.training.data.duplicates import CHUNK, DISTANCE, WORDS, duplicate_groups, near_duplicates, photo_hash


def recompressed(photo: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    photo.save(buffer, "JPEG", quality=20)
    return Image.open(buffer)


def cropped(photo: Image.Image) -> Image.Image:
    width, height = photo.size
    return photo.crop((width // 100, height // 100, width - width // 100, height - height // 100))


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "recompressed": recompressed,
    "halved": lambda photo: photo.resize((photo.width // 2, photo.height // 2)),
    "squeezed": lambda photo: photo.resize((photo.width, photo.height // 2)),
    "cropped": cropped,
    "mirrored": ImageOps.mirror,
    "mirrored, cropped": lambda photo: cropped(ImageOps.mirror(photo)),
    "brightened": lambda photo: ImageEnhance.Brightness(photo).enhance(1.1),
    "grey": lambda photo: photo.convert("L"),
}


def hashes_of(photos: list[Image.Image]) -> np.ndarray:
    return np.stack([photo_hash(photo) for photo in photos])


@pytest.mark.parametrize("change", COPIES.values(), ids=COPIES)
def test_only_edited_copies_are_duplicates(change: Callable[[Image.Image], Image.Image], shared_data: Path) -> None:
    stored = pq.read_table(shared_data / "sample_train.parquet", columns=["image"])["image"].to_pylist()
    photos = [Image.open(io.BytesIO(cell["bytes"])).convert("RGB") for cell in stored]
    assert duplicate_groups(hashes_of(photos)) == []
    found = duplicate_groups(hashes_of([*photos, *map(change, photos)]))
    assert found == [[index, index + len(photos)] for index in range(len(photos))]


def test_photo_hash_equals_imagehash() -> None:
    """Hashes of a pattern and its mirror image equal `imagehash.phash(picture, hash_size=16)` of imagehash 4.3.2."""
    rows, columns = np.indices((64, 64))
    waves = np.sin(columns / 5 + rows / 9) + np.cos(rows / 3 - columns / 17)
    found = photo_hash(Image.fromarray((waves * 60 + 128).astype(np.uint8)))
    assert [side.tobytes().hex() for side in found] == [
        "d800ad55d800d2aac5559000c4006aaa3fff72aa2fff72a82fff72a82fff72a2",
        "8d55f8008d5587ff9000c55590503fff6aaa27fd7aaa27d87aaa27d07aa827e0",
    ]


def test_different_dolls_are_not_duplicates() -> None:
    assert duplicate_groups(hashes_of([Image.fromarray(draw(seed, 96, 64).image) for seed in range(60)])) == []


def flipped(bits: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`bits` (4,) uint64 with `count` of its 256 bits flipped."""
    turned = np.unpackbits(bits.view(np.uint8))
    turned[rng.permutation(256)[:count]] ^= 1
    return np.packbits(turned).view(np.uint64)


def test_groups_are_connected_components_of_near_pairs(rng: np.random.Generator) -> None:
    """More rows than one chunk holds; near-duplicates are far apart in any order of the hashes."""
    count = 4 * CHUNK + 9
    hashes = rng.integers(0, 2**64, (count, 2, WORDS), dtype=np.uint64)
    hashes[100, 0] = flipped(hashes[3, 0], DISTANCE, rng)
    hashes[120, 0] = flipped(hashes[100, 0], DISTANCE, rng)  # near 100, and so in a group with 3
    hashes[50] = [flipped(side, DISTANCE, rng) for side in hashes[7, ::-1]]  # near the mirror image of 7
    hashes[51, 0] = flipped(hashes[8, 0], DISTANCE + 1, rng)
    hashes[130] = hashes[9]
    pairs = [[number, number + 50] for number in range(140, 190)]
    for one, other in pairs:
        hashes[other, 0] = flipped(hashes[one, 0], DISTANCE, rng)
    assert np.bitwise_count(hashes[3, 0] ^ hashes[120, 0]).sum() > DISTANCE
    groups = [[3, 100, 120], [7, 50], [9, 130], *pairs]
    assert duplicate_groups(hashes) == groups
    order = rng.permutation(count)
    found = [sorted(order[group].tolist()) for group in duplicate_groups(hashes[order])]
    assert sorted(found) == groups


def test_thousands_of_equal_photos_form_one_group(rng: np.random.Generator) -> None:
    hashes = np.zeros((5000, 2, WORDS), np.uint64)
    hashes[17] = rng.integers(0, 2**64, (2, WORDS), dtype=np.uint64)
    assert duplicate_groups(hashes) == [[index for index in range(5000) if index != 17]]
    assert duplicate_groups(hashes[:0]) == []


def test_near_duplicates_marks_copies_of_other_photos() -> None:
    photos = [Image.fromarray(draw(seed, 96, 64).image) for seed in range(6)]
    others = [ImageOps.mirror(photos[1]), recompressed(photos[4]), Image.fromarray(draw(50, 96, 64).image)]
    found = near_duplicates(hashes_of(photos), hashes_of(others))
    assert np.flatnonzero(found).tolist() == [1, 4]
    twice = near_duplicates(hashes_of([photos[0], photos[0]]), hashes_of(others))  # copies of each other alone
    assert not twice.any() and near_duplicates(hashes_of(photos)[:0], hashes_of(others)).shape == (0,)
