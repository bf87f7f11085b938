"""Packshots are cropped and centred, have the requested aspect ratio, and an optional shadow."""

import doctest
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, CutoutOptions, PackshotOptions, Segmentation
from clothseg.outputs import packshot as module
from clothseg.outputs.packshot import packshot


def test_docstring_examples_run() -> None:
    assert doctest.testmod(module) == (0, 1)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 90), st.integers(1, 90), st.sampled_from(["1:1", "4:5", "3:4"]), st.floats(0, 0.4))
def test_article_is_centred_and_fills_the_picture(high: int, wide: int, aspect: str, padding: float) -> None:
    cutout = np.zeros((120, 130, 4), np.uint8)
    cutout[7 : 7 + high, 11 : 11 + wide] = 200, 30, 40, 255
    options = PackshotOptions(aspect=aspect, padding=padding)  # type: ignore[arg-type]
    made = packshot(cutout, options, "#ffffff")
    height, width = made.shape[:2]
    across, down = map(int, aspect.split(":"))
    assert abs(width / across - height / down) <= 1
    rows, columns = np.nonzero((made != 255).any(-1))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (high, wide)
    assert abs(rows.min() - (height - 1 - rows.max())) <= 1 and abs(columns.min() - (width - 1 - columns.max())) <= 1
    fills = max(high / height, wide / width)
    assert fills <= 1 and abs(fills - (1 - 2 * padding)) <= 1.5 / min(height, width) + 1e-6
    assert (made[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] == (200, 30, 40)).all()


def test_shadow_darkens_below_the_article_only() -> None:
    cutout = np.zeros((100, 100, 4), np.uint8)
    cutout[10:90, 10:90] = 255
    plain, shaded = (packshot(cutout, PackshotOptions(shadow=on), "#eeeeee") for on in (False, True))
    assert plain.shape == shaded.shape and (shaded <= plain).all() and (shaded < plain).any()
    rows, columns = np.nonzero((shaded < plain).any(-1))
    top, bottom = np.flatnonzero((plain == 255).all(-1).any(1))[[0, -1]]
    assert rows.max() - bottom > top - rows.min() and abs(columns.min() + columns.max() - (shaded.shape[1] - 1)) <= 1
    article = (plain == 255).all(-1)
    np.testing.assert_array_equal(shaded[article], plain[article])


def test_packshots_of_results_follow_their_options(tmp_path: Path) -> None:
    doll = draw(5)
    result = Segmentation(doll.image, doll.mask)
    plain = result.packshot()
    assert plain.mode == "RGB" and plain.width == plain.height and plain.getpixel((0, 0)) == (255, 255, 255)
    tall = result.packshot("Hair", packshot=PackshotOptions(aspect="4:5"), options=CutoutOptions("#123456", crop=True))
    assert tall.width * 5 == pytest.approx(tall.height * 4, abs=5) and tall.getpixel((0, 0)) == (0x12, 0x34, 0x56)
    absent = np.zeros(doll.mask.shape, np.bool_)
    assert len(np.unique(np.asarray(result.packshot_mask(absent)))) == 1
    with pytest.raises(ConfigError, match="must be a colour, not a picture"):
        result.packshot(options=CutoutOptions(Image.new("RGB", (3, 3))))
    with pytest.raises(ConfigError, match="aspect can be 1:1, 4:5 or 3:4, not '16:9'"):
        PackshotOptions.of({"aspect": "16:9"})
    with pytest.raises(ConfigError, match="A packshot has no option 'size'; the options are: aspect"):
        PackshotOptions.of({"size": 3})
