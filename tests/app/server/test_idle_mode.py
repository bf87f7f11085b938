"""An idle app polls rarely and returns free memory; the next request wakes it."""

import gradio as gr
import pytest

from clothseg.app.server import idle_mode
from clothseg.app.server.idle_mode import BUSY_POLL, IDLE_POLL, IDLE_SECONDS, TRIM_SECONDS, IdleMode


def test_idle_mode_reduces_polling_and_trims_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    trims = list[str]()
    monkeypatch.setattr(idle_mode, "trim_heap", lambda: trims.append("trimmed"))
    with gr.Blocks() as page:
        page.queue()
    idle = IdleMode(page)

    def poll() -> float:
        return page._queue.sleep_when_free

    assert poll() == IDLE_POLL > 4 * BUSY_POLL
    idle.wake()
    assert poll() == BUSY_POLL
    for quiet in (0.0, IDLE_SECONDS / 2):
        idle.update(quiet)
        assert poll() == BUSY_POLL and not trims
    idle.update(IDLE_SECONDS * 1.1)
    assert poll() == IDLE_POLL and not trims
    for quiet in (TRIM_SECONDS + 1, TRIM_SECONDS + 2):
        idle.update(quiet)
    assert trims == ["trimmed"], "memory is trimmed once"
    idle.wake()
    idle.update(TRIM_SECONDS + 1)
    assert trims == ["trimmed"] * 2
