"""Int8 files: they belong to their weights, stay close to float32, and are made by the export.

Covers `clothseg.engines.int8`, `clothseg.engines.quantization`.
"""

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, Segmenter, cli
from clothseg.engines import int8
from clothseg.engines.int8 import INT8_FACTS, INT8_FILE, find_int8_file
from clothseg.models.loading import EMBEDDED, load
from clothseg.self_check import self_check


PLAIN = {"edges": "plain", "zoom": "off", "orientation": "upright"}


def test_the_embedded_file_is_of_the_embedded_weights() -> None:
    """If this fails, the weights were replaced: run `make int8`."""
    assert find_int8_file(load(None)) == EMBEDDED / INT8_FILE


def test_the_embedded_weights_stay_small() -> None:
    sizes = {path.name: path.stat().st_size for path in EMBEDDED.rglob("*") if path.is_file()}
    assert sizes["model_int8.onnx"] < 5_500_000 and sum(sizes.values()) < 20_000_000


def test_int8_is_close_to_float32() -> None:
    if not int8.has_vnni():
        pytest.skip("needs a CPU with VNNI")
    exact = Segmenter.from_pretrained(engine="openvino", device="cpu")
    quantized = Segmenter.from_pretrained(device="cpu", precision="int8")
    assert self_check(quantized, None, "int8") > 1e-4
    shares = []
    for seed in range(3):
        photo = draw(seed, 480, 320).image
        expected, found = (segmenter(photo, **PLAIN).label_map for segmenter in (exact, quantized))
        shares.append((expected == found).mean())
    assert 0.98 <= np.mean(shares) < 1  # another computation, but the same picture


def test_files_of_other_weights_and_missing_ones_are_refused(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(draw(0, 96, 64).image).save(tmp_path / "photo.png")
    flags = ["--model", str(tiny_model), "--out", str(tmp_path / "out"), "--precision", "int8"]
    assert cli.main(["segment", str(tmp_path / "photo.png"), *flags]) == 1
    assert "precision='int8' needs the file onnx/model_int8.onnx" in capsys.readouterr().err
    model = shutil.copytree(tiny_model, tmp_path / "model")
    with pytest.raises(ConfigError, match=r"needs the file onnx/model_int8\.onnx.* clothseg export MODEL --int8"):
        Segmenter.from_pretrained(model, precision="int8", device="cpu")
    shutil.copytree(EMBEDDED / "onnx", model / "onnx")
    for facts in (json.dumps({"model": load(None).digest}), "{}", "["):
        (model / INT8_FACTS).write_text(facts)
        with pytest.raises(ConfigError, match=r"was made from other weights\. Use precision='fast'"):
            Segmenter.from_pretrained(model, precision="int8", device="cpu")


def test_other_engines_refuse_int8_and_a_cpu_without_vnni_computes_fast(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for engine in ("torch", "onnx"):
        with pytest.raises(ConfigError, match=f"Only the openvino engine computes in int8, not {engine}"):
            Segmenter.from_pretrained(engine=engine, precision="int8")
    monkeypatch.setattr(int8, "has_vnni", lambda: False)
    with caplog.at_level(logging.WARNING):
        without = Segmenter.from_pretrained(precision="int8", device="cpu")
    assert "precision='int8' is replaced by 'fast': this CPU has no VNNI" in caplog.text
    pixels = without.pixels([Image.fromarray(draw(0, 96, 64).image)], (96, 64))
    fast = Segmenter.from_pretrained(precision="fast", device="cpu")
    np.testing.assert_array_equal(without.engine(pixels), fast.engine(pixels))


def test_the_export_makes_a_file_that_is_then_used(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, photos = shutil.copytree(tiny_model, tmp_path / "model"), tmp_path / "photos"
    photos.mkdir()
    command = ["export", str(model), "--out", str(model), "--int8"]
    assert cli.main(command) == 1
    assert "--int8 and --calibrate FOLDER go together" in capsys.readouterr().err
    for seed in range(12):
        Image.fromarray(draw(seed, 160, 120).image).save(photos / f"{seed:02}.png")
    assert cli.main([*command, "--calibrate", str(photos)]) == 0
    told = capsys.readouterr().out
    assert "on 3 other photos" in told and "of the pixels have PyTorch's class on average" in told
    assert json.loads((model / INT8_FACTS).read_text())["photos"] == 9
    exact, quantized = (Segmenter.from_pretrained(model, precision=each, device="cpu") for each in ("exact", "int8"))
    photo = Image.fromarray(draw(20, 160, 120).image)
    expected, found = (segmenter.logits([photo])[0] for segmenter in (exact, quantized))
    assert 0 < np.abs(expected - found).mean() < 0.1 * np.abs(expected).max()
