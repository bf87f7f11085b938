"""Errors raised on purpose. Each message names the thing at fault and the cure, for the end user's eyes."""

from collections.abc import Iterator
from contextlib import contextmanager


EXTRAS = {
    "app": "-r requirements.txt",
    "train": "-r requirements-train.txt",
    "video": "-r requirements-video.txt",
    "onnx": "onnx onnxruntime",
}
"""The package's extras, and what pip installs in their place in a clone that is used without being installed."""


class ClothsegError(Exception):
    """Base of every error that clothseg raises on purpose."""


class ImageError(ClothsegError):
    """The photo cannot be used: not an image, damaged, or too large."""


class UnknownClassError(ClothsegError):
    """A class name is not one of ATR's 18."""


class ModelError(ClothsegError):
    """The model cannot be loaded, or is not a clothes parser with our 18 labels."""


class DataError(ClothsegError):
    """The data set lacks columns or has rows that cannot be trained on."""


class DivergedError(ClothsegError):
    """A training's loss or weights are infinite or not a number: it cannot go on."""


class HubError(ClothsegError):
    """The Hub cannot be reached, or refused what was asked of it."""


class ConfigError(ClothsegError):
    """Options that contradict each other or cannot be met on this machine."""


class WorkerError(ClothsegError):
    """A worker process ended in the midst of a photo, and so did another that tried again."""


class UsageError(ConfigError):
    """Arguments of the command line that cannot be meant: no such path, class or value."""


class Interrupted(ClothsegError):
    """A signal ended the training in good order: its checkpoint is on disk."""

    def __init__(self, signum: int, message: str) -> None:
        """Keep the signal's number beside the message: a command that ends so exits with 128 plus it."""
        super().__init__(message)
        self.signum = signum

    def __reduce__(self) -> tuple[type, tuple[int, str]]:
        """For pickle, which would give the message alone."""
        return type(self), (self.signum, str(self))


@contextmanager
def needs_extra(what: str, extra: str) -> Iterator[None]:
    """Say which extra to install where an import inside the context fails for want of a package.

    Args:
        what: what needs it, as the beginning of a sentence.
        extra: one of `EXTRAS`.

    Raises:
        ConfigError: a package is missing, other than a module of our own.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "clothseg"):
            raise
        raise ConfigError(f"{what} needs {package}, which is not installed: {install_command(extra)}") from error


def install_command(extra: str) -> str:
    """The command that installs one of `EXTRAS` beside this package, whether that is installed or a clone."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution("clothseg")
    except PackageNotFoundError:
        return f"pip install {EXTRAS[extra]}"
    return f'pip install "clothseg[{extra}]"'
