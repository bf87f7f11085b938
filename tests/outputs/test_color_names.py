"""clothseg.outputs.color_names on cloth of known colours: squares, stripes, and dolls in given colours."""

import dataclasses
from collections.abc import Callable

import cv2
import numpy as np
import paper_dolls
import pytest
from doll_figure import Fabric, paint_figure
from hypothesis import given, settings
from hypothesis import strategies as st

from clothseg.labels import LABEL2ID
from clothseg.outputs.color_names import DULL, NAMES, NEUTRALS, SURVEY, dominant, name_of


GREYS = [name for name, _ in NEUTRALS]


@pytest.mark.parametrize(
    ("color", "names"),
    [
        ((0, 0, 0), {"black"}),
        ((25, 24, 26), {"black"}),
        ((70, 70, 72), {"charcoal"}),
        ((128, 128, 128), {"grey"}),
        ((125, 130, 138), {"grey"}),
        ((200, 200, 198), {"light grey"}),
        ((255, 255, 255), {"white"}),
        ((200, 30, 40), {"red"}),
        ((110, 20, 35), {"burgundy"}),
        ((235, 140, 180), {"pink"}),
        ((230, 120, 40), {"orange"}),
        ((240, 220, 60), {"yellow"}),
        ((195, 160, 60), {"mustard"}),
        ((225, 205, 160), {"beige", "cream"}),
        ((120, 80, 50), {"brown"}),
        ((60, 35, 20), {"dark brown"}),
        ((90, 90, 50), {"olive", "dark olive"}),
        ((30, 110, 40), {"green", "forest green"}),
        ((30, 60, 160), {"blue"}),
        ((25, 30, 60), {"navy"}),
        ((60, 95, 140), {"denim"}),
        ((150, 205, 245), {"light blue"}),
        ((60, 180, 175), {"turquoise"}),
        ((110, 40, 140), {"purple"}),
        ((195, 160, 235), {"lavender"}),
    ],
)
def test_common_colours_get_their_names(color: tuple[int, int, int], names: set[str]) -> None:
    assert name_of(color) in names


@pytest.mark.parametrize("level", range(0, 256, 5))
def test_greys_are_neutral_and_ordered_by_lightness(level: int) -> None:
    assert name_of((level, level, level)) in GREYS
    assert GREYS.index(name_of((level, level, level))) <= GREYS.index(name_of((min(level + 5, 255),) * 3))


def test_colour_table_equals_the_xkcd_survey() -> None:
    colors = pytest.importorskip("matplotlib.colors")
    assert {f"xkcd:{name}": code for name, code in SURVEY.items()}.items() <= colors.XKCD_COLORS.items()
    for name, code in [*SURVEY.items(), *DULL]:
        assert name_of([int(code[start : start + 2], 16) for start in (1, 3, 5)]) == name
    assert {name for name, _ in DULL} <= set(SURVEY) <= set(NAMES)


def test_stripes_give_two_colours_with_their_shares() -> None:
    photo = np.full((120, 100, 3), (200, 30, 40), np.uint8)
    photo[np.arange(120) % 40 < 10] = 245, 245, 245
    mask = np.ones((120, 100), np.bool_)
    mask[:, :20] = False
    photo[:, :20] = 0, 255, 0  # outside the mask
    red, white = dominant(photo, mask)
    assert (red.name, red.hex, white.name, white.hex) == ("red", "#c81e28", "white", "#f5f5f5")
    assert red.share == pytest.approx(0.75, abs=0.05) and red.share + white.share == pytest.approx(1)


def test_dominant_keeps_opencvs_random_state() -> None:
    photo = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)

    def drawn(meanwhile: Callable[[], object]) -> list[float]:
        cv2.setRNGSeed(7)
        first = cv2.randu(np.zeros(4), 0.0, 1.0)
        meanwhile()
        return [*first.ravel(), *cv2.randu(np.zeros(4), 0.0, 1.0).ravel()]

    assert drawn(lambda: dominant(photo, np.ones((40, 30), np.bool_))) == drawn(lambda: None)


def test_folds_do_not_add_a_colour() -> None:
    shade = np.linspace(0.75, 1.1, 200)[:, None, None]
    noise = np.random.default_rng(0).normal(0, 6, (200, 150, 3))
    photo = (shade * np.array([40, 80, 180]) + noise).clip(0, 255).astype(np.uint8)
    (color,) = dominant(photo, np.ones((200, 150), np.bool_))
    assert color.name == "blue" and color.share == 1


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 40), st.integers(1, 40))
def test_colours_are_unique_and_sorted_by_share(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    photo = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = rng.random((height, width)) < rng.random()
    mask[rng.integers(height), rng.integers(width)] = True
    colors = dominant(photo, mask)
    shares = [color.share for color in colors]
    assert shares == sorted(shares, reverse=True) and 0 < sum(shares) <= 1 + 1e-9
    assert len({color.name for color in colors}) == len(colors) and {color.name for color in colors} <= set(NAMES)
    assert dominant(photo, mask) == colors


@pytest.mark.parametrize("level", [30, 70, 128, 200])
def test_grey_garments_are_named_grey(level: int) -> None:
    assert {_doll_wears((level,) * 3, seed, lit=False) for seed in range(8)} <= set(GREYS)


@pytest.mark.parametrize(("level", "least"), [(30, 1), (70, 1), (128, 0.75)])
def test_dark_greys_are_named_grey_in_tinted_light(level: int, least: float) -> None:
    """The dolls' light tints each channel by up to a tenth, which makes bright greys ambiguous."""
    named = [_doll_wears((level,) * 3, seed) for seed in range(12)]
    assert np.mean([name in GREYS for name in named]) >= least, named


@pytest.mark.parametrize(
    ("color", "names"),
    [((200, 30, 40), {"red"}), ((30, 60, 160), {"blue"}), ((25, 30, 60), {"navy"}), ((120, 80, 50), {"brown"})],
)
def test_coloured_garments_are_named_by_their_colour(color: tuple[int, int, int], names: set[str]) -> None:
    named = [_doll_wears(color, seed) for seed in range(8)]
    assert np.mean([name in names for name in named]) >= 0.8, named


def _doll_wears(color: tuple[int, int, int], seed: int, lit: bool = True) -> str:
    """Name of the dominant colour of the doll's top, painted in `color`."""
    rng = np.random.default_rng(seed)
    look = dataclasses.replace(paper_dolls._look(rng), top=Fabric(color), bottom=Fabric(color))
    sheet = paper_dolls.Sheet(np.random.default_rng([seed, 1]), 384, 256)
    sheet.place(rng, np.concatenate([*look.arms.values(), *look.legs.values()]))
    paint_figure(sheet.paint, look)
    top = np.isin(sheet.mask, [LABEL2ID["Upper-clothes"], LABEL2ID["Dress"]])
    picture = sheet.developed() if lit else sheet.image.clip(0, 255).astype(np.uint8)
    return dominant(picture, top)[0].name
