"""Limit the size of the folder of uploads and results: the oldest files are deleted first, files in use never."""

import os
import re
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import gradio as gr
from anyio import to_thread
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from clothseg.app.limits import KEEP_SECONDS
from clothseg.app.server.gradio_internals import queued_data, shown_files, tracked_files, upload_folder
from clothseg.app.server.state_cleanup import StateCleanup
from clothseg.errors import ConfigError
from clothseg.process_settings import trim_heap


GRACE_SECONDS = 300
"""Age below which no file is deleted, since a visitor may still fetch it or name it in a call."""

MEASURE_SECONDS = 10.0
"""Time after which the folder is measured again; in between, the sizes of requests are added."""

TRIM_SECONDS = 60.0
"""Time after which free memory is returned to the system (`process_settings.trim_heap`)."""

_OURS = re.compile(r"[0-9a-f]{40,64}")
"""Names of the folders in which Gradio and clothseg save files; others are left alone."""

STORAGE_FULL = "The server has no space for a photo or its result at the moment; try again later."


def own_folder(given: str | None, port: int) -> Path:
    """Return the folder for Gradio's files, the operator's or a new one, and set GRADIO_TEMP_DIR to it.

    Gradio's default folder is shared by all apps of a machine, so nothing in it could be deleted safely. Ours is named
    after the port, which only one process has at a time; the next process deletes old files of one that was killed.

    Raises:
        ConfigError: the folder cannot be written to.
    """
    try:
        folder = Path(given or Path(tempfile.gettempdir()) / f"clothseg-{port}")
        folder.mkdir(mode=0o777 if given else 0o700, parents=True, exist_ok=True)
        if not given and (folder.is_symlink() or folder.stat().st_uid != os.geteuid()):
            folder = Path(tempfile.mkdtemp(prefix="clothseg-"))  # it belongs to another user
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        where = given or "the system's folder for temporary files"
        raise ConfigError(
            f"Photos and results cannot be kept in {where} ({error.strerror or error}); set GRADIO_TEMP_DIR to a "
            "folder that can be written to."
        ) from error
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    return folder


def clear(
    folder: Path,
    limit: int,
    used: Collection[str] = (),
    now: float | None = None,
    lists: Iterable[set[str]] = (),
) -> int:
    """Delete old files, and then the oldest files until the others take at most `limit` bytes.

    Args:
        folder: contains folders with files. Files directly in it, and folders not created by Gradio or clothseg, are
            left alone, since users may have named a folder that also serves other purposes.
        limit: in bytes.
        used: paths of files to keep, in addition to files younger than `GRACE_SECONDS`.
        now: time in seconds of `time.time`, for tests.
        lists: sets of paths from which deleted files are removed.

    Returns:
        The remaining bytes, which exceed `limit` if the files are in use. Files older than `KEEP_SECONDS` are always
        deleted.
    """
    now, total, files = time.time() if now is None else now, 0, []
    for path, folders in _walk(folder):
        try:
            status = path.lstat()
            # The time of the last change of any kind, since a copied file keeps its modification time.
            age = now - status.st_ctime
            if folders:
                if age > GRACE_SECONDS:
                    path.rmdir()  # fails unless it is empty
                continue
        except OSError:  # deleted meanwhile, or a folder that is not empty
            continue
        total += status.st_size
        files.append((age, status.st_size, path))
    for age, size, path in sorted(files, reverse=True):
        if age <= GRACE_SECONDS or (age <= KEEP_SECONDS and total <= limit):
            break
        if str(path) not in used:
            path.unlink(missing_ok=True)
            for names in lists:
                names.discard(str(path))
            total -= size
    return total


def _walk(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Yield all files (False) and folders (True) in our folders below `folder`, each folder after its contents."""
    for ours in sorted(path for path in folder.glob("*") if _OURS.fullmatch(path.name) and not path.is_symlink()):
        for base, folders, names in os.walk(ours, topdown=False):
            yield from ((Path(base) / name, False) for name in names)
            yield from ((Path(base) / name, True) for name in folders)
        yield ours, True


def in_use(page: gr.Blocks) -> set[str]:
    """Return the files named by waiting or running calls, and those that the page itself shows (its examples)."""
    found, values = shown_files(page), queued_data(page)
    while values:
        value = values.pop()
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, list | dict):
            values += value.values() if isinstance(value, dict) else value
    return found


class TempStorageQuota:
    """ASGI middleware that deletes old files, and rejects requests with 507 if the storage is still full."""

    def __init__(self, app: ASGIApp, page: gr.Blocks, limit: int, assumed_size: int) -> None:
        """Wrap `app`.

        Args:
            app: the wrapped app.
            page: the page whose files are stored.
            limit: bytes of all files together.
            assumed_size: bytes that a request without a stated size counts for.
        """
        self.app, self.page, self.limit, self.assumed_size = app, page, limit, assumed_size
        self.stored, self.measured, self.cleanup = 0, float("-inf"), StateCleanup(page)
        self.trimmed = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 507."""
        if scope["type"] == "http" and scope["method"] == "POST" and not scope["path"].endswith("/cancel"):
            length = dict(scope["headers"]).get(b"content-length", b"")
            if not await self._admits(int(length) if length.isdigit() else self.assumed_size):
                return await JSONResponse({"detail": STORAGE_FULL}, 507)(scope, receive, send)
        await self.app(scope, receive, send)

    async def _admits(self, size: int) -> bool:
        if size > self.limit:
            return False  # does not fit into an empty folder
        since, full = time.monotonic() - self.measured, self.stored + size > self.limit
        if since > MEASURE_SECONDS or (full and since > 1):
            self.measured = time.monotonic()
            if self.measured - self.trimmed > TRIM_SECONDS:
                self.trimmed = self.measured
                await to_thread.run_sync(trim_heap)
            self.cleanup.free_finished()
            folder, used = Path(upload_folder()), in_use(self.page)
            lists = tracked_files(self.page)
            self.stored = await to_thread.run_sync(clear, folder, self.limit - size, used, None, lists)
        if self.stored + size > self.limit:
            return False
        self.stored += size
        return True
