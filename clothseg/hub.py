"""What we ask of the Hub: a model's files, each checked against its checksum, and plain words when it refuses."""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from clothseg.errors import ClothsegError, HubError, ModelError


WEIGHTS, INDEX, CONFIG = "model.safetensors", "model.safetensors.index.json", "config.json"
SMALL_FILES = (CONFIG, "preprocessor_config.json", "processor_config.json", "README.md")
COMMIT = re.compile(r"[0-9a-f]{40}")
BROKE_OFF = "it broke off in the middle"
PICKLES = (".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth")


class DamagedError(HubError):
    """What the Hub sent is not the file that it lists."""


@dataclass(frozen=True)
class Listing:
    """A model on the Hub at one commit: `digests` maps its files to their checksums, `private` says who may read."""

    name: str
    commit: str
    digests: dict[str, str]
    private: bool


def find(name: str, revision: str | None = None, token: str | None = None) -> Listing:
    """Ask the Hub once, without patience, for the commit of a branch or tag and for what it holds.

    Raises:
        Exception: whatever the Hub's client raises; `explain` puts it in words.
    """
    from huggingface_hub import HfApi, constants

    timeout = constants.HF_HUB_ETAG_TIMEOUT
    info = HfApi().model_info(name, revision=revision, token=token, timeout=timeout, files_metadata=True)
    # By which of the two a file is known depends on how it is stored; the cache names it by the same.
    digests = {file.rfilename: (file.lfs.sha256 if file.lfs else file.blob_id) or "" for file in info.siblings or ()}
    return Listing(name, str(info.sha), digests, bool(info.private))


def fetch(listing: Listing, files: Iterable[str], token: str | None = None) -> Path:
    """Have those of the files that the repository holds in the cache, checked, and return their folder there.

    Raises:
        DamagedError: a file does not have its checksum, even when downloaded once more.
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
            path.resolve().unlink()  # neither the next start nor another program may find it
            path.unlink(missing_ok=True)
        else:
            raise DamagedError(
                f"The Hub sent a damaged {file} of {listing.name}: its checksum is another. Nothing of it was kept; "
                "try again later."
            )
        folder = path.parents[file.count("/")]
    if folder is None:
        raise ModelError(f"{listing.name} holds none of {', '.join(files)}; give a model saved by save_pretrained.")
    return folder


def weight_files(present: Iterable[str], name: str, index_folder: Callable[[], Path]) -> list[str]:
    """The names of a model's weights: one file, or an index and the parts that it names.

    Args:
        present: the names of all files of the model.
        name: the model's, for messages.
        index_folder: gives the folder that holds the index; called where there is one.

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
    pickles = sorted(file for file in present if file.endswith(PICKLES))
    if pickles:
        raise ModelError(
            f"{name} has no {WEIGHTS}, only {pickles[0]}: a pickle, which can run code of its own when it is read and "
            "is therefore not read here; save the model again with save_pretrained of transformers."
        )
    raise ModelError(f"{name} has no {WEIGHTS}; save it with save_pretrained of transformers.")


def cached(name: str, revision: str | None = None) -> Path | None:
    """Folder of the model in the local cache, as `revision` was when last loaded; None if not whole there.

    Raises:
        ModelError: it has no weights in safetensors.
    """
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, CONFIG, revision=revision)
    if not isinstance(found, str):
        return None
    folder = Path(found).parent
    present = os.listdir(folder)
    if WEIGHTS not in present and INDEX not in present:
        return None
    for file in {*SMALL_FILES, INDEX, *weight_files(present, name, lambda: folder)} & set(present):
        path = folder / file
        # One step: where the cache shares files between repositories, the next link goes by another name.
        if path.is_symlink() and not intact(path, os.path.basename(os.readlink(path))):
            return None
    return folder


def remember(folder: Path, revision: str | None) -> None:
    """Note in the cache, in the Hub's own way, that `revision` is the commit whose whole files lie in `folder`.

    The Hub's client does so before a download, so that one cut short would hide the older, whole one.
    """
    note = folder.parents[1] / "refs" / (revision or "main")
    if revision == folder.name:
        return
    with contextlib.suppress(OSError):  # a cache that cannot be written to
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(folder.name, encoding="ascii")


def intact(path: Path, digest: str) -> bool:
    """Whether a file has the SHA-256 (64 hexadecimal digits), or as a git blob the SHA-1 (40), that names it."""
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
    """Whether `name` can be a repository's; a folder that exists never is."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    if Path(name).is_dir():
        return False
    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return True


def trouble(error: BaseException) -> str | None:
    """In a few words what ails the Hub, if that is why `error` was raised; None if the request is at fault."""
    import httpx2
    from huggingface_hub import errors as hub

    for link in _chain(error):
        if isinstance(link, hub.HfHubHTTPError) and link.response is not None:
            status = link.response.status_code
            return f"it answered {status}" if status in (408, 429) or status >= 500 else None
        if isinstance(link, DamagedError):
            return "it sent a damaged file"
        if isinstance(link, hub.OfflineModeIsEnabled):
            return "HF_HUB_OFFLINE is set"
        if isinstance(link, httpx2.RemoteProtocolError):
            return BROKE_OFF
        if isinstance(link, (hub.LocalEntryNotFoundError, httpx2.TransportError, ConnectionError, TimeoutError)):
            return "it cannot be reached"
        if isinstance(link, OSError) and "Consistency check failed" in str(link):  # how its client says so
            return BROKE_OFF
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
    if trouble(error) == BROKE_OFF:
        return HubError(f"The Hub broke off while it sent {name}; try again later, the download goes on from there.")
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


def explain_write(error: BaseException, repo_id: str) -> str:
    """One sentence on why the Hub did not take `repo_id`."""
    import httpx2

    response = getattr(error, "response", None)
    if response is not None and response.status_code in (401, 403):
        return (
            f"the Hub refused to let this token write to {repo_id} ({response.status_code}): check that HF_TOKEN is "
            "valid, has write permission and belongs to that owner."
        )
    if response is not None and response.status_code == 402:
        return f"the Hub wants this account to have a payment method for {repo_id} (402)."
    if isinstance(error, httpx2.TransportError):
        return f"the Hub cannot be reached ({error}): check the network and HF_ENDPOINT."
    return str(explain(error, repo_id, None))


def _chain(error: BaseException) -> list[BaseException]:
    links: list[BaseException] = []
    link: BaseException | None = error
    while link is not None and link not in links:
        links.append(link)
        link = link.__cause__ or link.__context__
    return links
