"""Segment many photos into one ZIP, with a table of results, and report progress after each photo."""

import csv
import errno
import time
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from functools import partial
from io import StringIO, TextIOWrapper
from os import PathLike
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from clothseg.batch.photo_files import KINDS, OutputSpec, kind_of, outcomes
from clothseg.batch.table import columns, line
from clothseg.errors import ConfigError
from clothseg.images.atomic_files import atomic_path, clear_leftovers
from clothseg.images.file_names import escaped
from clothseg.images.sources import collected
from clothseg.images.zip_archive import Limits
from clothseg.outputs.formats import FORMATS, extra_path, extra_text, write_merged


if TYPE_CHECKING:
    from clothseg.batch.worker_pool import WorkerPool
    from clothseg.segmenter import Segmenter


TABLE = "results.csv"
"""Name of the table in the ZIP."""


class Progress(NamedTuple):
    """Progress of a batch; the first report has 0 photos done and no name.

    Attributes:
        done: number of photos done.
        total: number of photos.
        name: the photo done last.
        error: why that photo could not be used; empty if it could.
        found: number of items that the search found in that photo; None without a search, or with an error.
        missing: parts of the search that nothing in that photo matches.
    """

    done: int
    total: int
    name: str = ""
    error: str = ""
    found: int | None = None
    missing: tuple[str, ...] = ()


def segment_to_zip(
    segmenter: "Segmenter | WorkerPool",
    sources: Iterable[str | PathLike[str]],
    out: str | PathLike[str],
    wanted: OutputSpec | None = None,
    *,
    limits: Limits | None = None,
    stop: Callable[[], bool] | None = None,
    **options: Any,
) -> Generator[Progress]:
    """Segment photos and write one ZIP, which appears, complete, when the iterator ends.

    The ZIP holds a folder for each kind of file (annotations of all photos for COCO, Label Studio and CVAT are in one
    file each, such as `coco.json`) and `results.csv`, with a line for each photo: its size and each class's share, or
    why it could not be used. With a search (`OutputSpec.find`), photos without a match have no files of the kinds in
    `CHOSEN`. A photo that fails does not stop the others. Photos are read, segmented and packed one after the other,
    so memory does not grow with their number.

    To end early and keep what is done, let `stop` return True; to end without a file, close the iterator. Both wait
    for the current step of the photos in progress. A killed process leaves a hidden temporary file, which the next
    batch into the same folder removes once it is an hour old.

    Args:
        segmenter: a loaded model, or a pool of workers.
        sources: paths of photos, of ZIPs with photos, and of folders with photos, in any mix.
        out: path of the ZIP.
        wanted: what to write of each photo.
        limits: limits for ZIPs; `limits.files` also limits the total number of photos.
        stop: called after each photo; if it returns True, the ZIP is completed with the photos done so far.
        options: as for one photo: the fields of `clothseg.SegmentOptions`.

    Yields:
        The progress, at the start and after each photo.

    Raises:
        ConfigError: no photos, a path that does not exist, a damaged ZIP, more than the limits allow, a wrong option,
            or a full disk.
    """
    wanted, limits, out = wanted or OutputSpec(labels=segmenter.labels), limits or Limits(), Path(out)
    with collected(map(Path, sources), unpack=True, limits=limits) as photos:
        if not photos:
            raise ConfigError("No photos were given; add photos or a ZIP of photos.")
        if len(photos) > limits.files:
            raise ConfigError(
                f"{len(photos):,} photos are too many: the limit is {limits.files:,}; split them into several batches."
            )
        yield Progress(0, len(photos))
        text = StringIO(newline="")
        table = csv.DictWriter(text, columns(wanted.labels, bool(wanted.find)))
        table.writeheader()
        clear_leftovers(out.parent)
        try:
            with (
                atomic_path(out) as temporary,
                zipfile.ZipFile(temporary, "w") as archive,
                ExitStack() as stack,
                closing(outcomes(segmenter, photos, wanted, options)) as results,
            ):
                merged = {
                    kind: stack.enter_context(TemporaryFile())
                    for kind in wanted.kinds
                    if kind in FORMATS and FORMATS[kind].merged
                }
                for done, (photo, files, summary, problem) in enumerate(results, 1):
                    for kind in merged:
                        if kind in files:
                            _append(merged[kind], files.pop(kind))
                    for folder, content in files.items():
                        # stored: PNG and JPEG are packed already
                        archive.writestr(f"{folder}/{photo.files.as_posix()}{KINDS[kind_of(folder)]}", content)
                    table.writerow(line(photo, summary, problem, wanted.labels))
                    found, missing = summary.get("found"), tuple(summary.get("missing", ()))
                    yield Progress(done, len(photos), escaped(photo.name.as_posix()), problem, found, missing)
                    if stop is not None and stop():
                        break
                for kind, spool in merged.items():
                    about = zipfile.ZipInfo(FORMATS[kind].merged or "", time.localtime()[:6])
                    about.compress_type = zipfile.ZIP_DEFLATED
                    with archive.open(about, "w", force_zip64=True) as file, TextIOWrapper(file, "utf-8") as stream:
                        write_merged(kind, stream, partial(_read, spool), segmenter.name, wanted.labels)
                for kind in wanted.kinds:
                    if kind in FORMATS and FORMATS[kind].extra:
                        archive.writestr(extra_path(kind), extra_text(kind, wanted.labels), zipfile.ZIP_DEFLATED)
                archive.writestr(TABLE, text.getvalue(), zipfile.ZIP_DEFLATED)
        except OSError as error:
            why = "the disk is full" if error.errno in (errno.ENOSPC, errno.EDQUOT) else error.strerror or error
            raise ConfigError(f"The ZIP {out.name} cannot be written: {why}.") from error


def _append(file: IO[bytes], content: bytes) -> None:
    """Add one text to a file that `_read` reads."""
    file.write(len(content).to_bytes(8, "big") + content)


def _read(file: IO[bytes]) -> Iterator[str]:
    """Read the texts of a file, one after the other, from its start."""
    file.seek(0)
    while length := file.read(8):
        yield file.read(int.from_bytes(length, "big")).decode()
