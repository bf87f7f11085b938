"""The wheel, installed with only its declared packages visible: it segments photos and names missing extras.

Covers `clothseg.commands.app`.
"""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from paper_dolls import draw
from PIL import Image
from results import table


ROOT = Path(__file__).parents[2]

EXTRAS = {"app", "train", "video", "onnx", "int8", "psd", "ray"}

NO_NETWORK = """import socket
def refuse(*_):
    raise OSError("this test has no network")
socket.socket.connect = socket.getaddrinfo = refuse
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: files that setuptools leaves in a clone would get into the next wheel."""
    copy, out = tmp_path_factory.mktemp("clone"), tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "clothseg", copy / "clothseg", ignore=shutil.ignore_patterns("__pycache__"))
    build = "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])"
    subprocess.run(
        [sys.executable, "-c", build, str(out)], cwd=copy, stdout=subprocess.DEVNULL, check=True, timeout=200
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel, and links to the installed packages that its dependencies require."""
    folder = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=100)
    python = str(folder / "bin" / "python")
    flags = ["--no-deps", "--no-index", "--no-compile", "--disable-pip-version-check", "-q"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", *flags, str(wheel)], check=True, timeout=100
    )
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "sitecustomize.py").write_text(NO_NETWORK)
    for name in _closure(_metadata(wheel)):
        installed = distribution(name)
        for entry in {file.parts[0] for file in installed.files or () if file.parts[0] not in ("..", "__pycache__")}:
            place = packages / entry
            if not place.exists():
                place.symlink_to(Path(str(installed.locate_file(entry))))
    return folder


def _metadata(wheel: Path) -> list[Requirement]:
    """The wheel's requirements, with and without extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = archive.read(name).decode().partition("\n\n")[0].splitlines()
    return [Requirement(line.partition(": ")[2]) for line in lines if line.startswith("Requires-Dist: ")]


def _closure(requirements: list[Requirement]) -> set[str]:
    """Names of the packages that requirements install without extras."""
    found: set[str] = set()
    waiting = [(requirement, "") for requirement in requirements]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        known = name in found
        if known and not requirement.extras:
            continue
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:  # such as CUDA, with PyTorch for CPUs; others fail the tests below
            continue
        found.add(name)
        waiting += [(Requirement(need), extra) for need in needs for extra in {"", *requirement.extras}]
    return found


def _run(environment: Path, folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin", "HOME": str(folder), "OMP_WAIT_POLICY": "passive"}
    return subprocess.run(
        [str(environment / "bin" / command[0]), *command[1:]],
        cwd=folder, env=env, capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip


def test_wheel_contains_all_files_of_the_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if name.startswith("clothseg/")}
    there = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "clothseg").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert held == there
    assert "clothseg/weights/model.safetensors" in held and "clothseg/app/translations/de.json" in held


def test_installed_command_segments_a_photo_offline(environment: Path, tmp_path: Path) -> None:
    Image.fromarray(draw(7, 160, 120).image).save(tmp_path / "photo.png")
    done = _run(
        environment, tmp_path, "clothseg", "segment", "photo.png", "--out", "out", "--write", "labels", "items"
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 1 photos segmented. Written to out/results.csv." in done.stdout
    line = table(tmp_path / "out" / "results.csv")["photo.png"]
    assert (line["width"], line["height"], line["error"]) == ("120", "160", "") and 0.1 < float(line["Background"]) < 1
    with Image.open(tmp_path / "out" / "labels" / "photo.png") as labels:
        assert labels.size == (120, 160)


def test_missing_extra_gives_a_one_sentence_error(environment: Path, tmp_path: Path) -> None:
    """All commands run in one process, since each process would import torch again."""
    Image.fromarray(draw(7, 160, 120).image).save(tmp_path / "clip.mp4", "PNG")
    asked = {
        ("video", "clip.mp4", "--out", "clip.webm"): ("av", "video"),
        ("app",): ("gradio", "app"),
        ("audit", "folder"): ("datasets", "train"),
        ("evaluate", "embedded", "folder"): ("datasets", "train"),
        ("segment", "--dataset", "a/b", "--push_to_hub", "a/c"): ("datasets", "train"),
        ("segment", "clip.mp4", "--out", "made", "--executor", "ray"): ("ray", "ray"),
        ("export", "embedded", "--out", "exported"): ("onnx", "onnx"),
        ("check", "--engine", "onnx"): ("", "onnx"),
    }
    code = (
        "import sys; from clothseg.cli import main\n"
        "for word in ('gradio', 'datasets', 'accelerate', 'onnx', 'av'):\n"
        "    assert __import__('importlib').util.find_spec(word) is None, word\n"
        f"for argv in {list(map(list, asked))!r}:\n"
        "    sys.stderr.write(f'status {main(argv)}\\n')\n"
    )
    done = _run(environment, tmp_path, "python", "-c", code)
    assert done.returncode == 0, done.stderr
    said = [part for part in re.split(r"status \d\n", done.stderr) if part]
    assert len(said) == len(asked), done.stderr
    for (argv, (package, extra)), text in zip(asked.items(), said, strict=True):
        (sentence,) = [line for line in text.splitlines() if line.startswith("error: ")]
        assert sentence.endswith(f'not installed: pip install "clothseg[{extra}]"'), (argv, text)
        assert package in sentence and "Traceback" not in text, (argv, text)


def test_version_ranges_include_the_pins_and_extras_match_the_messages() -> None:
    from clothseg import errors

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    assert set(extras) == EXTRAS == set(errors.EXTRAS)
    pins = {}
    for file in ROOT.glob("requirements*.txt"):
        for line in file.read_text().splitlines():
            if line and not line.startswith(("#", "-r")):
                pin = Requirement(line)
                pins[canonicalize_name(pin.name)] = next(iter(pin.specifier)).version
    core = [Requirement(line) for line in project["dependencies"]]
    for requirement in core + [Requirement(line) for lines in extras.values() for line in lines]:
        version = pins[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} excludes the pinned version {version}"
        assert "==" not in str(requirement.specifier)
    assert not {"gradio", "datasets", "accelerate", "albumentations"} & {requirement.name for requirement in core}


def test_install_commands_in_a_clone_name_existing_requirements_files(monkeypatch: pytest.MonkeyPatch) -> None:
    from clothseg import errors

    def absent(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.distribution", absent)
    for extra in EXTRAS:
        *_, last = errors.install_command(extra).split()
        assert not last.endswith(".txt") or (ROOT / last).is_file()
    assert errors.EXTRAS["video"].endswith("requirements-video.txt")
