"""`deploy --static`: write the page that runs in the browser alone to a folder, or upload it as a static Space."""

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

from clothseg.commands import static_page, web_runtime
from clothseg.commands.common import check_space_name
from clothseg.commands.space import commit_to_space, files_of_space, prepare_space
from clothseg.errors import ClothsegError, ConfigError, HubError, needs_extra


MARK = "offline-files.js"
"""A file that only this page has: where it is missing, a folder or Space contains something else."""

_OF_NEW_SPACES = ("index.html", "style.css")
"""Files of a new static Space of the Hub."""

LIMIT = 10_000_000
"""Bytes of page and model, without the runtime, above which a warning says that the page opens slowly."""


def run(arguments: argparse.Namespace, root: Path) -> int:
    """Build the page from a clone of the repository, and write or upload it.

    Raises:
        ConfigError: wrong options or missing files.
        HubError, ModelError: the model cannot be used, or the Hub rejects the Space.
    """
    from clothseg.models.loading import load

    _check(arguments)
    loaded = load(arguments.model, arguments.revision)
    runtime = web_runtime.runtime_files(arguments.runtime)
    _say(f"Exporting {loaded.name} ...")
    with needs_extra("The page in the browser alone", "onnx"):
        files = static_page.page_files(loaded, runtime, root)
    own = sum(len(content) for name, content in files.items() if not name.startswith("runtime/"))
    _say(f"{own / 1e6:.1f} MB for page and model, {sum(map(len, runtime.values())) / 1e6:.1f} MB for the runtime.")
    if own > LIMIT:
        _say("Visitors download all of the model before the first photo: smaller models open faster.")
    if arguments.out:
        write(files, arguments.out)
        _say(f"Written to {arguments.out}. To try it: python -m http.server -d {arguments.out} 8000")
    else:
        _upload(arguments, files)
    return 0


def write(files: dict[str, bytes], folder: Path) -> None:
    """Write the page to a new folder, or in place of an earlier page; other files there are kept.

    Raises:
        ConfigError: the folder contains something else.
    """
    _check_folder(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=folder.parent) as workshop:
        for name, content in files.items():
            path = Path(workshop) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        # The list of files comes last, so that a page opened meanwhile only requests existing files.
        for name in sorted(files, key=lambda name: name == MARK):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(Path(workshop) / name, folder / name)
    runtime = {Path(name).name for name in files if name.startswith("runtime/")}
    for path in (folder / "runtime").iterdir():
        if path.name not in runtime:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def _check(arguments: argparse.Namespace) -> None:
    """Check the options before the work."""
    from huggingface_hub import get_token

    if arguments.hardware:
        raise ConfigError("--hardware does not apply to a static Space: the visitor's browser computes.")
    if arguments.revision and not arguments.model:
        raise ConfigError("--revision needs --model, the model that it belongs to.")
    if arguments.out:
        if arguments.space or arguments.private or arguments.dry_run:
            raise ConfigError("--out writes a folder: leave out the Space's name, --private and --dry-run.")
        _check_folder(arguments.out)
        return
    if not arguments.space:
        raise ConfigError("deploy --static needs the Space's name, user/name, or --out FOLDER.")
    check_space_name(arguments.space)
    if not arguments.dry_run and not get_token():
        raise HubError("deploy needs a Hub token with write permission: run `hf auth login` or set HF_TOKEN.")


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--out {folder} is a file; give a folder.")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARK).is_file():
        raise ConfigError(f"--out {folder} contains other files: give a new or empty folder.")


def _upload(arguments: argparse.Namespace, files: dict[str, bytes]) -> None:
    from huggingface_hub import HfApi

    from clothseg.models.hub_errors import explain_write

    api, name = HfApi(), arguments.space
    try:
        there = files_of_space(api, name, MARK, _OF_NEW_SPACES)
        gone = [path for path in there or () if path.startswith("runtime/") and path not in files]
        _say(f"{'Create' if there is None else 'Update'} the static Space {name}.")
        if arguments.dry_run:
            lines = [f"{len(content):>12,}  {path}" for path, content in sorted(files.items())]
            lines += [f"{'remove':>12}  {path}" for path in gone]
            _say("\n".join([*lines, "Dry run: nothing was done."]))
            return
        prepare_space(api, name, "static", there is None, arguments.private)
        commit_to_space(api, name, files, gone, "Deploy clothseg in the browser")
    except ClothsegError:
        raise
    except Exception as error:  # the Hub's client raises all sorts
        raise HubError(f"{name}: {explain_write(error, name)}") from error
    _say(f"{api.endpoint}/spaces/{name}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
