"""Clicks: what they are, and what they change."""

import numpy as np
import pytest

from clothseg import Click, ConfigError, UnknownClassError
from clothseg.labels import BACKGROUND, LABEL2ID


@pytest.mark.parametrize(
    ("x", "y", "label", "error", "said"),
    [
        (1, 2, "Sock", UnknownClassError, "'Sock'"),
        (1, 2, "Shoes and accessories", UnknownClassError, "Shoes"),
        (1, 2, None, UnknownClassError, "None"),
        ("1", 2, "Hat", ConfigError, "x of a click"),
        (1, float("nan"), "Hat", ConfigError, "y of a click"),
    ],
)
def test_wrong_clicks_are_refused(x: object, y: object, label: object, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Click(x, y, label)  # type: ignore[arg-type]


def test_a_click_is_on_a_whole_pixel() -> None:
    assert Click(3.9, np.float32(2), "Background") == Click(3, 2, "Background")  # type: ignore[arg-type]
    assert LABEL2ID[Click(0, 0, "Background").label] == BACKGROUND
