"""Parameters of the endpoints as JSON gives them, checked and converted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clothseg.errors import ConfigError, UnknownClassError
from clothseg.options import CutoutOptions, PackshotOptions, SegmentOptions, TryonOptions
from clothseg.segmentation import Segmentation


Run = Callable[[str | bytes | None, SegmentOptions], Segmentation]
"""Segments the photo of a call; raises `ImageError` without one."""

DEFAULT = SegmentOptions()
"""Default of the endpoints' parameter `look`."""


def names_of(classes: Any) -> list[str]:
    """Return the named classes as a list: from a list, one name, or nothing; reject other JSON values."""
    if classes is not None and not isinstance(classes, str | list):
        raise UnknownClassError(f"classes must be a list of names, not {str(classes)[:50]}.")
    return [classes] if isinstance(classes, str) else list(classes or [])


def cutout_options_of(options: Any, picture: str | bytes | None) -> CutoutOptions:
    """Return the options of a call, with a picture as background if there is one."""
    options = _object(options, "a cut-out")
    if picture is not None:
        options = options | {"background": Path(picture) if isinstance(picture, str) else picture}
    elif not isinstance(options.get("background") or "none", str):
        raise ConfigError(
            'The option background can be "none" or a colour; send a picture as the parameter background.'
        )
    return CutoutOptions.of(options)


def tryon_options_of(options: Any, part: str | None = None) -> TryonOptions:
    """Return the options of a call; `part` is that of its own parameter."""
    return TryonOptions.of({"part": part} | _object(options, "a try-on mask"))


def packshot_options_of(options: Any) -> PackshotOptions:
    """Return the options of a call."""
    return PackshotOptions.of(_object(options, "a packshot"))


def _object(options: Any, whose: str) -> dict[str, Any]:
    if options is None:
        return {}
    if not isinstance(options, dict):
        raise ConfigError(f"The options of {whose} must be a JSON object, not {options!r}.")
    return options
