"""clothseg.outputs.find.reader and clothseg.outputs.find.words: parsing search texts."""

import json
from pathlib import Path

import pytest

import clothseg
from clothseg import ConfigError
from clothseg.labels import ATR, CIHP, FASHIONPEDIA, FASHN, KNOWN, LIP, LabelSet
from clothseg.labels.roles import known_role
from clothseg.outputs.color_names import NAMES
from clothseg.outputs.find.colors import FAMILIES
from clothseg.outputs.find.query import Nth, Query, Term
from clothseg.outputs.find.reader import read_query
from clothseg.outputs.find.words import compound, meaning, tables


SHOES = ("Left-shoe", "Right-shoe")
ALL = ATR.foreground


def term(*names: str, labels: LabelSet = ATR, **conditions: object) -> Term:
    return Term(frozenset(labels.ids_of(names)), **conditions)  # type: ignore[arg-type]


ANYTHING = term(*ALL)

EXAMPLES = {
    "red dress": [term("Dress", colors=("red",))],
    "black shoes of the person on the left": [term(*SHOES, colors=("black",), person="left")],
    "largest bag": [term("Bag", largest=1)],
    "the two smallest bags": [term("Bag", largest=-2)],
    "black and white dress": [term("Dress", colors=("black", "white"), together=True)],
    "red or blue dress": [term("Dress", colors=("red", "blue"))],
    "red dress and black shoes": [term("Dress", colors=("red",)), term(*SHOES, colors=("black",))],
    "dress, hat & bag": [term("Dress"), term("Hat"), term("Bag")],
    "red dress with hat": [term("Dress", colors=("red",)), term("Hat")],
    "left shoe": [term("Left-shoe")],
    "Left-shoe": [term("Left-shoe")],
    "bag on the left": [term("Bag", place="left")],
    "left bag": [term("Bag", place="left")],
    "leftmost bag": [term("Bag", nth=Nth(1, "left"))],
    "second bag from the right": [term("Bag", nth=Nth(2, "right"))],
    "the left person's shoes": [term(*SHOES, person="left")],
    "shoes of person 2": [term(*SHOES, person=Nth(2))],
    "shoes of the second person from the right": [term(*SHOES, person=Nth(2, "right"))],
    "left shoe of the last person": [term("Left-shoe", person=Nth(-1))],
    "person on the right": [term(*ALL, person="right")],
    "bag of the person with the red hat": [term("Bag", wearing=term("Hat", colors=("red",)))],
    "bag of the person in black": [term("Bag", wearing=term("All garments", colors=("black",)))],
    "dark blue trousers": [term("Pants", colors=("dark blue",))],
    "navy-blue T-shirt": [term("Upper-clothes", colors=("navy",))],
    "everything red": [term(*ALL, colors=("red",))],
    "red": [term("All garments", colors=("red",))],
    "SHOES AND ACCESSORIES": [term("Shoes and accessories")],
    "upper body": [term("Upper-clothes", "Dress", "Scarf")],
    "skin": [term("Face", "Left-leg", "Right-leg", "Left-arm", "Right-arm")],
    "rotes Kleid": [term("Dress", colors=("red",))],
    "schwarze Schuhe der Person links": [term(*SHOES, colors=("black",), person="left")],
    "linker Schuh der linken Person": [term("Left-shoe", person="left")],
    "größte Tasche": [term("Bag", largest=1)],
    "GROESSTE TASCHE": [term("Bag", largest=1)],
    "die dunkelblaue Hose und der weiße Hut": [term("Pants", colors=("dark blue",)), term("Hat", colors=("white",))],
    "Tasche der Person mit dem roten Hut": [term("Bag", wearing=term("Hat", colors=("red",)))],
    "dritte Person von links": [term(*ALL, person=Nth(3, "left"))],
    "Haare und Gesicht": [term("Hair"), term("Face")],
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_search_texts_are_parsed(text: str) -> None:
    query = read_query(text)
    assert list(query.terms) == EXAMPLES[text]
    assert not query.minus and not query.ignored


@pytest.mark.parametrize(
    ("text", "terms", "minus"),
    [
        ("everything but the hair", [ANYTHING], [term("Hair")]),
        ("alles außer den Haaren", [ANYTHING], [term("Hair")]),
        ("not the bag", [ANYTHING], [term("Bag")]),
        ("clothes without shoes and hat", [term("All garments")], [term(*SHOES), term("Hat")]),
        ("hair but not blond", [term("Hair")], [term(*ALL, colors=("beige",))]),
        ("Kleidung ohne schwarze Schuhe", [term("All garments")], [term(*SHOES, colors=("black",))]),
    ],
)
def test_exclusions_are_parsed(text: str, terms: list[Term], minus: list[Term]) -> None:
    query = read_query(text)
    assert (list(query.terms), list(query.minus)) == (terms, minus)


@pytest.mark.parametrize(
    ("text", "same", "ignored"),
    [
        ("red velvet dress", "red dress", ("velvet",)),
        ("Sommerkleid", "Kleid", ("Sommer",)),
        ("hat of the tall Woman", "hat", ("tall", "Woman")),
        ("1000 bags", "bag", ("1000",)),
        ("bag of the largest person", "bag", ("largest",)),
        ("qwertz, dress", "dress", ("qwertz",)),
    ],
)
def test_ignored_words_are_reported(text: str, same: str, ignored: tuple[str, ...]) -> None:
    query = read_query(text)
    assert query.terms == read_query(same).terms
    assert query.ignored == ignored
    assert query.notes[-1] == "Ignored: " + ", ".join(f"“{word}”" for word in ignored) + "."


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("velvet", "Nothing of “velvet” was understood"),
        ("", "empty"),
        ("  ", "empty"),
        ("x" * 501, "at most 500"),
        (["red"], "must be text"),
        (None, "must be text"),
        ("gloves", "no class for “gloves”"),
        ("and the of", "Nothing"),
        ("7", "Nothing"),
    ],
)
def test_search_without_meaning_raises_config_error(text: object, match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        read_query(text)  # type: ignore[arg-type]


def test_names_person_only_for_searches_about_people() -> None:
    assert read_query("shoes of the person on the left").names_person
    assert read_query("everything but the bag of person 2").names_person
    assert not read_query("shoes of the person").names_person
    assert not read_query("the bag on the left").names_person


def test_words_map_to_classes_of_other_label_sets() -> None:
    def names(text: str, labels: LabelSet) -> list[str]:
        return [labels.names[index] for found in read_query(text, labels).terms for index in sorted(found.class_ids)]

    assert names("jacket", FASHIONPEDIA) == ["jacket"]
    assert names("Hemd", FASHIONPEDIA) == ["shirt, blouse"]
    assert names("coat", LIP) == ["Coat"]
    assert names("Schmuck", FASHN) == ["jewelry"]
    assert names("shoes", FASHN) == ["feet"]  # they include shoes
    assert names("skin", CIHP) == [*("Torso-skin", "Face", "Left-arm", "Right-arm", "Left-leg", "Right-leg")]
    five = LabelSet.of(["background", "top", "bottom", "dress", "shoes", "skin"])
    assert [names(text, five) for text in ("jeans", "skirt", "arms", "skin")] == [["bottom"]] * 2 + [["skin"]] * 2
    sided = read_query("left arm", FASHN)
    assert sided.ignored == ("left",)
    assert "used instead: Upper-clothes" in read_query("jacket").notes[0]
    assert not read_query("trousers").notes
    own = LabelSet.of(["background", "logo", "dress"])
    assert names("red logo", own) == ["logo"]


@pytest.mark.parametrize("labels", KNOWN.values(), ids=list(KNOWN))
def test_every_class_and_group_name_is_understood(labels: LabelSet) -> None:
    for index, name in enumerate(labels.foreground, start=1):
        assert index in read_query(name, labels).terms[0].class_ids, name
    for group, names in labels.groups.items():
        if " " in group:
            assert read_query(group, labels).terms[0].class_ids == frozenset(labels.ids_of(names)), group


def test_every_color_name_is_understood_in_both_languages() -> None:
    path = Path(clothseg.__file__).parent / "app" / "translations" / "de.json"
    german = json.loads(path.read_text(encoding="utf-8"))
    for name in NAMES:
        for text in (name, german[name]):
            (found,) = read_query(f"{text} dress").terms
            wanted = found.colors[0]
            assert found == term("Dress", colors=(wanted,)), text
            family = wanted.split()[-1]
            assert wanted == name or name in FAMILIES.get(wanted, ()) or name in FAMILIES.get(family, ()), text


def test_vocabulary_phrases_are_unique_and_roles_known() -> None:
    for phrase, word in tables().items():
        assert meaning(phrase) == word
        if word.kind == "noun" and word.value.startswith("="):
            assert word.value[1:] in {role for labels in KNOWN.values() for role in labels.roles}, word
    assert compound("sommerkleid") == ("sommer", meaning(("kleid",)))
    assert compound("velvet") is None
    assert known_role("boots") == "shoe" and known_role("red boots") is None


def test_equal_searches_give_equal_queries() -> None:
    assert isinstance(read_query("red dress"), Query)
    assert read_query("Red  dress!").terms == read_query("red dress").terms
