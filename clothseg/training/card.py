"""The model card: the template `model_card.md` filled with the run's own figures, licence and circumstances."""

import platform
import shlex
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import torch
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from transformers import PreTrainedModel, TrainingArguments

from clothseg.labels import NAMES
from clothseg.lite import VARIANTS
from clothseg.training.config import ParsingArguments


TEMPLATE = Path(__file__).parents[2] / "model_card.md"
PACKAGES = ("torch", "transformers", "datasets", "accelerate", "albumentations")


class Licence(NamedTuple):
    """Front matter's `license`, and name and link where it is `other`; a sentence for readers."""

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
    """Terms of weights trained from `name`: NVIDIA's pass on to all that is fine-tuned from them."""
    if from_scratch:
        return OWN
    if name in VARIANTS:
        return APACHE
    base = _front_matter(name)
    if model.config.model_type == "segformer":
        # A SegFormer of ours that was trained from random weights, or else NVIDIA's, whatever its card says.
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
    except Exception:  # the base may well have no card, or a broken one; its licence is then taken by architecture
        return None


def write_card(
    folder: Path,
    *,
    repo_id: str,
    model: PreTrainedModel,
    parsing: ParsingArguments,
    training: TrainingArguments,
    figures: dict[str, float],
    network_figures: dict[str, float],
    rows: tuple[int, int],
    dataset_commit: str | None,
    argv: list[str],
    epochs: float,
    seconds: float,
) -> None:
    """Write `README.md` into a saved model's folder.

    Args:
        folder: where the model is; its plots are shown if they are there.
        repo_id: name for title and snippets, `user/name` or the folder.
        figures: of `summarize`, at the photos' own size.
        network_figures: of `summarize`, at the network's size.
        rows: number of photos (trained on, held out).
        dataset_commit: the commit really used; None for a folder.
        argv: the command line's arguments, written out without the token.
        epochs: how many were really trained.
        seconds: how long training took.
    """
    local_data = Path(parsing.dataset_name).is_dir()
    dataset = Path(parsing.dataset_name).resolve().name if local_data else parsing.dataset_name
    licence = licence_of(parsing.model_name_or_path, parsing.from_scratch, model)
    hub_base = "/" in parsing.model_name_or_path and not Path(parsing.model_name_or_path).exists()
    shown = {"mean_iou": "mean IoU", "mean_accuracy": "mean accuracy", "overall_accuracy": "overall accuracy"}
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag="image-segmentation",
        license=licence.identifier,
        license_name=licence.name,
        license_link=licence.link,
        base_model=parsing.model_name_or_path if hub_base and not parsing.from_scratch else None,
        datasets=None if local_data else [dataset],
        tags=["clothseg", "image-segmentation", "human-parsing", "fashion", model.config.model_type],
        model_name=repo_id.split("/")[-1],
        eval_results=[
            EvalResult(
                task_type="image-segmentation",
                dataset_type=dataset,
                dataset_name=f"{dataset}, {rows[1]} held-out photos at their own size",
                dataset_revision=dataset_commit,
                metric_type=key,
                metric_name=label,
                metric_value=round(figures[key], 4),
            )
            for key, label in shown.items()
        ],
    )
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
        figures=figures,
        network_figures=network_figures,
        classes=[(name, figures.get(f"accuracy_{name}"), figures.get(f"iou_{name}")) for name in NAMES],
        batch=training.per_device_train_batch_size * training.gradient_accumulation_steps * training.world_size,
        parameters=f"{sum(parameter.numel() for parameter in model.parameters()) / 1e6:.1f}",
        command=shlex.join(["python", "train_hf.py", *without_token(argv)]),
        minutes=f"{seconds / 60:.1f}",
        hardware=hardware(training),
        versions=", ".join(f"{package} {version(package)}" for package in PACKAGES),
        plots=[name for name in ("learning_curves", "class_iou", "confusion") if (folder / f"{name}.png").is_file()],
    )
    card.save(folder / "README.md")


def _base(parsing: ParsingArguments) -> str:
    if parsing.from_scratch:
        return f"random weights in the architecture of `{parsing.model_name_or_path}`"
    if parsing.model_name_or_path in VARIANTS:
        return f"the ImageNet weights of EfficientNet-{parsing.model_name_or_path.capitalize()}"
    return f"`{parsing.model_name_or_path}`"


def without_token(argv: list[str]) -> list[str]:
    """The arguments without `--hub_token` and its value: a card is public."""
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
    """What the run used, in words: the GPU's name or the number of CPU cores."""
    if training.device.type == "cuda":
        return f"{training.world_size} x {torch.cuda.get_device_name()}"
    return f"{torch.get_num_threads()} CPU cores ({platform.machine()})"
