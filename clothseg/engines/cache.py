"""Converted models, kept on disk between runs."""

import hashlib
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TypeVar

from clothseg.images.disk_cache import cache_folder, cached


Read = TypeVar("Read")

_SOURCES = Path(__file__).parents[1]


def converted(
    engine: str, digest: str, packages: tuple[str, ...], make: Callable[[Path], object], read: Callable[[Path], Read]
) -> Read:
    """A model as an engine takes it, converted where no earlier run has left it.

    Args:
        engine: the engine's name.
        digest: of the model.
        packages: whose versions the conversion depends on.
        make, read: as for `images.disk_cache.cached`.
    """
    key = cache_key(engine, digest, packages=packages)
    return cached(cache_folder() / f"{engine}-{key}", make, read, "converted model")


def cache_key(*parts: str, packages: tuple[str, ...]) -> str:
    """A short name for what `parts`, the versions of `packages` and our own code for networks determine."""
    ours = [
        _SOURCES / "models/decode_head.py",
        _SOURCES / "models/clothseg_lite.py",
        *sorted(Path(__file__).parent.glob("*.py")),
    ]
    code = [hashlib.sha256(path.read_bytes()).hexdigest() for path in ours]
    versions = [f"{package} {_version(package)}" for package in packages]
    return hashlib.sha256("\n".join([*parts, *versions, *code]).encode()).hexdigest()[:32]


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"
