"""clothseg.postprocess.cell_argmax against the plain way: every class's functions interpolated for every pixel, then
argmax."""

import numpy as np
import pytest
from PIL import Image

from clothseg.postprocess import cell_argmax


def along(values: np.ndarray, length: int, shrink: int) -> np.ndarray:
    """(h, ...), a value for the middle of `shrink` pixels each, to `length` pixels; clamped at the ends."""
    last = len(values) - 1
    position = np.clip((np.arange(length) + 0.5) / shrink - 0.5, 0, last)
    before = position.astype(int)
    share = (position - before).reshape(-1, *[1] * (values.ndim - 1))
    return values[before] * (1 - share) + values[np.minimum(before + 1, last)] * share


def plainly(fitted: list[cell_argmax.Fit], photo: np.ndarray, shrink: int) -> np.ndarray:
    """(C, H, W) float64: what each class's functions make of each pixel."""
    height, width = photo.shape[:2]
    seen = np.concatenate([photo / 255, np.ones((height, width, 1))], axis=2)
    cells = np.array([[rows.stop, columns.stop] for (rows, columns), _ in fitted]).max(axis=0)
    made = []
    for box, line in fitted:
        everywhere = np.zeros((*cells, 4))
        everywhere[box] = line
        wide = along(along(everywhere, height, shrink).swapaxes(0, 1), width, shrink).swapaxes(0, 1)
        made.append((wide * seen).sum(axis=2))
    return np.stack(made)


CASES = [
    ((40, 30), 3),
    ((41, 33), 4),  # cells of an even number of pixels have no pixel in the middle; a row and a column are left over
    ((43, 35), 8),
    ((5, 60), 7),  # lower than a cell
    ((1, 1), 1),
    ((12, 9), 1),
    ((3, 2), 5),
]


@pytest.mark.parametrize(("size", "shrink"), CASES)
@pytest.mark.parametrize("small", [False, True])
def test_the_best_of_all_functions_wins(
    size: tuple[int, int], shrink: int, small: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    if small:  # many strips, and many steps in each
        monkeypatch.setattr(cell_argmax, "_STRIP", 40)
        monkeypatch.setattr(cell_argmax, "_BATCH", 3 * shrink**2)
    cells = [max(1, side // shrink) for side in size]
    whole = (slice(0, cells[0]), slice(0, cells[1]))
    fitted = [(whole, rng.normal(size=(*cells, 4)).astype(np.float32)) for _ in range(5)]
    classes = np.array([0, 3, 4, 9, 200], np.uint8)
    photo = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    hopes = np.ones((5, *cell_argmax.gaps_of(size, shrink)), np.uint8)
    made = cell_argmax.best_of(fitted, hopes, classes, Image.fromarray(photo), shrink)

    expected = plainly(fitted, photo, shrink)
    assert made.shape == size and made.dtype == np.uint8
    top = np.sort(expected, axis=0)
    clear = top[-1] - top[-2] > 1e-4
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(made[clear], classes[expected.argmax(axis=0)][clear])


def test_only_who_may_win_does_and_boxes_are_kept_apart(rng: np.random.Generator) -> None:
    size, shrink = (48, 64), 4
    whole, part = (slice(0, 12), slice(0, 16)), (slice(2, 9), slice(5, 14))
    fitted = [(whole, np.zeros((12, 16, 4), np.float32)), (part, rng.normal(size=(7, 9, 4)).astype(np.float32))]
    photo = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    hopes = np.zeros((2, *cell_argmax.gaps_of(size, shrink)), np.uint8)
    hopes[0] = 1
    hopes[1, 3:9, 6:14] = 1  # of which the box has all cells around
    made = cell_argmax.best_of(fitted, hopes, np.array([2, 7], np.uint8), Image.fromarray(photo), shrink)

    wins = plainly(fitted, photo, shrink)[1] > 0
    asked = np.zeros(size, np.bool_)
    asked[2 * 4 + 2 : 8 * 4 + 2, 5 * 4 + 2 : 13 * 4 + 2] = True
    np.testing.assert_array_equal(made == 7, wins & asked)
    assert 0 < (made == 7).sum() < asked.sum()


def test_where_one_may_win_it_does_and_where_none_may_the_first(rng: np.random.Generator) -> None:
    fitted = [((slice(0, 4), slice(0, 4)), rng.normal(size=(4, 4, 4)).astype(np.float32)) for _ in range(2)]
    hopes = np.zeros((2, 5, 5), np.uint8)
    hopes[1, 2, 3] = 1
    made = cell_argmax.best_of(fitted, hopes, np.array([4, 6], np.uint8), Image.new("RGB", (8, 8)), 2)
    expected = np.full((8, 8), 4)
    expected[3:5, 5:7] = 6
    np.testing.assert_array_equal(made, expected)


@pytest.mark.parametrize(("size", "shrink"), CASES)
def test_gaps_cover_the_photo_and_no_more(size: tuple[int, int], shrink: int) -> None:
    for side, count in zip(size, cell_argmax.gaps_of(size, shrink), strict=True):
        end = count * shrink - (shrink - shrink // 2)
        assert end - shrink < side <= end
