"""Load the app's model: the configured one, or the embedded one if the Hub cannot deliver it.

The page is available while the model is loading, since a download may take long.
"""

import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

from clothseg.app import zerogpu
from clothseg.errors import ClothsegError, ConfigError
from clothseg.labels import ATR, LabelSet
from clothseg.models import hub
from clothseg.models.loading import read_label_set
from clothseg.segmentation import Segmentation
from clothseg.segmenter import Segmenter


class LazySegmenter:
    """A placeholder for a segmenter that another thread still loads; each use waits for the model.

    Attributes:
        labels: Label set of the model, as far as it is known.
        asked: Public name of the model being loaded; None is the embedded model.
        loaded: Done when the model is loaded or has failed; a failure is then also raised at each use.
    """

    def __init__(self, name: str | None, load: Callable[[], Segmenter]) -> None:
        """Start loading; `name` is a Hub name, a folder, or None for the embedded model."""
        self.asked = name if name is None or hub.is_hub_name(name) else Path(name).resolve().name
        self.loaded: Future[Segmenter] = Future()
        self.stated = ATR
        self._began = time.monotonic()
        threading.Thread(target=self._load, args=(load,), daemon=True).start()  # no reason not to end the app

    def _load(self, load: Callable[[], Segmenter]) -> None:
        try:
            self.loaded.set_result(load())
        except BaseException as error:
            self.loaded.set_exception(error)

    def __call__(self, *args: Any, **options: Any) -> Segmentation:
        """Call the segmenter, after waiting for it."""
        return self.loaded.result()(*args, **options)

    def batch(self, *args: Any, **options: Any) -> list[Segmentation]:
        """Call `Segmenter.batch`, after waiting for the model."""
        return self.loaded.result().batch(*args, **options)

    def __getattr__(self, name: str) -> Any:
        """Return any other attribute of the segmenter; Python calls this for missing attributes."""
        if name.startswith("__") or "loaded" not in vars(self):  # a special attribute, or one used by copying
            raise AttributeError(name)
        return getattr(self.loaded.result(), name)

    @property
    def labels(self) -> LabelSet:
        """Label set of the model if it is loaded, otherwise that of its configuration."""
        done = self.loaded.done() and self.loaded.exception() is None
        return self.loaded.result().labels if done else self.stated

    @property
    def seconds(self) -> float:
        """Seconds since loading started."""
        return time.monotonic() - self._began


def load_with_head_start(
    name: str | None, load: Callable[[], Segmenter], seconds: float, revision: str | None = None
) -> Segmenter:
    """Return the result of `load` if it takes at most `seconds`; else a `LazySegmenter`, which waits for it.

    Its label set is read from the configuration, since the page is built for it.

    Raises:
        ClothsegError: raised by `load` within that time.
    """
    lazy = LazySegmenter(name, load)
    wait([lazy.loaded], seconds)
    if lazy.loaded.done():
        return lazy.loaded.result()
    with suppress(ClothsegError):  # loading reports it, and serves the embedded model instead
        lazy.stated = read_label_set(name, revision)
    return cast(Segmenter, lazy)


def failure(segmenter: Segmenter | LazySegmenter) -> BaseException | None:
    """Return why the model cannot be loaded; None if it is loaded or still loading."""
    if isinstance(segmenter, LazySegmenter) and segmenter.loaded.done():
        return segmenter.loaded.exception()
    return None


def pending(segmenter: Segmenter | LazySegmenter) -> LazySegmenter | None:
    """Return the segmenter if it is still loading."""
    return segmenter if isinstance(segmenter, LazySegmenter) and not segmenter.loaded.done() else None


def load_served_model(
    name: str | None,
    revision: str | None = None,
    engine: str = "auto",
    precision: str = "exact",
    check: bool = False,
    zero_gpu: bool = False,
) -> Segmenter:
    """Load the model that the app serves, and print its name on stderr.

    If a named model cannot be loaded from the Hub, or is rejected, the embedded one is served instead, and the
    segmenter's `notice` says so on the page. A model in a local folder is not replaced: its error stops the app.

    Args:
        name: Hub name or folder; None for the embedded model.
        revision: of a Hub name.
        engine: as in `Segmenter.from_pretrained`.
        precision: as there.
        check: compare the engine with PyTorch before anything is served.
        zero_gpu: whether to compute on a GPU that ZeroGPU lends.

    Raises:
        ClothsegError: the folder, or the embedded model, cannot be loaded, or the engine does not pass the check.
    """
    try:
        segmenter = _load(name, revision, engine, precision, zero_gpu)
    except ConfigError:  # wrong settings are not the model's fault
        raise
    except ClothsegError as error:
        if not name or not hub.is_hub_name(name):
            raise
        name, segmenter = None, _load(None, None, engine, precision, zero_gpu)
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


def _load(name: str | None, revision: str | None, engine: str, precision: str, zero_gpu: bool) -> Segmenter:
    if not zero_gpu:
        return Segmenter.from_pretrained(name, revision=revision, engine=engine, precision=precision)
    import spaces  # noqa: F401 - before anything looks for a GPU: it shows one that is borrowed later

    segmenter = Segmenter.from_pretrained(name, revision=revision, device="cpu")
    gpu = Segmenter.from_pretrained(name, revision=segmenter.revision, device="cuda").engine
    segmenter.engine = zerogpu.ZeroGpuEngine(gpu, segmenter.engine)
    return segmenter
