"""Store a checkpoint's optimizer, schedule and random states without pickles: tensors as safetensors, the rest as
JSON.

torch.save writes pickles, which the Hub marks as unsafe and which nobody should load from others. `pack` converts
those of a checkpoint to two files that contain only data; `unpack` converts them back to the Trainer's files.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from transformers.trainer_pt_utils import safe_globals

from clothseg.errors import ConfigError


TENSORS, STRUCTURE = "training_state.safetensors", "training_state.json"
PATTERNS = ("optimizer.pt", "scheduler.pt", "scaler.pt", "rng_state*.pth")
"""Files that the Trainer saves as pickles beside the model."""

Plain = None | bool | int | float | str | list[Any] | dict[str, Any]


def pack(checkpoint: Path, folder: Path) -> None:
    """Write the states in a checkpoint to `TENSORS` and `STRUCTURE` in `folder`.

    Raises:
        ConfigError: a state contains something other than tensors, arrays, numbers and text.
    """
    tensors: dict[str, torch.Tensor] = {}
    files = sorted(path for pattern in PATTERNS for path in checkpoint.glob(pattern))
    structure = {}
    for path in files:
        with safe_globals():  # NumPy arrays in the random state
            state = torch.load(path, map_location="cpu", weights_only=True)
        structure[path.name] = _flatten(state, path.name, tensors)
    save_file(tensors, folder / TENSORS)
    (folder / STRUCTURE).write_text(json.dumps(structure), encoding="utf-8")


def unpack(folder: Path) -> None:
    """Convert `TENSORS` and `STRUCTURE` in a folder back to the Trainer's files, and remove them.

    Raises:
        ConfigError: they were not written by `pack`.
    """
    try:
        structure = json.loads((folder / STRUCTURE).read_text(encoding="utf-8"))
        tensors = load_file(folder / TENSORS)
        states = {_file_name(name): _restore(value, tensors) for name, value in structure.items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigError(f"{STRUCTURE} and {TENSORS} in {folder} are damaged or do not belong together.") from error
    for name, state in states.items():
        torch.save(state, folder / name)
    for name in (STRUCTURE, TENSORS):
        (folder / name).unlink()


def _file_name(name: str) -> str:
    """Return the name if `PATTERNS` allow it; the file comes from elsewhere and must not choose where to write."""
    if not any(Path(name).match(pattern) for pattern in PATTERNS) or Path(name).name != name:
        raise ValueError(name)
    return name


def _flatten(value: Any, path: str, tensors: dict[str, torch.Tensor]) -> Plain:
    """Return `value` in a form for JSON. Its tensors are moved to `tensors` and replaced by `{"tensor": name}`.

    Every container becomes a dictionary with one entry that names its type, since JSON has neither tuples nor numeric
    keys.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, torch.Tensor | np.ndarray):
        # a copy: safetensors refuses tensors that share memory
        tensors[path] = torch.as_tensor(value).detach().clone().contiguous()
        return {"tensor" if isinstance(value, torch.Tensor) else "array": path}
    if isinstance(value, list | tuple):
        parts = [_flatten(part, f"{path}.{index}", tensors) for index, part in enumerate(value)]
        return {"tuple" if isinstance(value, tuple) else "list": parts}
    if isinstance(value, dict) and all(isinstance(key, str | int) for key in value):
        return {"dict": [[key, _flatten(part, f"{path}.{key}", tensors)] for key, part in value.items()]}
    raise ConfigError(
        f"{path} of the checkpoint is of type {type(value).__name__}, which cannot go to the Hub without a pickle: "
        "choose --hub_strategy every_save, or another --optim."
    )


def _restore(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    match kind:
        case "tensor":
            return tensors[content]
        case "array":
            return tensors[content].numpy()
        case "list":
            return [_restore(part, tensors) for part in content]
        case "tuple":
            return tuple(_restore(part, tensors) for part in content)
        case "dict":
            return {key: _restore(part, tensors) for key, part in content}
    raise ValueError(kind)
