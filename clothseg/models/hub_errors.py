"""Explain errors of the Hub, its client and transformers in plain words, with the remedy."""

from clothseg.errors import ClothsegError, HubError, ModelError


ANSWERED = "it answered"
BROKE_OFF = "the connection was interrupted"


class DamagedError(HubError):
    """The Hub sent a file that does not match its checksum."""


def trouble(error: BaseException) -> str | None:
    """Return in a few words what is wrong with the Hub; None if the request is at fault."""
    import httpx2
    from huggingface_hub import errors as hub

    for link in _chain(error):
        if isinstance(link, hub.HfHubHTTPError) and link.response is not None:
            status = link.response.status_code
            return f"{ANSWERED} {status}" if status in (408, 429) or status >= 500 else None
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
    """Return our error for one of transformers, the Hub's client or safetensors; its message says what to do.

    Args:
        error: the error; its chain of causes is searched.
        name: the requested repository or folder.
        revision: the requested branch, tag or commit.
        kind: "model" or "data set".
    """
    import httpx2  # the client of huggingface_hub; having no connection is one of its errors
    from huggingface_hub import errors as hub

    chain = _chain(error)

    def among(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    if among(hub.HFValidationError):
        return ModelError(f"There is no folder {name}, and it cannot be a Hub {kind}: those are named owner/name.")
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
            f"{name} is neither a folder nor in the local cache, and the Hub cannot be reached; "
            "check the name, the network and HF_HUB_OFFLINE."
        )
    detail = str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__
    wanted = "semantic segmentation model" if kind == "model" else kind
    return ModelError(f"{name} cannot be loaded as a {wanted} ({detail}).")


def explain_write(error: BaseException, repo_id: str) -> str:
    """Return one sentence on why the Hub rejected an upload to `repo_id`."""
    import httpx2
    from huggingface_hub.errors import OfflineModeIsEnabled

    response = getattr(error, "response", None)
    if response is not None and response.status_code in (401, 403):
        return (
            f"the Hub refused to let this token write to {repo_id} ({response.status_code}): check that HF_TOKEN is "
            "valid, has write permission and belongs to that owner."
        )
    if response is not None and response.status_code == 402:
        return f"the Hub requires a payment method of this account for {repo_id} (402)."
    if isinstance(error, OfflineModeIsEnabled):
        return "the Hub cannot be used while HF_HUB_OFFLINE is set."
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
