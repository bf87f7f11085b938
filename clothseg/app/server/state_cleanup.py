"""Free Gradio's state of finished calls and uploads, so that a server can run for weeks.

For each call, Gradio keeps who may fetch its answer, and the answer until it is fetched; for each upload, its
progress; and for each call without a session, as programs make them, a new session. Together with file names, which
`temp_storage.clear` removes from Gradio's lists, and the statistics that app.py turns off, this takes about 20 KB for
each photo.
"""

import time

import gradio as gr

from clothseg.app.limits import KEEP_SECONDS
from clothseg.app.server.gradio_internals import (
    drop_session_answers,
    drop_upload,
    finished_uploads,
    keep_answers,
    open_sessions,
)


SETTLED_SECONDS = 30.0
"""Time after which a delivered answer or the end of an upload's progress counts as read."""


class StateCleanup:
    """Finished calls and uploads of a served page, and the time since when each is known to be finished."""

    def __init__(self, page: gr.Blocks) -> None:
        """Start without finished calls."""
        self.page, self.finished_since = page, dict[tuple[str, float], float]()

    def free_finished(self, now: float | None = None) -> None:
        """Free answers fetched and uploads finished `SETTLED_SECONDS` ago, and answers unread for `KEEP_SECONDS`.

        The time counts from the first call that finds something finished. Call this in the thread of the server's
        event loop, which owns these objects.

        Args:
            now: time in seconds of `time.monotonic`, for tests.
        """
        now = time.monotonic() if now is None else now
        finished = set[tuple[str, float]]()  # names, and the seconds for which each is kept
        for session in open_sessions(self.page):
            if session.running:
                keep_answers(self.page, session.name)
            else:
                finished.add((session.name, KEEP_SECONDS if session.unread else SETTLED_SECONDS))
        finished |= {(upload, SETTLED_SECONDS) for upload in finished_uploads()}
        self.finished_since = {key: self.finished_since.get(key, now) for key in finished}
        for name, seconds in finished:
            if now - self.finished_since[name, seconds] >= seconds:
                drop_session_answers(self.page, name)
                drop_upload(name)
                del self.finished_since[name, seconds]
