"""Run Python programs without importing slow packages again: `subprocess`'s Popen and run, through fork_server.py.

For tests of a program's behaviour; tests of how a process starts use `subprocess` itself.
"""

import fcntl
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from json import dumps
from pathlib import Path
from typing import Any


SERVER = Path(__file__).with_name("fork_server.py")

FOLDER = Path(os.environ.get("CLOTHSEG_CACHE") or tempfile.mkdtemp(prefix="clothseg-forks-"))
"""Folder of this pytest run."""

_lease: socket.socket | None = None
"""Keeps the server running as long as this process lives."""


def _connect() -> socket.socket:
    """A connection to the server, which all processes of this pytest run share; the first one starts it."""
    global _lease
    address = FOLDER / "forks.sock"
    with (FOLDER / "forks.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = socket.socket(socket.AF_UNIX)
        if _reached(connection, address):
            if _lease is None:
                _lease = socket.socket(socket.AF_UNIX)
                _lease.connect(str(address))
            return connection
        address.unlink(missing_ok=True)
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
        # Pipes, as for most programs: Python would seek in a stream that was a file when it was opened.
        server = subprocess.Popen(
            [sys.executable, str(SERVER), str(address)],
            env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        while not _reached(connection, address):
            assert server.poll() is None, server.communicate()[1].decode()
            time.sleep(0.05)
        _lease = socket.socket(socket.AF_UNIX)
        _lease.connect(str(address))
        server.returncode = 0  # it outlives this process if another one uses it
        return connection


def _reached(connection: socket.socket, address: Path) -> bool:
    with suppress(FileNotFoundError, ConnectionRefusedError):
        connection.connect(str(address))
        return True
    return False


class Popen(subprocess.Popen):  # type: ignore[type-arg]
    """`subprocess.Popen` of `[sys.executable, ...]` in a fork."""

    def _execute_child(self, args: Any, *given: Any) -> None:
        names = (
            *("executable", "preexec_fn", "close_fds", "pass_fds", "cwd", "env", "startupinfo", "creationflags"),
            *("shell", "p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite", "restore_signals"),
            *("gid", "gids", "uid", "umask", "start_new_session", "process_group"),
        )
        options = dict(zip(names, given, strict=True))
        program, *arguments = map(str, args)
        assert program == sys.executable and not options["preexec_fn"] and not options["pass_fds"], args
        request = {
            "arguments": arguments,
            "environment": dict(os.environ if options["env"] is None else options["env"]),
            "folder": os.path.abspath(options["cwd"] or os.getcwd()),
            "new_session": options["start_new_session"],
        }
        pipes = [options["p2cread"], options["c2pwrite"], options["errwrite"]]
        streams = [stream if ours == -1 else ours for stream, ours in enumerate(pipes)]
        self._connection = _connect()
        sent = socket.send_fds(self._connection, [message := f"{dumps(request)}\n".encode()], streams)
        self._connection.sendall(message[sent:])
        self._answers = self._connection.makefile("r")
        self.pid = int(self._answers.readline())
        self._child_created = True
        self._close_pipe_fds(*(options[name] for name in names[9:15]))  # type: ignore[attr-defined]

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        if wait_flags == os.WNOHANG and not select.select([self._connection], [], [], 0)[0]:
            return 0, 0
        status = int(self._answers.readline())
        self._answers.close()
        self._connection.close()
        return self.pid, status

    def _internal_poll(self, _deadstate: int | None = None, **_: Any) -> int | None:
        if self.returncode is None and self._waitpid_lock.acquire(False):  # type: ignore[attr-defined]
            try:
                if self.returncode is None:
                    pid, status = self._try_wait(os.WNOHANG)
                    if pid:
                        self._handle_exitstatus(status)  # type: ignore[attr-defined]
            finally:
                self._waitpid_lock.release()  # type: ignore[attr-defined]
        return self.returncode


def run(
    command: list[Any],
    *,
    timeout: float | None = None,
    check: bool = False,
    capture_output: bool = False,
    **given: Any,
) -> subprocess.CompletedProcess[Any]:
    """`subprocess.run` of `[sys.executable, ...]` in a fork."""
    if capture_output:
        given |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(command, **given) as process:
        try:
            out, err = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(command, process.returncode, out, err)
    if check:
        done.check_returncode()
    return done
