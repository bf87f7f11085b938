"""The main workflow from end to end; every part is real except the Hub, which is our own on this machine.

A data set is pushed, `train_hf.py` trains on it and pushes the model, plain transformers loads it, the app pulls it
in another process, and a photo segmented through the app's API gives the library's own label map.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import forked
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
from huggingface_hub import HfApi
HfApi(token="hf_carol").create_repo("carol/x")
"""

PLAIN_TRANSFORMERS_AND_LIBRARY = """
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
assert "clothseg" not in sys.modules

from clothseg import Segmenter
segmenter = Segmenter.from_pretrained("alice/tiny")
segmenter(sys.argv[1]).save_label_map(sys.argv[3])
segmenter(sys.argv[1], edges="plain").save_label_map(sys.argv[4])
told = {"labels": model.config.id2label, "found": [part["label"] for part in found], "revision": segmenter.revision}
print(json.dumps(told))
"""

SEVERAL_COMMANDS = """
import contextlib, io, json, os, sys
import train_hf
from clothseg import cli
results = []
for program, arguments, token in json.loads(sys.argv[1]):
    os.environ["HF_TOKEN"] = token or ""
    sys.argv = [program, *arguments]
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        status = train_hf.main() if program == "train_hf.py" else cli.main(arguments)
    results.append([status, said.getvalue()])
print(json.dumps(results))
"""
"""Runs commands as their scripts do, in one process: importing torch takes longer than all that they do here.

Exit status and output of a real process are what the other tests look at.
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
    """The real samples if they are available, otherwise paper dolls."""
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
    start = subprocess if command[0] == "train_hf.py" else forked  # a new process, as users start it
    return start.run(
        [sys.executable, *map(str, command)],
        cwd=ROOT,
        env=hub.env(token, home=home),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def run_several(hub: LocalHub, home: Path, *commands: tuple[str, list[object], str | None]) -> list[tuple[int, str]]:
    """Exit status and output of several commands, each given as program, arguments and token."""
    listed = json.dumps([(program, [*map(str, arguments)], token) for program, arguments, token in commands])
    done = run(hub, home, "-c", SEVERAL_COMMANDS, listed, token=None)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    return [(status, said) for status, said in json.loads(done.stdout.splitlines()[-1])]


def ids(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.fixture(scope="module")
def trained(
    hub: LocalHub, home: Path, data: Path, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """Folder and output of a run that trains on a pushed data set and pushes the model."""
    done = run(hub, home, "-c", PUSH_DATA, data)
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


def test_pushed_model_has_all_files_and_no_pickles(pushed: dict[str, bytes], hub: LocalHub) -> None:
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


def test_token_is_in_no_file_and_no_output(
    trained: tuple[Path, str], several: tuple[Path, dict[str, tuple[int, str]]], hub: LocalHub
) -> None:
    folder, output = trained
    deployed, refused = several[1]["deployed"], several[1]["refused"]
    assert (deployed[0], refused[0]) == (0, 1), (deployed, refused)
    output += "".join(said for _, said in several[1].values())
    files = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for repo in hub.repos.values():
        assert TOKEN not in str(repo.variables)
        files |= {
            f"{repo.name}/{path}": file.data for commit in repo.commits.values() for path, file in commit.tree.items()
        }
    assert {"alice/tiny/README.md", "alice/app/app.py", str(folder / "model/figures.json")} <= set(files)
    assert not [name for name, content in files.items() if TOKEN.encode() in content]
    assert TOKEN not in output and "refused to let this token write to carol/app" in output


def test_transformers_library_and_app_agree(
    pushed: dict[str, bytes], hub: LocalHub, home: Path, tmp_path: Path
) -> None:
    from gradio_client import Client, handle_file

    photo = tmp_path / "holiday.png"
    Image.fromarray(draw(7, 240, 160).image).save(photo)

    made = [tmp_path / name for name in ("plain.png", "library.png", "library_plain.png")]
    done = run(hub, home, "-c", PLAIN_TRANSFORMERS_AND_LIBRARY, photo, *made, token=None)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["labels"]["9"] == "Left-shoe" and set(told["found"]) <= set(told["labels"].values())
    assert told["revision"] == hub.repos["model", "alice/tiny"].branches["main"]
    plain, ours, interpolated = map(ids, made)
    assert ours.shape == (240, 160) and len(np.unique(ours)) > 1
    assert (interpolated == plain).mean() >= 0.999

    network = {"HF_ENDPOINT": hub.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    with running_app(tmp_path, CLOTHSEG_MODEL="alice/tiny", **network) as url:
        answer = Client(url, verbose=False, download_files=str(tmp_path)).predict(
            handle_file(str(photo)), api_name="/segment"
        )
    assert (ids(Path(answer[1])) == ours).all()


def test_failed_push_keeps_the_model_and_names_the_command_to_push_later(
    several: tuple[Path, dict[str, tuple[int, str]]],
) -> None:
    output, found = several
    folder = output.parent / "late" / "model"
    status, said = found["failed push"]
    assert status == 1
    assert said.strip().splitlines()[-1].startswith("error: The push failed: ")
    assert f"hf upload alice/late {folder}" in said and "Traceback" not in said
    assert {"model.safetensors", "README.md"} <= {path.name for path in folder.iterdir()}
    assert not (output.parent / "late" / "model.incomplete").exists()


MISTAKES: dict[str, tuple[list[str], str | None, str]] = {
    "no token": (["--push_to_hub"], None, "--push_to_hub needs a Hub token with write permission"),
    "wrong token": (["--push_to_hub"], "hf_wrong", "--push_to_hub: the Hub refused to let this token write"),
    "other owner": (
        ["--push_to_hub", "--hub_model_id", "bob/x"],
        TOKEN,
        "--push_to_hub: the Hub refused to let this token",
    ),
    "other's repository": (
        ["--push_to_hub", "--hub_model_id", "carol/x"],
        TOKEN,
        "--push_to_hub: the Hub refused to let this",
    ),
    "no data set": (
        ["--dataset_name", "alice/unknown"],
        TOKEN,
        "The Hub has no data set alice/unknown, or it is private",
    ),
    "no revision": (
        ["--dataset_name", "alice/clothes", "--dataset_revision", "v9"],
        TOKEN,
        "alice/clothes has no revision",
    ),
    "no model": (
        ["--model_name_or_path", "alice/unknown"],
        TOKEN,
        "The Hub has no model alice/unknown, or it is private",
    ),
}
"""Flags, token, and the expected error."""


@pytest.fixture(scope="module")
def several(
    pushed: dict[str, bytes], hub: LocalHub, home: Path, data: Path, tiny_model: Path, tmp_path_factory: Any
) -> tuple[Path, dict[str, tuple[int, str]]]:
    """The output folder, which no mistake may create; status and output of mistakes, deployments and a failed push."""
    output = tmp_path_factory.mktemp("mistakes") / "run"
    defaults = ["--model_name_or_path", tiny_model, "--dataset_name", data, "--output_dir", output, *TRAIN]
    commands: dict[str, tuple[str, list[object], str | None]] = {
        name: ("train_hf.py", [*defaults, *flags], token) for name, (flags, token, _) in MISTAKES.items()
    }
    commands["deployed"] = ("clothseg", ["deploy", "alice/app", "--model", "alice/tiny"], TOKEN)
    commands["refused"] = ("clothseg", ["deploy", "carol/app"], TOKEN)
    late = ["--output_dir", output.parent / "late", "--push_to_hub", "--hub_model_id", "alice/late"]
    commands["failed push"] = ("train_hf.py", [*defaults, *late], TOKEN)
    hub.misbehave(403, r"^POST .*/alice/late/commit/")  # a status that is not retried
    found = run_several(hub, home, *commands.values())
    hub.behave()
    return output, dict(zip(commands, found, strict=True))


@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_give_a_clear_error_before_training(
    mistake: str, several: tuple[Path, dict[str, tuple[int, str]]]
) -> None:
    output, found = several
    status, said = found[mistake]
    assert status == 1, said
    assert said.strip().splitlines()[-1].startswith(f"error: {MISTAKES[mistake][2]}")
    assert "Traceback" not in said and not output.exists()
