"""Pickle segmenters by model and options instead of weights, and load them again in other processes.

`multiprocessing` pools and `datasets.map(num_proc=...)` pickle what they call many times, and `datasets` uses the
pickle as a fingerprint. So the pickle is small and equal for equal models, and a process keeps the models that it has
loaded.
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
"""Number of unpickled models that a process keeps."""


class Origin(NamedTuple):
    """Where a segmenter was loaded from.

    Attributes:
        name_or_path: of the model, None for the embedded one; folders are absolute.
        revision: commit of a model from the Hub, or the requested revision.
        device: as for `Segmenter.from_pretrained`.
        engine: as for `Segmenter.from_pretrained`.
        precision: as for `Segmenter.from_pretrained`.
        digest: identifies configuration and weights.
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
        """Return the origin of a loaded model; the other arguments are those of `Segmenter.from_pretrained`."""
        name = None if name_or_path is None else str(name_or_path)
        if name is not None and loaded.revision is None:  # another process may have another working directory
            name = os.path.abspath(name)
        return cls(name, loaded.revision, device, engine, precision, loaded.digest)


def to_pickle(segmenter: "Segmenter", origin: Origin | None, built: "Engine | None") -> Origin:
    """Return the pickled state of a segmenter.

    Args:
        segmenter: to be pickled.
        origin: where it was loaded from, if it was.
        built: the engine that it was loaded with.

    Raises:
        ConfigError: it was created from an engine, or got another engine later.
    """
    if origin is None or (segmenter.engine is not built and segmenter.workers == 1):
        raise ConfigError(
            "This Segmenter was created from an engine, which cannot be pickled: use Segmenter.from_pretrained, "
            "or create it in the process that needs it."
        )
    return origin


def restore(kind: "type[Segmenter]", origin: Origin) -> "Segmenter":
    """Return the pickled segmenter, loaded from its folder or the Hub, or the one that this process already has.

    A token is not pickled: the Hub is asked with the token of the process, if the model is not in its cache.

    Raises:
        ModelError: the weights differ from the pickled ones.
        ClothsegError: as for `Segmenter.from_pretrained`.
    """
    return _restored(os.getpid(), kind, origin)  # type: ignore[arg-type]


@lru_cache(maxsize=KEPT)
def _restored(process: int, kind: "type[Segmenter]", origin: Origin) -> "Segmenter":
    """Load the segmenter; `process` keeps a forked process from using one that another process loaded."""
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
            "with: they have changed, or this is another version of them. Load it again by Segmenter.from_pretrained."
        )
    return segmenter
