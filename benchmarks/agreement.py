"""Agreement of our label maps with transformers' own post-processing, for the same weights, photo by photo.

    python -m benchmarks.agreement FOLDER [--model NAME_OR_PATH]

FOLDER contains validation.parquet. transformers' way is image processor, model, and
`post_process_semantic_segmentation(target_sizes=...)`. Without --model, the embedded weights are used.
"""

import argparse

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm
from transformers import AutoImageProcessor, AutoModelForSemanticSegmentation

from clothseg import Segmenter
from clothseg.models import clothseg_lite  # noqa: F401 - registers clothseg-lite
from clothseg.models.loading import EMBEDDED
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits


def main() -> None:
    """Print the smallest and the mean share of equal pixels over all photos."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--model", default=str(EMBEDDED))
    arguments = parser.parse_args()

    segmenter = Segmenter.from_pretrained(arguments.model, device="cpu")
    processor = AutoImageProcessor.from_pretrained(arguments.model, backend="pil")
    model = AutoModelForSemanticSegmentation.from_pretrained(arguments.model, dtype=torch.float32).eval()
    shares = []
    for row in tqdm(load_splits(arguments.folder, None, 0.1, 0).validation, unit=" photos"):
        photo = Image.fromarray(decode_row(row)[0])
        with torch.inference_mode():
            outputs = model(**processor(photo, return_tensors="pt"))
        stock = processor.post_process_semantic_segmentation(outputs, target_sizes=[(photo.height, photo.width)])[0]
        shares.append(float((segmenter(photo, edges="plain").label_map == stock.numpy()).mean()))
    print("| photos | smallest share of equal pixels | mean share | photos with all pixels equal |")
    print("|---|---|---|---|")
    print(f"| {len(shares)} | {min(shares):.6f} | {np.mean(shares):.6f} | {sum(share == 1 for share in shares)} |")


if __name__ == "__main__":
    main()
