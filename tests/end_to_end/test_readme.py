"""The commands and snippets of README.md and of the guides run as written, and its front matter is up to date."""

import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import forked
import pytest
import yaml
from app_server import ROOT
from huggingface_hub import HfApi
from local_hub import LocalHub
from paper_dolls import draw, write_parquet
from PIL import Image

from clothseg.training.arguments import parse_arguments


README = (ROOT / "README.md").read_text(encoding="utf-8")
CUTOUTS = (ROOT / "docs" / "cutouts.md").read_text(encoding="utf-8")
TRAINING = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def snippet(language: str, containing: str, text: str = README) -> str:
    """The one fenced block of `language` with `containing` in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    (found,) = [block for block in blocks if containing in block]
    return found


def pins(name: str) -> dict[str, str]:
    """Exact pins of a requirements file, name without extras -> version."""
    lines = [line.strip() for line in (ROOT / name).read_text().splitlines()]
    pinned = [re.fullmatch(r"([\w-]+)(?:\[[\w,]+\])?==([\w.]+)", line) for line in lines if not line.startswith("#")]
    return {match[1]: match[2] for match in pinned if match}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Folder with photo.jpg."""
    Image.fromarray(draw(7, 320, 240).image).save(tmp_path / "photo.jpg", quality=95)
    return tmp_path


def run(command: list[str], folder: Path, env: dict[str, str]) -> str:
    start = forked if command[0] == sys.executable else subprocess
    done = start.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def hub(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    """A Hub with the repositories named in the README: a base model (tiny here), the data set (paper dolls)."""
    data = tmp_path_factory.mktemp("atr")
    write_parquet(data / "train.parquet", 4, height=160, width=120)
    owners = {"hf_user": "user", "hf_nvidia": "nvidia", "hf_m": "mattmdjaga"}
    with LocalHub(owners) as server:
        monkeypatch = pytest.MonkeyPatch()
        server.use_here(monkeypatch, tmp_path_factory.mktemp("home"))
        for token, kind, name, folder in (
            ("hf_nvidia", "model", "nvidia/mit-b2", tiny_model),
            ("hf_m", "dataset", "mattmdjaga/human_parsing_dataset", data),
        ):
            api = HfApi(endpoint=server.url, token=token)
            api.create_repo(name, repo_type=kind)
            api.upload_folder(repo_id=name, repo_type=kind, folder_path=folder)
        monkeypatch.undo()
        yield server


def test_training_and_transformers_snippets_run(hub: LocalHub, work: Path) -> None:
    env = hub.env("hf_user", home=work / "home")
    command = shlex.split(snippet("bash", "python train_hf.py"))
    assert command[0] == "python"
    # As written, except for two flags: the output folder, and no worker processes on a small machine.
    run([sys.executable, *command[1:], "--output_dir", str(work / "run"), "--dataloader_num_workers", "0"], ROOT, env)
    card = hub.files("model", "user/name")["README.md"].decode()
    assert "Cross-entropy per pixel, with weight 1 for Background and 3 for the other 17 classes" in card
    assert "512×512" in card and "6 epochs in batches of 8" in card and "× 0.9998 per step" in card

    told = run([sys.executable, "-c", snippet("python", "SegformerForSemanticSegmentation", TRAINING)], work, env)
    assert told.startswith("torch.Size([320, 240])")


def test_hf_jobs_command_has_valid_flags(hub: LocalHub, work: Path) -> None:
    """The Hub's client parses the command, and the training script accepts its arguments."""
    line = shlex.split(snippet("bash", "hf jobs uv run", TRAINING).replace("\\\n", ""))
    assert line[:4] == ["hf", "jobs", "uv", "run"]
    command = [str(Path(sys.executable).with_name("hf")), *line[1:4], "--dry-run", *line[4:]]
    told = run(command, ROOT, hub.env("hf_user", home=work / "home"))
    told = " ".join(told.split())
    assert "flavor a10g-small timeout 3h attempts 3 secrets HF_TOKEN=***" in told and "clothseg @ git+https" in told
    arguments = line[line.index("train_hf.py") + 1 :]
    training = parse_arguments([*arguments, "--use_cpu", "true"])[1]
    assert training.push_to_hub and training.hub_strategy == "checkpoint"
    assert training.resume_from_checkpoint == "auto" and training.hub_model_id == "user/name"


def test_library_and_cutout_snippets_run(work: Path) -> None:
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HF_HUB_OFFLINE": "1", "HOME": str(work)}
    snippets = [snippet("python", "from clothseg import Segmenter"), snippet("python", "CutoutOptions", CUTOUTS)]
    in_turn = "import sys\nfor code in sys.argv[1:]:\n    exec(code, {})\n    print('---')"
    told, listed, _ = run([sys.executable, "-c", in_turn, *snippets], work, env).split("---\n")
    with Image.open(work / "labels.png") as labels, Image.open(work / "cutout.png") as cutout:
        assert labels.size == cutout.size == (240, 320) and labels.mode == "P" and cutout.mode == "RGBA"
    assert "'Background'" in told
    with Image.open(work / "clothes.png") as clothes, ZipFile(work / "items.zip") as items:
        assert clothes.mode == "RGB"
        assert len(listed.splitlines()) == len([name for name in items.namelist() if name.endswith(".png")]) > 2
        assert {"items.json", "coco.json"} <= set(items.namelist())


def test_api_snippet_runs(work: Path, served: str) -> None:
    python = snippet("python", "gradio_client").replace("http://127.0.0.1:7860", served)
    told = run([sys.executable, "-c", python], work, {"PATH": "/usr/bin:/bin", "HOME": str(work)})
    assert "'Background'" in told and "photo-labels.png" in told and "photo-cutout.png" in told


def test_make_targets_of_the_readme_exist() -> None:
    for target in ("app", "test"):
        assert f"```\nmake {target}\n```" in README and re.search(rf"^{target}:", MAKEFILE, flags=re.MULTILINE)
    assert "make test" in (ROOT / ".ci" / "run").read_text()
    assert "pip install -r requirements.txt && python app.py" in README


def test_front_matter_matches_the_pins() -> None:
    front = yaml.safe_load(README.split("---")[1])
    assert front["sdk"] == "gradio" and front["app_file"] == "app.py"
    assert front["sdk_version"] == pins("requirements.txt")["gradio"]
    assert tuple(map(int, front["python_version"].split("."))) >= (3, 11)
    assert len(front["short_description"]) <= 60  # the Hub refuses longer ones
    assert "image-segmentation" in front["tags"]


def test_requirements_are_pinned_and_match_the_script_header() -> None:
    for name in ("requirements.txt", "requirements-train.txt", "requirements-video.txt", "requirements-dev.txt"):
        lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith(("#", "-r"))]
        assert len(lines) == len(pins(name)), f"{name} has a line that is not an exact pin"
    header = re.search(r"^# /// script\n(.*?)^# ///$", (ROOT / "train_hf.py").read_text(), flags=re.M | re.S)
    metadata = tomllib.loads(re.sub(r"^# ?", "", header[1], flags=re.MULTILINE))
    known = pins("requirements.txt") | pins("requirements-train.txt")
    for requirement in metadata["dependencies"]:
        package, version = requirement.split("==")
        assert known[package] == version
    assert set(pins("requirements-train.txt")) <= {line.split("==")[0] for line in metadata["dependencies"]}


def test_readme_is_short_and_links_in_guides_exist() -> None:
    assert len(README.splitlines()) <= 210
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *ROOT.glob("[A-Z]*.md")):
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), f"{page.name} links to {target}"


def test_readme_lists_all_classes() -> None:
    from clothseg.labels import ID2LABEL

    text = " ".join(README.split("## Classes")[1].split())
    assert all(f"{index} {name}" in text for index, name in ID2LABEL.items())
