"""Arguments that several commands share."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from clothseg.commands.numbers import number_of
from clothseg.errors import ConfigError, ImageError, UnknownClassError, UsageError
from clothseg.labels import GROUPS, LabelSet
from clothseg.options import CutoutOptions, Option, SegmentOptions, options_of
from clothseg.options.declaration import Checked


if TYPE_CHECKING:
    from clothseg.training.data.sources import Layout


Options = TypeVar("Options", bound=Checked)


EMBEDDED = "embedded"
"""Name of the model that comes with clothseg, where a command needs one."""


def add_model(parser: argparse.ArgumentParser, name: str = "--model", required: bool = False) -> None:
    """Add `--revision` and the model: an option, or an argument with the name "model". None is the embedded model."""
    default = f"`{EMBEDDED}` is" if required else "default:"
    settings: dict[str, Any] = {} if name.startswith("-") else {"metavar": "MODEL", "nargs": None if required else "?"}
    help_text = f"Hub id or folder; {default} the model that comes with clothseg"
    parser.add_argument(name, type=model_name, help=help_text, **settings)
    parser.add_argument("--revision", help="branch, tag or commit of the model on the Hub")


def model_name(text: str) -> str | None:
    """Return the name of a model as the library takes it: None for the embedded one."""
    return None if text == EMBEDDED else text


def add_precision(parser: argparse.ArgumentParser) -> None:
    """Add `--precision`."""
    from clothseg.engines import PRECISIONS

    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="exact",
        help="exact (default): float32; fast: bfloat16; int8: faster still, on CPUs with VNNI (docs/performance.md)",
    )


def labels_of(arguments: argparse.Namespace) -> LabelSet:
    """Return the label set of the model that `add_model`'s arguments name, without loading the model.

    Raises:
        HubError: the model does not exist or is not accessible, or the Hub cannot be reached.
        ModelError: its labels cannot be used.
    """
    from clothseg.models.loading import read_label_set

    with as_usage():
        return read_label_set(arguments.model, arguments.revision)


def add_layout(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say where a data set keeps photos, masks and names of classes."""
    parser.add_argument(
        "--dataset_config_name", help="configuration of a data set on the Hub, or folder within a folder"
    )
    parser.add_argument("--image_column", default="image", help="column, or folder, of the photos (default: image)")
    parser.add_argument("--mask_column", default="mask", help="column, or folder, of the masks (default: mask)")
    parser.add_argument(
        "--labels",
        help="classes of the masks: a built-in label set (ATR, LIP, CIHP, FASHN, Fashionpedia) or a JSON file; "
        "default: what the data set states, else ATR",
    )
    parser.add_argument("--label_map", help="JSON file from ids or classes of the masks to new ones, as for training")


def layout_of(arguments: argparse.Namespace) -> "Layout":
    """Return what the arguments of `add_layout` say."""
    from clothseg.training.data.sources import Layout

    return Layout(
        arguments.image_column,
        arguments.mask_column,
        arguments.dataset_config_name,
        labels=arguments.labels,
        label_map=arguments.label_map,
    )


KEEP = ["All garments"]
"""Default of `--keep`; an argument that was given is another list."""


def add_keep(parser: argparse.ArgumentParser, of: str) -> None:
    """Add `--keep`: the classes or groups to keep in `of`, such as cut-outs."""
    parser.add_argument(
        "--keep",
        nargs="+",
        metavar="CLASS",
        default=KEEP,
        help=f"classes or groups of classes ({', '.join(GROUPS)}) to keep in {of}; other models have other ones; "
        "default: All garments",
    )


CUTOUT = tuple(options_of(CutoutOptions))
"""Names of the arguments of cut-outs."""

SEGMENT = tuple(options_of(SegmentOptions))
"""Names of the arguments of segmentation."""


def add_segment_options(
    parser: argparse.ArgumentParser, names: tuple[str, ...] = tuple(options_of(SegmentOptions))
) -> None:
    """Add an argument for each of the named fields of `SegmentOptions`; `segment_options` reads them."""
    known = options_of(SegmentOptions)
    for name in names:
        _add(parser, known[name])
    for old, new in SegmentOptions.RENAMED.items():
        if new in names:
            settings: dict[str, Any] = {"type": number_of(known[new])} if known[new].kind is not bool else {"nargs": 0}
            parser.add_argument(f"--{old}", dest=new, action=_Renamed, help=argparse.SUPPRESS, **settings)


def segment_options(arguments: argparse.Namespace) -> SegmentOptions:
    """Return the options that the arguments of `add_segment_options` set.

    Raises:
        ConfigError: a value that is not allowed.
    """
    given = {name: getattr(arguments, name, None) for name in options_of(SegmentOptions)}
    return SegmentOptions.of({name: value for name, value in given.items() if value is not None})


def add_cutout_options(parser: argparse.ArgumentParser, leave_out: tuple[str, ...] = ()) -> None:
    """Add an argument for each field of `CutoutOptions` except those in `leave_out`."""
    group = parser.add_argument_group("cut-outs")
    for name, option in options_of(CutoutOptions).items():
        if name == "background":
            group.add_argument("--background", help=f"{option.help}, or the path of a picture")
        elif name not in leave_out:
            _add(group, option)


def cutout_options(arguments: argparse.Namespace) -> CutoutOptions:
    """Return the options that the arguments of `add_cutout_options` set; a background that is not a colour is a path.

    Raises:
        ConfigError: a value that is not allowed.
        ImageError: the background picture cannot be used.
    """
    values = {name: getattr(arguments, name, None) for name in CUTOUT}
    background = values["background"]
    if background not in (None, "none") and not background.startswith("#"):
        if not Path(background).is_file():
            raise ConfigError(
                f'--background {background}: there is no such file; give a picture, a colour such as "#ff8800", '
                "or none."
            )
        values["background"] = Path(background)
    return CutoutOptions.of(values)


def add_options(parser: argparse.ArgumentParser, cls: type[Checked], title: str) -> None:
    """Add an argument for each field of a class of options, in a group; `read_options` reads them."""
    group = parser.add_argument_group(title)
    for option in options_of(cls).values():
        _add(group, option)


def read_options(arguments: argparse.Namespace, cls: type[Options]) -> Options:
    """Return the options that the arguments of `add_options` set.

    Raises:
        ConfigError: a value that is not allowed.
    """
    return cls.of({name: getattr(arguments, name) for name in options_of(cls)})


@contextmanager
def as_usage() -> Iterator[None]:
    """Raise errors of options as `UsageError`."""
    try:
        yield
    except (ConfigError, ImageError, UnknownClassError) as error:
        raise UsageError(str(error)) from error


def _add(parser: "argparse._ActionsContainer", option: Option) -> None:
    """Add an argument for an option. Numbers have no default, so that 0 can be told from no value."""
    if option.kind is bool:
        parser.add_argument(f"--{option.name}", action="store_true", help=option.help)
    elif option.kind is tuple:
        parser.add_argument(
            f"--{option.name}",
            action="extend",
            type=lambda text: [name.strip() for name in text.split(",")],
            metavar="CLASS",
            help=f"{option.help}; separate names by commas, or repeat the option",
        )
    elif option.choices:
        parser.add_argument(
            f"--{option.name}",
            choices=option.choices,
            default=option.default,
            help=f"{option.help} (default: {option.default})",
        )
    else:
        limits = "" if option.maximum is None else f" ({option.minimum:g} to {option.maximum:g})"
        parser.add_argument(
            f"--{option.name}",
            type=number_of(option),
            metavar="PIXELS" if "pixels" in option.help else "N",
            help=option.help + limits,
        )


class _Renamed(argparse.Action):
    """Accept an argument's old name, and print the new one."""

    def __call__(self, parser: Any, namespace: argparse.Namespace, values: Any, option_string: Any = None) -> None:
        sys.stderr.write(f"{option_string} is now called --{self.dest}; the old name will be removed.\n")
        setattr(namespace, self.dest, True if values == [] else values)


def check_name(name: str) -> None:
    """Check the name of a repository.

    Raises:
        ConfigError: it is not valid on the Hub.
    """
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        raise ConfigError(f"{name} is not a valid name on the Hub: give it as user/name.") from error


def check_space_name(name: str | None) -> None:
    """Check the name of a Space.

    Raises:
        ConfigError: it is missing, not valid, or without its owner.
    """
    if not name:
        raise ConfigError("deploy needs the Space's name, user/name.")
    check_name(name)
    if "/" not in name:
        raise ConfigError(f"{name}: give the Space's full name, user/{name}.")
