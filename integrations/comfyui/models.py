"""Models for the nodes: found by name, and kept loaded from run to run."""

import copy
from functools import lru_cache
from pathlib import Path

from clothseg import Segmenter


FOLDER = "clothseg"
"""Folder below ComfyUI's `models` in which models are found by their folder's name."""


def model_path(name: str) -> str | None:
    """Return what `Segmenter.from_pretrained` takes for a model's name in a node.

    Args:
        name: empty for the model that comes with clothseg; a folder; the name of a folder in `models/clothseg` of
            ComfyUI; or a Hub id.
    """
    name = name.strip()
    if not name or Path(name).is_dir():
        return name or None
    return next((str(folder / name) for folder in _model_folders() if (folder / name).is_dir()), name)


def segmenter(name: str, device: str = "auto", process_res: int = 0) -> Segmenter:
    """Return a loaded model; the last two stay loaded.

    Args:
        name: as for `model_path`.
        device: "auto", "cpu" or "cuda".
        process_res: longer side in pixels of the network's input; 0 is the model's own.
    """
    loaded = _load(model_path(name), device)
    if not process_res:
        return loaded
    resized = copy.copy(loaded)
    factor = process_res / max(loaded.image_size)
    height, width = (max(32, 32 * round(side * factor / 32)) for side in loaded.image_size)
    resized.image_size = height, width
    return resized


@lru_cache(maxsize=2)
def _load(path: str | None, device: str) -> Segmenter:
    return Segmenter.from_pretrained(path, device=device)


def _model_folders() -> list[Path]:
    try:
        import folder_paths  # ComfyUI's own
    except ImportError:
        return []
    return [Path(folder_paths.models_dir, FOLDER)]
