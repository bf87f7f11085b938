"""HTML of the Batch tab."""

import pytest

from clothseg.app import batch_html
from clothseg.batch.to_zip import Progress


@pytest.mark.parametrize(
    ("done", "total", "seconds", "words"),
    [
        (0, 200, 0, ""),
        (200, 200, 99, ""),
        (1, 3, 1.0, "a few seconds left"),
        (1, 2, 41.0, "about 40 s left"),
        (50, 150, 60.0, "about 2 min left"),
        (1, 100, 60.0, "about 1 h 39 min left"),
    ],
)
def test_time_left_is_formatted(done: int, total: int, seconds: float, words: str) -> None:
    assert batch_html.time_left(Progress(done, total), seconds) == words
