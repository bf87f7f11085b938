"""Many photos in, one ZIP out: their files and a table, with word of each photo as it is done."""

import csv
import errno
import json
import time
import zipfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from functools import partial
from io import StringIO, TextIOWrapper
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from clothseg.batch.photo_files import COLUMNS, KINDS, OutputSpec, line, outcomes
from clothseg.errors import ConfigError
from clothseg.images.atomic_files import atomic_path, clear_leftovers
from clothseg.images.file_names import escaped
from clothseg.images.sources import collected
from clothseg.images.zip_archive import Limits
from clothseg.outputs.coco import write_merged


if TYPE_CHECKING:
    from clothseg.batch.worker_pool import WorkerPool
    from clothseg.segmenter import Segmenter


TABLE = "results.csv"
"""Name of the table in the ZIP."""

COCO = "coco.json"
"""Name of the data set of all photos in the ZIP."""


class Progress(NamedTuple):
    """How far a batch is: `done` of `total` photos, the last of them `name`, with what was wrong with it if `error`.

    The first has 0 done and no name.
    """

    done: int
    total: int
    name: str = ""
    error: str = ""


def segment_to_zip(
    segmenter: "Segmenter | WorkerPool",
    sources: Iterable[str | PathLike[str]],
    out: str | PathLike[str],
    wanted: OutputSpec | None = None,
    *,
    limits: Limits | None = None,
    **options: Any,
) -> Generator[Progress]:
    """Segment photos and write one ZIP, which is there, whole, when the iterator ends, and not before.

    The ZIP holds a folder for each kind of file, but for COCO's, of which there is one for all, `coco.json`; and
    `results.csv`, with a line for each photo: its size and each
    class's share of it, or why it could not be used; that of one photo stops no other. Photos are read, segmented and
    packed one after the other, so that memory does not grow with their number. Close the iterator to give up: that
    waits for the step that photos in hand are at, and leaves no file. A process that is killed leaves a hidden one,
    which the next batch into the same folder removes when it is an hour old.

    Args:
        segmenter: a loaded model, or a pool of workers that has it.
        sources: paths of photos, of ZIPs with photos, and of folders with photos, in any mix.
        out: path of the ZIP.
        wanted: what to write of each photo.
        limits: what to refuse of a ZIP; there may be no more photos in all than `limits.files` either.
        options: as for one photo: the fields of `clothseg.SegmentOptions`.

    Yields:
        How far it is: at once, and after each photo.

    Raises:
        ConfigError: no photos, a path that does not exist, a ZIP that is damaged, more than the limits allow, an
            option without such a value, or a disk that is full.
    """
    wanted, limits, out = wanted or OutputSpec(), limits or Limits(), Path(out)
    with collected(map(Path, sources), unpack=True, limits=limits) as photos:
        if not photos:
            raise ConfigError("No photos were given; give some, or a ZIP of some.")
        if len(photos) > limits.files:
            raise ConfigError(
                f"{len(photos):,} photos are too many: the limit is {limits.files:,}; give them in parts."
            )
        yield Progress(0, len(photos))
        text = StringIO(newline="")
        table = csv.DictWriter(text, COLUMNS)
        table.writeheader()
        clear_leftovers(out.parent)
        try:
            with (
                atomic_path(out) as temporary,
                zipfile.ZipFile(temporary, "w") as archive,
                TemporaryFile() as coco,
                closing(outcomes(segmenter, photos, wanted, options)) as results,
            ):
                for done, (photo, files, summary, problem) in enumerate(results, 1):
                    if "coco" in files:
                        coco.write(files.pop("coco") + b"\n")
                    for kind, content in files.items():
                        # stored: PNG and JPEG are packed already
                        archive.writestr(f"{kind}/{photo.files.as_posix()}{KINDS[kind]}", content)
                    table.writerow(line(photo, summary, problem))
                    yield Progress(done, len(photos), escaped(photo.name.as_posix()), problem)
                if "coco" in wanted.kinds:
                    about = zipfile.ZipInfo(COCO, time.localtime()[:6])
                    about.compress_type = zipfile.ZIP_DEFLATED
                    with archive.open(about, "w", force_zip64=True) as file, TextIOWrapper(file, "utf-8") as stream:
                        write_merged(stream, partial(_read_lines, coco), segmenter.name)
                archive.writestr(TABLE, text.getvalue(), zipfile.ZIP_DEFLATED)
        except OSError as error:
            why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror or error
            raise ConfigError(f"The ZIP {out.name} cannot be written: {why}.") from error


def _read_lines(file: IO[bytes]) -> Iterator[dict[str, Any]]:
    """The JSON objects that a file holds, one a line, from its start."""
    file.seek(0)
    yield from map(json.loads, file)
