"""Loading models: damaged ones and Hub failures give clear errors, and older formats load."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import forked
import httpx2
import numpy as np
import pytest
import torch
from huggingface_hub import errors as hub_errors
from local_hub import LocalHub
from paper_dolls import draw
from safetensors.torch import load_file, save_file

from clothseg import HubError, ModelError, Segmenter
from clothseg.labels import ATR, FASHN, NAMES, write_labels
from clothseg.models import loading


@pytest.fixture
def copy(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of a model's folder to damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "copy"))


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def relabel(folder: Path, names: list[str]) -> None:
    edit(folder / "config.json", id2label=dict(enumerate(names)), label2id={n: i for i, n in enumerate(names)})


def drop_classifier(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["decode_head.classifier.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (lambda f: (f / "config.json").unlink(), "contains no config.json"),
    "a training's folder": (
        lambda f: [(f / "model").mkdir(), (f / "config.json").rename(f / "model" / "config.json")],
        "contains no config.json; the trained model is the folder .*model",
    ),
    "config is no JSON": (lambda f: (f / "config.json").write_text("{"), "cannot be loaded"),
    "unknown architecture": (lambda f: edit(f / "config.json", model_type="sewing"), "cannot be loaded"),
    "not for segmentation": (lambda f: edit(f / "config.json", model_type="bert"), "cannot be loaded"),
    "gaps in ids": (
        lambda f: edit(f / "config.json", id2label={i + (i > 5): name for i, name in enumerate(NAMES)}, label2id={}),
        "labels of .* cannot be used: .* 6 has no name",
    ),
    "one name twice": (lambda f: relabel(f, ["Hat", *NAMES[1:]]), "cannot be used: Two classes are named 'Hat'"),
    "other number of classes": (
        lambda f: (f / "labels.json").write_text(json.dumps(NAMES[:17])),
        "labels.json of .* has 17 classes, but the model has 18",
    ),
    "damaged labels": (lambda f: (f / "labels.json").write_text("{"), "labels.json cannot be read"),
    "no weights": (lambda f: (f / "model.safetensors").unlink(), "has no model.safetensors"),
    "git-lfs pointer": (
        lambda f: (f / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"),
        "git-lfs pointer: run git lfs pull",
    ),
    "half the weights": (
        lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:5000]),
        "damaged: download it again",
    ),
    "a tensor is missing": (drop_classifier, r"lack 1 .*decode_head\.classifier\.weight"),
    "other sizes": (lambda f: edit(f / "config.json", decoder_hidden_size=48), "cannot be loaded"),
    "crop": (lambda f: edit(f / "preprocessor_config.json", do_center_crop=True), "fixed height and width"),
    "keeps the aspect": (
        lambda f: edit(f / "preprocessor_config.json", size={"shortest_edge": 128}),
        "fixed height and width",
    ),
    "no resize": (lambda f: edit(f / "preprocessor_config.json", do_resize=False), "fixed height and width"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damaged_models_raise_one_sentence_errors(damage: str, copy: Path) -> None:
    harm, said = DAMAGE[damage]
    harm(copy)
    with pytest.raises(ModelError, match=said) as refused:
        Segmenter.from_pretrained(str(copy))
    message = str(refused.value)
    assert "copy" in message and message.endswith(".") and "\n" not in message


def test_half_precision_weights_load_as_float32(copy: Path) -> None:
    weights = {name: tensor.half() for name, tensor in load_file(copy / "model.safetensors").items()}
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    edit(copy / "config.json", dtype="float16")
    model = loading.load(str(copy)).model
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_embedded_model_is_the_default(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "EMBEDDED", copy)
    assert Segmenter.from_pretrained().name == "segformer"
    monkeypatch.setattr(loading, "EMBEDDED", copy / "nowhere")
    with pytest.raises(ModelError, match="no embedded weights; choose a model"):
        Segmenter.from_pretrained()


@pytest.mark.parametrize("name", ["./no/such/folder", "a/b/c"])
def test_invalid_model_names_raise_model_error(name: str) -> None:
    with pytest.raises(ModelError, match="There is no folder"):
        Segmenter.from_pretrained(name)


def refusal(kind: type[hub_errors.HfHubHTTPError], status: int) -> Exception:
    response = httpx2.Response(status, request=httpx2.Request("GET", "https://hub/owner/model"))
    return kind("refused", response=response)


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (refusal(hub_errors.GatedRepoError, 403), "owner/model is gated: accept its terms"),
        (refusal(hub_errors.RepositoryNotFoundError, 404), "no model owner/model, or it is private"),
        (refusal(hub_errors.RevisionNotFoundError, 404), "has no revision v9"),
        (refusal(hub_errors.HfHubHTTPError, 503), "The Hub answered 503"),
        (hub_errors.LocalEntryNotFoundError("offline"), "the Hub cannot be reached"),
        (ConnectionError("refused"), "the Hub cannot be reached"),
        (httpx2.ConnectError("[Errno -2] Name or service not known"), "the Hub cannot be reached"),
    ],
)
def test_hub_errors_are_found_in_exception_causes(cause: Exception, said: str) -> None:
    outer = OSError("We couldn't connect ...\nlong advice")
    outer.__cause__ = cause
    error = loading.explain(outer, "owner/model", "v9")
    assert isinstance(error, HubError)
    assert said in str(error)


HUB_SCRIPT = """
import sys
from huggingface_hub import HfApi
from clothseg import ClothsegError, Segmenter

def attempt(name, **options):
    try:
        segmenter = Segmenter.from_pretrained(name, **options)
        print(segmenter.name, segmenter.revision)
    except ClothsegError as error:
        print(f"{type(error).__name__}: {error}")

api = HfApi(token="hf_alice")
api.create_repo("alice/clothes", private=True)
first = api.upload_folder(repo_id="alice/clothes", folder_path=sys.argv[1]).oid
print(first)
attempt("alice/clothes")
attempt("alice/clothes", token="hf_mallory")
attempt("alice/nothing")
attempt("alice/clothes", token="hf_alice")
api.delete_file("model.safetensors", "alice/clothes")
attempt("alice/clothes", token="hf_alice")
attempt("alice/clothes", token="hf_alice", revision=first)
attempt("alice/clothes", token="hf_alice", revision="v9")
"""


def test_loading_from_a_hub(tiny_model: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(HUB_SCRIPT)
    with LocalHub({"hf_alice": "alice"}) as hub:
        env = hub.env(home=tmp_path / "home") | {"PYTHONPATH": str(Path(loading.__file__).parents[2])}
        done = forked.run([sys.executable, script, tiny_model], capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    first, *answers = done.stdout.splitlines()
    assert answers == [
        "HubError: The Hub has no model alice/clothes, or it is private; "
        "check the name, or pass a token that may read it.",
        "HubError: The Hub answered 401 to the request for alice/clothes; check the token, or try again later.",
        "HubError: The Hub has no model alice/nothing, or it is private; "
        "check the name, or pass a token that may read it.",
        f"alice/clothes {first}",
        "ModelError: alice/clothes has no model.safetensors; save it with save_pretrained of transformers.",
        f"alice/clothes {first}",
        "HubError: alice/clothes has no revision v9; check the branch, tag or commit.",
    ]


def test_labels_come_from_config_or_labels_file(copy: Path) -> None:
    assert loading.load(str(copy)).labels is loading.read_label_set(str(copy)) is ATR
    relabel(copy, [name.replace("Bag", "Purse") for name in NAMES])
    labels = loading.read_label_set(str(copy))
    assert labels.names[16] == "Purse" and labels.roles == ATR.roles
    write_labels(FASHN, copy / "labels.json")
    assert loading.load(str(copy)).labels == loading.read_label_set(str(copy)) == FASHN


def test_background_channel_is_moved_to_class_0(copy: Path) -> None:
    photo = draw(5, 90, 70).image
    before = Segmenter.from_pretrained(copy)(photo, edges="plain", zoom="off", orientation="upright")
    relabel(copy, [*NAMES[1:], "Background"])
    after = Segmenter.from_pretrained(copy)(photo, edges="plain", zoom="off", orientation="upright")
    assert after.labels.names == NAMES
    moved = np.array([*range(1, 18), 0], np.uint8)  # the network's channels are the same
    np.testing.assert_array_equal(after.label_map, moved[before.label_map])


def test_missing_background_never_wins(copy: Path) -> None:
    relabel(copy, [f"garment {number}" for number in range(18)])
    result = Segmenter.from_pretrained(copy)(draw(5, 90, 70).image)
    assert result.labels.names[:2] == ("Background", "garment 0") and len(result.labels) == 19
    assert result.label_map.min() > 0


def test_fixed_size_processor_is_accepted() -> None:
    loading.check_processor(SimpleNamespace(do_resize=True, size={"height": 2, "width": 2}), "ours")


@pytest.mark.parametrize(
    "preprocessing",
    [
        {"image_processor_type": "SegformerFeatureExtractor", "size": {"height": 128, "width": 128}},
        {"feature_extractor_type": "SegformerFeatureExtractor", "reduce_labels": False, "size": 128},
        {"image_processor_type": "SegformerImageProcessor", "do_reduce_labels": False, "size": [128, 128]},
    ],
    ids=["transformers 4.27", "transformers 4.20", "transformers 4.30"],
)
def test_models_saved_by_older_transformers_load_unchanged(preprocessing: dict[str, object], copy: Path) -> None:
    """As `mattmdjaga/segformer_b2_clothes`: other preprocessing keys, and label2id with strings as numbers."""
    photo = draw(5, 90, 70).image
    expected = Segmenter.from_pretrained(copy)(photo).label_map
    common = {"do_normalize": True, "do_resize": True, "resample": 2}
    means = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225]}
    (copy / "preprocessor_config.json").write_text(json.dumps(common | means | preprocessing))
    config = json.loads((copy / "config.json").read_text())
    config["label2id"] = {name: str(index) for name, index in config["label2id"].items()}
    (copy / "config.json").write_text(json.dumps(config))
    assert (Segmenter.from_pretrained(copy)(photo).label_map == expected).all()
