"""Loading models when the Hub is down or slow, transfers are incomplete or damaged, or models are invalid.

Covers `clothseg.models.hub`, `clothseg.models.hub_errors`.
"""

import json
import pickle
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
import torch
from app_server import running_app
from huggingface_hub import HfApi
from local_hub import LocalHub
from safetensors.torch import load_file, save_file

from clothseg import HubError, ModelError, Segmenter
from clothseg.app.model_loader import load_served_model
from clothseg.labels import NAMES
from clothseg.models import hub
from clothseg.training.model import build_model
from clothseg.training.publish.push import push


NAME = "alice/clothes"
TOKEN = "hf_alice"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A Hub that this process itself uses, with an empty cache and short timeouts."""
    with LocalHub({TOKEN: "alice"}) as local:
        local.use_here(monkeypatch, tmp_path)
        yield local


def upload(server: LocalHub, folder: Path) -> str:
    """Push a folder as the model's newest revision, and return its commit."""
    api = HfApi(endpoint=server.url, token=TOKEN)
    api.create_repo(NAME, exist_ok=True)
    return str(api.upload_folder(repo_id=NAME, folder_path=folder, delete_patterns="*").oid)


@pytest.fixture
def model(server: LocalHub, tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of a model's folder, pushed."""
    copy = Path(shutil.copytree(tiny_model, tmp_path / "copy"))
    upload(server, copy)
    return copy


def kept_files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "cache").glob("models--*/blobs/*") if path.suffix != ".incomplete"]


DOWN = {
    "hang": ("hang", "", "cannot be reached", "it cannot be reached"),
    "429": (429, "", "The Hub answered 429", "it answered 429"),
    "500": (500, "", "The Hub answered 500", "it answered 500"),
    "503 once asked for the weights": (503, "GET /lfs/", "The Hub answered 503", "it answered 503"),
    "half the weights": ("cut", "GET /lfs/", "broke off while it sent", "the connection was interrupted"),
    "other weights": ("corrupt", "GET /lfs/", "sent a damaged model.safetensors", "it sent a damaged file"),
    "other configuration": ("corrupt", "GET .*/config.json", "sent a damaged config.json", "it sent a damaged file"),
}


@pytest.mark.parametrize("case", DOWN)
def test_failing_hub_gives_a_clear_error_and_the_app_uses_another_model(
    case: str, server: LocalHub, model: Path, tmp_path: Path
) -> None:
    fault, pattern, said, trouble = DOWN[case]
    server.misbehave(fault, pattern)
    with pytest.raises(HubError, match=said) as refused:
        Segmenter.from_pretrained(NAME)
    assert "\n" not in str(refused.value) and TOKEN not in str(refused.value)
    instead = load_served_model(NAME)
    assert (instead.name, instead.revision) == ("clothseg-lite", None)
    assert said in instead.notice and instead.notice.endswith("the weights that come with the app are used.")

    server.behave()
    first = Segmenter.from_pretrained(NAME)
    assert (first.name, first.notice) == (NAME, "")
    for path in kept_files(tmp_path):
        assert hub.intact(path, path.name)

    weights = load_file(model / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in weights.items()}, model / "model.safetensors", {"format": "pt"})
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"_note": "second"}))
    second = upload(server, model)
    server.misbehave(fault, pattern)
    older = load_served_model(NAME)
    assert (older.name, older.revision) == (NAME, first.revision)
    assert (
        older.notice == f"The Hub could not be asked for {NAME} ({trouble}); this is the copy from an earlier start."
    )

    server.behave()
    assert Segmenter.from_pretrained(NAME).revision == second


def test_temporary_hub_failure_is_retried(server: LocalHub, model: Path, caplog: pytest.LogCaptureFixture) -> None:
    server.fail_next("/api/models/", 503, times=2)
    segmenter = Segmenter.from_pretrained(NAME)
    assert (segmenter.name, segmenter.notice) == (NAME, "")
    assert "it answered 503. Trying again in 8 s." in caplog.text


def test_interrupted_download_is_resumed(server: LocalHub, model: Path) -> None:
    server.fail_next("GET /lfs/", "cut")
    assert Segmenter.from_pretrained(NAME).notice == ""
    assert len([line for line in server.requests if line.startswith("GET /lfs/")]) == 2


def test_cached_pinned_commit_needs_no_request(server: LocalHub, model: Path) -> None:
    commit = Segmenter.from_pretrained(NAME).revision
    asked = len(server.requests)
    pinned = Segmenter.from_pretrained(NAME, revision=commit)
    assert (pinned.revision, pinned.notice, len(server.requests)) == (commit, "", asked)


def test_loading_requests_each_file_once(server: LocalHub, model: Path) -> None:
    before = len(server.requests)
    Segmenter.from_pretrained(NAME)
    fetched = [line.rpartition("/")[2] for line in server.requests[before:] if line.startswith("GET ")]
    assert len(fetched) == 4 and {"config.json", "preprocessor_config.json"} <= set(fetched)


def test_damaged_file_in_the_cache_is_downloaded_again(server: LocalHub, model: Path, tmp_path: Path) -> None:
    commit = Segmenter.from_pretrained(NAME).revision
    (weights,) = [path for path in kept_files(tmp_path) if len(path.name) == 64]
    damaged = bytearray(weights.read_bytes())
    damaged[-1] ^= 1
    weights.write_bytes(damaged)
    server.misbehave(503)
    with pytest.raises(HubError, match="answered 503"):
        Segmenter.from_pretrained(NAME, revision=commit)
    server.behave()
    assert Segmenter.from_pretrained(NAME, revision=commit).revision == commit
    assert hub.intact(weights, weights.name)


class Bomb:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.path,))


def test_pickled_weights_are_not_loaded(server: LocalHub, model: Path, tmp_path: Path) -> None:
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    upload(server, model)
    for name in (NAME, str(model)):
        with pytest.raises(ModelError, match=r"no model\.safetensors, only pytorch_model\.bin: a pickle"):
            Segmenter.from_pretrained(name)
    assert load_served_model(NAME).name == "clothseg-lite"
    assert not [line for line in server.requests if "pytorch_model" in line and "resolve" in line]
    assert not (tmp_path / "exploded").exists()


def test_code_in_a_model_repository_is_not_run(server: LocalHub, model: Path, tmp_path: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    config |= {
        "model_type": "mine",
        "auto_map": {"AutoConfig": "code.C", "AutoModelForSemanticSegmentation": "code.M"},
    }
    (model / "config.json").write_text(json.dumps(config))
    (model / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    upload(server, model)
    for name in (NAME, str(model)):
        with pytest.raises(ModelError):
            Segmenter.from_pretrained(name)
    assert not (tmp_path / "ran").exists()


def test_unusable_labels_are_rejected_before_weights_are_downloaded(server: LocalHub, model: Path) -> None:
    config = json.loads((model / "config.json").read_text())
    twice = {str(i): name.replace("Bag", "Scarf") for i, name in enumerate(NAMES)}
    (model / "config.json").write_text(json.dumps(config | {"id2label": twice}))
    upload(server, model)
    before = len(server.requests)
    instead = load_served_model(NAME)
    assert "Scarf" in instead.notice and "names must differ" in instead.notice and instead.name == "clothseg-lite"
    assert not [line for line in server.requests[before:] if line.startswith("GET /lfs/")]


def test_sharded_weights_are_loaded_and_missing_shards_give_an_error(server: LocalHub, model: Path) -> None:
    from transformers import SegformerForSemanticSegmentation

    expected = Segmenter.from_pretrained(str(model), engine="torch")
    SegformerForSemanticSegmentation.from_pretrained(model).save_pretrained(model, max_shard_size="60KB")
    (model / "model.safetensors").unlink()
    parts = sorted(path.name for path in model.glob("model-*.safetensors"))
    assert len(parts) > 1
    upload(server, model)
    loaded = Segmenter.from_pretrained(NAME, engine="torch")
    for name, tensor in expected.engine.model.state_dict().items():
        assert (loaded.engine.model.state_dict()[name] == tensor).all()
    assert Segmenter.from_pretrained(NAME, revision=loaded.revision).revision == loaded.revision
    (model / parts[0]).unlink()
    upload(server, model)
    for name in (NAME, str(model)):
        with pytest.raises(ModelError, match=f"lacks {parts[0]}, a part of its weights"):
            Segmenter.from_pretrained(name)


def test_base_model_for_training_is_checked(server: LocalHub, model: Path, tmp_path: Path) -> None:
    weights = load_file(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    torch.save(weights, model / "pytorch_model.bin")
    upload(server, model)
    server.misbehave("corrupt", "GET /lfs/")
    with pytest.raises(HubError, match=r"sent a damaged pytorch_model\.bin"):
        build_model(NAME)
    server.behave()
    for name in (NAME, NAME, str(model)):
        base = build_model(name).state_dict()
        assert (base["decode_head.classifier.weight"] == weights["decode_head.classifier.weight"]).all()
    server.misbehave(503)
    build_model(NAME)

    server.behave()
    (model / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    upload(server, model)
    with pytest.raises(ModelError, match="cannot be loaded as a semantic segmentation model"):
        build_model(NAME)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize(("fault", "times"), [(503, 2), (429, 1), ("cut", 1)])
def test_failed_push_is_retried(
    fault: int | str, times: int, server: LocalHub, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (model / "more.txt").write_text("more")
    server.fail_next("^POST .*/commit/", fault, times)
    push(model, NAME, TOKEN, None)
    assert server.files("model", NAME)["more.txt"] == b"more"
    assert capsys.readouterr().err.count("Trying again in") == times


def test_rejected_push_is_not_retried(server: LocalHub, model: Path) -> None:
    (model / "more.txt").write_text("more")
    server.misbehave(403, "^POST .*/commit/")
    with pytest.raises(HubError, match=r"refused to let this token write .* push it later with: hf upload alice/cl"):
        push(model, NAME, TOKEN, None)
    assert len([line for line in server.requests if "/commit/" in line]) == 2, "one of them created the model"


def test_app_starts_with_embedded_model_when_the_hub_hangs(tmp_path: Path) -> None:
    with LocalHub({TOKEN: "alice"}) as local:
        local.misbehave("hang")
        network = local.env(TOKEN, home=tmp_path / "home") | {"HF_HUB_OFFLINE": "0", "HF_HUB_ETAG_TIMEOUT": "1"}
        network["CLOTHSEG_MODEL"] = NAME
        with running_app(tmp_path, **network) as url:
            page, deadline = "", time.monotonic() + 120
            # The page is served before the fallback model is chosen.
            while "Meanwhile" not in page and time.monotonic() < deadline:
                time.sleep(0.2)
                with urlopen(f"{url}/config") as answer:
                    page = answer.read().decode()
    log = (tmp_path / "app.log").read_text()
    for text in (page, log):
        assert f"{NAME} is neither a folder nor in the local cache, and the Hub cannot be reached" in text
        assert "Meanwhile the weights that come with the app are used." in text
        assert TOKEN not in text and "Traceback" not in text
    assert "Model: clothseg-lite." in log
