"""What the soak says of memory, on memory that is known."""

import numpy as np
import pytest

from benchmarks import soak_memory


@pytest.mark.parametrize(
    ("a_photo", "noise", "flat"), [(0.0, 0.0, True), (0.0, 3.0, True), (1.0, 0.0, True), (20.0, 3.0, False)]
)
def test_a_soak_tells_what_a_photo_adds_to_memory(a_photo: float, noise: float, flat: bool) -> None:
    """Ten minutes of seven photos a second, the first quarter of which warms up."""
    rng = np.random.default_rng(0)
    samples = [
        (7 * second, 800 - max(0, 100 - second) + (7 * second * a_photo) / 1024 + noise * rng.normal())
        for second in range(600)
    ]
    rise, error = soak_memory.slope(samples)
    assert abs(rise - a_photo) <= 3 * error + 1e-6 and error < 2
    said = soak_memory.report(samples)
    assert ("is flat" in said, "NOT flat" in said) == (flat, not flat)
    assert f"adds {rise:.1f} KB" in said and said.count(" MB") == 2


def test_a_soak_too_short_to_tell_says_so() -> None:
    samples = [(number, 800.0 + number) for number in range(5)]
    assert soak_memory.slope(samples)[1] == float("inf")
    assert "nan" not in soak_memory.report(samples)
    assert soak_memory.report(samples[:2]) == "Memory: 801 MB at most."
