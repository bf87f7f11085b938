"""Load a model and its image processor from the Hub or a folder, or reject it with a clear message."""

import hashlib
import json
import os
from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from clothseg.errors import ClothsegError, ConfigError, ModelError
from clothseg.labels import ATR, LABELS_FILE, LabelSet, channel_order, label_set_of, names_of, read_labels
from clothseg.models import hub
from clothseg.models.hub_errors import explain
from clothseg.models.license import license_note, model_card
from clothseg.models.preprocessing import AREA, fixed_size, read_preprocessing


EMBEDDED = Path(__file__).parents[1] / "weights"
"""Folder of the model that comes with the package."""

OURS = ("segformer", "clothseg-lite")
"""transformers' names of the architectures whose files clothseg reads itself."""

RESAMPLED = {"fashn-ai/fashn-human-parser": AREA}
"""Models whose own code resizes photos otherwise than their processor's file says: here by the mean of areas, as
OpenCV's INTER_AREA does."""


@dataclass(frozen=True)
class LoadedModel:
    """A loaded model: transformers' model (float32), image processor (PIL backend), and where they are from.

    `model_type` is transformers' name of the architecture; `digest` identifies configuration and weights; `notice`
    says that the cached copy is used because the Hub did not answer, and is otherwise empty; `folder` contains the
    files. The model itself is loaded at first use: an engine that has its own copy on disk never needs it, and saves
    the seconds for importing PyTorch and transformers.
    """

    load_model: Callable[[], Any]
    processor: Any
    name: str
    revision: str | None
    license_note: str
    model_type: str
    digest: str
    notice: str = ""
    folder: Path | None = None
    labels: LabelSet = ATR
    channels: tuple[int | None, ...] = tuple(range(len(ATR)))
    input_size: tuple[int, int] = (512, 512)
    any_size: bool = True

    @cached_property
    def model(self) -> Any:
        """Return transformers' model in float32.

        Raises:
            ModelError: it cannot be loaded, or tensors are missing.
        """
        return self.load_model()


def load(
    name_or_path: str | None, revision: str | None = None, token: str | None = None, also: Collection[str] = ()
) -> LoadedModel:
    """Load a semantic segmentation model; None loads the embedded one.

    `also` names further files to download from the Hub, if the model has them.

    Only safetensors are read, and no code of the repository is run. All files are of one commit, even if the branch
    moves meanwhile, and each is checked against its checksum. A commit that is in the cache is loaded without asking
    the Hub; if the Hub fails, the last complete copy of a branch or tag is loaded.

    Raises:
        HubError: the repository or revision does not exist or is not accessible, or the Hub cannot be reached.
        ModelError: files are missing or damaged, or the model's labels or preprocessing cannot be used.
        ConfigError: a revision of the embedded model or of a folder.
    """
    if name_or_path is None:
        if not (EMBEDDED / "config.json").is_file():
            raise ModelError("This copy of clothseg has no embedded weights; choose a model on the Hub or a folder.")
        name_or_path = str(EMBEDDED)
    try:
        if Path(name_or_path).is_dir():
            _refuse_revision(name_or_path, revision)
            return _from_folder(Path(name_or_path), name_or_path)
        name = name_or_path
        folder, notice = hub.model_folder(
            name, revision, token, check=lambda small: read_config(small, name), also=also
        )
        return _from_folder(folder, name, folder.name, notice)
    except ClothsegError:
        raise
    except Exception as error:  # transformers, the Hub's client and safetensors raise all sorts
        raise explain(error, name_or_path, revision) from error


def _refuse_revision(folder: str, revision: str | None) -> None:
    if revision is not None:
        which = "the model that comes with clothseg" if folder == str(EMBEDDED) else f"the folder {folder}"
        raise ConfigError(
            f"A revision belongs to a model on the Hub, not to {which}: leave it out, or name the model."
        )


def _from_folder(folder: Path, name: str, commit: str | None = None, notice: str = "") -> LoadedModel:
    """Load the model in `folder`; `name` is the user's name for it: a Hub name, or the folder itself."""
    architecture = _architecture(folder, name)
    model_type = architecture.model_type
    processor_path = folder / "preprocessor_config.json"
    known = model_type in OURS and processor_path.is_file()
    processor: Any = read_preprocessing(str(processor_path)) if known else None
    processor = processor or _processor(folder, model_type)
    if model_type in OURS:
        check_processor(processor, name)
    if name in RESAMPLED:
        processor = _with_filter(processor, RESAMPLED[name])
    files = [folder / hub.CONFIG, *find_weights(folder, name)]
    digest = hashlib.sha256("".join(_digest(path) for path in files).encode()).hexdigest()
    note = license_note(model_type, model_card(folder))
    shown = name
    if commit is None:  # never the full path, since visitors see the name in results
        shown = model_type if folder == EMBEDDED else folder.resolve().name

    def load_model() -> Any:
        try:
            return _model(folder, name)
        except ClothsegError:
            raise
        except Exception as error:
            raise explain(error, name, commit) from error

    return LoadedModel(
        load_model,
        processor,
        shown,
        commit,
        note,
        model_type,
        digest,
        notice,
        folder,
        *architecture.classes,
        fixed_size(processor, architecture.any_size, architecture.trained_size),
        architecture.any_size,
    )


class _Architecture(NamedTuple):
    """A model's properties from its configuration; `trained_size` is its `image_size`."""

    model_type: str
    classes: tuple[LabelSet, tuple[int | None, ...]]
    any_size: bool
    trained_size: Any


def _architecture(folder: Path, name: str) -> _Architecture:
    """Read a configuration; ask transformers unless it is of a known architecture and complete."""
    path = folder / hub.CONFIG
    stated = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    if stated.get("model_type") in OURS and isinstance(stated.get("id2label"), dict):
        return _Architecture(stated["model_type"], classes_of(folder, stated["id2label"], name), True, None)
    from clothseg.models.architectures import takes_any_size

    config = read_config(folder, name)
    classes = classes_of(folder, config.id2label, name)
    return _Architecture(config.model_type, classes, takes_any_size(config), getattr(config, "image_size", None))


def classes_of(folder: Path, id2label: Mapping[Any, str], name: str) -> tuple[LabelSet, tuple[int | None, ...]]:
    """Return a model's label set, and the model's channel of each class: from `labels.json` beside it, or from its
    configuration's `id2label`.

    Raises:
        ModelError: either is no label set, or they differ in the number of classes.
    """
    try:
        names = names_of(id2label)
        if not (folder / LABELS_FILE).is_file():
            return label_set_of(id2label), channel_order(names)
        labels = read_labels(folder / LABELS_FILE)
    except ConfigError as error:
        raise ModelError(f"The labels of {name} cannot be used: {error}") from error
    if len(labels) != len(names):
        raise ModelError(f"{LABELS_FILE} of {name} has {len(labels)} classes, but the model has {len(names)}.")
    return labels, tuple(range(len(labels)))


def read_label_set(name_or_path: str | None, revision: str | None = None, token: str | None = None) -> LabelSet:
    """Return a model's label set without loading its weights; None means the embedded model.

    Raises:
        HubError: as for `load`.
        ModelError: the configuration is missing, or its labels cannot be used.
    """
    folder = Path(name_or_path or EMBEDDED)
    name = name_or_path or str(EMBEDDED)
    try:
        if folder.is_dir():
            _refuse_revision(name, revision)
        else:
            folder = hub.small_files(name, revision, token)
        return _architecture(folder, name).classes[0]
    except ClothsegError:
        raise
    except Exception as error:
        raise explain(error, name, revision) from error


def _with_filter(processor: Any, resample: int) -> Any:
    processor = copy(processor)
    object.__setattr__(processor, "resample", resample)
    return processor


def _processor(folder: Path, model_type: str) -> Any:
    from transformers import AutoImageProcessor, SegformerImageProcessorPil

    # The same preprocessing whether or not torchvision is installed: its resize differs from Pillow's.
    if model_type in OURS:
        # By its class: files of older transformers name a feature extractor that the Auto class no longer knows.
        return SegformerImageProcessorPil.from_pretrained(folder)
    return AutoImageProcessor.from_pretrained(folder, backend="pil", trust_remote_code=False)


def _model(folder: Path, name: str) -> Any:
    import torch
    from transformers import AutoModelForSemanticSegmentation, AutoModelForUniversalSegmentation, PreTrainedModel

    from clothseg.models.architectures import MASK_TYPES, MaskClassifier

    config = read_config(folder, name)
    of_masks = config.model_type in MASK_TYPES
    model, report = (
        AutoModelForUniversalSegmentation if of_masks else AutoModelForSemanticSegmentation
    ).from_pretrained(
        folder,
        config=config,
        use_safetensors=True,
        dtype=torch.float32,
        output_loading_info=True,
        trust_remote_code=False,
    )
    absent = sorted(report["missing_keys"])
    if absent:  # transformers fills them with random numbers and merely warns
        raise ModelError(
            f"The weights of {name} lack {len(absent)} of the model's tensors ({absent[0]}, ...); "
            "save the whole model again."
        )
    for module in model.modules():
        # torch's tracer asks each part for its loss function, and those without one would warn of the language models'
        if isinstance(module, PreTrainedModel):
            module.loss_type = module.loss_type or model.loss_type or "ForSemanticSegmentation"
    return MaskClassifier(model) if of_masks else model


def without_config(folder: Path, name: str) -> ModelError:
    """Return the error for a folder that is no model; that of a training has the model in a folder."""
    if (folder / "model" / hub.CONFIG).is_file():
        return ModelError(f"{name} contains no config.json; the trained model is the folder {Path(name) / 'model'}.")
    return ModelError(f"{name} contains no config.json; use a model saved by save_pretrained.")


def read_config(folder: Path, name: str) -> Any:
    """Return the model's configuration.

    Raises:
        ModelError: it is missing, or its labels cannot be used.
        Exception: whatever transformers raises for an unknown one.
    """
    from transformers import AutoConfig

    from clothseg.models import clothseg_lite  # noqa: F401 - registers clothseg-lite with the Auto classes

    if not (folder / hub.CONFIG).is_file():
        raise without_config(folder, name)
    # False, not None: None would ask on the terminal whether to run the repository's code.
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    classes_of(folder, config.id2label, name)
    return config


def check_processor(processor: Any, name: str) -> None:
    """Reject preprocessing that could not be undone, since the label map must cover exactly the photo.

    Raises:
        ModelError: the processor does not resize to a fixed height and width, or crops or pads.
    """
    size = processor.size
    fixed = processor.do_resize and size and size.get("height") and size.get("width")
    if not fixed or getattr(processor, "do_center_crop", None) or getattr(processor, "do_pad", None):
        raise ModelError(
            f"The preprocessor_config.json of {name} must resize to a fixed height and width, without crop or padding."
        )


def find_weights(folder: Path, name: str) -> list[Path]:
    """Return the files of the weights in `folder`, after checking that each is safetensors.

    Raises:
        ModelError: there are none, or a file is something else, such as a git-lfs pointer.
    """
    from safetensors import SafetensorError, safe_open

    paths = [folder / file for file in hub.weight_files(os.listdir(folder), name, lambda: folder)]
    for path in paths:
        try:
            with safe_open(path, framework="numpy"):
                pass
        except SafetensorError as error:
            with path.open("rb") as file:
                pointer = file.read(24).startswith(b"version https://git-lfs")
            cure = "it is a git-lfs pointer: run git lfs pull" if pointer else "it is damaged: download it again"
            raise ModelError(f"{path.name} of {name} cannot be read; {cure}.") from error
    return paths


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
