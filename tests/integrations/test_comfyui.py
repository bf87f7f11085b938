"""The ComfyUI node pack: imported as by ComfyUI, run with tensors, and checked by its own script."""

import importlib.util
import inspect
import json
import re
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from paper_dolls import draw
from PIL import Image

from clothseg import CutoutOptions, Segmenter, TryonOptions
from clothseg.errors import ConfigError, UnknownClassError
from clothseg.labels import ATR


ROOT = Path(__file__).parents[2]
PACK = ROOT / "integrations" / "comfyui"
WORKFLOW = json.loads((PACK / "example_workflows" / "clothseg.json").read_text())

COMFY: dict[str, dict[str, Any]] = {
    "LoadImage": {"input": {"required": {"image": [["example.png"], {}]}}, "output": ["IMAGE", "MASK"]},
    "PreviewImage": {"input": {"required": {"images": ["IMAGE"]}}, "output": []},
    "SaveImage": {"input": {"required": {"images": ["IMAGE"], "filename_prefix": ["STRING", {}]}}, "output": []},
    "MaskToImage": {"input": {"required": {"mask": ["MASK"]}}, "output": ["IMAGE"]},
}
"""ComfyUI's own nodes in the example, as its `/object_info` describes them."""


def load(path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pack() -> Iterator[ModuleType]:
    """The pack, imported as by ComfyUI's `load_custom_node`: by path, under a name that is not an identifier."""
    name = str(PACK).replace(".", "_x_")
    yield load(PACK / "__init__.py", name)
    for module in [each for each in sys.modules if each.startswith(name)]:
        del sys.modules[module]


def described(pack: ModuleType) -> dict[str, dict[str, Any]]:
    """All nodes as `/object_info` describes them."""
    ours = {
        name: {"input": json.loads(json.dumps(node.INPUT_TYPES())), "output": list(node.RETURN_TYPES)}
        for name, node in pack.NODE_CLASS_MAPPINGS.items()
    }
    return COMFY | ours


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    pictures = [draw(seed, 120, 80).image for seed in range(2)]
    return torch.from_numpy(np.stack(pictures).astype(np.float32) / 255)


def same(tensor: torch.Tensor, picture: Image.Image) -> bool:
    return np.array_equal(np.rint(tensor.numpy() * 255).astype(np.uint8), np.asarray(picture))


def test_nodes_follow_comfyui_conventions(pack: ModuleType) -> None:
    assert pack.NODE_CLASS_MAPPINGS.keys() == pack.NODE_DISPLAY_NAME_MAPPINGS.keys()
    for node in pack.NODE_CLASS_MAPPINGS.values():
        types = node.INPUT_TYPES()
        specs = {**types["required"], **types["optional"]}
        function = inspect.signature(getattr(node, node.FUNCTION))
        function.bind(node(), **dict.fromkeys(specs))  # raises TypeError for an input that it does not take
        assert len(node.RETURN_TYPES) == len(node.RETURN_NAMES) and node.CATEGORY
        for name, (kind, *rest) in specs.items():
            if kind == "IMAGE":
                continue
            settings = rest[0]
            choices = kind if isinstance(kind, list) else None
            assert choices or kind in ("INT", "FLOAT", "STRING", "BOOLEAN"), name
            assert settings["default"] in choices if choices else "default" in settings, name
            if name in function.parameters and name in types["optional"]:
                assert function.parameters[name].default == settings["default"], name
    segment = pack.NODE_CLASS_MAPPINGS["ClothsegSegment"]
    assert set(ATR.names) <= set(segment.INPUT_TYPES()["optional"])
    assert segment.VALIDATE_INPUTS("#ff8800") is True and segment.VALIDATE_INPUTS(None) is True
    assert "red is not a colour" in segment.VALIDATE_INPUTS("red")


def test_segment_node_equals_the_library(pack: ModuleType, images: torch.Tensor, tiny_model: Path) -> None:
    node = pack.NODE_CLASS_MAPPINGS["ClothsegSegment"]()
    off = dict.fromkeys(ATR.names, False)
    given = {**off, "Dress": True, "Hair": True, "mask_blur": 3, "mask_offset": 2, "invert_output": True}
    made = node.segment(images, **given, model=str(tiny_model))
    coloured = node.segment(
        images, more_classes="All garments", model=str(tiny_model), background="Color", background_color="#ff8800"
    )
    assert [tuple(part.shape) for part in made] == [(2, 120, 80, 4), (2, 120, 80), (2, 120, 80, 3), (2, 120, 80, 3)]
    assert all(part.dtype == torch.float32 and 0 <= part.min() and part.max() <= 1 for part in made)
    segmenter = Segmenter.from_pretrained(str(tiny_model))
    for number, image in enumerate(images):
        result = segmenter(np.rint(image.numpy() * 255).astype(np.uint8))
        options = CutoutOptions(grow=2, feather=3, invert=True)
        assert same(made[0][number], result.cutout("Dress", "Hair", options=options))
        assert same(made[1][number], result.mask_picture("Dress", "Hair", options=options))
        np.testing.assert_array_equal(np.rint(made[2][number, ..., 0].numpy() * 255), result.label_map)
        assert same(made[3][number], result.overlay())
        garments = result.cutout("All garments", options=CutoutOptions(background="#ff8800"))
        assert same(coloured[0][number], garments)

    larger = node.segment(images[:1], model=str(tiny_model), process_res=192)
    assert larger[1].shape == (1, 120, 80) and not torch.equal(larger[2], made[2][:1])
    transparent = torch.cat([images[:1], torch.zeros(1, 120, 80, 1)], -1)
    assert not node.segment(transparent, model=str(tiny_model))[1].any(), "fully transparent images have no clothes"


def test_tryon_and_items_nodes_equal_the_library(pack: ModuleType, images: torch.Tensor, tiny_model: Path) -> None:
    nodes = pack.NODE_CLASS_MAPPINGS
    made = nodes["ClothsegTryonMask"]().make(images, "lower", reach=4, model=str(tiny_model))
    segmenter = Segmenter.from_pretrained(str(tiny_model))
    results = [segmenter(np.rint(image.numpy() * 255).astype(np.uint8)) for image in images]
    for number, result in enumerate(results):
        mask, picture = result.tryon(options=TryonOptions(part="lower", reach=4))
        assert same(made[0][number], picture) and same(made[1][number], mask)

    crops, masks, texts = nodes["ClothsegItems"]().crop(images, padding=2, min_share=0.01, model=str(tiny_model))
    items = [item for result in results for item in result.items("All garments", min_share=0.01)]
    assert len(crops) == len(masks) == len(texts) == len(items) > 2
    for crop, mask, text, item in zip(crops, masks, texts, items, strict=True):
        assert crop.shape[:3] == mask.shape and crop.shape[0] == 1 and text.endswith(item.name)
        assert int(mask.sum()) == item.area and item.box[3] <= crop.shape[1] <= item.box[3] + 4


def test_invalid_inputs_raise_clear_errors(
    pack: ModuleType, images: torch.Tensor, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    node, off = pack.NODE_CLASS_MAPPINGS["ClothsegSegment"](), dict.fromkeys(ATR.names, False)
    with pytest.raises(ConfigError, match=r"No class is chosen\. .*the model has: Background, Hat"):
        node.segment(images, **off, model=str(tiny_model))
    with pytest.raises(UnknownClassError, match="Trousers"):
        node.segment(images, more_classes="Trousers", model=str(tiny_model))
    with pytest.raises(ConfigError, match="No item"):
        pack.NODE_CLASS_MAPPINGS["ClothsegItems"]().crop(images, min_share=1.0, model=str(tiny_model))

    (tmp_path / "clothseg").mkdir()
    (tmp_path / "clothseg" / "tiny").symlink_to(tiny_model)
    models = sys.modules[f"{pack.__name__}.models"]
    assert models.model_path("tiny") == "tiny" and models.model_path(" ") is None
    monkeypatch.setitem(sys.modules, "folder_paths", SimpleNamespace(models_dir=str(tmp_path)))
    assert models.model_path("tiny") == str(tmp_path / "clothseg" / "tiny")
    assert models.model_path("user/name") == "user/name", "a Hub id"


def test_progress_is_reported_and_cancelling_stops(
    pack: ModuleType, images: torch.Tensor, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []

    def cancel() -> None:
        raise InterruptedError

    bar = SimpleNamespace(ProgressBar=lambda total: SimpleNamespace(update=lambda step: steps.append((step, total))))
    monkeypatch.setitem(sys.modules, "comfy", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "comfy.utils", bar)
    management = SimpleNamespace(throw_exception_if_processing_interrupted=cancel)
    monkeypatch.setitem(sys.modules, "comfy.model_management", management)
    with pytest.raises(InterruptedError):
        pack.NODE_CLASS_MAPPINGS["ClothsegTryonMask"]().make(images, model=str(tiny_model))
    assert steps == [(1, 2)]


def test_example_workflow_matches_the_nodes(pack: ModuleType) -> None:
    known, check = described(pack), load(PACK / "check.py", "comfyui_check")
    nodes = {node["id"]: node for node in WORKFLOW["nodes"]}
    assert set(pack.NODE_CLASS_MAPPINGS) <= {node["type"] for node in nodes.values()}
    for node in nodes.values():
        if node["type"] in pack.NODE_CLASS_MAPPINGS:
            kind = pack.NODE_CLASS_MAPPINGS[node["type"]]
            assert [output["name"] for output in node["outputs"]] == list(kind.RETURN_NAMES)
            assert len(node["widgets_values"]) == len(check.widgets(known[node["type"]]))
    for number, source, output, target, slot, kind in WORKFLOW["links"]:
        given, taken = nodes[source]["outputs"][output], nodes[target]["inputs"][slot]
        assert given["type"] == kind == taken["type"] and number in given["links"] and taken["link"] == number
        assert known[nodes[source]["type"]]["output"][output] == kind
    for part in check.as_prompt(WORKFLOW, known, "photo.jpg").values():
        specs = known[part["class_type"]]["input"]
        specs = {**specs["required"], **specs.get("optional", {})}
        assert set(specs) == set(part["inputs"]), part["class_type"]
        for name, value in part["inputs"].items():
            kind, settings = specs[name][0], (*specs[name], {})[1]
            if isinstance(kind, list):
                assert value in kind or value == "photo.jpg", name
            elif kind in ("INT", "FLOAT"):
                assert settings["min"] <= value <= settings["max"], name
            else:
                assert isinstance(value, {"BOOLEAN": bool, "STRING": str}.get(kind, list)), name


def test_check_script_runs_the_example_on_a_server(
    pack: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fake server with ComfyUI's interface."""
    check, prompts, failing = load(PACK / "check.py", "comfyui_check"), [], []

    class Server(BaseHTTPRequestHandler):
        def answer(self, content: Any) -> None:
            body = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            if self.path == "/object_info":
                self.answer(described(pack))
                return
            assert self.path == "/history/7"
            status = {"status_str": "error" if failing else "success"}
            self.answer({"7": {"status": status, "outputs": {"9": {"images": [{"filename": "labels_1.png"}]}}}})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/upload/image":
                assert b"the photo" in body and "multipart/form-data" in self.headers["Content-Type"]
                self.answer({"name": "photo (1).jpg"})
            else:
                prompts.append(json.loads(body)["prompt"])
                self.answer({"prompt_id": "7"})

        def log_message(self, *_: Any) -> None:
            pass

    (tmp_path / "photo.jpg").write_bytes(b"the photo")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    argv = [str(tmp_path / "photo.jpg"), "--server", f"http://127.0.0.1:{server.server_port}"]
    try:
        assert check.main(argv) == 0
        assert "node 9, SaveImage: labels_1.png" in capsys.readouterr().out
        assert prompts[0]["1"]["inputs"]["image"] == "photo (1).jpg" and prompts[0]["2"]["inputs"]["images"] == [
            "1",
            0,
        ]
        failing.append(True)
        assert check.main(argv) == 1
    finally:
        server.shutdown()
        server.server_close()
    assert check.main(argv) == 1 and "does not answer" in capsys.readouterr().out


def test_pack_requirements_match_clothseg() -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    stated = tomllib.loads((PACK / "pyproject.toml").read_text())
    lines = [line for line in (PACK / "requirements.txt").read_text().splitlines() if not line.startswith("#")]
    assert lines == [line for line in ours["dependencies"] if not line.startswith("torch>")]
    assert stated["project"]["requires-python"] == ours["requires-python"] and "DisplayName" in stated["tool"]["comfy"]
    from clothseg import __version__

    assert stated["project"]["version"] == __version__
    text = (ROOT / "docs" / "comfyui.md").read_text()
    nodes = (PACK / "nodes.py").read_text()
    for name in re.findall(r'"Clothseg\w+": "([^"]+)"', nodes):
        assert name in text, f"docs/comfyui.md does not describe {name}"
