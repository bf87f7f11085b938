"""Brush strokes, and clicks and strokes as JSON."""

import time
from typing import Any

import numpy as np
import pytest

from clothseg import Click, ConfigError, UnknownClassError
from clothseg.postprocess.strokes import MOST, MOST_POINTS, Stroke, from_json


def test_stroke_covers_pixels_within_its_radius() -> None:
    rows, columns = np.indices((60, 80))
    inside = Stroke([(20, 30), (50, 30)], 6, "Hat").mask((60, 80))
    distance = np.hypot(columns - columns.clip(20, 50), rows - 30)
    assert inside[distance <= 5.5].all() and not inside[distance > 7].any()
    dot = Stroke(((10, 10),), 4, "Hat").mask((60, 80))
    assert dot[10, 6:15].all() and dot[6:15, 10].all() and 40 < dot.sum() < 75
    assert Stroke([[3, 2], [3, 8]], 0, "Hat").mask((60, 80)).sum() == 7  # type: ignore[list-item]


def test_strokes_may_extend_beyond_the_photo() -> None:
    assert Stroke([(-1e9, 5), (1e9, 5)], 1, "Hat").mask((20, 30))[4:7].all()
    assert not Stroke([(-50, -50)], 3, "Hat").mask((20, 30)).any()
    assert Stroke([(-50, 10), (-9, 10)], 12, "Hat").mask((20, 30))[10].tolist() == [True] * 4 + [False] * 26


def test_large_strokes_are_drawn_within_seconds(rng: np.random.Generator) -> None:
    wide = Stroke(rng.uniform(-2000, 3000, (MOST_POINTS, 2)).tolist(), 500, "Hat")
    start = time.process_time()
    assert wide.mask((600, 800)).all()
    assert time.process_time() - start < 5


def test_clicks_and_strokes_load_from_json() -> None:
    assert from_json(Click, [{"x": 1, "y": 2.5, "label": "Hat"}]) == [Click(1, 2, "Hat")]
    assert from_json(Stroke, [{"points": [[1, 2]], "radius": 3, "label": "Hat"}]) == [Stroke([[1, 2]], 3, "Hat")]  # type: ignore[list-item]
    assert from_json(Click, None) == from_json(Stroke, []) == []


@pytest.mark.parametrize(
    ("kind", "values", "error", "said"),
    [
        (Click, {"x": 1}, ConfigError, "JSON list of objects {x, y, label}"),
        (Click, [{"x": 1, "y": 2}], ConfigError, "A click is a JSON object {x, y, label}"),
        (Click, [{"x": 1, "y": 2, "label": "Hat", "z": 3}], ConfigError, "A click is"),
        (Click, [[1, 2, "Hat"]], ConfigError, "A click is"),
        (Click, [{"x": 1, "y": 2, "label": 3}], UnknownClassError, "must be text, not 3"),
        (Click, [{"x": 1, "y": 2, "label": "Hat"}] * (MOST + 1), ConfigError, f"At most {MOST} clicks"),
        (Stroke, [{"points": [], "radius": 1, "label": "Hat"}], ConfigError, "1 to 20,000 points"),
        (Stroke, [{"points": [[1]], "radius": 1, "label": "Hat"}], ConfigError, r"\[x, y\] in pixels"),
        (Stroke, [{"points": [[1, float("nan")]], "radius": 1, "label": "Hat"}], ConfigError, "in pixels"),
        (Stroke, [{"points": [[1, 2]], "radius": -1, "label": "Hat"}], ConfigError, "radius of a stroke"),
        (Stroke, [{"points": [[1, 2]], "radius": 1, "label": None}], UnknownClassError, "must be text, not None"),
    ],
)
def test_invalid_clicks_and_strokes_are_rejected(kind: Any, values: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        from_json(kind, values)
