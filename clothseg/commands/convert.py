"""Convert annotations to a data set for training: masks of class ids or of colours, COCO and LabelMe files."""

import argparse
import io
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clothseg.errors import ConfigError


if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import numpy.typing as npt

    from clothseg.training.annotations.conversion import Conversion, Labelled
    from clothseg.training.annotations.source import Annotated, Source


HELP = "convert masks, COCO or LabelMe annotations to a data set for training"

KINDS = ("ids", "colors", "coco", "labelme")

LISTED = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "annotations",
        type=Path,
        metavar="ANNOTATIONS",
        help="folder of masks, a COCO JSON file, or a folder of LabelMe JSON files",
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to write; it may have other splits")
    parser.add_argument(
        "--photos",
        type=Path,
        metavar="FOLDER",
        help="folder of the photos; default: the folder of the COCO file, or the paths in the LabelMe files",
    )
    parser.add_argument(
        "--kind",
        choices=KINDS,
        help="ids: masks whose values are class ids, also with a palette; colors: masks with a colour for each class "
        "(needs --palette); default: detected from the files",
    )
    parser.add_argument(
        "--palette",
        type=Path,
        metavar="FILE",
        help="colours of the classes: JSON from names to colours, a labels.json, or a labelmap.txt of CVAT",
    )
    parser.add_argument(
        "--unknown_colors",
        choices=("wrong", "ignore"),
        default="wrong",
        help="colours that the palette lacks, such as those of soft edges; wrong: leave the photo out (default); "
        "ignore: leave the pixels unannotated",
    )
    parser.add_argument("--labels", help="classes to write: a built-in label set or a JSON file; default: those found")
    parser.add_argument("--label_map", help='JSON file from found ids or names to classes to write, or to "ignore"')
    parser.add_argument(
        "--to",
        choices=("folders", "rows"),
        default="folders",
        help="folders: images/ and masks/ (default); rows: parquet files",
    )
    parser.add_argument("--split", default="train", help="name of the split (default: train)")


def run(arguments: argparse.Namespace) -> int:
    """Convert, and print the report, which is also written to OUT/conversion.json.

    Returns:
        0, or 1 if some photos could not be converted.

    Raises:
        ClothsegError: the annotations cannot be read, or nothing can be written.
    """
    _check(arguments)
    from clothseg.training.annotations.conversion import REPORT, classes_for, convert, write_folders

    source = _source(arguments)
    classes = classes_for(source, arguments.labels, arguments.label_map)
    write = _write_rows if arguments.to == "rows" else write_folders
    found = convert(source, classes, arguments.out, arguments.split, write)
    sys.stdout.write(report_text(found))
    sys.stdout.write(f"\nWritten to {arguments.out}; the report is in {arguments.out / REPORT}.\n")
    for name, reason in found.wrong[:LISTED]:
        sys.stderr.write(f"{name}: {reason}\n")
    if len(found.wrong) > LISTED:
        sys.stderr.write(f"and {len(found.wrong) - LISTED} more\n")
    return 1 if found.wrong else 0


def _write_rows(rows: "Iterator[Labelled]", out: Path, split: str) -> None:
    """Write photos and masks as parquet files of a split, data/<split>-*.parquet."""
    from clothseg.batch.parquet import number_files, write_rows

    out.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".rows-", dir=out))
    try:
        write_rows(((_row(photo, mask), "") for photo, mask in rows), building)
        number_files(building, split)
        (out / "data").mkdir(exist_ok=True)
        for file in (building / "data").iterdir():
            file.replace(out / "data" / file.name)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _row(photo: "Annotated", mask: "npt.NDArray[np.uint8]") -> dict[str, Any]:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return {
        "image": {"bytes": photo.photo.read_bytes(), "path": photo.photo.name},
        "mask": {"bytes": file.getvalue(), "path": None},
    }


def report_text(found: "Conversion") -> str:
    """Return the report as text."""
    photos = "1 photo" if found.written == 1 else f"{found.written:,} photos"
    lines = [f"{found.kind}: {photos} converted, {len(found.wrong):,} wrong", ""]
    total = max(int(found.pixels.sum()), 1)
    width = max(map(len, found.labels.names)) + 4
    lines.append(f"{'class':{width}}  {'photos':>8}  {'shapes':>8}  {'pixels':>8}")
    for index, name in enumerate(found.labels.names):
        share = found.pixels[index] / total
        lines.append(f"{index:3} {name:{width - 4}}  {found.photos[index]:8,}  {found.shapes[index]:8,}  {share:8.2%}")
    if found.pixels[-1]:
        lines.append(f"{'not annotated':{width}}  {'':8}  {'':8}  {found.pixels[-1] / total:8.2%}")
    ignored = [f"  {what}: {count:,}" for what, count in found.ignored.items() if count]
    unused = [name for index, name in enumerate(found.labels.names) if index and not found.photos[index]]
    if unused:
        ignored.append(f"  classes that no photo shows: {', '.join(unused)}")
    return "\n".join([*lines, *(["", "Ignored:", *ignored] if ignored else [])]) + "\n"


def _check(arguments: argparse.Namespace) -> None:
    if not arguments.annotations.exists():
        raise ConfigError(f"{arguments.annotations} does not exist.")
    if arguments.photos and not arguments.photos.is_dir():
        raise ConfigError(f"--photos {arguments.photos}: there is no such folder.")
    if arguments.kind == "colors" and not arguments.palette:
        raise ConfigError("--kind colors needs the colours of the classes: give --palette.")
    if arguments.palette and arguments.kind not in (None, "colors"):
        raise ConfigError(f"--palette is for colour-coded masks, not for --kind {arguments.kind}.")
    if not arguments.split.replace("-", "").replace("_", "").isalnum():
        raise ConfigError(f"--split {arguments.split}: give a name such as train, validation or test.")


def _source(arguments: argparse.Namespace) -> "Source":
    from clothseg.training.annotations.coco import read_coco
    from clothseg.training.annotations.labelme import read_labelme
    from clothseg.training.annotations.pictures import read_palette, read_pictures

    path: Path = arguments.annotations
    kind = arguments.kind or _kind(path, bool(arguments.palette))
    if kind == "coco":
        if not path.is_file():
            raise ConfigError(f"{path} is a folder; COCO's annotations are one JSON file.")
        return read_coco(path, arguments.photos or path.parent)
    if not path.is_dir():
        raise ConfigError(f"{path} is a file; give a folder, or a JSON file of COCO's format.")
    if kind == "labelme":
        return read_labelme(path, arguments.photos)
    if not arguments.photos:
        raise ConfigError("Masks need their photos: give --photos.")
    palette = read_palette(arguments.palette) if arguments.palette else None
    return read_pictures(path, arguments.photos, palette, arguments.unknown_colors == "ignore")


def _kind(path: Path, palette: bool) -> str:
    """Return the kind of annotations that files look like."""
    from clothseg.training.annotations.coco import is_coco

    if palette:
        return "colors"
    if path.is_dir():
        return "labelme" if next(path.rglob("*.json"), None) else "ids"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as JSON: {error}.") from error
    if not is_coco(content):
        raise ConfigError(f"{path} is not COCO's format: it has no lists images and annotations. {_WHAT}")
    return "coco"


_WHAT = "Give a COCO file, a folder of LabelMe files, or a folder of masks."
