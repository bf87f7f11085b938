"""Preprocessing and post-processing on a GPU give the results of the CPU's modules.

Without a GPU, the tests run the same code on the CPU.
"""

import io
import logging
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from paper_dolls import draw
from PIL import Image

from clothseg import Segmenter
from clothseg.engines import device
from clothseg.models.loading import EMBEDDED
from clothseg.postprocess import guided_edges, on_gpu, upsample
from clothseg.postprocess.back_view import swap_sides_if_back_view
from clothseg.postprocess.cleanup import without_legs


DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def segmenter_on_device(folder: Path, **options: str) -> Segmenter:
    """A segmenter that preprocesses and post-processes on the device, even if that is a CPU."""
    segmenter = Segmenter.from_pretrained(folder, engine="torch", device=DEVICE.type, **options)
    segmenter.engine.preprocess = partial(device.preprocess, device=DEVICE)
    return segmenter


def on_device(array: np.ndarray) -> torch.Tensor:
    return device.upload(array, DEVICE)


def doll(seed: int, height: int = 300, width: int = 200) -> Image.Image:
    return Image.fromarray(draw(seed, height, width).image)


def smooth(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(plane, (0, 0), 3) for plane in rng.normal(size=shape).astype(np.float32)]) * 40


@pytest.mark.parametrize(
    ("height", "width"), [(300, 200), (40, 700), (1, 50), (700, 5), (64, 96), (1000, 96), (64, 1000), (1500, 1800)]
)
def test_resizing_equals_pillow_exactly(height: int, width: int, rng: np.random.Generator) -> None:
    photo = rng.integers(0, 256, (height, width, 3), np.uint8)
    for size in ((64, 96), (96, 64), (333, 50)):
        expected = np.asarray(Image.fromarray(photo).resize(size[::-1], Image.Resampling.BILINEAR))
        np.testing.assert_array_equal(device.resized(on_device(photo), size).cpu().numpy(), expected)


@pytest.mark.parametrize("resample", [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC])
def test_preprocessed_pixels_equal_the_cpus_exactly(resample: Image.Resampling, tiny_model: Path) -> None:
    segmenter = Segmenter.from_pretrained(tiny_model, engine="torch", device="cpu")
    segmenter._input.resample = resample
    for size in ((128, 128), (96, 160)):
        found = device.preprocess(doll(1), size, resample, segmenter._input.values, DEVICE)
        np.testing.assert_array_equal(found.cpu().numpy(), segmenter.pixels([doll(1)], size))
        assert found.is_contiguous(memory_format=torch.channels_last)


def test_out_of_memory_falls_back_to_the_cpu(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("no memory")

    segmenter = segmenter_on_device(tiny_model)
    expected, pixels = segmenter(doll(0)), segmenter.pixels([doll(0)])
    monkeypatch.setattr(device, "resized", fail)
    found = segmenter.engine.preprocess(doll(0), (128, 128), Image.Resampling.BILINEAR, segmenter._input.values)
    np.testing.assert_array_equal(found.cpu().numpy(), pixels)
    assert found.is_contiguous(memory_format=torch.channels_last)
    monkeypatch.setattr(on_gpu, "follow_edges", fail)
    with caplog.at_level(logging.WARNING):
        found = segmenter(doll(0))
    assert "CPU prepares this photo instead of the GPU: no memory" in caplog.text
    assert "CPU computes this label map instead of the GPU: no memory" in caplog.text
    assert (found.label_map == expected.label_map).mean() > 0.998


@pytest.mark.parametrize("size", [(511, 767), (1000, 400), (32, 48), (20, 47), (1, 3000), (3000, 2)])
@pytest.mark.parametrize("values", [1 << 13, 1 << 23])
def test_plain_labels_equal_the_cpus(
    size: tuple[int, int], values: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_gpu, "_STRIP_VALUES", values)
    logits = smooth(rng, (18, 32, 48))
    expected, grid = upsample.winners(logits, size), upsample.winning_probability(logits, size)
    found, found_grid = (make(on_device(logits), size) for make in (on_gpu.winners, on_gpu.winning_probability))
    assert (found.dtype, found_grid.dtype, found.shape) == (np.uint8, np.uint8, size)
    assert (found == expected).mean() >= 0.9999
    assert np.abs(found_grid.astype(int) - grid).max() <= 1


def test_lower_id_wins_among_equal_logits() -> None:
    logits = np.zeros((18, 4, 4), np.float32)
    logits[[5, 9]] = 1
    assert (on_gpu.winners(on_device(logits), (50, 60)) == 5).all()


@pytest.mark.parametrize("size", [(300, 200), (130, 700), (20, 900), (1300, 777), (333, 777), (3, 2), (1, 2000)])
def test_guided_edges_equal_the_cpus(
    size: tuple[int, int], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(on_gpu, "_STRIP_VALUES", 1 << 18)  # several strips
    photo = cv2.GaussianBlur(rng.integers(0, 256, (*size, 3), dtype=np.uint8), (5, 5), 2).reshape(*size, 3)
    logits = smooth(rng, (6, 30, 24))
    found = on_gpu.follow_edges(on_device(logits), on_device(photo))
    assert (found.dtype, found.shape) == (np.uint8, size)
    assert (found == guided_edges.follow_edges(logits, photo)).mean() >= 0.999


def test_single_class_fills_the_photo() -> None:
    logits = np.zeros((18, 8, 8), np.float32)
    logits[7] = 1
    assert (on_gpu.follow_edges(on_device(logits), on_device(np.zeros((50, 70, 3), np.uint8))) == 7).all()


def test_labels_of_real_photos_equal_the_cpus(shared_data: Path) -> None:
    segmenter = Segmenter.from_pretrained(EMBEDDED, engine="torch", device="cpu")
    rows = pq.read_table(shared_data / "sample_validation.parquet", columns=["image"]).slice(0, 3).to_pylist()
    plain, guided = [], []
    for row in rows:
        photo = Image.open(io.BytesIO(row["image"]["bytes"])).convert("RGB")
        (logits,) = segmenter.logits([photo])
        size, bytes_of = (photo.height, photo.width), np.array(photo)
        found = on_gpu.winners(on_device(logits), size)
        plain.append((found == upsample.winners(logits, size)).mean())
        logits = swap_sides_if_back_view(without_legs(logits))
        borders = on_gpu.follow_edges(on_device(logits), on_device(bytes_of))
        guided.append((borders == guided_edges.follow_edges(logits, bytes_of)).mean())
    assert min(plain) >= 0.9999 and min(guided) >= 0.999


@pytest.mark.parametrize(
    "options",
    [{"edges": "plain", "zoom": "off"}, {}, {"people": "all"}, {"people": "all", "edges": "plain"}, {"tta": True}],
    ids=str,
)
def test_all_options_give_the_cpus_results(options: dict[str, str], tiny_model: Path) -> None:
    usual, ours = Segmenter.from_pretrained(tiny_model, engine="torch", device="cpu"), segmenter_on_device(tiny_model)
    photos = [doll(0), doll(1, 400, 640), doll(2, 64, 64)]
    together = ours.batch(photos, batch_size=3, **options)
    for photo, found in zip(photos, together, strict=True):
        expected = usual(photo, **options)
        assert (found.label_map == expected.label_map).mean() >= 0.998
        assert found.confidence == pytest.approx(expected.confidence, abs=0.05)
        assert found.people == expected.people or "people" not in options
        assert np.abs(found.probability.astype(int) - expected.probability).mean() < 1
        assert not found.label_map.flags.writeable


def test_fast_precision_is_close_to_exact(tiny_model: Path) -> None:
    usual, ours = (
        Segmenter.from_pretrained(tiny_model, engine="torch", device="cpu"),
        segmenter_on_device(tiny_model, precision="fast"),
    )
    for edges_drawn in ("plain", "guided"):
        expected, found = (segmenter(doll(3), edges=edges_drawn).label_map for segmenter in (usual, ours))
        assert (found == expected).mean() >= 0.97


def test_batch_is_one_forward_pass(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter, sizes = segmenter_on_device(tiny_model), []
    forward = segmenter.engine.model.forward
    monkeypatch.setattr(
        segmenter.engine.model,
        "forward",
        lambda pixel_values: sizes.append(tuple(pixel_values.shape)) or forward(pixel_values=pixel_values),
    )
    photos = [doll(0), doll(1, 150, 400), doll(2, 64, 64), doll(3)]
    segmenter.batch(photos, batch_size=3, zoom="off", orientation="upright")
    assert sizes == [(3, 3, 128, 128), (1, 3, 128, 128)]


def test_non_finite_weights_give_a_clear_error(tiny_model: Path) -> None:
    segmenter = segmenter_on_device(tiny_model)
    segmenter.engine.model.decode_head.classifier.bias.data[3] = torch.nan
    with pytest.raises(Exception, match="weights are broken"):
        segmenter(doll(0))
