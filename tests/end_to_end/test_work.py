"""Guards against slowdowns by counting work: the networks' multiplications, and arrays as large as the photo.

Unlike durations, these counts do not depend on the machine and its load. A limit may be lowered when the count falls;
raising one needs a reason.
"""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from paper_dolls import draw
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from clothseg import Segmenter
from clothseg.engines.base import Engine
from clothseg.engines.torch_engine import TorchEngine
from clothseg.labels import NUM_CLASSES
from clothseg.postprocess import cell_argmax, guided_edges
from clothseg.training.model import build_model


def gigaflops(network: torch.nn.Module, side: int) -> float:
    """Billions of multiplications and additions in matrix products and convolutions, for one photo of side x side."""
    pixels = torch.zeros(1, 3, side, side)
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        network(pixel_values=pixels)
    return counter.get_total_flops() / 1e9


@pytest.mark.parametrize(("name", "stock", "ours"), [("nvidia/mit-b0", 3.397, 1.25), ("nvidia/mit-b2", 28.392, 9.07)])
def test_folded_model_needs_fewer_multiplications(name: str, stock: float, ours: float) -> None:
    model = build_model(name, from_scratch=True).eval()
    # If transformers' own model changes, update `stock`.
    assert gigaflops(model, 256) == pytest.approx(stock, rel=0.001)
    assert gigaflops(TorchEngine(model, "cpu").model, 256) <= ours


def test_embedded_network_needs_few_multiplications() -> None:
    model = build_model("lite2", from_scratch=True).eval()
    assert gigaflops(TorchEngine(model, "cpu").model, 256) <= 1.59


class Plain(Engine):
    """Answers with stripes of classes."""

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        logits = np.zeros((len(pixels), NUM_CLASSES, 32, 32), np.float32)
        for class_id in range(NUM_CLASSES):
            logits[:, class_id, class_id::NUM_CLASSES] = 5
        return logits


@pytest.mark.parametrize("edges", ["plain", "guided"])
def test_segmenting_needs_little_more_memory_than_the_label_map(edges: str, tiny_model: Path) -> None:
    segmenter = Segmenter.from_pretrained(str(tiny_model), device="cpu")
    segmenter.engine = Plain()

    def bytes_of(height: int, width: int) -> tuple[int, int]:
        photo = Image.fromarray(np.resize(draw(0).image, (height, width, 3)))
        tracemalloc.start()
        result = segmenter(photo, edges=edges)
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(result.areas) > NUM_CLASSES / 2
        return held, peak

    (small_held, small_peak), (large_held, large_peak) = bytes_of(1600, 1200), bytes_of(3200, 2400)
    more = 3 * 1600 * 1200
    assert large_held - small_held == pytest.approx(more, rel=0.01)
    assert large_peak - small_peak < 1.3 * more  # one more array with a byte per pixel would exceed this


def test_edges_are_fitted_only_near_each_foreground_class(monkeypatch: pytest.MonkeyPatch) -> None:
    areas = []

    def counted(*arguments: Any) -> Iterator[tuple[Any, np.ndarray]]:
        for box, line in fit_linear(*arguments):
            areas.append(line.shape[0] * line.shape[1] / (160 * 160))
            yield box, line

    fit_linear = guided_edges.fit_linear
    monkeypatch.setattr(guided_edges, "fit_linear", counted)
    logits = np.full((NUM_CLASSES, 40, 40), -9, np.float32)
    logits[0] = 0
    for place, class_id in enumerate((4, 6, 9)):
        logits[class_id, 10 * place : 10 * place + 8, 10:18] = 9
    label_map = guided_edges.follow_edges(logits, np.zeros((160, 160, 3), np.uint8))
    assert np.unique(label_map).tolist() == [0, 4, 6, 9]
    assert len(areas) == 3 and sum(areas) < 0.4


def test_local_functions_are_combined_only_near_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def counted(self: Any, down: np.ndarray, *others: np.ndarray) -> np.ndarray:
        drawn.append(len(down))
        return np.asarray(winners(self, down, *others))

    winners = cell_argmax._GapFits.winners
    monkeypatch.setattr(cell_argmax._GapFits, "winners", counted)
    logits = np.full((NUM_CLASSES, 40, 40), -9, np.float32)
    logits[4], logits[9, 8:32, 8:32] = 0, 9
    label_map = guided_edges.follow_edges(logits, np.zeros((1280, 1280, 3), np.uint8))
    assert (label_map == 9).mean() == pytest.approx(0.36, abs=0.01)
    assert 0 < sum(drawn) < 0.13 * 320 * 320
