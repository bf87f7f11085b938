"""A worker process: a separate Python that has loaded the model and answers one request at a time.

It is started as `python -c "... work()"`, so unlike with multiprocessing, scripts need no `if __name__ == "__main__"`.
Requests come on its stdin and answers leave on its stdout, both pickled. When stdin ends, because the parent is done
or was killed, the worker ends too, even during a request. It has its own session, which Ctrl-C does not reach.
"""

import os
import pickle
import signal
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Any

from clothseg.errors import ClothsegError, ConfigError


if TYPE_CHECKING:
    from clothseg.segmenter import Segmenter

_LENGTH = struct.Struct("!Q")

_PIPE_BYTES = 2**20
"""Size of the pipes to and from a worker, where it can be set; a photo with its result fits without waiting."""


class WorkerTimeout(EOFError):
    """The worker ended before it began the request."""


class Worker:
    """A worker process, as seen by the parent; one request may wait while another is answered.

    Attributes:
        place: its number in the pool.
        ready: whether the model is loaded.
    """

    def __init__(self, model: dict[str, Any], cores: list[int], place: int) -> None:
        """Start the process; it may still be loading when this returns.

        Args:
            model: arguments of `Segmenter.from_pretrained`.
            cores: cores that it may use; empty if the system cannot bind a process to cores; then it has one thread.
            place: its number in the pool.

        Raises:
            ConfigError: the system cannot start the process.
        """
        self.place, self.ready = place, False
        self._function: Callable[..., Any] | None = None
        self._turn, self._lost, self._last = threading.Lock(), False, threading.Event()
        self._last.set()
        code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import work; work()"
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), str(len(cores) or 1))
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own Python
                [sys.executable, "-c", code],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, **threads},
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
                pipesize=_PIPE_BYTES,
            )
        except OSError as error:
            raise ConfigError(
                f"A worker process cannot be started: {error.strerror or error}; use fewer workers."
            ) from error
        assert self._process.stdin is not None and self._process.stdout is not None
        self._questions, self._answers = self._process.stdin, self._process.stdout
        with suppress(EOFError):  # `start` detects processes that have already ended
            self._say(pickle.dumps((model, cores)))

    def start(self) -> tuple[bool, Any]:
        """Wait until it is ready, or return False and the error.

        Raises:
            EOFError: it has ended.
        """
        if self.ready:
            return True, None
        good, error = pickle.loads(_receive(self._answers))  # noqa: S301 - from a process of our own
        self.ready = good
        return good, error

    def ask(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
        """Return True and the function's result, or False and its error; safe to call from several threads.

        Raises:
            WorkerTimeout: it ended, but not during this request.
            EOFError: it has ended.
        """
        question, done = pickle.dumps(arguments, -1), threading.Event()
        with self._turn:  # answers come in the order of questions
            good, error = self.start()
            if not good:
                return good, error
            try:
                self._say(pickle.dumps(None if function is self._function else function, -1))
                self._say(question)
            except EOFError as error:
                raise WorkerTimeout from error
            self._function, before, self._last = function, self._last, done
        before.wait()
        try:
            if self._lost:
                raise WorkerTimeout
            answered: tuple[bool, Any] = pickle.loads(_receive(self._answers))  # noqa: S301
            return answered
        except EOFError:
            self._lost = True
            raise
        finally:
            done.set()

    def _say(self, content: bytes) -> None:
        try:
            _send(self._questions, content)
        except (OSError, ValueError) as error:  # a broken pipe, or one that has been closed
            raise EOFError from error

    def end(self) -> None:
        """End it now, if it is running."""
        self._process.kill()
        self._process.wait()
        for stream in (self._questions, self._answers):
            try:
                stream.close()
            except OSError:  # unsent data cannot be flushed
                pass

    def ended(self) -> str:
        """Return how it ended."""
        status = self._process.wait()
        if status >= 0:
            return f"exit status {status}"
        return f"signal {-status}, {signal.strsignal(-status)}"


def _send(stream: IO[bytes], content: bytes) -> None:
    stream.write(_LENGTH.pack(len(content)))
    stream.write(content)
    stream.flush()


def _receive(stream: IO[bytes]) -> bytes:
    """Read one message.

    Raises:
        EOFError: the other side ended.
    """
    try:
        head = stream.read(_LENGTH.size)
        content = stream.read(*_LENGTH.unpack(head)) if len(head) == _LENGTH.size else b""
    except (OSError, ValueError) as error:
        raise EOFError from error
    if len(head) < _LENGTH.size or len(content) < _LENGTH.unpack(head)[0]:
        raise EOFError
    return content


def work() -> None:
    """Run as a worker: load the requested model, and answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the pool ends its workers
    questions, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # output of libraries must not be mixed with the answers
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        model, cores = pickle.loads(_receive(questions))  # noqa: S301 - from the process that started us
    except EOFError:
        os._exit(0)
    if cores:
        os.sched_setaffinity(0, cores)  # before libraries count cores
    waiting: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_listen, args=(questions, waiting), daemon=True).start()
    try:
        segmenter = load_model(model, len(cores) or 1)
        _answer(answers, True, None)
    except Exception as error:
        _answer(answers, False, error)
        os._exit(1)  # the listening thread would block a normal exit
    function: Any = None
    while True:
        try:
            told, question = waiting.get(), waiting.get()
            try:
                function = pickle.loads(told) or function  # noqa: S301
            except Exception as error:  # requests that were already sent rely on it, too
                function = partial(_raise, error)
            answer = True, function(segmenter, *pickle.loads(question))  # noqa: S301
        except Exception as error:
            answer = False, error
        _answer(answers, *answer)


def _raise(error: Exception, *_: Any) -> None:
    raise error


def load_model(model: dict[str, Any], threads: int) -> "Segmenter":
    from clothseg.process_settings import tune

    tune()
    import cv2

    from clothseg.segmenter import Segmenter

    cv2.setNumThreads(threads)
    return Segmenter.from_pretrained(**model)


def _listen(questions: IO[bytes], waiting: "SimpleQueue[bytes]") -> None:
    while True:
        try:
            waiting.put(_receive(questions))
        except EOFError:
            os._exit(0)  # even if the main thread is segmenting a photo, which is no longer needed


def _answer(answers: IO[bytes], good: bool, answer: Any) -> None:
    try:
        if not good:
            answer = picklable(answer)
        _send(answers, pickle.dumps((good, answer), -1))
    except OSError:  # the reader has ended
        os._exit(0)


def picklable(error: Exception) -> Exception:
    """Return the error in a picklable form, with its traceback as a note unless it is a `ClothsegError`."""
    if not isinstance(error, ClothsegError):
        error.add_note("".join(traceback.format_exception(error)).replace("Traceback", "In a worker: traceback", 1))
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - some can be pickled, but not read again
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error
