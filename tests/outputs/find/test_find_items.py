"""clothseg.outputs.find.selection and clothseg.outputs.find.colors on hand-painted label maps."""

import numpy as np
import pytest

from clothseg import ConfigError, Segmentation
from clothseg.labels import LABEL2ID
from clothseg.outputs.color_names import NAMES, Color, name_of
from clothseg.outputs.find.colors import FAMILIES, has_color, is_color
from clothseg.outputs.find.selection import NO_PEOPLE, NOTHING


RED, BLACK, NAVY, WHITE, GREEN = (200, 20, 20), (15, 15, 15), (20, 30, 70), (250, 250, 250), (30, 130, 40)


def painted(
    *boxes: tuple[str, tuple[int, int, int], int, int, int, int], people: dict[int, tuple[int, int]] | None = None
) -> Segmentation:
    """A 300 x 400 photo with boxes (class, colour, left, top, right, bottom); `people` maps numbers to columns."""
    label_map, photo = np.zeros((300, 400), np.uint8), np.full((300, 400, 3), 128, np.uint8)
    person_map = None if people is None else np.zeros_like(label_map)
    for name, color, left, top, right, bottom in boxes:
        label_map[top:bottom, left:right] = LABEL2ID[name]
        photo[top:bottom, left:right] = color
    for number, (left, right) in (people or {}).items():
        assert person_map is not None
        person_map[:, left:right][label_map[:, left:right] > 0] = number
    return Segmentation(photo, label_map, person_map=person_map)  # type: ignore[arg-type]


def two_people(separated: bool = True) -> Segmentation:
    return painted(
        *(("Hair", BLACK, 60, 10, 100, 40), ("Dress", RED, 50, 60, 110, 200), ("Bag", BLACK, 20, 120, 45, 150)),
        *(("Left-shoe", BLACK, 85, 260, 105, 280), ("Right-shoe", BLACK, 55, 260, 75, 280)),
        *(("Hat", RED, 290, 5, 330, 30), ("Upper-clothes", NAVY, 280, 60, 340, 130)),
        *(("Skirt", WHITE, 280, 130, 340, 160), ("Skirt", BLACK, 280, 160, 340, 200)),
        *(("Bag", RED, 345, 120, 395, 170), ("Left-shoe", GREEN, 315, 260, 335, 280)),
        ("Right-shoe", GREEN, 285, 260, 305, 280),
        people={1: (0, 200), 2: (200, 400)} if separated else None,
    )


def found(result: Segmentation, text: str) -> list[tuple[str, int | None]]:
    return [(item.name, item.wearer) for item in result.find(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("red dress", [("Dress", 1)]),
        ("red bag", [("Bag", 2)]),
        ("black shoes of the person on the left", [("Left-shoe", 1), ("Right-shoe", 1)]),
        ("black shoes of the person on the right", []),
        ("shoes of the person with the red hat", [("Left-shoe", 2), ("Right-shoe", 2)]),
        ("shoes of the second person from the right", [("Left-shoe", 1), ("Right-shoe", 1)]),
        ("largest bag", [("Bag", 2)]),
        ("smallest bag", [("Bag", 1)]),
        ("bag on the left", [("Bag", 1)]),
        ("second bag from the left", [("Bag", 2)]),
        ("third bag", []),
        ("black and white skirt", [("Skirt", 2)]),
        ("green and blue skirt", []),
        ("everything red", [("Hat", 2), ("Dress", 1), ("Bag", 2)]),
        ("left shoe", [("Left-shoe", 1), ("Left-shoe", 2)]),
        ("shoes but not green", [("Left-shoe", 1), ("Right-shoe", 1)]),
        ("the person on the left without bag", [("Hair", 1), ("Dress", 1), ("Left-shoe", 1), ("Right-shoe", 1)]),
        ("navy top", [("Upper-clothes", 2)]),
        ("dark blue top", [("Upper-clothes", 2)]),
        ("light blue top", []),
        ("red bag, red dress", [("Dress", 1), ("Bag", 2)]),
        ("größte rote Sache", [("Dress", 1)]),
    ],
)
def test_find_selects_by_class_color_person_place_and_size(text: str, expected: list[tuple[str, int]]) -> None:
    assert found(two_people(), text) == expected


def test_find_reports_matches_and_ignored_words() -> None:
    result = two_people()
    made = result.find("red velvet dress and the black bag")
    assert [item.index for item in made] == [1, 2] and len(made) == 2
    assert made.ignored == ("velvet",) and made.notes == ("Ignored: “velvet”.",)
    expected = result.mask("Dress")
    expected[120:150, 20:45] = True
    assert np.array_equal(made.mask, expected)
    nothing = result.find("yellow dress")
    assert not nothing.items and not nothing.mask.any() and nothing.notes == (NOTHING,)
    assert nothing.missing == ("yellow dress",)
    with pytest.raises(ConfigError, match="velvet"):
        result.find("velvet")


@pytest.mark.parametrize(
    ("text", "count", "missing"),
    [
        ("hair, the yellow dress", 1, ("yellow dress",)),
        ("red dress and yellow velvet bag", 1, ("yellow velvet bag",)),
        ("bag, black and white dress or a third hat", 2, ("black and white dress", "third hat")),
        ("Haare und das gelbe Sommer-Kleid", 1, ("gelbe Sommer-Kleid",)),
        (
            "hat, shoes of the second person with the yellow dress",
            1,
            ("shoes of the second person with the yellow dress",),
        ),
        ("dress but not the yellow dress", 1, ()),
        ("dress but not the dress", 0, ()),
        ("yellow dress, yellow dress", 0, ("yellow dress",)),
    ],
)
def test_find_names_the_parts_of_a_search_that_nothing_matches(
    text: str, count: int, missing: tuple[str, ...]
) -> None:
    made = two_people().find(text)
    assert (len(made), made.missing) == (count, missing)
    told = [note for note in made.notes if note.startswith("Not found: ")]
    quoted = ", ".join(f"“{words}”" for words in missing)
    assert told == ([f"Not found: {quoted}."] if count and missing else [])


def test_person_words_without_separated_people_add_a_note() -> None:
    together = two_people(separated=False)
    made = together.find("bag of the person on the left")
    assert [item.name for item in made] == ["Bag", "Bag"] and made.notes == (NO_PEOPLE,)


def test_everything_but_excludes_a_class() -> None:
    result = two_people()
    rest = result.find("everything but the hair").mask
    assert np.array_equal(rest, (result.label_map > 0) & ~result.mask("Hair"))


def test_every_color_name_belongs_to_a_family() -> None:
    covered = {name for names in FAMILIES.values() for name in names}
    assert covered == set(NAMES)


@pytest.mark.parametrize("wanted", FAMILIES)
def test_colors_match_only_their_family(wanted: str) -> None:
    samples = {
        **{"black": "#101010", "grey": "#808080", "white": "#f8f8f8", "red": "#c01818", "pink": "#f090b8"},
        **{"orange": "#f08020", "brown": "#6b4020", "beige": "#e0d0b0", "yellow": "#f0d830", "green": "#2a7a30"},
        **{"turquoise": "#20b8b0", "blue": "#2848b0", "purple": "#702a90"},
    }
    shown = [Color(name_of([int(code[at : at + 2], 16) for at in (1, 3, 5)]), code, 1) for code in samples.values()]
    matching = {name for name, color in zip(samples, shown, strict=True) if is_color(color, wanted)}
    assert wanted in matching
    assert matching <= {wanted, *{"turquoise": {"blue"}, "blue": {"turquoise"}}.get(wanted, set())}


def test_color_counts_if_largest_or_at_least_half() -> None:
    dotted = [Color("white", "#f8f8f8", 0.6), Color("red", "#c01818", 0.4)]
    assert has_color(dotted, "white") and not has_color(dotted, "red")
    striped = [Color("white", "#f8f8f8", 0.4), Color("red", "#c01818", 0.35), Color("dark red", "#701010", 0.25)]
    assert has_color(striped, "red") and has_color(striped, "white")
    assert is_color(Color("navy", "#23304a", 1), "dark blue")
    assert is_color(Color("blue", "#27407a", 1), "dark blue")
    assert not is_color(Color("light blue", "#95d0fc", 1), "dark blue")
    vivid, pale = Color("beige", "#f6df8b", 1), Color("beige", "#d0c097", 1)
    assert is_color(vivid, "yellow") and not is_color(pale, "yellow") and is_color(pale, "beige")
