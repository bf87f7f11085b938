"""The Dockerfile names existing files, copies everything that the app needs, and has working commands."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from app_server import ROOT, free_port

from clothseg.commands.deploy import space_files


TEXT = (ROOT / "Dockerfile").read_text(encoding="utf-8")
STEPS = [
    (name, rest)
    for line in re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.MULTILINE)).splitlines()
    for name, _, rest in [line.strip().partition(" ")]
    if name
]


def arguments(name: str) -> list[str]:
    return [rest.strip() for step, rest in STEPS if step == name]


def test_image_copies_what_the_app_needs_and_ignores_other_files() -> None:
    sources = [part for rest in arguments("COPY") for part in rest.split()[:-1]]
    assert all((ROOT / source).exists() for source in sources)
    needed = {Path(name).parts[0] for name in space_files(ROOT)}
    assert needed <= set(sources)
    rules = (ROOT / ".dockerignore").read_text().split()
    assert rules[0] == "*" and {rule[1:] for rule in rules if rule[0] == "!"} == set(sources)


def test_image_starts_the_app_as_unprivileged_user() -> None:
    names = [name for name, _ in STEPS]
    assert names[0] == "FROM" and arguments("FROM") == ["python:3.11-slim"]
    assert 'python_version: "3.11"' in (ROOT / "README.md").read_text()
    assert arguments("USER") == ["clothseg"] and names.index("USER") < names.index("CMD")
    assert json.loads(arguments("CMD")[0]) == ["python", "app.py"] and (ROOT / "app.py").exists()
    settings = dict(pair.split("=") for pair in arguments("ENV")[0].split())
    assert settings["GRADIO_SERVER_PORT"] == arguments("EXPOSE")[0]
    assert json.loads(arguments("VOLUME")[0]) == [settings["HF_HOME"]]
    pin = subprocess.run(["grep", "^torch==", "requirements.txt"], cwd=ROOT, capture_output=True, text=True)
    assert re.fullmatch(r"torch==[\d.]+\n", pin.stdout), "the build passes this pin to pip"


def test_health_check_fails_without_a_running_app(served: str) -> None:
    check = json.loads(arguments("HEALTHCHECK")[0].partition("CMD ")[2])
    assert check[0] == "python"

    def status(port: int) -> int:
        env = os.environ | {"GRADIO_SERVER_PORT": str(port)}
        return subprocess.run([sys.executable, *check[1:]], env=env, capture_output=True, timeout=60).returncode

    assert status(urlsplit(served).port or 0) == 0
    assert status(free_port()) != 0
