"""Frees Gradio's state of calls and uploads that are over, so that a server can run for weeks.

Of each call Gradio keeps who may fetch its answer, and the answer itself until it is fetched; of each upload whose
progress may be watched, that progress; and of each call without a session, as programs make them, a session. With the
names of files, which `temp_storage.clear` removes from Gradio's lists, and the statistics that app.py turns off, that
comes to some 20 KB a photo.
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
"""After which nobody is in the middle of reading an answer that has been delivered, or the end of an upload."""


class StateCleanup:
    """Of a page that is served: what is over, and since when that is known."""

    def __init__(self, page: gr.Blocks) -> None:
        """Know of nothing yet."""
        self.page, self.over = page, dict[tuple[str, float], float]()

    def forget(self, now: float | None = None) -> None:
        """Let go of answers fetched and uploads ended `SETTLED_SECONDS` ago, and answers unread for `KEEP_SECONDS`.

        Whatever is over counts from the first call that finds it so. To be called in the thread of the server's event
        loop, whose objects these are.

        Args:
            now: the time, if it is another, in seconds as `time.monotonic` counts them.
        """
        now = time.monotonic() if now is None else now
        found = set[tuple[str, float]]()  # names, and the seconds for which each stays
        for session in open_sessions(self.page):
            if session.running:
                keep_answers(self.page, session.name)
            else:
                found.add((session.name, KEEP_SECONDS if session.unread else SETTLED_SECONDS))
        found |= {(upload, SETTLED_SECONDS) for upload in finished_uploads()}
        self.over = {key: self.over.get(key, now) for key in found}
        for name, seconds in found:
            if now - self.over[name, seconds] >= seconds:
                drop_session_answers(self.page, name)
                drop_upload(name)
                del self.over[name, seconds]
