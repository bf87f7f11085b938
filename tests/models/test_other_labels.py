"""`fashn-ai/fashn-human-parser` loads from the Hub with its labels, input size and resizing."""

import sys
from pathlib import Path

import forked
import torch
from local_hub import LocalHub
from paper_dolls import draw
from PIL import Image
from tiny_segformer import tiny_config
from transformers import SegformerForSemanticSegmentation, SegformerImageProcessorPil

from clothseg.labels import FASHN
from clothseg.models import loading


SCRIPT = """
import sys
import numpy as np
from huggingface_hub import HfApi
from PIL import Image
from clothseg import Segmenter
from clothseg.labels import FASHN
from clothseg.models.loading import read_label_set

name = "fashn-ai/fashn-human-parser"
api = HfApi(token="hf_fashn")
api.create_repo(name)
api.upload_folder(repo_id=name, folder_path=sys.argv[1])
assert read_label_set(name) is FASHN
segmenter = Segmenter.from_pretrained(name, engine="torch", device="cpu")
assert segmenter.labels is FASHN and segmenter.image_size == (576, 384)
photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (864, 576, 3), np.uint8))
thirds = np.asarray(photo, np.float64).repeat(2, 0).repeat(2, 1)  # 1.5 times the network's input in both directions
halved = thirds.reshape(576, 3, 384, 3, 3).mean((1, 3))
mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
expected = ((np.floor(halved + 0.5) / 255 - mean) / std).transpose(2, 0, 1)
np.testing.assert_allclose(segmenter.pixels([photo])[0], expected, atol=0.018)  # one level: means, not bilinear
result = segmenter(sys.argv[2], people="all", rules=True)
assert result.labels is FASHN and set(result.areas) <= set(FASHN.names)
print("served")
"""


def test_fashn_human_parser_loads_from_the_hub(tmp_path: Path) -> None:
    torch.manual_seed(0)
    labels = {"id2label": dict(FASHN.id2label), "label2id": dict(FASHN.label2id)}
    SegformerForSemanticSegmentation(tiny_config(**labels)).save_pretrained(tmp_path / "model")
    SegformerImageProcessorPil(size={"height": 576, "width": 384}).save_pretrained(tmp_path / "model")
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    doll = tmp_path / "doll.png"
    Image.fromarray(draw(1, 288, 192).image).save(doll)
    with LocalHub({"hf_fashn": "fashn-ai"}) as hub:
        env = hub.env(home=tmp_path / "home") | {"PYTHONPATH": str(Path(loading.__file__).parents[2])}
        done = forked.run([sys.executable, script, tmp_path / "model", doll], capture_output=True, text=True, env=env)
    assert done.returncode == 0 and done.stdout == "served\n", done.stderr
