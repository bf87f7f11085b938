"""Processes that share a run, as started by `accelerate launch` and torchrun, and messages between them."""

import json
from datetime import timedelta
from typing import Any

from clothseg.errors import ConfigError, UsageError


WAIT = timedelta(days=30)
"""Timeout for the slowest process; the launcher ends all processes when one fails."""


class Processes:
    """This process among those that share a run. Messages are JSON values with names.

    Attributes:
        rank: number of this process, from 0.
        count: number of processes.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        """Connect to the other processes.

        Raises:
            UsageError: the environment does not say where they are.
        """
        self.rank, self.count = rank, count
        self._store: Any = None
        if count > 1:
            from torch.distributed import rendezvous

            try:
                self._store = next(iter(rendezvous("env://")))[0]
            except ValueError as error:  # MASTER_ADDR or MASTER_PORT is missing
                raise UsageError(
                    f"{count} processes cannot connect ({error}); start them with accelerate launch or torchrun."
                ) from error
            self._store.set_timeout(WAIT)

    def tell(self, name: str, what: Any) -> None:
        """Send a message to the other processes, if there are any."""
        if self._store is not None:
            self._store.set(name, json.dumps(what))

    def fail(self, name: str, error: BaseException) -> None:
        """Tell processes that wait for the message `name` that it will not come, and why."""
        self.tell(name, {"failed": str(error) or type(error).__name__})

    def hear(self, name: str) -> Any:
        """Wait for a message of another process and return it.

        Raises:
            ConfigError: that process has failed.
        """
        what = json.loads(self._store.get(name))
        if isinstance(what, dict) and "failed" in what:
            raise ConfigError(f"Another process failed: {what['failed']}")
        return what
