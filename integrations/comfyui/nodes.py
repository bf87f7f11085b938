"""The nodes: clothes segmentation, try-on masks, and single garments."""

import re
from collections.abc import Iterator
from typing import Any

import torch
from PIL import Image

from clothseg import CutoutOptions, Segmentation, TryonOptions
from clothseg.errors import ConfigError
from clothseg.labels import ATR
from clothseg.options import options_of

from . import models, tensors


CATEGORY = "clothseg"

GARMENTS = tuple(ATR.garments)
"""Classes that are chosen by default: garments and accessories."""

CLASSES = (*GARMENTS, *(name for name in ATR.names if name not in GARMENTS))
"""The classes of the model that comes with clothseg, each with a switch."""

_TRYON = options_of(TryonOptions)

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")

_MODEL = {
    "people": (
        ["one", "all"],
        {"default": "one", "tooltip": "one: a photo of one main person. all: segment several people one by one"},
    ),
    "tta": (
        "BOOLEAN",
        {"default": False, "tooltip": "average over mirror and sizes: more accurate, five times slower"},
    ),
    "process_res": (
        "INT",
        {
            "default": 0,
            "min": 0,
            "max": 2048,
            "step": 32,
            "tooltip": "longer side of the network's input in pixels; 0 (recommended) is the size it was trained at",
        },
    ),
    "model": (
        "STRING",
        {
            "default": "",
            "tooltip": "empty: the model that comes with clothseg. Or a folder, a folder's name in models/clothseg, "
            "or a Hub id such as mattmdjaga/segformer_b2_clothes, which is downloaded",
        },
    ),
    "device": (["auto", "cpu", "cuda"], {"default": "auto"}),
}
"""Inputs of all nodes."""

_SWITCHES = {name: ("BOOLEAN", {"default": name in GARMENTS}) for name in CLASSES}

_MORE = {
    "more_classes": (
        "STRING",
        {
            "default": "",
            "tooltip": "more classes or groups, separated by commas, such as All garments, Upper, Lower; for models "
            "with other classes than ATR's",
        },
    )
}


def chosen(switches: dict[str, Any], more: str, result: Segmentation) -> list[str]:
    """Return the classes to keep: those that are switched on, if the model has them, and those named in `more`.

    Raises:
        ConfigError: there are none.
        UnknownClassError: a name of `more` is not one of the model's.
    """
    named = [name.strip() for name in more.split(",") if name.strip()]
    names = [name for name in CLASSES if switches.get(name) and name in result.labels.names]
    names += [name for name in result.labels.class_names(named) if name not in names] if named else []
    if not names:
        raise ConfigError(
            f"No class is chosen. Switch one on, or write it in more_classes; the model has: "
            f"{', '.join(result.labels.names)}."
        )
    return names


def segmented(images: torch.Tensor, others: dict[str, Any]) -> Iterator[Any]:
    """Yield the result of each picture of a batch; ComfyUI's progress bar and its cancel button are served.

    Args:
        images: (N, H, W, 3 or 4) float32 in 0..1.
        others: a node's inputs, of which those of `_MODEL` are used.
    """
    given = _with_defaults(_MODEL, others)
    segmenter = models.segmenter(given["model"], given["device"], given["process_res"])
    progress = _progress(len(images))
    for picture in tensors.pictures(images):
        yield segmenter(picture, people=given["people"], tta=given["tta"])
        progress(1)


class ClothsegSegment:
    """Clothes segmentation: what the chosen classes leave of the image, their mask, and the label map."""

    CATEGORY = CATEGORY
    FUNCTION = "segment"
    DESCRIPTION = "Find clothes, hair, skin and accessories, and cut out the chosen classes."
    RETURN_TYPES = ("IMAGE", "MASK", "IMAGE", "IMAGE")
    RETURN_NAMES = ("image", "mask", "label_map", "regions")
    OUTPUT_TOOLTIPS = (
        "the chosen classes on the background; with Alpha an RGBA image",
        "white where the chosen classes are",
        "class ids as grey levels: Save Image writes PNGs whose pixel values are the ids",
        "the image under the classes' colours",
    )

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the inputs in ComfyUI's form."""
        return {
            "required": {"images": ("IMAGE",)},
            "optional": {
                **_SWITCHES,
                **_MORE,
                "mask_blur": (
                    "INT",
                    {"default": 0, "min": 0, "max": 64, "tooltip": "pixels over which the edge fades on both sides"},
                ),
                "mask_offset": (
                    "INT",
                    {
                        "default": 0,
                        "min": -64,
                        "max": 64,
                        "tooltip": "grow the mask by these pixels; negative: shrink",
                    },
                ),
                "soft_edges": ("BOOLEAN", {"default": False, "tooltip": "make the edge follow hair and fringes"}),
                "fill_holes": ("BOOLEAN", {"default": False, "tooltip": "fill small holes"}),
                "drop_specks": ("BOOLEAN", {"default": False, "tooltip": "remove small pieces"}),
                "invert_output": (
                    "BOOLEAN",
                    {"default": False, "tooltip": "keep everything except the classes, in image and mask"},
                ),
                "background": (["Alpha", "Color"], {"default": "Alpha"}),
                "background_color": (
                    "STRING",
                    {"default": "#ffffff", "tooltip": "such as #ff8800, with background Color"},
                ),
                **_MODEL,
            },
        }

    @classmethod
    def VALIDATE_INPUTS(cls, background_color: str | None = None) -> bool | str:
        """Return True, or what is wrong, before anything runs; None comes from another node."""
        if background_color is None or _COLOR.fullmatch(background_color):
            return True
        return f"{background_color} is not a colour such as #ff8800."

    def segment(
        self,
        images: torch.Tensor,
        more_classes: str = "",
        mask_blur: int = 0,
        mask_offset: int = 0,
        soft_edges: bool = False,
        fill_holes: bool = False,
        drop_specks: bool = False,
        invert_output: bool = False,
        background: str = "Alpha",
        background_color: str = "#ffffff",
        **others: Any,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Segment a batch of images; `INPUT_TYPES` describes the inputs, `OUTPUT_TOOLTIPS` the outputs."""
        options = CutoutOptions(
            background="none" if background == "Alpha" else background_color,
            grow=mask_offset,
            feather=mask_blur,
            soft_edges=soft_edges,
            fill_holes=fill_holes,
            drop_specks=drop_specks,
            invert=invert_output,
        )
        made: list[tuple[torch.Tensor, ...]] = []
        for result in segmented(images, others):
            names = chosen(_with_defaults(_SWITCHES, others), more_classes, result)
            made.append(
                (
                    tensors.image(result.cutout(*names, options=options)),
                    tensors.mask(result.mask_picture(*names, options=options)),
                    tensors.image(result.label_picture(grey=True)),
                    tensors.image(result.overlay()),
                )
            )
        image, mask, label_map, regions = map(tensors.batch, zip(*made, strict=True))
        return image, mask, label_map, regions


class ClothsegTryonMask:
    """Mask and grey picture for virtual try-on models: CatVTON, IDM-VTON, OOTDiffusion."""

    CATEGORY = CATEGORY
    FUNCTION = "make"
    DESCRIPTION = "Mask the garment that a try-on model replaces, and what the new one may cover."
    RETURN_TYPES = ("IMAGE", "MASK")
    RETURN_NAMES = ("agnostic", "mask")

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the inputs in ComfyUI's form."""
        return {
            "required": {
                "images": ("IMAGE",),
                "part": (list(_TRYON["part"].choices), {"default": "upper", "tooltip": "a dress counts as both"}),
            },
            "optional": {
                "shape": (
                    list(_TRYON["shape"].choices),
                    {"default": "hull", "tooltip": "hull hides the old garment's shape; outline follows it"},
                ),
                "reach": (
                    "INT",
                    {
                        "default": -1,
                        "min": -1,
                        "max": 256,
                        "tooltip": "pixels to widen by; -1: 1/50 of the longer side",
                    },
                ),
                "mask_blur": (
                    "INT",
                    {"default": 0, "min": 0, "max": 64, "tooltip": "pixels over which the edge fades"},
                ),
                **_MODEL,
            },
        }

    def make(
        self,
        images: torch.Tensor,
        part: str = "upper",
        shape: str = "hull",
        reach: int = -1,
        mask_blur: int = 0,
        **others: Any,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Make masks of a batch of images."""
        options = TryonOptions.of(
            {"part": part, "shape": shape, "reach": None if reach < 0 else reach, "blur": mask_blur}
        )
        made = [result.tryon(options=options) for result in segmented(images, others)]
        return tensors.batch([tensors.image(each.picture) for each in made]), tensors.batch(
            [tensors.mask(each.mask) for each in made]
        )


class ClothsegItems:
    """Single garments as crops: one image, mask and text for each."""

    CATEGORY = CATEGORY
    FUNCTION = "crop"
    DESCRIPTION = "Crop each garment of the chosen classes: lists of images, masks and descriptions."
    RETURN_TYPES = ("IMAGE", "MASK", "STRING")
    RETURN_NAMES = ("images", "masks", "descriptions")
    OUTPUT_IS_LIST = (True, True, True)

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, Any]:
        """Return the inputs in ComfyUI's form."""
        return {
            "required": {"images": ("IMAGE",)},
            "optional": {
                **_SWITCHES,
                **_MORE,
                "padding": ("INT", {"default": 16, "min": 0, "max": 1000, "tooltip": "pixels around each item"}),
                "min_share": (
                    "FLOAT",
                    {
                        "default": 0.002,
                        "min": 0.0,
                        "max": 1.0,
                        "step": 0.001,
                        "tooltip": "smallest share of the image",
                    },
                ),
                **_MODEL,
            },
        }

    def crop(
        self,
        images: torch.Tensor,
        more_classes: str = "",
        padding: int = 16,
        min_share: float = 0.002,
        **others: Any,
    ) -> tuple[list[torch.Tensor], list[torch.Tensor], list[str]]:
        """Crop the items of a batch of images.

        Raises:
            ConfigError: there is none.
        """
        crops, masks, texts = [], [], []
        for result in segmented(images, others):
            names = chosen(_with_defaults(_SWITCHES, others), more_classes, result)
            picture = tensors.image(result.photo.convert("RGB"))
            for item in result.items(*names, min_share=min_share):
                x, y, width, height = item.box
                rows = slice(max(0, y - padding), y + height + padding)
                columns = slice(max(0, x - padding), x + width + padding)
                crops.append(picture[rows, columns][None])
                masks.append(tensors.mask(Image.fromarray(item.full_mask()))[rows, columns][None])
                texts.append(" ".join([*(color.name for color in item.colors[:1]), item.name]))
        if not crops:
            raise ConfigError("No item of the chosen classes was found; choose more classes, or a smaller min_share.")
        return crops, masks, texts


def _with_defaults(inputs: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the values of these inputs, with defaults for those that a workflow leaves out."""
    return {name: given.get(name, spec[1]["default"]) for name, spec in inputs.items()}


def _progress(total: int) -> Any:
    try:
        from comfy.model_management import throw_exception_if_processing_interrupted as check
        from comfy.utils import ProgressBar
    except ImportError:  # outside ComfyUI
        return lambda _: None
    bar = ProgressBar(total)

    def update(steps: int) -> None:
        bar.update(steps)
        check()

    return update


NODE_CLASS_MAPPINGS = {
    "ClothsegSegment": ClothsegSegment,
    "ClothsegTryonMask": ClothsegTryonMask,
    "ClothsegItems": ClothsegItems,
}

NODE_DISPLAY_NAME_MAPPINGS = {
    "ClothsegSegment": "Clothes Segmentation (clothseg)",
    "ClothsegTryonMask": "Try-on Mask (clothseg)",
    "ClothsegItems": "Garment Crops (clothseg)",
}
