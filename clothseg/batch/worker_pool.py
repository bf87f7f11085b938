"""Worker processes for many photos: each holds the model, and has its share of the processor's cores to itself.

Threads of one process do less than its cores could, since Python runs one of them at a time. Processes do not wait for
each other. Each takes a second to start, and holds a model of its own.

Why not a library: `concurrent.futures.ProcessPoolExecutor` is broken for good when one of its processes is killed, and
its processes outlive a parent that is killed. loky restarts a broken pool but fails every photo in hand. Both start
processes by importing the caller's script, which then needs `if __name__ == "__main__"`. Here a killed worker is
replaced and only its photo is done again, workers end with the process that has them, scripts need no guard, and each
worker is bound to its cores before torch and OpenVINO count them.
"""

import os
import threading
from collections.abc import Callable, Generator, Iterable
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from clothseg.batch.worker_process import Worker, WorkerTimeout
from clothseg.errors import ConfigError, WorkerError
from clothseg.pipelining import in_order


if TYPE_CHECKING:
    from clothseg.images.decode import Photo
    from clothseg.models.loading import LoadedModel
    from clothseg.segmentation import Segmentation
    from clothseg.segmenter import Segmenter

MOST_WORKERS = 4
"""How many are started where nobody says: each holds the model and photos of its own."""

MANY = 200
"""Photos from which on a pool makes up for its start."""

_AT_HAND = 2
"""Photos that a worker has: one to look at, and the next, so that it need not wait for that."""

_TRIES = 2
"""Workers that a photo may bring to their end."""


class WorkerPool:
    """A model in several processes, for many photos, by `batch` and `iter_batch`, or in `segment_to_zip`.

        with WorkerPool(2) as pool:
            results = pool.batch(photos)

    It is worth its start, about a second, from some hundred photos on, and where the network is small, so that much of
    the time goes into the work around it: docs/performance.md has figures. Results are those of threads. A worker
    that is killed is replaced, and its photo done again. Close it, or leave its context, or drop it, to end the
    workers.

    Attributes:
        workers: How many there are.
        at_once: How many photos they have in hand.
        name: Of the model, as `Segmenter.name`.
        revision: Commit of a model from the Hub, else None.
        license_note: One sentence on the licence of the weights.
    """

    def __init__(
        self,
        workers: int | None = None,
        name_or_path: str | os.PathLike[str] | None = None,
        *,
        revision: str | None = None,
        device: str | None = None,
        token: str | None = None,
        engine: str = "auto",
        precision: str = "exact",
    ) -> None:
        """Start the workers; all but the first go on loading when this returns.

        Args:
            workers: how many; None: as many as this process may use cores, up to `MOST_WORKERS`.
            name_or_path: with the others, as of `Segmenter.from_pretrained`. All workers load one commit.
            revision: Branch, tag or commit on the Hub.
            device: "cpu", "cuda" or "auto".
            token: Hub token for private and gated models.
            engine: one of `clothseg.engines.ENGINES`.
            precision: "exact" or "fast".

        Raises:
            ConfigError: fewer than one worker, a process that cannot be started, or as of `Segmenter.from_pretrained`.
            ClothsegError: the model cannot be loaded.
        """
        from clothseg.models.loading import load

        if workers is not None and workers < 1:
            raise ConfigError(f"There must be at least 1 worker, not {workers}.")
        self._cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self.workers = workers or max(1, min(len(self._cores) or os.cpu_count() or 1, MOST_WORKERS))
        self.at_once = _AT_HAND * self.workers
        name_or_path = None if name_or_path is None else str(name_or_path)
        loaded = load(name_or_path, revision, token)
        self.name, self.revision, self.license_note = loaded.name, loaded.revision, loaded.license_note
        self._model = {"name_or_path": name_or_path, "revision": loaded.revision or revision, "token": token}
        self._model |= {"device": device, "engine": engine, "precision": precision}
        self._closed, self._turn = False, threading.Lock()
        self._hired: dict[int, Worker] = {}
        self._idle: SimpleQueue[int] = SimpleQueue()
        try:
            # The first alone: should the model have to be converted, the others find that done.
            self._spawn(0)
            good, error = self._hired[0].start()
            if not good:
                raise error
            for place in range(1, self.workers):
                self._spawn(place)
        except EOFError as error:
            self.close()
            raise self._startup_error(self._hired[0]) from error
        except BaseException:
            self.close()
            raise
        for place in [*self._hired] * _AT_HAND:
            self._idle.put(place)

    def batch(self, photos: Iterable["Photo"], batch_size: int = 8, **options: Any) -> "list[Segmentation]":
        """As `Segmenter.batch`; `batch_size` says how many photos may be in hand beside the one that is handed out."""
        return list(self.iter_batch(photos, batch_size, **options))

    def iter_batch(self, photos: Iterable["Photo"], batch_size: int = 8, **options: Any) -> "Generator[Segmentation]":
        """As `Segmenter.iter_batch`, and what it raises, when the first result is asked for.

        Raises:
            ConfigError: `batch_size` is below 1, an option has no such value, or the pool is closed.
            ImageError: a photo cannot be used.
            WorkerError: two workers have come to their end with a photo.
        """
        if batch_size < 1:
            raise ConfigError(f"The batch size must be at least 1, not {batch_size}.")
        function = partial(_segmented, options)

        def one(photo: "Photo") -> "Segmentation":
            result: Segmentation = self.run(function, _sendable(photo))
            return result

        return in_order(one, photos, self.at_once, max(self.at_once, batch_size))

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """What a worker that is idle, or the next to be, makes of a question; for calls from several threads.

        Args:
            function: called there with the worker's segmenter and the arguments. It is sent once, however often the
                same one is given, and like all that is sent must be picklable, by the names of our own modules.
            arguments: of the function.

        Raises:
            WorkerError: two workers have come to their end with it.
            ConfigError: a worker cannot be started, or the pool is closed.
            Exception: whatever the function raises.
        """
        tries = 0
        while tries < _TRIES:
            place = self._idle.get()
            worker = self._hired[place]
            try:
                good, answer = worker.ask(function, arguments)
            except EOFError as error:
                tries += not isinstance(error, WorkerTimeout)
                ended = worker.ended()
                self._replace(worker)
                continue
            finally:
                self._idle.put(place)
            if good:
                return answer
            raise answer
        raise WorkerError(
            f"The worker process that had it came to its end, and so did another that tried again ({ended}). Often "
            "memory is short then: take fewer workers, or make the picture smaller first."
        )

    def close(self) -> None:
        """End all workers, whatever they are at."""
        with self._turn:
            self._closed = True
        for worker in self._hired.values():
            worker.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spawn(self, place: int) -> None:
        share = self._cores[place % len(self._cores) :: self.workers] if self._cores else []
        self._hired[place] = Worker(self._model, share, place)

    def _replace(self, worker: "Worker") -> None:
        worker.end()
        with self._turn:
            if self._closed:
                raise ConfigError("The worker pool is closed.")
            if self._hired[worker.place] is not worker:  # whoever else asked it has seen to that
                return
            if not worker.ready:  # nor would the next one be
                raise self._startup_error(worker)
            self._spawn(worker.place)

    def _startup_error(self, worker: "Worker") -> ConfigError:
        return ConfigError(
            f"A worker process ended before it had loaded the model ({worker.ended()}): if stderr does not say why, "
            f"memory is short; take fewer than {self.workers} workers."
        )


def paying_workers(loaded: "LoadedModel", photos: int | None) -> int:
    """How many workers pay for so many photos (None: more than anybody knows); 1: threads do as well.

    They pay where much of the time goes into the work around the network: with clothseg-lite on a CPU. A larger
    network fills all cores by threads, too, and in each worker takes several hundred MB.
    """
    from clothseg.engines import quickest

    if loaded.model_type != "clothseg-lite" or (photos is not None and photos < MANY):
        return 1
    if not hasattr(os, "sched_getaffinity") or quickest(loaded.model_type) != "openvino":
        return 1
    return min(len(os.sched_getaffinity(0)), MOST_WORKERS)


def _sendable(photo: "Photo") -> "Photo":
    """A photo as it can be pickled; what is none is an `ImageError`."""
    import numpy as np

    from clothseg.images.decode import load_photo

    if isinstance(photo, bytes):
        return bytes(photo)
    if isinstance(photo, str | os.PathLike):
        return os.fspath(photo)
    # An array of whatever class; and a picture of whatever class and state, even if its file is still to be read.
    return np.asarray(photo) if isinstance(photo, np.ndarray) else load_photo(photo, keep_alpha=True)


def _segmented(options: dict[str, Any], segmenter: "Segmenter", photo: "Photo") -> "Segmentation":
    return segmenter(photo, **options)
