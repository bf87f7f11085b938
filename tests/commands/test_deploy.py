"""Deploying the app to a local Hub, and starting the uploaded files as a Space does.

Covers `clothseg.commands.space`.
"""

import ast
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from app_server import ROOT, running_app
from huggingface_hub import HfApi, snapshot_download
from local_hub import LocalHub
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, Segmenter
from clothseg.cli import main
from clothseg.commands import deploy
from clothseg.labels import NAMES


TOKEN = "hf_alice"
SPACE = "alice/app"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A local Hub that this process uses as alice."""
    with LocalHub({TOKEN: "alice", "hf_bob": "bob"}) as server:
        server.use_here(monkeypatch, tmp_path, TOKEN)
        yield server


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A small clone that also contains private files."""
    return make_clone(tmp_path / "clone")


def make_clone(root: Path) -> Path:
    for name, file in deploy.space_files(ROOT).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name != "clothseg/weights/model.safetensors":
            shutil.copy(file, root / name)
    (root / "clothseg/weights/model.safetensors").write_bytes(b"\0" * 1000)
    for name in ("pyproject.toml", ".env", "clothseg/weights/.env", "docs/a.md", "tests/test_a.py", "notes.txt"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("private")
    (root / "clothseg/__pycache__").mkdir()
    (root / "clothseg/__pycache__/ui.cpython-311.pyc").write_bytes(b"\0")
    (root / "clothseg/weights/outside.json").symlink_to(root / "notes.txt")
    shutil.copy(ROOT / "pyproject.toml", root / "pyproject.toml")
    return root


def push_model(name: str, folder: Path, private: bool = False, token: str = TOKEN) -> str:
    api = HfApi(token=token)
    api.create_repo(name, private=private, exist_ok=True)
    return str(api.upload_folder(repo_id=name, folder_path=folder).oid)


def variables(hub: LocalHub) -> dict[str, str]:
    return {key: item["value"] for key, item in hub.repos["space", SPACE].variables.items()}


def front_matter(hub: LocalHub) -> dict[str, object]:
    return yaml.safe_load(hub.files("space", SPACE)["README.md"].decode().split("---")[1])


def test_only_files_of_the_app_are_uploaded(root: Path) -> None:
    files = deploy.space_files(root)
    assert set(files) == set(deploy.space_files(ROOT))
    assert {"app.py", "requirements.txt", "README.md", "clothseg/app/blocks.py", "clothseg/app/ui.css"} <= set(files)
    assert {"clothseg/weights/config.json", "clothseg/app/translations/de.json"} <= set(files)
    assert "examples/astronaut.jpg" in files
    assert not [name for name in files if name.startswith(("tests", "docs", "benchmarks", "clothseg/training", "."))]
    assert all(root in file.parents for file in files.values())


def test_uploaded_files_import_only_uploaded_modules() -> None:
    files = deploy.space_files(ROOT)
    for name, file in files.items():
        if not name.endswith(".py"):
            continue
        wanted = set()
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module:
                wanted |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            if isinstance(node, ast.Import):
                wanted |= {alias.name for alias in node.names}
        for module in wanted:
            path = module.replace(".", "/")
            if module.partition(".")[0] == "clothseg" and any((ROOT / p).is_file() for p in places(path)):
                assert any(place in files for place in places(path)), f"{name} imports {module}"


def places(path: str) -> tuple[str, str]:
    return f"{path}.py", f"{path}/__init__.py"


def test_space_is_created_and_updated(
    hub: LocalHub, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deploy, "ROOT", root)
    assert main(["deploy", SPACE]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{hub.url}/spaces/{SPACE}"
    space = hub.repos["space", SPACE]
    sent = hub.files("space", SPACE)
    assert space.sdk == "gradio" and not space.private
    assert set(sent) == {*deploy.space_files(root), ".gitattributes"}
    assert all(b"private" != data for data in sent.values())
    front = front_matter(hub)
    assert front == yaml.safe_load((ROOT / "README.md").read_text().split("---")[1])
    assert variables(hub) == {}

    commits = len(space.commits)
    assert main(["deploy", SPACE, "--private", "--hardware", "zero-a10g"]) == 0
    assert len(space.commits) == commits, "files are unchanged"
    assert space.private and space.hardware == "zero-a10g"
    writes = [line for line in hub.requests if not line.startswith(("GET", "HEAD"))]
    assert main(["deploy", SPACE, "--private", "--hardware", "zero-a10g"]) == 0
    again = [line for line in hub.requests if not line.startswith(("GET", "HEAD"))][len(writes) :]
    questions = ("/preupload/main", "/validate-yaml", "/info/lfs/objects/batch")
    assert all(line.startswith("POST ") and line.endswith(questions) for line in again), "settings are unchanged"

    HfApi().upload_file(path_or_fileobj=b"x", path_in_repo="mine.txt", repo_id=SPACE, repo_type="space")
    (root / "clothseg/app/theme.py").unlink()
    (root / "examples/doll-skirt.jpg").unlink()
    (root / "clothseg/app/blocks.py").write_text("changed")
    assert main(["deploy", SPACE]) == 0
    updated = hub.files("space", SPACE)
    assert set(sent) - set(updated) == {"clothseg/app/theme.py", "examples/doll-skirt.jpg"}
    assert set(updated) - set(sent) == {"mine.txt"} and updated["clothseg/app/blocks.py"] == b"changed"
    assert space.private, "visibility is kept"


def test_model_revision_is_pinned_in_variables(
    hub: LocalHub, root: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deploy, "ROOT", root)
    first = push_model("alice/clothes", tiny_model)
    HfApi().create_tag("alice/clothes", tag="v1")
    HfApi().upload_file(path_or_fileobj=b"news", path_in_repo="NEWS", repo_id="alice/clothes")
    assert main(["deploy", SPACE, "--model", "alice/clothes", "--revision", "v1"]) == 0
    assert variables(hub) == {"CLOTHSEG_MODEL": "alice/clothes", "CLOTHSEG_REVISION": first}
    front = front_matter(hub)
    assert front["models"] == ["alice/clothes"]
    assert front["preload_from_hub"] == [
        f"alice/clothes config.json,preprocessor_config.json,model.safetensors {first}"
    ]
    assert "secret" not in capsys.readouterr().out
    assert not [line for line in hub.requests if line.startswith("GET /lfs/model")], "labels need no weights"

    push_model("alice/hidden", tiny_model, private=True)
    assert main(["deploy", SPACE, "--model", "alice/hidden"]) == 0
    assert variables(hub)["CLOTHSEG_MODEL"] == "alice/hidden" and "preload_from_hub" not in front_matter(hub)
    assert "as the secret HF_TOKEN in" in capsys.readouterr().out
    assert hub.repos["space", SPACE].secrets == {}, "no token is uploaded"
    assert main(["deploy", SPACE]) == 0
    assert variables(hub) == {}


def test_dry_run_lists_files_and_changes_nothing(
    hub: LocalHub, root: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deploy, "ROOT", root)
    commit = push_model("alice/clothes", tiny_model)
    asked = len(hub.requests)
    monkeypatch.setenv("HF_TOKEN", "")
    assert main(["deploy", SPACE, "--model", "alice/clothes", "--private", "--hardware", "t4-small", "--dry-run"]) == 0
    shown = capsys.readouterr().out
    assert all(line.startswith(("GET", "HEAD")) for line in hub.requests[asked:]) and ("space", SPACE) not in hub.repos
    for line in (f"Create the Space {SPACE}, which serves alice/clothes at {commit}.", f"CLOTHSEG_REVISION={commit}"):
        assert line in shown
    for name, file in deploy.space_files(root).items():
        assert name == "README.md" or f"{file.stat().st_size:>12,}  {name}\n" in shown
    assert "hardware  t4-small" in shown and "visibility  private" in shown and "Dry run: nothing was done." in shown

    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert main(["deploy", SPACE]) == 0
    (root / "clothseg/app/theme.py").unlink()
    assert main(["deploy", SPACE, "--dry-run"]) == 0
    assert "      remove  clothseg/app/theme.py\n" in capsys.readouterr().out
    assert "clothseg/app/theme.py" in hub.files("space", SPACE)


MISTAKES = {
    "no token": ([SPACE], "", "deploy needs a Hub token with write permission"),
    "wrong token": ([SPACE], "hf_mallory", "alice/app: the Hub refused to let this token write to alice/app (401)"),
    "somebody else's name": (["bob/new"], TOKEN, "bob/new: the Hub refused to let this token write to bob/new (403)"),
    "somebody else's Space": (["bob/app"], TOKEN, "the Hub refused to let this token write to bob/app (403)"),
    "another app": (["alice/other"], TOKEN, "alice/other contains another app (app.py, ...): choose another name"),
    "no such model": ([SPACE, "--model", "alice/none"], TOKEN, "The Hub has no model alice/none, or it is private"),
    "no such revision": ([SPACE, "--model", "alice/clothes", "--revision", "v9"], TOKEN, "has no revision v9"),
    "unusable labels": ([SPACE, "--model", "alice/cars"], TOKEN, "cannot be used: Two classes are named"),
    "a pickle": ([SPACE, "--model", "alice/pickle"], TOKEN, "no model.safetensors, only pytorch_model.bin: a pickle"),
    "revision of nothing": ([SPACE, "--revision", "v1"], TOKEN, "--revision needs --model"),
    "no owner": (["app"], TOKEN, "app: give the Space's full name, user/app."),
    "no name": (["a/b/c"], TOKEN, "a/b/c is not a valid name on the Hub"),
    "hardware": ([SPACE, "--hardware", "abacus"], TOKEN, "--hardware abacus: choose one of cpu-basic, "),
    "a folder": (
        [SPACE, "--model", "clothseg"],
        TOKEN,
        "--model clothseg is a local folder: push it to the Hub first",
    ),
}


@pytest.fixture(scope="module")
def broken_models(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken")
    config = json.loads((tiny_model / "config.json").read_text())
    for name in ("cars", "pickle"):
        shutil.copytree(tiny_model, folder / name)
    (folder / "cars/config.json").write_text(json.dumps(config | {"id2label": {"0": "car", "1": "car"}}))
    (folder / "pickle/model.safetensors").rename(folder / "pickle/pytorch_model.bin")
    return folder


@pytest.fixture(scope="module")
def full_hub(
    tiny_model: Path, broken_models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[LocalHub, Path]]:
    """A local Hub with models and Spaces that no mistake may change, and a clone."""
    with LocalHub({TOKEN: "alice", "hf_bob": "bob"}) as server:
        with pytest.MonkeyPatch.context() as patch:
            server.use_here(patch, tmp_path_factory.mktemp("home"), TOKEN)
            push_model("alice/clothes", tiny_model)
            for name in ("cars", "pickle"):
                push_model(f"alice/{name}", broken_models / name)
            for owner, name, file in ((TOKEN, "alice/other", "app.py"), ("hf_bob", "bob/app", "clothseg/__init__.py")):
                api, space = HfApi(token=owner), {"repo_id": name, "repo_type": "space"}
                api.create_repo(**space, space_sdk="gradio")
                api.upload_file(path_or_fileobj=b"print()", path_in_repo=file, **space)
        yield server, make_clone(tmp_path_factory.mktemp("mistakes") / "clone")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_give_clear_errors_and_upload_nothing(
    mistake: str,
    full_hub: tuple[LocalHub, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub, root = full_hub
    hub.use_here(monkeypatch, tmp_path, TOKEN)
    monkeypatch.setattr(deploy, "ROOT", root)
    monkeypatch.chdir(root)
    arguments, token, said = MISTAKES[mistake]
    monkeypatch.setenv("HF_TOKEN", token)
    asked = len(hub.requests)
    assert main(["deploy", *arguments]) == 1
    message = capsys.readouterr().err
    assert said in message and message.startswith("error: ") and message.count("\n") == 1
    assert not token or token not in message
    assert not [line for line in hub.requests[asked:] if "/commit/" in line or "/variables" in line]


def test_offline_mode_and_hub_failures_give_clear_errors(
    hub: LocalHub, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(deploy, "ROOT", root)
    hub.fail_next("/commit/", 402)
    assert main(["deploy", SPACE]) == 1
    assert "requires a payment method of this account" in capsys.readouterr().err
    hub.fail_next("/commit/", 503)
    assert main(["deploy", SPACE]) == 1
    assert f"error: {SPACE}: The Hub answered 503 to the request for {SPACE}" in capsys.readouterr().err
    assert main(["deploy", SPACE]) == 0
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert main(["deploy", SPACE]) == 1
    assert "the Hub cannot be used while HF_HUB_OFFLINE is set." in capsys.readouterr().err


def test_deploy_needs_a_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"uploads app\.py, which an installed package does not contain"):
        deploy.space_files(tmp_path)


def test_files_with_tokens_are_not_uploaded(root: Path) -> None:
    (root / "clothseg/app/blocks.py").write_text("TOKEN = 'my-own-secret'")
    (root / "examples/README.md").write_text("hf_" + "Ab1" * 12)
    files = deploy.space_files(root)
    with pytest.raises(ConfigError, match=r"clothseg/app/blocks\.py contains a Hub token"):
        deploy.check_secrets(files, "my-own-secret")
    with pytest.raises(ConfigError, match=r"examples/README\.md contains a Hub token"):
        deploy.check_secrets(files, None)


def test_uploaded_space_starts_and_answers(hub: LocalHub, tiny_model: Path, tmp_path: Path) -> None:
    from gradio_client import Client, handle_file

    commit = push_model("alice/clothes", tiny_model)
    assert main(["deploy", SPACE, "--model", "alice/clothes"]) == 0
    tree = Path(snapshot_download(SPACE, repo_type="space", local_dir=tmp_path / "tree"))
    photo = tmp_path / "holiday.png"
    Image.fromarray(draw(7, 240, 160).image).save(photo)
    space = {"SPACE_ID": SPACE, "SYSTEM": "spaces", "SPACE_HOST": "alice-app.hf.space", "PYTHONPATH": ""}
    network = hub.env(home=tmp_path / "home") | {"HF_HUB_OFFLINE": "0"}
    with running_app(tmp_path, tree, **(network | space | variables(hub))) as url:
        client = Client(url, verbose=False, download_files=str(tmp_path))
        _, labels, summary = client.predict(handle_file(str(photo)), api_name="/segment")
    assert f"Model: alice/clothes at {commit}." in (tmp_path / "app.log").read_text()
    assert summary["model"] == "alice/clothes"
    found = np.asarray(Image.open(labels))
    assert (found == Segmenter.from_pretrained(str(tiny_model))(photo).label_map).all() and len(
        NAMES
    ) > found.max() > 0
