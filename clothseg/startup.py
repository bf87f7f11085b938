"""Which model the app serves: the one that was named, or the embedded one when the Hub does not give that."""

import sys

from clothseg import hub, zerogpu
from clothseg.errors import ClothsegError
from clothseg.segmenter import Segmenter


def first_segmenter(
    name: str | None,
    revision: str | None = None,
    engine: str = "auto",
    precision: str = "exact",
    check: bool = False,
) -> Segmenter:
    """Load what the app is to serve, and say on stderr what that is.

    A named model that the Hub does not give, or that is refused, is replaced by the embedded one, and the segmenter's
    `notice` says so on the page: a service with other weights is better than none. A folder is not replaced: whoever
    names one is there to read what is wrong with it.

    Args:
        name: Hub name or folder; None for the embedded model.
        revision: of a Hub name.
        engine: as in `Segmenter.from_pretrained`.
        precision: as there.
        check: compare the engine with PyTorch before anything is served.

    Raises:
        ClothsegError: the folder, or the embedded model, cannot be loaded, or the engine does not pass the check.
    """
    try:
        segmenter = _load(name, revision, engine, precision)
    except ClothsegError as error:
        if not name or not hub.is_hub_name(name):
            raise
        name, segmenter = None, _load(None, None, engine, precision)
        segmenter.notice = f"{error} Meanwhile the weights that come with the app are used."
        sys.stderr.write(f"{segmenter.notice}\n")
    version = f" at {segmenter.revision}" if segmenter.revision else ""
    sys.stderr.write(f"Model: {segmenter.name}{version}.\n")
    if check:
        from clothseg.self_check import self_check

        share = self_check(segmenter, name, precision)
        sys.stderr.write(
            f"Self-check: {type(segmenter.engine).__name__} agrees with PyTorch to {share:.1g} of the largest logit.\n"
        )
    return segmenter


def _load(name: str | None, revision: str | None, engine: str, precision: str) -> Segmenter:
    if not zerogpu.here():
        return Segmenter.from_pretrained(name, revision=revision, engine=engine, precision=precision)
    import spaces  # noqa: F401 - before anything looks for a GPU: it shows one that is borrowed later

    segmenter = Segmenter.from_pretrained(name, revision=revision, device="cpu")
    gpu = Segmenter.from_pretrained(name, revision=segmenter.revision, device="cuda").engine
    segmenter.engine = zerogpu.BorrowedGpu(gpu, segmenter.engine)
    return segmenter
