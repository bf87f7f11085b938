"""All figures for a GPU in one run of at most nine minutes: correctness, training, inference, the chip's limit.

    python -m benchmarks.gpu [--models b2 lite] [--size 512] [--batches 1 8 64] [--rounds 3] [--minutes 9]

So far it has only been run on CPUs, by a test: this repository contains no figures for GPUs, and methods marked "GPU
only" have never run. A method that fails does not affect the others, and methods that cannot start within `--minutes`
are skipped; both are listed at the end. The most important figures come first:

1. Correctness: label maps of `examples/`, as they are and three times as large, compared with those of the CPU.
2. Training: photos per second of the real `train_hf.py` in float32, TF32 and bfloat16, for each of `--train-batches`;
   the time that this gives for six epochs of ATR; what SIGTERM and a resumed run do (`benchmarks.gpu_training`).
3. Inference: the photo is one of `examples/`, 576x768 pixels, decoded. B2 has random weights, clothseg-lite its own.
   Methods alternate, each in bfloat16 if the device supports it; those that begin with a photo process four batches at
   once:
   - pipeline: transformers' own, with the unmodified model, from PIL pictures to masks;
   - whole: `Segmenter.batch`, from PIL pictures to label maps with plain edges, everything but decoding on the device;
   - guided: the same with guided edges;
   - around it by the CPU, guided by the CPU: the same two with photos resized and label maps drawn by the CPU;
   - network: `TorchEngine` from arrays to arrays, including the copies to the device and back;
   - network alone: the same from pixels to logits on the device;
   - graph: the same, recorded as one CUDA graph and replayed (GPU only);
   - compiled: the same with `torch.compile`, which also uses CUDA graphs (GPU only).
   If graph or compiled is much faster than network alone, it should become part of the engine.
4. Training steps alone, of `benchmarks.training_speed`, which describes its methods; a profile of a pass at the
   largest batch; what has to be compiled, in inference and in `train_hf.py`.

The limit (roofline) of the network is the larger of two times: its multiplications and additions at the rate of a
large matrix product, and the bytes that its operations read and write, without fusion, at the rate of a large copy;
both rates are measured here.
"""

import argparse
import copy
import itertools
import platform
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import transformers
from PIL import Image
from torch.profiler import ProfilerActivity, profile

from benchmarks import gpu_training
from benchmarks.contenders import EXAMPLES
from benchmarks.gpu_network import ALONE, MODELS, Way, alone, compiled, copy_bytes, limit, resident, ways
from benchmarks.training_speed import ON_GPUS, build_step, matrix_flops, seconds
from clothseg import Segmenter
from clothseg.engines.torch_engine import TorchEngine, has_bfloat16, pick_device
from clothseg.models.loading import load
from clothseg.options import SegmentOptions
from clothseg.training.model import build_model


HEADING = "\n| network | batch | way | photos/s | against the pipeline | of the limit |\n|---|---|---|---|---|---|"
AGREEMENT_HEADING = "\n| network | precision | photos | equal pixels, mean | least |\n|---|---|---|---|---|"
REAL_HEADING = "\n| train_hf.py | batch | photos/s | 6 epochs of ATR |\n|---|---|---|---|"
STEPS_HEADING = "\n| training | batch | way | photos/s | against plain |\n|---|---|---|---|---|"


class Agenda:
    """The tasks of a run, as time allows; a task that fails does not affect the others."""

    def __init__(self, minutes: float) -> None:
        self.end = time.monotonic() + 60 * minutes
        self.left_out: list[str] = []

    def attempt(self, what: str, run: Callable[[], Any]) -> Any:
        """Return the result of `run`; None if there is no time left for it, or if it fails."""
        if time.monotonic() > self.end:
            self.left_out.append(f"{what}: no time")
            return None
        try:
            return run()
        except Exception as error:
            self.left_out.append(f"{what}: {type(error).__name__}: {str(error)[:200]}")
            torch.cuda.empty_cache()  # without effect if there is no GPU
            return None


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
    on_gpu, pixels = engine.device.type == "cuda", resident(batch, size, engine.device)
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]) as found:
        engine(pixels)
    table = found.key_averages().table(
        sort_by=f"self_{engine.device.type}_time_total", row_limit=12, max_name_column_width=40
    )
    print(f"\n{name}, batch {batch}\n{table}", flush=True)


def agreement(name: str, device: torch.device, size: int) -> None:
    """Print the share of pixels in which label maps of the examples equal the CPU's, with guided edges."""
    photos = [Image.open(path).convert("RGB") for path in sorted(EXAMPLES.glob("*.jpg"))]
    photos += [photo.resize((3 * photo.width, 3 * photo.height)) for photo in photos[:2]]
    processor = transformers.SegformerImageProcessorPil(size={"height": size, "width": size})
    kind = MODELS[name]
    model = load(None).model if kind is None else build_model(kind, from_scratch=True).eval()
    options = SegmentOptions(edges="guided", zoom="off", orientation="upright")

    def label_maps(where: str, precision: str) -> list[npt.NDArray[np.uint8]]:
        segmenter = Segmenter(TorchEngine(copy.deepcopy(model), where, precision), processor, name=name)
        return [segmenter(photo, options).label_map for photo in photos]

    expected = label_maps("cpu", "exact")
    for precision in ("exact", "fast"):
        found = label_maps(str(device), precision)
        equal = [float((ours == theirs).mean()) for ours, theirs in zip(found, expected, strict=True)]
        print(f"| {name} | {precision} | {len(equal)} | {np.mean(equal):.6f} | {min(equal):.6f} |", flush=True)


def real_training(
    runs: gpu_training.Runs, batches: list[int], precisions: dict[str, list[str]], agenda: Agenda
) -> None:
    """Print the photos per second of `train_hf.py`, in each precision and batch."""
    for (precision, flags), batch in itertools.product(precisions.items(), batches):
        name = f"{precision}-{batch}".replace(", ", "-")
        what = f"train_hf.py, {precision}, batch {batch}"
        rate = agenda.attempt(what, partial(gpu_training.measure, runs, name, batch, flags))
        if rate is not None:
            minutes = 6 * gpu_training.ATR_PHOTOS / rate / 60
            print(f"| {precision} | {batch} | {rate:.1f} | {minutes:.0f} min |", flush=True)


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["b2", "lite"], choices=list(MODELS))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--train-batch", type=int, default=16, help="for the training steps alone")
    parser.add_argument("--train-batches", type=int, nargs="+", default=[8, 32], help="for train_hf.py")
    parser.add_argument("--train-photos", type=int, default=2048, help="drawn photos for train_hf.py")
    parser.add_argument("--train-steps", type=int, default=40, help="measured steps of train_hf.py")
    parser.add_argument("--train-flags", default="", help="more options for train_hf.py")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=9)
    parser.add_argument("--device", type=pick_device, default="cuda")
    options = parser.parse_args(argv)

    torch.manual_seed(0)
    transformers.utils.logging.set_verbosity_error()
    device, agenda, size = options.device, Agenda(options.minutes), options.size
    on_gpu = device.type == "cuda"
    half = torch.bfloat16 if has_bfloat16(device) else torch.float32
    flops, copied = matrix_flops(device, half), copy_bytes(device)
    card = torch.cuda.get_device_name(device) if on_gpu else f"{platform.machine()} CPU"
    print(f"{card}; torch {torch.__version__}, transformers {transformers.__version__}; {half}, seed 0")
    print(f"matrix product {flops / 1e12:.2f} TFLOP/s, copy {copied / 1e9:.0f} GB/s, {options.rounds} rounds")

    print(AGREEMENT_HEADING)
    for name in options.models:
        agenda.attempt(f"correctness of {name}", partial(agreement, name, device, size))

    flags = ["--model_name_or_path", "nvidia/mit-b2", *options.train_flags.split()]
    with gpu_training.prepared(options.train_photos, flags, options.train_steps, 90) as runs:
        print(REAL_HEADING)
        at_once = {name: each for name, each in gpu_training.PRECISIONS.items() if on_gpu and "compiled" not in name}
        at_once = at_once or {"float32": ["--use_cpu", "true"]}
        real_training(runs, options.train_batches, at_once, agenda)
        last, batch = list(at_once)[-1], options.train_batches[0]
        resumed = partial(gpu_training.resume, runs, f"{last}-{batch}", batch, at_once[last])
        print(f"\n{agenda.attempt('resumed training', resumed)}", flush=True)

        print(HEADING)
        engines: dict[str, TorchEngine] = {}
        most: dict[str, float] = {}
        rates: dict[str, list[dict[str, float]]] = {}
        for name in options.models:
            choice, engines[name] = ways(name, size, device)
            most[name] = limit(engines[name], size, flops, copied)
            rates[name] = [inference(name, batch, choice, most[name], options, agenda) for batch in options.batches]
        trained = [name for name in options.models if name != "lite"]
        print(STEPS_HEADING)
        for name in trained:
            training(name, ("plain", "tuned"), options, agenda)
        for name, engine in engines.items():
            agenda.attempt(f"profile of {name}", partial(where_time_goes, name, engine, options.batches[-1], size))
        if on_gpu:  # last, since each compilation takes about a minute
            print(REAL_HEADING)
            compiling = {name: each for name, each in gpu_training.PRECISIONS.items() if "compiled" in name}
            real_training(runs._replace(seconds=180), options.train_batches[:1], compiling, agenda)
            print(HEADING)
            for name, batch in itertools.product(options.models, (options.batches[-1], options.batches[0])):
                choice = {"network alone": alone(engines[name], size), "compiled": compiled(engines[name], size)}
                rates[name].append(inference(name, batch, choice, most[name], options, agenda))
            print(STEPS_HEADING)
            for name in trained:
                training(name, ("plain", *ON_GPUS), options, agenda)
    print()
    for name in options.models:
        print(best(name, rates[name], most[name]))
    for what in agenda.left_out:
        print(f"Left out: {what}")


if __name__ == "__main__":
    main()
