"""`--disable_tqdm` hides all progress bars of a training run, not only the Trainer's."""

from pathlib import Path

import pytest
from small_trainer import SMALL
from transformers.utils.logging import warning_once

from clothseg.training.arguments import parse_arguments
from clothseg.training.bars import hide_bars, progress_bar
from clothseg.training.run import run


def test_disable_tqdm_hides_bars_and_load_reports(
    doll_data: Path,
    image_classifier: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No progress bar, no table of tensors, no warning about the loss of language models."""
    warning_once.cache_clear()  # otherwise a warning of an earlier test would not be repeated
    names = ["--model_name_or_path", str(image_classifier), "--dataset_name", str(doll_data)]
    argv = [*names, *SMALL, "--max_steps", "1", "--output_dir", str(tmp_path)]
    run(*parse_arguments(argv), argv)
    said = capfd.readouterr().err
    assert not [part for part in said.replace("\r", "\n").split("\n") if "%|" in part or "it/s" in part]
    assert "LOAD REPORT" not in caplog.text and "loss_type" not in caplog.text
    assert said.count("has no decode head") == 1


@pytest.mark.parametrize("hidden", [True, False])
def test_hide_bars_controls_progress_bar(hidden: bool, capfd: pytest.CaptureFixture[str]) -> None:
    hide_bars(hidden)
    list(progress_bar(range(3), desc="Looking"))
    assert ("Looking" in capfd.readouterr().err) is not hidden
