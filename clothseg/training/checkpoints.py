"""Checkpoints on disk: written atomically, and checked before a run resumes from one.

The Trainer writes a checkpoint file by file into its final folder. If the process is killed meanwhile, an incomplete
checkpoint remains, which transformers would load silently even if optimizer, scheduler or random states are missing.
"""

import contextlib
import json
import re
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open
from transformers import TrainingArguments

from clothseg.errors import ConfigError
from clothseg.models.hub import is_hub_name
from clothseg.training.average import FILE as AVERAGE
from clothseg.training.publish import hub_checkpoints
from clothseg.training.publish.hub_checkpoints import TRAINER_STATE


MODEL_FILES = ("config.json", "model.safetensors")
STATE_FILES = ("optimizer.pt", "scheduler.pt")


def fault(folder: Path, *, averaged: bool = False, processes: int = 1) -> str | None:
    """Return why a run cannot resume exactly from a checkpoint; None if it can.

    Args:
        folder: a `checkpoint-N`.
        averaged: whether the run keeps an average of its weights.
        processes: the run's number of processes; a checkpoint of another number is accepted.
    """
    random = {f"rng_state_{index}.pth" for index in range(processes)} if processes > 1 else {"rng_state.pth"}
    found = {path.name for path in folder.glob("rng_state*.pth")}
    if found and not random & found:
        random = found
    averages = (AVERAGE,) if averaged else ()
    for name in (*MODEL_FILES, *averages, *STATE_FILES, *sorted(random), TRAINER_STATE):
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if not _whole(path):
            return f"{name} is damaged"
    return None


def _whole(path: Path) -> bool:
    try:
        if path.suffix == ".json":
            return isinstance(json.loads(path.read_text()), dict)
        if path.suffix == ".safetensors":
            with safe_open(path, "pt"):  # compares the header with the file's length
                return True
        with zipfile.ZipFile(path) as archive:  # what torch.save writes, with a checksum for each part
            return archive.testzip() is None
    except (OSError, ValueError, SafetensorError, zipfile.BadZipFile):
        return False


def checkpoints(folder: Path) -> list[Path]:
    """Return the `checkpoint-N` folders of a run, the last one first."""
    found = [(re.fullmatch(r"checkpoint-(\d+)", path.name), path) for path in folder.glob("checkpoint-*")]
    return [path for _, path in sorted(((int(match[1]), path) for match, path in found if match), reverse=True)]


def usable_checkpoint(folder: Path, *, averaged: bool = False, processes: int = 1) -> tuple[Path, list[str]]:
    """Return the last complete checkpoint of a run.

    Args:
        folder: the run's output.
        averaged: as in `fault`.
        processes: as in `fault`.

    Returns:
        The checkpoint, and a line on each later one that is unusable.

    Raises:
        ConfigError: there is none, or none that is complete.
    """
    skipped: list[str] = []
    for checkpoint in checkpoints(folder):
        wrong = fault(checkpoint, averaged=averaged, processes=processes)
        if wrong is None:
            return checkpoint, [f"{line}: resuming from {checkpoint.name} instead." for line in skipped]
        skipped.append(f"{checkpoint.name} cannot be used, {wrong}")
    if not skipped:
        raise ConfigError(f"--resume_from_checkpoint: {folder} contains no checkpoint-N folder.")
    raise ConfigError(
        f"--resume_from_checkpoint: {folder} contains no complete checkpoint ({'; '.join(skipped)}). "
        "Start again with another --output_dir, or without that option."
    )


def checkpoint_to_resume(training: TrainingArguments, averaged: bool, repo_id: str | None = None) -> str | None:
    """Return the checkpoint that `--resume_from_checkpoint` refers to.

    This is the given folder; or the last usable checkpoint of the output folder; or else the last one on the Hub, of
    the given model, or for `true` and `auto` of `repo_id`. With `auto`, the training starts from the beginning if
    there is none.

    Args:
        repo_id: the model on the Hub that the run pushes to.

    Returns:
        A folder, or None to start from the beginning.

    Raises:
        ConfigError: there is no usable checkpoint, or the given one is unusable.
        HubError: the Hub cannot deliver it.
    """
    resume, output = training.resume_from_checkpoint, Path(str(training.output_dir))
    if resume in (None, "", "False", "false"):
        return None
    if Path(resume).is_dir():
        return _named_checkpoint(Path(resume), averaged, training.world_size)
    if resume not in ("True", "true", "auto"):
        if "/" not in resume or not is_hub_name(resume):
            raise ConfigError(f"--resume_from_checkpoint {resume}: no such checkpoint folder.")
        repo_id = resume
    with training.main_process_first(local=True, desc="download of the checkpoint"):  # the others find it there
        if repo_id and not checkpoints(output):
            found = hub_checkpoints.download(repo_id, training.hub_revision, training.hub_token, output)
            if found and training.process_index == 0:
                sys.stderr.write(f"Resuming from {found.name} of {repo_id} on the Hub.\n")
    if not checkpoints(output):
        if resume == "auto":
            return None
        if resume == repo_id:
            places = f"{resume} is neither a folder nor a model on the Hub with a checkpoint pushed by clothseg"
        else:
            places = f"{output} contains no checkpoint-N folder" + (
                f", and {repo_id} on the Hub none" if repo_id else ""
            )
        raise ConfigError(f"--resume_from_checkpoint: {places}.")
    checkpoint, lines = usable_checkpoint(output, averaged=averaged, processes=training.world_size)
    if training.process_index == 0:
        sys.stderr.writelines(f"{line}\n" for line in lines)
    return str(checkpoint)


def steps_done(checkpoint: str | None) -> int:
    """Return the number of steps before a checkpoint from which a run resumes; 0 for None."""
    if checkpoint is None:
        return 0
    return int(json.loads((Path(checkpoint) / TRAINER_STATE).read_text(encoding="utf-8"))["global_step"])


def _named_checkpoint(folder: Path, averaged: bool, processes: int) -> str:
    wrong = fault(folder, averaged=averaged, processes=processes)
    if wrong == f"{AVERAGE} is missing":
        wrong += ", so it was saved without --ema_decay: drop that option"
    if wrong is not None:
        raise ConfigError(f"--resume_from_checkpoint {folder} cannot be used: {wrong}.")
    return str(folder)


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Remove an incomplete `folder` if writing it fails.

    Raises:
        ConfigError: it could not be written, usually because the disk is full.
    """
    try:
        yield
    # torch.save reports a full disk by RuntimeError, safetensors by its own error
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        free = shutil.disk_usage(folder.parent).free / 1e6
        earlier = "go on with --resume_from_checkpoint true" if checkpoints(folder.parent) else "start again"
        raise ConfigError(
            f"{folder} could not be written ({error}; {free:,.0f} MB are free there): free some space, then {earlier}."
        ) from error
