"""The same logits give the same labels for photos, clips, evaluation and on the GPU."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from datasets import Dataset
from paper_dolls import draw, write_parquet
from PIL import Image

from clothseg import Segmenter, SegmentOptions
from clothseg.engines import Engine, device
from clothseg.labels import SWAP_SIDES
from clothseg.postprocess import decoding, on_gpu, pipeline
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.sources import load_labelled
from clothseg.training.evaluation.metrics import confusion_matrix
from clothseg.training.evaluation.scoring import score
from clothseg.video.stream import Stream


CPU = torch.device("cpu")


class Network(Engine):
    """A network that also accepts tensors preprocessed on a device."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __call__(self, pixels: Any) -> Any:
        if isinstance(pixels, list):
            return torch.from_numpy(self.engine(torch.cat(pixels).contiguous().numpy()))
        return self.engine(pixels)


class OnDevice(Network):
    """The same network with logits and post-processing on a device."""

    def preprocess(self, *photo: Any) -> torch.Tensor:
        return device.preprocess(*photo, CPU)


@pytest.fixture(scope="module")
def segmenter(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(tiny_model, engine="torch", device="cpu")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    path = tmp_path_factory.mktemp("rows") / "dolls.parquet"
    write_parquet(path, 3, seed=7, height=240, width=160)
    return load_labelled(path)


@pytest.mark.parametrize("edges", ["guided", "plain"])
@pytest.mark.parametrize("rules", [False, True])
def test_photos_clips_evaluation_and_device_give_the_same_labels(
    segmenter: Segmenter, rows: Dataset, edges: Any, rules: bool
) -> None:
    options = SegmentOptions(edges=edges, zoom="off", rules=rules, orientation="upright")
    there = Segmenter.from_pretrained(segmenter.folder, engine="torch", device="cpu")
    there.engine = OnDevice(segmenter.engine)
    scores = score(segmenter, rows, 1, options)
    for index, row in enumerate(rows):
        photo, truth = decode_row(row)
        expected = segmenter(photo, options)
        frame = Stream(segmenter, options)(photo)
        # Clips keep probabilities, not logits: the last digit may differ.
        assert (frame.label_map == expected.label_map).mean() > 0.999
        assert np.abs(frame.probability.astype(int) - expected.probability).max() <= 1
        assert frame.confidence == pytest.approx(expected.confidence, abs=1e-3)
        np.testing.assert_array_equal(scores.own_size[index], confusion_matrix(truth, expected.label_map))
        drawn = there(photo, options)
        assert (drawn.label_map == expected.label_map).mean() > 0.998
        assert len(np.unique(expected.label_map)) > 3  # guards against a trivial comparison


@pytest.mark.parametrize("options", [{}, {"people": "all"}, {"tta": True}, {"zoom": "off"}], ids=str)
def test_evaluation_scores_the_label_maps_of_the_segmenter(
    segmenter: Segmenter, rows: Dataset, options: dict[str, Any]
) -> None:
    scores = score(segmenter, rows, 1, **options)
    for index, row in enumerate(rows):
        photo, truth = decode_row(row)
        expected = confusion_matrix(truth, segmenter(photo, **options).label_map)
        np.testing.assert_array_equal(scores.own_size[index], expected)


def test_window_is_decoded_like_a_separate_photo(segmenter: Segmenter) -> None:
    frame = Image.fromarray(np.pad(draw(2, 200, 120).image, ((40, 20), (30, 70), (0, 0)), mode="edge"))
    box = pipeline.Box(30, 40, 150, 240)
    window = frame.crop(box)
    (logits,) = segmenter.logits([window])
    options = SegmentOptions(back_view="auto")
    whole = pipeline.decode_window(frame, logits, box, options)
    alone = decoding.decode_logits(window, logits, guided=True)
    np.testing.assert_array_equal(whole.label_map[40:240, 30:150], alone.label_map)
    np.testing.assert_array_equal(whole.confidence, alone.confidence)
    outside = np.ones(whole.label_map.shape, bool)
    outside[40:240, 30:150] = False
    assert not whole.label_map[outside].any() and not whole.probability[:20].any()
    swapped = pipeline.decode_window(frame, logits, box, options, back_view=True)
    kept = pipeline.decode_window(frame, logits, box, options, back_view=False)
    np.testing.assert_array_equal(swapped.label_map, SWAP_SIDES[kept.label_map])


def test_gpu_decoding_matches_cpu_and_falls_back_when_out_of_memory(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    photo = Image.fromarray(draw(3, 200, 150).image)
    (logits,) = segmenter.logits([photo])
    decode = partial(decoding.decode_logits, photo, guided=True)
    expected = decode(logits)
    assert (decode(torch.from_numpy(logits)).label_map == expected.label_map).mean() > 0.998

    def fail(message: str) -> None:
        def raises(*_: object) -> None:
            raise RuntimeError(message)

        monkeypatch.setattr(on_gpu, "follow_edges", raises)

    fail("CUDA error: out of memory")
    np.testing.assert_array_equal(decode(torch.from_numpy(logits)).label_map, expected.label_map)
    assert "CPU computes this label map instead of the GPU" in caplog.text
    fail("a fault of ours")
    with pytest.raises(RuntimeError, match="a fault of ours"):
        decode(torch.from_numpy(logits))
