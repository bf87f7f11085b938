"""Options of a segmentation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from inspect import Parameter, Signature, signature
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypedDict, TypeVar

from clothseg.errors import ConfigError
from clothseg.labels import BACKGROUND, LabelSet
from clothseg.options.declaration import by_current_names, declare, options_of


@dataclass(frozen=True, kw_only=True)
class SegmentOptions:
    """Options of a segmentation.

    Attributes:
        people: "one" (the default) assumes a single person. "all" separates the people, segments
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

        exclude: classes that are known not to be in the photo, or groups of them: their pixels get the next most
            likely class. Not "Background".

    Raises:
        ConfigError: a wrong value.
        UnknownClassError: a name of `exclude` is not text.
    """

    people: Literal["one", "all"] = declare(
        "one",
        '"one" assumes a single person; "all" separates the people and segments each of them',
        choices=("one", "all"),
    )
    edges: Literal["guided", "plain"] = declare(
        "guided",
        '"guided" makes borders follow the photo\'s edges; "plain" interpolates the logits as transformers does',
        choices=("plain", "guided"),
    )
    zoom: Literal["auto", "off"] = declare(
        "auto",
        '"auto" crops a small figure and segments it again at a higher resolution; "off" never does',
        choices=("off", "auto"),
    )
    tta: bool = declare(
        False,
        "average over the photo, its mirror image and a larger size: more accurate, but takes five times as long",
    )
    rules: bool = declare(False, "remove specks, and parts that cannot belong to a single person")
    orientation: Literal["auto", "upright"] = declare(
        "auto",
        '"auto" turns photos that do not look upright and segments them again; "upright" never does',
        choices=("upright", "auto"),
    )
    back_view: Literal["off", "auto"] = declare(
        "off",
        '"auto" swaps left and right of a person who seems to be seen from behind; "off" never does',
        choices=("off", "auto"),
    )
    max_side: int | None = declare(
        None,
        "reduce larger photos to this number of pixels on the longer side, which is faster",
        kind=int,
        minimum=32,
        optional=True,
    )
    exclude: Sequence[str] = declare(
        (),
        "classes or groups that are known not to be in the photo; the next most likely classes are used instead",
    )

    RENAMED: ClassVar[Mapping[str, str]] = MappingProxyType({"average": "tta", "longest": "max_side"})
    """Old names, accepted for one release, and the new ones."""

    def __post_init__(self) -> None:
        for name, option in options_of(type(self)).items():
            object.__setattr__(self, name, option.check(getattr(self, name)))

    def excluded_ids(self, labels: LabelSet) -> list[int]:
        """Return the ids of the classes in `exclude`.

        Raises:
            UnknownClassError: a name is neither a class nor a group of the label set.
            ConfigError: the background is among them.
        """
        ids = labels.ids_of(self.exclude)
        if BACKGROUND in ids:
            raise ConfigError(f"The option exclude cannot be {labels.background}: something is always behind.")
        return ids

    @classmethod
    def of(cls, values: Mapping[str, Any], base: "SegmentOptions | None" = None) -> "SegmentOptions":
        """Return options from names and values, such as a call's keywords or a JSON object; others are as in `base`.

        Raises:
            ConfigError: an unknown option, or a wrong value.
        """
        base = base or cls()
        if not isinstance(base, SegmentOptions):
            raise ConfigError(f"options must be a SegmentOptions, not {base!r}; pass single options by name.")
        return replace(base, **by_current_names(cls, values, "a segmentation", cls.RENAMED)) if values else base


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
