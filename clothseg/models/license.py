"""Read what a model's card says on the licence of the weights."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any


NVIDIA_NOTE = (
    "SegFormer weights that descend from nvidia/mit are under NVIDIA's SegFormer licence: "
    "for research and evaluation, not for commercial use."
)

STATED = "Licence of the weights, by their model card: "

UNSTATED = "The licence of the weights is not stated in their model card."

_FRONT_MATTER = re.compile(r"\s*---[ \t]*\r?\n(.*?)\r?\n---[ \t]*(?:\r?\n|$)", re.DOTALL)


def license_note(model_type: str, card: Mapping[str, Any] | None) -> str:
    """Return one sentence on the weights' licence for footers and reports.

    Args:
        model_type: transformers' name of the architecture.
        card: the model card's metadata, or None.
    """
    card = card or {}
    base = str(card.get("base_model") or "")
    if model_type == "segformer" or "nvidia/mit" in base or "nvidia/segformer" in base:
        return NVIDIA_NOTE
    terms = card.get("license_name") or card.get("license")
    if not terms:
        return UNSTATED
    return f"{STATED}{terms}."


def model_card(folder: Path) -> Mapping[str, Any] | None:
    """Return the metadata of a folder's model card. Importing `huggingface_hub.ModelCard` takes a quarter of a
    second."""
    import yaml

    try:
        front = _FRONT_MATTER.match((folder / "README.md").read_text(encoding="utf-8"))
        found = yaml.safe_load(front[1]) if front else None
    except (OSError, UnicodeDecodeError, yaml.YAMLError):  # a note for readers, not worth failing for
        return None
    return found if isinstance(found, dict) else None
