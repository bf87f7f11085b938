"""Loading the model in the background while the page is already served.

Covers `clothseg.app.model_status`, `clothseg.app.translated_blocks`.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import Segmenter
from clothseg.app.blocks import build
from clothseg.app.model_loader import LazySegmenter, failure, load_with_head_start, pending
from clothseg.app.translated_blocks import Page
from clothseg.errors import ModelError


PHOTO = Image.fromarray(draw(1, 96, 64).image)


@pytest.fixture
def segmenter(tiny_model: Path) -> Segmenter:
    return Segmenter.from_pretrained(tiny_model, engine="torch", device="cpu")


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """An event that loading waits for."""
    gate = threading.Event()
    yield gate
    gate.set()


def after(gate: threading.Event, outcome: Segmenter | Exception) -> Any:
    def load() -> Segmenter:
        assert gate.wait(60)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    return load


def test_calls_wait_for_the_model(segmenter: Segmenter, gate: threading.Event) -> None:
    coming = LazySegmenter("alice/clothes", after(gate, segmenter))
    assert pending(coming) is coming and coming.asked == "alice/clothes" and failure(coming) is None
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(coming, PHOTO), pool.submit(coming.batch, [PHOTO]), pool.submit(lambda: coming.name)]
        assert not any(call.done() for call in calls)
        gate.set()
        one, (other,), name = (call.result(60) for call in calls)
    expected = segmenter(PHOTO).label_map
    assert np.array_equal(one.label_map, expected) and np.array_equal(other.label_map, expected)
    assert name == coming.name == segmenter.name and pending(coming) is None
    assert not hasattr(coming, "nothing_of_the_kind")
    assert coming.image_size == segmenter.image_size and coming.engine is segmenter.engine


def test_failed_load_raises_in_all_waiting_calls(gate: threading.Event) -> None:
    coming = LazySegmenter(None, after(gate, ModelError("broken weights")))
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(coming, PHOTO)
        gate.set()
        with pytest.raises(ModelError, match="broken weights"):
            waiting.result(60)
    with pytest.raises(ModelError, match="broken weights"):
        coming(PHOTO)
    assert isinstance(failure(coming), ModelError) and pending(coming) is None


def test_head_start_waits_for_a_quick_load(segmenter: Segmenter, gate: threading.Event) -> None:
    assert isinstance(load_with_head_start("alice/clothes", after(gate, segmenter), 0.01), LazySegmenter)
    gate.set()
    assert load_with_head_start("alice/clothes", after(gate, segmenter), 60) is segmenter
    with pytest.raises(ModelError, match="no such model"):
        load_with_head_start(None, after(gate, ModelError("no such model")), 60)


def test_path_of_a_model_folder_is_not_published(gate: threading.Event, segmenter: Segmenter) -> None:
    assert LazySegmenter("/home/alice/./clothes", after(gate, segmenter)).asked == "clothes"


def told(page: Page) -> str:
    """All HTML visible to a new visitor."""
    shown = [part["props"] for part in page.config["components"] if part["type"] == "html"]
    return " ".join(props["value"] for props in shown if props["visible"] and props.get("value"))


def test_page_shows_loading_state_and_then_the_model(segmenter: Segmenter, gate: threading.Event) -> None:
    coming = LazySegmenter("alice/clothes", after(gate, segmenter))
    page = build(coming)
    assert any(part["type"] == "timer" and part["props"]["active"] for part in page.config["components"])
    assert "alice/clothes</code> is being loaded" in told(page)
    assert "not for commercial use" not in told(page)
    gate.set()
    coming.loaded.result(60)
    deadline = time.monotonic() + 60
    while "is being loaded" in told(page) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert told(page) == told(build(segmenter))
    assert not any(part["type"] == "timer" and part["props"]["active"] for part in page.config["components"])
