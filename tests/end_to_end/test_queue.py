"""More visitors than the queue holds: those in the queue are served, the others get a clear error."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.utils import QueueError
from paper_dolls import draw
from PIL import Image
from waiting_engine import Waiting

from clothseg import Segmenter
from clothseg.app.blocks import build, launch_options
from clothseg.app.limits import MODEL_LIMIT


@pytest.fixture
def served(tiny_model: Path) -> Iterator[tuple[str, Waiting]]:
    segmenter = Segmenter.from_pretrained(tiny_model)
    engine = segmenter.engine = Waiting()
    page = build(segmenter)
    page.queue(max_size=1)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield url, engine
    engine.released.set()
    page.close()


def test_full_queue_rejects_new_requests_and_serves_queued_ones(served: tuple[str, Waiting], tmp_path: Path) -> None:
    url, engine = served
    photo = tmp_path / "photo.png"
    Image.fromarray(draw(1, 96, 64).image).save(photo)
    client = Client(url, verbose=False, download_files=str(tmp_path))
    uploaded = httpx.post(f"{url}gradio_api/upload", files={"files": photo.read_bytes()}).json()[0]
    body = {"data": [{"path": uploaded, "meta": {"_type": "gradio.FileData"}}]}
    with ThreadPoolExecutor() as pool:
        running = pool.submit(client.predict, handle_file(str(photo)), api_name="/segment")
        assert engine.entered.acquire(timeout=30)
        for _ in range(MODEL_LIMIT - 1):
            assert httpx.post(f"{url}gradio_api/call/segment", json=body).status_code == 200
            time.sleep(1)  # it has left the queue
        waiting = httpx.post(f"{url}gradio_api/call/segment", json=body)
        full = httpx.post(f"{url}gradio_api/call/segment", json=body)
        assert (waiting.status_code, full.status_code) == (200, 503)
        assert full.json()["detail"].startswith("Queue is full.")
        with pytest.raises(QueueError, match="Queue is full! Please try again"):
            client.predict(handle_file(str(photo)), api_name="/segment")
        engine.released.set()
        _, _, summary = running.result(60)
    answer = httpx.get(f"{url}gradio_api/call/segment/{waiting.json()['event_id']}", timeout=60)
    assert summary["width"] == 64 and "event: complete" in answer.text
