"""Every engine gives the results of plain transformers at any size and batch, or a clear error.

Covers `clothseg.engines.conversion`, `clothseg.engines.onnx_session`, `clothseg.engines.onnx_engine`,
`clothseg.engines.openvino_engine`, `clothseg.engines.torch_engine`.
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import forked
import numpy as np
import pytest
import torch
from paper_dolls import draw
from PIL import Image
from transformers import AutoModelForSemanticSegmentation

from clothseg import ConfigError, Segmenter, engines
from clothseg.engines import torch_engine
from clothseg.engines.onnx_engine import OnnxEngine
from clothseg.engines.openvino_engine import OpenVinoEngine
from clothseg.engines.torch_engine import TorchEngine
from clothseg.models.loading import EMBEDDED


KINDS = {"torch": TorchEngine, "openvino": OpenVinoEngine, "onnx": OnnxEngine}

SIZES = [(96, 160), (128, 64)]


def photos(count: int = 3) -> list[Image.Image]:
    return [Image.fromarray(draw(seed, 300, 200).image) for seed in range(count)]


@pytest.fixture(scope="module", params=["tiny", "embedded"])
def folder(request: pytest.FixtureRequest, tiny_model: Path) -> Path:
    return tiny_model if request.param == "tiny" else EMBEDDED


@pytest.fixture(scope="module")
def plain(folder: Path) -> torch.nn.Module:
    """transformers' own model."""
    return AutoModelForSemanticSegmentation.from_pretrained(folder, dtype=torch.float32).eval()


def labels(logits: np.ndarray) -> np.ndarray:
    upsampled = torch.nn.functional.interpolate(torch.from_numpy(logits), scale_factor=4, mode="bilinear")
    return upsampled.argmax(dim=1).numpy()


@pytest.mark.parametrize("engine", KINDS)
def test_exact_precision_equals_transformers(engine: str, folder: Path, plain: torch.nn.Module) -> None:
    segmenter = Segmenter.from_pretrained(folder, engine=engine, device="cpu")
    assert type(segmenter.engine) is KINDS[engine]
    for size in SIZES:
        pixels = segmenter.pixels(photos(), size)
        with torch.inference_mode():
            expected = plain(pixel_values=torch.from_numpy(pixels)).logits.numpy()
        found = segmenter.logits(photos(), size)
        assert found.dtype == np.float32 and found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
        assert (labels(found) == labels(expected)).mean() >= 0.9999
        assert len(np.unique(labels(expected))) > 4  # guards against a trivial comparison


@pytest.mark.parametrize("engine", KINDS)
def test_fast_precision_is_close_to_exact(engine: str, tiny_model: Path) -> None:
    exact = Segmenter.from_pretrained(tiny_model, engine="torch")
    fast = Segmenter.from_pretrained(tiny_model, engine=engine, precision="fast")
    expected, found = (segmenter.logits(photos()) for segmenter in (exact, fast))
    assert found.dtype == np.float32
    assert np.abs(found - expected).max() < 0.05 * np.abs(expected).max()
    assert (labels(found) == labels(expected)).mean() >= 0.98


def test_bfloat16_weights_give_the_same_logits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Autocast would round the weights anyway."""
    if not torch_engine.has_bfloat16(torch.device("cpu")):
        pytest.skip("needs a CPU with bfloat16")
    rounded = Segmenter.from_pretrained(folder, engine="torch", device="cpu", precision="fast")
    assert torch.bfloat16 in {parameter.dtype for parameter in rounded.engine.model.parameters()}
    monkeypatch.setattr(torch_engine, "round_weights", lambda model: None)
    usual = Segmenter.from_pretrained(folder, engine="torch", device="cpu", precision="fast")
    np.testing.assert_array_equal(rounded.logits(photos()), usual.logits(photos()))


NO_TF32 = """
import os, sys
import torch
from clothseg.engines.torch_engine import without_tf32

settings = torch.backends.cudnn.conv, torch.backends.cuda.matmul

def look(asked):
    exec(asked)
    before = [setting.fp32_precision for setting in settings]
    for _ in range(2):
        with without_tf32():
            assert [setting.fp32_precision for setting in settings] == ["ieee", "ieee"]
        assert [setting.fp32_precision for setting in settings] == before
    print(*before, flush=True)

for asked in sys.argv[1:]:
    child = os.fork()
    if not child:
        look(asked)
        os._exit(0)
    os.waitpid(child, 0)
"""


def test_exact_precision_never_uses_tf32() -> None:
    """The settings exist without a GPU; forked processes keep the old and new ones apart."""
    asked = {
        "from transformers.utils.import_utils import enable_tf32; enable_tf32(True)": "tf32 tf32",
        "torch.backends.cudnn.conv.fp32_precision = 'ieee'": "ieee none",
    }
    done = forked.run([sys.executable, "-c", NO_TF32, *asked], capture_output=True, text=True)
    assert done.stdout.splitlines() == list(asked.values()), done.stderr


@pytest.mark.parametrize("engine", ["openvino", "onnx"])
def test_threads_share_an_engine(engine: str, tiny_model: Path) -> None:
    """Without the segmenter's lock, and with more sizes than the engine keeps compiled."""
    segmenter = Segmenter.from_pretrained(tiny_model, engine=engine)
    sizes = [(64, 32), (64, 64), (64, 96)] * 2
    batches = [segmenter.pixels(photos(1), size) for size in sizes]
    expected = [segmenter.engine(pixels) for pixels in batches]
    with ThreadPoolExecutor(4) as pool:
        for ours, theirs in zip(pool.map(segmenter.engine, batches), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_streams_equal_single_calls(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clothseg.engines.openvino_engine._cores", lambda: 3)
    for precision in engines.PRECISIONS if folder == EMBEDDED else ("exact", "fast"):
        segmenter = Segmenter.from_pretrained(folder, engine="openvino", precision=precision)
        pixels = segmenter.pixels(photos(4), (96, 64))
        expected = np.concatenate([segmenter.engine(each[None]) for each in pixels])
        assert "streams" not in vars(segmenter.engine)  # compiled on first use only
        found = segmenter.engine(pixels)
        assert segmenter.engine.streams.count == 3
        largest = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=(1e-5 if precision == "exact" else 0.02) * largest)
        assert (labels(found) == labels(expected)).mean() >= (0.9999 if precision == "exact" else 0.98)


def test_streams_are_shared_by_threads_and_released_after_errors(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clothseg.engines.openvino_engine._cores", lambda: 2)
    segmenter = Segmenter.from_pretrained(tiny_model, engine="openvino")
    streams = segmenter.engine.streams
    batches = [segmenter.pixels(photos(1), (64, side)) for side in (32, 64, 96)]  # more than are kept compiled
    expected = [segmenter.engine(pixels) for pixels in batches]
    for _ in range(3):
        with pytest.raises(RuntimeError):
            streams(np.zeros((1, 4, 64, 96), np.float32))  # four channels
    with ThreadPoolExecutor(6) as pool:
        for ours, theirs in zip(pool.map(streams, batches * 2), expected * 2, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def test_single_core_has_no_streams(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clothseg.engines.openvino_engine._cores", lambda: 1)
    segmenter = Segmenter.from_pretrained(tiny_model, engine="openvino")
    assert segmenter.engine.streams is None and segmenter.with_streams() is segmenter
    assert segmenter.logits(photos(2)).shape[0] == 2


def test_auto_engine_is_the_fastest_installed(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, gone = engines.find_spec, set()
    monkeypatch.setattr(engines, "find_spec", lambda name: None if name in gone else real(name))
    for absent, expected in ((None, OpenVinoEngine), ("openvino", OnnxEngine), ("onnx", TorchEngine)):
        gone.add(absent)
        assert type(Segmenter.from_pretrained(tiny_model).engine) is expected


def test_auto_engine_is_pytorch_when_conversion_fails(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("CLOTHSEG_CACHE", str(tmp_path))
    monkeypatch.setattr("clothseg.engines.conversion.TOLERANCE", -1)
    assert type(Segmenter.from_pretrained(tiny_model).engine) is TorchEngine
    assert "gives other results after conversion to OpenVINO" in caplog.text
    assert not any(tmp_path.iterdir())
    with pytest.raises(engines.ModelError, match="conversion to ONNX; use engine='torch'"):
        Segmenter.from_pretrained(tiny_model, engine="onnx")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"engine": "tensorrt"}, "no engine 'tensorrt'; use one of auto, torch, openvino, onnx"),
        ({"precision": "int4"}, "no precision 'int4'; use one of exact, fast, int8"),
        ({"engine": "openvino", "device": "cuda"}, "openvino engine runs only on CPUs"),
        ({"engine": "onnx"}, "not installed: pip install onnx onnxruntime"),
        ({"engine": "openvino"}, "not installed: pip install openvino"),
    ],
)
def test_unavailable_engine_options_raise_config_errors(
    options: dict[str, str], message: str, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=message):
        Segmenter.from_pretrained(tiny_model, **options)


def test_openvino_import_disables_telemetry() -> None:
    """OpenVINO's telemetry reports each import to Google Analytics."""
    code = (
        "import sys; from clothseg.engines.openvino_engine import import_openvino as load; load(); load(); "
        "assert 'openvino' in sys.modules; print([name for name in sys.modules if 'openvino_telemetry' in name])"
    )
    done = forked.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_openvino_keeps_the_signal_stack(tiny_model: Path) -> None:
    """OpenVINO's CPU plugin replaces the thread's signal stack, and two plugins can leave a freed one."""
    code = (
        "import ctypes, faulthandler, sys\n"
        "from clothseg import Segmenter\n"
        "faulthandler.enable()\n"
        "stacks = [ctypes.create_string_buffer(24) for _ in range(2)]\n"
        "ctypes.CDLL(None).sigaltstack(None, stacks[0])\n"
        "Segmenter.from_pretrained(sys.argv[1], engine='openvino')\n"
        "ctypes.CDLL(None).sigaltstack(None, stacks[1])\n"
        "assert stacks[0].raw == stacks[1].raw\n"
    )
    forked.run([sys.executable, "-c", code, tiny_model], check=True)


def test_first_calls_from_several_threads_do_not_hang(tiny_model: Path) -> None:
    """OpenVINO's bindings hang about every second time if two threads pass their first arrays at once."""
    code = (
        "import sys, threading, numpy as np\n"
        "from clothseg import Segmenter\n"
        "engine = Segmenter.from_pretrained(sys.argv[1], engine='openvino').engine\n"
        "together = threading.Barrier(3)\n"
        "def run(network):\n"
        "    together.wait(60)\n"
        "    network(np.zeros((1, 3, 128, 128), np.float32))\n"
        "networks = (engine.streams or engine, engine.streams or engine, engine)\n"
        "threads = [threading.Thread(target=run, args=(network,), daemon=True) for network in networks]\n"
        "[thread.start() for thread in threads]\n"
        "[thread.join(60) for thread in threads]\n"
        "assert not any(thread.is_alive() for thread in threads)\n"
    )
    forked.run([sys.executable, "-c", code, tiny_model], check=True, timeout=200)
