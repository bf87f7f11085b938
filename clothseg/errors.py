"""Errors that clothseg raises on purpose. Each message says what is wrong and what to do."""

from collections.abc import Iterator
from contextlib import contextmanager


EXTRAS = {
    "app": "-r requirements.txt",
    "train": "-r requirements-train.txt",
    "video": "-r requirements-video.txt",
    "onnx": "onnx onnxruntime",
    "int8": "nncf onnx onnxruntime",
    "psd": "psd-tools",
    "ray": "ray",
}
"""The package's extras, and what to pass to pip instead in a clone that is not installed."""


class ClothsegError(Exception):
    """Base class of all errors that clothseg raises on purpose."""


class ImageError(ClothsegError):
    """The photo is not an image, damaged or too large."""


class UnknownClassError(ClothsegError):
    """A class name is not one of the label set."""


class ModelError(ClothsegError):
    """The model cannot be loaded, or its labels or preprocessing cannot be used."""


class DataError(ClothsegError):
    """The data set lacks columns or has unusable rows."""


class DivergedError(ClothsegError):
    """The loss or the weights of a training are infinite or not a number."""


class HubError(ClothsegError):
    """The Hub cannot be reached, or rejected a request."""


class ConfigError(ClothsegError):
    """Options contradict each other, or cannot be satisfied on this machine."""


class WorkerError(ClothsegError):
    """A worker process died while working on a photo, and so did the one that tried again."""


class UsageError(ConfigError):
    """Arguments of the command line are wrong: no such path, class or value."""


class Interrupted(ClothsegError):
    """A signal ended the training after its checkpoint was written."""

    def __init__(self, signum: int, message: str) -> None:
        """Keep the signal's number and the message; a command that ends this way exits with 128 plus the number."""
        super().__init__(message)
        self.signum = signum

    def __reduce__(self) -> tuple[type, tuple[int, str]]:
        """Pickle the signal's number along with the message."""
        return type(self), (self.signum, str(self))


@contextmanager
def needs_extra(what: str, extra: str) -> Iterator[None]:
    """Raise an error that names the missing extra if an import inside the context fails.

    Args:
        what: what needs the extra, as the beginning of a sentence.
        extra: one of `EXTRAS`.

    Raises:
        ConfigError: a package other than our own is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "clothseg"):
            raise
        raise ConfigError(f"{what} needs {package}, which is not installed: {install_command(extra)}") from error


def install_command(extra: str) -> str:
    """Return the command that installs one of `EXTRAS`, for an installed package or a clone."""
    from importlib.metadata import PackageNotFoundError, distribution

    try:
        distribution("clothseg")
    except PackageNotFoundError:
        return f"pip install {EXTRAS[extra]}"
    return f'pip install "clothseg[{extra}]"'
