"""Every use of an undocumented part of Gradio, each with its reason. Tested with gradio 6.31.0.

No other module of the package uses Gradio's private parts. `tests/app/server/test_gradio_internals.py` has a test for
each function here, so a Gradio release that changes one of them fails the test of that name.
"""

import inspect
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, NamedTuple


@contextmanager
def without_stub_files() -> Iterator[None]:
    """Import Gradio without checking its stub files, which takes two fifths of the import.

    Gradio parses its own sources at each import, to write a .pyi file for each component class. It does not where
    `inspect.getfile` finds no file, so that raises an error for Gradio's check, and only for that. Imports of Gradio
    that came earlier are not affected.
    """
    getfile = inspect.getfile

    def file_of(thing: Any) -> str:
        if sys._getframe(1).f_globals.get("__name__") == "gradio.component_meta":
            raise OSError("no file, so that there is no stub file to write")
        return getfile(thing)

    inspect.getfile = file_of  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = getfile


@contextmanager
def without_pyarrow() -> Iterator[None]:
    """Import Gradio, and pandas with it, as where pyarrow is not installed: it takes 35 MB, and no page uses it.

    Whoever imports pyarrow afterwards gets it.
    """
    hidden = not {"pandas", "pyarrow"} & set(sys.modules)
    if hidden:
        sys.modules["pyarrow"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if hidden:
            del sys.modules["pyarrow"]


with without_stub_files(), without_pyarrow():
    import gradio as gr
    from gradio import processing_utils
    from gradio.data_classes import FileData, ImageData
    from gradio.mcp import GradioMCPServer
    from gradio.route_utils import FnIndexInferError
    from gradio.routes import file_upload_statuses
    from gradio.utils import get_upload_folder
    from gradio_client.utils import strip_invalid_filename_characters


TESTED_WITH = "6.31.0"
"""The Gradio release that these functions were tested with."""

upload_folder: Callable[[], str] = get_upload_folder
"""Return the folder in which Gradio keeps uploads. Files for download must lie there; `temp_storage` limits its size.
"""

safe_file_name: Callable[[str], str] = strip_invalid_filename_characters
"""Return a file name without the characters that Gradio's cache rejects."""

save_to_cache: Callable[[bytes, str, str], str] = processing_utils.save_bytes_to_cache
"""Write bytes to Gradio's cache, in a folder named after the content, and return the path."""

WITHOUT_REQUEST: dict[str, Any] = {"_frontend": False}
"""Option of `launch`: make no request to the page to see whether it answers.

Gradio waits three seconds for the answer and then ends with "When localhost is not accessible, a shareable link must
be created". A busy machine takes longer.
"""

PROGRESS_SECONDS = 0.05
"""Least time between two updates of a call's progress."""

UnknownEndpoint: type[Exception] = FnIndexInferError
"""Raised out of Gradio's routes for an endpoint that does not exist: without a handler the caller gets status 500."""

StoredImage = ImageData
"""The input of an image component: `path` of an upload, or `url` with a data: URL."""


def hub_hosts() -> list[str]:
    """Return the hosts of the Hub that resolve to private addresses within a Space, as Gradio lists them."""
    return list(processing_utils.PUBLIC_HOSTNAME_WHITELIST)


def replace_download(download: Callable[..., Awaitable[str]]) -> None:
    """Make Gradio fetch web addresses with `download(url, cache_dir)`, for the whole process.

    Gradio's own function has no limit of size or time, and treats the shared range 100.64.0.0/10 as public.
    """
    processing_utils.async_ssrf_protected_download = download  # type: ignore[assignment]


def wrap_calls(
    page: gr.Blocks,
    preprocess: Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]],
    process: Callable[[Callable[..., Awaitable[Any]]], Callable[..., Awaitable[Any]]],
) -> None:
    """Wrap the two functions through which every call of `page` passes, to turn exceptions into clear messages.

    Gradio has no hook for errors: the caller would get the text of a Python exception raised in preprocessing.
    """
    page.preprocess_data = preprocess(page.preprocess_data)  # type: ignore[method-assign, assignment]
    page.process_api = process(page.process_api)  # type: ignore[method-assign, assignment]


def replace_preprocess(component: gr.Image, preprocess: Callable[[ImageData | None], Any]) -> None:
    """Give an image component another `preprocess`.

    Gradio's own opens the file first and fails with Pillow's message, or encodes a data: URL again, with loss. A
    subclass is no alternative, since Gradio writes a .pyi file beside the module of each subclass.
    """
    component.preprocess = preprocess  # type: ignore[method-assign, assignment]


def replace_schema(component: Any, schema: dict[str, Any]) -> None:
    """Describe a component by `schema` on the API page and for MCP.

    Gradio's own schema of gr.JSON, {"type": {}}, is invalid, so MCP rejects every call of a tool that has it; its
    schema of a list of files refers to definitions that MCP does not find.
    """
    component.api_info = lambda: schema


def file_list_schema() -> dict[str, Any]:
    """Return the JSON schema of a list of files, without references."""
    schema: dict[str, Any] = {"type": "array", "items": FileData.model_json_schema()}
    schema["items"]["properties"]["meta"] = schema["items"].pop("$defs")["FileDataMeta"]
    return schema


_convert = GradioMCPServer.convert_strings_to_filedata


def accept_file_lists_in_mcp() -> None:
    """Make MCP tools fetch the files of a list, for the whole process; Gradio's fetch only single files."""

    def convert(server: GradioMCPServer, value: Any, positions: list[list[str | int]]) -> Any:
        found: list[list[str | int]] = []
        for position in positions:
            *place, last = position
            given = value.get(place[0]) if last == "items" and len(place) == 1 else None
            found += [[*place, number] for number in range(len(given))] if isinstance(given, list) else [position]
        return _convert(server, value, found)

    GradioMCPServer.convert_strings_to_filedata = convert  # type: ignore[method-assign, assignment]


def render_config(page: gr.Blocks) -> Any:
    """Return the page's configuration for browsers, rebuilt; needed if components changed after the page was built."""
    return page.get_config_file()


def queued_data(page: gr.Blocks) -> list[Any]:
    """Return the data of waiting and running calls, which tells which uploaded files are still needed."""
    queue = page._queue
    waiting = [event for line in list(queue.event_queue_per_concurrency_id.values()) for event in list(line.queue)]
    running = [event for job in list(queue.active_jobs) for event in job or ()]
    return [event.data.data for event in (*waiting, *running) if event.data is not None]


def shown_files(page: gr.Blocks) -> set[str]:
    """Return the files that the page itself shows, such as its examples."""
    return set().union(*(getattr(block, "keep_in_cache", ()) for block in list(page.blocks.values())))


def tracked_files(page: gr.Blocks) -> tuple[set[str], ...]:
    """Return Gradio's sets of files it created. They grow without limit, since Gradio only removes files that it
    deletes itself."""
    return tuple(page.temp_file_sets)


def unfinished_calls(page: gr.Blocks) -> int:
    """Return the number of waiting and running calls, for a clean shutdown."""
    return len(page._queue) + page._queue.get_active_worker_count()


class OpenSession(NamedTuple):
    """A session whose answers Gradio keeps: its name, whether calls are running, and whether an answer is unread."""

    name: str
    running: bool
    unread: bool


def open_sessions(page: gr.Blocks) -> list[OpenSession]:
    """Return the sessions whose events or answers Gradio keeps; it never removes either by itself."""
    queue = page._queue
    answers, expected = queue.pending_messages_per_session, queue.pending_event_ids_session
    found = []
    for session in [*expected, *(name for name in answers if name not in expected)]:
        events = expected.get(session, ())
        running = any(event in queue.event_ids_to_events for event in events)
        found.append(OpenSession(session, running, bool(events) and session in answers))
    return found


def keep_answers(page: gr.Blocks, session: str) -> None:
    """Move a running session's answers to the end. If there are too many, Gradio drops the first ones, which may
    belong to a batch."""
    answers = page._queue.pending_messages_per_session
    if session in answers:
        answers.move_to_end(session)


def set_poll_seconds(page: gr.Blocks, seconds: float) -> None:
    """Set the time between two looks of the queue for waiting calls and for their progress, after `Blocks.queue`.

    Gradio looks every millisecond, and for progress every 10, which takes 3 % of a core even if there are no calls.
    """
    page._queue.sleep_when_free = seconds
    page._queue.progress_update_sleep_when_free = max(seconds, PROGRESS_SECONDS)


def survive_dropped_answers(page: gr.Blocks) -> None:
    """Let the queue go on when the answers of a session with an unfinished call are gone.

    Gradio drops the answers of the oldest session when there are too many. The next message to that session raises an
    error, in the loop that starts all calls, too: from then on no call of anybody is answered.
    """
    queue = page._queue
    send = queue.send_message

    def send_message(event: Any, message: Any) -> None:
        if event.session_hash in queue.pending_messages_per_session:
            send(event, message)

    queue.send_message = send_message  # type: ignore[method-assign, assignment]


def drop_session_answers(page: gr.Blocks, session: str) -> None:
    """Remove the events and answers of a session."""
    page._queue.pending_messages_per_session.pop(session, None)
    page._queue.pending_event_ids_session.pop(session, None)


def finished_uploads() -> list[str]:
    """Return the finished uploads whose progress Gradio still keeps, for all pages of the process."""
    uploads = file_upload_statuses
    known = [*uploads._signals, *uploads._statuses]
    return [upload for upload in known if upload not in uploads._statuses or uploads.is_done(upload)]


def drop_upload(upload: str) -> None:
    """Remove the progress of an upload."""
    file_upload_statuses._signals.pop(upload, None)
    file_upload_statuses.stop_tracking(upload)


def drop_sessions_of_single_calls(page: gr.Blocks) -> Callable[..., Awaitable[Any]]:
    """Return `page.process_api`, extended to delete the session that Gradio creates for a call without one.

    Gradio keeps a fixed number of sessions. Sessions of programs would displace those of visitors, who would have to
    send their photo again.
    """
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
            # Such a session has the same name as its only call.
            if session and session == kwargs.get("event_id") and not goes_on:
                page.state_holder.session_data.pop(session, None)
                page.state_holder.time_last_used.pop(session, None)

    return process
