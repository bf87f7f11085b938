"""The OpenVINO engine: the fastest on CPUs, in float32, bfloat16 and int8."""

import hashlib
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache, cached_property, lru_cache, partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from clothseg.engines.base import Engine
from clothseg.engines.cache import converted
from clothseg.engines.int8 import find_int8_file
from clothseg.engines.subprocess_call import call_in_subprocess
from clothseg.errors import ModelError
from clothseg.models.loading import LoadedModel, load


COMPILED = 2
"""Number of input sizes kept compiled; each has its own weights and buffers: 60 MB for clothseg-lite, 300 MB for
SegFormer B2. Streams need as much again, once several photos came together."""

MODEL_FILE = "model.xml"
"""Name of the network's file in a cache entry."""

MOST_STREAMS = 4
"""Largest number of photos in the network at once; each is kept with its result. With more cores, a stream gets two or
more."""


class OpenVinoEngine(Engine):
    """A network converted to OpenVINO, compiled for each requested size of photo.

    Sizes are compiled when they occur (0.2 s for clothseg-lite, 0.6 s for SegFormer B2) because a graph with known
    shapes is up to twice as fast. All cores compute a single photo; several photos get a core each, since cores that
    share a photo wait for each other (see `Streams`). The conversion needs PyTorch and is kept on disk; later, PyTorch
    is not even imported.

    OpenVINO's threads do not exist in a process forked from one that has used it, so it may wait for them forever.
    PyTorch computes there instead.
    """

    def __init__(self, loaded: LoadedModel, precision: str = "exact") -> None:
        """Convert a model, or read an earlier conversion.

        Args:
            loaded: the model.
            precision: "exact" computes in float32; "fast" in bfloat16 if the CPU has instructions for it; "int8" as
                the model's int8 file says, and its float layers as "fast".

        Raises:
            ImportError: OpenVINO is not installed.
            ModelError: the model cannot be converted.
            ConfigError: "int8", and the model has no int8 file of these weights.
        """
        self._core = _core()
        self._model = (_int8_model if precision == "int8" else _float_model)(loaded, self._core)
        fast = precision != "exact" and "BF16" in self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        # Set in both cases: by default, OpenVINO uses bfloat16 if the processor supports it.
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
            return _infer(self._compiled(*pixels.shape[2:]), pixels)

    @property
    def streams(self) -> "Streams | None":  # type: ignore[override]
        """Return the same network for several photos at once; None on a machine with one core, and in a forked
        process."""
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
        """Return OpenVINO's compiled model for one photo of this size (h, w)."""
        model = self._model.clone()
        model.reshape([1, 3, *size])
        settings["INFERENCE_PRECISION_HINT"] = self.number_format
        # Pinned threads wait for other programs on their core: a third slower on a busy machine.
        settings["ENABLE_CPU_PINNING"] = False
        return self._core.compile_model(model, "CPU", settings)

    def _compile(self, height: int, width: int) -> Any:
        return self.compile((height, width), PERFORMANCE_HINT="LATENCY").create_infer_request()


class Streams(Engine):
    """A network that computes several calls at once, each on its share of the cores; a `StreamEngine`.

    A call takes longer than on all cores, but cores with a photo each do not wait for each other after every layer.
    For the network alone this gains nothing on two otherwise idle cores, and makes it 1.2 to 1.4 times as fast if
    other work sometimes uses one of them. In addition, reading photos and drawing borders, which keep one core busy,
    run for one photo while the other core computes the next. Results are the same.

    Attributes:
        count: number of calls computed at once; others wait.
    """

    def __init__(self, compile_model: Callable[..., Any], count: int) -> None:
        """Set up the streams; they are compiled at first use.

        Args:
            compile_model: `OpenVinoEngine.compile`.
            count: number of streams.
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
            return _infer(request, pixels)
        finally:
            idle.put(request)

    def _compile(self, height: int, width: int) -> SimpleQueue[Any]:
        """Return a queue of the free inference requests for this size."""
        compiled = self._compile_model((height, width), PERFORMANCE_HINT="THROUGHPUT", NUM_STREAMS=self.count)
        idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(self.count):
            idle.put(compiled.create_infer_request())
        return idle


def _infer(request: Any, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return the logits of photos (N, 3, h, w), computed one by one; the input is not copied."""
    logits = [request.infer([photo[None]], share_inputs=True)[0] for photo in pixels]
    return logits[0] if len(logits) == 1 else np.concatenate(logits)


def _cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def is_usable() -> bool:
    """Return False in a process forked from one that has used OpenVINO."""
    return _user in (None, os.getpid())


def import_openvino() -> Any:
    """Import OpenVINO without its telemetry, which would report the import to Google Analytics.

    Raises:
        ImportError: it is not installed.
    """
    if "openvino" not in sys.modules:
        # OpenVINO has a stub in case this package is missing. Later imports get the real one.
        sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
        try:
            import openvino
        finally:
            del sys.modules["openvino_telemetry"]
    import openvino

    return openvino


_user: int | None = None
"""Id of the process that started OpenVINO: this one or one that it was forked from."""


@cache
def _core() -> Any:
    """Return the process's only core, with the CPU plugin loaded.

    The plugin gives the thread that loads it a stack for signal handlers, and restores the previous one when it is
    destroyed. Two plugins destroyed in the order of their creation leave a thread with a freed stack, and the next
    signal, such as SIGTERM, ends the process with a segmentation fault. So there is only one, which a separate thread
    loads.
    """
    global _user
    openvino, _user = import_openvino(), os.getpid()
    # OpenVINO's bindings import numpy on first use; two threads that do so at the same time deadlock.
    openvino.Tensor(np.zeros(1, np.float32)).data.copy()
    core = openvino.Core()
    loading = threading.Thread(target=core.get_property, args=("CPU", "OPTIMIZATION_CAPABILITIES"))
    loading.start()
    loading.join()
    return core


def _float_model(loaded: LoadedModel, core: Any) -> Any:
    """Return a model converted for OpenVINO, or its earlier conversion."""
    packages = ("openvino", "torch", "transformers")
    return converted(
        "openvino", loaded.digest, packages, lambda folder: _make(loaded, folder / MODEL_FILE), partial(_read, core)
    )


def _int8_model(loaded: LoadedModel, core: Any) -> Any:
    """Return the network of a model's int8 file."""
    file = find_int8_file(loaded)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return converted(
        "openvino-int8",
        digest,
        ("openvino",),
        lambda folder: _make_int8(file, core, loaded.name, folder / MODEL_FILE),
        partial(_read, core),
    )


def _make(loaded: LoadedModel, path: Path) -> None:
    """Convert a model: in this process if it has PyTorch already, else in another, since PyTorch and transformers take
    400 MB until the process ends."""
    if "torch" not in sys.modules and loaded.folder is not None:
        if call_in_subprocess(__name__, convert_folder.__name__, os.path.abspath(loaded.folder), str(path)):
            return
    convert(loaded, path)


def convert_folder(folder: str, path: str) -> None:
    """Convert the model saved in a folder, as `convert` does."""
    convert(load(folder), Path(path))


def convert(loaded: LoadedModel, path: Path) -> None:
    """Convert a model with PyTorch, compare the two, and write the converted one to an .xml file.

    Raises:
        ModelError: it cannot be converted, or gives other results afterwards.
    """
    core = _core()
    from openvino import save_model
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    from clothseg.engines.conversion import Network, check, converting, example

    network = Network(loaded.model, None if loaded.any_size else loaded.input_size)
    with converting(loaded.name, "OpenVINO"):
        # Not `openvino.convert_model`, which reports to Google Analytics as well.
        frontend = FrontEndManager().load_by_framework("pytorch")
        # In a variable, since it must outlive the conversion; not traced twice, since the outcome is checked below.
        decoder = TorchScriptPythonDecoder(
            network, example_input=(example(*network.only_size or (64, 96)),), trace_kwargs={"check_trace": False}
        )
        model = frontend.convert(frontend.load(decoder))
    compiled = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    check(network, lambda pixels: compiled(pixels)[0], loaded.name, "OpenVINO")
    save_model(model, path, compress_to_fp16=False)
    _keep_first_layers_exact(path)


def _make_int8(file: Path, core: Any, name: str, path: Path) -> None:
    from openvino import save_model

    try:
        model = core.read_model(file)
    except RuntimeError as error:
        raise ModelError(f"The file {file.name} of {name} is damaged; make it again.") from error
    save_model(model, path, compress_to_fp16=False)
    _keep_first_layers_exact(path)


def _read(core: Any, folder: Path) -> Any:
    return core.read_model(folder / MODEL_FILE)


def _keep_first_layers_exact(path: Path) -> None:
    """Make "fast" compute in float32 up to the second convolution.

    bfloat16 has 8 bits, as many as a photo's colours. Rounding the normalised pixels to it causes a third of the label
    pixels that clothseg-lite gets wrong, and avoiding it takes 1 % more time. The mark can only be set in the file:
    Python's `get_rt_info` turns it into a string, which the compiler ignores.
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
