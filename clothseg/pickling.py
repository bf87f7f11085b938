"""Segmenters in other processes: pickled by model and options, not by weights, and loaded anew there.

`multiprocessing` pools and `datasets.map(num_proc=...)` pickle what they call, again and again, and `datasets` takes
the pickle for a fingerprint: so it is small and the same for the same model, and a process keeps what it has loaded.
"""

import os
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, Self

from clothseg.errors import ConfigError, ModelError


if TYPE_CHECKING:
    from clothseg.engines.base import Engine
    from clothseg.models.loading import LoadedModel
    from clothseg.segmenter import Segmenter

KEPT = 2
"""Models that a process keeps of those that it has unpickled."""


class Origin(NamedTuple):
    """Where a segmenter is from.

    Attributes:
        name_or_path: of the model, None for the embedded one; a folder's is absolute.
        revision: commit of a model from the Hub, or what was asked for.
        device: as of `Segmenter.from_pretrained`.
        engine: as of `Segmenter.from_pretrained`.
        precision: as of `Segmenter.from_pretrained`.
        digest: tells configuration and weights from any others.
    """

    name_or_path: str | None
    revision: str | None
    device: str | None
    engine: str
    precision: str
    digest: str

    @classmethod
    def of(
        cls,
        loaded: "LoadedModel",
        name_or_path: str | os.PathLike[str] | None,
        device: str | None,
        engine: str,
        precision: str,
    ) -> Self:
        """Of a model that was loaded; the others are arguments of `Segmenter.from_pretrained`."""
        name = None if name_or_path is None else str(name_or_path)
        if name is not None and loaded.revision is None:  # another process may work in another folder
            name = os.path.abspath(name)
        return cls(name, loaded.revision, device, engine, precision, loaded.digest)


def to_pickle(segmenter: "Segmenter", origin: Origin | None, built: "Engine | None") -> Origin:
    """What to pickle of a segmenter.

    Args:
        segmenter: to be pickled.
        origin: where it was loaded from, if it was.
        built: the engine that it was loaded with.

    Raises:
        ConfigError: it was put together by hand, or given another engine.
    """
    if origin is None or (segmenter.engine is not built and segmenter.workers == 1):
        raise ConfigError(
            "This Segmenter was put together from an engine, which cannot be pickled: use Segmenter.from_pretrained, "
            "or make it in the process that needs it."
        )
    return origin


def restore(kind: "type[Segmenter]", origin: Origin) -> "Segmenter":
    """The segmenter that was pickled, loaded from its folder or the Hub, or as this process has it already.

    A token is not pickled: the Hub is asked with that of the process, if the model is not in its cache.

    Raises:
        ModelError: its weights are no longer those that were pickled.
        ClothsegError: as of `Segmenter.from_pretrained`.
    """
    return _restored(os.getpid(), kind, origin)  # type: ignore[arg-type]


@lru_cache(maxsize=KEPT)
def _restored(process: int, kind: "type[Segmenter]", origin: Origin) -> "Segmenter":
    """`process` keeps a process that was forked from using what another has loaded."""
    segmenter = kind.from_pretrained(
        origin.name_or_path,
        revision=origin.revision,
        device=origin.device,
        engine=origin.engine,
        precision=origin.precision,
    )
    if segmenter.origin != origin:
        raise ModelError(
            f"The weights of {origin.name_or_path or segmenter.name} are not those that the Segmenter was pickled "
            "with: they have changed, or this is another version of them. Load it anew by Segmenter.from_pretrained."
        )
    return segmenter
