"""How an option is declared: with type, values, default and one line of help."""

import warnings
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from functools import cache
from types import MappingProxyType
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from clothseg.errors import ConfigError, UnknownClassError
from clothseg.labels import LabelSet


Made = TypeVar("Made")


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
            return self._names([value] if isinstance(value, str) else list(value))
        raise ConfigError(f"The option {self.name} can be {self.values}, not {repr(value)[:100]}.")

    def _names(self, names: list[Any]) -> tuple[str, ...]:
        """Return the names, each once. Whether there are such classes depends on the model's label set."""
        wrong = next((name for name in names if not isinstance(name, str)), None)
        if wrong is not None:
            raise UnknownClassError(f"The name of a class must be text, not {repr(wrong)[:50]}.")
        return tuple(dict.fromkeys(names))

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

    def schema(self, labels: LabelSet) -> dict[str, Any]:
        """Return the JSON schema of the values; `labels` are the served model's classes."""
        if self.kind is tuple:
            names = {"type": "string", "enum": [*labels.groups, *labels.foreground]}
            return {"type": "array", "items": names, "description": self.help}
        made: dict[str, Any] = {"type": {bool: "boolean", int: "integer", float: "number", str: "string"}[self.kind]}
        made |= {"enum": list(self.choices)} if self.choices else {}
        made |= {"minimum": self.minimum} if self.minimum is not None else {}
        made |= {"maximum": self.maximum} if self.maximum is not None else {}
        return made | {"description": self.help}


def declare(default: Any, help_: str, **limits: Any) -> Any:
    """Return a dataclass field with an `Option` in its metadata."""
    return field(default=default, metadata={"help": help_, **limits})


def options_of(cls: type[Any]) -> Mapping[str, Option]:
    """Return the options by name, in the order of the fields."""
    return _options_of(cls)  # type: ignore[arg-type]


@cache
def _options_of(cls: type[Any]) -> Mapping[str, Option]:
    return MappingProxyType({each.name: _as_option(each) for each in fields(cls)})


def _as_option(each: "Field[Any]") -> Option:
    about: dict[str, Any] = dict(each.metadata)
    kind = about.pop("kind", None) or type(each.default)
    return Option(each.name, kind, each.default, about.pop("help"), **about)


def by_current_names(
    cls: type[Any],
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


def instance_of(cls: type[Made], given: object) -> Made:
    """Return the given options of a class, or the default ones for None.

    Raises:
        ConfigError: they are something else, such as a dict.
    """
    if given is None:
        return cls()
    if not isinstance(given, cls):
        name = cls.__name__
        raise ConfigError(f"Options must be a {name}, not {str(given)[:80]!r}; {name}.of makes one of a dict.")
    return given


class Checked:
    """Base of frozen dataclasses of options: checks all values, and makes options of a mapping.

    Attributes:
        WHOSE: whose options they are, for messages.
    """

    WHOSE: ClassVar[str]

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
        return cls(**by_current_names(cls, given, cls.WHOSE))
