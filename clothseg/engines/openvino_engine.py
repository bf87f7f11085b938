"""The OpenVINO engine: the quickest on CPUs, in float32 as in bfloat16."""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property, lru_cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from clothseg.engines.base import Engine
from clothseg.engines.cache import converted
from clothseg.models.loading import LoadedModel


COMPILED = 2
"""Input sizes that stay compiled at a time; each holds weights and buffers of its own: 60 MB for clothseg-lite, 300 MB
for SegFormer B2. Streams keep as many again, once several photos have come together."""

MOST_STREAMS = 4
"""Photos that go through the network at once, at most: each is held with its result. Of more cores a stream has two
and more."""


class OpenVinoEngine(Engine):
    """A network converted to OpenVINO, compiled for each size of photo that is asked for.

    Sizes are compiled as they come (0.2 s for clothseg-lite, 0.6 s for SegFormer B2) because a graph that knows its
    shapes is up to twice as quick. All cores compute a photo that comes alone; of several each has a core of its own,
    since cores that share one wait for each other (see `Streams`). The conversion needs PyTorch and is kept on disk;
    from then on PyTorch is not even imported.

    OpenVINO's threads do not exist in a process that is forked from one that has used it: it may wait for them
    forever. There PyTorch computes in its place.
    """

    def __init__(self, loaded: LoadedModel, precision: str = "exact") -> None:
        """Convert a model, or read what an earlier run has converted.

        Args:
            loaded: the model.
            precision: "exact" computes in float32; "fast" in bfloat16 where the processor has instructions for it.

        Raises:
            ImportError: OpenVINO is not installed.
            ModelError: the model cannot be converted.
        """
        self._core = _core()
        self._model = converted(
            "openvino",
            loaded.digest,
            ("openvino", "torch", "transformers"),
            make=lambda folder: _convert(loaded, self._core, folder / "model.xml"),
            read=lambda folder: self._core.read_model(folder / "model.xml"),
        )
        fast = precision == "fast" and "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        # Said in either case: left to itself, OpenVINO takes bfloat16 wherever the processor has it.
        self.number_format = "bf16" if fast else "f32"
        self._compiled = lru_cache(maxsize=COMPILED)(self._compile)
        self._turn = threading.Lock()
        self._process, self._precision, self._load_model = os.getpid(), precision, loaded.load_model

    def __call__(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        if os.getpid() != self._process:
            answer: npt.NDArray[np.float32] = self._in_a_fork(pixels)
            return answer
        if len(pixels) > 1 and self.streams is not None:
            with ThreadPoolExecutor(self.streams.count) as pool:
                return np.concatenate(list(pool.map(self.streams, pixels[:, None])))
        with self._turn:
            request = self._compiled(*pixels.shape[2:])
            return np.concatenate([request.infer([photo[None]])[0] for photo in pixels])

    @property
    def streams(self) -> "Streams | None":  # type: ignore[override]
        """The same network for several photos at once; None on a machine of one core, and in a forked process."""
        return self._streams if os.getpid() == self._process else None

    @cached_property
    def _streams(self) -> "Streams | None":
        count = min(_cores(), MOST_STREAMS)
        return Streams(self.compile, count) if count > 1 else None

    @cached_property
    def _in_a_fork(self) -> Engine:
        from clothseg.engines.torch_engine import TorchEngine

        return TorchEngine(self._load_model(), "cpu", self._precision)

    def compile(self, size: tuple[int, int], **settings: Any) -> Any:
        """OpenVINO's compiled model for one photo of this size (h, w)."""
        model = self._model.clone()
        model.reshape([1, 3, *size])
        settings["INFERENCE_PRECISION_HINT"] = self.number_format
        # Threads tied to a core wait for whatever else runs on it: a third slower on a busy machine.
        settings["ENABLE_CPU_PINNING"] = False
        return self._core.compile_model(model, "CPU", settings)

    def _compile(self, height: int, width: int) -> Any:
        return self.compile((height, width), PERFORMANCE_HINT="LATENCY").create_infer_request()


class Streams(Engine):
    """A network that answers several calls at once, each on its share of the cores; a `StreamEngine`.

    A call takes longer than one on all cores, but cores that have a photo each do not wait for each other after every
    layer. For the network alone that brings nothing on two cores that nobody else uses, and 1.2 to 1.4 times as many
    photos where other work holds one of them now and then. But reading photos and drawing borders, which keep one core
    busy, are then done for one photo while the other core is at the next. Answers are the same.

    Attributes:
        count: how many calls are answered at once; others wait.
    """

    def __init__(self, compile_model: Callable[..., Any], count: int) -> None:
        """Compile nothing yet.

        Args:
            compile_model: `OpenVinoEngine.compile`.
            count: of the streams.
        """
        self.count = count
        self._compile_model = compile_model
        self._compiled = lru_cache(maxsize=COMPILED)(self._compile)
        self._turn = threading.Lock()

    def __call__(self, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        with self._turn:  # or two threads would compile the same size
            idle = self._compiled(*pixels.shape[2:])
        request = idle.get()
        try:
            return np.concatenate([request.infer([photo[None]])[0] for photo in pixels])
        finally:
            idle.put(request)

    def _compile(self, height: int, width: int) -> SimpleQueue[Any]:
        """Requests that nobody uses."""
        compiled = self._compile_model((height, width), PERFORMANCE_HINT="THROUGHPUT", NUM_STREAMS=self.count)
        idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.count):
            idle.put(compiled.create_infer_request())
        return idle


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_usable() -> bool:
    """False in a process that was forked from one that has used OpenVINO."""
    return _user in (None, os.getpid())


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which otherwise reports the import itself to Google Analytics.

    Raises:
        ImportError: it is not installed.
    """
    if "openvino" not in sys.modules:
        # OpenVINO has a stub for where this package is missing. Whoever imports it later gets the real one.
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules["openvino_telemetry"]
    import openvino

    return openvino


_user: int | None = None
"""The process that has started OpenVINO, this one or one that it was forked from."""


@cache
def _core() -> Any:
    """The process's only core, with the plugin for CPUs loaded.

    The plugin gives the thread that loads it a stack for signal handlers, and when it is destroyed the one that the
    thread had before. Two of them, destroyed in the order they were made, leave a thread with a stack that is freed,
    and the next signal (SIGTERM, say) ends the process with a segmentation fault. So there is one, which a thread of
    its own loads.
    """
    global _user
    openvino, _user = import_openvino(), os.getpid()
    # Its bindings look numpy up when they first need it; two threads that do so at once wait for each other forever.
    openvino.Tensor(np.zeros(1, np.float32)).data.copy()
    core = openvino.Core()
    loading = threading.Thread(target=core.get_property, args=("CPU", "OPTIMIZATION_CAPABILITIES"))
    loading.start()
    loading.join()
    return core


def _convert(loaded: LoadedModel, core: Any, path: Path) -> None:
    from openvino import save_model
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    from clothseg.engines.conversion import Network, check, converting, example

    network = Network(loaded.model)
    with converting(loaded.name, "OpenVINO"):
        # Not `openvino.convert_model`, which reports to Google Analytics as well.
        frontend = FrontEndManager().load_by_framework("pytorch")
        # In a variable, since it must outlive the conversion; not traced twice, since the outcome is checked below.
        decoder = TorchScriptPythonDecoder(network, example_input=(example(),), trace_kwargs={"check_trace": False})
        model = frontend.convert(frontend.load(decoder))
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    check(network, lambda pixels: compiled(pixels)[0], loaded.name, "OpenVINO")
    save_model(model, path, compress_to_fp16=False)
    _keep_first_layers_exact(path)


def _keep_first_layers_exact(path: Path) -> None:
    """Have "fast" compute in float32 up to the second convolution.

    bfloat16 has 8 bits, as many as a photo's colours: rounding the normalised pixels to it makes a third of the label
    pixels that clothseg-lite gets wrong, and not doing so takes 1 % more time. The mark can be set in the file alone:
    Python's `get_rt_info` makes a string of it, which the compiler does not look at.
    """
    tree, convolutions = ElementTree.parse(path), 0  # noqa: S314 - written just now by ourselves
    for layer in tree.getroot().iterfind("layers/layer"):  # in the order of computation
        if layer.get("type") in ("Parameter", "Const"):
            continue
        info = layer.find("rt_info")
        if info is None:
            info = ElementTree.Element("rt_info")
            layer.insert(0 if layer.find("data") is None else 1, info)
        ElementTree.SubElement(info, "attribute", name="precise", version="0")
        convolutions += layer.get("type") in ("Convolution", "GroupConvolution")
        if convolutions == 2:
            break
    tree.write(path)
