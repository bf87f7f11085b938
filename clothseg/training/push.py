"""Send a finished model folder to the Hub; find out before training whether that will be allowed."""

from pathlib import Path

import httpx2
from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HFValidationError
from transformers import TrainingArguments

from clothseg.errors import ConfigError, HubError
from clothseg.loading import explain


def prepare_push(training: TrainingArguments) -> str:
    """Make sure that the model's repository exists and that we may write to it, before time is spent on training.

    Returns:
        The repository's full name, `user/name`: `--hub_model_id`, by default the output folder's name.

    Raises:
        HubError: no token, or the Hub refuses it or cannot be reached.
        ConfigError: the name is not one the Hub allows.
    """
    if not (training.hub_token or get_token()):
        raise HubError("--push_to_hub needs a Hub token with write permission: run `hf auth login` or set HF_TOKEN.")
    api = HfApi(token=training.hub_token)
    name = training.hub_model_id or Path(str(training.output_dir)).resolve().name
    try:
        repo_id = api.create_repo(name, private=training.hub_private_repo, exist_ok=True).repo_id
        api.auth_check(repo_id, write=True)  # creating says nothing where another's repository exists already
        return repo_id
    except HFValidationError as error:
        raise ConfigError(f"--hub_model_id {name}: {error}") from error
    except Exception as error:
        raise HubError(f"--push_to_hub: {explain_push(error, name)}") from error


def push(folder: Path, repo_id: str, training: TrainingArguments) -> None:
    """Upload `folder` in one commit.

    Raises:
        HubError: says what went wrong, where the trained model is and how to push it later.
    """
    try:
        HfApi(token=training.hub_token).upload_folder(
            folder_path=folder,
            repo_id=repo_id,
            revision=training.hub_revision,
            commit_message="Train with clothseg",
        )
    except Exception as error:
        raise HubError(
            f"The push failed: {explain_push(error, repo_id)} The trained model is whole in {folder}; "
            f"push it later with: hf upload {repo_id} {folder}"
        ) from error


def explain_push(error: BaseException, repo_id: str) -> str:
    """One sentence on why the Hub did not take `repo_id`."""
    response = getattr(error, "response", None)
    if response is not None and response.status_code in (401, 403):
        return (
            f"the Hub refused to let this token write to {repo_id} ({response.status_code}): check that HF_TOKEN is "
            "valid, has write permission and belongs to that owner."
        )
    if isinstance(error, httpx2.TransportError):
        return f"the Hub cannot be reached ({error}): check the network and HF_ENDPOINT."
    return str(explain(error, repo_id, None))
