"""The output folder of a run: complete files, a record of how each was made, and a table of all photos."""

import csv
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from functools import cached_property, partial
from io import StringIO
from pathlib import Path, PurePosixPath
from typing import Any

from clothseg.batch.photo_files import (
    CHOSEN,
    KINDS,
    Outcome,
    OutputSpec,
    folders_of,
    kind_of,
)
from clothseg.batch.storage import Storage, storage_of
from clothseg.batch.table import columns, line, write_table
from clothseg.errors import ConfigError
from clothseg.images.file_names import escaped
from clothseg.images.remote import Remote
from clothseg.images.sources import Source
from clothseg.options import MASK_OPTIONS


SUMMARIES = "summaries"
"""Folder of a JSON file for each photo, written last of a photo's files; the table is made from these."""

TABLE = "results.csv"

SORTS = ("photo", "uncertainty")
"""Orders of the table."""


@dataclass(frozen=True)
class OutputFolder:
    """An output folder, and how its files are made.

    Attributes:
        path: the folder, local or remote.
        wanted: what to write of each photo.
        about: JSON-ready: everything besides the photo that a label map depends on, such as the model and its options.
        sort: order of the table, one of `SORTS`; "uncertainty" puts the least certain photos first.
    """

    path: Path | Remote
    wanted: OutputSpec
    about: dict[str, Any]
    sort: str = "photo"

    @cached_property
    def storage(self) -> Storage:
        """The storage of the folder."""
        return storage_of(self.path)

    def prepare(self, rank: int, processes: int) -> None:
        """Create the folders, and remove this process's last table and leftovers of killed processes.

        Raises:
            ConfigError: the folders cannot be written.
        """
        try:
            self.storage.prepare((*self.wanted.kinds, SUMMARIES))
            if processes > 1:
                self.storage.remove(_part(rank, processes))
        except OSError as error:
            raise ConfigError(
                f"--out {self.path} cannot be written: {error.strerror or error}; give another folder."
            ) from error

    def holds(self, source: Source) -> bool:
        """Return whether all files of a photo exist and were made from its current state in the current way."""
        summary = self._summary(source)
        made = summary.get("made", {})
        return all(
            made.get(kind) == maker
            and all(self.storage.exists(_file(source, each)) for each in self._folders(kind, summary))
            for kind, maker in self._makers(source).items()
        )

    def differences(self, source: Source) -> set[str]:
        """Return in a few words how existing files of a photo were made differently."""
        made = self._summary(source).get("made", {})
        found = set()
        for kind, maker in self._makers(source).items():
            older = made.get(kind)
            if isinstance(older, dict):
                keys = [key for key in older.keys() | maker.keys() if older.get(key) != maker.get(key)]
                found |= {_difference(key, older.get(key), maker.get(key)) for key in keys}
        return found

    def store(self, outcome: Outcome) -> None:
        """Write a photo's outcome; if the photo could not be used, remove its older files.

        Raises:
            OSError: the folder cannot be written; the photo is not done.
        """
        source, makers = outcome.source, self._makers(outcome.source)
        older, stamp = self._summary(source).get("made", {}), list(source.stamp)
        self.storage.remove(_file(source, SUMMARIES))  # from here on, also after a kill, the photo counts as not done
        kept = {}
        written = {kind_of(folder) for folder in outcome.files} | set(self.wanted.kinds)
        for kind in KINDS:
            if kind not in written and not outcome.error and kind in older and older[kind]["photo"] == stamp:
                kept[kind] = older[kind]
                continue
            for name in self._existing(source, kind) - {_file(source, folder) for folder in outcome.files}:
                self.storage.remove(name)  # an output of another photo, or with other options
        if outcome.error:
            return
        summary = escaped(json.dumps({**outcome.summary, "made": kept | makers}, ensure_ascii=False))
        files = {**outcome.files, SUMMARIES: summary.encode()}
        self.storage.write({_file(source, folder): content for folder, content in files.items()})

    def write_table(self, sources: list[Source], problems: dict[PurePosixPath, str], rank: int, processes: int) -> str:
        """Write the table of photos that are done or could not be used, and merge it with the tables of other
        processes.

        Returns:
            The path of the table of all photos, or this process's own if others have not written theirs yet.

        Raises:
            OSError: it cannot be written.
        """
        table = TABLE if processes == 1 else _part(rank, processes)
        with self.storage.writing(table) as stream:
            found = ((source, problems.get(source.files, "")) for source in sources)
            lines = (
                line(source, self._summary(source), error, self.wanted.labels)
                for source, error in found
                if error or self.holds(source)
            )
            names = columns(self.wanted.labels, bool(self.wanted.find))
            write_table(stream, by_uncertainty(lines) if self.sort == "uncertainty" else lines, names)
        if processes == 1:
            self._write_merged()
        else:
            parts = [_part(number, processes) for number in range(processes)]
            table = merge(self.storage, parts, self._write_merged, self.sort) or table
        return f"{self.path}/{table}"

    def _write_merged(self) -> None:
        """Write one file of annotations of all photos in the table, for each format that has one."""
        from clothseg.outputs.formats import FORMATS, extra_path, extra_text, write_merged

        kinds = [kind for kind in self.wanted.kinds if kind in FORMATS]
        if not kinds:
            return
        self.storage.refresh()
        names = [found["files"] for found in _lines(self.storage, TABLE) if not found["error"]]
        for kind in kinds:
            form = FORMATS[kind]
            if form.extra:
                self.storage.write({extra_path(kind): extra_text(kind, self.wanted.labels).encode()})
            if form.merged:
                files = [f"{kind}/{name}{form.suffix}" for name in names]
                files = [file for file in files if self.storage.exists(file)]  # another process's table may name more
                with self.storage.writing(form.merged) as stream:
                    model = self.about.get("model")
                    write_merged(kind, stream, partial(_texts, self.storage, files), model, self.wanted.labels)

    def _makers(self, source: Source) -> dict[str, dict[str, Any]]:
        """Return how each kind of a photo's files is made."""
        common = {"photo": list(source.stamp), **self.about}
        makers = dict.fromkeys((*self.wanted.kinds, SUMMARIES), common)
        chosen = {"find": self.wanted.find} if self.wanted.find else {"classes": list(self.wanted.classes)}
        for kind in makers.keys() & set(CHOSEN):
            makers[kind] = common | chosen
        if self.wanted.find:
            makers[SUMMARIES] = common | chosen
        if "cutouts" in makers:
            makers["cutouts"]["cutout"] = self._cutout
        if "masks" in makers:
            makers["masks"]["cutout"] = {name: self._cutout[name] for name in MASK_OPTIONS if name in self._cutout}
        if "packshots" in makers:
            shot = asdict(self.wanted.packshot) if self.wanted.packshot else {}
            makers["packshots"] |= {"cutout": self._cutout, "packshot": shot}
        if "tryon" in makers and self.wanted.tryon:
            makers["tryon"] = {**common, "tryon": asdict(self.wanted.tryon)}
        if "labels" in makers and self.wanted.grey:
            makers["labels"] = {**common, "grey": True}
        for kind in makers.keys() & {"coco", "label-studio", "cvat"}:
            makers[kind] |= {"polygons": self.wanted.polygons, "file_name": source.name.as_posix()}
        return makers

    @cached_property
    def _cutout(self) -> dict[str, Any]:
        """Return the options of cut-outs as JSON-ready values, with pictures by their checksum."""
        options = self.wanted.cutout
        if options is None:
            return {}
        found = {field.name: getattr(options, field.name) for field in fields(options)}
        if not isinstance(found["background"], str):
            found["background"] = hashlib.sha256(found["background"].tobytes()).hexdigest()
        return found

    def _folders(self, kind: str, summary: dict[str, Any]) -> list[str]:
        """Return the folders that have a file of a kind, for a photo of that summary."""
        if self.wanted.find and kind in CHOSEN and not summary.get("found"):
            return []
        return folders_of(kind, self.wanted, [part["name"] for part in summary.get("classes", ())])

    def _existing(self, source: Source, kind: str) -> set[str]:
        """Return the names of a photo's files of a kind that may exist."""
        if kind not in ("masks", "tryon", "yolo"):
            return {_file(source, kind)}
        return {_file(source, f"{kind}/{folder}") for folder in self.storage.folders(kind)}

    def _summary(self, source: Source) -> dict[str, Any]:
        try:
            found = json.loads(self.storage.read(_file(source, SUMMARIES)).decode())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _difference(key: str, before: Any, now: Any) -> str:
    named = {
        "photo": "photos that have changed, or others of the same names",
        "digest": "other weights",
        "classes": "other classes",
        "find": "another search",
        "cutout": "other options of cut-outs",
        "tryon": "other options of try-on masks",
    }
    return (
        named.get(key) or f"{key} {'unknown' if before is None else before}, now {'unknown' if now is None else now}"
    )


def _part(rank: int, processes: int) -> str:
    """Return the name of the table of one of several processes."""
    return f"results-{rank}-of-{processes}.csv"


def _file(source: Source, folder: str) -> str:
    """Return the name of a photo's output file in a folder such as "labels" or "masks/Dress"."""
    return f"{folder}/{source.files.as_posix()}{KINDS.get(kind_of(folder), '.json')}"


def _texts(storage: Storage, names: list[str]) -> Iterator[str]:
    for name in names:
        yield storage.read(name).decode()


def _lines(storage: Storage, table: str) -> "csv.DictReader[str]":
    try:
        text = storage.read(table).decode()
    except FileNotFoundError:
        text = ""
    return csv.DictReader(StringIO(text, newline=""))


def by_uncertainty(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return lines of the table with the least certain photos first, and those without an uncertainty last."""
    return sorted(lines, key=lambda found: -float(found.get("uncertainty") or -1))


def merge(
    storage: Storage, parts: list[str], then: Callable[[], None] = lambda: None, sort: str = "photo"
) -> str | None:
    """Merge the tables of several processes, sorted by photo or as `sort` says; return None if some are missing.

    Every process calls this after writing its own table, and the last to finish merges all of them. A table of an
    earlier run may still be there, so a process that has merged checks again whether another table was written
    meanwhile. So the table, and what `then` makes from it, are right when the last process has ended, whatever their
    order.

    Args:
        storage: of the output folder.
        parts: names of the tables.
        then: called after each merge.
        sort: order of the merged table, one of `SORTS`.

    Raises:
        OSError: it cannot be written.
    """
    while None not in (before := [storage.state(part) for part in parts]):
        lines: list[dict[str, Any]] = []
        names: dict[str, None] = {}
        for part in parts:
            reader = _lines(storage, part)
            names |= dict.fromkeys(reader.fieldnames or ())
            lines += list(reader)
        lines.sort(key=lambda found: PurePosixPath(found["photo"]))
        if sort == "uncertainty":
            lines = by_uncertainty(lines)
        with storage.writing(TABLE) as stream:
            write_table(stream, lines, list(names))
        then()
        if [storage.state(part) for part in parts] == before:
            return TABLE
    return None
