"""Scheduling of tests to the processes of pytest-xdist: whole files, in the order of collection.

xdist's own `--dist loadgroup` marks groups in the tests' ids, which pytest 9.2 does not let it do: it gives tests of a
group to any process, and each process makes the fixtures of each file anew.
"""

import json
import os
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


def write_groups(folder: Path, groups: dict[str, str]) -> None:
    """Write the groups of files (path -> group's name) for the first process, which collects no tests."""
    path = folder / f"groups-{os.environ['PYTEST_XDIST_WORKER']}.json"
    path.write_text(json.dumps(groups))


class WholeFiles(LoadScopeScheduling):
    """Assigns each file, and all files of a group, to one process."""

    def __init__(self, config: pytest.Config, log: Producer, folder: Path) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False
        self.folder, self.groups = folder, {}

    def schedule(self) -> None:
        """Called when all processes have collected their tests."""
        if self.collection is None:
            self.groups = json.loads(next(self.folder.glob("groups-*.json")).read_text())
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return self.groups.get(path, path)
