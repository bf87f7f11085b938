"""The product's main job from end to end, every part real but the Hub, which is our own on this machine.

A data set is pushed, `train_hf.py` trains on it and pushes the model, plain transformers loads it, the app pulls it
in another process, and a photo segmented through the app's API gives the library's own label map.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from app_server import ROOT, running_app
from local_hub import LocalHub
from paper_dolls import draw, write_parquet
from PIL import Image


TOKEN = "hf_marked0secret0of0alice"

PUSH_DATA = """
import sys
from datasets import load_dataset
files = {split: f"{sys.argv[1]}/{split}.parquet" for split in ("train", "validation")}
load_dataset("parquet", data_files=files).push_to_hub("alice/clothes")
"""

PLAIN_TRANSFORMERS = """
import json, sys
import numpy as np
from PIL import Image
from transformers import AutoImageProcessor, SegformerForSemanticSegmentation, pipeline
photo = Image.open(sys.argv[1])
model = SegformerForSemanticSegmentation.from_pretrained("alice/tiny")
processor = AutoImageProcessor.from_pretrained("alice/tiny")
outputs = model(**processor(photo, return_tensors="pt"))
maps = processor.post_process_semantic_segmentation(outputs, target_sizes=[photo.size[::-1]])
Image.fromarray(maps[0].numpy().astype(np.uint8)).save(sys.argv[2])
found = pipeline("image-segmentation", model="alice/tiny")(photo)
print(json.dumps({"labels": model.config.id2label, "found": [part["label"] for part in found]}))
"""

LIBRARY = """
import sys
from clothseg import Segmenter
segmenter = Segmenter.from_pretrained("alice/tiny")
segmenter(sys.argv[1]).save_label_map(sys.argv[2])
segmenter(sys.argv[1], edges="plain").save_label_map(sys.argv[3])
print(segmenter.revision)
"""

TRAIN = (
    *("--max_steps", "3", "--image_size", "64", "--dataloader_num_workers", "0", "--use_cpu", "true"),
    *("--eval_strategy", "no", "--save_strategy", "no", "--disable_tqdm", "true"),
)


@pytest.fixture(scope="module")
def hub() -> Iterator[LocalHub]:
    with LocalHub({TOKEN: "alice", "hf_carol": "carol"}) as server:
        yield server


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real samples where they are, else paper dolls."""
    folder = tmp_path_factory.mktemp("data")
    shared = ROOT.parent / "shared" / "data"
    for split, count in (("train", 10), ("validation", 4)):
        if shared.is_dir():
            (folder / f"{split}.parquet").symlink_to(shared / f"sample_{split}.parquet")
        else:
            write_parquet(folder / f"{split}.parquet", count, seed=1000 * count, height=192, width=128)
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hf-home")


def run(hub: LocalHub, home: Path, *command: object, token: str | None = TOKEN) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=hub.env(token, home=home),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def ids(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.fixture(scope="module")
def trained(
    hub: LocalHub, home: Path, data: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """Folder and output of a run that trains on a pushed data set and pushes the model."""
    done = run(hub, home, "-c", PUSH_DATA, data)
    assert done.returncode == 0, done.stderr
    theirs = "from huggingface_hub import HfApi; HfApi().create_repo('carol/x')"
    done = run(hub, home, "-c", theirs, token="hf_carol")
    assert done.returncode == 0, done.stderr
    push = ("--dataset_name", "alice/clothes", "--push_to_hub", "--hub_model_id", "alice/tiny", "--hub_token", TOKEN)
    folder = tmp_path_factory.mktemp("run")
    done = run(
        hub, home, "train_hf.py", "--model_name_or_path", tiny_model, "--output_dir", folder, *TRAIN, *push, token=None
    )
    assert done.returncode == 0, done.stderr
    return folder, done.stdout + done.stderr


@pytest.fixture(scope="module")
def pushed(trained: tuple[Path, str], hub: LocalHub) -> dict[str, bytes]:
    """Files of the model that the run pushed."""
    return hub.files("model", "alice/tiny")


def test_pushed_folder_is_complete_and_clean(pushed: dict[str, bytes], hub: LocalHub) -> None:
    assert {"config.json", "model.safetensors", "preprocessor_config.json", "README.md"} <= set(pushed)
    plots = {"learning_curves.png", "class_iou.png", "confusion.png", "calibration.png"}
    assert plots | {"figures.json", "per_class.csv", "training_log.csv", "split.json"} <= set(pushed)
    assert not [name for name in pushed if name.endswith((".bin", ".pt", ".pkl", ".pth"))]
    card = pushed["README.md"].decode()
    figures = json.loads(pushed["figures.json"])["own_size"]
    totals = next(line for line in card.splitlines() if line.startswith("| mean IoU |"))
    assert f" | {figures['mean_iou']:.3f} (" in totals
    assert "license_name: nvidia-segformer" in card and "not for commercial use" in card
    assert hub.repos["dataset", "alice/clothes"].branches["main"] in card


def test_the_token_is_in_no_file_and_no_output(
    trained: tuple[Path, str], hub: LocalHub, home: Path, tmp_path: Path
) -> None:
    folder, output = trained
    deployed = run(hub, home, "-m", "clothseg", "deploy", "alice/app", "--model", "alice/tiny")
    assert deployed.returncode == 0, deployed.stderr
    refused = run(hub, home, "-m", "clothseg", "deploy", "carol/app")
    assert refused.returncode == 1
    for done in (deployed, refused):
        output += done.stdout + done.stderr
    files = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for repo in hub.repos.values():
        assert TOKEN not in str(repo.variables)
        files |= {
            f"{repo.name}/{path}": file.data for commit in repo.commits.values() for path, file in commit.tree.items()
        }
    assert {"alice/tiny/README.md", "alice/app/app.py", str(folder / "model/figures.json")} <= set(files)
    assert not [name for name, content in files.items() if TOKEN.encode() in content]
    assert TOKEN not in output and "refused to let this token write to carol/app" in output


def test_plain_transformers_and_library_and_app_agree(
    pushed: dict[str, bytes], hub: LocalHub, home: Path, tmp_path: Path
) -> None:
    from gradio_client import Client, handle_file

    photo = tmp_path / "holiday.png"
    Image.fromarray(draw(7, 240, 160).image).save(photo)

    plain = run(hub, home, "-c", PLAIN_TRANSFORMERS, photo, tmp_path / "plain.png", token=None)
    assert plain.returncode == 0, plain.stderr
    told = json.loads(plain.stdout.splitlines()[-1])
    assert told["labels"]["9"] == "Left-shoe" and set(told["found"]) <= set(told["labels"].values())

    made = tmp_path / "library.png", tmp_path / "library_plain.png"
    library = run(hub, home, "-c", LIBRARY, photo, *made, token=None)
    assert library.returncode == 0, library.stderr
    assert library.stdout.split()[-1] == hub.repos["model", "alice/tiny"].branches["main"]
    ours, interpolated = map(ids, made)
    assert ours.shape == (240, 160) and len(np.unique(ours)) > 1
    assert (interpolated == ids(tmp_path / "plain.png")).mean() >= 0.999

    network = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    with running_app(tmp_path, CLOTHSEG_MODEL="alice/tiny", **network) as url:
        answer = Client(url, verbose=False, download_files=str(tmp_path)).predict(
            handle_file(str(photo)), api_name="/segment"
        )
    assert (ids(Path(answer[1])) == ours).all()


def test_failed_push_keeps_the_model_and_says_how_to_push_later(
    hub: LocalHub, home: Path, data: Path, tiny_model: Path, tmp_path: Path
) -> None:
    hub.misbehave(403, r"^POST .*/commit/")  # with which it would be of no use to try again
    push = ("--push_to_hub", "--hub_model_id", "alice/late")
    done = run(
        hub, home, "train_hf.py", "--model_name_or_path", tiny_model, "--dataset_name", data,
        "--output_dir", tmp_path / "run", *TRAIN, *push,
    )  # fmt: skip
    hub.behave()
    folder = tmp_path / "run" / "model"
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: The push failed: ")
    assert f"hf upload alice/late {folder}" in done.stderr and "Traceback" not in done.stderr
    assert {"model.safetensors", "README.md"} <= {path.name for path in folder.iterdir()}
    assert not (tmp_path / "run" / "model.incomplete").exists()


@pytest.mark.parametrize(
    ("flags", "token", "sentence"),
    [
        (("--push_to_hub",), None, "error: --push_to_hub needs a Hub token with write permission"),
        (("--push_to_hub",), "hf_wrong", "error: --push_to_hub: the Hub refused to let this token write"),
        (
            ("--push_to_hub", "--hub_model_id", "bob/x"),
            TOKEN,
            "error: --push_to_hub: the Hub refused to let this token",
        ),
        (("--push_to_hub", "--hub_model_id", "carol/x"), TOKEN, "error: --push_to_hub: the Hub refused to let this"),
        (("--dataset_name", "alice/unknown"), TOKEN, "error: The Hub has no data set alice/unknown, or it is private"),
        (
            ("--dataset_name", "alice/clothes", "--dataset_revision", "v9"),
            TOKEN,
            "error: alice/clothes has no revision",
        ),
        (
            ("--model_name_or_path", "alice/unknown"),
            TOKEN,
            "error: The Hub has no model alice/unknown, or it is private",
        ),
    ],
    ids=["no token", "wrong token", "other owner", "other's repository", "no data set", "no revision", "no model"],
)
def test_mistakes_are_found_before_training_and_explained(
    flags: tuple[str, ...],
    token: str | None,
    sentence: str,
    pushed: dict[str, bytes],
    hub: LocalHub,
    home: Path,
    data: Path,
    tiny_model: Path,
    tmp_path: Path,
) -> None:
    defaults = ("--model_name_or_path", tiny_model, "--dataset_name", data)
    output = tmp_path / "run"
    done = run(hub, home, "train_hf.py", *defaults, "--output_dir", output, *TRAIN, *flags, token=token)
    assert done.returncode == 1, done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith(sentence)
    assert "Traceback" not in done.stderr and not output.exists()
