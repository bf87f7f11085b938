"""The folder of uploads and results, kept within a size: old files make room for new ones, those in use never do."""

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
"""In which no file is deleted: somebody may be about to send for it, or to name it in a call."""

LOOK_SECONDS = 10.0
"""After which the folder is looked at again; in between, what requests bring is added up."""

TRIM_SECONDS = 60.0
"""After which free memory is given back, see `tuning`."""

_OURS = re.compile(r"[0-9a-f]{40,64}")
"""Names of the folders that gradio and we put files in; whatever else is beside them is somebody else's."""

NO_ROOM = "The server has no room for a photo or its result just now; try again later."


def own_folder(given: str | None, port: str) -> Path:
    """The folder that gradio is to use: the operator's, or one of ours; GRADIO_TEMP_DIR is set to it.

    gradio's own is shared by all apps of a machine, so that nothing in it could be deleted. Ours bears the port, which
    one process has at a time: what one that was killed has left is deleted by the next when it is old.

    Raises:
        ConfigError: nothing can be written there.
    """
    try:
        folder = Path(given or Path(tempfile.gettempdir()) / f"clothseg-{port}")
        folder.mkdir(mode=0o777 if given else 0o700, parents=True, exist_ok=True)
        if not given and (folder.is_symlink() or folder.stat().st_uid != os.geteuid()):
            folder = Path(tempfile.mkdtemp(prefix="clothseg-"))  # another user was there first
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
    """Delete what is old, and then the oldest files until the others take at most `limit` bytes.

    Args:
        folder: of folders with files. Others than gradio and we make are left alone, and so are files in `folder`
            itself: users may have named a folder that is not for us only.
        limit: bytes.
        used: paths of files that stay, as those of the last `GRACE_SECONDS` do.
        now: the time, if it is another, in seconds as `time.time` counts them.
        lists: of paths of files, from which those that are deleted are struck.

    Returns:
        The bytes that are left; more than `limit` if these are in use. Files older than
        `KEEP_SECONDS` go in any case.
    """
    now, total, files = time.time() if now is None else now, 0, []
    for path, folders in _walk(folder):
        try:
            status = path.lstat()
            # By the time of the last change of any kind: a copy has the modification time of what it is a copy of.
            age = now - status.st_ctime
            if folders:
                if age > GRACE_SECONDS:
                    path.rmdir()  # fails unless it is empty
                continue
        except OSError:  # gone meanwhile, or a folder with files
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
    """All files (False) and folders (True) of ours below `folder`, each folder behind what is in it."""
    for ours in sorted(path for path in folder.glob("*") if _OURS.fullmatch(path.name) and not path.is_symlink()):
        for base, folders, names in os.walk(ours, topdown=False):
            yield from ((Path(base) / name, False) for name in names)
            yield from ((Path(base) / name, True) for name in folders)
        yield ours, True


def in_use(page: gr.Blocks) -> set[str]:
    """Files that calls name which wait or are computed, and those that the page itself shows, its examples."""
    found, values = shown_files(page), queued_data(page)
    while values:
        value = values.pop()
        if isinstance(value, str):
            found.add(value)
        elif isinstance(value, list | dict):
            values += value.values() if isinstance(value, dict) else value
    return found


class TempStorageQuota:
    """ASGI middleware: what would bring more than there is room for is refused with 507, after old files have gone."""

    def __init__(self, app: ASGIApp, page: gr.Blocks, limit: int, untold: int) -> None:
        """Stand before `app`.

        Args:
            app: what answers those who are let in.
            page: whose files these are.
            limit: bytes of all files together.
            untold: bytes that a request is taken to bring that does not say how many they are.
        """
        self.app, self.page, self.limit, self.untold = app, page, limit, untold
        self.stored, self.looked, self.finished = 0, float("-inf"), StateCleanup(page)
        self.trimmed = time.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 507."""
        if scope["type"] == "http" and scope["method"] == "POST" and not scope["path"].endswith("/cancel"):
            length = dict(scope["headers"]).get(b"content-length", b"")
            if not await self._admits(int(length) if length.isdigit() else self.untold):
                return await JSONResponse({"detail": NO_ROOM}, 507)(scope, receive, send)
        await self.app(scope, receive, send)

    async def _admits(self, size: int) -> bool:
        if size > self.limit:
            return False  # whatever is deleted for it
        since, full = time.monotonic() - self.looked, self.stored + size > self.limit
        if since > LOOK_SECONDS or (full and since > 1):
            self.looked = time.monotonic()
            if self.looked - self.trimmed > TRIM_SECONDS:
                self.trimmed = self.looked
                await to_thread.run_sync(trim_heap)
            self.finished.forget()
            folder, used = Path(upload_folder()), in_use(self.page)
            lists = tracked_files(self.page)
            self.stored = await to_thread.run_sync(clear, folder, self.limit - size, used, None, lists)
        if self.stored + size > self.limit:
            return False
        self.stored += size
        return True
