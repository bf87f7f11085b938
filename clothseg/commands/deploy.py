"""Create a Gradio Space with the app on the Hub, or update an existing one; or a static one with the page that runs in
the browser alone."""

import argparse
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clothseg.commands.common import check_name, check_space_name
from clothseg.commands.space import commit_to_space, files_of_space, prepare_space
from clothseg.errors import ClothsegError, ConfigError, HubError


if TYPE_CHECKING:
    from huggingface_hub import HfApi

    from clothseg.models.hub import Listing


HELP = "create or update the app's Space on the Hub"

ROOT = Path(__file__).parents[2]

TOP = ("app.py", "requirements.txt", "LICENSE", "README.md")
EXAMPLES = ("examples/*.jpg", "examples/README.md")
LEFT_OUT = ("clothseg/training", "clothseg/commands", "clothseg/cli.py", "clothseg/__main__.py")
"""Parts of the package that the app does not use, and whose requirements a Space does not install."""

SENT_COMMANDS = ("clothseg/commands/__init__.py", "clothseg/commands/app.py", "clothseg/commands/numbers.py")
"""The command of which `app.py` takes its arguments, and what that command imports."""

OURS = ("clothseg/", "examples/")
"""Folders of the Space where files that are not uploaded are removed; other files are left to the owner."""

ABOUT = """# clothseg

Finds every garment in a photo and cuts it out: a segmentation into ATR's 18 classes at the photo's own size, in the
browser, as an API and as MCP tools. It serves {model}.

`python -m clothseg deploy` made this Space, and overwrites these files when it runs again.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("space", metavar="USER/SPACE", nargs="?", help="name of the Space on the Hub")
    parser.add_argument(
        "--model",
        metavar="USER/MODEL",
        help="model to serve (default: the model that comes with clothseg); with --static also a folder",
    )
    parser.add_argument(
        "--static", action="store_true", help="deploy the page that runs in the browser alone, as a static Space"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="with --static: write the page to a folder instead")
    parser.add_argument(
        "--runtime",
        type=Path,
        metavar="FILE",
        help="with --static: archive or folder of the npm package onnxruntime-web (default: download it)",
    )
    parser.add_argument(
        "--revision", help="branch, tag or commit of the model; the Space is pinned to its current commit"
    )
    parser.add_argument("--private", action="store_true", help="make the Space private, also an existing one")
    parser.add_argument("--hardware", help="for example cpu-basic, zero-a10g (ZeroGPU) or t4-small; some cost money")
    parser.add_argument("--dry-run", action="store_true", help="show what would be done, without doing it")


def run(arguments: argparse.Namespace) -> int:
    """Deploy the Space, or show what would be done.

    Raises:
        ConfigError: wrong options or missing files.
        HubError, ModelError: the model cannot be served, or the Hub rejects the Space.
    """
    from huggingface_hub import HfApi, get_token

    if arguments.static:
        from clothseg.commands import deploy_static

        return deploy_static.run(arguments, ROOT)
    for option in ("out", "runtime"):
        if getattr(arguments, option):
            raise ConfigError(f"--{option} needs --static.")
    _check(arguments)
    files = space_files(ROOT)
    if not arguments.dry_run and not get_token():
        raise HubError("deploy needs a Hub token with write permission: run `hf auth login` or set HF_TOKEN.")
    model, readme = None, _readme(ROOT, None, [])
    if arguments.model:
        model, readme = _look_up(arguments.model, arguments.revision)
    check_secrets(files, get_token())
    files["README.md"] = readme.encode()

    api, name = HfApi(), arguments.space
    try:
        there = files_of_space(api, name, "clothseg/__init__.py")
        gone = sorted(path for path in there or () if path.startswith(OURS) and path not in files)
        _say_plan(arguments, there is None, files, gone, model)
        if not arguments.dry_run:
            _deploy(api, arguments, there is None, files, gone, model)
    except ClothsegError:
        raise
    except Exception as error:  # the Hub's client raises all sorts
        from clothseg.models.hub_errors import explain_write

        raise HubError(f"{name}: {explain_write(error, name)}") from error
    return 0


def space_files(root: Path) -> dict[str, Any]:
    """Return the files of a Space, path in the Space -> file (a Path). Only listed files are uploaded.

    These are the app, its requirements, the licence, the examples, and the files of the package that pyproject.toml
    lists.

    Raises:
        ConfigError: `root` is not a clone of the repository.
    """
    absent = [name for name in (*TOP, "pyproject.toml") if not (root / name).is_file()]
    if absent:
        raise ConfigError(
            f"deploy uploads {absent[0]}, which an installed package does not contain: run it in a clone of the "
            "repository."
        )
    setup = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    patterns = [*TOP, *EXAMPLES, "clothseg/**/*.py"]
    patterns += [f"clothseg/{pattern}" for pattern in setup["package-data"]["clothseg"]]
    found = sorted(path for pattern in patterns for path in root.glob(pattern))
    return {
        name: path
        for path in found
        if path.is_file() and not path.is_symlink() and not path.name.startswith(".")
        if (name := path.relative_to(root).as_posix()) in SENT_COMMANDS or not name.startswith(LEFT_OUT)
    }


def check_secrets(files: dict[str, Any], token: str | None) -> None:
    """Check that no file contains a Hub token before the files become public.

    Raises:
        ConfigError: a file contains a token; the message names the file only.
    """
    token_like = re.compile(rb"\bhf_[A-Za-z0-9]{30,}\b" + (b"|" + re.escape(token.encode()) if token else b""))
    for name, path in files.items():
        if token_like.search(path.read_bytes()):
            raise ConfigError(f"{name} contains a Hub token, which everybody could read in the Space: remove it.")


def _check(arguments: argparse.Namespace) -> None:
    """Check the options before the Hub is asked."""
    from huggingface_hub import SpaceHardware

    check_space_name(arguments.space)
    if arguments.model:
        check_name(arguments.model)
    if arguments.model and Path(arguments.model).is_dir():
        raise ConfigError(f"--model {arguments.model} is a local folder: push it to the Hub first, with hf upload.")
    if arguments.revision and not arguments.model:
        raise ConfigError("--revision needs --model, the model that it belongs to.")
    flavours = [hardware.value for hardware in SpaceHardware]
    if arguments.hardware and arguments.hardware not in flavours:
        raise ConfigError(f"--hardware {arguments.hardware}: choose one of {', '.join(flavours)}.")


def _look_up(name: str, revision: str | None) -> "tuple[Listing, str]":
    """Return the model at its current commit, and the Space's README that names it."""
    from clothseg.models.hub import SMALL_FILES, look_up
    from clothseg.models.hub_errors import explain
    from clothseg.models.loading import read_config

    try:
        model, weights = look_up(name, revision, check=lambda folder: read_config(folder, name))
    except ClothsegError:
        raise
    except Exception as error:
        raise explain(error, name, revision) from error
    return model, _readme(ROOT, model, [file for file in (*SMALL_FILES, *weights) if file in model.digests])


def _readme(root: Path, model: "Listing | None", files: list[str]) -> str:
    """Return the Space's README: the repository's front matter with the model in it, and a short text.

    A public model is downloaded when the Space is built, so that a start does not depend on the Hub.
    """
    from huggingface_hub import RepoCard

    card = RepoCard((root / "README.md").read_text(encoding="utf-8"))
    served = "`clothseg-lite`, whose weights are among these files"
    if model:
        card.data["models"] = [model.name]
        if not model.private:
            card.data["preload_from_hub"] = [f"{model.name} {','.join(files)} {model.commit}"]
        served = f"[{model.name}](https://huggingface.co/{model.name}) at commit `{model.commit[:10]}`"
    card.text = "\n" + ABOUT.format(model=served)
    return str(card)


def _say_plan(
    arguments: argparse.Namespace, new: bool, files: dict[str, Any], gone: list[str], model: "Listing | None"
) -> None:
    sizes = {name: len(file) if isinstance(file, bytes) else file.stat().st_size for name, file in files.items()}
    served = f"{model.name} at {model.commit}" if model else "the embedded model"
    lines = [f"{'Create' if new else 'Update'} the Space {arguments.space}, which serves {served}."]
    if arguments.dry_run:
        lines += [f"{size:>12,}  {name}" for name, size in sorted(sizes.items())]
        lines += [f"{'remove':>12}  {name}" for name in gone]
        lines += [f"{'variable':>12}  {key}={value}" for key, value in _variables(model).items()]
        lines += [f"{'hardware':>12}  {arguments.hardware}"] * bool(arguments.hardware)
        lines += [f"{'visibility':>12}  private"] * arguments.private
    lines.append(f"{len(sizes)} files, {sum(sizes.values()) / 1e6:.1f} MB; {len(gone)} to remove.")
    sys.stdout.write("\n".join(lines) + "\n" + "Dry run: nothing was done.\n" * arguments.dry_run)


def _variables(model: "Listing | None") -> dict[str, str]:
    return {"CLOTHSEG_MODEL": model.name, "CLOTHSEG_REVISION": model.commit} if model else {}


def _deploy(
    api: "HfApi",
    arguments: argparse.Namespace,
    new: bool,
    files: dict[str, Any],
    gone: list[str],
    model: "Listing | None",
) -> None:
    """Deploy: settings first, files last, so that the Space builds once and never runs new files with old settings."""
    name = arguments.space
    prepare_space(api, name, "gradio", new, arguments.private)
    wanted, have = _variables(model), api.get_space_variables(name)
    for key in ("CLOTHSEG_MODEL", "CLOTHSEG_REVISION"):  # only what differs: each change restarts the Space
        if key in wanted and (key not in have or have[key].value != wanted[key]):
            api.add_space_variable(name, key, wanted[key])
        if key in have and key not in wanted:
            api.delete_space_variable(name, key)
    if arguments.hardware and api.get_space_runtime(name).requested_hardware != arguments.hardware:
        api.request_space_hardware(name, arguments.hardware)
    commit_to_space(api, name, files, gone, "Deploy clothseg")
    address = f"{api.endpoint}/spaces/{name}"
    if model and model.private and "HF_TOKEN" not in api.get_space_secrets(name):
        sys.stdout.write(
            f"{model.name} is private: until the Space has a token that can read it, as the secret HF_TOKEN in "
            f"{address}/settings, it serves the embedded model.\n"
        )
    sys.stdout.write(f"{address}\n")
