"""Options of segmentations and cut-outs, each declared once, with type, values, default and help.

Signatures, endpoints and their schemas, MCP tools, the command line, the page's switches, video and evaluation use
these declarations; `tests/test_options.py` compares all of them.
"""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields, replace
from functools import cache
from inspect import Parameter, Signature, signature
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self, TypedDict, TypeVar

import numpy as np

from clothseg.errors import ConfigError
from clothseg.labels import BACKGROUND, GROUPS, NAMES, class_names


if TYPE_CHECKING:
    from clothseg.images.decode import Photo


@dataclass(frozen=True)
class Option:
    """An option.

    Attributes:
        name: name of the field, keyword and parameter.
        kind: type of its values: bool, int, float or str; tuple for several names of classes or groups.
        default: default value.
        help: one line for command line and API page.
        choices: all values of a text option; if there are two, the page's switch is off for the first and on for the
            second.
        minimum: least value of a number.
        maximum: largest value of a number; None is no limit.
        optional: whether None is allowed.
    """

    name: str
    kind: type
    default: Any
    help: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    optional: bool = False

    def check(self, value: Any) -> Any:
        """Return the value, converted to the option's type.

        Raises:
            ConfigError: the value has another type, is none of the choices, or is out of range.
        """
        if value is None and self.optional:
            return None
        if self.kind is bool and isinstance(value, bool | np.bool_):
            return bool(value)
        if self.kind is str and isinstance(value, str) and value in self.choices:
            return value
        if self.kind in (int, float) and self._in_range(value):
            return self.kind(value)
        if self.kind is tuple and isinstance(value, str | tuple | list):
            return self._classes([value] if isinstance(value, str) else list(value))
        raise ConfigError(f"The option {self.name} can be {self.values}, not {repr(value)[:100]}.")

    def _classes(self, names: list[str]) -> tuple[str, ...]:
        found = class_names(names)
        if NAMES[BACKGROUND] in found:
            raise ConfigError(f"The option {self.name} cannot be {NAMES[BACKGROUND]}: something is always behind.")
        return found

    def _in_range(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float | np.number) or value != value:
            return False
        least, most = self.minimum, self.maximum
        inside = (least is None or value >= least) and (most is None or value <= most)
        return bool(inside and (self.kind is float or (np.isfinite(value) and value == int(value))))

    @property
    def values(self) -> str:
        """Return the allowed values in words."""
        if self.kind is bool:
            return "true or false"
        if self.kind is tuple:
            return "a list of names of classes"
        if self.choices:
            return f"{', '.join(self.choices[:-1])} or {self.choices[-1]}"
        what = "a number" if self.kind is float else "a whole number"
        if self.maximum is None:
            return f"{what} from {self.minimum:g}"
        return f"{what} from {self.minimum:g} to {self.maximum:g}"

    @property
    def schema(self) -> dict[str, Any]:
        """Return the JSON schema of the values."""
        if self.kind is tuple:
            names = {"type": "string", "enum": [*GROUPS, *NAMES[BACKGROUND + 1 :]]}
            return {"type": "array", "items": names, "description": self.help}
        made: dict[str, Any] = {"type": {bool: "boolean", int: "integer", float: "number", str: "string"}[self.kind]}
        made |= {"enum": list(self.choices)} if self.choices else {}
        made |= {"minimum": self.minimum} if self.minimum is not None else {}
        made |= {"maximum": self.maximum} if self.maximum is not None else {}
        return made | {"description": self.help}


def _option(default: Any, help_: str, **limits: Any) -> Any:
    """Return a dataclass field with an `Option` in its metadata."""
    return field(default=default, metadata={"help": help_, **limits})


def options_of(cls: "type[SegmentOptions | CutoutOptions | TryonOptions]") -> Mapping[str, Option]:
    """Return the options by name, in the order of the fields."""
    return _options_of(cls)  # type: ignore[arg-type]


@cache
def _options_of(cls: type[Any]) -> Mapping[str, Option]:
    return MappingProxyType({each.name: _as_option(each) for each in fields(cls)})


def _as_option(each: "Field[Any]") -> Option:
    about: dict[str, Any] = dict(each.metadata)
    kind = about.pop("kind", None) or type(each.default)
    return Option(each.name, kind, each.default, about.pop("help"), **about)


@dataclass(frozen=True, kw_only=True)
class SegmentOptions:
    """Options of a segmentation.

    Attributes:
        people: "one" (the default) treats the photo as one of a single person. "all" separates the people, segments
            each at a higher resolution, and gives the person of each pixel (`person_map` and `people` of the result),
            with one more pass of the network for each person.
        edges: "guided" (the default) makes borders follow the photo's edges, and removes legs if the photo is cropped
            above them. "plain" interpolates the network's logits; with zoom "off" and orientation "upright" the result
            equals that of transformers. docs/experiments/edges.md has the figures.
        zoom: "auto" (the default) crops a small figure, or someone standing in a wide photo, and segments it again at
            a higher resolution. "off" never does.
        tta: test-time augmentation: average over the photo, its mirror image and a larger input size. Finer
            borders and belts at five times the work or more.
        rules: remove specks, and parts that cannot belong to a single person: `clothseg.postprocess.cleanup`.
        orientation: "auto" (the default) segments a photo again turned by 90, 180 and 270 degrees if the first pass
            does not look upright. The result is in the photo's own orientation; its `rotation` is the turn. "upright"
            treats every photo as upright.
        back_view: "auto" swaps left and right of a person who seems to be seen from behind, with edges "guided" only.
            "off" (the default) never does: if a front is taken for a back, all sides are wrong.
        max_side: reduce a larger photo to this number of pixels on its longer side before it is segmented; the result
            contains the reduced photo. docs/performance.md describes gains and losses.

        exclude: classes that are known not to be in the photo, or groups of them: their pixels go to the next likely
            class. Not "Background".

    Raises:
        ConfigError: a wrong value.
        UnknownClassError: a name of `exclude` is neither a class nor a group.
    """

    people: Literal["one", "all"] = _option(
        "one",
        '"one" treats the photo as one of a single person; "all" separates the people and segments each of them',
        choices=("one", "all"),
    )
    edges: Literal["guided", "plain"] = _option(
        "guided",
        '"guided" makes borders follow the photo\'s edges; "plain" interpolates the logits as transformers does',
        choices=("plain", "guided"),
    )
    zoom: Literal["auto", "off"] = _option(
        "auto",
        '"auto" crops a small figure and segments it again at a higher resolution; "off" never does',
        choices=("off", "auto"),
    )
    tta: bool = _option(
        False, "average over the photo, its mirror image and a larger size: more accurate, five times slower"
    )
    rules: bool = _option(False, "remove specks, and parts that cannot belong to a single person")
    orientation: Literal["auto", "upright"] = _option(
        "auto",
        '"auto" turns photos that do not look upright and segments them again; "upright" never does',
        choices=("upright", "auto"),
    )
    back_view: Literal["off", "auto"] = _option(
        "off",
        '"auto" swaps left and right of a person who seems to be seen from behind; "off" never does',
        choices=("off", "auto"),
    )
    max_side: int | None = _option(
        None,
        "reduce larger photos to this number of pixels on the longer side, which is faster",
        kind=int,
        minimum=32,
        optional=True,
    )
    exclude: Sequence[str] = _option(
        (), "classes that are known not to be in the photo, or groups of them: the next likely ones take their place"
    )

    RENAMED: ClassVar[Mapping[str, str]] = MappingProxyType({"average": "tta", "longest": "max_side"})
    """Old names, accepted for one release, and the new ones."""

    def __post_init__(self) -> None:
        for name, option in options_of(type(self)).items():
            object.__setattr__(self, name, option.check(getattr(self, name)))

    @classmethod
    def of(cls, values: Mapping[str, Any], base: "SegmentOptions | None" = None) -> "SegmentOptions":
        """Return options from names and values, such as a call's keywords or a JSON object; others are as in `base`.

        Raises:
            ConfigError: an unknown option, or a wrong value.
        """
        base = base or cls()
        if not isinstance(base, SegmentOptions):
            raise ConfigError(f"options must be a SegmentOptions, not {base!r}; pass single options by name.")
        return replace(base, **_known(cls, values, "a segmentation", cls.RENAMED)) if values else base


class VideoKeywords(TypedDict, total=False):
    """The fields of `SegmentOptions` that clips have, as keywords of a call; for type checkers."""

    edges: Literal["guided", "plain"]
    zoom: Literal["auto", "off"]
    rules: bool
    back_view: Literal["off", "auto"]
    exclude: Sequence[str]


class SegmentKeywords(VideoKeywords, total=False):
    """The fields of `SegmentOptions`, as keywords of a call; for type checkers."""

    people: Literal["one", "all"]
    tta: bool
    orientation: Literal["auto", "upright"]
    max_side: int | None


VIDEO_OPTIONS = ("edges", "zoom", "rules", "back_view", "exclude")
"""Options that clips share with photos. Not `people`: numbers from left to right would change as people pass each
other, and each person in each frame would take one more pass. Not `tta`: each frame is averaged with those before it.
Not `orientation`: a clip contains its orientation. Not `max_side`: a clip's reader limits its frames."""

ENDPOINT_OPTIONS = ("people", "edges", "zoom", "tta", "rules", "orientation", "back_view", "exclude")
"""Options of the app's endpoints and page, in the order of the parameters. Not `max_side`, since files have the
photo's own size there."""

EVALUATION_OPTIONS = ENDPOINT_OPTIONS
"""Options for scoring a model. Not `max_side`, since the ground truth has the photo's own size."""


MAX_GROWTH = 64
"""Largest move of an outline, in pixels."""

MAX_FEATHER = 64.0
"""Largest feather, in pixels."""

MAX_MARGIN = 1000
"""Largest margin around a cropped cut-out, in pixels."""

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class CutoutOptions:
    """Options of a cut-out. The page, the API and the command line have the same ones.

    Attributes:
        background: "none" (transparent), a colour such as "#ff8800", or a picture as
            `clothseg.images.decode.load_photo` takes it. A path must be a `pathlib.Path`, so that text from outside
            cannot open a file.
        crop: crop to the visible pixels.
        margin: pixels to leave around a cropped cut-out on each side, 0 to 1000; empty beyond the photo's edge.
        grow: pixels by which the outline moves outwards, or inwards if negative: -64 to 64.
        feather: pixels on both sides of the outline over which it fades, 0 to 64.
        soft_edges: make alpha follow hair, fringes and blur, and remove the background's colours from the edge.
        fill_holes: fill holes below 1 % of the cut-out's area.
        drop_specks: remove pieces below 0.03 % of the photo; the largest always stays.
        invert: keep everything except the classes.

    Raises:
        ConfigError: a wrong value.
        ImageError: the background picture cannot be used.
    """

    background: "str | Photo" = _option("none", '"none" (transparent) or a colour such as "#ff8800"')  # noqa: RUF009
    crop: bool = _option(False, "crop to the visible pixels")
    margin: int = _option(0, "pixels to leave around a cropped cut-out", minimum=0, maximum=MAX_MARGIN)
    grow: int = _option(
        0, "pixels by which the outline moves outwards; negative: inwards", minimum=-MAX_GROWTH, maximum=MAX_GROWTH
    )
    feather: float = _option(0.0, "pixels over which the edge fades", minimum=0, maximum=MAX_FEATHER)
    soft_edges: bool = _option(False, "make the edge follow hair and fringes")
    fill_holes: bool = _option(False, "fill small holes")
    drop_specks: bool = _option(False, "remove small pieces")
    invert: bool = _option(False, "keep everything except the classes")

    def __post_init__(self) -> None:
        for name, option in options_of(type(self)).items():
            if name != "background":
                object.__setattr__(self, name, option.check(getattr(self, name)))
        background = self.background
        if isinstance(background, str):
            if background != "none" and not _COLOR.fullmatch(background):
                raise ConfigError(
                    f'background must be "none", a colour such as "#ff8800" or a picture, not {background!r}.'
                )
            object.__setattr__(self, "background", background.lower())
        else:
            from clothseg.images.decode import load_photo

            object.__setattr__(self, "background", load_photo(background))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return options from a mapping such as a JSON object; missing values and None mean the default.

        Raises:
            ConfigError: an unknown option, or a wrong value.
        """
        return cls(**_known(cls, {name: value for name, value in values.items() if value is not None}, "a cut-out"))


MASK_OPTIONS = ("grow", "feather", "soft_edges", "fill_holes", "drop_specks", "invert")
"""Options of cut-outs that change masks. Not `background`, `crop` and `margin`: a mask has the photo's size."""


@dataclass(frozen=True, kw_only=True)
class TryonOptions:
    """Options of masks for virtual try-on (`clothseg.outputs.tryon`).

    Attributes:
        part: which garment is replaced: "upper" (a dress counts), "lower" (a dress counts) or "overall".
        shape: "hull" (the default) fills the convex hull of each piece, so that the old garment's shape is hidden;
            "outline" follows garment and limbs.
        reach: pixels by which the mask is wider than garment and limbs, 0 to 256; None is 1/50 of the longer side.
        blur: pixels on both sides of the outline over which the mask fades, 0 to 64.

    Raises:
        ConfigError: a wrong value.
    """

    part: Literal["upper", "lower", "overall"] = _option(
        "upper",
        "which garment a try-on model replaces; a dress counts as upper and as lower",
        choices=("upper", "lower", "overall"),
    )
    shape: Literal["hull", "outline"] = _option(
        "hull",
        '"hull" fills the convex hull of each piece of the try-on mask; "outline" follows garment and limbs',
        choices=("outline", "hull"),
    )
    reach: int | None = _option(
        None,
        "pixels by which the try-on mask is wider than garment and limbs; by default 1/50 of the longer side",
        kind=int,
        minimum=0,
        maximum=256,
        optional=True,
    )
    blur: float = _option(0.0, "pixels over which the edge of the try-on mask fades", minimum=0, maximum=MAX_FEATHER)

    def __post_init__(self) -> None:
        for name, option in options_of(type(self)).items():
            object.__setattr__(self, name, option.check(getattr(self, name)))

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """Return options from a mapping such as a JSON object; missing values and None mean the default.

        Raises:
            ConfigError: an unknown option, or a wrong value.
        """
        given = {name: value for name, value in values.items() if value is not None}
        return cls(**_known(cls, given, "a try-on mask"))


def _known(
    cls: "type[SegmentOptions | CutoutOptions | TryonOptions]",
    values: Mapping[str, Any],
    whose: str,
    renamed: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Return the values under the current names."""
    known = options_of(cls)
    made = {}
    for name, value in values.items():
        new = renamed.get(name, name)
        if new not in known:
            raise ConfigError(f"{whose.capitalize()} has no option {name!r}; the options are: {', '.join(known)}.")
        if new != name:
            warnings.warn(f"The option {name} is now called {new}.", DeprecationWarning, stacklevel=4)
        made[new] = value
    return made


Function = TypeVar("Function", bound=Callable[..., Any])


def takes_options(*names: str) -> Callable[[Function], Function]:
    """Make `help` and `inspect.signature` show options of `SegmentOptions` in place of a function's `**keywords`.

    Args:
        names: options to show; by default all.
    """

    def decorate(function: Function) -> Function:
        given = signature(function)
        known = options_of(SegmentOptions)
        own = [each for each in given.parameters.values() if each.kind is not Parameter.VAR_KEYWORD]
        annotations = VideoKeywords.__annotations__ | SegmentKeywords.__annotations__
        options = [
            Parameter(name, Parameter.KEYWORD_ONLY, default=known[name].default, annotation=annotations[name])
            for name in names or known
        ]
        function.__signature__ = Signature(  # type: ignore[attr-defined]
            [*own, *options], return_annotation=given.return_annotation
        )
        return function

    return decorate
