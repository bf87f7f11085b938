"""Download checkpoints pushed with `--hub_strategy checkpoint` or `all_checkpoints` to resume on a new machine."""

import json
import os
import re
import shutil
from pathlib import Path

from huggingface_hub import HfApi
from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

from clothseg.errors import ClothsegError, ConfigError
from clothseg.models.hub_errors import explain
from clothseg.training.portable_state import STRUCTURE, unpack


LAST = "last-checkpoint"
"""Folder in the repository that `--hub_strategy checkpoint` replaces with each checkpoint; transformers' name."""
BEST = "best"
"""Folder in a pushed checkpoint with the weights of the best evaluation so far, if that is another checkpoint's."""
TRAINER_STATE = "trainer_state.json"
_DOWNLOAD = "from_hub.incomplete"


def download(repo_id: str, revision: str | None, token: str | None, output: Path) -> Path | None:
    """Download the last checkpoint of a model on the Hub into a run's output folder, in the Trainer's format.

    Only data is downloaded (safetensors and JSON), all of one commit; it is moved into place when it is complete.

    Args:
        revision: branch that the run pushes to; None is the main branch.

    Returns:
        `output/checkpoint-N`; None if there is no such repository, or no checkpoint of clothseg in it.

    Raises:
        HubError: the Hub cannot be reached, or does not deliver a listed file.
        ConfigError: the checkpoint is damaged.
    """
    api = HfApi(token=token)
    folder = output / _DOWNLOAD
    shutil.rmtree(folder, ignore_errors=True)
    try:
        listing = api.model_info(repo_id, revision=revision)
        name = _last(api, repo_id, str(listing.sha), [file.rfilename for file in listing.siblings or []])
        if name is None:
            return None
        allowed = [f"{name}/{pattern}" for pattern in ("*.safetensors", "*.json")]
        api.snapshot_download(repo_id, revision=listing.sha, allow_patterns=allowed, local_dir=folder)
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return None
    except ClothsegError:
        raise
    except Exception as error:  # the Hub's client raises all sorts
        raise explain(error, repo_id, revision) from error
    checkpoint = _put_in_place(folder / name, output)
    shutil.rmtree(folder, ignore_errors=True)
    return checkpoint


def _last(api: HfApi, repo_id: str, commit: str, files: list[str]) -> str | None:
    """Return the folder of the checkpoint with the latest step."""
    names = [match[1] for file in files if (match := re.fullmatch(rf"(checkpoint-\d+)/{STRUCTURE}", file))]
    steps = {name: int(name.removeprefix("checkpoint-")) for name in names}
    if f"{LAST}/{STRUCTURE}" in files:
        state = api.hf_hub_download(repo_id, f"{LAST}/{TRAINER_STATE}", revision=commit)
        steps[LAST] = int(json.loads(Path(state).read_text(encoding="utf-8"))["global_step"])
    return max(steps, key=lambda name: (steps[name], name == LAST), default=None)


def _put_in_place(checkpoint: Path, output: Path) -> Path:
    """Move a downloaded checkpoint to the name of its step, and the best weights to theirs.

    Raises:
        ConfigError: it was not made by `stage_checkpoint` and `portable_state.pack`.
    """
    try:
        state = json.loads((checkpoint / TRAINER_STATE).read_text(encoding="utf-8"))
        step, best = int(state["global_step"]), state.get("best_model_checkpoint")
        if best is not None and not re.fullmatch(r"checkpoint-\d+", best):
            raise ValueError(best)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"The checkpoint on the Hub is damaged: {TRAINER_STATE} cannot be used.") from error
    unpack(checkpoint)
    if best is not None:
        if (checkpoint / BEST).is_dir():
            shutil.rmtree(output / best, ignore_errors=True)
            os.replace(checkpoint / BEST, output / best)
        state["best_model_checkpoint"] = str(output / best)
        (checkpoint / TRAINER_STATE).write_text(json.dumps(state, indent=2), encoding="utf-8")
    target = output / f"checkpoint-{step}"
    os.replace(checkpoint, target)
    return target
