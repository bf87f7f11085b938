"""The app's named endpoints, and what its page shares with them: photos in, files with the photo's name out."""

import base64
import secrets
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData
from gradio.utils import get_upload_folder

from clothseg.errors import ClothsegError, ImageError
from clothseg.labels import GROUPS, NAMES, hex_color
from clothseg.segmentation import Segmentation
from clothseg.segmenter import Segmenter


MAX_FILE_BYTES = 25 * 2**20
MODEL_QUEUE = "model"
"""Concurrency id of all events that run the network, so that they take turns."""


def plain_errors(function: Callable[..., Any]) -> Callable[..., Any]:
    """Hand our own errors to the caller as their message alone; the server's log needs no traceback of them."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except ClothsegError as error:
            raise gr.Error(str(error), print_exception=False) from error

    return wrapped


def photo_input(**options: Any) -> gr.Image:
    """A gr.Image that passes on the stored file (a path, or the bytes of a data: URL) untouched, for `load_photo`."""
    image = gr.Image(type="filepath", image_mode=None, **options)
    # gradio's own opens the file first and fails in Pillow's words, or encodes a data: URL anew, with loss.
    # Not a subclass: gradio writes a .pyi file beside the module of each.
    image.preprocess = _stored_photo  # type: ignore[method-assign]
    return image


@plain_errors
def _stored_photo(payload: ImageData | None) -> str | bytes | None:
    if payload is None:
        return None
    if payload.path is not None:
        return payload.path
    header, _, data = (payload.url or "").partition(",")
    if not header.startswith("data:") or not header.endswith(";base64"):
        raise ImageError("A photo must be an uploaded file, a web address or a base64 data: URL.")
    if len(data) > MAX_FILE_BYTES * 4 / 3:
        raise ImageError(f"The photo is too large: the limit is {MAX_FILE_BYTES // 2**20} MB.")
    try:
        return base64.b64decode(data, validate=True)
    except ValueError as error:
        raise ImageError("The photo's data: URL is not valid base64.") from error


def new_file(result: Segmentation, ending: str) -> Path:
    """Path for a file made from `result`: the photo's own name with `ending`, in a folder that nobody can guess."""
    folder = Path(get_upload_folder()) / secrets.token_hex(20)
    folder.mkdir(parents=True)
    return folder / (Path(result.name or "photo").stem + ending)


def save_cutout(result: Segmentation, names: list[str]) -> str:
    """Write the cut-out of the named classes as a PNG and return its path."""
    path = new_file(result, "-cutout.png")
    # Level 1 is several times faster than Pillow's default, and the file hardly larger.
    result.cutout(*names).save(path, compress_level=1)
    return str(path)


def save_labels(result: Segmentation) -> str:
    """Write the label map as a PNG and return its path."""
    path = new_file(result, "-labels.png")
    result.save_label_map(path)
    return str(path)


def save_summary(result: Segmentation) -> str:
    """Write `result.to_json` and return its path."""
    path = new_file(result, ".json")
    path.write_text(result.to_json(indent=2), encoding="utf-8")
    return str(path)


def _save_overlay(result: Segmentation) -> str:
    path = new_file(result, "-overlay.jpg")
    result.overlay().save(path, quality=90)
    return str(path)


def add_endpoints(segmenter: Segmenter) -> None:
    """Add `/segment`, `/cutout`, `/labels` and `/health` to the Blocks being built.

    API page and MCP tools show their docstrings.
    """

    def run(photo: str | bytes | None) -> Segmentation:
        if photo is None:
            raise ImageError("No photo was given; send one.")
        return segmenter(photo)

    @plain_errors
    def segment(photo: str | bytes | None) -> tuple[str, str, dict[str, Any]]:
        """Find the clothes and body parts in a photo of a dressed person: 18 classes, left and right are the wearer's.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.

        Returns:
            The photo with coloured regions (JPEG); the label map (PNG of the photo's size whose pixel values are the
            class ids); and a summary with each class's id, name, share of the photo (0..1), mean confidence (0..1)
            and box [x, y, width, height] in pixels.
        """
        result = run(photo)
        return _save_overlay(result), save_labels(result), result.to_dict()

    @plain_errors
    def cutout(photo: str | bytes | None, classes: list[str]) -> str:
        """Cut the named classes out of a photo of a dressed person; all else becomes transparent.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            classes: One or more of Background, Hat, Hair, Sunglasses, Upper-clothes, Skirt, Pants, Dress, Belt,
                Left-shoe, Right-shoe, Face, Left-leg, Right-leg, Left-arm, Right-arm, Bag, Scarf.

        Returns:
            A transparent PNG of the photo's size.
        """
        names = list(classes or [])
        result = run(photo)
        return save_cutout(result, names)

    def labels() -> list[dict[str, Any]]:
        """List the 18 classes of the label map.

        Returns:
            For each class its id (the pixel value), its name, its colour in overlays (#rrggbb), and the groups it is
            in: All garments, Upper, Lower, Shoes and accessories, Body.
        """
        return [
            {
                "id": class_id,
                "name": name,
                "color": hex_color(name),
                "groups": [group for group, names in GROUPS.items() if name in names],
            }
            for class_id, name in enumerate(NAMES)
        ]

    def health() -> dict[str, Any]:
        """Tell whether the app is up, and which model it serves.

        Returns:
            status ("ok"), model, revision (its commit on the Hub, or null), notice (why it is not the model that was
            asked for, or empty), and the network's input size [height, width].
        """
        return {
            "status": "ok",
            "model": segmenter.name,
            "revision": segmenter.revision,
            "notice": segmenter.notice,
            "image_size": list(segmenter.image_size),
        }

    gr.api(labels, api_name="labels", queue=False)
    gr.api(health, api_name="health", queue=False)
    photo = photo_input(label="photo", visible=False)
    # A dropdown, because it lets unknown names through to us, who answer with the list of known ones.
    classes = gr.Dropdown(NAMES, value=[], multiselect=True, allow_custom_value=True, label="classes", visible=False)
    overlay = gr.Image(label="overlay", type="filepath", visible=False)
    label_map, image = gr.File(label="label map", visible=False), gr.File(label="cut-out", visible=False)
    summary = gr.JSON(label="summary", visible=False)
    options: dict[str, Any] = {"concurrency_id": MODEL_QUEUE, "concurrency_limit": 1}
    trigger = gr.Button(visible=False)
    trigger.click(segment, photo, [overlay, label_map, summary], api_name="segment", **options)
    trigger.click(cutout, [photo, classes], image, api_name="cutout", **options)
