"""clothseg.postprocess.cell_argmax equals a direct computation: interpolate every class's functions for every pixel,
then take the argmax."""

import numpy as np
import pytest
from PIL import Image

from clothseg.postprocess import cell_argmax


def interpolate(values: np.ndarray, length: int, shrink: int) -> np.ndarray:
    """Interpolate (h, ...), values at the centres of `shrink` pixels each, to `length` pixels; clamped at the ends."""
    last = len(values) - 1
    position = np.clip((np.arange(length) + 0.5) / shrink - 0.5, 0, last)
    before = position.astype(int)
    share = (position - before).reshape(-1, *[1] * (values.ndim - 1))
    return values[before] * (1 - share) + values[np.minimum(before + 1, last)] * share


def evaluate_everywhere(fits: list[cell_argmax.ClassFit], photo: np.ndarray, shrink: int) -> np.ndarray:
    """Return (C, H, W) float64: each class's functions, evaluated at each pixel."""
    height, width = photo.shape[:2]
    features = np.concatenate([photo / 255, np.ones((height, width, 1))], axis=2)
    cells = np.array([[rows.stop, columns.stop] for (rows, columns), _ in fits]).max(axis=0)
    planes = []
    for box, line in fits:
        everywhere = np.zeros((*cells, 4))
        everywhere[box] = line
        wide = interpolate(interpolate(everywhere, height, shrink).swapaxes(0, 1), width, shrink).swapaxes(0, 1)
        planes.append((wide * features).sum(axis=2))
    return np.stack(planes)


CASES = [
    ((40, 30), 3),
    ((41, 33), 4),  # even cells have no centre pixel; a row and a column remain
    ((43, 35), 8),
    ((5, 60), 7),  # lower than a cell
    ((1, 1), 1),
    ((12, 9), 1),
    ((3, 2), 5),
]


@pytest.mark.parametrize(("size", "shrink"), CASES)
@pytest.mark.parametrize("small", [False, True])
def test_class_with_the_largest_function_wins(
    size: tuple[int, int], shrink: int, small: bool, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    if small:  # many strips, and many steps in each
        monkeypatch.setattr(cell_argmax, "_STRIP", 40)
        monkeypatch.setattr(cell_argmax, "_BATCH", 3 * shrink**2)
    cells = [max(1, side // shrink) for side in size]
    whole = (slice(0, cells[0]), slice(0, cells[1]))
    fits = [(whole, rng.normal(size=(*cells, 4)).astype(np.float32)) for _ in range(5)]
    classes = np.array([0, 3, 4, 9, 200], np.uint8)
    photo = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    candidates = np.ones((5, *cell_argmax.gap_shape(size, shrink)), np.uint8)
    label_map = cell_argmax.argmax_of_fits(fits, candidates, classes, Image.fromarray(photo), shrink)

    expected = evaluate_everywhere(fits, photo, shrink)
    assert label_map.shape == size and label_map.dtype == np.uint8
    top = np.sort(expected, axis=0)
    clear = top[-1] - top[-2] > 1e-4
    assert clear.mean() > 0.9
    np.testing.assert_array_equal(label_map[clear], classes[expected.argmax(axis=0)][clear])


def test_only_candidates_win_within_their_boxes(rng: np.random.Generator) -> None:
    size, shrink = (48, 64), 4
    whole, part = (slice(0, 12), slice(0, 16)), (slice(2, 9), slice(5, 14))
    fits = [(whole, np.zeros((12, 16, 4), np.float32)), (part, rng.normal(size=(7, 9, 4)).astype(np.float32))]
    photo = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    candidates = np.zeros((2, *cell_argmax.gap_shape(size, shrink)), np.uint8)
    candidates[0] = 1
    candidates[1, 3:9, 6:14] = 1  # the box contains all cells around these gaps
    label_map = cell_argmax.argmax_of_fits(
        fits, candidates, np.array([2, 7], np.uint8), Image.fromarray(photo), shrink
    )

    wins = evaluate_everywhere(fits, photo, shrink)[1] > 0
    allowed = np.zeros(size, np.bool_)
    allowed[2 * 4 + 2 : 8 * 4 + 2, 5 * 4 + 2 : 13 * 4 + 2] = True
    np.testing.assert_array_equal(label_map == 7, wins & allowed)
    assert 0 < (label_map == 7).sum() < allowed.sum()


def test_single_candidate_wins_and_first_class_is_the_fallback(rng: np.random.Generator) -> None:
    fits = [((slice(0, 4), slice(0, 4)), rng.normal(size=(4, 4, 4)).astype(np.float32)) for _ in range(2)]
    candidates = np.zeros((2, 5, 5), np.uint8)
    candidates[1, 2, 3] = 1
    label_map = cell_argmax.argmax_of_fits(fits, candidates, np.array([4, 6], np.uint8), Image.new("RGB", (8, 8)), 2)
    expected = np.full((8, 8), 4)
    expected[3:5, 5:7] = 6
    np.testing.assert_array_equal(label_map, expected)


@pytest.mark.parametrize(("size", "shrink"), CASES)
def test_gaps_cover_exactly_the_photo(size: tuple[int, int], shrink: int) -> None:
    for side, count in zip(size, cell_argmax.gap_shape(size, shrink), strict=True):
        end = count * shrink - (shrink - shrink // 2)
        assert end - shrink < side <= end
