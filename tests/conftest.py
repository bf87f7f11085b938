"""Settings to be made before torch, transformers and gradio are imported, and shared fixtures."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any


# Waiting threads must sleep: spinning ones would take a core from other processes on a small machine.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# One thread is enough for the tests' small networks and photos. On a small machine, two of them wait for each other
# most of the time, since other processes use the cores as well.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OPENCV_FOR_THREADS_NUM", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "0")
# No test contacts other machines: a test that needs a Hub starts its own, for itself or for a subprocess.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
# A shell starts background jobs with Ctrl+C ignored, and so would the programs that tests interrupt.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Let processes started by tests reuse compiled bytecode.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Converted models are kept for this run: its first process, the workers that pytest-xdist starts, and what they start.
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["CLOTHSEG_CACHE"] = tempfile.mkdtemp(prefix="clothseg-tests-")
    atexit.register(shutil.rmtree, os.environ["CLOTHSEG_CACHE"], ignore_errors=True)

import numpy as np
import pytest
from hypothesis import settings


# The duration of an example depends more on the machine's other load than on the code.
settings.register_profile("clothseg", deadline=None)
settings.load_profile("clothseg")

# When Gradio's server configures logging, absl (a dependency of TensorBoard) closes its first log stream, unless that
# is stderr. Under pytest it would be the file that captures the tests' output, which `capsys` replaces.
with suppress(ImportError):
    from absl import logging as absl_logging

    absl_logging.get_absl_handler().python_handler.stream = sys.__stderr__

_seconds: Counter[str] = Counter()
"""How long the tests of each file have taken in this run, in the first process of pytest-xdist."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give each process of pytest-xdist whole files, and the files whose tests share an app to one of them."""
    from whole_files import WholeFiles

    return WholeFiles(config, log, Path(os.environ["CLOTHSEG_CACHE"]))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Start slow files first, so that no process still runs one of them at the end, and keep files together that share
    an app or a browser.

    `served` starts quickly, so each process has its own; `public_app` takes ten times as long, and the browser's
    pages are shared.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    from whole_files import order_of, write_groups

    shared = ("public_app", "chromium")
    used = [(_file(item), set(getattr(item, "fixturenames", ()))) for item in items]
    groups = {file: name for file, fixtures in used for name in shared if name in fixtures}
    position = order_of([_file(item) for item in items], groups, config.cache.get("clothseg/seconds", {}))
    items.sort(key=lambda item: position[_file(item)])
    write_groups(Path(os.environ["CLOTHSEG_CACHE"]), groups)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _seconds[report.nodeid.partition("::")[0]] += report.duration


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remember how long files take, for the order of the next run, if they ran whole."""
    config = session.config
    whole = not config.option.keyword and not any("::" in argument for argument in config.args)
    if whole and config.pluginmanager.hasplugin("dsession"):
        config.cache.set("clothseg/seconds", {**config.cache.get("clothseg/seconds", {}), **_seconds})


def _file(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


@pytest.fixture
def rng() -> np.random.Generator:
    """A random number generator with a fixed seed."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a SegFormer with 35,000 random weights and our labels; it splits photos into many regions."""
    import torch
    from paper_dolls import draw
    from tiny_segformer import tiny_config
    from transformers import SegformerForSemanticSegmentation, SegformerImageProcessorPil

    from clothseg.labels import ID2LABEL, LABEL2ID

    processor = SegformerImageProcessorPil(size={"height": 128, "width": 128})
    torch.manual_seed(0)
    model = SegformerForSemanticSegmentation(tiny_config(id2label=ID2LABEL, label2id=LABEL2ID)).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=(2 / parameter[0].numel()) ** 0.5)
        # Normalise the classes' logits on photos, so that many classes win somewhere by a clear margin.
        logits = model(**processor(images=[draw(seed).image for seed in range(4)], return_tensors="pt")).logits
        spread = logits.std(dim=(0, 2, 3))
        classifier = model.decode_head.classifier
        classifier.weight.mul_(3 / spread[:, None, None, None])
        classifier.bias.copy_(-3 * logits.mean(dim=(0, 2, 3)) / spread)
    folder = tmp_path_factory.mktemp("models") / "tiny"
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def public_app(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address and folder of the app shared by the tests of untrusted visitors; its environment contains a secret.

    The folder contains `app.log`, `gradio/` and `sockets.log`, the log of the process's connections and name look-ups;
    `started.log` is a copy of that log from just after the start.
    """
    from app_server import SECRET, WATCH_SOCKETS, running_app

    folder = tmp_path_factory.mktemp("public")
    (folder / "sitecustomize.py").write_text(WATCH_SOCKETS)
    (folder / "sockets.log").touch()
    with running_app(
        folder,
        fork=False,
        CLOTHSEG_MODEL=str(tiny_model),
        HF_TOKEN=SECRET,
        HF_HUB_OFFLINE="0",
        PYTHONPATH=str(folder),
        SOCKET_LOG=str(folder / "sockets.log"),
    ) as url:
        shutil.copy(folder / "sockets.log", folder / "started.log")
        yield url, folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real photos that some machines have next to the repository."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the real photos in ../shared/data")
    return folder


@pytest.fixture(scope="session")
def served(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the app with the tiny model, shared by all tests that do not change it."""
    from app_server import await_model, running_app

    with running_app(tmp_path_factory.mktemp("served"), CLOTHSEG_MODEL=str(tiny_model)) as url:
        await_model(url)
        yield url
