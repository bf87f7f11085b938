"""Networks on a GPU: photos per second compared with transformers' pipeline and with the chip's limit; training steps.

    python -m benchmarks.gpu [--models b2 lite] [--size 512] [--batches 1 4 16 64] [--rounds 5] [--minutes 9]

So far it has only been run on CPUs, by a test: this repository contains no figures for GPUs, and methods marked "GPU
only" have never run. A method that fails does not affect the others, and methods that cannot start within `--minutes`
are skipped; both are listed at the end. So one run of ten minutes gives as many figures as possible, the most
important first.

The photo is one of `examples/`, 576x768 pixels, decoded. B2 has random weights, clothseg-lite its own. Methods
alternate, each in bfloat16 if the device supports it; those that begin with a photo process four batches at once:

- pipeline: transformers' own, with the unmodified model, from PIL pictures to masks;
- whole: `Segmenter.batch`, from PIL pictures to label maps with plain edges, everything but decoding on the device;
- guided: the same with guided edges;
- around it by the CPU, guided by the CPU: the same two with photos resized and label maps drawn by the CPU;
- network: `TorchEngine` from arrays to arrays, including the copies to the device and back;
- network alone: the same from pixels to logits on the device;
- graph: the same, recorded as one CUDA graph and replayed (GPU only);
- compiled: the same with `torch.compile`, which also uses CUDA graphs (GPU only).

If graph or compiled is much faster than network alone, it should become part of the engine.

The limit (roofline) of the network is the larger of two times: its multiplications and additions at the rate of a
large matrix product, and the bytes that its operations read and write, without fusion, at the rate of a large copy;
both rates are measured here. Training is a step of `benchmarks.training_speed`, which describes its methods. The
profile shows where the network's time goes at the largest batch.
"""

import argparse
import copy
import itertools
import platform
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import transformers
from PIL import Image
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contenders import EXAMPLES
from benchmarks.training_speed import ON_GPUS, build_step, matrix_flops, seconds
from clothseg.engines import device as there
from clothseg.engines.torch_engine import TorchEngine, has_bfloat16, pick_device
from clothseg.models.loading import load
from clothseg.options import SegmentOptions
from clothseg.segmenter import Segmenter
from clothseg.training.model import build_model


MODELS = {"b0": "nvidia/mit-b0", "b2": "nvidia/mit-b2", "lite": None}

PHOTO = EXAMPLES / "doll-skirt.jpg"

HEADING = "\n| network | batch | way | photos/s | against the pipeline | of the limit |\n|---|---|---|---|---|---|"
TRAINING_HEADING = "\n| training | batch | way | photos/s | against plain |\n|---|---|---|---|---|"

ALONE = ("network", "network alone", "graph", "compiled")
"""Methods that consist of the network only, and can be compared with its limit."""


class Way(NamedTuple):
    """A method for all or a part of the way from photos to label maps: `run` processes `batches` batches of a size."""

    run: Callable[[int], object]
    batches: int = 1


class Traffic(TorchDispatchMode):
    """Counts the bytes that operations read and write, if each reads its inputs and writes its outputs once."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and count."""
        found = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, found)) if isinstance(leaf, torch.Tensor)]
            self.bytes += sum(tensor.numel() * tensor.element_size() for tensor in tensors)
        return found


class Agenda:
    """The tasks of a run, as time allows; a task that fails does not affect the others."""

    def __init__(self, minutes: float) -> None:
        self.end = time.monotonic() + 60 * minutes
        self.left_out: list[str] = []

    def attempt(self, what: str, run: Callable[[], Any]) -> Any:
        """What `run` gives; None where it is too late for it, or where it fails."""
        if time.monotonic() > self.end:
            self.left_out.append(f"{what}: no time")
            return None
        try:
            return run()
        except Exception as error:
            self.left_out.append(f"{what}: {type(error).__name__}: {str(error)[:200]}")
            torch.cuda.empty_cache()  # without effect where there is no GPU
            return None


def copy_bytes(device: torch.device) -> float:
    """Return the bytes per second, read and written, of a large copy: the best of five."""
    source = torch.zeros(2**28 if device.type == "cuda" else 2**24, device=device)
    target = torch.empty_like(source)
    taken = min(seconds(lambda: target.copy_(source), 3, device) for _ in range(5))
    return 2 * source.numel() * source.element_size() / taken


@cache
def lying(batch: int, size: int, device: torch.device) -> list[torch.Tensor]:
    """Return the pixels of a batch as the engine has them on its device."""
    return [torch.zeros((batch, 3, size, size), device=device).to(memory_format=torch.channels_last)]


def ways(name: str, size: int, device: torch.device) -> tuple[dict[str, Way], TorchEngine]:
    """Return the methods to time, and the engine."""
    half = torch.bfloat16 if has_bfloat16(device) else torch.float32
    processor = transformers.SegformerImageProcessorPil(size={"height": size, "width": size})
    photo = Image.open(PHOTO).convert("RGB")
    found: dict[str, Way] = {}
    kind = MODELS[name]
    if kind is None:
        model = load(None).model  # no model of transformers, so there is no pipeline
    else:
        model, stock = (build_model(kind, from_scratch=True).eval() for _ in range(2))
        pipeline = transformers.pipeline(
            "image-segmentation", model=stock.to(half), image_processor=processor, device=device
        )
        found["pipeline"] = Way(lambda batch: pipeline([photo] * batch * 4, batch_size=batch), 4)
    engine = TorchEngine(model, str(device), "fast")
    engine.preprocess = partial(there.preprocess, device=device)
    aside = copy.copy(engine)
    aside.preprocess = lambda *_: None

    def whole(engine: TorchEngine, edges: Literal["plain", "guided"]) -> Way:
        segmenter = Segmenter(engine, processor, name=name)
        # B2 with random weights would take nothing for upright, and look at each photo five times.
        options = SegmentOptions(edges=edges, zoom="off", orientation="upright")
        return Way(lambda batch: segmenter.batch([photo] * batch * 4, batch, options), 4)

    found["whole"], found["guided"] = whole(engine, "plain"), whole(engine, "guided")
    found["around it by the CPU"], found["guided by the CPU"] = whole(aside, "plain"), whole(aside, "guided")
    found["network"] = Way(lambda batch: engine(np.zeros((batch, 3, size, size), np.float32)))
    found["network alone"] = alone(engine, size)
    if device.type == "cuda":
        found["graph"] = recorded(engine, size)
    return found, engine


def recorded(engine: TorchEngine, size: int) -> Way:
    """Return the network alone as a CUDA graph, recorded again if the batch's size changes."""
    kept: dict[int, tuple[torch.cuda.CUDAGraph, list[torch.Tensor], torch.Tensor]] = {}

    def run(batch: int) -> object:
        if batch not in kept:
            kept.clear()
            pixels, graph = lying(batch, size, engine.device), torch.cuda.CUDAGraph()
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # a recording is not to meet what is set up at first use
                for _ in range(3):
                    engine(pixels)
            torch.cuda.current_stream().wait_stream(side)
            with torch.cuda.graph(graph):
                logits = engine(pixels)
            kept[batch] = graph, pixels, logits
        graph, pixels, logits = kept[batch]
        pixels[0].copy_(pixels[0].clone())  # new pixels have to be brought to where the recording reads
        graph.replay()
        return logits

    return Way(run)


def alone(engine: TorchEngine, size: int) -> Way:
    """Return the network alone."""
    return Way(lambda batch: engine(lying(batch, size, engine.device)))


def compiled(engine: TorchEngine, size: int) -> Way:
    """Return the network alone with torch.compile, for one batch size at a time."""
    other = copy.copy(engine)
    other.model = torch.compile(engine.model, mode="reduce-overhead", dynamic=False)
    return alone(other, size)


def limit(engine: TorchEngine, size: int, flops: float, copied: float) -> float:
    """Return the largest number of photos per second that the chip allows for the network, at a batch of 8."""
    pixels = lying(8, size, engine.device)
    with FlopCounterMode(display=False) as counter:
        engine(pixels)
    with Traffic() as traffic:
        engine(pixels)
    return 8 / max(counter.get_total_flops() / flops, traffic.bytes / copied)


def timed(
    what: str, runs: dict[str, Callable[[], object]], options: argparse.Namespace, agenda: Agenda
) -> dict[str, npt.NDArray[np.float64]]:
    """Return the seconds of each method in each round (rounds,), without those that fail; methods alternate, after two
    rounds of warm-up."""
    taken: dict[str, list[float]] = {way: [] for way in runs}
    for _, way in itertools.product(range(options.rounds + 2), runs):
        if way in taken:
            once = agenda.attempt(f"{what}, {way}", partial(seconds, runs[way], 1, options.device))
            if once is None:
                del taken[way]
            else:
                taken[way].append(once)
    return {way: np.array(times[2:]) for way, times in taken.items()}


def inference(
    name: str, batch: int, choice: dict[str, Way], most: float, options: argparse.Namespace, agenda: Agenda
) -> dict[str, float]:
    """Print the rows of a model at a batch's size; photos per second of each way."""
    runs = {way: partial(choice[way].run, batch) for way in choice}
    taken = {
        way: times / choice[way].batches
        for way, times in timed(f"{name}, batch {batch}", runs, options, agenda).items()
    }
    for way, times in taken.items():
        ratio = f"{np.median(taken['pipeline'] / times):.2f}x" if "pipeline" in taken else ""
        share = f"{100 * batch / times.min() / most:.0f} %" if way in ALONE else ""
        print(f"| {name} | {batch} | {way} | {batch / times.min():.1f} | {ratio} | {share} |", flush=True)
    return {way: batch / times.min() for way, times in taken.items()}


def best(name: str, rates: list[dict[str, float]], most: float) -> str:
    """Return a sentence on each method at its best batch size."""
    found = {way: max(each.get(way, 0.0) for each in rates) for way in dict.fromkeys(itertools.chain(*rates))}
    said = []
    for way, rate in found.items():
        share = f", {100 * rate / most:.0f} % of the limit" if way in ALONE else ""
        ratio = f", {rate / found['pipeline']:.2f}x the pipeline" if "pipeline" in found else ""
        said.append(f"{way} {rate:.0f} photos/s{ratio}{share}")
    return f"{name}, each way at its best batch: {'; '.join(said)}."


def training(name: str, choice: tuple[str, ...], options: argparse.Namespace, agenda: Agenda) -> None:
    """Print the rows of a model's training steps."""
    batch, size, device = options.train_batch, options.size, options.device
    pixels = torch.randn(batch, 3, size, size, device=device)
    labels = torch.randint(18, (batch, size, size), device=device)
    # built when it is first run
    steps = {way: cache(partial(build_step, name, way, pixels, labels)) for way in choice}
    runs: dict[str, Callable[[], object]] = {way: lambda build=build: build().run() for way, build in steps.items()}
    taken = timed(f"training of {name}", runs, options, agenda)
    for way, times in taken.items():
        ratio = f"{np.median(taken['plain'] / times):.2f}x" if "plain" in taken else ""
        print(f"| {name} | {batch} | {way} | {batch / times.min():.1f} | {ratio} |", flush=True)


def where_time_goes(name: str, engine: TorchEngine, batch: int, size: int) -> None:
    """Print the operations that take most of the time of a pass."""
    on_gpu, pixels = engine.device.type == "cuda", lying(batch, size, engine.device)
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as found:
        engine(pixels)
    table = found.key_averages().table(
        sort_by=f"self_{engine.device.type}_time_total", row_limit=12, max_name_column_width=40
    )
    print(f"\n{name}, batch {batch}\n{table}", flush=True)


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["b2", "lite"], choices=list(MODELS))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--train-batch", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--device", type=pick_device, default="cuda")
    options = parser.parse_args(argv)

    torch.manual_seed(0)
    transformers.utils.logging.set_verbosity_error()
    device, agenda, size = options.device, Agenda(options.minutes), options.size
    half = torch.bfloat16 if has_bfloat16(device) else torch.float32
    flops, copied = matrix_flops(device, half), copy_bytes(device)
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()} CPU"
    print(f"{card}; torch {torch.__version__}, transformers {transformers.__version__}; {half}, seed 0")
    print(f"matrix product {flops / 1e12:.2f} TFLOP/s, copy {copied / 1e9:.0f} GB/s, {options.rounds} rounds")

    print(HEADING)
    engines: dict[str, TorchEngine] = {}
    most: dict[str, float] = {}
    rates: dict[str, list[dict[str, float]]] = {}
    for name in options.models:
        choice, engines[name] = ways(name, size, device)
        most[name] = limit(engines[name], size, flops, copied)
        rates[name] = [inference(name, batch, choice, most[name], options, agenda) for batch in options.batches]
    trained = [name for name in options.models if name != "lite"]
    print(TRAINING_HEADING)
    for name in trained:
        training(name, ("plain", "tuned"), options, agenda)
    for name, engine in engines.items():
        agenda.attempt(f"profile of {name}", partial(where_time_goes, name, engine, options.batches[-1], size))
    if device.type == "cuda":  # last, for compiling takes a minute or so each time
        print(HEADING)
        for name, batch in itertools.product(options.models, (options.batches[-1], options.batches[0])):
            choice = {"network alone": alone(engines[name], size), "compiled": compiled(engines[name], size)}
            rates[name].append(inference(name, batch, choice, most[name], options, agenda))
        print(TRAINING_HEADING)
        for name in trained:
            training(name, ("plain", *ON_GPUS), options, agenda)
    print()
    for name in options.models:
        print(best(name, rates[name], most[name]))
    for what in agenda.left_out:
        print(f"Left out: {what}")


if __name__ == "__main__":
    main()
