"""Segment a data set of the Hub, on disk or in remote storage, and push or write its photos with label maps as masks.

Rows are streamed and written as parquet files to a temporary folder, which is pushed or copied when it is complete.
Several processes take turns at the rows and share the folder; the first one pushes it.
"""

import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from clothseg.batch.distributed import Processes
from clothseg.batch.parquet import number_files, write_rows
from clothseg.batch.photo_files import OutputSpec, outcomes
from clothseg.batch.storage import storage_of, upload
from clothseg.errors import ConfigError, HubError, UsageError, needs_extra
from clothseg.images.atomic_files import atomic_path
from clothseg.images.dataset_folder import (
    LAYOUTS,
    find_remote_files,
    read_remote_split,
    read_split,
    split_names,
    split_names_on_disk,
)
from clothseg.images.remote import Remote, location
from clothseg.images.sources import Source
from clothseg.labels import LABELS_FILE, write_labels
from clothseg.models.hub import with_retries
from clothseg.models.hub_errors import explain, explain_write


if TYPE_CHECKING:
    from datasets import IterableDataset

    from clothseg.batch.ray_pool import RayPool
    from clothseg.batch.worker_pool import WorkerPool
    from clothseg.segmenter import Segmenter


CARD = """---
task_categories:
- image-segmentation
---
# {target}

Photos of the data set {origin}, with label maps by clothseg, model {model}: a model's answers, not a person's work.

`mask` is a PNG of the upright photo's size whose pixel values are class ids: {classes}.

{license_note} The terms of that data set hold for its photos.
"""


def segment_dataset(
    name: str,
    target: str | Path | Remote,
    load_segmenter: Callable[[], "Segmenter | WorkerPool | RayPool"],
    options: dict[str, Any],
    *,
    split: str | None = None,
    column: str = "image",
    private: bool = False,
    processes: Processes | None = None,
) -> int:
    """Segment a split of a data set, and push or write it with columns `image` (its bytes) and `mask` (PNG).

    The same split of the target is replaced. Memory does not grow with the data set; the temporary folder takes about
    as much space as the split.

    Args:
        name: the data set: a Hub id, or a folder or parquet file in a layout that `dataset_folder` supports, local or
            at an address that fsspec knows.
        target: the data set to push, created if it does not exist; or the folder to write.
        load_segmenter: returns the model, or a pool of workers; called when the data set is found and the target is
            writable.
        options: as for one photo: `edges`, `zoom`, `people`, `tta`, `rules`.
        split: of the data set; by default the only split of a folder, else `train`.
        column: the column of photos.
        private: make the target private, if it does not exist.
        processes: the processes that share the work; each of them calls this.

    Returns:
        0, or 1 if photos could not be used and were left out; the first process prints them with the reason on stderr.

    Raises:
        ConfigError: libraries are missing, the disk is full, or another process has failed.
        UsageError: both names are one data set, or there is no such split or column.
        DataError: a folder contains no readable data set.
        HubError: the data set cannot be read, or the target cannot be written.
    """
    with needs_extra("--dataset", "train"):
        import datasets  # noqa: F401
    processes = processes or Processes()
    if processes.rank:
        _help(name, load_segmenter, options, split, column, processes)
        return 0
    try:
        rows, split, commit = _rows(name, split, column)
        target = _prepared(target, name, private) if isinstance(target, str) else _checked(target, name)
        segmenter = load_segmenter()
        folder, keep = Path(tempfile.mkdtemp(prefix="clothseg-")), False
    except BaseException as error:
        processes.fail("work", error)
        raise
    processes.tell("work", {"folder": str(folder), "commit": commit})
    try:
        count, problems = write_rows(_segmented(segmenter, _read(rows, name, processes), options), folder)
        for rank in range(1, processes.count):
            more = processes.hear(f"rows of {rank}")
            count, problems = count + more["count"], problems + more["problems"]
        sys.stderr.writelines(f"{problem}\n" for problem in problems)
        if not count:
            raise ConfigError(f"None of the photos of {name}, split {split}, could be used; nothing was written.")
        keep = True  # if the push fails, the folder can be pushed later
        number_files(folder, split)
        write_labels(segmenter.labels, folder / LABELS_FILE)  # names of the ids in the masks, for training
        place = location(name)
        shown = name if commit else place.name if isinstance(place, Remote) else place.resolve().name
        about = {"target": target, "name": shown, "commit": commit, "split": split}
        if isinstance(target, str):
            _push(folder, about, segmenter)
        else:
            _write(folder, target, about, segmenter)
        keep = False
    except OSError as error:
        raise _full(folder, error) from error
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)
    done = "pushed" if isinstance(target, str) else "written"
    sys.stdout.write(f"{count} of {count + len(problems)} photos segmented and {done} to {target}, split {split}.\n")
    return 1 if problems else 0


def _help(
    name: str,
    load_segmenter: Callable[[], "Segmenter | WorkerPool | RayPool"],
    options: dict[str, Any],
    split: str | None,
    column: str,
    processes: Processes,
) -> None:
    """Do the share of a process other than the first."""
    work = processes.hear("work")
    folder, told = Path(work["folder"]), f"rows of {processes.rank}"
    try:
        if not folder.is_dir():
            raise ConfigError(
                f"This machine cannot access {folder} of another: set TMPDIR to a folder that all machines share."
            )
        rows, _, _ = _rows(name, split, column, work["commit"])
        segmented = _segmented(load_segmenter(), _read(rows, name, processes), options, quiet=True)
        count, problems = write_rows(segmented, folder, processes.rank)
    except BaseException as error:
        processes.fail(told, error)
        if isinstance(error, OSError):
            raise _full(folder, error) from error
        raise
    processes.tell(told, {"count": count, "problems": problems})


def _full(folder: Path, error: OSError) -> ConfigError:
    why = error.strerror or error
    return ConfigError(f"The data set cannot be written to {folder}: {why}. Set TMPDIR to a folder with more space.")


def _rows(
    name: str, split: str | None, column: str, commit: str | None = None
) -> "tuple[IterableDataset, str, str | None]":
    """Return the photos of a split, streamed, as rows of `image` with bytes and path; the split's name; and the data
    set's commit, None for a folder."""
    from datasets import Image

    place = location(name)
    if isinstance(place, Remote):
        rows, split, commit = _in_storage(place, split)
    elif place.exists():
        rows, split, commit = _on_disk(place, split)
    else:
        rows, split, commit = _on_hub(name, split or "train", commit)
    features = rows.features or dict.fromkeys(next(iter(rows)))
    if column not in features:
        raise UsageError(f"{name} has no column {column}, only {', '.join(features)}; choose one with --column.")
    if rows.features and not isinstance(features[column], Image):
        raise UsageError(f"The column {column} of {name} contains no pictures; choose another with --column.")
    rows = rows.select_columns([column]).cast_column(column, Image(decode=False))
    return rows.rename_column(column, "image") if column != "image" else rows, split, commit


def _on_disk(path: Path, split: str | None) -> "tuple[IterableDataset, str, None]":
    """Return a split of a folder or parquet file: the named one, the only one, or `train`."""
    spelled = _spelled(path, split, split_names_on_disk(path))
    rows: Any = read_split(path, spelled, streaming=True)
    return rows, spelled, None


def _in_storage(remote: Remote, split: str | None) -> "tuple[IterableDataset, str, None]":
    """Return a split of a remote folder or parquet file, as `_on_disk`."""
    files = find_remote_files(remote)
    spelled = _spelled(remote, split, list(files))
    return read_remote_split(files[spelled]), spelled, None


def _spelled(place: Path | Remote, split: str | None, found: list[str]) -> str:
    spelled = split or (found[0] if len(found) == 1 else "train")
    spelled = spelled if spelled in found else split_names(found).get(spelled, spelled)
    if spelled not in found:
        raise UsageError(f"{place} has no split {spelled}, only {', '.join(found)}; choose one with --split.")
    return spelled


def _on_hub(name: str, split: str, commit: str | None) -> "tuple[IterableDataset, str, str | None]":
    from datasets import load_dataset
    from huggingface_hub import HfApi

    if name.count("/") > 1 or name.startswith((".", "/", "~")):
        raise UsageError(f"--dataset {name} does not exist; {LAYOUTS}. A data set on the Hub is named user/name.")
    try:
        commit = commit or HfApi().dataset_info(name).sha
        return load_dataset(name, revision=commit, split=split, streaming=True), split, commit
    except Exception as error:  # the Hub's client and datasets raise all sorts
        raise HubError(str(explain(error, name, None, kind="data set"))) from error


def _prepared(target: str, name: str, private: bool) -> str:
    """Create the target if needed, check that it is writable, and return its full name."""
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HFValidationError

    if not get_token():
        raise HubError("--push_to_hub needs a Hub token with write permission: run `hf auth login` or set HF_TOKEN.")
    try:
        api = HfApi()
        full = str(api.create_repo(target, repo_type="dataset", private=private or None, exist_ok=True).repo_id)
        api.auth_check(full, repo_type="dataset", write=True)
    except HFValidationError as error:
        raise UsageError(f"--push_to_hub {target}: {error}") from error
    except Exception as error:
        raise HubError(f"--push_to_hub: {explain_write(error, target)}") from error
    if full == name:
        raise UsageError(f"--push_to_hub {target} is the data set itself, whose masks would be replaced.")
    return full


def _checked(target: Path | Remote, name: str) -> Path | Remote:
    """Check that a folder to write is not the data set itself, and create it."""
    place = location(name)
    if isinstance(target, Remote):
        storage_of(target).prepare(())
        same = target.contains(place)
    else:
        target.mkdir(parents=True, exist_ok=True)
        same = isinstance(place, Path) and place.exists() and place.resolve().is_relative_to(target.resolve())
    if same:
        raise UsageError(f"--out {target} contains the data set itself, whose files would be replaced.")
    return target


def _read(rows: "IterableDataset", name: str, processes: Processes) -> Iterator[Source]:
    """Yield the photos of this process as they arrive; processes take turns."""
    try:
        for number, row in islice(enumerate(rows), processes.rank, None, processes.count):
            yield Source(PurePosixPath(f"row {number}"), PurePosixPath(), partial(_content, row["image"] or {}), ())
    except Exception as error:  # the Hub's client and datasets raise all sorts
        raise HubError(str(explain(error, name, None, kind="data set"))) from error


def _segmented(
    segmenter: "Segmenter | WorkerPool | RayPool",
    photos: Iterator[Source],
    options: dict[str, Any],
    quiet: bool = False,
) -> Iterator[tuple[dict[str, Any] | None, str]]:
    """Yield each row to write, or None and why it is left out."""
    from tqdm.auto import tqdm

    with closing(outcomes(segmenter, photos, OutputSpec(("labels",), labels=segmenter.labels), options)) as results:
        for outcome in tqdm(results, unit=" photos", disable=quiet):
            if outcome.error:
                yield None, outcome.error
            else:
                photo = {"bytes": outcome.source.read(), "path": None}
                yield {"image": photo, "mask": {"bytes": outcome.files["labels"], "path": None}}, ""


def _content(photo: dict[str, Any]) -> bytes:
    """Return the bytes of an undecoded photo of datasets, which has them or an address."""
    content = photo.get("bytes")
    if content is None and photo.get("path"):
        import fsspec

        with fsspec.open(photo["path"]) as file:
            content = file.read()
    return content or b""


def _origin(name: str, split: str, commit: str | None, **_: Any) -> str:
    """Return the data set's name for a card; for one on disk, the folder's own name."""
    if commit is None:
        return f"{name} (split `{split}`)"
    return f"[{name}](https://huggingface.co/datasets/{name}) (commit `{commit}`, split `{split}`)"


def _card(about: dict[str, Any], segmenter: "Segmenter | WorkerPool | RayPool") -> str:
    return CARD.format(
        target=about["target"] if isinstance(about["target"], str) else about["target"].name,
        origin=_origin(**about),
        model=_model(segmenter),
        classes=", ".join(f"{number} {label}" for number, label in enumerate(segmenter.labels.names)),
        license_note=segmenter.license_note,
    )


def _model(segmenter: "Segmenter | WorkerPool | RayPool") -> str:
    return segmenter.name + (f" at {segmenter.revision}" if segmenter.revision else "")


def _write(
    folder: Path, target: Path | Remote, about: dict[str, Any], segmenter: "Segmenter | WorkerPool | RayPool"
) -> None:
    """Copy the finished data set to a folder, and remove other files of that split there."""
    storage = storage_of(target)
    files = sorted((folder / "data").iterdir())
    try:
        storage.refresh()
        for file in files:
            _copy(file, target, f"data/{file.name}")
        _copy(folder / LABELS_FILE, target, LABELS_FILE)
        if not storage.exists("README.md"):  # else it is its owner's
            storage.write({"README.md": _card(about, segmenter).encode()})
        shard = re.compile(rf"{re.escape(about['split'])}-\d{{5}}-of-\d{{5}}\.parquet")
        for name in set(storage.names("data")) - {file.name for file in files}:
            if shard.fullmatch(name):
                storage.remove(f"data/{name}")
    except OSError as error:
        raise ConfigError(
            f"{target} cannot be written: {error.strerror or error}. The complete data set is in {folder}."
        ) from error


def _copy(file: Path, target: Path | Remote, name: str) -> None:
    if isinstance(target, Remote):
        upload(file, target, name)
        return
    (target / name).parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target / name) as building:
        shutil.copyfile(file, building)


def _push(folder: Path, about: dict[str, Any], segmenter: "Segmenter | WorkerPool | RayPool") -> None:
    from huggingface_hub import HfApi

    api, target, split = HfApi(), about["target"], about["split"]

    def push() -> None:
        if not api.file_exists(target, "README.md", repo_type="dataset"):  # else it is its owner's
            (folder / "README.md").write_text(_card(about, segmenter), encoding="utf-8")
        api.upload_folder(
            folder_path=folder,
            repo_id=target,
            repo_type="dataset",
            delete_patterns=f"data/{split}-*.parquet",
            commit_message=f"Masks of {about['name']}, split {split}, by clothseg, model {_model(segmenter)}",
        )

    try:
        with_retries(push, "data set")
    except Exception as error:
        raise HubError(
            f"The push failed: {explain_write(error, target)} The complete data set is in {folder}; push it later "
            f"with: hf upload {target} {folder} --repo-type dataset"
        ) from error
