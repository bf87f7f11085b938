"""The words of searches in English and German: what they are called in the table, and their forms."""

import re
import unicodedata
from functools import cache
from typing import NamedTuple


class Word(NamedTuple):
    """One of the words in the tables.

    Attributes:
        kind: "noun" (a garment or part of a body), "color", "shade", "side", "place", "end", "from", "size", "number",
            "ordinal", "person", "gender", "everything", "except", "and", "or", "with", "in" or "filler".
        value: what it means, such as "dress" or "left".
    """

    kind: str
    value: str = ""


_NOUNS = {
    # Words for roles of `clothseg.labels.roles`, not for kinds of garments.
    "=hat": "hat, hats, headwear, hut, hüte, kopfbedeckung",
    "=hair": "hair, hairs, hairstyle, hairdo, haar, haare, haaren, frisur",
    "=glasses": "glasses, eyeglasses, spectacles, brille, brillen",
    "=scarf": "scarf, scarfs, scarves, schal, schals, halstuch",
    "=upper": "top, tops, upper garment, upper garments, upper body garment, oberteil, oberteile, oberbekleidung",
    "=dress": "dress, dresses, frock, kleid, kleider, kleidchen",
    "=skirt": "skirt, skirts, rock, röcke",
    "=pants": "pants, pant, trousers, trouser, slacks, lower garment, hose, hosen, beinkleid",
    "=belt": "belt, belts, gürtel",
    "=sock": "sock, socks, socke, socken",
    "=shoe": "shoe, shoes, footwear, schuh, schuhe, schuhen, schuhwerk",
    "=glove": "glove, gloves, handschuh, handschuhe",
    "=bag": "bag, bags, handbag, handbags, purse, purses, tasche, taschen, handtasche, handtaschen",
    "=face": "face, faces, gesicht, gesichter",
    "=arm": "arm, arms, arme",
    "=leg": "leg, legs, bein, beine",
    "=hand": "hand, hands, hände",
    "=foot": "foot, feet, fuß, füße",
    "=torso": "torso, oberkörper, rumpf",
    # Kinds of garments, by their English name.
    "sunglasses": "sunglasses, shades, sonnenbrille, sonnenbrillen",
    "cap": "mütze, mützen, kappe, kappen",
    "beanie": "strickmütze",
    "helmet": "helm, helme",
    "blouse": "bluse, blusen",
    "shirt": "hemd, hemden, polo shirt, polo, tunic, tunika",
    "t shirt": "tshirt, tshirts, tank top, crop top",
    "sweater": "pulli, pullis, turtleneck, jersey, knitwear, rollkragenpullover",
    "sweatshirt": "sweatshirts",
    "cardigan": "strickjacke, strickjacken",
    "jacket": "jacke, jacken, parka, anorak, bomber, windbreaker, sakko, sakkos",
    "blazer": "blazers",
    "coat": "mantel, mäntel, trench, trenchcoat, overcoat",
    "vest": "waistcoat, weste, westen",
    "suit": "anzug, anzüge, tuxedo",
    "jumpsuit": "overall, playsuit, dungarees, latzhose, einteiler",
    "gown": "robe, abendkleid, kimono",
    "jeans": "jean, denims",
    "leggings": "legging, leggins",
    "shorts": "bermudas, kurze hose",
    "trousers": "chinos, sweatpants, joggers, culottes",
    "boots": "stiefel, stiefeln, stiefelette, stiefeletten",
    "sneakers": "trainers, turnschuh, turnschuhe",
    "sandals": "sandale, sandalen, flip flops",
    "heels": "high heels, pumps, stilettos, absätze",
    "shoes": "loafers, flats, brogues, ballerinas, halbschuhe",
    "backpack": "rucksack, rucksäcke",
    "tote bag": "tote, totes, shopper",
    "bag": "satchel, umhängetasche, beutel, clutch",
    "wallet": "geldbörse, portemonnaie",
    "tights": "strumpfhose, strumpfhosen",
    "stockings": "strumpf, strümpfe",
    "jewelry": "jewellery, jewels, schmuck",
    "necklace": "halskette, halsketten, kette",
    "earrings": "ohrring, ohrringe",
    "bracelet": "armband, armbänder",
    "ring": "ringe",
    "watch": "uhr, uhren, armbanduhr",
    "tie": "krawatte, krawatten, schlips, bow tie, fliege",
    "umbrella": "regenschirm, schirm",
    "shawl": "tuch, tücher, pashmina, stola",
    "sleeve": "ärmel",
    "collar": "kragen",
    "hood": "kapuze",
    # Words for several roles.
    "*garments": "clothes, clothing, cloth, garment, garments, outfit, attire, kleidung, kleidungsstück, "
    "kleidungsstücke, klamotten, sachen, things he wears, things she wears",
    "*accessories": "accessory, accessories, accessoire, accessoires, zubehör",
    "*skin": "skin, haut",
    "*body": "body, body parts, körper",
    "*upper": "upper body, upper half, upper part",
    "*lower": "lower body, lower half, lower part, bottoms, unterteil",
}

_COLORS = {
    # Families of colours.
    "black": "schwarz",
    "grey": "gray, grau, silver, silbern, silber",
    "white": "weiß",
    "red": "rot, scarlet, crimson",
    "pink": "rosa, rosafarben",
    "orange": "orangefarben",
    "brown": "braun, chestnut, brunette, brünett",
    "beige": "nude, hautfarben, blond, blonde",
    "yellow": "gelb",
    "green": "grün",
    "turquoise": "türkis, türkisfarben",
    "blue": "blau",
    "purple": "lila, violet, violett",
    # Single colours of `clothseg.outputs.color_names`.
    "charcoal": "anthracite, anthrazit",
    "burgundy": "maroon, wine red, bordeaux, weinrot, bordeauxrot, burgunderrot",
    "coral": "koralle, korallenrot",
    "salmon": "lachs, lachsfarben",
    "dusty pink": "old rose, altrosa",
    "mauve": "malve",
    "magenta": "fuchsia",
    "rust": "rostrot, terracotta",
    "peach": "pfirsich, apricot",
    "taupe": "",
    "grey brown": "graubraun, gray brown",
    "tan": "sandfarben, sand, camel, caramel",
    "cream": "creme, ivory, off white, cremefarben, elfenbein",
    "khaki": "",
    "mustard": "senfgelb, gold, golden, senf",
    "olive": "oliv, olivgrün, olive green",
    "dark olive": "dunkeloliv",
    "army green": "militärgrün",
    "lime": "limette, lime green",
    "sage": "salbeigrün, sage green",
    "grey green": "graugrün, gray green",
    "pale green": "blassgrün",
    "grass green": "grasgrün",
    "emerald": "smaragdgrün, emerald green",
    "forest green": "waldgrün",
    "mint": "mint green, mintgrün",
    "teal": "blaugrün",
    "dark teal": "dunkles blaugrün",
    "petrol": "",
    "cyan": "aqua",
    "pale blue": "blassblau",
    "azure": "azurblau, sky blue",
    "dusty blue": "taubenblau",
    "slate": "schiefergrau",
    "denim": "jeansblau, denim blue",
    "navy": "navy blue, marineblau, marine",
    "royal blue": "königsblau, cobalt",
    "light lavender": "helllavendel",
    "lavender": "lavendel, lilac, flieder",
    "dusty purple": "altlila",
    "plum": "pflaume, aubergine, eggplant",
}

_SHADES = {"dark": "deep, dunkel, dunkle", "light": "pale, pastel, hell, helle, blass"}

_OTHERS = {
    "side": {"left": "linke, linker, links", "right": "rechte, rechter, rechts"},
    "place": {
        "left": "on the left, at the left, to the left, in the left, left side, left hand side, auf der linken seite, "
        "linke seite, on left",
        "right": "on the right, at the right, to the right, in the right, right side, right hand side, "
        "auf der rechten seite, rechte seite, on right",
        "top": "at the top, oben, on the top",
        "bottom": "at the bottom, unten, on the bottom, below",
        "middle": "in the middle, in the center, in the centre, middle, center, centre, central, mitte, in der mitte, "
        "mittlere",
    },
    "end": {
        "left": "leftmost, far left, on the far left, ganz links, äußerste linke",
        "right": "rightmost, far right, on the far right, ganz rechts",
        "top": "topmost, uppermost, highest, ganz oben, oberste",
        "bottom": "bottommost, lowest, ganz unten, unterste",
    },
    "from": {
        "left": "from the left, from left, von links",
        "right": "from the right, from right, von rechts",
    },
    "size": {
        "largest": "biggest, large, big, larger, bigger, greatest, größte, groß, größere",
        "smallest": "small, smaller, little, tiny, tiniest, kleinste, klein, kleinere",
    },
    "number": {"1": "one, eins", "2": "two, zwei", "3": "three, drei", "4": "four, vier", "5": "five, fünf"},
    "ordinal": {
        "1": "first, 1st, erste",
        "2": "second, 2nd, zweite",
        "3": "third, 3rd, dritte",
        "4": "fourth, 4th, vierte",
        "5": "fifth, 5th, fünfte",
        "-1": "last, letzte",
    },
    "person": {
        "": "people, persons, persons', personen, mensch, wearer, wearers, model, models, figure, leute, träger",
    },
    "gender": {
        "": "man, men, woman, women, lady, ladies, girl, girls, boy, boys, guy, guys, child, children, kid, kids, "
        "frau, frauen, mann, mannes, mädchen, junge, jungen, kind, kinder, dame, herr, herrn",
    },
    "everything": {"": "all, anything, both, alles, alle, whole, every, entire, beide, ganze, sämtliche"},
    "except": {
        "": "but, but not, without, except for, excluding, minus, not, no, außer, ohne, bis auf, nicht, kein, keine, "
        "aber nicht, aber ohne, aber kein, apart from, other than"
    },
    "and": {"": "plus, und, sowie, as well as"},
    "or": {"": "oder"},
    "with": {"": "mit"},
    "in": {"": "wearing, wears, dressed in, im, trägt, tragen"},
    "filler": {
        "": "a, an, the, of, on, at, is, are, that, this, these, those, which, who, worn, by, her, his, "
        "dressed, show, find, pick, select, choose, cut, out, me, please, colored, coloured, color, colour, photo, "
        "picture, image, s, from, to, it, their, its, item, items, thing, things, stuff, pair, side, "
        "der, die, das, des, dem, den, ein, eine, einen, einem, einer, am, auf, an, vom, von, zur, zum, zeig, zeige, "
        "finde, suche, bitte, mir, farbig, farben, farbene, bild, foto, paar, seite, teil, teile, "
        "ihre, ihren, seine, seinen, sein, ihr, dieser, diese, dieses, bei"
    },
}

_NAMED = ("noun", "color", "shade", "side", "size")
"""Kinds whose values are words themselves."""

_ENDINGS = ("en", "er", "es", "em", "e", "n", "s")
"""Endings of German adjectives and nouns."""

_LONG = 4
"""Least letters of a word that may end a compound such as "Sommerkleid"."""


def folded(text: str) -> str:
    """Return text as the tables compare it: lower case, without accents, umlauts written as two letters."""
    text = text.casefold().translate({ord("ä"): "ae", ord("ö"): "oe", ord("ü"): "ue"})
    plain = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in plain if not unicodedata.combining(letter))


def find_words(text: str) -> list[re.Match[str]]:
    """Return the words and commas of a text, as they are written, with their places."""
    return list(re.finditer(r"[^\W_]+|[,;&+]", unicodedata.normalize("NFC", text)))


def split_words(text: str) -> list[str]:
    """Return the words and commas of a text, as they are written."""
    return [word[0] for word in find_words(text)]


@cache
def tables() -> dict[tuple[str, ...], Word]:
    """Return what each phrase means; phrases are tuples of folded words."""
    found: dict[tuple[str, ...], Word] = {(",",): Word("or"), (";",): Word("or"), ("&",): Word("and")}
    found["+",] = Word("and")
    kinds = {"noun": _NOUNS, "color": _COLORS, "shade": _SHADES, **_OTHERS}
    for kind, table in kinds.items():
        for value, forms in table.items():
            for form in [*forms.split(", "), value.lstrip("=*") if kind in _NAMED else kind]:
                if form:
                    found.setdefault(phrase(form), Word(kind, value))
    return found


def phrase(text: str) -> tuple[str, ...]:
    """Return the folded words of a text."""
    return tuple(folded(word) for word in split_words(text))


def meaning(words: tuple[str, ...]) -> Word | None:
    """Return what folded words mean in the tables, also with a German ending: "rotes", "dunkelblaue", "größten"."""
    known = tables()
    for form in _forms(words):
        if form in known:
            return known[form]
    if len(words) > 1:
        return None
    for form in _forms(words):
        for prefix, shade in (("dunkel", "dark"), ("hell", "light"), ("blass", "light")):
            rest = known.get((form[0].removeprefix(prefix),))
            if form[0].startswith(prefix) and rest is not None and rest.kind == "color":
                return Word("color", f"{shade} {rest.value}")
    return None


def _forms(words: tuple[str, ...]) -> list[tuple[str, ...]]:
    *before, last = words
    stems = [last.removesuffix(ending) for ending in _ENDINGS if last.endswith(ending) and len(last) > len(ending) + 2]
    return [words, *((*before, stem) for stem in stems), *((*before, f"{stem}e") for stem in stems)]


def compound(word: str) -> tuple[str, Word] | None:
    """Return first part and meaning of a folded compound whose last part is a known noun: "sommerkleid"."""
    nouns = {key[0]: found for key, found in tables().items() if len(key) == 1 and found.kind == "noun"}
    for start in range(3, len(word) - _LONG + 1):
        if word[start:] in nouns and not nouns[word[start:]].value.startswith("*"):
            return word[:start], nouns[word[start:]]
    return None
