"""Write the model card: the template `model_card.md` with the run's figures, licence and settings."""

import platform
import shlex
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from transformers import PreTrainedModel, TrainingArguments

from clothseg.images.atomic_files import atomic_path
from clothseg.labels import ATR, LabelSet
from clothseg.models.clothseg_lite import VARIANTS
from clothseg.training.config import TrainArguments
from clothseg.training.precision import precision_words
from clothseg.training.progress import COLUMNS, evaluation_rows, shown_cells
from clothseg.training.publish.report import TOTALS


TEMPLATE = Path(__file__).with_name("model_card.md")
PLOTS = ("learning_curves", "class_iou", "confusion", "calibration", "best_photos", "worst_photos")
GROUPS = {
    "large garments": ("Upper-clothes", "Skirt", "Pants", "Dress"),
    "head": ("Hair", "Face"),
    "limbs": ("Left-leg", "Right-leg", "Left-arm", "Right-arm"),
    "shoes and bag": ("Left-shoe", "Right-shoe", "Bag"),
    "small and rare": ("Hat", "Sunglasses", "Belt", "Scarf"),
}
PACKAGES = ("torch", "transformers", "datasets", "accelerate", "opencv-python-headless")


class Licence(NamedTuple):
    """Front matter's `license`, with name and link if it is `other`; and a sentence for readers."""

    identifier: str
    name: str | None
    link: str | None
    sentence: str


NVIDIA = Licence(
    "other",
    "nvidia-segformer",
    "https://github.com/NVlabs/SegFormer/blob/master/LICENSE",
    "Fine-tuned from NVIDIA's SegFormer weights and therefore under the NVIDIA Source Code License for SegFormer: "
    "for research and evaluation, **not for commercial use**.",
)
APACHE = Licence(
    "apache-2.0",
    None,
    None,
    "Apache-2.0, as is the EfficientNet-Lite encoder it started from. Respect the terms of the data as well.",
)
OWN = Licence(
    "apache-2.0", None, None, "Apache-2.0: trained from random weights. Respect the terms of the data as well."
)


def licence_of(name: str, from_scratch: bool, model: PreTrainedModel) -> Licence:
    """Return the terms of weights trained from `name`; NVIDIA's terms also cover models fine-tuned from theirs."""
    if from_scratch:
        return OWN
    if name in VARIANTS:
        return APACHE
    base = _front_matter(name)
    if model.config.model_type == "segformer":
        # Either a SegFormer that clothseg trained from random weights, or NVIDIA's, even if its card differs.
        if base is not None and base.license == "apache-2.0" and "clothseg" in (base.tags or []):
            return NVIDIA if base.base_model else OWN
        return NVIDIA
    if base is None or not base.license:
        return Licence("other", "unknown", None, "Not stated.")
    sentence = f"As the model it was fine-tuned from: {base.get('license_name') or base.license}."
    return Licence(base.license, base.get("license_name"), base.get("license_link"), sentence)


def _front_matter(name: str) -> ModelCardData | None:
    try:
        return ModelCard.load(Path(name) / "README.md" if Path(name).is_dir() else name).data
    except Exception:  # the base may have no card, or a broken one; its licence then follows from the architecture
        return None


def write_card(
    folder: Path,
    *,
    repo_id: str,
    model: PreTrainedModel,
    parsing: TrainArguments,
    training: TrainingArguments,
    report: dict[str, Any],
    matrix: npt.NDArray[np.int64],
    rows: tuple[int, int],
    dataset_commit: str | None,
    argv: list[str],
    epochs: float,
    seconds: float,
    split: dict[str, Any],
    averaged: bool,
    log: list[dict[str, Any]],
    labels: LabelSet = ATR,
    resumed: tuple[int, int] | None = None,
) -> None:
    """Write `README.md` into a saved model's folder.

    Args:
        folder: folder of the model; plots in it are shown.
        repo_id: name for title and snippets, `user/name` or the folder.
        report: of `evaluation.report`.
        matrix: (C, C) confusion matrix at the photos' own size, truth in rows.
        rows: number of photos (trained on, held out).
        dataset_commit: commit of the data set; None for a folder.
        argv: the command line's arguments, shown without the token.
        epochs: number of trained epochs.
        seconds: duration of the training, since it was resumed.
        split: `SplitRecord.summary`, and as `reported` the part used for the figures.
        averaged: whether the weights kept are a moving average.
        log: the Trainer's `log_history`; the card shows a line for each evaluation.
        labels: the C classes.
        resumed: steps since a run was resumed, and steps in all; None if it was not.
    """
    figures, dataset = report["own_size"], dataset_name(parsing)
    licence = licence_of(parsing.model_name_or_path, parsing.from_scratch, model)
    shown = {"mean_iou": "mean IoU", "mean_accuracy": "mean accuracy", "overall_accuracy": "overall accuracy"}
    data = front_matter(repo_id, model, parsing)
    data.model_name = repo_id.split("/")[-1]
    data.eval_results = [  # figures of transformers' pipeline; the text also contains those of clothseg
        EvalResult(
            task_type="image-segmentation",
            dataset_type=dataset,
            dataset_name=f"{dataset}, {rows[1]} held-out photos at their own size, plain transformers",
            dataset_revision=dataset_commit,
            metric_type=key,
            metric_name=label,
            metric_value=round(report["plain"][key], 4),
        )
        for key, label in shown.items()
    ]
    card = ModelCard.from_template(
        data,
        template_path=str(TEMPLATE),
        title=repo_id.split("/")[-1],
        repo_id=repo_id,
        lite=model.config.model_type == "clothseg-lite",
        parsing=parsing,
        training=training,
        licence=licence.sentence,
        base=_base(parsing),
        epochs=epochs,
        dataset=dataset,
        dataset_commit=dataset_commit,
        rows=rows,
        split=split,
        figures=figures,
        plain_figures=report["plain"],
        plain_intervals=report["intervals"]["plain"],
        network_figures=report["network_size"],
        intervals=report["intervals"]["own_size"],
        calibration_error=report["calibration"]["ece"],
        totals=TOTALS,
        groups=groups(figures, labels),
        confusions=confusions(matrix, labels=labels),
        teacher=public_name(parsing.teacher_model_name_or_path or ""),
        averaged=averaged,
        log_columns=[heading for heading, _ in COLUMNS.values()],
        log_rows=[shown_cells(row) for row in evaluation_rows(log)],
        classes=[(name, figures.get(f"accuracy_{name}"), figures.get(f"iou_{name}")) for name in labels.names],
        atr=labels == ATR,
        labels=labels,
        example=labels.garments[0] if labels != ATR else "Dress",
        batch=training.per_device_train_batch_size * training.gradient_accumulation_steps * training.world_size,
        parameters=f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.1f}",
        command=shlex.join(["python", "train_hf.py", *map(public_name, without_token(argv))]),
        minutes=f"{seconds / 60:.1f}",
        resumed=resumed,
        hardware=hardware(training),
        versions=", ".join(f"{package} {version(package)}" for package in PACKAGES),
        plots=[name for name in PLOTS if (folder / f"{name}.png").is_file()],
    )
    with atomic_path(folder / "README.md") as file:
        card.save(file)


def dataset_name(parsing: TrainArguments) -> str:
    """Return the data set's name on the Hub, or its folder's own name."""
    local = Path(parsing.dataset_name).is_dir()
    return Path(parsing.dataset_name).resolve().name if local else parsing.dataset_name


def front_matter(repo_id: str, model: PreTrainedModel, parsing: TrainArguments) -> ModelCardData:
    """Return the card's metadata, without figures."""
    licence = licence_of(parsing.model_name_or_path, parsing.from_scratch, model)
    hub_base = "/" in parsing.model_name_or_path and not Path(parsing.model_name_or_path).exists()
    return ModelCardData(
        library_name="transformers",
        pipeline_tag="image-segmentation",
        license=licence.identifier,
        license_name=licence.name,
        license_link=licence.link,
        base_model=parsing.model_name_or_path if hub_base and not parsing.from_scratch else None,
        datasets=None if Path(parsing.dataset_name).is_dir() else [dataset_name(parsing)],
        tags=["clothseg", "image-segmentation", "human-parsing", "fashion", model.config.model_type],
    )


class Group(NamedTuple):
    """Similar classes, with their mean IoU and the weakest of them."""

    name: str
    classes: list[str]
    mean_iou: float
    weakest: str
    weakest_iou: float


def groups(figures: dict[str, float], labels: LabelSet = ATR) -> list[Group]:
    """Return the card's table of groups: `GROUPS`, or those of another label set, with figures of `summarize`, without
    classes that have no figure."""
    found = []
    for name, classes in (GROUPS if labels == ATR else labels.groups).items():
        iou = {one: figures[f"iou_{one}"] for one in classes if f"iou_{one}" in figures}
        if iou:
            weakest = min(iou, key=lambda one: iou[one])
            found.append(Group(name, list(iou), sum(iou.values()) / len(iou), weakest, iou[weakest]))
    return found


class Confusion(NamedTuple):
    """Share of a true class's pixels that are predicted as another class."""

    truth: str
    prediction: str
    share: float


def confusions(
    matrix: npt.NDArray[np.int64], count: int = 6, least: float = 0.05, labels: LabelSet = ATR
) -> list[Confusion]:
    """Return the `count` largest confusions of a (C, C) matrix with truth in rows, of at least the share
    `least`."""
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(shares, 0)
    largest = np.argsort(shares, axis=None)[::-1][:count]
    pairs = [divmod(int(place), len(labels)) for place in largest]
    return [
        Confusion(labels.names[row], labels.names[column], shares[row, column])
        for row, column in pairs
        if shares[row, column] >= least
    ]


def _base(parsing: TrainArguments) -> str:
    if parsing.from_scratch:
        return f"random weights in the architecture of `{parsing.model_name_or_path}`"
    if parsing.model_name_or_path in VARIANTS:
        return f"the ImageNet weights of EfficientNet-{parsing.model_name_or_path.capitalize()}"
    return f"`{public_name(parsing.model_name_or_path)}`"


def public_name(argument: str) -> str:
    """Return an argument unchanged, or only the last part of an absolute path, which would reveal this machine's
    folders."""
    return Path(argument).name if argument.startswith(("/", "~")) else argument


def without_token(argv: list[str]) -> list[str]:
    """Return the arguments without `--hub_token` and its value, since a card is public."""
    kept, skip = [], False
    for argument in argv:
        if not skip and not argument.startswith("--hub_token="):
            if argument == "--hub_token":
                skip = True
                continue
            kept.append(argument)
        skip = False
    return kept


def hardware(training: TrainingArguments) -> str:
    """Describe the hardware: the GPU's name or the number of CPU cores, and the number format."""
    threads = torch.get_num_threads()
    device = f"{threads} CPU core{'s' if threads > 1 else ''} ({platform.machine()})"
    if training.device.type == "cuda":
        device = f"{training.world_size} x {torch.cuda.get_device_name()}"
    return f"{device}, in {precision_words(training)}"
