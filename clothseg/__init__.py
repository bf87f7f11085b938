"""Clothes segmentation of photos into ATR's 18 classes.

    from clothseg import Segmenter

    result = Segmenter.from_pretrained()("photo.jpg")
    result.areas  # {"Background": 0.71, "Dress": 0.18, ...}

`import clothseg` is light: torch, transformers and OpenCV are loaded with the first name that needs them.
"""

import warnings
from importlib import import_module
from typing import TYPE_CHECKING, Any

from clothseg.errors import (
    ClothsegError,
    ConfigError,
    DataError,
    HubError,
    ImageError,
    ModelError,
    UnknownClassError,
    WorkerError,
)


if TYPE_CHECKING:
    from clothseg.batch.worker_pool import WorkerPool
    from clothseg.options import CutoutOptions, PackshotOptions, SegmentOptions, TryonOptions
    from clothseg.postprocess.clicks import Click
    from clothseg.segmentation import Segmentation
    from clothseg.segmenter import Segmenter

__version__ = "0.1.0"

__all__ = [
    "Click",
    "ClothsegError",
    "ConfigError",
    "CutoutOptions",
    "DataError",
    "HubError",
    "ImageError",
    "ModelError",
    "PackshotOptions",
    "SegmentOptions",
    "Segmentation",
    "Segmenter",
    "TryonOptions",
    "UnknownClassError",
    "WorkerError",
    "WorkerPool",
    "__version__",
]

_LAZY = {
    "Click": "clothseg.postprocess.clicks",
    "WorkerPool": "clothseg.batch.worker_pool",
    "CutoutOptions": "clothseg.options",
    "PackshotOptions": "clothseg.options",
    "SegmentOptions": "clothseg.options",
    "TryonOptions": "clothseg.options",
    "Segmentation": "clothseg.segmentation",
    "Segmenter": "clothseg.segmenter",
}


_RENAMED = {"Crew": "WorkerPool"}
"""Old names, which work for one release, and the new ones."""


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        new = _RENAMED[name]
        warnings.warn(f"clothseg.{name} is now called clothseg.{new}.", DeprecationWarning, stacklevel=2)
        name = new
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)
