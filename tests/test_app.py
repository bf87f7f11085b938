"""The app's settings for the engine, and what it says of wrong ones."""

import pytest

import app


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("CLOTHSEG_ENGINE", "tensorrt", "no engine 'tensorrt'; use one of auto, torch, openvino, onnx"),
        ("CLOTHSEG_PRECISION", "int8", "no precision 'int8'; use one of exact, fast"),
        ("CLOTHSEG_ENGINE", "openvino", "openvino engine is not installed: pip install openvino"),
    ],
)
def test_wrong_settings_are_explained(
    variable: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clothseg.engines.find_spec", lambda name: None)
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit, match=f"The app cannot start: .*{message}"):
        app.main()
