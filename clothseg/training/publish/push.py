"""Send a finished model folder to the Hub; find out before training whether that will be allowed."""

from functools import partial
from pathlib import Path

from huggingface_hub import HfApi, get_token
from huggingface_hub.errors import HFValidationError
from transformers import TrainingArguments

from clothseg.errors import ConfigError, HubError
from clothseg.models.hub import patiently
from clothseg.models.hub_errors import explain_write


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
        raise HubError(f"--push_to_hub: {explain_write(error, name)}") from error


def push(folder: Path, repo_id: str, training: TrainingArguments) -> None:
    """Upload `folder` in one commit, with patience where the Hub is at fault: files that it has are not sent again.

    Raises:
        HubError: says what went wrong, where the trained model is and how to push it later.
    """
    api = HfApi(token=training.hub_token)
    upload = partial(
        api.upload_folder,
        folder_path=folder,
        repo_id=repo_id,
        revision=training.hub_revision,
        commit_message="Train with clothseg",
    )
    try:
        patiently(upload, "model")
    except Exception as error:
        raise HubError(
            f"The push failed: {explain_write(error, repo_id)} The trained model is whole in {folder}; "
            f"push it later with: hf upload {repo_id} {folder}"
        ) from error
