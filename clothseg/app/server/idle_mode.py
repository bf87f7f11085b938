"""Use little CPU time and memory while nobody uses the app."""

import gradio as gr

from clothseg.app.server.gradio_internals import set_poll_seconds
from clothseg.process_settings import trim_heap


BUSY_POLL, IDLE_POLL = 0.005, 0.05
"""Seconds between two looks of Gradio's queue for waiting calls. A call waits for half of it on average."""

IDLE_SECONDS = 2.0
"""Time without requests after which the queue is polled less often."""

TRIM_SECONDS = 10.0
"""Time without requests after which freed memory is returned to the system (`process_settings.trim_heap`)."""


class IdleMode:
    """Whether the app is in use, and what follows from it: how often the queue is polled, and when memory is freed.

    Attributes:
        trimmed: whether memory has been returned since the last request.
    """

    def __init__(self, page: gr.Blocks) -> None:
        """Start idle; `page` has its queue."""
        self.page, self.trimmed = page, False
        set_poll_seconds(page, IDLE_POLL)

    def wake(self) -> None:
        """Note that a request begins."""
        self.trimmed = False
        set_poll_seconds(self.page, BUSY_POLL)

    def update(self, quiet_seconds: float) -> None:
        """Note the seconds since the last request ended; 0 while some are being answered."""
        set_poll_seconds(self.page, IDLE_POLL if quiet_seconds > IDLE_SECONDS else BUSY_POLL)
        if quiet_seconds > TRIM_SECONDS and not self.trimmed:
            self.trimmed = True
            trim_heap()
