"""What gradio goes on keeping of calls that are over is let go, so that a server can run for weeks.

Of each call gradio keeps who may fetch its answer, and the answer itself until it is fetched; of each upload whose
progress may be watched, that progress; and of each call without a session, as programs make them, a session. With the
names of files, which `room.clear` strikes from its lists, and the statistics that app.py turns off, that came to some
20 KB a photo. Sessions did not add up, for there are only so many; but those of programs drove out those of visitors,
who then had to send their photo again.
"""

import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

import gradio as gr
from gradio.routes import file_upload_statuses

from clothseg.app.tabs.segment import KEEP_SECONDS


SETTLED_SECONDS = 30.0
"""After which nobody is in the middle of reading an answer that has been delivered, or the end of an upload."""


class Finished:
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
        queue = self.page._queue
        answers, expected = queue.pending_messages_per_session, queue.pending_event_ids_session
        found = set[tuple[str, float]]()  # names, and the seconds for which each stays
        for session in [*expected, *(name for name in answers if name not in expected)]:
            events = expected.get(session, ())
            if any(event in queue.event_ids_to_events for event in events):
                if session in answers:
                    answers.move_to_end(session)  # of too many the first are dropped, and a batch can be the first
            else:
                found.add((session, KEEP_SECONDS if events and session in answers else SETTLED_SECONDS))
        uploads = file_upload_statuses
        found |= {
            (upload, SETTLED_SECONDS)
            for upload in [*uploads._signals, *uploads._statuses]
            if upload not in uploads._statuses or uploads.is_done(upload)
        }
        self.over = {key: self.over.get(key, now) for key in found}
        for name, seconds in found:
            if now - self.over[name, seconds] >= seconds:
                answers.pop(name, None)
                expected.pop(name, None)
                uploads._signals.pop(name, None)
                uploads.stop_tracking(name)
                del self.over[name, seconds]


def without_session(page: gr.Blocks) -> Callable[..., Awaitable[Any]]:
    """`page.process_api`, but when a call that came without a session is over, so is the one gradio gave it."""
    process_api = page.process_api

    @wraps(process_api)
    async def process(*args: Any, **kwargs: Any) -> Any:
        goes_on = False
        try:
            output = await process_api(*args, **kwargs)
            goes_on = output["is_generating"]
            return output
        finally:
            session = kwargs.get("session_hash")
            # The name of such a session is its only call's.
            if session and session == kwargs.get("event_id") and not goes_on:
                page.state_holder.session_data.pop(session, None)
                page.state_holder.time_last_used.pop(session, None)

    return process
