"""File names of arbitrary bytes become valid UTF-8, short enough, and stay unique."""

import json
import os
import sys
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clothseg.images import file_names
from clothseg.images.file_names import MOST_BYTES, as_utf8, escaped, portable, system_path, temporary_beside


BYTES = st.binary(min_size=1, max_size=255).filter(lambda raw: b"/" not in raw and b"\0" not in raw)


@given(BYTES)
def test_portable_names_are_valid_for_any_bytes(raw: bytes) -> None:
    name = PurePosixPath(raw.decode("utf-8", "surrogateescape"))
    made = portable(name)
    assert all(len(part.encode("utf-8")) <= MOST_BYTES for part in made.parts)
    if len(raw) < MOST_BYTES and raw.decode("utf-8", "ignore").encode() == raw:
        assert made == name
    assert os.fsencode(json.loads(escaped(json.dumps(str(name), ensure_ascii=False)))) == os.fsencode(str(name))


def test_long_names_stay_distinct() -> None:
    one, other = (portable(PurePosixPath("ü" * 125 + end)) for end in "ab")
    assert one != other and str(one).startswith("ü" * 100)
    assert portable(PurePosixPath("f\udcfcr.x/\ud800")) == PurePosixPath("f%FCr.x/_")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_names_are_independent_of_the_locale(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: encoding)
    monkeypatch.setattr(os, "fsencode", lambda name: name.encode(encoding, "surrogateescape"))
    monkeypatch.setattr(os, "fsdecode", lambda raw: raw.decode(encoding, "surrogateescape"))
    for raw in ("für.jpg".encode(), b"f\xfcr.jpg", b"fur.jpg"):
        given = raw.decode(encoding, "surrogateescape")
        assert as_utf8(given) == raw.decode("utf-8", "surrogateescape") and system_path(as_utf8(given)) == given


def test_temporary_names_are_short(tmp_path: Path) -> None:
    for name, suffix in (("a" * 250 + ".png", ".png"), ("a." + "b" * 250, ""), ("a", "")):
        made = temporary_beside(tmp_path / name, "0" * 32)
        assert made.parent == tmp_path and len(made.name) < 60 and made.suffix == (suffix or ".part")


def test_unencodable_characters_are_escaped_on_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with open(os.dup(1), "w", encoding="ascii") as stream, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        file_names.tolerate_any_name()
        sys.stdout.write("für \udcfc\n")
    assert capfdbinary.readouterr().out == b"f\\xfcr \\udcfc\n"
