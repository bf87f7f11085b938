"""The self-check at start: engines that agree with PyTorch pass, others stop the app.

Covers `clothseg.commands.check`, `clothseg.app.launch`.
"""

import re
from pathlib import Path

import numpy as np
import pytest

from clothseg import ModelError, Segmenter, cli
from clothseg.app import launch
from clothseg.app.model_loader import load_served_model
from clothseg.engines.openvino_engine import OpenVinoEngine
from clothseg.self_check import self_check


@pytest.mark.parametrize("precision", ["exact", "fast"])
@pytest.mark.parametrize("engine", ["torch", "openvino", "onnx"])
def test_engines_pass_the_self_check(engine: str, precision: str, tiny_model: Path) -> None:
    for name in (None, str(tiny_model)):
        segmenter = Segmenter.from_pretrained(name, device="cpu", engine=engine, precision=precision)
        share = self_check(segmenter, name, precision)
        assert share < (1e-4 if precision == "exact" else 0.05)


@pytest.mark.parametrize("wrong", [lambda logits: logits + 0.1 * abs(logits).max(), lambda logits: logits * np.nan])
def test_differing_engine_fails_the_self_check(wrong: object, tiny_model: Path) -> None:
    segmenter = Segmenter.from_pretrained(tiny_model, device="cpu")
    engine = segmenter.engine
    segmenter.engine = lambda pixels: wrong(engine(pixels))
    with pytest.raises(ModelError, match=r"other logits than PyTorch .*Set CLOTHSEG_PRECISION=exact and CLOTHSEG_ENG"):
        self_check(segmenter, str(tiny_model))


def test_check_command_reports_agreement_or_failure(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["check", str(tiny_model), "--engine", "openvino"]) == 0
    assert re.fullmatch(
        r"OpenVinoEngine: the logits of tiny agree with PyTorch to .* of the largest\.\n", capsys.readouterr().out
    )
    monkeypatch.setattr(
        OpenVinoEngine, "__call__", lambda self, pixels: np.ones((len(pixels), 18, 24, 16), np.float32)
    )
    assert cli.main(["check", str(tiny_model), "--engine", "openvino"]) == 1
    assert "error: Self-check: OpenVinoEngine gives tiny other logits than PyTorch" in capsys.readouterr().err


@pytest.mark.parametrize("asked", ["flag", "variable"])
def test_app_runs_the_self_check_on_request(asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))  # the app would set it for all later tests

    def noted(*args: object, check: bool, **kwargs: object) -> Segmenter:
        seen.append(check)
        raise ModelError("that is all")

    monkeypatch.setattr(launch, "load_served_model", noted)
    if asked == "variable":
        monkeypatch.setenv("CLOTHSEG_SELF_CHECK", "1")
    with pytest.raises(SystemExit, match="The app cannot start: that is all"):
        launch.main(self_check=asked == "flag")
    monkeypatch.delenv("CLOTHSEG_SELF_CHECK", raising=False)
    with pytest.raises(SystemExit):
        launch.main()
    assert seen == [True, False]


def test_self_check_result_is_printed(tiny_model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load_served_model(str(tiny_model), engine="torch", check=True)
    assert "Self-check: TorchEngine agrees with PyTorch to " in capsys.readouterr().err
