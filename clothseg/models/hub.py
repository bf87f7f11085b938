"""Get a model's files from the Hub, checked against their checksums, or from the cache if the Hub fails."""

import contextlib
import hashlib
import json
import logging
import os
import re
import sys
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from clothseg.errors import ModelError
from clothseg.labels import LABELS_FILE
from clothseg.models.hub_errors import ANSWERED, DamagedError, trouble


WEIGHTS, INDEX, CONFIG = "model.safetensors", "model.safetensors.index.json", "config.json"
SMALL_FILES = (CONFIG, "preprocessor_config.json", "processor_config.json", LABELS_FILE, "README.md")
COMMIT = re.compile(r"[0-9a-f]{40}")
PICKLED = "pytorch_model.bin"
PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")
WAITS = (2, 8)
"""Seconds to wait before asking again, if the Hub answers with a server error and the cache lacks the model."""
UPLOAD_WAITS = (5, 20, 60)
"""Seconds before the second, third and fourth attempt of an upload."""
Check = Callable[[Path], object]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Listing:
    """A model on the Hub at one commit: `digests` maps its files to their checksums; `private` tells whether it is
    private."""

    name: str
    commit: str
    digests: dict[str, str]
    private: bool


def model_folder(
    name: str,
    revision: str | None,
    token: str | None,
    *,
    check: Check | None = None,
    pickles: bool = False,
    also: Collection[str] = (),
) -> tuple[Path, str]:
    """Return the cache's folder of a model, complete and checked; the folder is named by the commit.

    A commit that is in the cache is taken from there without asking the Hub. If the Hub fails, the last complete copy
    of `revision` is used, and the second value returned says so; otherwise it is empty.

    Args:
        name: of the repository.
        revision: branch, tag or commit; None is the main branch.
        token: of an account that can read the model; None is the logged-in one.
        check, pickles: as for `look_up`.
        also: further files to download, if the repository contains them.

    Raises:
        ModelError: as `look_up`.
        Exception: whatever the Hub's client raises; `hub_errors.explain` turns it into a message.
    """
    folder = cached(name, revision, pickles) if revision and COMMIT.fullmatch(revision) else None
    if folder and all((folder / file).is_file() for file in also):
        return folder, ""
    waits = iter(WAITS)
    while True:
        try:
            listing, weights = look_up(name, revision, token, check=check, pickles=pickles)
            folder = fetch(listing, [*SMALL_FILES, *weights, *also], token)
        except Exception as error:
            why = trouble(error)
            if why and (older := cached(name, revision, pickles)):
                notice = f"The Hub could not be asked for {name} ({why}); this is the copy from an earlier start."
                _log.warning("%s Its commit is %s.", notice, older.name)
                return older, notice
            wait = next(waits, None) if why and why.startswith(ANSWERED) else None
            if wait is None:
                raise
            _log.warning("The Hub could not deliver %s: %s. Trying again in %d s.", name, why, wait)
            time.sleep(wait)
        else:
            remember(folder, revision)
            return folder, ""


def small_files(name: str, revision: str | None, token: str | None = None) -> Path:
    """Return a folder with a model's configuration and other small files; arguments and errors as for
    `model_folder`."""
    if revision and COMMIT.fullmatch(revision) and (folder := cached(name, revision)):
        return folder
    try:
        return fetch(find(name, revision, token), SMALL_FILES, token)
    except Exception as error:
        older = cached(name, revision) if trouble(error) else None
        if older is None:
            raise
        return older


def with_retries(upload: Callable[[], object], what: str) -> None:
    """Upload a result; if the Hub fails, try again after each of `UPLOAD_WAITS`.

    Raises:
        Exception: what `upload` raised last.
    """
    waits = iter(UPLOAD_WAITS)
    while True:
        try:
            upload()
            return
        except Exception as error:
            why, wait = trouble(error), next(waits, None)
            if why is None or wait is None:
                raise
        sys.stderr.write(f"The upload of the {what} failed: {why}. Trying again in {wait} s.\n")
        time.sleep(wait)


def look_up(
    name: str, revision: str | None, token: str | None = None, *, check: Check | None = None, pickles: bool = False
) -> tuple[Listing, list[str]]:
    """Find a model, and check its small files before its weights are downloaded.

    Args:
        name, revision, token: as for `model_folder`.
        check: gets the folder of the small files, and raises an error if they are unusable.
        pickles: whether weights in a pickle are accepted; they must be read with a loader that accepts only tensors.

    Returns:
        The files of the repository, and the names of the weights.

    Raises:
        ModelError: there are no weights in safetensors.
        Exception: what `check` or the Hub's client raises.
    """
    listing = find(name, revision, token)
    small = fetch(listing, SMALL_FILES, token)
    if check:
        check(small)
    return listing, weight_files(listing.digests, name, lambda: fetch(listing, [INDEX], token), pickles)


def find(name: str, revision: str | None = None, token: str | None = None) -> Listing:
    """Ask the Hub once, without retries, for the commit of a branch or tag and its files.

    Raises:
        Exception: whatever the Hub's client raises; `hub_errors.explain` turns it into a message.
    """
    from huggingface_hub import HfApi, constants

    timeout = constants.HF_HUB_ETAG_TIMEOUT
    info = HfApi().model_info(name, revision=revision, token=token, timeout=timeout, files_metadata=True)
    # Which of the two identifies a file depends on its storage; the cache uses the same one.
    digests = {file.rfilename: (file.lfs.sha256 if file.lfs else file.blob_id) or "" for file in info.siblings or ()}
    return Listing(name, str(info.sha), digests, bool(info.private))


def fetch(listing: Listing, files: Iterable[str], token: str | None = None) -> Path:
    """Download those of the files that the repository contains, check them, and return their folder in the cache.

    Raises:
        DamagedError: a file does not match its checksum, even after a second download.
        Exception: whatever the Hub's client raises.
    """
    from huggingface_hub import hf_hub_download

    folder = None
    for file in files:
        if file not in listing.digests:
            continue
        for again in (False, True):
            path = Path(
                hf_hub_download(listing.name, file, revision=listing.commit, token=token, force_download=again)
            )
            if intact(path, listing.digests[file]):
                break
            path.resolve().unlink()  # so that neither the next start nor another program finds it
            path.unlink(missing_ok=True)
        else:
            raise DamagedError(
                f"The Hub sent a damaged {file} of {listing.name}: its checksum does not match. Nothing was kept; "
                "try again later."
            )
        folder = path.parents[file.count("/")]
    if folder is None:
        raise ModelError(f"{listing.name} contains none of {', '.join(files)}; use a model saved by save_pretrained.")
    return folder


def weight_files(
    present: Iterable[str], name: str, index_folder: Callable[[], Path], pickles: bool = False
) -> list[str]:
    """Return the names of a model's weights: one file, or an index and the parts that it lists.

    Args:
        present: the names of all files of the model.
        name: of the model, for messages.
        index_folder: returns the folder that contains the index; called only if there is one.
        pickles: whether `pytorch_model.bin` is accepted if there are no safetensors.

    Raises:
        ModelError: there are no safetensors.
    """
    present = set(present)
    if WEIGHTS in present:
        return [WEIGHTS]
    if INDEX in present:
        try:
            parts = set(json.loads((index_folder() / INDEX).read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{INDEX} of {name} is damaged: save the model again.") from error
        if not parts <= present:
            raise ModelError(f"{name} lacks {min(parts - present)}, a part of its weights: save the model again.")
        return sorted(parts)
    if pickles and PICKLED in present:
        return [PICKLED]
    others = sorted(file for file in present if file.endswith(PICKLES))
    if others:
        raise ModelError(
            f"{name} has no {WEIGHTS}, only {others[0]}: a pickle, which can run code when it is read and is "
            "therefore not read here; save the model again with save_pretrained of transformers."
        )
    raise ModelError(f"{name} has no {WEIGHTS}; save it with save_pretrained of transformers.")


def cached(name: str, revision: str | None = None, pickles: bool = False) -> Path | None:
    """Return the folder of the model in the local cache, at the commit of `revision` when it was last loaded, or None.

    Raises:
        ModelError: the model has no weights in safetensors.
    """
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, CONFIG, revision=revision)
    if not isinstance(found, str):
        return None
    folder = Path(found).parent
    present = os.listdir(folder)
    if not {WEIGHTS, INDEX, *[PICKLED] * pickles} & set(present):
        return None
    for file in {*SMALL_FILES, INDEX, *weight_files(present, name, lambda: folder, pickles)} & set(present):
        path = folder / file
        # One step: where the cache shares files between repositories, the next link goes by another name.
        if path.is_symlink() and not intact(path, os.path.basename(os.readlink(path))):
            return None
    return folder


def remember(folder: Path, revision: str | None) -> None:
    """Note in the cache, in the Hub's format, that `revision` is the commit whose complete files are in `folder`.

    The Hub's client does this before a download, so that an interrupted one would hide the older, complete copy.
    """
    note = folder.parents[1] / "refs" / (revision or "main")
    if revision == folder.name:
        return
    with contextlib.suppress(OSError):  # a cache that cannot be written to
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(folder.name, encoding="ascii")


def intact(path: Path, digest: str) -> bool:
    """Return whether a file has the given SHA-256 (64 hexadecimal digits) or git blob SHA-1 (40)."""
    if re.fullmatch(r"[0-9a-f]{64}", digest):
        made = hashlib.sha256()
    elif re.fullmatch(r"[0-9a-f]{40}", digest):
        made = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    else:
        return False
    with path.open("rb") as file:
        while chunk := file.read(2**20):
            made.update(chunk)
    return made.hexdigest() == digest


def is_hub_name(name: str) -> bool:
    """Return whether `name` can be a repository's name; the path of an existing folder cannot."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    if Path(name).is_dir():
        return False
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True
