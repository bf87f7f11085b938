"""State of finished calls is freed; answers that can still be fetched are kept."""

import gc
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio.routes import file_upload_statuses
from paper_dolls import draw
from pictures import encoded
from PIL import Image
from waiting_engine import Waiting

from clothseg import Segmenter
from clothseg.app.blocks import build, launch_options
from clothseg.app.limits import KEEP_SECONDS
from clothseg.app.server import temp_storage
from clothseg.app.server.request_limits import protect
from clothseg.app.server.state_cleanup import SETTLED_SECONDS, StateCleanup


META = {"meta": {"_type": "gradio.FileData"}}


@pytest.fixture(scope="module")
def served(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[gr.Blocks, httpx.Client]]:
    """The page as the app serves it, with a fake network that answers at once, and a client."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_TEMP_DIR", str(tmp_path_factory.mktemp("temp")))
        patch.setenv("GRADIO_ANALYTICS_MAX_EVENTS", "1")
        patch.setenv("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))
        segmenter = Segmenter.from_pretrained(tiny_model)
        engine = segmenter.engine = Waiting()
        engine.released.set()
        page = build(segmenter)
        page.queue()
        page.engine = engine
        patch.setattr(temp_storage, "MEASURE_SECONDS", 1e9)  # the tests call it themselves
        _, url, _ = page.launch(
            prevent_thread_lock=True, quiet=True, **launch_options(), **protect(page, 2**20, 2**30)
        )
        with httpx.Client(base_url=f"{url}gradio_api", timeout=60) as client:
            yield page, client
        page.close()


@pytest.fixture
def photo() -> bytes:
    return encoded(Image.fromarray(draw(1, 96, 64).image), "PNG")


def segment(client: httpx.Client, data: bytes) -> str:
    """The answer of /segment for a file, uploaded as the page does it with progress."""
    upload = os.urandom(8).hex()
    sent = client.post(f"/upload?upload_id={upload}", files={"files": ("a.png", data)}).json()[0]
    assert "done" in client.get(f"/upload_progress?upload_id={upload}").text
    answer = client.get(f"/call/segment/{begin(client, data=[{'path': sent, **META}])}").text
    return "complete" if "event: complete" in answer else answer


def begin(client: httpx.Client, **names: Any) -> str:
    """Call /segment, by default without a photo, and return the event id for fetching the answer."""
    return client.post("/call/segment", json={"data": [None], **names}).json()["event_id"]


def ended(page: gr.Blocks, but: int = 0) -> None:
    """Wait until at most `but` calls are in progress."""
    while len(page._queue.event_ids_to_events) > but:
        time.sleep(0.01)


def test_finished_calls_leave_no_growing_state(served: tuple[gr.Blocks, httpx.Client], photo: bytes) -> None:
    """Photos, broken photos, and every fifth answer not fetched."""
    page, client = served
    finished = StateCleanup(page)
    held = []
    for _ in range(3):
        for number in range(30):
            if number % 5:
                said = segment(client, photo if number % 2 else photo[:500])
                assert said == "complete" if number % 2 else "event: error" in said
            else:
                begin(client)
        ended(page)
        temp_storage.clear(
            Path(os.environ["GRADIO_TEMP_DIR"]), 0, (), time.time() + KEEP_SECONDS + 1, page.temp_file_sets
        )
        assert not any(page.temp_file_sets), "names of files that are gone"
        kept = [*page._queue.pending_event_ids_session, *file_upload_statuses._signals]
        assert len(kept) >= 30 + 24, (
            "Gradio releases them itself: clothseg.app.server.state_cleanup is no longer needed"
        )
        finished.free_finished(0)
        finished.free_finished(KEEP_SECONDS + 1)
        gc.collect()
        held.append(len(gc.get_objects()))
    assert held[2] - held[1] < 30, "some object of each call is kept"


def test_answers_are_kept_as_long_as_their_files(served: tuple[gr.Blocks, httpx.Client]) -> None:
    page, client = served
    finished, unread = StateCleanup(page), begin(client)
    ended(page)
    for now in (0, SETTLED_SECONDS + 1, KEEP_SECONDS - 1):
        finished.free_finished(now)
    assert "No photo was given" in client.get(f"/call/segment/{unread}").text
    finished.free_finished(KEEP_SECONDS)
    assert unread in page._queue.pending_event_ids_session, "a client may still be reading its end"
    finished.free_finished(KEEP_SECONDS + SETTLED_SECONDS)
    assert unread not in page._queue.pending_event_ids_session
    assert unread not in page._queue.pending_messages_per_session
    other = begin(client)
    ended(page)
    finished.free_finished(0)
    finished.free_finished(KEEP_SECONDS)
    assert "404" in client.get(f"/call/segment/{other}").text


def test_waiting_calls_are_not_evicted(
    served: tuple[gr.Blocks, httpx.Client], photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Gradio keeps answers of a limited number of sessions and drops the oldest."""
    page, client = served
    monkeypatch.setattr(page._queue.pending_messages_per_session, "max_size", 4)
    sent = client.post("/upload", files={"files": ("a.png", photo)}).json()[0]
    page.engine.released.clear()
    waiting = begin(client, data=[{"path": sent, **META}])
    try:
        for _ in range(8):
            begin(client)
            ended(page, 1)
            StateCleanup(page).free_finished()
    finally:
        page.engine.released.set()
    assert "event: complete" in client.get(f"/call/segment/{waiting}").text


def test_number_of_unfetched_answers_is_limited(
    served: tuple[gr.Blocks, httpx.Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    page, client = served
    assert page._queue.pending_messages_per_session.max_size == 2000, "docs/experiments/load.md says so"
    monkeypatch.setattr(page._queue.pending_messages_per_session, "max_size", 4)
    calls = []
    for _ in range(9):
        calls.append(begin(client))
        ended(page)
    finished = StateCleanup(page)
    finished.free_finished(0)
    finished.free_finished(SETTLED_SECONDS)
    assert list(page._queue.pending_messages_per_session) == calls[-4:]
    assert list(page._queue.pending_event_ids_session) == calls[-4:]


def test_later_calls_are_answered_after_a_running_call_was_dropped(
    served: tuple[gr.Blocks, httpx.Client], photo: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, client = served
    monkeypatch.setattr(page._queue.pending_messages_per_session, "max_size", 2)
    sent = client.post("/upload", files={"files": ("a.png", photo)}).json()[0]
    page.engine.released.clear()
    for _ in range(6):  # two are segmented, the others wait
        begin(client, data=[{"path": sent, **META}])
    page.engine.released.set()
    ended(page)
    assert "event: complete" in client.get(f"/call/segment/{begin(client, data=[{'path': sent, **META}])}").text


def test_sessionless_calls_do_not_evict_visitor_sessions(served: tuple[gr.Blocks, httpx.Client]) -> None:
    """A visitor's session, with photo and result, survives any number of calls without a session."""
    page, client = served
    begin(client, session_hash="visitor")
    ended(page)
    for _ in range(launch_options()["state_session_capacity"] + 1):
        begin(client)
    ended(page)
    assert "visitor" in page.state_holder.session_data
