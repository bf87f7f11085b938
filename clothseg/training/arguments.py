"""The command line of `train_hf.py`: our options, transformers' `TrainingArguments`, and presets of both."""

import sys
from pathlib import Path

import yaml
from transformers import HfArgumentParser, TrainingArguments
from transformers.trainer_utils import SaveStrategy

from clothseg.errors import ConfigError
from clothseg.training.config import ParsingArguments


PRESETS = Path(__file__).parent / "presets"


def default_training_arguments() -> dict[str, object]:
    """The values in which our defaults differ from those of `TrainingArguments`."""
    return {
        "output_dir": "runs/clothseg",
        "per_device_train_batch_size": 8,
        "num_train_epochs": 6.0,
        "learning_rate": 1e-4,
        "eval_strategy": "epoch",
        "save_strategy": "epoch",
        "save_total_limit": 2,
        "metric_for_best_model": "mean_iou",
        "logging_steps": 50,
        "dataloader_num_workers": 2,
        "report_to": "none",
    }


def preset_flags(name: str) -> list[str]:
    """Command line flags of a preset: a name in `presets/` or a path to a YAML file of `flag: value` lines.

    Raises:
        ConfigError: there is no such preset, or it is not a mapping of flags.
    """
    path = PRESETS / f"{name}.yaml"
    try:
        if not path.is_file():
            path = Path(name)
        if not path.is_file():
            raise ConfigError(f"--preset {name}: no such preset or file; the presets are: {_preset_names()}.")
        options = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ConfigError(f"--preset {name}: {path} is not valid YAML: {error}.") from error
    except OSError as error:
        raise ConfigError(f"--preset {name[:200]} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"--preset {name}: {path} is no text file.") from error
    if not isinstance(options, dict):
        raise ConfigError(f"--preset {name}: {path} must hold lines of the form `flag: value`.")
    flags: list[str] = []
    for flag, value in options.items():
        flags += [f"--{flag}", *map(str, value if isinstance(value, list) else [value])]
    return flags


def parse_arguments(argv: list[str] | None = None) -> tuple[ParsingArguments, TrainingArguments]:
    """Parse a command line; flags after `--preset NAME` override the preset's.

    Raises:
        ConfigError: a flag is unknown, or a preset or an option's value cannot be used.
        SystemExit: argparse found a value of the wrong type, or was asked for help.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = HfArgumentParser(
        [ParsingArguments, TrainingArguments],  # type: ignore[list-item]
        description="Train a clothes parser with ATR's 18 classes.",
    )
    parser.set_defaults(**default_training_arguments())
    parser.add_argument("--preset", help=f"Name or path of a file of flags; the names are: {_preset_names()}.")
    if "--preset" in argv:
        at = argv.index("--preset")
        if at + 1 == len(argv):
            parser.error("--preset needs a name")
        argv = preset_flags(argv[at + 1]) + argv[:at] + argv[at + 2 :]
    try:
        parsing, training, _, unknown = parser.parse_args_into_dataclasses(
            argv, look_for_args_file=False, return_remaining_strings=True
        )
    except (ValueError, ArithmeticError, ImportError) as error:
        without = " Without such a GPU add --bf16 false." if "bf16" in str(error) else ""
        raise ConfigError(f"{str(error).rstrip('.')}.{without}") from error
    if unknown:
        raise ConfigError(f"Unknown option {' '.join(unknown)}: python train_hf.py --help lists them all.")
    if parsing.early_stopping_patience:
        _stop_early(training)
    training.logging_nan_inf_filter = False  # such a loss ends the training (see `finite`) and needs no disguise
    # These three are what our data and metrics rest on, not choices.
    training.remove_unused_columns = False
    training.label_names = ["labels"]
    training.batch_eval_metrics = True
    if training.device.type == "cpu":
        training.dataloader_pin_memory = False  # only a GPU gains by it
    return parsing, training


def _stop_early(training: TrainingArguments) -> None:
    """Set what early stopping implies; transformers checks it only where its own option asks for it.

    Raises:
        ConfigError: what is evaluated is not saved.
    """
    evaluates, saves = (str(SaveStrategy(name).value) for name in (training.eval_strategy, training.save_strategy))
    if evaluates == "no":
        raise ConfigError("--early_stopping_patience needs evaluations: set --eval_strategy to epoch or steps.")
    if saves not in (evaluates, "best"):
        raise ConfigError(
            f"--early_stopping_patience keeps the best evaluation: set --save_strategy to {evaluates} or best, "
            f"not {saves}."
        )
    if saves == evaluates == "steps" and training.save_steps % float(training.eval_steps or 1):
        raise ConfigError(
            f"--early_stopping_patience keeps the best evaluation: --save_steps {training.save_steps:g} must be a "
            f"multiple of --eval_steps {training.eval_steps:g}."
        )
    training.load_best_model_at_end = True
    training.restore_callback_states_from_checkpoint = True  # a resumed run goes on counting


def _preset_names() -> str:
    return ", ".join(sorted(file.stem for file in PRESETS.glob("*.yaml")))
