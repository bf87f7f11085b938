"""Untrusted ZIPs: photos are read or rejected with a clear error, and nothing is written to paths from a ZIP."""

import io
import stat
import struct
import threading
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clothseg.errors import ConfigError, ImageError
from clothseg.images.file_types import is_photo
from clothseg.images.zip_archive import Archive, Limits


CONTENT = b"\xff\xd8 photo " * 20
MB = 2**20


def packed(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], packing: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in members:
            archive.writestr(name, content, packing)
    return path


def raw(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def link(name: str, target: str) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    return info, target.encode()


def patched(path: Path, offset: int, form: str, value: int) -> Path:
    """Write `value` into the directory's first entry, `offset` bytes from its start."""
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.index(b"PK\x01\x02") + offset, value)
    return raw(path, content)


def test_only_photos_are_read(tmp_path: Path) -> None:
    inner = packed(tmp_path / "inner.zip", ("inner.jpg", CONTENT))
    path = packed(
        tmp_path / "a.zip",
        ("june/", b""), ("june/a.jpg", CONTENT), ("b.jpg", b"b"), ("notes.txt", b"no"),
        ("inner.zip", inner.read_bytes()), ("folder.jpg/", b""), ("./c//d.jpg", b"d"), ("win\\e.jpg", b"e"),
        ("photo", b"\xff\xd8\xff no suffix"), ("text", b"none"),
    )  # fmt: skip
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b.jpg", b"other")
    with Archive(path, is_photo) as archive:
        found = [(str(photo.name), archive.read(photo)) for photo in archive.photos]
    expected = [("june/a.jpg", CONTENT), ("b.jpg", b"b"), ("c/d.jpg", b"d"), ("win/e.jpg", b"e")]
    expected += [("photo", b"\xff\xd8\xff no suffix"), ("b.jpg", b"other")]
    assert found == expected
    assert [photo.crc for photo in archive.photos[:2]] == [zlib.crc32(CONTENT), zlib.crc32(b"b")]
    path.unlink()  # fails on Windows while the file is open


@pytest.mark.parametrize("name", ["été.jpg", "写真.jpg", "фото.jpg", "e\u0301te\u0301.jpg"])
@pytest.mark.parametrize("flagged", [True, False])
def test_unicode_names_are_read(name: str, flagged: bool, tmp_path: Path) -> None:
    """Many packers write UTF-8 names without the UTF-8 flag."""
    path = packed(tmp_path / "a.zip", (name, CONTENT))
    if not flagged:
        content = path.read_bytes()
        for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            start = content.index(signature) + offset
            content = content[:start] + b"\0\0" + content[start + 2 :]
        path.write_bytes(content)
    with Archive(path, is_photo) as archive:
        assert [str(photo.name) for photo in archive.photos] == [name]
        assert archive.read(archive.photos[0]) == CONTENT


def _no_such_encoding(path: Path) -> Path:
    return raw(path, packed(path, ("\u00fc.jpg", CONTENT)).read_bytes().replace("\u00fc".encode(), b"\xff\xfe"))


def _huge_directory(path: Path) -> Path:
    """A ZIP with 100,000 directory entries whose end record states one."""
    directory = (b"PK\1\2" + bytes(24) + struct.pack("<H", 1) + bytes(16) + b"a") * 100_000
    return raw(path, directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, len(directory), 0, 0))


def _cut(path: Path) -> Path:
    return raw(path, packed(path, ("a.jpg", CONTENT)).read_bytes()[:-30])


WHOLE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no ZIP": (lambda path: raw(path, CONTENT), "is not a ZIP, or is damaged"),
    "empty file": (lambda path: raw(path, b""), "is not a ZIP, or is damaged"),
    "missing": (lambda path: path, "cannot be read: No such file"),
    "folder": (lambda path: path.parent, "cannot be read: Is a directory"),
    "name in no encoding": (_no_such_encoding, "is not a ZIP, or is damaged"),
    "cut": (_cut, "is not a ZIP, or is damaged"),
    "many files": (lambda path: packed(path, *((f"{n}.txt", b"") for n in range(51))), "the limit is 50"),
    "huge directory": (_huge_directory, "the limit is 50"),
    "total": (
        lambda path: packed(path, *((f"{n}.jpg", bytes(MB)) for n in range(4))),
        "4 MB when unpacked and .* 3 MB",
    ),
}


@pytest.mark.parametrize("case", WHOLE)
def test_unusable_zips_raise_config_errors(case: str, tmp_path: Path) -> None:
    make, message = WHOLE[case]
    with pytest.raises(ConfigError, match=message):
        Archive(make(tmp_path / "a.zip"), is_photo, Limits(files=50, photo_bytes=2 * MB, total_bytes=3 * MB))


def _encrypted(path: Path) -> Path:
    return patched(packed(path, ("a.jpg", CONTENT)), 8, "<H", 1)


def _damaged(path: Path) -> Path:
    content = bytearray(packed(path, ("a.jpg", CONTENT), packing=zipfile.ZIP_STORED).read_bytes())
    content[50] ^= 1
    return raw(path, content)


SINGLE: dict[str, tuple[Callable[[Path], Path], str, str]] = {
    "parent": (lambda path: packed(path, ("../../x/a.jpg", CONTENT)), "x/a.jpg", "points outside the ZIP"),
    "parent inside": (lambda path: packed(path, ("b/../../a.jpg", CONTENT)), "b/a.jpg", "points outside the ZIP"),
    "parent, Windows": (lambda path: packed(path, ("..\\a.jpg", CONTENT)), "a.jpg", "points outside the ZIP"),
    "absolute": (lambda path: packed(path, ("/etc/a.jpg", CONTENT)), "etc/a.jpg", "points outside the ZIP"),
    "drive": (lambda path: packed(path, ("C:\\a.jpg", CONTENT)), "C_/a.jpg", "points outside the ZIP"),
    "share": (lambda path: packed(path, ("\\\\host\\a.jpg", CONTENT)), "host/a.jpg", "points outside the ZIP"),
    "link": (lambda path: packed(path, link("a.jpg", "/etc/passwd")), "a.jpg", "it is a link"),
    "encrypted": (_encrypted, "a.jpg", "is encrypted"),
    "lzma": (lambda path: packed(path, ("a.jpg", CONTENT), packing=zipfile.ZIP_LZMA), "a.jpg", "unusual compression"),
    "bzip2": (
        lambda path: packed(path, ("a.jpg", CONTENT), packing=zipfile.ZIP_BZIP2),
        "a.jpg",
        "unusual compression",
    ),
    "ratio": (lambda path: packed(path, ("a.jpg", bytes(3 * MB))), "a.jpg", "times larger .* the limit is 200"),
    "large": (
        lambda path: packed(path, ("a.jpg", bytes(5 * MB))),
        "a.jpg",
        "5 MB when unpacked and the limit is 4 MB",
    ),
    "damaged": (_damaged, "a.jpg", "damaged in the ZIP .*CRC"),
    "size stated too small": (lambda path: patched(packed(path, ("a.jpg", CONTENT)), 24, "<L", 9), "a.jpg", "damaged"),
    "size stated too large": (
        lambda path: patched(packed(path, ("a.jpg", CONTENT)), 24, "<L", 999),
        "a.jpg",
        "incomplete",
    ),
    "other entry": (lambda path: patched(packed(path, ("a.jpg", b""), ("b", b"")), 42, "<L", 35), "a.jpg", "damaged"),
}


@pytest.mark.parametrize("case", SINGLE)
def test_unusable_members_raise_image_errors(case: str, tmp_path: Path) -> None:
    make, name, message = SINGLE[case]
    with Archive(make(tmp_path / "a.zip"), is_photo, Limits(photo_bytes=4 * MB)) as archive:
        (photo,) = archive.photos
        assert str(photo.name) == name
        with pytest.raises(ImageError, match=message) as caught:
            archive.read(photo)
        assert str(caught.value).startswith(name)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_names_have_no_control_characters_and_are_not_empty(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", ("a\nb\x1b[2J\u202e.jpg", CONTENT), ("..", b""))
    with Archive(path, lambda name, head: True) as archive:
        assert [str(photo.name) for photo in archive.photos] == ["a_b_[2J_.jpg", "_"]


def test_member_with_a_false_size_takes_no_memory(tmp_path: Path) -> None:
    """128 MB of zeros stated as 100 bytes: only about the stated size is unpacked."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = b"".join(packer.compress(bytes(16 * MB)) for _ in range(8)) + packer.flush()
    path = packed(tmp_path / "a.zip", ("a.jpg", data), packing=zipfile.ZIP_STORED)
    for offset, form, value in ((10, "<H", zipfile.ZIP_DEFLATED), (24, "<L", 100)):
        patched(path, offset, form, value)
    with Archive(path, is_photo) as archive:
        tracemalloc.start()
        with pytest.raises(ImageError, match="damaged"):
            archive.read(archive.photos[0])
        assert tracemalloc.get_traced_memory()[1] < MB
        tracemalloc.stop()


def test_threads_read_concurrently(tmp_path: Path) -> None:
    contents = {f"{number}.jpg": bytes([number]) * 100_000 for number in range(20)}
    wrong: list[str] = []
    with Archive(packed(tmp_path / "a.zip", *contents.items()), is_photo) as archive:

        def read() -> None:
            wrong.extend(str(p.name) for p in archive.photos if archive.read(p) != contents[str(p.name)])

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def _sound() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.jpg", CONTENT)
        archive.writestr("b/c.jpg", CONTENT[::-1])
    return stream.getvalue()


SOUND = _sound()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    changes=st.lists(st.tuples(st.integers(0, len(SOUND) - 1), st.integers(0, 255)), max_size=6),
    end=st.integers(0, len(SOUND)) | st.just(len(SOUND)),
)
@example(changes=[(147, 0)], end=len(SOUND))  # an entry without a name
def test_any_damage_raises_a_clothseg_error(changes: list[tuple[int, int]], end: int, tmp_path: Path) -> None:
    content = bytearray(SOUND)
    for position, value in changes:
        content[position] = value
    path = tmp_path / "a.zip"
    path.write_bytes(content[:end])
    try:
        with Archive(path, is_photo) as archive:
            for photo in archive.photos:
                assert not photo.name.is_absolute() and ".." not in photo.name.parts
                try:
                    assert len(archive.read(photo)) == photo.size
                except ImageError:
                    pass
    except ConfigError as error:
        assert "a.zip" in str(error)
