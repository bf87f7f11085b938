"""Workers on the machines of a Ray cluster, with the interface of `WorkerPool` that folders and data sets use.

The process that starts the run reads the photos and writes the files, so only it needs access to both; photos and
files travel through Ray. Ray's own data sets (`ray.data`) are not used here: they number no rows, name output files in
their own way, and write what has been computed twice as often as it was, while a run of clothseg continues where it
stopped and lists each photo once. docs/batch.md shows how to use clothseg inside a pipeline of `ray.data`.
"""

import logging
import os
import socket
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

from clothseg.errors import ConfigError, ImageError, WorkerError, needs_extra


_TRIES = 2
"""Number of workers that may die with one photo."""

_CORES = "clothseg-core-{}.lock"


class RayPool:
    """A model in actors of a Ray cluster: one for each GPU if there are any, else one for each core.

        with RayPool() as pool:
            segment_to_zip(pool, ...)

    Which cluster is Ray's choice: the one of `RAY_ADDRESS`, or one that runs on this machine, else a new one of this
    machine alone. A killed actor is replaced, and its photo goes to another one.

    Attributes:
        workers: Number of actors.
        at_once: Number of photos in progress; some of them are read while the actors are busy.
        name: Name of the model, as in `Segmenter.name`.
        revision: Commit of a model from the Hub, else None.
        license_note: One sentence on the licence of the weights.
        labels: the model's label set.
    """

    def __init__(
        self,
        workers: int | None = None,
        name_or_path: str | None = None,
        *,
        revision: str | None = None,
        precision: str = "exact",
    ) -> None:
        """Connect to the cluster and start the actors; all but the first may still be loading when this returns.

        Args:
            workers: number of actors; None: as many as the cluster has GPUs, or else cores.
            name_or_path: as for `Segmenter.from_pretrained`. A folder must exist on all machines, and clothseg must be
                installed on them.
            revision: Branch, tag or commit on the Hub.
            precision: as for `Segmenter.from_pretrained`.

        Raises:
            ConfigError: Ray is not installed, or the cluster cannot be used.
            ClothsegError: the model cannot be loaded.
        """
        from clothseg.models.loading import load

        with needs_extra("--executor ray", "ray"):
            import ray
        _check_address(os.environ.get("RAY_ADDRESS", ""))
        loaded = load(name_or_path, revision)
        self.name, self.revision, self.license_note = loaded.name, loaded.revision, loaded.license_note
        self.labels = loaded.labels
        self._ray, self._ours, self._closed = ray, not ray.is_initialized(), False
        self._actors: list[Any] = []
        self._idle: SimpleQueue[Any] = SimpleQueue()
        if self._ours:
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no statistics are sent to Ray's developers
            try:
                ray.init(logging_level=logging.ERROR, log_to_driver=False, include_dashboard=False)
            except (ConnectionError, RuntimeError, ValueError) as error:
                raise ConfigError(f"The Ray cluster cannot be used: {str(error).partition(chr(10))[0]}") from error
        try:
            has = ray.cluster_resources()
            gpus = int(has.get("GPU", 0))
            self.workers = workers or gpus or max(1, int(has.get("CPU", 1)))
            self.at_once = self.workers + min(self.workers, os.cpu_count() or 1)
            options: dict[str, Any] = {"num_cpus": 1, "num_gpus": min(1, gpus / self.workers)}
            options |= {"max_restarts": -1, "max_task_retries": -1}  # for `ready`
            ray.method(max_task_retries=0)(_Actor.run)  # `run` below tries again, with another actor
            actor: Any = ray.remote(**options)(_Actor)
            model = {"name_or_path": name_or_path, "revision": loaded.revision or revision, "precision": precision}
            # Start the first one alone: if it has to convert the model, the others on its machine find the result.
            self._actors.append(actor.remote(model))
            self._ready(self._actors[0])
            self._actors += [actor.remote(model) for _ in range(1, self.workers)]
            for other in self._actors[1:]:
                self._when_ready(other)
        except BaseException:
            self.close()
            raise
        self._idle.put(self._actors[0])

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in the next idle actor and return the result; safe to call from several threads.

        Args:
            function: called in the actor with its segmenter and the arguments; picklable, like these. Paths are
                replaced by the bytes of their files.
            arguments: of the function.

        Raises:
            WorkerError: two actors died with it.
            ConfigError: the pool is closed, or an actor could not load the model.
            Exception: whatever the function raises.
        """
        from ray.exceptions import RayActorError

        paths = [each for each in arguments if isinstance(each, Path)]
        arguments = tuple(each.read_bytes() if isinstance(each, Path) else each for each in arguments)
        for _ in range(_TRIES):
            actor = self._idle.get()
            if isinstance(actor, Exception) or self._closed:
                self._idle.put(actor)
                raise actor if isinstance(actor, Exception) else ConfigError("The Ray pool is closed.")
            try:
                good, answer = self._ray.get(actor.run.remote(function, arguments))
            except RayActorError as error:
                died = error
                self._when_ready(actor)
                continue
            except BaseException:
                self._idle.put(actor)
                raise
            self._idle.put(actor)
            if good:
                return answer
            if paths and isinstance(answer, ImageError):  # as if the actor had read the file itself
                raise ImageError(str(answer).replace("The photo", paths[0].name, 1)) from answer
            raise answer
        raise WorkerError(
            "The Ray actor of this photo died, and so did another that tried again. Often memory is short then: use "
            "fewer workers, or make the picture smaller first."
        ) from died

    def close(self) -> None:
        """End all actors, and the cluster if it was started here."""
        if self._closed:
            return
        self._closed = True
        self._idle.put(ConfigError("The Ray pool is closed."))
        for actor in self._actors:
            self._ray.kill(actor)
        if self._ours:
            self._ray.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self, actor: Any) -> None:
        """Wait until an actor has loaded the model.

        Raises:
            ConfigError: it died.
            ClothsegError: it cannot load it.
        """
        try:
            good, error = self._ray.get(actor.ready.remote())
        except self._ray.exceptions.RayError as died:
            raise ConfigError(
                f"A Ray actor could not start: {str(died).strip().partition(chr(10))[0]} Is clothseg installed on all "
                "machines?"
            ) from died
        if not good:
            raise error

    def _when_ready(self, actor: Any) -> None:
        """Count an actor as idle as soon as it has loaded the model, on whatever machine Ray starts it."""

        def done(future: Any) -> None:
            if self._closed:
                return
            try:
                good, error = future.result()
            except Exception as died:
                good, error = False, ConfigError(f"A Ray actor could not be started: {died}")
            self._idle.put(actor if good else error)

        actor.ready.remote().future().add_done_callback(done)


class _Actor:
    """An actor's side: a segmenter, and the core that it is bound to."""

    def __init__(self, model: dict[str, Any]) -> None:
        """Load the model; what goes wrong is kept for `ready`."""
        from clothseg.batch.worker_process import load_model

        self._problem: Exception | None = None
        try:
            self._lock = _bind_to_core()
            self._segmenter = load_model(model, 1)
        except Exception as error:
            self._problem = error

    def ready(self) -> tuple[bool, Exception | None]:
        """Return whether the model is loaded, or False and the error."""
        from clothseg.batch.worker_process import picklable

        return self._problem is None, self._problem and picklable(self._problem)

    def run(self, function: Callable[..., Any], arguments: tuple[Any, ...]) -> tuple[bool, Any]:
        """Return True and the function's result, or False and its error."""
        from clothseg.batch.worker_process import picklable

        try:
            return True, function(self._segmenter, *arguments)
        except Exception as error:
            return False, picklable(error)


def _check_address(address: str) -> None:
    """Check that something answers at the address of a cluster, for which Ray itself would wait many minutes.

    Raises:
        ConfigError: nothing does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal():  # such as "auto" and "local"
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"There is no Ray cluster at RAY_ADDRESS={address} ({error}): start one, or unset RAY_ADDRESS."
        ) from error


def _bind_to_core() -> Any:
    """Bind this process to a core of its machine that no other actor has, before libraries count cores.

    Returns:
        The open file whose lock says so; None where there are no such locks, or a GPU does the work.
    """
    import tempfile

    if not hasattr(os, "sched_setaffinity") or os.environ.get("CUDA_VISIBLE_DEVICES"):
        return None
    import fcntl

    cores = sorted(os.sched_getaffinity(0))
    for core in cores:
        try:
            lock = open(os.path.join(tempfile.gettempdir(), _CORES.format(core)), "a")
        except OSError:  # another user's
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        os.sched_setaffinity(0, [core])
        return lock
    os.sched_setaffinity(0, [cores[os.getpid() % len(cores)]])
    return None
