"""Methods for a network on a GPU, and the limit of the chip, for `benchmarks.gpu`."""

import copy
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import transformers
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.contenders import EXAMPLES
from benchmarks.training_speed import seconds
from clothseg.engines import device as there
from clothseg.engines.torch_engine import TorchEngine, has_bfloat16
from clothseg.models.loading import load
from clothseg.options import SegmentOptions
from clothseg.segmenter import Segmenter
from clothseg.training.model import build_model


MODELS = {"b0": "nvidia/mit-b0", "b2": "nvidia/mit-b2", "lite": None}

PHOTO = EXAMPLES / "doll-skirt.jpg"

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


def copy_bytes(device: torch.device) -> float:
    """Return the bytes per second, read and written, of a large copy: the best of five."""
    source = torch.zeros(2**28 if device.type == "cuda" else 2**24, device=device)
    target = torch.empty_like(source)
    taken = min(seconds(lambda: target.copy_(source), 3, device) for _ in range(5))
    return 2 * source.numel() * source.element_size() / taken


@cache
def resident(batch: int, size: int, device: torch.device) -> list[torch.Tensor]:
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
        # B2 with random weights would consider no photo upright, and process each one five times.
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
            pixels, graph = resident(batch, size, engine.device), torch.cuda.CUDAGraph()
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # set up everything of the first use before the recording
                for _ in range(3):
                    engine(pixels)
            torch.cuda.current_stream().wait_stream(side)
            with torch.cuda.graph(graph):
                logits = engine(pixels)
            kept[batch] = graph, pixels, logits
        graph, pixels, logits = kept[batch]
        pixels[0].copy_(pixels[0].clone())  # new pixels have to be copied to the buffer that the recording reads
        graph.replay()
        return logits

    return Way(run)


def alone(engine: TorchEngine, size: int) -> Way:
    """Return the network alone."""
    return Way(lambda batch: engine(resident(batch, size, engine.device)))


def compiled(engine: TorchEngine, size: int) -> Way:
    """Return the network alone with torch.compile, for one batch size at a time."""
    other = copy.copy(engine)
    other.model = torch.compile(engine.model, mode="reduce-overhead", dynamic=False)
    return alone(other, size)


def limit(engine: TorchEngine, size: int, flops: float, copied: float) -> float:
    """Return the largest number of photos per second that the chip allows for the network, at a batch of 8."""
    pixels = resident(8, size, engine.device)
    with FlopCounterMode(display=False) as counter:
        engine(pixels)
    with Traffic() as traffic:
        engine(pixels)
    return 8 / max(counter.get_total_flops() / flops, traffic.bytes / copied)
