"""The app's start: its engine settings, and the errors for invalid ones."""

import threading
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from app_server import free_port

from clothseg.app import launch
from clothseg.errors import ModelError


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore the variable after each test: the app sets it, which would affect later tests."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("CLOTHSEG_ENGINE", "tensorrt", "no engine 'tensorrt'; use one of auto, torch, openvino, onnx"),
        ("CLOTHSEG_PRECISION", "int4", "no precision 'int4'; use one of exact, fast, int8"),
        ("CLOTHSEG_ENGINE", "openvino", "openvino engine is not installed: pip install openvino"),
    ],
)
def test_invalid_engine_settings_prevent_the_start_with_a_clear_error(
    variable: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clothseg.engines.find_spec", lambda name: None)
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=f"The app cannot start: .*{message}"):
        launch.main()


def test_gradio_call_statistics_are_turned_off() -> None:
    """Importing `launch` has turned them off in Gradio's settings."""
    with gr.Blocks() as page:
        pass
    page.queue()
    assert page._queue.ANALYTICS_MAX_EVENTS == 1
    assert page._queue.ANAYLTICS_CACHE_FREQUENCY == 10**9


def test_app_exits_when_the_model_fails_to_load_after_the_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served = threading.Event()

    def load(*args: Any, **options: Any) -> Any:
        assert served.wait(60)
        raise ModelError("that is all")

    serve = launch.serve
    monkeypatch.setattr(launch, "serve", lambda *args, **options: (served.set(), serve(*args, **options))[1])
    monkeypatch.setattr(launch, "load_served_model", load)
    monkeypatch.setattr(launch, "HEAD_START", 0.01)
    monkeypatch.setenv("GRADIO_SERVER_PORT", str(free_port()))
    with pytest.raises(SystemExit, match="The app cannot start: that is all"):
        launch.main()
    assert "Running on local URL" in capsys.readouterr().out
