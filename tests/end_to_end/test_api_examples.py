"""The examples of every endpoint in docs/api.md run as written, in Python, Node and bash."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from app_server import ROOT
from javascript import node
from paper_dolls import draw
from PIL import Image


SECTIONS = re.split(r"^## ", (ROOT / "docs" / "api.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]

ANSWERS = {
    "/segment": r"photo-labels\.png(?s:.*)Hair",
    "/refine": r"click",
    "/cutout": r"photo-cutout\.png",
    "/masks": r"photo-mask-kept\.png",
    "/tryon": r"photo-agnostic-mask\.png",
    "/recolor": r"photo-recolored\.png",
    "/packshot": r"photo-packshot\.png",
    "/items": r"Skirt|Pants",
    "/find": r"photo-cutout\.png",
    "/export": r"photo-yolo\.txt",
    "/batch": r"2(?s:.*)clothseg\.zip",
    "/labels": r"17.*Scarf",
    "/health": r"tiny",
}


def python(folder: Path, code: str) -> str:
    return run(folder, sys.executable, "-c", code)


def javascript(folder: Path, code: str) -> str:
    (folder / "examples.mjs").write_text(code)
    return node(folder, "examples.mjs")


def bash(folder: Path, code: str) -> str:
    return run(folder, "bash", "-euo", "pipefail", "-c", code)


def run(folder: Path, *command: str) -> str:
    env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_api_guide_has_a_section_for_every_endpoint(served: str) -> None:
    from gradio_client import Client

    named = Client(served, verbose=False).view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(named) == set(ANSWERS) == {section.splitlines()[0] for section in SECTIONS if section[0] == "/"}


@pytest.mark.parametrize(
    ("language", "run_in", "mark"),
    [
        ("python", python, 'print("# {}")\n'),
        ("javascript", javascript, 'console.log("# {}");\n'),
        ("bash", bash, 'echo; echo "# {}"\n'),
    ],
)
def test_api_examples_run_and_print_the_answers(
    language: str, run_in: Callable[[Path, str], str], mark: str, served: str, tmp_path: Path
) -> None:
    """All examples of a language run in one program, which prints a mark before each."""
    for seed, name in enumerate(("photo.jpg", "other.jpg")):
        Image.fromarray(draw(seed + 7, 160, 120).image).save(tmp_path / name, quality=95)
    code = ""
    for section in SECTIONS:
        blocks = re.findall(rf"^```{language}\n(.*?)^```", section, flags=re.MULTILINE | re.DOTALL)
        title = section.splitlines()[0]
        assert len(blocks) == (title in {"Setup", *ANSWERS}), title
        code += mark.format(title) + "".join(blocks)
    told = run_in(tmp_path, code.replace("http://127.0.0.1:7860", served))
    printed = dict(re.findall(r"^# (\S+)\n(.*?)(?=^# |\Z)", told, flags=re.MULTILINE | re.DOTALL))
    for endpoint, answer in ANSWERS.items():
        assert re.search(answer, printed[endpoint]), f"{endpoint}: {printed[endpoint]}"
        assert "error" not in printed[endpoint].replace('"errors": []', "").replace('"error": ""', "")
