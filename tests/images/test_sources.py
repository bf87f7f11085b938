"""Photos of files, folders and ZIPs are collected once, in a fixed order, with unique output names."""

import zipfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clothseg.errors import ConfigError
from clothseg.images.sources import _distinct, collected


NAMES = st.builds(
    lambda folder, stem, suffix: PurePosixPath(f"{folder}{stem}{suffix}"),
    st.sampled_from(["", "a/", "A/", "a.jpg/"]),
    st.sampled_from(["a", "A", "a-2", "a.jpg", "a.jpg-2", "\u00e9", "e\u0301", "\u00df", "ss"]),
    st.sampled_from([".jpg", ".JPG", ".png"]),
)


@given(st.lists(NAMES, max_size=30))
def test_output_names_are_unique_ignoring_case(names: list[PurePosixPath]) -> None:
    found = _distinct(names)
    assert len({str(name).casefold() for name in found}) == len(names) and found == _distinct(names)
    assert [name.parent for name in found] == [name.parent for name in names]
    assert all(files.name.startswith(name.stem) for files, name in zip(found, names, strict=True))


@pytest.mark.parametrize(
    ("names", "files"),
    [
        (["a.jpg", "b/a.jpg"], ["a", "b/a"]),
        (["a.jpg", "a.png"], ["a.jpg", "a.png"]),
        (["a.jpg", "a.jpg", "a.jpg"], ["a", "a-2", "a-3"]),
        (["a.jpg", "a.jpg", "a.png"], ["a.jpg", "a.jpg-2", "a.png"]),
        (["A.jpg", "a.jpg", "a-2.jpg"], ["A", "a-2", "a-2-2"]),
        (["a.jpg", "a.jpg.png", "a.png"], ["a.jpg", "a.jpg-2", "a.png"]),
    ],
)
def test_output_names_keep_suffixes_or_are_numbered_if_equal(names: list[str], files: list[str]) -> None:
    assert list(map(str, _distinct([PurePosixPath(name) for name in names]))) == files


def test_changed_photos_have_another_stamp(tmp_path: Path) -> None:
    photo, sent = tmp_path / "a.jpg", tmp_path / "b.zip"
    stamps = set()
    for content in (b"1", b"22", b"33"):
        photo.write_bytes(content)
        with zipfile.ZipFile(sent, "w") as archive:
            archive.writestr("b.jpg", content)
        with collected([photo, sent], unpack=True) as (first, second):
            assert (first.read(), second.read()) == (photo, content)
            stamps |= {first.stamp, second.stamp}
    assert len(stamps) == 6


def test_zip_is_closed_with_the_context(tmp_path: Path) -> None:
    sent = tmp_path / "b.zip"
    with zipfile.ZipFile(sent, "w") as archive:
        archive.writestr("b.jpg", b"1")
    with pytest.raises(ConfigError), collected([sent, tmp_path / "missing"], unpack=True):
        pass
    with collected([sent], unpack=True) as (photo,):
        pass
    with pytest.raises(Exception, match="closed"):
        photo.read()


def test_explicitly_named_file_needs_no_suffix(tmp_path: Path) -> None:
    (tmp_path / "photo").write_bytes(b"1")
    with collected([tmp_path / "photo"]) as (photo,):
        assert (str(photo.name), str(photo.files)) == ("photo", "photo")
