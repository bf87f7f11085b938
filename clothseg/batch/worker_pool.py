"""Worker processes for many photos: each has its own model and its own share of the CPU cores.

Threads of one process do less than the cores could, since Python runs one thread at a time. Processes do not wait for
each other. Each takes a second to start, and loads its own model.

Why not a library: `concurrent.futures.ProcessPoolExecutor` is unusable after one of its processes is killed, and its
processes outlive a killed parent. loky restarts a broken pool but fails every photo in progress. Both start processes
by importing the caller's script, which then needs `if __name__ == "__main__"`. Here a killed worker is replaced and
only its photo is repeated, workers end with their parent process, scripts need no guard, and each worker is bound to
its cores before torch and OpenVINO count them.
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
"""Default limit of workers; each has its own model and photos."""

MANY = 200
"""Number of photos from which a pool pays for its start."""

_AT_HAND = 2
"""Photos per worker: one in progress, and the next one, so that the worker need not wait."""

_TRIES = 2
"""Number of workers that may die with one photo."""


class WorkerPool:
    """A model in several processes, for many photos, with `batch` and `iter_batch`, or for `segment_to_zip`.

        with WorkerPool(2) as pool:
            results = pool.batch(photos)

    It pays for its start, about a second, from about a hundred photos, if the network is small and much of the time
    goes into the work around it; docs/performance.md has figures. Results are the same as with threads. A killed
    worker is replaced, and its photo repeated. To end the workers, close the pool, leave its context or drop it.

    Attributes:
        workers: Number of workers.
        at_once: Number of photos in progress.
        name: Name of the model, as in `Segmenter.name`.
        revision: Commit of a model from the Hub, else None.
        license_note: One sentence on the licence of the weights.
        labels: the model's label set.
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
        """Start the workers; all but the first may still be loading when this returns.

        Args:
            workers: number of workers; None: as many as usable cores, up to `MOST_WORKERS`.
            name_or_path: as for `Segmenter.from_pretrained`, like the following. All workers load the same commit.
            revision: Branch, tag or commit on the Hub.
            device: "cpu", "cuda" or "auto".
            token: Hub token for private and gated models.
            engine: one of `clothseg.engines.ENGINES`.
            precision: "exact", "fast" or "int8".

        Raises:
            ConfigError: fewer than one worker, a process that cannot be started, or as for
                `Segmenter.from_pretrained`.
            ClothsegError: the model cannot be loaded.
        """
        from clothseg.models.loading import load

        if workers is not None and workers < 1:
            raise ConfigError(f"workers must be at least 1, not {workers}.")
        self._cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self.workers = workers or max(1, min(len(self._cores) or os.cpu_count() or 1, MOST_WORKERS))
        self.at_once = _AT_HAND * self.workers
        name_or_path = None if name_or_path is None else str(name_or_path)
        loaded = load(name_or_path, revision, token)
        self.name, self.revision, self.license_note = loaded.name, loaded.revision, loaded.license_note
        self.labels = loaded.labels
        self._model = {"name_or_path": name_or_path, "revision": loaded.revision or revision, "token": token}
        self._model |= {"device": device, "engine": engine, "precision": precision}
        self._closed, self._turn = False, threading.Lock()
        self._hired: dict[int, Worker] = {}
        self._idle: SimpleQueue[int] = SimpleQueue()
        try:
            # Start the first one alone: if it has to convert the model, the others find the result.
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
        """Like `Segmenter.batch`; `batch_size` is the number of photos in progress besides the requested one."""
        return list(self.iter_batch(photos, batch_size, **options))

    def iter_batch(self, photos: Iterable["Photo"], batch_size: int = 8, **options: Any) -> "Generator[Segmentation]":
        """Like `Segmenter.iter_batch`; errors are raised when the first result is requested.

        Raises:
            ConfigError: `batch_size` is below 1, a wrong option, or the pool is closed.
            ImageError: a photo cannot be used.
            WorkerError: two workers died with a photo.
        """
        if batch_size < 1:
            raise ConfigError(f"batch_size must be at least 1, not {batch_size}.")
        function = partial(_segmented, options)

        def one(photo: "Photo") -> "Segmentation":
            result: Segmentation = self.run(function, _sendable(photo))
            return result

        return in_order(one, photos, self.at_once, max(self.at_once, batch_size))

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in the next idle worker and return the result; safe to call from several threads.

        Args:
            function: called in the worker with its segmenter and the arguments. It is sent once, and like the
                arguments it must be picklable, by the names of our own modules.
            arguments: of the function.

        Raises:
            WorkerError: two workers died with it.
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
            f"The worker process of this photo died, and so did another that tried again ({ended}). Often memory is "
            "short then: use fewer workers, or make the picture smaller first."
        )

    def close(self) -> None:
        """End all workers at once."""
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
            if self._hired[worker.place] is not worker:  # another caller has replaced it
                return
            if not worker.ready:  # nor would the next one be
                raise self._startup_error(worker)
            self._spawn(worker.place)

    def _startup_error(self, worker: "Worker") -> ConfigError:
        return ConfigError(
            f"A worker process died before it had loaded the model ({worker.ended()}). If stderr does not say why, "
            f"memory is short: use fewer than {self.workers} workers."
        )


def paying_workers(loaded: "LoadedModel", photos: int | None) -> int:
    """Return how many workers pay for this number of photos (None: unknown, many); 1 means that threads do as well.

    Workers pay if much of the time goes into the work around the network: with clothseg-lite on a CPU. A larger
    network uses all cores from threads too, and takes several hundred MB in each worker.
    """
    from clothseg.engines import quickest

    if loaded.model_type != "clothseg-lite" or (photos is not None and photos < MANY):
        return 1
    if not hasattr(os, "sched_getaffinity") or quickest(loaded.model_type) != "openvino":
        return 1
    return min(len(os.sched_getaffinity(0)), MOST_WORKERS)


def _sendable(photo: "Photo") -> "Photo":
    """Return a photo in a form that can be pickled; raise `ImageError` if it is not a photo."""
    import numpy as np

    from clothseg.images.decode import load_photo

    if isinstance(photo, bytes):
        return bytes(photo)
    if isinstance(photo, str | os.PathLike):
        return os.fspath(photo)
    # Arrays of any subclass, and pictures of any class, even if not loaded from their file yet.
    return np.asarray(photo) if isinstance(photo, np.ndarray) else load_photo(photo, keep_alpha=True)


def _segmented(options: dict[str, Any], segmenter: "Segmenter", photo: "Photo") -> "Segmentation":
    return segmenter(photo, **options)
