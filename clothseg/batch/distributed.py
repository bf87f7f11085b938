"""Processes that share a run, as `accelerate launch` and torchrun start them, and what one tells the others."""

import json
from datetime import timedelta
from typing import Any

from clothseg.errors import ConfigError, UsageError


WAIT = timedelta(days=30)
"""For the slowest process: what starts them ends all when one fails."""


class Processes:
    """This process among those that share a run. What is told can be JSON, and is heard by name.

    Attributes:
        rank: this process's number, from 0.
        count: how many there are.
    """

    def __init__(self, rank: int = 0, count: int = 1) -> None:
        """Meet the others.

        Raises:
            UsageError: the environment does not say where.
        """
        self.rank, self.count = rank, count
        self._store: Any = None
        if count > 1:
            from torch.distributed import rendezvous

            try:
                self._store = next(iter(rendezvous("env://")))[0]
            except ValueError as error:  # MASTER_ADDR or MASTER_PORT is missing
                raise UsageError(
                    f"{count} processes cannot meet ({error}); start them with accelerate launch or torchrun."
                ) from error
            self._store.set_timeout(WAIT)

    def tell(self, name: str, what: Any) -> None:
        """Let the others hear something; one that is alone has nobody to tell."""
        if self._store is not None:
            self._store.set(name, json.dumps(what))

    def fail(self, name: str, error: BaseException) -> None:
        """Let those who wait for `name` hear that it does not come, and why."""
        self.tell(name, {"failed": str(error) or type(error).__name__})

    def hear(self, name: str) -> Any:
        """What another process tells, now or later.

        Raises:
            ConfigError: that process has failed.
        """
        what = json.loads(self._store.get(name))
        if isinstance(what, dict) and "failed" in what:
            raise ConfigError(f"Another process has failed: {what['failed']}")
        return what
