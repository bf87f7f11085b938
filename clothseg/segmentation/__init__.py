"""The result of a segmentation: an immutable photo with its label map, and methods for what is made of it."""

from clothseg.segmentation.result import Segmentation


__all__ = ["Segmentation"]
