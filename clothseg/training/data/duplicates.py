"""Find near-duplicate photos by perceptual hash: copies that were recompressed, resized, mirrored or slightly cropped.

A photo of which a copy was trained on says little about new photos, so copies must not be on both sides of a split.
Masks are not compared: two photos may well have equal masks.
"""

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.fft import dctn
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


SIDE = 16
"""Rows and columns of the cosine transform kept in a hash: 256 bits. With the usual 8 (64 bits), cut-outs of different
people on plain backgrounds are as similar as copies: 67 of 403,651 pairs within 6 bits, which for 17,706 photos would
chain thousands of photos into one group. With 256 bits none of them is closer than 50."""

DISTANCE = 48
"""Largest number of differing bits, of 256, between copies. Measured on 250 street photos: recompressed (down to JPEG
quality 10), reduced (to an eighth) or brightened by 20 %: at most 24; mirrored: 4; cropped by 1 % at every edge: 30,
by 2 %: 48, by 3 %: more for a third. Among 1,993 such photos, 15 pairs were copies, 12 of them within 48 bits; no pair
of different photos is closer than 70."""

CHUNK = 64
WORDS = SIDE * SIDE // 64


def photo_hash(photo: Image.Image) -> npt.NDArray[np.uint64]:
    """Return the perceptual hash (pHash) of a photo and of its mirror image: signs of the lowest frequencies around
    the median.

    The bits equal those of `imagehash.phash(picture, hash_size=16)`, which needs PyWavelets without using it here.
    About 2 ms for 640x427 pixels, nearly all of it for reducing the photo.

    Args:
        photo: any mode; only its grey values count.

    Returns:
        (2, 4) uint64: 256 bits of the photo, 256 bits of its mirror image.
    """
    small = photo.convert("L").resize((4 * SIDE, 4 * SIDE), Image.Resampling.LANCZOS)
    upright = np.asarray(small, np.float64)
    frequencies = [dctn(pixels)[:SIDE, :SIDE] for pixels in (upright, upright[:, ::-1])]
    bits = [lowest > np.median(lowest) for lowest in frequencies]
    return np.packbits(bits).view(np.uint64).reshape(2, WORDS)


def duplicate_groups(hashes: npt.NDArray[np.uint64], distance: int = DISTANCE) -> list[list[int]]:
    """Return groups of near-duplicates: photos linked, directly or through others, by hashes at most `distance` bits
    apart.

    All pairs are compared in both orientations, a chunk at a time: 4 s on one core for 17,706 photos, four times that
    for twice as many, with a few MB of memory besides the hashes.

    Args:
        hashes: (N, 2, 4), of `photo_hash`.

    Returns:
        Row numbers of each group of two or more, ascending; the groups by their first row.
    """
    if not len(hashes):
        return []
    # Equal hashes (blank pictures, exact copies) are one point: pairs among thousands of them would fill the memory.
    points, point_of = np.unique(hashes.reshape(len(hashes), -1), axis=0, return_inverse=True)
    rows, columns = [], []
    for start in range(0, len(points), CHUNK):
        chunk, others = points[start : start + CHUNK, :WORDS], points[start:]
        for side in (0, WORDS):  # the other photo as it is, and mirrored
            bits = np.zeros((len(chunk), len(others)), np.uint16)
            for word in range(WORDS):
                bits += np.bitwise_count(chunk[:, None, word] ^ others[None, :, side + word])
            near = np.nonzero(bits <= distance)
            rows.append(near[0] + start)
            columns.append(near[1] + start)
    links = np.concatenate(rows), np.concatenate(columns)
    graph = coo_array((np.ones(len(links[0]), bool), links), shape=(len(points), len(points)))
    group_of = connected_components(graph, directed=False)[1][point_of.ravel()]
    order = np.argsort(group_of, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(group_of[order])) + 1)
    return sorted(group.tolist() for group in groups if len(group) > 1)


def near_duplicates(
    hashes: npt.NDArray[np.uint64], others: npt.NDArray[np.uint64], distance: int = DISTANCE
) -> npt.NDArray[np.bool_]:
    """Return which photos are near-duplicates of one of `others`.

    Args:
        hashes: (N, 2, 4), of `photo_hash`.
        others: (M, 2, 4), likewise.
        distance: largest number of differing bits between copies.

    Returns:
        (N,) bool.
    """
    found = np.zeros(len(hashes), bool)
    for group in duplicate_groups(np.concatenate([hashes, others]), distance):
        if group[-1] >= len(hashes):
            found[[row for row in group if row < len(hashes)]] = True
    return found
