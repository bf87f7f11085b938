"""Output files of photos: label maps, cut-outs, overlays and items as bytes."""

import json
import logging
from collections.abc import Callable, Generator, Iterable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from threading import Event
from typing import TYPE_CHECKING, Any, NamedTuple

from clothseg.batch.ray_pool import RayPool
from clothseg.batch.worker_pool import WorkerPool
from clothseg.errors import ClothsegError, ConfigError
from clothseg.images.file_names import escaped, system_path
from clothseg.images.sources import Source
from clothseg.labels import ATR, LabelSet
from clothseg.options import SegmentOptions
from clothseg.pipelining import in_order


if TYPE_CHECKING:
    from PIL import Image

    from clothseg.options import CutoutOptions, PackshotOptions, TryonOptions
    from clothseg.outputs.find.selection import Found
    from clothseg.segmentation import Segmentation
    from clothseg.segmenter import Segmenter


KINDS = {
    "labels": ".png",
    "cutouts": ".png",
    "masks": ".png",
    "tryon": ".png",
    "packshots": ".png",
    "overlays": ".jpg",
    "items": ".json",
    "coco": ".json",
    "yolo": ".txt",
    "labelme": ".json",
    "label-studio": ".json",
    "cvat": ".xml",
    "svg": ".svg",
    "psd": ".psd",
}
"""Kinds of output files, each in a folder of its name, and their suffixes; masks have one for each class
in theirs, and try-on files one for masks and one for pictures."""

THREADS = 2
"""Least number of photos in progress: while the network computes one, the other is read or written."""

CHOSEN = (
    "cutouts",
    "masks",
    "packshots",
    "items",
    "coco",
    "yolo",
    "labelme",
    "label-studio",
    "cvat",
    "svg",
    "psd",
)
"""Kinds whose files contain only chosen classes or items; a photo in which a search finds nothing has none of them.
"""


@dataclass(frozen=True)
class OutputSpec:
    """The output files for each photo.

    Attributes:
        kinds: some of `KINDS`.
        classes: classes or groups for cut-outs, masks and items, such as "All garments".
        cutout: options of cut-outs and masks; None is the default.
        polygons: write polygons in COCO, Label Studio and CVAT files, not exact masks.
        tryon: options of try-on masks; None is the default.
        packshot: options of packshots; None is the default.
        grey: write label maps as grey PNGs without a palette: `Segmentation.label_picture`.
        labels: the model's classes.
        find: what to take instead of `classes`, in words such as "red dress" (`Segmentation.find`); empty for classes.

    Raises:
        ConfigError: no kind, or an unknown one; nothing of `find` is understood, or no kind depends on it.
        UnknownClassError: an unknown class.
    """

    kinds: tuple[str, ...] = ("labels", "cutouts")
    classes: tuple[str, ...] = ("All garments",)
    cutout: "CutoutOptions | None" = None
    polygons: bool = False
    grey: bool = False
    tryon: "TryonOptions | None" = None
    packshot: "PackshotOptions | None" = None
    labels: LabelSet = ATR
    find: str = ""

    def __post_init__(self) -> None:
        if self.find:
            from clothseg.outputs.find.reader import read_query

            read_query(self.find, self.labels)
        unknown = [kind for kind in self.kinds if kind not in KINDS]
        if unknown or not self.kinds:
            raise ConfigError(f"Choose what to write from {', '.join(KINDS)}, not {', '.join(unknown) or 'nothing'}.")
        if self.find and not set(CHOSEN) & set(self.kinds):
            raise ConfigError(f"A search chooses what files contain: write at least one of {', '.join(CHOSEN)}.")
        object.__setattr__(self, "classes", self.labels.class_names(self.classes))

    def options(self, given: SegmentOptions) -> SegmentOptions:
        """Return the options with which photos are segmented: people are separated if `find` names one."""
        if not self.find:
            return given
        from clothseg.outputs.find.reader import read_query

        return read_query(self.find, self.labels).options(given)


_Make = Callable[[Path | bytes, PurePosixPath], tuple[dict[str, bytes], dict[str, Any]]]
"""Makes the bytes of a photo's files by folder, and its summary, from the photo and its name."""

_log = logging.getLogger(__name__)


class Outcome(NamedTuple):
    """Result for a photo: files' bytes by folder, such as "labels" or "masks/Dress", and summary; or its error."""

    source: Source
    files: dict[str, bytes]
    summary: dict[str, Any]
    error: str


def outcomes(
    segmenter: "Segmenter | WorkerPool | RayPool",
    sources: Iterable[Source],
    wanted: OutputSpec,
    options: dict[str, Any],
) -> Generator[Outcome]:
    """Segment photos and make their files, in order; a photo's error becomes part of its outcome.

    Closing the generator early waits only for the current step of the photos in progress.

    Args:
        segmenter: a loaded model; a pool makes the files in its workers.
        sources: the photos.
        wanted: what to make for each photo.
        options: as for one photo: the fields of `clothseg.SegmentOptions`.

    Raises:
        ConfigError: a wrong option, which would affect all photos.
        UnknownClassError: an unknown class to exclude.
    """
    look = wanted.options(SegmentOptions.of(options))
    look.excluded_ids(segmenter.labels)
    options = asdict(look)
    given_up = Event()
    make: _Make
    if isinstance(segmenter, WorkerPool | RayPool):
        make, threads = partial(segmenter.run, partial(_made, wanted, options)), segmenter.at_once
    else:
        many = segmenter.with_streams()
        make, threads = partial(_made, wanted, options, many, given_up=given_up), max(THREADS, many.workers)
    results = in_order(partial(_outcome, make), sources, threads)
    try:
        for outcome in results:  # noqa: UP028 - `yield from` would close them, and wait, before we tell of it
            yield outcome
    finally:
        given_up.set()
        results.close()


def _made(
    wanted: OutputSpec,
    options: dict[str, Any],
    segmenter: "Segmenter",
    photo: Path | bytes,
    name: PurePosixPath,
    given_up: Event | None = None,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Return a photo's files and summary."""
    result = segmenter(photo, **options)
    if result.name != name.name:  # a copy counts its pixels again
        result = replace(result, name=name.name)
    found = result.find(wanted.find) if wanted.find else None
    files: dict[str, bytes] = {}
    without_match = found is not None and not len(found)
    for kind in wanted.kinds:
        if not (given_up and given_up.is_set()) and not (without_match and kind in CHOSEN):
            files |= files_of(result, kind, wanted, name.as_posix(), found)
    search = {} if found is None else {"found": len(found), "missing": list(found.missing)}
    return files, result.to_dict() | search


def _outcome(make: _Make, source: Source) -> Outcome:
    try:
        return Outcome(source, *make(source.read(), source.name), "")
    except ConfigError:
        raise
    except ClothsegError as error:
        return _failed(source, str(error))
    except MemoryError:
        return _failed(source, "it needs more memory than is available; make the picture smaller first.")
    except Exception as error:  # an error of one photo must not stop the others
        _log.exception("%s could not be segmented", source.name)
        detail = getattr(error, "strerror", None) or str(error).partition("\n")[0] or "no message"
        return _failed(source, f"it could not be segmented ({type(error).__name__}: {detail}).")


def _failed(source: Source, message: str) -> Outcome:
    name = source.name.name
    message = message.replace(system_path(name), name)
    named = message if name in message else f"{source.name}: {message}"
    return Outcome(source, {}, {}, escaped(named))


def kind_of(folder: str) -> str:
    """Return the kind of output files in a folder such as "labels" or "masks/Dress"."""
    return folder.partition("/")[0]


def folders_of(kind: str, wanted: OutputSpec, found: Iterable[str]) -> list[str]:
    """Return the folders that have a file of a kind, for a photo with the classes `found`."""
    from clothseg.outputs import masks, tryon

    if kind == "masks":
        kept = () if wanted.find else wanted.classes
        return [f"masks/{masks.file_name(name)}" for name in masks.named(kept, found)]
    if kind == "tryon":
        return [f"tryon/{name}" for name in tryon.FOLDERS]
    return ["yolo/labels"] if kind == "yolo" else [kind]


def files_of(
    result: "Segmentation", kind: str, wanted: OutputSpec, path: str | None = None, found: "Found | None" = None
) -> dict[str, bytes]:
    """Return the bytes of a photo's output files of a kind, by folder.

    Args:
        result: of the photo.
        kind: one of `KINDS`.
        wanted: how the files are made.
        path: the photo's path, for annotations.
        found: what `wanted.find` found in it.
    """
    from clothseg.outputs import masks

    pictures: Iterable[Image.Image]
    if kind == "masks" and found is not None:
        pictures = [result.picture_of_mask(found.mask, wanted.cutout)]
    elif kind == "masks":
        pictures = result.mask_pictures(*wanted.classes, options=wanted.cutout).values()
    elif kind == "tryon":
        pictures = result.tryon(options=wanted.tryon)
    else:
        return {folder: encoded(result, kind, wanted, path, found) for folder in folders_of(kind, wanted, ())}
    return dict(zip(folders_of(kind, wanted, result.areas), map(masks.png, pictures), strict=True))


def encoded(
    result: "Segmentation", kind: str, wanted: OutputSpec, path: str | None = None, found: "Found | None" = None
) -> bytes:
    """Return the bytes of one output file; `kind` is one of `KINDS` that have one, the others as for `files_of`."""
    from clothseg.images import atomic_files
    from clothseg.outputs import items

    if kind == "labels":
        return atomic_files.encoded(result.label_picture(grey=wanted.grey), "PNG")
    if kind in ("cutouts", "packshots"):
        mask = result.mask(*wanted.classes) if found is None else found.mask
        if kind == "cutouts":
            picture = result.cutout_mask(mask, wanted.cutout)
        else:
            picture = result.packshot_mask(mask, wanted.packshot, wanted.cutout)
        return atomic_files.encoded(picture, "PNG")
    if kind == "overlays":
        return atomic_files.encoded(result.overlay(), "JPEG", quality=90)
    things = result.items(*wanted.classes) if found is None else found.items
    if kind == "items":
        listed = items.items_to_dict(things, result.name, result.notes, result.labels)
        return escaped(json.dumps(listed, indent=2, ensure_ascii=False)).encode()
    return result.encoded(kind, things, path, wanted.polygons)
