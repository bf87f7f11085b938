"""The test hub works with the unmodified clients: huggingface_hub, transformers and datasets."""

import random
import sys
from collections.abc import Iterator
from pathlib import Path

import forked
import pytest
from huggingface_hub import HfApi, HfFileSystem, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from local_hub import LocalHub


WEIGHTS = random.Random(0).randbytes(300_000)  # binary, so it is uploaded by LFS whatever its name


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with LocalHub({"hf_alice": "alice", "hf_bob": "bob"}) as hub:
        yield hub


@pytest.fixture
def alice(hub: LocalHub) -> HfApi:
    return HfApi(endpoint=hub.url, token="hf_alice")


@pytest.fixture
def bob(hub: LocalHub) -> HfApi:
    return HfApi(endpoint=hub.url, token="hf_bob")


@pytest.fixture
def anonymous(hub: LocalHub) -> HfApi:
    return HfApi(endpoint=hub.url, token=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a small text file, a nested one and a binary file."""
    folder = tmp_path / "folder"
    (folder / "logs").mkdir(parents=True)
    (folder / "config.json").write_text('{"version": 1}')
    (folder / "logs/one.txt").write_text("one")
    (folder / "weights.safetensors").write_bytes(WEIGHTS)
    return folder


def status(error: pytest.ExceptionInfo[HfHubHTTPError]) -> int:
    return error.value.response.status_code


def test_token_identifies_its_user_and_invalid_tokens_give_401(alice: HfApi, hub: LocalHub) -> None:
    assert alice.whoami()["name"] == "alice"
    with pytest.raises(HfHubHTTPError, match="Invalid user token") as refused:
        HfApi(endpoint=hub.url, token="hf_mallory").whoami()
    assert status(refused) == 401


@pytest.mark.parametrize(("kind", "address"), [("model", "alice/x"), ("dataset", "datasets/alice/x")])
def test_creating_an_existing_repo_gives_409(alice: HfApi, hub: LocalHub, kind: str, address: str) -> None:
    url = alice.create_repo("alice/x", repo_type=kind)
    assert (str(url), url.repo_id, url.repo_type) == (f"{hub.url}/{address}", "alice/x", kind)
    assert alice.create_repo("x", repo_type=kind, exist_ok=True) == url
    with pytest.raises(HfHubHTTPError, match="already created") as refused:
        alice.create_repo("alice/x", repo_type=kind)
    assert status(refused) == 409
    assert list(hub.repos) == [(kind, "alice/x")]


def test_uploaded_folder_is_downloaded_unchanged_at_each_revision(
    alice: HfApi, anonymous: HfApi, hub: LocalHub, folder: Path, tmp_path: Path
) -> None:
    alice.create_repo("alice/x")
    first = alice.upload_folder(repo_id="alice/x", folder_path=folder, commit_message="First")
    assert hub.files("model", "alice/x")["weights.safetensors"] == WEIGHTS
    assert [request.split("/")[0] for request in hub.requests if "/lfs/model" in request] == ["PUT "]

    commits = len(hub.repos["model", "alice/x"].commits)
    again = alice.upload_folder(repo_id="alice/x", folder_path=folder)
    assert again.oid == first.oid
    assert len(hub.repos["model", "alice/x"].commits) == commits

    (folder / "config.json").write_text('{"version": 2}')
    (folder / "logs/one.txt").unlink()
    second = alice.upload_folder(repo_id="alice/x", folder_path=folder, delete_patterns="logs/*")
    assert second.oid != first.oid
    assert sorted(anonymous.list_repo_files("alice/x")) == [".gitattributes", "config.json", "weights.safetensors"]

    places = {"repo_id": "alice/x", "endpoint": hub.url, "token": False, "cache_dir": tmp_path / "cache"}
    newest = Path(snapshot_download(**places))
    assert newest.name == second.oid
    assert (newest / "config.json").read_text() == '{"version": 2}'
    assert (newest / "weights.safetensors").read_bytes() == WEIGHTS
    oldest = Path(snapshot_download(**places, revision=first.oid))
    assert (oldest / "config.json").read_text() == '{"version": 1}'
    assert (oldest / "logs/one.txt").read_text() == "one"
    one = hf_hub_download(filename="config.json", revision=first.oid, **places)
    assert Path(one).read_text() == '{"version": 1}'
    assert hub.files("model", "alice/x", first.oid)["logs/one.txt"] == b"one"


def test_files_can_be_listed_partly_read_and_deleted(alice: HfApi, hub: LocalHub, folder: Path) -> None:
    alice.create_repo("alice/x", repo_type="dataset")
    data = {"repo_id": "alice/x", "repo_type": "dataset"}
    alice.upload_folder(folder_path=folder, **data)
    assert [entry.path for entry in alice.list_repo_tree(**data, path_in_repo="logs")] == ["logs/one.txt"]
    top = [entry.path for entry in alice.list_repo_tree(**data)]
    assert top == [".gitattributes", "config.json", "logs", "weights.safetensors"]
    (weights,) = alice.get_paths_info(paths=["weights.safetensors", "missing"], **data)
    assert (weights.size, weights.lfs.size) == (len(WEIGHTS), len(WEIGHTS))
    files = HfFileSystem(endpoint=hub.url, token="hf_alice", skip_instance_cache=True)
    assert files.cat_file("datasets/alice/x/weights.safetensors", start=1000, end=1010) == WEIGHTS[1000:1010]
    assert files.cat_file("datasets/alice/x/config.json", start=-3) == b" 1}"
    alice.delete_folder("logs", **data)
    alice.delete_file("config.json", **data)
    assert set(hub.files("dataset", "alice/x")) == {".gitattributes", "weights.safetensors"}
    with pytest.raises(RemoteEntryNotFoundError):
        alice.delete_file("config.json", **data)


def test_branches_tags_and_parent_commits_work(alice: HfApi, hub: LocalHub) -> None:
    alice.create_repo("alice/x")
    upload = {"path_in_repo": "a.txt", "repo_id": "alice/x"}
    first = alice.upload_file(path_or_fileobj=b"1", **upload)
    alice.create_tag("alice/x", tag="v1")
    alice.create_branch("alice/x", branch="try/it", revision=first.oid)
    alice.create_branch("alice/x", branch="try/it", exist_ok=True)
    alice.upload_file(path_or_fileobj=b"2", parent_commit=first.oid, **upload)
    alice.upload_file(path_or_fileobj=b"3", revision="try/it", **upload)
    contents = {revision: hub.files("model", "alice/x", revision)["a.txt"] for revision in ("v1", "main", "try/it")}
    assert contents == {"v1": b"1", "main": b"2", "try/it": b"3"}
    assert alice.model_info("alice/x", revision="v1").sha == first.oid
    refs = alice.list_repo_refs("alice/x")
    assert [branch.name for branch in refs.branches] == ["main", "try/it"]
    assert [(tag.name, tag.target_commit) for tag in refs.tags] == [("v1", first.oid)]
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as refused:
        alice.upload_file(path_or_fileobj=b"4", parent_commit=first.oid, **upload)
    assert status(refused) == 412


def test_missing_repos_revisions_and_files_give_not_found_errors(
    alice: HfApi, anonymous: HfApi, tmp_path: Path
) -> None:
    alice.create_repo("alice/x")
    for api in (alice, anonymous):
        with pytest.raises(RepositoryNotFoundError):
            api.model_info("alice/y")
        with pytest.raises(RevisionNotFoundError):
            api.model_info("alice/x", revision="v9")
        with pytest.raises(RemoteEntryNotFoundError):
            api.hf_hub_download("alice/x", "no.txt", cache_dir=tmp_path)
        assert not api.file_exists("alice/x", "no.txt")
        with pytest.raises(RemoteEntryNotFoundError):
            list(api.list_repo_tree("alice/x", path_in_repo="folder"))
    with pytest.raises(RevisionNotFoundError):
        alice.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id="alice/x", revision="v9")


def test_private_repo_is_visible_only_to_its_owner(
    alice: HfApi, bob: HfApi, anonymous: HfApi, hub: LocalHub, tmp_path: Path
) -> None:
    alice.create_repo("alice/secret", private=True)
    alice.upload_file(path_or_fileobj=WEIGHTS, path_in_repo="w.bin", repo_id="alice/secret")
    assert alice.model_info("alice/secret").private
    path = alice.hf_hub_download("alice/secret", "w.bin", cache_dir=tmp_path / "alice")
    assert Path(path).read_bytes() == WEIGHTS
    for api, answer in ((bob, 404), (anonymous, 401)):
        with pytest.raises(RepositoryNotFoundError) as refused:
            api.model_info("alice/secret")
        assert status(refused) == answer
        with pytest.raises(RepositoryNotFoundError):
            api.hf_hub_download("alice/secret", "w.bin", cache_dir=tmp_path / "others")
    with pytest.raises(HfHubHTTPError, match="Invalid credentials") as refused:
        HfApi(endpoint=hub.url, token="hf_mallory").model_info("alice/secret")
    assert status(refused) == 401


def test_writing_to_another_namespace_is_forbidden(alice: HfApi, bob: HfApi, anonymous: HfApi, hub: LocalHub) -> None:
    alice.create_repo("alice/x")
    with pytest.raises(HfHubHTTPError, match="under the namespace") as refused:
        bob.create_repo("alice/y")
    assert status(refused) == 403
    with pytest.raises(HfHubHTTPError, match="rights to write") as refused:
        bob.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id="alice/x")
    assert status(refused) == 403
    with pytest.raises(RepositoryNotFoundError):
        anonymous.upload_file(path_or_fileobj=b"1", path_in_repo="a.txt", repo_id="alice/x")
    assert set(hub.files("model", "alice/x")) == {".gitattributes"}


def test_space_keeps_its_variables_secrets_and_card(alice: HfApi, bob: HfApi, hub: LocalHub, tmp_path: Path) -> None:
    settings = {"space_variables": [{"key": "A", "value": "1"}], "space_secrets": [{"key": "HF_TOKEN", "value": "s"}]}
    url = alice.create_repo("alice/app", repo_type="space", space_sdk="gradio", **settings)
    assert str(url) == f"{hub.url}/spaces/alice/app"
    assert alice.get_space_runtime("alice/app").stage == "NO_APP_FILE"
    (tmp_path / "README.md").write_text("---\ntitle: App\nsdk: gradio\n---\n# App\n")
    (tmp_path / "app.py").write_text("print()\n")
    alice.upload_folder(repo_id="alice/app", repo_type="space", folder_path=tmp_path)
    info = alice.space_info("alice/app")
    assert (info.sdk, info.card_data.title) == ("gradio", "App")
    assert alice.get_space_runtime("alice/app").stage == "RUNNING"
    alice.add_space_secret("alice/app", "KEY", "value")
    alice.add_space_variable("alice/app", "B", "2")
    alice.delete_space_variable("alice/app", "A")
    assert {key: variable.value for key, variable in alice.get_space_variables("alice/app").items()} == {"B": "2"}
    assert set(alice.get_space_secrets("alice/app")) == {"HF_TOKEN", "KEY"}
    assert hub.repos["space", "alice/app"].secrets["KEY"]["value"] == "value"
    with pytest.raises(HfHubHTTPError) as refused:
        bob.add_space_variable("alice/app", "B", "3")
    assert status(refused) == 403
    with pytest.raises(ValueError, match="Invalid metadata"):
        broken = b"---\ntitle: [\n---\n"
        alice.upload_file(path_or_fileobj=broken, path_in_repo="README.md", repo_id="alice/app", repo_type="space")


def test_requested_failures_occur(alice: HfApi, hub: LocalHub) -> None:
    alice.create_repo("alice/x")
    upload = {"path_or_fileobj": WEIGHTS, "path_in_repo": "w.bin", "repo_id": "alice/x"}
    hub.fail_next(r"^POST .*/commit/main", 500)
    with pytest.raises(HfHubHTTPError, match="as the test asked") as failed:
        alice.upload_file(**upload)
    assert status(failed) == 500
    assert set(hub.files("model", "alice/x")) == {".gitattributes"}
    hub.fail_next(r"/preupload/", 503)  # the client retries this request
    alice.upload_file(**upload)
    assert hub.files("model", "alice/x")["w.bin"] == WEIGHTS


PUSH_AND_LOAD = """
import datasets, torch
from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessorPil

torch.manual_seed(0)
config = SegformerConfig(
    num_encoder_blocks=4, depths=[1] * 4, hidden_sizes=[8] * 4, num_attention_heads=[1] * 4, decoder_hidden_size=8,
    num_labels=18,
)
model = SegformerForSemanticSegmentation(config)
old = model.push_to_hub("alice/clothes", private=True).oid
SegformerImageProcessorPil(size={"height": 64, "width": 64}).push_to_hub("alice/clothes")
before = {name: value.clone() for name, value in model.state_dict().items()}
with torch.no_grad():
    model.decode_head.classifier.bias += 1
model.push_to_hub("alice/clothes")
for revision, expected in ((old, before), ("main", model.state_dict())):
    loaded = SegformerForSemanticSegmentation.from_pretrained("alice/clothes", revision=revision).state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], expected[name]) for name in expected)
assert SegformerImageProcessorPil.from_pretrained("alice/clothes").size == {"height": 64, "width": 64}

rows = datasets.Dataset.from_dict({"name": ["a", "b", "c"], "pixels": [[1, 2], [3, 4], [5, 6]]})
rows.push_to_hub("alice/photos", split="train")
rows.select([0]).push_to_hub("alice/photos", split="validation")
loaded = datasets.load_dataset("alice/photos")
assert {split: len(loaded[split]) for split in loaded} == {"train": 3, "validation": 1}
assert loaded["train"].to_dict() == rows.to_dict()
assert list(datasets.load_dataset("alice/photos", split="train", streaming=True)) == list(rows)
"""


def test_transformers_and_datasets_push_and_load(hub: LocalHub, tmp_path: Path) -> None:
    environment = hub.env("hf_alice", home=tmp_path)
    done = forked.run(
        [sys.executable, "-c", PUSH_AND_LOAD], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert hub.repos["model", "alice/clothes"].private
    assert {"config.json", "model.safetensors", "preprocessor_config.json"} <= set(hub.files("model", "alice/clothes"))
    assert {"README.md", "data/train-00000-of-00001.parquet"} <= set(hub.files("dataset", "alice/photos"))
