"""`Segmenter` from photo to label map, compared with transformers."""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from paper_dolls import draw
from PIL import ExifTags, Image
from transformers import AutoImageProcessor, AutoModelForSemanticSegmentation

from clothseg import ConfigError, ImageError, ModelError, Segmentation, Segmenter
from clothseg.engines.base import Engine
from clothseg.images.decode import load_photo
from clothseg.labels import NAMES, NUM_CLASSES


@pytest.fixture(scope="module")
def segmenter(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(str(tiny_model), device="cpu")


def photo(seed: int, height: int = 300, width: int = 200) -> Image.Image:
    return Image.fromarray(draw(seed, height, width).image)


def assert_same(one: Segmentation, other: Segmentation) -> None:
    """Assert equality except for rounding, which differs between batches and single photos."""
    assert one.label_map.shape == other.label_map.shape
    assert np.mean(one.label_map == other.label_map) >= 0.999
    assert one.areas == pytest.approx(other.areas, abs=1e-3)


@pytest.mark.parametrize(("height", "width"), [(768, 512), (301, 203), (64, 50), (1, 40)])
def test_segmenter_equals_transformers(segmenter: Segmenter, tiny_model: Path, height: int, width: int) -> None:
    image = photo(height, max(height, 64), max(width, 64)).crop((0, 0, width, height))
    processor = AutoImageProcessor.from_pretrained(tiny_model)
    model = AutoModelForSemanticSegmentation.from_pretrained(tiny_model).eval()
    inputs = processor(images=image, return_tensors="pt")
    with torch.inference_mode():
        outputs = model(**inputs)
    expected = processor.post_process_semantic_segmentation(outputs, target_sizes=[(height, width)])[0].numpy()

    result = segmenter(image, edges="plain", orientation="upright")
    np.testing.assert_array_equal(segmenter.pixels([image]), inputs["pixel_values"].numpy())
    assert np.mean(result.label_map == expected) >= 0.999
    if height > 300:
        assert len(result.areas) >= 3  # guards against a trivial comparison


def test_result_contains_photo_and_model(segmenter: Segmenter, tmp_path: Path) -> None:
    path = tmp_path / "coat.png"
    photo(1).save(path)
    result = segmenter(path)
    assert (result.name, result.model, result.label_map.shape) == ("coat.png", "tiny", (300, 200))
    np.testing.assert_array_equal(np.asarray(result.photo), np.asarray(photo(1)))
    assert list(result.areas) == list(result.confidence)
    assert all(1 / NUM_CLASSES <= value <= 1 for value in result.confidence.values())
    assert not result.label_map.flags.writeable
    assert (result.probability.shape, result.probability.flags.writeable) == ((160, 107), False)
    largest = max(result.areas, key=result.areas.get)
    probability = np.asarray(Image.fromarray(result.probability).resize((200, 300), Image.Resampling.NEAREST))
    there = probability[result.label_map == NAMES.index(largest)]
    assert result.confidence[largest] == pytest.approx(there.mean() / 255, abs=0.01)


def test_segmenter_has_name_size_and_license_note(segmenter: Segmenter) -> None:
    assert (segmenter.name, segmenter.revision, segmenter.image_size) == ("tiny", None, (128, 128))
    assert "not for commercial use" in segmenter.license_note


def test_every_kind_of_source_gives_the_same_label_map(segmenter: Segmenter, tmp_path: Path) -> None:
    upright = photo(2)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    path = tmp_path / "turned.png"
    upright.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)
    expected = segmenter(upright).label_map
    for source in (np.asarray(upright), path, str(path), path.read_bytes(), Image.open(path)):
        np.testing.assert_array_equal(segmenter(source).label_map, expected)


def test_batch_equals_single_calls_for_any_sizes(segmenter: Segmenter) -> None:
    photos = [photo(0), photo(1, 150, 400), photo(2, 64, 64), photo(3), photo(4)]
    together = segmenter.batch(photos, batch_size=2)
    assert len(together) == len(photos)
    for image, result in zip(photos, together, strict=True):
        assert_same(result, segmenter(image))
    assert segmenter.batch([]) == []


def test_iter_batch_reads_photos_lazily(tiny_model: Path) -> None:
    taken = 0

    def photos() -> Iterator[Image.Image]:
        nonlocal taken
        for seed in range(100):
            taken += 1
            yield photo(seed, 80, 64)

    alone = with_engine(FakeEngine(), tiny_model)  # without streams
    results = alone.iter_batch(photos(), batch_size=3)
    assert taken == 0
    next(results)
    assert taken == 6
    next(results), next(results)
    assert taken == 6
    next(results)
    assert taken == 9
    results.close()

    taken, streams = 0, with_engine(FakeStreamEngine(), tiny_model)
    results = streams.iter_batch(photos(), batch_size=3)
    assert taken == 0
    for given in range(1, 5):
        next(results)
        assert taken == given + 3
    results.close()


def test_batches_use_streams_in_parallel(tiny_model: Path) -> None:
    segmenter = with_engine(FakeStreamEngine(), tiny_model)
    assert len(segmenter.batch([photo(0)] * 8)) == 8
    assert (segmenter.engine.most, segmenter.engine.streams.most) == (0, 2)
    segmenter(photo(0))
    segmenter.batch([photo(0)] * 2, batch_size=1)
    assert segmenter.engine.most == 1
    many = segmenter.with_streams()
    assert (segmenter.workers, many.workers, many.name) == (1, 2, segmenter.name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(many, [photo(0)] * 16))
    assert segmenter.engine.streams.most == 2
    alone = with_engine(FakeEngine(), tiny_model)
    assert alone.with_streams() is alone


def test_streams_give_the_same_results(tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("clothseg.engines.openvino_engine._cores", lambda: 2)
    segmenter = Segmenter.from_pretrained(tiny_model, engine="openvino")
    photos = [photo(0), photo(1, 150, 400), photo(2, 64, 64)]
    for options in ({}, {"tta": True}):
        together = segmenter.batch(photos, batch_size=4, **options)
        for image, result in zip(photos, together, strict=True):
            assert_same(result, segmenter(image, **options))
    broken = tmp_path / "notes.jpg"
    broken.write_text("not a photo")
    results = segmenter.iter_batch([*photos, broken, *photos], batch_size=4)
    for image in photos:
        assert_same(next(results), segmenter(image))
    with pytest.raises(ImageError, match=r"notes\.jpg"):
        next(results)


def test_batch_size_must_be_positive(segmenter: Segmenter) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        segmenter.iter_batch([], batch_size=0)


def test_unreadable_photo_in_a_batch_is_named(segmenter: Segmenter, tmp_path: Path) -> None:
    path = tmp_path / "notes.jpg"
    path.write_text("not a photo")
    with pytest.raises(ImageError, match=r"notes\.jpg"):
        segmenter.batch([photo(0), path])


def test_max_side_gives_the_result_of_the_reduced_photo(segmenter: Segmenter) -> None:
    large = photo(0, 300, 200).resize((800, 1200), Image.Resampling.BICUBIC)
    for options in ({}, {"people": "all"}, {"tta": True}):
        result = segmenter(large, max_side=300, **options)
        assert result.photo.size == (200, 300) and result.label_map.shape == (300, 200)
        assert_same(result, segmenter(result.photo, **options))
    assert segmenter.batch([large] * 2, max_side=300)[1].photo.size == (200, 300)
    assert segmenter(large, max_side=5000).photo.size == large.size
    with pytest.raises(ConfigError, match="max_side can be a whole number from 32"):
        segmenter(large, max_side=0)


class FakeEngine(Engine):
    """An engine that returns Background everywhere and records overlapping calls."""

    def __init__(self, value: float = 1.0, classes: int = NUM_CLASSES) -> None:
        self.value, self.classes = value, classes
        self.running = self.most = 0
        self.guard = threading.Lock()

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        with self.guard:
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(0.01)
        with self.guard:
            self.running -= 1
        logits = np.zeros((len(pixels), self.classes, 32, 32), np.float32)
        logits[:, 0] = self.value
        return logits


class FakeStreamEngine(FakeEngine):
    """An engine with two streams."""

    def __init__(self) -> None:
        super().__init__()
        self.streams = FakeEngine()
        self.streams.count = 2


def with_engine(engine: FakeEngine, tiny_model: Path) -> Segmenter:
    return Segmenter(engine, AutoImageProcessor.from_pretrained(tiny_model, backend="pil"), name="fake")


def test_threads_do_not_call_the_engine_concurrently(tiny_model: Path) -> None:
    engine = FakeEngine()
    segmenter = with_engine(engine, tiny_model)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(segmenter, [photo(0)] * 16))
    assert engine.most == 1
    assert all(result.areas == {"Background": 1} for result in results)


def test_threads_get_the_results_of_their_photos(segmenter: Segmenter) -> None:
    photos = [photo(seed, 100 + seed, 90) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for image, result in zip(photos, pool.map(segmenter, photos), strict=True):
            assert_same(result, segmenter(image))


@pytest.mark.parametrize("engine", [FakeEngine(float("nan")), FakeEngine(float("inf")), FakeEngine(classes=17)])
def test_invalid_logits_raise_model_error(engine: FakeEngine, tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="fake does not return finite logits of 18 classes"):
        with_engine(engine, tiny_model)(photo(0))


@pytest.mark.parametrize(("device", "said"), [("gpu", "no device 'gpu'"), ("cuda", "no CUDA GPU")])
def test_unavailable_devices_raise_config_error(
    device: str, said: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=said):
        Segmenter.from_pretrained(str(tiny_model), device=device)


def test_real_jpeg_bytes_are_segmented(segmenter: Segmenter, shared_data: Path) -> None:
    import pyarrow.parquet

    table = pyarrow.parquet.ParquetFile(shared_data / "sample_validation.parquet").read_row_group(0)
    data = table["image"][0].as_py()["bytes"]
    image = Image.open(BytesIO(data))
    assert segmenter(data).label_map.shape == (image.height, image.width)


def test_transparent_photos_are_segmented_on_white(tiny_model: Path) -> None:
    """The network sees white behind the photo; fully transparent pixels are Background with full confidence."""
    doll = draw(1, 160, 96)
    alpha = np.full((160, 96), 255, np.uint8)
    alpha[:70], alpha[70:90], alpha[:, 90:] = 0, 120, 0
    photo = np.dstack([doll.image, alpha])
    segmenter = Segmenter.from_pretrained(tiny_model)
    for options in ({}, {"edges": "plain"}, {"people": "all"}, {"tta": True, "rules": True}, {"max_side": 90}):
        result, flat = segmenter(photo, **options), segmenter(load_photo(photo), **options)
        assert result.alpha is not None and flat.alpha is None
        if "max_side" not in options:
            np.testing.assert_array_equal(result.alpha, alpha)
            np.testing.assert_array_equal(np.asarray(result.photo)[alpha > 0], doll.image[alpha > 0])
            np.testing.assert_array_equal(result.label_map, np.where(alpha > 0, flat.label_map, 0))
        hidden = result.alpha == 0
        assert not result.label_map[hidden].any() and hidden.any()
        assert result.confidence["Background"] > 0.5 and set(result.confidence) == set(result.areas)
        made = np.asarray(result.cutout("Background", *flat.areas))
        np.testing.assert_array_equal(made[..., 3], result.alpha)
    (batched,) = segmenter.batch([photo])
    np.testing.assert_array_equal(batched.label_map, segmenter(photo).label_map)
