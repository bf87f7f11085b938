"""Networks on a GPU: photos per second against transformers' pipeline and against the chip's limit; training steps.

    python -m benchmarks.gpu [--models b2 lite] [--size 512] [--batches 1 2 4 ... 64] [--rounds 7] [--device cuda]

It has been run on CPUs alone so far, by a test: no figure of a GPU is anywhere in this repository.

Random weights, random pixels. These ways, each in bfloat16 where the device has it, take turns:

- pipeline: transformers' own, with the model as it comes, from PIL pictures to masks;
- whole: `Segmenter.batch`, from PIL pictures to label maps with plain edges: reading them on the processor included;
- network: `TorchEngine` alone, from pixels to logits, with the copies to the device and back;
- compiled: the same network under torch.compile with CUDA graphs, on pixels that lie on the device, on a GPU only: if
  it is far quicker than `network`, it should become part of the engine.

The limit (roofline) of the network is the larger of two times: its multiplications and additions at the rate of a
large matrix product, and the bytes that its operations read and write, if nothing is fused, at the rate of a large
copy, both measured here. Training is a step of `benchmarks.training_speed`: photos per second stock and as we train.
At the end stands where the network's time goes at the largest batch.
"""

import argparse
import platform
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import transformers
from PIL import Image
from torch.profiler import ProfilerActivity, profile
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.training_speed import build_step, matrix_flops, seconds
from clothseg.engines.torch_engine import TorchEngine, has_bfloat16, pick_device
from clothseg.segmenter import Segmenter
from clothseg.training.model import build_model


MODELS = {"b0": "nvidia/mit-b0", "b2": "nvidia/mit-b2", "lite": "lite2"}


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


def copy_bytes(device: torch.device) -> float:
    """Bytes per second, read and written, of a large copy: the best of five."""
    source = torch.zeros(2**28 if device.type == "cuda" else 2**24, device=device)
    target = torch.empty_like(source)
    taken = min(seconds(lambda: target.copy_(source), 3, device) for _ in range(5))
    return 2 * source.numel() * source.element_size() / taken


def ways(name: str, size: int, device: torch.device) -> tuple[dict[str, Callable[[int], object]], TorchEngine]:
    """What to time, as functions of a batch's size, and the engine itself."""
    half = torch.bfloat16 if has_bfloat16(device) else torch.float32
    processor = transformers.SegformerImageProcessorPil(size={"height": size, "width": size})
    noise = np.random.default_rng(0).integers(0, 256, (size, size, 3), np.uint8)
    photo = Image.fromarray(noise)
    found: dict[str, Callable[[int], object]] = {}
    if name != "lite":  # which is no model of transformers
        stock = build_model(MODELS[name], from_scratch=True).eval()
        pipeline = transformers.pipeline(
            "image-segmentation", model=stock.to(half), image_processor=processor, device=device
        )
        found["pipeline"] = lambda batch: pipeline([photo] * batch, batch_size=batch)
    engine = TorchEngine(build_model(MODELS[name], from_scratch=True), str(device), "fast")
    segmenter = Segmenter(engine, processor, name=name)
    found["whole"] = lambda batch: segmenter.batch([photo] * batch, batch, edges="plain", zoom="off")
    pixels = np.zeros((1, 3, size, size), np.float32)
    found["network"] = lambda batch: engine(np.repeat(pixels, batch, axis=0))
    if device.type == "cuda":
        compiled = torch.compile(engine.model, mode="reduce-overhead")

        def run(batch: int) -> object:
            lying = torch.zeros((batch, 3, size, size), device=device).to(memory_format=torch.channels_last)
            with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16, enabled=has_bfloat16(device)):
                return compiled(pixel_values=lying).logits.float().cpu()

        found["compiled"] = run
    return found, engine


def limit(engine: TorchEngine, size: int, flops: float, copied: float) -> float:
    """Photos per second of the network that the chip allows at most, at a batch of 8."""
    pixels = np.zeros((8, 3, size, size), np.float32)
    with FlopCounterMode(display=False) as counter:
        engine(pixels)
    with Traffic() as traffic:
        engine(pixels)
    return len(pixels) / max(counter.get_total_flops() / flops, traffic.bytes / copied)


def main(argv: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["b2", "lite"], choices=list(MODELS))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32, 64])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--device", default="cuda")
    options = parser.parse_args(argv)

    torch.manual_seed(0)
    transformers.utils.logging.set_verbosity_error()
    device = pick_device(options.device)
    half = torch.bfloat16 if has_bfloat16(device) else torch.float32
    flops, copied = matrix_flops(device, half), copy_bytes(device)
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()} CPU"
    print(f"{card}; torch {torch.__version__}, transformers {transformers.__version__}; {half}, seed 0")
    print(f"matrix product {flops / 1e12:.2f} TFLOP/s, copy {copied / 1e9:.0f} GB/s, {options.rounds} rounds\n")
    print("| network | batch | way | photos/s | against the pipeline | of the limit |")
    print("|---|---|---|---|---|---|")
    engines = {}
    for name in options.models:
        timed, engines[name] = ways(name, options.size, device)
        most = limit(engines[name], options.size, flops, copied)
        for batch in options.batches:
            runs = [lambda run=run, batch=batch: run(batch) for run in timed.values()]
            rounds = np.array([[seconds(run, 1, device) for run in runs] for _ in range(options.rounds + 2)])[2:]
            for way, taken in zip(timed, rounds.T, strict=True):
                ratio = f"{np.median(rounds[:, 0] / taken):.2f}x" if "pipeline" in timed else "no pipeline"
                share = f"{100 * batch / taken.min() / most:.0f} %" if way in ("network", "compiled") else ""
                print(f"| {name} | {batch} | {way} | {batch / taken.min():.1f} | {ratio} | {share} |", flush=True)

    batch = options.batches[-1] if device.type == "cuda" else 1
    pixels = torch.randn(batch, 3, options.size, options.size, device=device)
    labels = torch.randint(18, (batch, options.size, options.size), device=device)
    print("\n| training | photos/s stock | folded, bfloat16 | ratio |\n|---|---|---|---|")
    for name in (name for name in options.models if name != "lite"):
        steps = [build_step(name, way, pixels, labels).run for way in ("plain", "tuned")]
        stock, ours = np.array([[seconds(step, 1, device) for step in steps] for _ in range(options.rounds + 2)])[2:].T
        rates = f"{batch / stock.min():.1f} | {batch / ours.min():.1f}"
        print(f"| {name}, batch {batch} | {rates} | {np.median(stock / ours):.2f}x |", flush=True)

    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]
    for name, engine in engines.items():
        with profile(activities=kinds) as found:
            engine(np.zeros((options.batches[-1], 3, options.size, options.size), np.float32))
        print(f"\n{name}, batch {options.batches[-1]}")
        order = f"self_{device.type}_time_total"
        print(found.key_averages().table(sort_by=order, row_limit=12, max_name_column_width=40))


if __name__ == "__main__":
    main()
