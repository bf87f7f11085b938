"""Export a model to ONNX, for ONNX Runtime and for transformers.js in a browser."""

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clothseg.commands.common import EMBEDDED, add_model
from clothseg.engines import CONVERTED
from clothseg.engines.int8 import INT8_FILE, INT8_FILES
from clothseg.errors import ConfigError, HubError, ModelError, needs_extra


if TYPE_CHECKING:
    from PIL import Image

    from clothseg.models.loading import LoadedModel

HELP = "export a model to ONNX and check it against PyTorch"

MODEL_FILE = "onnx/model.onnx"
"""Path where transformers.js looks for the model, beside config.json and preprocessor_config.json."""

AGREEMENT = 0.9999
"""Least share of pixels of each photo that must have the same class as with PyTorch."""

INT8_AGREEMENT = 0.99
"""Mean share from which int8 counts as close to PyTorch."""

MOST_CALIBRATED, LEAST_CALIBRATED = 160, 10
"""Number of photos for calibration and the comparison after it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    add_model(parser, "model", required=True)
    parser.add_argument("--out", type=Path, required=True, help=f"folder for {MODEL_FILE} and the configurations")
    parser.add_argument("--format", choices=("onnx",), default="onnx", help="format to write; there is only one")
    parser.add_argument(
        "--photos", type=Path, help="folder of photos to check the export with (default: artificial pictures)"
    )
    parser.add_argument(
        "--int8",
        action="store_true",
        help=f"also write {INT8_FILE}, for CPUs with VNNI and for browsers; needs --calibrate",
    )
    parser.add_argument(
        "--calibrate", type=Path, metavar="FOLDER", help="photos like those to segment, a hundred or more, for --int8"
    )
    parser.add_argument("--push_to_hub", metavar="REPO", help="also upload what was written to this model repository")


def run(arguments: argparse.Namespace) -> int:
    """Export, check, move into place, and upload if requested.

    Raises:
        ConfigError: wrong options, or a missing package.
        ModelError: the model cannot be loaded or exported, or the export differs from PyTorch.
        HubError: the Hub cannot be reached, or rejects the upload.
    """
    from clothseg.models.loading import load

    if arguments.out.exists() and not arguments.out.is_dir():
        raise ConfigError(f"--out {arguments.out} is a file; give a folder.")
    if arguments.int8 != (arguments.calibrate is not None):
        raise ConfigError("--int8 and --calibrate FOLDER go together: the ranges of int8 are measured on photos.")
    photos = _read_photos(arguments.photos, "--photos") if arguments.photos else _draw_photos()
    calibration = _read_photos(arguments.calibrate, "--calibrate", MOST_CALIBRATED) if arguments.int8 else []
    if arguments.int8 and len(calibration) < LEAST_CALIBRATED:
        raise ConfigError(
            f"--calibrate {arguments.calibrate} contains {len(calibration)} photos; at least {LEAST_CALIBRATED} are "
            "needed, and a hundred are better."
        )
    if arguments.push_to_hub:
        _check_access(arguments.push_to_hub)
    loaded = load(arguments.model, arguments.revision)
    _say(f"Exporting {arguments.model or EMBEDDED} ...")
    with needs_extra("The export to ONNX", "onnx"):
        share = export(loaded, arguments.out, photos)
    _say(
        f"Written to {arguments.out / MODEL_FILE}: on {len(photos)} photos at least {share:.4%} of the pixels have "
        "PyTorch's class."
    )
    files = [MODEL_FILE]
    if arguments.int8:
        _say(f"Quantising with {len(calibration)} photos ...")
        with needs_extra("The export to int8", "int8"):
            _say(export_int8(loaded, arguments.out, calibration))
        files += INT8_FILES
    if arguments.push_to_hub:
        for file in files:
            push(arguments.out, file, arguments.push_to_hub)
            _say(f"Uploaded to {arguments.push_to_hub} as {file}.")
    return 0


def export_int8(loaded: "LoadedModel", out: Path, photos: "list[Image.Image]") -> str:
    """Quantise the exported `MODEL_FILE` in a folder, and return a sentence on its agreement and speed.

    Every fifth photo is not used for calibration, but for comparing label maps with PyTorch's.

    Raises:
        ImportError: nncf, onnx or onnxruntime is not installed.
        ModelError: the model cannot be quantised.
    """
    from clothseg.engines.int8 import has_vnni
    from clothseg.engines.openvino_engine import OpenVinoEngine
    from clothseg.engines.quantization import write_int8
    from clothseg.engines.torch_engine import TorchEngine
    from clothseg.segmenter import Segmenter

    stock = Segmenter(TorchEngine(loaded.model, "cpu"), loaded.processor, name=loaded.name)
    held_out = photos[::5]
    calibration = [photo for index, photo in enumerate(photos) if index % 5]
    write_int8(loaded, out / MODEL_FILE, [stock.pixels([photo]) for photo in calibration], out)
    engine = OpenVinoEngine(replace(loaded, folder=out), "int8")
    ours = Segmenter(engine, loaded.processor, name=loaded.name)
    plain: dict[str, Any] = {"edges": "plain", "zoom": "off", "orientation": "upright"}
    shares = [float((stock(photo, **plain).label_map == ours(photo, **plain).label_map).mean()) for photo in held_out]
    told = (
        f"Written to {out / INT8_FILE}: on {len(shares)} other photos {np.mean(shares):.2%} of the pixels have "
        f"PyTorch's class on average, {min(shares):.2%} in the worst photo."
    )
    if np.mean(shares) < INT8_AGREEMENT:
        told += f" That is less than {INT8_AGREEMENT:.0%}: use precision='fast' where every pixel counts."
    if not has_vnni():
        return f"{told} This CPU has no VNNI, so its speed was not measured here."
    exact, fast = (OpenVinoEngine(loaded, precision) for precision in ("exact", "fast"))
    pixels = stock.pixels(held_out[:1])
    taken = np.array([[_seconds(each, pixels) for each in (engine, exact, fast)] for _ in range(6)])[1:].min(axis=0)
    told += f" The network is {taken[1] / taken[0]:.1f} times as fast as in float32"
    told += f" and {taken[2] / taken[0]:.1f} times as fast as with precision='fast'."
    return told if taken[2] >= 1.1 * taken[0] else f"{told} Int8 does not pay here: use precision='fast'."


def _seconds(engine: Any, pixels: Any) -> float:
    started = time.perf_counter()
    engine(pixels)
    return time.perf_counter() - started


def export(loaded: "LoadedModel", out: Path, photos: "list[Image.Image]") -> float:
    """Write `MODEL_FILE`, config.json and preprocessor_config.json to a folder; the loaded model must not be used
    again.

    The file takes `pixel_values` (N, 3, h, w) and returns `logits` (N, 18, h / 4, w / 4), for any N and multiples of
    32. It is checked before it is moved into place: with single photos at the model's size, and as a batch at another.

    Returns:
        The least share of a photo's pixels that have PyTorch's class.

    Raises:
        ImportError: onnx or onnxruntime is not installed.
        ModelError: the model cannot be exported, or the export differs from PyTorch.
    """
    from clothseg.engines.conversion import Network, export_onnx
    from clothseg.engines.onnx_session import open_session
    from clothseg.engines.torch_engine import TorchEngine
    from clothseg.segmenter import Segmenter

    file = out / MODEL_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="making-", dir=file.parent) as workshop:
        made = Path(workshop) / "model.onnx"
        export_onnx(Network(loaded.model), made, loaded.name)
        session = open_session(made)
        stock = Segmenter(TorchEngine(loaded.model, "cpu"), loaded.processor, name=loaded.name)
        ours = Segmenter(
            lambda pixels: session.run(None, {"pixel_values": pixels})[0], loaded.processor, name=loaded.name
        )
        plain: dict[str, Any] = {"edges": "plain", "zoom": "off"}  # without further processing
        maps = ((stock(photo, **plain).label_map, ours(photo, **plain).label_map) for photo in photos)
        shares = [float((expected == found).mean()) for expected, found in maps]
        height, width = stock.image_size
        other = (height // 64 * 32 + 64, width // 64 * 32 + 32)
        expected, found = (segmenter.logits(photos, other).argmax(axis=1) for segmenter in (stock, ours))
        shares += (expected == found).mean(axis=(1, 2)).tolist()
        if min(shares) < AGREEMENT:
            raise ModelError(
                f"The ONNX file of {loaded.name} gives only {min(shares):.4%} of a photo's pixels the same class as "
                "PyTorch; nothing was written."
            )
        if loaded.folder is None or not out.samefile(loaded.folder):
            beside = Path(workshop) / "beside"
            loaded.model.config.save_pretrained(beside)
            _save_processor(loaded, beside)
            for path in beside.iterdir():
                os.replace(path, out / path.name)
        os.replace(made, file)
    return min(shares)


def _save_processor(loaded: "LoadedModel", out: Path) -> None:
    from PIL import Image
    from transformers import SegformerImageProcessorPil

    from clothseg.models.preprocessing import AREA

    processor = loaded.processor
    if loaded.model_type in CONVERTED:  # perhaps our own class for the file, which cannot be saved
        said = ("size", "resample", "rescale_factor", "image_mean", "image_std")
        stated = {name: getattr(processor, name) for name in said}
        if stated["resample"] == AREA:  # transformers knows PIL's filters only
            stated["resample"] = Image.Resampling.BOX
        processor = SegformerImageProcessorPil(**stated)
    processor.save_pretrained(out)


def push(folder: Path, file: str, repo_id: str) -> None:
    """Upload a file of a folder to a model's repository, under the same path.

    Raises:
        HubError: the Hub cannot be reached, or rejects the upload.
    """
    from huggingface_hub import HfApi

    from clothseg.models.hub_errors import explain_write

    try:
        HfApi().upload_file(
            path_or_fileobj=folder / file, path_in_repo=file, repo_id=repo_id, commit_message="Add ONNX by clothseg"
        )
    except Exception as error:
        raise HubError(f"{explain_write(error, repo_id)} The complete file is {folder / file}.") from error


def _check_access(repo_id: str) -> None:
    """Check before the work that the upload will be allowed."""
    from huggingface_hub import HfApi

    from clothseg.models.hub_errors import explain_write

    try:
        HfApi().auth_check(repo_id, write=True)
    except Exception as error:
        raise HubError(f"--push_to_hub: {explain_write(error, repo_id)}") from error


def _read_photos(folder: Path, option: str, most: int | None = None) -> "list[Image.Image]":
    """Return the photos of a folder that an option names: all, or `most` of them, evenly spread."""
    from clothseg.errors import ImageError
    from clothseg.images.decode import load_photo

    if not folder.is_dir():
        raise ConfigError(f"{option} {folder} is not a folder.")
    photos = []
    paths = sorted(path for path in folder.iterdir() if path.is_file())
    step = 1 if most is None else max(1, len(paths) // most)
    for path in paths[::step][:most]:
        try:
            photos.append(load_photo(path))
        except ImageError:
            continue
    if not photos:
        raise ConfigError(f"{option} {folder} contains no photos.")
    return photos


def _draw_photos() -> "list[Image.Image]":
    """Draw coloured patches with soft edges, in which a trained model finds various garments."""
    from PIL import Image

    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (4, 8, 6, 3), np.uint8)
    return [Image.fromarray(patch).resize((426, 640), Image.Resampling.BICUBIC) for patch in patches]


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
