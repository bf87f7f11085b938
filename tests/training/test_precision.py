"""The default precision depends on the GPU; an explicit choice wins."""

from typing import Any

import pytest
import torch

from clothseg.errors import ConfigError
from clothseg.training.arguments import parse_arguments
from clothseg.training.precision import check_precision, choose_precision, precision_notice


T4, A100, P100 = (7, 5), (8, 0), (6, 0)


@pytest.mark.parametrize(
    ("capability", "given", "expected"),
    [
        (A100, {}, {"bf16": True}),
        ((9, 0), {}, {"bf16": True}),
        ((8, 9), {"tf32": False}, {"bf16": True}),
        (A100, {"bf16": False}, {"tf32": True}),
        (A100, {"bf16": False, "tf32": False}, {}),
        (A100, {"bf16": True}, {}),
        (A100, {"fp16": True}, {}),
        (A100, {"tf32": True}, {}),
        (T4, {}, {"fp16": True}),
        (T4, {"bf16": False}, {"fp16": True}),
        (T4, {"fp16": False}, {}),
        (P100, {}, {}),
        (None, {}, {}),
    ],
)
def test_default_precision_follows_the_gpu(
    capability: tuple[int, int] | None,
    given: dict[str, Any],
    expected: dict[str, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tf32 = capability is not None and capability >= A100
    assert choose_precision(given, capability, tf32) == expected
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")  # accelerate launch --mixed_precision bf16
    assert choose_precision(given, capability, tf32) == {}


def test_precision_notice_names_format_and_flag() -> None:
    parsing, training = parse_arguments(["--use_cpu", "true"])
    assert parsing.notices == ["Precision: float32."]
    for name, words in (("bf16", "bfloat16 mixed precision"), ("fp16", "float16 mixed precision")):
        training.mixed_precision = name
        notice = precision_notice(training, {name: True})
        assert words in notice and f"--{name} false turns it off" in notice
    training.mixed_precision, training.tf32 = "no", True
    assert "TF32" in precision_notice(training, {"tf32": True})


def test_bfloat16_is_rejected_on_unsupported_cpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    with pytest.raises(ConfigError, match="drop --bf16"):
        check_precision(True, torch.device("cpu"))
    check_precision(False, torch.device("cpu"))
    check_precision(True, torch.device("cuda"))
