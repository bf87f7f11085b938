"""The browser-only page as a folder and as a static Space on a local Hub."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from huggingface_hub import HfApi
from local_hub import LocalHub
from onnx import TensorProto, helper, numpy_helper

from clothseg.app.components import stage_source
from clothseg.app.i18n import LANGUAGES, catalogue
from clothseg.cli import main
from clothseg.commands import deploy_static, static_page, web_runtime
from clothseg.engines.onnx_half import halve_weights
from clothseg.labels import NAMES


SOURCES = Path(__file__).parents[2] / static_page.SOURCES
SPACE = "alice/page"
RUNTIME = dict.fromkeys(web_runtime.FILES, b"runtime")


@pytest.fixture(scope="module")
def built() -> dict[str, dict[str, bytes]]:
    """Pages by model name, each built once."""
    return {}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, built: dict[str, dict[str, bytes]]) -> None:
    """Avoid the download, and export each model once."""
    build = static_page.page_files

    def kept(loaded, runtime, root):  # type: ignore[no-untyped-def]
        if loaded.name not in built:
            built[loaded.name] = build(loaded, runtime, root)
        return built[loaded.name]

    monkeypatch.setattr(web_runtime, "runtime_files", lambda given: RUNTIME)
    monkeypatch.setattr(static_page, "page_files", kept)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    with LocalHub({"hf_alice": "alice", "hf_bob": "bob"}) as server:
        server.use_here(monkeypatch, tmp_path, "hf_alice")
        yield server


def test_page_folder_is_written_and_updated(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], built: dict[str, dict[str, bytes]]
) -> None:
    out = tmp_path / "page"
    command = ["deploy", "--static", "--model", str(tiny_model), "--out", str(out)]
    assert main(command) == 0
    assert f"python -m http.server -d {out} 8000" in capsys.readouterr().out
    (files,) = built.values()
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == set(files)
    assert all((out / name).read_bytes() == content for name, content in files.items())
    about = json.loads(files["model.json"])
    assert [entry["name"] for entry in about["classes"]] == list(NAMES) and about["input"] == [128, 128]
    listed = json.loads(files["offline-files.js"].decode().partition(" = ")[2].rstrip(";\n"))
    assert set(listed) == set(files) - {"offline-files.js", "service-worker.js", "README.md", "LICENSE"}
    assert all(listed[name]["bytes"] == len(files[name]) for name in listed)

    (out / "runtime" / "old.wasm").write_bytes(b"x")
    (out / "CNAME").write_text("mine")
    assert main(command) == 0
    assert not (out / "runtime" / "old.wasm").exists() and (out / "CNAME").exists()
    assert not list(tmp_path.glob(".making-*"))


def test_page_contains_every_referenced_file(built: dict[str, dict[str, bytes]]) -> None:
    (files,) = built.values()
    named = set(re.findall(r'(?:src|href)="([^"#:]+)"', files["index.html"].decode()))
    for name, content in files.items():
        if name.endswith(".js") and "/" not in name:
            named |= {path.removeprefix("./") for path in re.findall(r"from '(\./[^']+)'", content.decode())}
    assert len(named) > 10 and named <= set(files)
    assert stage_source.script() in files["stage.js"].decode() and stage_source.style() in files["stage.css"].decode()
    assert {"worker.js", "service-worker.js", *(f"runtime/{name}" for name in RUNTIME)} <= set(files)


def test_every_text_exists_in_each_language() -> None:
    page = "\n".join(path.read_text(encoding="utf-8") for path in SOURCES.glob("*.js"))
    texts = {ast.literal_eval(text) for text in re.findall(r"\btr\(('(?:[^'\\]|\\.)*')", page)}
    html = (SOURCES / "index.html").read_text(encoding="utf-8")
    texts |= {text.strip() for text in re.findall(r"<[^>]* data-tr>([^<]*)<", html)}
    texts |= set(re.findall(r'data-tr-label="([^"]*)"', html)) | {"clothseg: clothes, cut out"}
    assert len(texts) > 30
    for language in LANGUAGES:
        if language == "en":
            continue
        own = json.loads((SOURCES / "translations" / f"{language}.json").read_text(encoding="utf-8"))
        assert not texts - {*own, *catalogue(language)}, "not translated"
        assert not {*own} - texts, "unused translations"


def test_static_space_is_created_and_updated(
    hub: LocalHub, tiny_model: Path, capsys: pytest.CaptureFixture[str], built: dict[str, dict[str, bytes]]
) -> None:
    command = ["deploy", SPACE, "--static", "--model", str(tiny_model)]
    assert main([*command, "--dry-run"]) == 0
    assert "Dry run" in capsys.readouterr().out and ("space", SPACE) not in hub.repos
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"{hub.url}/spaces/{SPACE}"
    assert hub.repos["space", SPACE].sdk == "static"
    sent = hub.files("space", SPACE)
    (files,) = built.values()
    assert {name: content for name, content in sent.items() if name != ".gitattributes"} == files
    front = yaml.safe_load(sent["README.md"].decode().split("---")[1])
    assert front["license"] == "other", "the weights are NVIDIA's"
    assert front["sdk"] == "static" and front["custom_headers"]["cross-origin-embedder-policy"] == "require-corp"

    HfApi().upload_file(path_or_fileobj=b"x", path_in_repo="runtime/old", repo_id=SPACE, repo_type="space")
    assert main([*command, "--private"]) == 0
    assert hub.repos["space", SPACE].private and "runtime/old" not in hub.files("space", SPACE)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--static"], "needs the Space's name, user/name, or --out FOLDER"),
        (["--static", "page"], "page: give the Space's full name"),
        (["--static", "a/b", "--hardware", "t4-small"], "--hardware does not apply"),
        (["--static", "a/b", "--revision", "v1"], "--revision needs --model"),
        (["--static", "a/b", "--out", "OUT"], "--out writes a folder"),
        (["--static", "--out", "FILLED"], "contains other files"),
        (["--static", "--out", __file__], "is a file; give a folder"),
        (["--static", "alice/other"], "alice/other contains another app (app.py, ...)"),
        (["--static", "bob/page"], "the Hub refused to let this token write to bob/page (403)"),
        (["a/b", "--out", "OUT"], "--out needs --static"),
        ([], "deploy needs the Space's name, user/name"),
    ],
)
def test_mistakes_give_clear_errors(
    arguments: list[str],
    message: str,
    hub: LocalHub,
    tiny_model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "filled").mkdir()
    (tmp_path / "filled" / "notes.txt").write_text("mine")
    HfApi().create_repo("alice/other", repo_type="space", space_sdk="gradio")
    HfApi().upload_file(path_or_fileobj=b"x", path_in_repo="app.py", repo_id="alice/other", repo_type="space")
    places = {"OUT": str(tmp_path / "out"), "FILLED": str(tmp_path / "filled")}
    model = [] if "--revision" in arguments else ["--model", str(tiny_model)]
    assert main(["deploy", *(places.get(each, each) for each in arguments), *model]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_static_page_needs_a_clone(tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(deploy_static.ConfigError, match="which an installed package does not contain"):
        static_page.page_files(None, {}, tmp_path)  # type: ignore[arg-type]


def test_halved_weights_skip_small_and_overflowing_tensors(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    tensors = {
        "large": rng.normal(size=(32, 32)).astype(np.float32),
        "small": rng.normal(size=4).astype(np.float32),
        "huge": np.full(512, 1e6, np.float32),
    }
    node = helper.make_node("MatMul", ["x", "large"], ["y"])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 32]) for name in "xy")
    initializers = [numpy_helper.from_array(values, name) for name, values in tensors.items()]
    graph = helper.make_graph([node], "graph", [x], [y], initializers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), tmp_path / "a.onnx")
    halve_weights(tmp_path / "a.onnx", tmp_path / "b.onnx")
    made = onnx.load(tmp_path / "b.onnx")
    onnx.checker.check_model(made)
    types = {tensor.name: numpy_helper.to_array(tensor).dtype for tensor in made.graph.initializer}
    assert types == {"large_float16": np.float16, "small": np.float32, "huge": np.float32}
    assert [each.op_type for each in made.graph.node] == ["Cast", "MatMul"]
