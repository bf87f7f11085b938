"""Training steps of SegFormer: photos per second, memory, and the share of the chip's limit.

    python -m benchmarks.training_speed [--models b0 b2] [--size 512] [--batch 8] [--rounds 5] [--steps 5]

Variants of the same step (forward, cross-entropy at the labels' size, backward, clipping, and the fused AdamW that is
transformers' default) with random weights and random pixels already on the device, so that only the network is timed:

- plain: transformers' model and torch's cross-entropy, float32;
- default: as in `train_hf.py`: our weighted loss, the decode head folded, float32;
- tuned: also bfloat16 autocast if the device has instructions for it, as with `--bf16 true`;
- compiled: also `torch.compile`, as with `--torch_compile true`; only on GPUs;
- channels-last: also in that memory layout; only on GPUs. `train_hf.py` does not use it, since its benefit is unknown.

Photos per second are from the fastest round; ratios to plain are of the fastest rounds, and in brackets of the median
round. Rounds alternate, so that other load affects all equally. Memory is the growth in the first step: of the GPU's
peak, or on a CPU of the process's peak, which never falls, so that only a variant that takes more than those before it
shows there. TFLOP/s count the step's own multiplications and additions by torch's counter (folding removes most of the
decode head's); the limit is the rate of a large matrix product on the same device in the same number format.
"""

import argparse
import itertools
import platform
import resource
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import transformers
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode
from transformers import SegformerForSemanticSegmentation

from clothseg.engines.torch_engine import has_bfloat16, pick_device
from clothseg.labels import IGNORE, NUM_CLASSES
from clothseg.models.decode_head import FoldedDecodeHead
from clothseg.training.losses import class_weights, match_labels, weighted_cross_entropy
from clothseg.training.model import build_model


WAYS = ("plain", "default", "tuned")

ON_GPUS = ("compiled", "channels-last")
"""Additional ways on GPUs."""


class Step(NamedTuple):
    """One way to train: call `run` for a step."""

    run: Callable[[], None]
    flops: int
    """Operations of one step, forward and backward."""


def build_step(name: str, way: str, pixels: torch.Tensor, labels: torch.Tensor, bfloat16: bool | None = None) -> Step:
    """Return a step with its own network and optimizer.

    Args:
        name: b0 to b5.
        way: one of `WAYS` or `ON_GPUS`.
        pixels: (N, 3, H, W) float32.
        labels: (N, H, W) int64.
        bfloat16: whether to use it if the device can; None follows the variant.
    """
    torch.manual_seed(0)
    device, tuned = pixels.device, way not in ("plain", "default")
    half = (tuned if bfloat16 is None else bfloat16) and has_bfloat16(device)
    model = build_model(f"nvidia/mit-{name}", from_scratch=True).train().to(device)
    assert isinstance(model, SegformerForSemanticSegmentation)
    if way != "plain":
        model.decode_head.__class__ = FoldedDecodeHead  # same parameters, another forward
    weights = class_weights(1, 3).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def loss_of(network: torch.nn.Module) -> torch.Tensor:
        logits = network(pixel_values=pixels).logits
        if way == "plain":
            upsampled = functional.interpolate(logits, labels.shape[-2:], mode="bilinear", align_corners=False)
            return functional.cross_entropy(upsampled, labels, ignore_index=IGNORE)
        return weighted_cross_entropy(*match_labels(logits, labels), weights)

    with FlopCounterMode(display=False) as counter:
        loss_of(model).backward()
    if way == "channels-last":
        model.to(memory_format=torch.channels_last)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
    network = torch.compile(model) if way in ON_GPUS else model

    def run() -> None:
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            loss = loss_of(network)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return Step(run, counter.get_total_flops())


def seconds(run: Callable[[], object], times: int, device: torch.device) -> float:
    """Return the wall time of one call, averaged over `times`."""
    _wait(device)
    started = time.perf_counter()
    for _ in range(times):
        run()
    _wait(device)
    return (time.perf_counter() - started) / times


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def matrix_flops(device: torch.device, dtype: torch.dtype) -> float:
    """Return the operations per second of a large matrix product: the best of five."""
    side = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    seconds(lambda: a @ b, 1, device)  # the first call initialises everything
    return 2 * side**3 / min(seconds(lambda: a @ b, 3, device) for _ in range(5))


def peak_megabytes(run: Callable[[], None], device: torch.device) -> float:
    """Return the growth of memory in the first step; on a CPU 0 if earlier steps took more."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        run()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**10


def main(argv: list[str] | None = None) -> None:
    """Print a line for each network and way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["b0", "b2"], choices=[f"b{number}" for number in range(6)])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=5, help="steps in a round")
    parser.add_argument("--device", default="auto")
    arguments = parser.parse_args(argv)

    device = pick_device(arguments.device)
    size = (arguments.batch, arguments.size, arguments.size)
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()} CPU"
    threads = "" if device.type == "cuda" else f", {torch.get_num_threads()} threads"
    half = torch.bfloat16 if has_bfloat16(device) else torch.float32
    ways = (*WAYS, *ON_GPUS) if device.type == "cuda" else WAYS
    formats = {way: torch.float32 if way in ("plain", "default") else half for way in ways}
    rates = {dtype: matrix_flops(device, dtype) for dtype in dict.fromkeys(formats.values())}
    limits = {way: rates[dtype] for way, dtype in formats.items()}
    print(f"{card}{threads}; torch {torch.__version__}, transformers {transformers.__version__}")
    print(f"batches of {size[0]} photos of {size[1]}x{size[2]}, {arguments.rounds} rounds of {arguments.steps} steps")
    single, tuned = (limits[way] / 1e12 for way in ("plain", "tuned"))
    print(f"matrix product: {single:.2f} TFLOP/s in float32, {tuned:.2f} in {half}\n")
    print("| network | way | photos/s | against plain | peak memory, MB | TFLOP/s | of the limit |")
    print("|---|---|---|---|---|---|---|")
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randn((size[0], 3, *size[1:]), generator=generator).to(device)
    labels = torch.randint(NUM_CLASSES, size, generator=generator).to(device)
    for name in arguments.models:
        steps = [build_step(name, way, pixels, labels) for way in ways]
        # also compiles and warms up; the smallest first, since a process's peak never decreases
        peaks = [peak_megabytes(step.run, device) for step in reversed(steps)][::-1]
        for step, _ in itertools.product(steps, range(2)):
            step.run()
        rounds = np.array(
            [[seconds(step.run, arguments.steps, device) for step in steps] for _ in range(arguments.rounds)]
        )
        best, ratios = rounds.min(axis=0), np.median(rounds[:, :1] / rounds, axis=0)
        for way, step, taken, ratio, peak in zip(ways, steps, best, ratios, peaks, strict=True):
            speed = step.flops / taken
            print(
                f"| {name.upper()} | {way} | {size[0] / taken:.1f} | {best[0] / taken:.2f} ({ratio:.2f}) "
                f"| {peak:.0f} | {speed / 1e12:.2f} | {100 * speed / limits[way]:.0f} % |",
                flush=True,
            )


if __name__ == "__main__":
    main()
