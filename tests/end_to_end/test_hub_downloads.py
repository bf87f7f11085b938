"""A model's other files, pushed and downloaded by the real client, work from the downloaded folder: the handler of
Inference Endpoints, and the int8 file."""

import base64
import io
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import forked
import numpy as np
import pytest
from huggingface_hub import HfApi
from local_hub import LocalHub
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, Segmenter
from clothseg.engines.int8 import INT8_FILE, find_int8_file
from clothseg.models.loading import EMBEDDED, load
from clothseg.training.run import HANDLER


NAME, SERVED, TOKEN = "alice/clothes", "alice/served", "hf_alice"

AS_THE_TOOLKIT = """
import importlib.util, json, sys
from pathlib import Path
from huggingface_hub import snapshot_download

folder = snapshot_download(sys.argv[1])
spec = importlib.util.spec_from_file_location("handler.py", Path(folder, "handler.py"))
sys.path.insert(0, folder)
module = sys.modules["handler.py"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
handler = module.EndpointHandler(folder)
answer = handler({"inputs": Path(sys.argv[2]).read_bytes(), "parameters": {"classes": ["Hair"]}})
assert "clothseg" not in sys.modules
print(json.dumps(answer))
"""
"""As huggingface_inference_toolkit.utils.check_and_register_custom_pipeline_from_directory."""


@pytest.fixture(scope="module")
def hub(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHub]:
    """A Hub with the embedded model and its int8 file, and with a SegFormer and the handler."""
    folder = tmp_path_factory.mktemp("pushed") / "model"
    shutil.copytree(tiny_model, folder)
    shutil.copyfile(HANDLER, folder / "handler.py")
    with LocalHub({TOKEN: "alice"}) as hub, pytest.MonkeyPatch.context() as monkeypatch:
        hub.use_here(monkeypatch, tmp_path_factory.mktemp("pushing"))
        api = HfApi(endpoint=hub.url, token=TOKEN)
        for name, pushed in ((NAME, EMBEDDED), (SERVED, folder)):
            api.create_repo(name)
            api.upload_folder(repo_id=name, folder_path=pushed)
        yield hub


def test_pushed_handler_runs_from_a_snapshot(hub: LocalHub, tiny_model: Path, tmp_path: Path) -> None:
    photo = Image.fromarray(draw(1, 300, 200).image)
    photo.save(tmp_path / "photo.png")
    done = forked.run(
        [sys.executable, "-c", AS_THE_TOOLKIT, SERVED, str(tmp_path / "photo.png")],
        env=hub.env(home=tmp_path / "home"),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.splitlines()[-1])
    label_map, cutout = (
        np.asarray(Image.open(io.BytesIO(base64.b64decode(answer[name])))) for name in ("label_map", "cutout")
    )
    expected = Segmenter.from_pretrained(tiny_model)(photo, edges="plain", zoom="off", orientation="upright")
    assert (label_map == expected.label_map).mean() > 0.999
    assert np.array_equal(cutout[..., 3] > 0, label_map == 2) and (answer["width"], answer["height"]) == (200, 300)


def test_int8_file_is_downloaded_on_request_only(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(hub.behave)
    hub.use_here(monkeypatch, tmp_path)
    exact = Segmenter.from_pretrained(NAME, device="cpu")
    snapshot = tmp_path / "cache" / "models--alice--clothes" / "snapshots" / str(exact.revision)
    assert (snapshot / "model.safetensors").is_file() and not (snapshot / INT8_FILE).exists()
    # also for a commit that is in the cache without the file
    int8 = Segmenter.from_pretrained(NAME, revision=exact.revision, device="cpu", precision="int8")
    assert (snapshot / INT8_FILE).read_bytes() == (EMBEDDED / INT8_FILE).read_bytes()
    assert (int8.name, int8.revision) == (NAME, exact.revision)
    embedded = Segmenter.from_pretrained(device="cpu", precision="int8")
    photo = draw(2, 300, 200).image
    assert np.array_equal(int8(photo).label_map, embedded(photo).label_map)
    hub.use_here(monkeypatch, tmp_path / "other")
    Segmenter.from_pretrained(NAME, device="cpu")
    hub.misbehave(503)
    with pytest.raises(ConfigError, match=r"an earlier start did not download\. The Hub could not be asked"):
        Segmenter.from_pretrained(NAME, precision="int8")
    hub.use_here(monkeypatch, tmp_path)
    assert find_int8_file(load(NAME, exact.revision)).parent == snapshot / "onnx"
    assert Segmenter.from_pretrained(NAME, revision=exact.revision, precision="int8").notice == ""
