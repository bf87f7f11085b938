"""The page in the browser alone (integrations/web): its files, with a model and ONNX Runtime Web among them."""

import base64
import hashlib
import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError, ModelError


if TYPE_CHECKING:
    from clothseg.models.loading import LoadedModel

MODEL_FILE = "model.onnx"

SOURCES = Path("integrations/web")

COPIED = ("*.html", "*.js", "*.css", "*.svg", "*.webmanifest")
"""Files of `SOURCES` that the page consists of."""

AGREEMENT = 0.99
"""Least share of a photo's pixels that must have the same class with float16 weights."""

CARD = """---
title: clothseg
emoji: 👗
colorFrom: indigo
colorTo: pink
sdk: static
app_file: index.html
license: {terms}
short_description: Cuts clothes out of photos in your browser alone
custom_headers:
  cross-origin-embedder-policy: require-corp
  cross-origin-opener-policy: same-origin
  cross-origin-resource-policy: cross-origin
tags:
  - image-segmentation
  - human-parsing
  - fashion
  - onnx
{models}---

# clothseg in the browser

Finds every garment in a photo and cuts it out. The network runs in the visitor's browser, in WebAssembly or on the
GPU: photos are not uploaded. After the first visit the page works offline.

Model: {name}. {license}

`python -m clothseg deploy --static` made these files, and overwrites them when it runs again.
"""


def page_files(loaded: "LoadedModel", runtime: dict[str, bytes], root: Path) -> dict[str, bytes]:
    """Return the files of the page, path -> content. The loaded model must not be used again.

    Args:
        loaded: the model.
        runtime: of `web_runtime.runtime_files`.
        root: a clone of the repository.

    Raises:
        ConfigError: `root` is not a clone of the repository.
        ImportError: onnx or onnxruntime is not installed.
        ModelError: the model cannot be exported.
    """
    from clothseg.app.components.stage_source import style

    sources = root / SOURCES
    if not (sources / "index.html").is_file():
        raise ConfigError(
            f"deploy --static needs {SOURCES}, which an installed package does not contain: run it in a clone of the "
            "repository."
        )
    about, network = describe(loaded)
    files = {path.name: path.read_bytes() for pattern in COPIED for path in sorted(sources.glob(pattern))}
    files |= {
        "ui.css": (root / "clothseg/app/ui.css").read_bytes(),
        "stage.css": f"#stage {{\n{style()}}}\n".encode(),
        "stage.js": _stage_module().encode(),
        MODEL_FILE: network,
        "runtime/LICENSE.txt": (sources / "runtime-license.txt").read_bytes(),
    }
    files |= {f"runtime/{name}": content for name, content in runtime.items()}
    files["texts.json"] = _json(_texts(about, files, sources))
    about["bytes"] = {name: len(files[name]) for name in files if name == MODEL_FILE or name.endswith(".wasm")}
    files["model.json"] = _json(about)
    listed = {
        name: {"digest": hashlib.sha256(content).hexdigest()[:20], "bytes": len(content)}
        for name, content in sorted(files.items())
        if name != "service-worker.js"
    }
    files["offline-files.js"] = f"self.FILES = {json.dumps(listed, indent=1)};\n".encode()
    files["LICENSE"] = (root / "LICENSE").read_bytes()
    files["README.md"] = _card(loaded).encode()
    return files


def describe(loaded: "LoadedModel") -> tuple[dict[str, Any], bytes]:
    """Return what the page needs to know of a model (`model.json`), and the network as ONNX with float16 weights."""
    from clothseg.engines.conversion import Network, export_onnx
    from clothseg.engines.onnx_half import halve_weights
    from clothseg.models.preprocessing import NetworkInput

    prepare = NetworkInput(loaded.processor, loaded.input_size)
    labels = loaded.labels
    with tempfile.TemporaryDirectory() as folder:
        exact, half = Path(folder) / "exact.onnx", Path(folder) / "half.onnx"
        export_onnx(Network(loaded.model, None if loaded.any_size else loaded.input_size), exact, loaded.name)
        halve_weights(exact, half)
        test = _test_picture()
        pixels = prepare([Image.fromarray(test)], prepare.size)
        expected, found = (_run(path, pixels) for path in (exact, half))
        network = half.read_bytes()
    share = float((expected.argmax(axis=0) == found.argmax(axis=0)).mean())
    if share < AGREEMENT:
        raise ModelError(f"With float16 weights only {share:.2%} of the pixels keep their class in {loaded.name}.")
    from clothseg.postprocess.decoding import reorder
    from clothseg.postprocess.upsample import best_classes

    cells = best_classes(reorder(found[None], loaded.channels)[0])
    return {
        "name": loaded.name if loaded.revision is None else f"{loaded.name} ({loaded.revision[:10]})",
        "license": loaded.license_note,
        "file": MODEL_FILE,
        "input": list(prepare.size),
        "resample": int(prepare.resample),
        "reversed": prepare.reversed,
        "values": [[float(str(value)) for value in channel] for channel in prepare.values],
        "channels": list(loaded.channels),
        "classes": [{"name": name, "color": labels.hex_color(name), "ink": labels.ink(name)} for name in labels.names],
        "groups": {name: list(names) for name, names in labels.groups.items()},
        "garments": list(labels.garments),
        "roles": {"head": labels.head, "face": labels.face, "legs": labels.legs, "has_face": labels.has("face")},
        "test": {
            "width": test.shape[1],
            "height": test.shape[0],
            "labels": base64.b64encode(cells.tobytes()).decode(),
        },
    }, network


def _card(loaded: "LoadedModel") -> str:
    """Return the Space's README. The weights are among its files, so their licence counts, too."""
    from clothseg.models.license import STATED

    free = loaded.license_note == f"{STATED}apache-2.0."
    return CARD.format(
        name=loaded.name,
        license=loaded.license_note,
        terms="apache-2.0" if free else "other",
        models=f"models:\n  - {loaded.name}\n" if loaded.revision else "",
    )


def _test_picture() -> npt.NDArray[np.uint8]:
    """Return the picture (H, W, 3) with which network.js tests a GPU; it draws the same one."""
    rows, columns, bands = np.ogrid[:384, :256, :3]
    return (((columns >> 4) * 37 + (rows >> 4) * 91 + bands * 53) & 255).astype(np.uint8)


def _run(path: Path, pixels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    from clothseg.engines.onnx_session import open_session

    logits: npt.NDArray[np.float32] = open_session(path).run(None, {"pixel_values": pixels})[0][0]
    return logits


def _stage_module() -> str:
    from clothseg.app.components.stage_source import markup, script

    return (
        f"export const markup = {json.dumps(markup())};\n"
        f"export function run(element, props, trigger, watch) {{\n{script()}\n}}\n"
    )


def _texts(about: dict[str, Any], files: dict[str, bytes], sources: Path) -> dict[str, Any]:
    """Return code of a language -> {name, words, stage}: texts of the page and of the stage, names of classes."""
    from clothseg.app.components.stage_source import texts
    from clothseg.app.i18n import LANGUAGES, NAME, catalogue, tr, use_language

    page = " ".join(content.decode() for name, content in files.items() if name.endswith((".html", ".js")))
    names = {entry["name"] for entry in about["classes"]} | {*about["groups"]}
    made = {}
    for language in LANGUAGES:
        own = sources / "translations" / f"{language}.json"
        words = {text: said for text, said in catalogue(language).items() if text in names or text in page}
        words |= json.loads(own.read_text(encoding="utf-8")) if own.is_file() else {}
        with use_language(language):
            words[about["license"]] = _licence(about["license"])
            made[language] = {"name": tr(NAME), "words": words, "stage": texts()}
    return made


def _licence(note: str) -> str:
    from clothseg.app.i18n import tr
    from clothseg.models.license import STATED

    if note.startswith(STATED):
        return tr("Licence of the weights, by their model card: {terms}", terms=note.removeprefix(STATED))
    return tr(note)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
