"""Push to the Hub: the finished model, and during training the model and checkpoints, as `--hub_strategy` says.

transformers' Trainer would push its output folder with `training_args.bin`, a pickle that contains the Hub token, and
checkpoints made of pickles. Here only data is pushed: safetensors, JSON, images and text.
"""

import contextlib
import json
import os
import queue
import shutil
import sys
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import disable_progress_bars
from safetensors import SafetensorError
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import HubStrategy

from clothseg.errors import ConfigError, HubError
from clothseg.models.hub import with_retries
from clothseg.models.hub_errors import explain_write
from clothseg.training.portable_state import PATTERNS, pack
from clothseg.training.publish.hub_checkpoints import BEST, LAST, TRAINER_STATE


LOCAL = ("training_args.json", TRAINER_STATE)
"""Files of a checkpoint that contain folder names of this machine."""


def require_token(training: TrainingArguments) -> None:
    """Raise HubError if there is no Hub token."""
    if not (training.hub_token or get_token()):
        raise HubError("--push_to_hub needs a Hub token with write permission: run `hf auth login` or set HF_TOKEN.")


def repository(training: TrainingArguments) -> str:
    """Return the full name of the repository to push to: `--hub_model_id`, by default the output folder's name.

    Raises:
        HubError: there is no token, or the Hub does not tell its owner.
    """
    require_token(training)
    name = training.hub_model_id or Path(str(training.output_dir)).resolve().name
    if "/" in name:
        return name
    try:
        return f"{HfApi(token=training.hub_token).whoami()['name']}/{name}"
    except Exception as error:
        raise HubError(f"--push_to_hub: {explain_write(error, name)}") from error


def prepare_push(training: TrainingArguments) -> str:
    """Create the model's repository if needed, and check write access, before the training.

    Returns:
        The repository's full name, `user/name`: `--hub_model_id`, by default the output folder's name.

    Raises:
        HubError: no token, or the Hub rejects it or cannot be reached.
        ConfigError: the name is not one the Hub allows.
    """
    require_token(training)
    api = HfApi(token=training.hub_token)
    name = training.hub_model_id or Path(str(training.output_dir)).resolve().name
    try:
        repo_id = api.create_repo(name, private=training.hub_private_repo, exist_ok=True).repo_id
        api.auth_check(repo_id, write=True)  # creating reports no error for an existing repository of another owner
        return repo_id
    except HFValidationError as error:
        raise ConfigError(f"--hub_model_id {name}: {error}") from error
    except Exception as error:
        raise HubError(f"--push_to_hub: {explain_write(error, name)}") from error


def push(folder: Path, repo_id: str, token: str | None, revision: str | None) -> None:
    """Upload a finished model in one commit, with retries if the Hub fails; known files are not sent again.

    Raises:
        HubError: says what went wrong, where the trained model is, and how to push it later.
    """
    upload = partial(
        HfApi(token=token).upload_folder,
        folder_path=folder,
        repo_id=repo_id,
        revision=revision,
        commit_message="Train with clothseg",
    )
    try:
        with_retries(upload, "model")
    except Exception as error:
        raise HubError(
            f"The push failed: {explain_write(error, repo_id)} The complete trained model is in {folder}; "
            f"push it later with: hf upload {repo_id} {folder}"
        ) from error


def pushes_checkpoints(strategy: HubStrategy | str) -> bool:
    """Return whether runs with this `--hub_strategy` can be resumed from the Hub."""
    return strategy in (HubStrategy.CHECKPOINT, HubStrategy.ALL_CHECKPOINTS)


class TrainingUploads(TrainerCallback):
    """Pushes what `--hub_strategy` selects after each save, from a thread, so that training does not wait.

    While one upload runs, later saves wait and only the newest is pushed next, unless all are wanted
    (`all_checkpoints`, `--hub_always_push`). A failed upload is reported and does not end the training; the next one,
    or the push at the end, includes the missing files.
    """

    def __init__(
        self,
        repo_id: str,
        token: str | None,
        training: TrainingArguments,
        save_model: Callable[[Path, TrainerState], None],
    ) -> None:
        """Start the thread.

        Args:
            save_model: writes the current model into a folder, with image processor and card.
        """
        self.repo_id, self.strategy, self.revision = repo_id, training.hub_strategy, training.hub_revision
        self._save_model = save_model
        self._every = training.hub_always_push or self.strategy == HubStrategy.ALL_CHECKPOINTS
        self._api = HfApi(token=token)
        disable_progress_bars()  # they would break up the table of the training
        self._staged = Path(str(training.output_dir)) / "to_hub"
        self._waiting: queue.Queue[Path | None] = queue.Queue()
        self._thread: threading.Thread | None = None
        self.failed = ""
        """Error of the last upload; empty if there was none."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Copy the new checkpoint, so that later ones do not delete it, and queue its upload."""
        if self.strategy == HubStrategy.END or not state.is_world_process_zero:
            return
        staged = self._staged / f"step-{state.global_step}"
        try:
            self._stage(staged, args, state)
        except (OSError, RuntimeError, SafetensorError) as error:  # of a full disk, as in `checkpoints.writing`
            shutil.rmtree(staged, ignore_errors=True)
            self._tell(staged, f"{staged} could not be written ({error}).")
            return
        if not self._every:  # the newest one alone
            self._drop_waiting()
        self._waiting.put(staged)
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="uploads", daemon=True)
            self._thread.start()

    def finish(self, superseded: bool) -> None:
        """Wait until all saves are on the Hub, or have failed.

        Args:
            superseded: the finished model is pushed next, so a waiting model can be skipped.
        """
        if superseded and not self._every and not pushes_checkpoints(self.strategy):
            self._drop_waiting()
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join()
            self._thread = None
        shutil.rmtree(self._staged, ignore_errors=True)

    def whereabouts(self) -> str:
        """Return where the last checkpoint is on the Hub, for the message of a stopped run; empty if none is
        pushed."""
        if not pushes_checkpoints(self.strategy):
            return ""
        return f" (which is not on the Hub: {self.failed})" if self.failed else f", also in {self.repo_id} on the Hub"

    def _stage(self, staged: Path, args: TrainingArguments, state: TrainerState) -> None:
        shutil.rmtree(staged, ignore_errors=True)
        self._save_model(staged, state)
        if pushes_checkpoints(self.strategy):
            checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
            name = LAST if self.strategy == HubStrategy.CHECKPOINT else checkpoint.name
            stage_checkpoint(checkpoint, staged / name, with_best=bool(args.load_best_model_at_end))

    def _drop_waiting(self) -> None:
        with contextlib.suppress(queue.Empty):
            while (folder := self._waiting.get_nowait()) is not None:
                shutil.rmtree(folder, ignore_errors=True)

    def _tell(self, staged: Path, why: str) -> None:
        self.failed = f"What was saved at {staged.name.replace('-', ' ')} is not on the Hub: {why}"
        sys.stderr.write(f"{self.failed} The training continues.\n")

    def _work(self) -> None:
        while (staged := self._waiting.get()) is not None:
            try:
                self._upload(staged)
                self.failed = ""
            except Exception as error:  # the training is worth more than its copy
                self._tell(
                    staged, str(error) if isinstance(error, ConfigError) else explain_write(error, self.repo_id)
                )
            shutil.rmtree(staged, ignore_errors=True)

    def _upload(self, staged: Path) -> None:
        for checkpoint in (path for path in staged.iterdir() if path.is_dir()):
            pack(checkpoint, checkpoint)
            for path in [path for pattern in PATTERNS for path in checkpoint.glob(pattern)]:
                path.unlink()
        upload = partial(
            self._api.upload_folder,
            folder_path=staged,
            repo_id=self.repo_id,
            revision=self.revision,
            commit_message=f"Training in progress, {staged.name.replace('-', ' ')}",
            delete_patterns=f"{LAST}/*" if self.strategy == HubStrategy.CHECKPOINT else None,
        )
        with_retries(upload, "checkpoint")


def stage_checkpoint(checkpoint: Path, folder: Path, with_best: bool) -> None:
    """Copy a checkpoint, as links if the disk allows it, without files that describe this machine.

    Args:
        folder: new folder to create.
        with_best: also copy the weights of the best evaluation, usually of another checkpoint.
    """
    folder.mkdir(parents=True)
    for path in checkpoint.iterdir():
        if path.is_file() and path.name not in LOCAL:
            _link(path, folder / path.name)
    stored = json.loads((checkpoint / TRAINER_STATE).read_text(encoding="utf-8"))
    best = Path(stored["best_model_checkpoint"]) if stored.get("best_model_checkpoint") and with_best else None
    stored["best_model_checkpoint"] = best.name if best else None
    if best and best.name != checkpoint.name:
        (folder / BEST).mkdir()
        for path in best.iterdir():
            if path.suffix in (".json", ".safetensors") and path.name not in LOCAL:
                _link(path, folder / BEST / path.name)
    (folder / TRAINER_STATE).write_text(json.dumps(stored, indent=2), encoding="utf-8")


def _link(path: Path, at: Path) -> None:
    try:
        os.link(path, at)
    except OSError:  # a disk without hard links
        shutil.copy2(path, at)
