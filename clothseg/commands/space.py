"""A Space on the Hub to which `deploy` sends an app."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from clothseg.errors import ConfigError


if TYPE_CHECKING:
    from huggingface_hub import HfApi

_OF_ANY_SPACE = {".gitattributes", ".gitignore", "README.md", "LICENSE"}


def files_of_space(api: "HfApi", name: str, mark: str, new: Collection[str] = ()) -> list[str] | None:
    """Return the files of a Space, or None if there is no Space that we may see.

    Args:
        api: the Hub's client.
        name: of the Space.
        mark: a file that only our app has.
        new: files that the Hub puts into a new Space.

    Raises:
        ConfigError: the Space contains another app.
    """
    from huggingface_hub.errors import RepositoryNotFoundError

    try:
        files = api.list_repo_files(name, repo_type="space")
    except RepositoryNotFoundError:
        return None
    foreign = sorted(set(files) - _OF_ANY_SPACE - set(new))
    if foreign and mark not in foreign:
        raise ConfigError(f"{name} contains another app ({foreign[0]}, ...): choose another name or delete it first.")
    return files


def prepare_space(api: "HfApi", name: str, sdk: str, new: bool, private: bool) -> None:
    """Create a Space if it is new, check that it can be written to, and make it private if asked for."""
    space: dict[str, Any] = {"repo_id": name, "repo_type": "space"}
    if new:
        api.create_repo(**space, space_sdk=sdk, private=True if private else None, exist_ok=True)
    api.auth_check(**space, write=True)  # creating reports no error for an existing Space of another owner
    if private and not api.space_info(name).private:
        api.update_repo_settings(**space, private=True)


def commit_to_space(api: "HfApi", name: str, files: Mapping[str, Any], gone: Collection[str], message: str) -> None:
    """Add or replace files (path -> bytes or a local path) and remove others, in one commit."""
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    adding = [CommitOperationAdd(path, file) for path, file in files.items()]
    removing = [CommitOperationDelete(path) for path in gone]
    api.create_commit(name, [*adding, *removing], commit_message=message, repo_type="space")
