"""Translate the library's messages for the page.

Errors and notices of the library are English sentences, since nothing below `app/` imports translations. `MESSAGES`
lists those that visitors of the page can meet, as templates with a name in braces for each value. `localized` finds
the template of a message, takes the values out and fills them into the translation.
"""

import re
from functools import cache
from string import Formatter

from clothseg.app.i18n import catalogue, current, tr
from clothseg.images.image_file import FORMATS_TEXT


WORDS = ("The photo", "folder", "ZIP", "model", "the disk is full", "none but the one it serves", FORMATS_TEXT)
"""Values that are words, which are translated too."""

MESSAGES = (
    "{name} is empty: it has no bytes.",
    "{name} is not a readable image; use {formats}.",
    "{name} is a HEIC photo, which is not supported here; save or share it as JPEG.",
    "{name} is a camera's raw file, which is not supported; export it as JPEG or PNG.",
    "{name} is too large: {width} x {height} is {pixels} pixels and the limit is {limit}; make the picture smaller "
    "first.",
    "{name} is too large: the limit is {limit} pixels; make the picture smaller first.",
    "{name} is too narrow: {width} x {height}; one side may be {times} times longer than the other.",
    "{name} is damaged or incomplete and cannot be decoded ({detail}); save or download it again.",
    "The photo is too large: the limit is {limit} MB.",
    "{name} is not a ZIP, or is damaged or incomplete ({detail}); create the ZIP again.",
    "{name} holds too many files: the limit is {limit}; split it or unpack it first.",
    "The photos in {name} take {size} MB when unpacked and the limit is {limit} MB; split it or unpack it first.",
    "{name} is damaged in the ZIP ({detail}); create the ZIP again.",
    "{name} is incomplete in the ZIP; create the ZIP again.",
    "{name} is encrypted; pack it without a password.",
    "{name} takes {size} MB when unpacked and the limit is {limit} MB; make it smaller first.",
    "The {kind} {name} holds no photos ({suffixes}, or the like).",
    "Choose at least one kind of output file.",
    "Choose at least one class for the cut-outs and masks.",
    "A search needs cut-outs, masks, packshots, item lists or annotations among the output files.",
    "No photos were given; add photos or a ZIP of photos.",
    "{count} photos are too many: the limit is {limit}; split them into several batches.",
    "The ZIP {name} cannot be written: {reason}.",
    "it needs more memory than is available; make the picture smaller first.",
    "it could not be segmented ({kind}: {detail}).",
    "Unknown class {names}; the classes are: {classes}; groups of them: {groups}.",
    "Both sides are the same; choose another model or other settings for one of them.",
    "This app does not offer the model {name}; it offers {offered}.",
    "There is no folder {name}, and it cannot be a Hub {kind}: those are named owner/name.",
    "{name} is gated: accept its terms on its page on the Hub and pass a token of that account.",
    "{name} has no revision {revision}; check the branch, tag or commit.",
    "The Hub has no {kind} {name}, or it is private; check the name, or pass a token that may read it.",
    "The Hub broke off while it sent {name}; try again later, the download goes on from there.",
    "{name} is neither a folder nor in the local cache, and the Hub cannot be reached; check the name, the network "
    "and HF_HUB_OFFLINE.",
    "{name} contains no config.json; use a model saved by save_pretrained.",
    "{name} contains no config.json; the trained model is the folder {folder}.",
    "The labels of {name} cannot be used: {problem}",
    "{error} Meanwhile the weights that come with the app are used.",
    "The search is empty; enter something such as: red dress.",
    "A search must be text of at most {limit} characters.",
    "Nothing of {words} was understood. Name garments, colours, people, places or sizes, such as: red dress; largest "
    "bag; everything but the hair.",
    "Ignored: {words}.",
    "The model has no class for {word}.",
    "{word} has no class of its own; used instead: {found}.",
    "Nothing in the photo matches.",
    "Not found: {words}.",
    "The background of a packshot must be a colour, not a picture.",
    "Turn on “Separate people” in the detection settings to find the items of one person.",
    # Last, because it fits most messages.
    "{name}: {message}",
)
"""Messages of the library with a name in braces for each value; `tests/app/test_messages.py` looks for them there."""


def localized(message: str) -> str:
    """Translate a message of the library into the visitor's language; return it unchanged if it is not known."""
    if not catalogue(current()):
        return message
    if message in WORDS or message in MESSAGES:
        return tr(message)
    for template in MESSAGES:
        if found := _pattern(template).fullmatch(message):
            return tr(template, **{name: _value(name, value) for name, value in found.groupdict().items()})
    return message


def _value(name: str, value: str) -> str:
    """Return a value of a message in the visitor's language; `found` are names of classes that a search took."""
    if name == "found":
        return ", ".join(tr(each) for each in value.split(", "))
    return re.sub("“([^”]*)”", lambda quoted: tr("“{word}”", word=quoted[1]), localized(value))


@cache
def _pattern(template: str) -> re.Pattern[str]:
    """Compile a template to a pattern with a named group for each value."""
    parts = (
        re.escape(text) + (f"(?P<{name}>.*?)" if name else "") for text, name, _, _ in Formatter().parse(template)
    )
    return re.compile("".join(parts), re.DOTALL)
