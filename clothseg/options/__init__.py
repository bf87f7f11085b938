"""Options of segmentation and of outputs, each declared once, with type, values, default and help.

Signatures, endpoints and their schemas, MCP tools, the command line, the page's switches, video and evaluation use
these declarations; `tests/test_options.py` compares all of them.
"""

from clothseg.options.cutout import MASK_OPTIONS, MAX_FEATHER, MAX_GROWTH, MAX_MARGIN, CutoutOptions
from clothseg.options.declaration import Option, options_of
from clothseg.options.packshot import PackshotOptions
from clothseg.options.segment import (
    ENDPOINT_OPTIONS,
    EVALUATION_OPTIONS,
    VIDEO_OPTIONS,
    SegmentKeywords,
    SegmentOptions,
    VideoKeywords,
    takes_options,
)
from clothseg.options.tryon import TryonOptions


__all__ = [
    "ENDPOINT_OPTIONS",
    "EVALUATION_OPTIONS",
    "MASK_OPTIONS",
    "MAX_FEATHER",
    "MAX_GROWTH",
    "MAX_MARGIN",
    "VIDEO_OPTIONS",
    "CutoutOptions",
    "Option",
    "PackshotOptions",
    "SegmentKeywords",
    "SegmentOptions",
    "TryonOptions",
    "VideoKeywords",
    "options_of",
    "takes_options",
]
