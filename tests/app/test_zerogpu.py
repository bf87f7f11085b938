"""ZeroGPU with the real package `spaces`: against a fake scheduler without quota, and outside a Space."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import forked
import numpy as np
import pytest
from app_server import ROOT

from clothseg.app import zerogpu


@pytest.fixture
def device_api() -> Iterator[tuple[str, list[str]]]:
    """URL of a fake ZeroGPU scheduler that rejects requests, and the requested paths."""
    asked: list[str] = []

    class Scheduler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            body = b'{"left": 3, "wait": 3600}'
            self.send_response(429 if self.path.startswith("/schedule") else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Scheduler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


SCRIPT = """
import sys, types
import torch
# What `spaces` does to torch needs a build with CUDA; all code that communicates with the scheduler is real.
cuda = types.ModuleType("spaces.zero.torch")
cuda.is_in_bad_fork, cuda.patch, cuda.pack = lambda: False, lambda: None, lambda: 0
sys.modules["spaces.zero.torch"] = cuda
from clothseg.engines import torch_engine
torch_engine.pick_device = lambda device: torch.device("cpu")
from clothseg.app import zerogpu
from clothseg.app.model_loader import load_served_model
segmenter = load_served_model(sys.argv[1], zero_gpu=True)
assert isinstance(segmenter.engine, zerogpu.ZeroGpuEngine)
segmenter(sys.argv[2], orientation="upright").save_label_map(sys.argv[3])
"""


def test_exceeded_gpu_quota_falls_back_to_the_cpu(
    device_api: tuple[str, list[str]], tiny_model: Path, tmp_path: Path
) -> None:
    from PIL import Image

    from clothseg import Segmenter

    url, asked = device_api
    (tmp_path / "cgroup").write_text("0::/devices\n")
    zero = {"SPACES_ZERO_GPU": "true", "SPACES_ZERO_DEVICE_API_URL": url, "PYTHONPATH": str(ROOT)}
    zero["ZEROGPU_PROC_SELF_CGROUP_PATH"] = str(tmp_path / "cgroup")
    photo = ROOT / "examples" / "doll-skirt.jpg"
    done = forked.run(
        [sys.executable, "-c", SCRIPT, tiny_model, photo, tmp_path / "labels.png"],
        env=os.environ | zero,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "No GPU for this photo (ZeroGPU quota exceeded): computing on the CPU." in done.stderr
    (schedule,) = [path for path in asked if path.startswith("/schedule?")]
    assert f"durationSeconds={zerogpu.SECONDS}" in schedule
    expected = Segmenter.from_pretrained(str(tiny_model), device="cpu")(photo, orientation="upright").label_map
    assert (np.asarray(Image.open(tmp_path / "labels.png")) == expected).mean() > 0.999


def test_spaces_package_has_no_effect_outside_spaces() -> None:
    import spaces

    engine = zerogpu.ZeroGpuEngine(lambda pixels: pixels + 1, lambda pixels: pixels + 2)
    assert (engine(np.zeros(3, np.float32)) == 1).all()
    assert spaces.GPU(duration=5)(abs) is abs


def test_gpu_is_used_when_available_and_cpu_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failures: list[Exception] = []

    def gpu(duration: int) -> Callable[..., object]:
        def decorate(task: Callable[..., object]) -> Callable[..., object]:
            def run(*args: object) -> object:
                if failures:
                    raise failures.pop()
                return task(*args)

            return run

        return decorate

    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=gpu))
    engine = zerogpu.ZeroGpuEngine(lambda pixels: pixels + 1, lambda pixels: pixels + 2)
    pixels = np.zeros(3, np.float32)
    assert (engine(pixels) == 1).all() and capsys.readouterr().err == ""
    failures.append(ConnectionError("the scheduler is away"))
    told: list[str] = []
    monkeypatch.setattr("gradio.Info", told.append)
    assert (engine(pixels) == 2).all() and "(ConnectionError)" in capsys.readouterr().err
    failures.append(RuntimeError("You have exceeded your GPU quota"))
    assert (engine(pixels) == 2).all() and [text[:22] for text in told] == [
        "The GPU is not availab",
        "Your GPU time is used ",
    ]
    assert (engine(pixels) == 1).all(), "the next photo tries again"
