"""Whether a model folder saved by us gives the same label maps in other transformers releases.

    python -m benchmarks.older_transformers PHOTOS [--model FOLDER] [--releases 4.41.2 4.57.6 5.0.0] [--work FOLDER]

PHOTOS is a folder with validation.parquet. Without --model, train_hf.py trains a SegFormer for a few steps, on the
same folder's training rows, from an image classification checkpoint with random weights in B0's architecture: this is
what fine-tuning nvidia/mit-b0 saves, with other weights. For each release a fresh virtual environment is created in
--work (by default a temporary folder), with that release, torch and Pillow but without clothseg. There, plain
transformers loads the folder as its model card describes, and its label maps are compared with ours (`edges="plain"`,
`zoom="off"`). The first line is for the transformers installed here.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from transformers import SegformerConfig, SegformerForImageClassification

from clothseg import Segmenter
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits


ROOT = Path(__file__).parents[1]
# numpy 1 for releases before 4.42, which were built for it
PACKAGES = ("torch==2.13.0", "safetensors", "pillow")
PLAIN = """
import json, sys
from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from transformers import AutoImageProcessor, SegformerForSemanticSegmentation

model_folder, photos, out = map(Path, sys.argv[1:])
processor = AutoImageProcessor.from_pretrained(model_folder)
model, report = SegformerForSemanticSegmentation.from_pretrained(
    model_folder, output_loading_info=True, torch_dtype=torch.float32
)
model.eval()
for path in sorted(photos.glob("*.png")):
    photo = Image.open(path).convert("RGB")
    with torch.inference_mode():
        outputs = model(**processor(photo, return_tensors="pt"))
    label_map = processor.post_process_semantic_segmentation(outputs, target_sizes=[photo.size[::-1]])[0]
    Image.fromarray(label_map.numpy().astype(np.uint8)).save(out / path.name)
lists = {key: sorted(map(str, report[key])) for key in ("missing_keys", "unexpected_keys")}
print(json.dumps({"version": transformers.__version__, "processor": type(processor).__name__, **lists}))
"""


def main() -> None:
    """Print a line for each release: missing and unknown tensors, and the share of equal pixels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--releases", nargs="+", default=["4.41.2", "4.57.6", "5.0.0"])
    parser.add_argument("--photos", type=int, default=20)
    parser.add_argument("--work", type=Path, help="folder for the environments, which are used again")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = arguments.model or _trained(arguments.folder, folder)
        ours, photos = folder / "ours", folder / "photos"
        ours.mkdir()
        photos.mkdir()
        segmenter = Segmenter.from_pretrained(str(model), device="cpu", engine="torch")
        rows = load_splits(str(arguments.folder), None, 0.1, 0).validation
        for index in range(min(arguments.photos, len(rows))):
            photo = Image.fromarray(decode_row(rows[index])[0])
            photo.save(photos / f"{index:04}.png")
            Image.fromarray(segmenter(photo, edges="plain", zoom="off").label_map).save(ours / f"{index:04}.png")
        found = {int(value) for path in ours.iterdir() for value in np.unique(np.asarray(Image.open(path)))}
        print(f"{len(list(ours.iterdir()))} photos, {len(found)} of 18 classes predicted.")
        print("| transformers | tensors missing | unknown | smallest share of equal pixels | mean share |")
        print("|---|---|---|---|---|")
        for release in ["installed", *arguments.releases]:
            python = Path(sys.executable)  # our release, as a baseline for the differences of other releases
            if release != "installed":
                python = _environment((arguments.work or folder) / f"transformers-{release}", release)
            theirs = folder / release
            theirs.mkdir()
            report, shares = _compare(python, model, photos, ours, theirs)
            absent, besides = len(report["missing_keys"]), len(report["unexpected_keys"])
            print(f"| {report['version']} | {absent} | {besides} | {min(shares):.6f} | {np.mean(shares):.6f} |")


def _trained(data: Path, folder: Path) -> Path:
    """Return a model that `train_hf.py` saved after some steps from an image classification checkpoint."""
    torch.manual_seed(0)
    config = SegformerConfig(num_labels=1000, hidden_sizes=[32, 64, 160, 256], depths=[2, 2, 2, 2])
    SegformerForImageClassification(config).save_pretrained(folder / "mit-b0")
    command = [sys.executable, str(ROOT / "train_hf.py"), "--model_name_or_path", str(folder / "mit-b0")]
    command += ["--dataset_name", str(data), "--output_dir", str(folder / "run"), "--image_size", "256"]
    command += ["--max_steps", "30", "--learning_rate", "1e-3", "--eval_strategy", "no", "--disable_tqdm", "true"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ourselves
    return folder / "run" / "model"


def _environment(folder: Path, release: str) -> Path:
    """Return the Python of a virtual environment with this release of transformers, creating it if needed."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)  # noqa: S603 - ourselves
        numpy = "numpy<2" if tuple(map(int, release.split(".")[:2])) < (4, 42) else "numpy"
        packages = [f"transformers=={release}", *PACKAGES, numpy]
        subprocess.run([str(python), "-m", "pip", "install", "-q", *packages], check=True)  # noqa: S603 - pins of ours
    return python


def _compare(
    python: Path, model: Path, photos: Path, ours: Path, theirs: Path
) -> tuple[dict[str, object], list[float]]:
    """Return a release's report on loading the model, and for each photo the share of pixels that get our label."""
    command = [str(python), "-W", "ignore", "-c", PLAIN, *map(str, (model.resolve(), photos, theirs))]
    settings = {"HF_HUB_OFFLINE": "1", "PATH": ""}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=settings)  # noqa: S603 - PLAIN
    shares = []
    for path in sorted(ours.iterdir()):
        one, other = (np.asarray(Image.open(place / path.name)) for place in (ours, theirs))
        shares.append(float((one == other).mean()))
    return json.loads(done.stdout.splitlines()[-1]), shares


if __name__ == "__main__":
    main()
