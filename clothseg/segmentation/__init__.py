"""The result of a segmentation: an immutable photo with its label map, and methods that create outputs from it."""

from clothseg.segmentation.result import Segmentation


__all__ = ["Segmentation"]
