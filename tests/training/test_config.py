"""The command line: defaults follow the first version's recipe, presets are flags, wrong options give clear errors."""

from pathlib import Path

import pytest

from clothseg.errors import ConfigError
from clothseg.training.arguments import PRESETS, parse_arguments, preset_flags
from clothseg.training.run import evaluate_each_short_epoch


def test_defaults_follow_the_first_version(tmp_path: Path) -> None:
    parsing, training = parse_arguments(["--output_dir", str(tmp_path)])
    assert parsing.model_name_or_path == "nvidia/mit-b2"
    assert parsing.dataset_name == "mattmdjaga/human_parsing_dataset"
    assert parsing.size == (512, 512)
    assert (parsing.background_weight, parsing.class_weight, parsing.test_fraction) == (1, 3, 0.006)
    assert (training.per_device_train_batch_size, training.num_train_epochs) == (8, 6)
    assert (training.learning_rate, parsing.lr_decay) == (1e-4, 0.9998)
    assert training.optim.startswith("adamw") and training.gradient_accumulation_steps == 1


def test_gpu_defaults_use_bf16_and_evaluate_every_200_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Defaults chosen with a GPU (simulated); `--use_cpu` keeps the rest of the run on the CPU."""
    chosen_for = {"gpu_to_train_on": lambda given: True, "gpu_capability": lambda: (8, 0), "has_tf32": lambda: True}
    for name, answer in chosen_for.items():
        monkeypatch.setattr(f"clothseg.training.arguments.{name}", answer)
    cpu = ["--use_cpu", "true", "--output_dir", str(tmp_path)]
    parsing, training = parse_arguments(cpu)
    assert training.bf16 and "bfloat16 mixed precision" in parsing.notices[0]
    assert training.eval_strategy == training.save_strategy == "steps" and parsing.evaluates_by_default
    assert (training.eval_steps, training.save_steps) == (200, 1000)
    evaluate_each_short_epoch(training, 1600)  # 200 steps
    assert training.eval_strategy == "steps"
    evaluate_each_short_epoch(training, 1500)
    assert training.eval_strategy == training.save_strategy == "epoch"
    _, training = parse_arguments([*cpu, "--early_stopping_patience", "3", "--bf16", "false", "--tf32", "false"])
    assert (training.eval_steps, training.save_steps) == (200, 200) and not training.bf16
    parsing, training = parse_arguments([*cpu, "--eval_strategy", "epoch"])
    assert training.save_strategy == "epoch" and not parsing.evaluates_by_default


def test_help_lists_options_and_presets(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        parse_arguments(["--preset", "lite", "--help"])
    shown = capsys.readouterr().out
    assert end.value.code == 0 and "--class_weighting" in shown and "--learning_rate" in shown
    assert "atr-standard, better, lite" in " ".join(shown.split())


def test_flags_override_the_preset_in_any_position(tmp_path: Path) -> None:
    flags = ["--num_train_epochs", "2", "--output_dir", str(tmp_path), "--preset", "lite", "--image_size", "64", "32"]
    parsing, training = parse_arguments(flags)
    assert parsing.model_name_or_path == "lite2" and parsing.augmentation == "strong"
    assert training.num_train_epochs == 2 and parsing.size == (64, 32)


@pytest.mark.parametrize("preset", [path.stem for path in PRESETS.glob("*.yaml")])
def test_every_preset_parses_and_explains_its_flags(preset: str, tmp_path: Path) -> None:
    parse_arguments(["--preset", preset, "--output_dir", str(tmp_path)])  # on any machine
    lines = (PRESETS / f"{preset}.yaml").read_text().splitlines()
    assert lines[0].startswith("#")
    assert sum("#" in line for line in lines[1:]) >= len(lines[1:]) // 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--image_size", "100"], "--image_size 100: give one or two positive multiples of 32"),
        (["--image_size", "64", "64", "64"], "--image_size"),
        (["--test_fraction", "1.5"], "--test_fraction 1.5"),
        (["--split_file", "split.json", "--split_protocol", "atr-standard"], "--split_file selects the rows"),
        (["--class_weight", "-1"], "--class_weight -1.0: it must not be negative"),
        (["--class_weight_cap", "0.5"], "--class_weight_cap 0.5: give 1 or more"),
        (["--rare_sampling", "2"], "--rare_sampling 2.0: give a share between 0 and 1"),
        (["--unlabelled_name", "a/b"], "--unlabelled_name needs --teacher_model_name_or_path"),
        (["--flat_lay_name", "a/b"], "--flat_lay_name needs --teacher_model_name_or_path"),
        (["--exclude_file", "ids.txt"], "--exclude_file needs --unlabelled_name or --flat_lay_name"),
        (["--teacher_scales", "1", "0"], "--teacher_scales: give one or more numbers between"),
        (["--distillation_weight", "1"], "needs --teacher_model_name_or_path, the model to learn from"),
        (["--teacher_model_name_or_path", "a/b"], "is not used"),
        (["--layer_lr_decay", "0"], "--layer_lr_decay above 0"),
        (["--lr_decay", "2"], "between 0 and 1"),
        (["--loss_stride", "3"], "give 1, 2 or 4"),
        (["--learning_speed", "1"], "Unknown option --learning_speed 1: .* --help"),
        (["--preset", "worse"], "the presets are: atr-standard, better, lite, lite-large, lite-taught"),
    ],
)
def test_invalid_options_raise_config_errors(flags: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_arguments(flags)


def test_invalid_preset_files_raise_config_errors(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("just words")
    with pytest.raises(ConfigError, match="flag: value"):
        preset_flags(str(broken))
    broken.write_text("a: [")
    with pytest.raises(ConfigError, match="not valid YAML"):
        preset_flags(str(broken))
