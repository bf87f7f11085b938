"""Numbers on the command line, which argparse checks before a command opens anything."""

import argparse
from collections.abc import Callable

from clothseg.errors import ConfigError
from clothseg.options.declaration import Option


def number(
    kind: type[int] | type[float], minimum: float | None = None, maximum: float | None = None
) -> Callable[[str], float]:
    """Return the `type` of an argument that takes a number from `minimum` to `maximum`."""
    return number_of(Option("", kind, None, "", minimum=minimum, maximum=maximum))


def number_of(option: Option) -> Callable[[str], float]:
    """Return the `type` of an argument for an option that is a number.

    The function that is returned raises argparse.ArgumentTypeError for a wrong value, which argparse reports with the
    argument's name.
    """

    def read(text: str) -> float:
        try:
            return option.check(option.kind(text))
        except (ValueError, ConfigError):
            raise argparse.ArgumentTypeError(f"give {option.values}, not {text[:100]}") from None

    return read
