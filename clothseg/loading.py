"""Load a model and its image processor from the Hub or a folder, and say plainly what is wrong when it cannot be."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from clothseg.errors import ClothsegError, HubError, ModelError
from clothseg.labels import ID2LABEL, NUM_CLASSES
from clothseg.preprocessing import read_preprocessing


EMBEDDED = Path(__file__).parent / "weights"
"""Folder of the model that ships with the package."""

OURS = ("segformer", "clothseg-lite")
"""transformers' names of the architectures whose files we read ourselves."""

NVIDIA_NOTE = (
    "SegFormer weights that descend from nvidia/mit are under NVIDIA's SegFormer licence: "
    "for research and evaluation, not for commercial use."
)


@dataclass(frozen=True)
class LoadedModel:
    """What `load` found: transformers' model (float32) and image processor (PIL backend), and where they are from.

    `model_type` is transformers' name of the architecture; `digest` tells configuration and weights from any others.
    The model itself is loaded when it is first asked for: an engine that has its own copy on disk never needs it, nor
    the seconds that importing PyTorch and transformers takes.
    """

    load_model: Callable[[], Any]
    processor: Any
    name: str
    revision: str | None
    license_note: str
    model_type: str
    digest: str

    @cached_property
    def model(self) -> Any:
        """transformers' model in float32.

        Raises:
            ModelError: it cannot be loaded, or tensors are missing.
        """
        return self.load_model()


def load(name_or_path: str | None, revision: str | None = None, token: str | None = None) -> LoadedModel:
    """Load a clothes parser with our 18 labels; None loads the embedded one.

    Only safetensors are read and no code of the repository is run. All files come from one commit, even if the
    branch moves meanwhile.

    Raises:
        HubError: the repository or revision does not exist, is closed to us, or the Hub cannot be reached.
        ModelError: files are missing or broken, or the model has other labels or an unusable preprocessing.
    """
    if name_or_path is None:
        if not (EMBEDDED / "config.json").is_file():
            raise ModelError("This copy of clothseg has no embedded weights; name a model from the Hub or a folder.")
        name_or_path = str(EMBEDDED)
    try:
        return _load(name_or_path, revision, token)
    except ClothsegError:
        raise
    except Exception as error:  # transformers, the Hub's client and safetensors raise all sorts
        raise explain(error, name_or_path, revision) from error


def _load(name_or_path: str, revision: str | None, token: str | None) -> LoadedModel:
    # The file's place in the cache tells the commit, at which everything else is then fetched.
    config_path = _find(name_or_path, "config.json", revision, token)
    if config_path is None:
        raise ModelError(f"{name_or_path} holds no config.json; give a model saved by save_pretrained.")
    folder = Path(name_or_path)
    commit = None if folder.is_dir() else _commit(config_path)
    at = commit or revision

    # False, not None: None would ask on the terminal whether to run the repository's code.
    common: dict[str, Any] = {"revision": at or "main", "token": token, "trust_remote_code": False}
    model_type, id2label = _architecture(name_or_path, config_path, common)
    check_labels(id2label, name_or_path)
    processor_path = _find(name_or_path, "preprocessor_config.json", at, token)
    processor: Any = read_preprocessing(processor_path) if model_type in OURS and processor_path else None
    processor = processor or _processor(name_or_path, model_type, common)
    check_processor(processor, name_or_path)
    files = [config_path, *find_weights(name_or_path, at, token)]
    digest = hashlib.sha256("".join(_digest(path) for path in files).encode()).hexdigest()
    name = name_or_path
    if folder.is_dir():  # never the whole path: the name goes into results that strangers see
        name = model_type if folder == EMBEDDED else folder.resolve().name
    note = license_note(model_type, _model_card(name_or_path, at, token))

    def load_model() -> Any:
        try:
            return _model(name_or_path, common)
        except ClothsegError:
            raise
        except Exception as error:
            raise explain(error, name_or_path, revision) from error

    return LoadedModel(load_model, processor, name, commit, note, model_type, digest)


def _architecture(name_or_path: str, config_path: str, common: dict[str, Any]) -> tuple[str, dict[Any, str]]:
    """model_type and id2label of a configuration, by transformers where the file does not say both."""
    stated = json.loads(Path(config_path).read_text(encoding="utf-8"))
    if stated.get("model_type") in OURS and isinstance(stated.get("id2label"), dict):
        return stated["model_type"], stated["id2label"]
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(name_or_path, **common)
    return config.model_type, config.id2label


def _processor(name_or_path: str, model_type: str, common: dict[str, Any]) -> Any:
    from transformers import AutoImageProcessor, SegformerImageProcessorPil

    # The same preprocessing whether or not torchvision is installed: its resize differs from Pillow's.
    if model_type in OURS:
        # By its class: files of older transformers name a feature extractor that the Auto class no longer knows.
        return SegformerImageProcessorPil.from_pretrained(name_or_path, **common)
    return AutoImageProcessor.from_pretrained(name_or_path, backend="pil", **common)


def _model(name_or_path: str, common: dict[str, Any]) -> Any:
    import torch
    from transformers import AutoModelForSemanticSegmentation

    from clothseg import lite  # noqa: F401 - registers clothseg-lite with the Auto classes

    model, report = AutoModelForSemanticSegmentation.from_pretrained(
        name_or_path, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **common
    )
    absent = sorted(report["missing_keys"])
    if absent:  # transformers fills them with random numbers and merely warns
        raise ModelError(
            f"The weights of {name_or_path} lack {len(absent)} of the model's tensors ({absent[0]}, ...); "
            "save the whole model again."
        )
    return model


def check_labels(id2label: dict[int, str], name: str) -> None:
    """Refuse a model whose ids do not mean ATR's 18 classes in our order.

    Raises:
        ModelError: naming the first differences.
    """
    theirs = {int(key): value for key, value in id2label.items()}
    if theirs == ID2LABEL:
        return
    if len(theirs) != NUM_CLASSES:
        raise ModelError(f"{name} has {len(theirs)} classes where ATR has 18; choose a model of ATR's classes.")
    wrong = [f"{i} is {theirs.get(i)!r} instead of {ours!r}" for i, ours in ID2LABEL.items() if theirs.get(i) != ours]
    more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
    raise ModelError(f"The labels of {name} differ from ATR's: class {', '.join(wrong[:3])}{more}.")


def check_processor(processor: Any, name: str) -> None:
    """Refuse preprocessing that we would not undo: the label map must lie exactly over the photo.

    Raises:
        ModelError: the processor does not resize to a fixed height and width, or crops or pads.
    """
    size = processor.size
    fixed = processor.do_resize and size and size.get("height") and size.get("width")
    if not fixed or getattr(processor, "do_center_crop", None) or getattr(processor, "do_pad", None):
        raise ModelError(
            f"The preprocessor_config.json of {name} must resize to a fixed height and width, without crop or padding."
        )


def find_weights(name_or_path: str, revision: str | None, token: str | None) -> list[str]:
    """Fetch the safetensors (or find them in the folder) and check that they are such.

    Raises:
        ModelError: there are none, or a file is something else, such as a git-lfs pointer.
    """
    whole = _find(name_or_path, "model.safetensors", revision, token)
    if whole is not None:
        check_safetensors(whole, name_or_path)
        return [whole]
    index = _find(name_or_path, "model.safetensors.index.json", revision, token)
    if index is None:
        raise ModelError(f"{name_or_path} has no model.safetensors; save it with save_pretrained of transformers.")
    paths = []
    for part in sorted(set(json.loads(Path(index).read_text())["weight_map"].values())):
        path = _find(name_or_path, part, revision, token)
        if path is None:
            raise ModelError(f"{name_or_path} has no {part}, a part of its weights; save the whole model again.")
        check_safetensors(path, name_or_path)
        paths.append(path)
    return paths


def check_safetensors(path: str, name: str) -> None:
    """Open a file of weights.

    Raises:
        ModelError: it is something else, such as a git-lfs pointer.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy"):
            return
    except SafetensorError as error:
        with open(path, "rb") as file:
            pointer = file.read(24).startswith(b"version https://git-lfs")
        cure = "it is a git-lfs pointer: run git lfs pull" if pointer else "it is damaged: download it anew"
        raise ModelError(f"{Path(path).name} of {name} cannot be read; {cure}.") from error


def _commit(path: str) -> str | None:
    """The commit that a file in the Hub's cache is of: .../snapshots/COMMIT/name."""
    folder = Path(path).parent.name
    return folder if re.fullmatch(r"[0-9a-f]{40}", folder) else None


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def license_note(model_type: str, card: Any) -> str:
    """One sentence on the weights' licence for footers and reports.

    Args:
        model_type: transformers' name of the architecture.
        card: the model card's metadata (`huggingface_hub.ModelCardData`), or None.
    """
    base = str(card.base_model) if card is not None and card.base_model else ""
    if model_type == "segformer" or "nvidia/mit" in base or "nvidia/segformer" in base:
        return NVIDIA_NOTE
    terms = (card.get("license_name") or card.license) if card is not None else None
    if not terms:
        return "The licence of the weights is not stated in their model card."
    return f"Licence of the weights, by their model card: {terms}."


def _model_card(name_or_path: str, revision: str | None, token: str | None) -> Any:
    from huggingface_hub import ModelCard

    try:
        path = _find(name_or_path, "README.md", revision, token)
        return ModelCard.load(path).data if path else None
    except Exception:  # a note for readers, not worth failing for: offline, or a card with broken front matter
        return None


def _find(name_or_path: str, filename: str, revision: str | None, token: str | None) -> str | None:
    """Path of a file in the model's folder or the Hub's cache, fetched if need be; None if there is no such file."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    if Path(name_or_path).is_dir():
        file = Path(name_or_path) / filename
        return str(file) if file.is_file() else None
    try:
        return str(hf_hub_download(name_or_path, filename, revision=revision, token=token))
    except LocalEntryNotFoundError:  # a subclass of the next that means: not in the cache, and nobody to ask
        raise
    except EntryNotFoundError:
        return None


def explain(error: BaseException, name: str, revision: str | None, kind: str = "model") -> ClothsegError:
    """The error of ours that tells a user what to do about one of transformers, the Hub's client or safetensors.

    Args:
        error: what they raised; its chain of causes is searched.
        name: the repository or folder that was asked for.
        revision: the branch, tag or commit that was asked for.
        kind: "model" or "data set".
    """
    import httpx2  # what huggingface_hub speaks with; not being connected at all is one of its errors
    from huggingface_hub import errors as hub

    chain = _chain(error)

    def among(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    if among(hub.HFValidationError):
        return ModelError(f"There is no folder {name}, nor can it be a Hub {kind}: those are named owner/name.")
    if among(hub.GatedRepoError):
        return HubError(f"{name} is gated: accept its terms on its page on the Hub and pass a token of that account.")
    if among(hub.RevisionNotFoundError):
        return HubError(f"{name} has no revision {revision or 'main'}; check the branch, tag or commit.")
    if among(hub.RepositoryNotFoundError):
        return HubError(
            f"The Hub has no {kind} {name}, or it is private; check the name, or pass a token that may read it."
        )
    refused = next((link for link in chain if isinstance(link, hub.HfHubHTTPError)), None)
    if refused is not None:
        status = refused.response.status_code if refused.response is not None else "an error"
        return HubError(f"The Hub answered {status} to the request for {name}; check the token, or try again later.")
    if among(
        hub.LocalEntryNotFoundError, hub.OfflineModeIsEnabled, httpx2.TransportError, ConnectionError, TimeoutError
    ):
        return HubError(
            f"{name} is not in the local cache and the Hub cannot be reached; "
            "check the network and HF_HUB_OFFLINE, or give a folder."
        )
    detail = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
    wanted = "semantic segmentation model" if kind == "model" else kind
    return ModelError(f"{name} cannot be loaded as a {wanted} ({detail}).")


def _chain(error: BaseException) -> list[BaseException]:
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or link.__context__
    return links
