"""Photos are recognised by suffix, or by content if the suffix is unknown."""

from io import BytesIO
from pathlib import PurePosixPath

import pytest
from paper_dolls import draw
from PIL import Image

from clothseg.images.file_types import HEAD_BYTES, SUFFIXES, is_photo, is_picture, without_suffix
from clothseg.images.image_file import FORMATS


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind != "HEIF"] + ["JPEG2000"])
def test_pictures_are_recognised_by_content(kind: str) -> None:
    stream = BytesIO()
    Image.fromarray(draw(1, 40, 30).image).save(stream, kind)
    assert is_picture(stream.getvalue()[:HEAD_BYTES])
    assert is_photo(PurePosixPath("photo"), lambda: stream.getvalue()[:HEAD_BYTES])


@pytest.mark.parametrize(
    "head",
    [b"", b"BM", b"BMW is a car, this is a text", b"RIFF....WAVEfmt ", b"\0\0\0\x20ftypisom", b"%PDF-1.7", b"PK\3\4"],
)
def test_other_files_are_not_pictures(head: bytes) -> None:
    assert not is_picture(head)


def test_suffix_has_precedence_over_content() -> None:
    def never() -> bytes:
        raise AssertionError("the suffix decides")

    for suffix in (*SUFFIXES, ".JPG", ".jpg_large", ".jp2", ".nef"):
        assert is_photo(PurePosixPath(f"a/b{suffix}"), never)
    for name in ("._a.jpg", "__MACOSX/a.jpg"):
        assert not is_photo(PurePosixPath(name), never)
    assert not is_photo(PurePosixPath("notes.txt"), lambda: b"text")
    assert [str(without_suffix(PurePosixPath(name))) for name in ("a.JPG", "Mr. Smith", "v1.2", "a")] == [
        "a", "Mr. Smith", "v1.2", "a",
    ]  # fmt: skip
