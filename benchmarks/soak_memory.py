"""Evaluate the app's memory during a soak: medians by quarters of the time, and the growth per request."""

import numpy as np


FLAT = 0.02
"""Memory counts as flat if the last quarter's median exceeds the second's by at most this share; the first quarter is
for warming up."""

BLOCKS = 8
"""Number of blocks of the second half, for the slope: neighbouring seconds are correlated."""


def quarters(samples: list[tuple[int, float]]) -> list[float]:
    """Return the medians of the megabytes in the four quarters of the time.

    Args:
        samples: requests answered so far, and megabytes, at regular times; four or more.
    """
    return [float(np.median(part)) for part in np.array_split([megabytes for _, megabytes in samples], 4)]


def slope(samples: list[tuple[int, float]]) -> tuple[float, float]:
    """Return the kilobytes that a request of the second half adds, and the standard error.

    A straight line is fitted through the medians of `BLOCKS` blocks, by least squares. The error is infinite for fewer
    than three samples per block.

    Args:
        samples: as for `quarters`.
    """
    half = np.array(samples[len(samples) // 2 :], np.float64)
    if len(half) < 3 * BLOCKS or half[0, 0] == half[-1, 0]:
        return float("nan"), float("inf")
    counts, megabytes = np.array([np.median(block, axis=0) for block in np.array_split(half, BLOCKS)]).T
    (rise, _), covariance = np.polyfit(counts, megabytes * 1024, 1, cov=True)
    return float(rise), float(np.sqrt(covariance[0, 0]))


def report(samples: list[tuple[int, float]]) -> str:
    """Return sentences about the memory.

    Args:
        samples: as for `quarters`.
    """
    if len(samples) < 4:
        return f"Memory: {max(megabytes for _, megabytes in samples):.0f} MB at most."
    medians, (rise, error) = quarters(samples), slope(samples)
    growth = medians[3] / medians[1] - 1
    return (
        f"Memory: {', '.join(f'{median:.0f}' for median in medians)} MB in the four quarters (medians), "
        f"{max(megabytes for _, megabytes in samples):.0f} MB at most; from the second to the last {growth:+.1%}, "
        f"which is {'flat' if growth <= FLAT else 'NOT flat'} (at most {FLAT:+.0%})."
    ) + (f"\nIn the second half a request adds {rise:.1f} KB, standard error {error:.1f}." if error < np.inf else "")
