"""Data sets as pairs of folders of photos and masks, such as images/ and masks/."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from datasets import Dataset, Features, Image, Value

from clothseg.errors import DataError
from clothseg.images.dataset_folder import SPLITS
from clothseg.images.file_types import SUFFIXES


PHOTO_FOLDERS, MASK_FOLDERS = ("images",), ("masks", "annotations")
"""Names of the folders, besides those of the columns."""

_SPELLINGS = [spelling for spellings in SPLITS.values() for spelling in spellings]


@dataclass(frozen=True)
class FolderPair:
    """A folder of photos and one of masks; a photo and its mask have the same path, apart from the suffix."""

    photos: Path
    masks: Path

    def rows(self, image_column: str = "image", mask_column: str = "mask") -> Dataset:
        """Return the rows `id` and the two columns, undecoded, in the order of the ids, which are the paths without
        suffix.

        A photo without a mask, or a mask without a photo, is a row with an empty cell.

        Raises:
            DataError: no photo has a mask, or two files of a folder have the same path, apart from the suffix.
        """
        photos, masks = _by_stem(self.photos), _by_stem(self.masks)
        if not photos.keys() & masks.keys():
            raise DataError(
                f"No file in {self.masks} has the name of a photo in {self.photos}: a photo and its mask must have "
                "the same name apart from the suffix, such as images/1.jpg and masks/1.png."
            )
        stems = sorted(photos.keys() | masks.keys())
        columns = {
            "id": stems,
            image_column: [_stored(photos.get(stem)) for stem in stems],
            mask_column: [_stored(masks.get(stem)) for stem in stems],
        }
        features = {"id": Value("string"), image_column: Image(decode=False), mask_column: Image(decode=False)}
        return Dataset.from_dict(columns, features=Features(features))


def image_folders(path: Path, image_column: str = "image", mask_column: str = "mask") -> dict[str, FolderPair]:
    """Return the pairs of folders of a data set by the names of their splits; none if there are no such folders.

    They are images/ and masks/ (the split train), both with a folder for each split, or a folder for each split with
    both of them. masks/ may be called annotations/, and both as the columns.
    """
    names = (image_column, *PHOTO_FOLDERS), (mask_column, *MASK_FOLDERS)
    if pair := _pair(path, *names):
        splits = [split for split in _SPELLINGS if (pair.photos / split).is_dir() and (pair.masks / split).is_dir()]
        return {split: FolderPair(pair.photos / split, pair.masks / split) for split in splits} or {"train": pair}
    found = {split: _pair(path / split, *names) for split in _SPELLINGS}
    return {split: pair for split, pair in found.items() if pair}


def pattern_of_folders(files: Iterable[str], image_column: str, mask_column: str) -> list[str]:
    """Return the patterns of a repository's files that are such folders; empty if it has parquet files or no such
    folders."""
    paths = [PurePosixPath(file) for file in files]
    if any(path.suffix in (".parquet", ".arrow", ".tar", ".zip") for path in paths):
        return []
    folders = {part for path in paths for part in path.parts[:-1]}
    wanted = [
        next((name for name in names if name in folders), None)
        for names in ((image_column, *PHOTO_FOLDERS), (mask_column, *MASK_FOLDERS))
    ]
    described = any(path.name.startswith("metadata.") for path in paths)  # datasets reads these itself
    if described or None in wanted:
        return []
    return [pattern for name in wanted for pattern in (f"{name}/**", f"**/{name}/**")]


def _pair(folder: Path, photos: Sequence[str], masks: Sequence[str]) -> FolderPair | None:
    found = [next((folder / name for name in names if (folder / name).is_dir()), None) for names in (photos, masks)]
    return FolderPair(found[0], found[1]) if found[0] and found[1] else None


def _by_stem(folder: Path) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() not in SUFFIXES or file.name.startswith(".") or not file.is_file():
            continue
        stem = file.relative_to(folder).with_suffix("").as_posix()
        if stem in files:
            raise DataError(f"{files[stem]} and {file} have the same name apart from the suffix: rename one of them.")
        files[stem] = file
    return files


def _stored(file: Path | None) -> dict[str, str | None] | None:
    return None if file is None else {"bytes": None, "path": str(file)}
