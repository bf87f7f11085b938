"""Scheduling of tests to the processes of pytest-xdist: whole files, in the order of collection.

xdist's own `--dist loadgroup` marks groups in the tests' ids, which pytest 9.2 does not let it do: it gives tests of a
group to any process, and each process makes the fixtures of each file anew.
"""

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling


SECONDS = {
    "test_web_page.py": 35,
    "test_browser_photos.py": 30,
    "test_speed.py": 27,
    "test_engines.py": 25,
    "test_hub_faults.py": 22,
    "test_evaluate.py": 22,
    "test_browser_tabs.py": 20,
    "test_whole_path.py": 19,
    "test_install.py": 18,
    "test_browser_batch.py": 18,
    "test_browser_lost.py": 17,
    "test_push.py": 17,
    "test_browser_picks.py": 17,
    "test_browser_cutout.py": 16,
    "test_run.py": 15,
    "test_browser_corrections.py": 15,
    "test_interruption.py": 14,
    "test_trainer.py": 14,
    "test_ray_pool.py": 13,
    "test_connections.py": 13,
    "test_architectures.py": 12,
    "test_own_classes.py": 12,
    "test_deploy.py": 11,
    "test_stage_corrections.py": 11,
    "test_soak.py": 10,
    "test_read_only.py": 10,
    "test_killed.py": 10,
    "test_isolation.py": 10,
    "test_worker_pool.py": 9,
    "test_readme.py": 9,
    "test_stage_views.py": 9,
    "test_client.py": 9,
    "test_shutdown.py": 8,
    "test_export.py": 8,
    "test_distributed.py": 7,
    "test_state_cleanup.py": 7,
    "test_browser_german.py": 7,
    "test_browser_loading.py": 7,
    "test_int8.py": 7,
    "test_loading.py": 7,
    "test_nan_guard.py": 7,
    "test_stage_picks.py": 7,
    "test_http.py": 7,
    "test_package.py": 6,
}
"""About how long files take, for the first run of a working copy; later runs know it from pytest's cache."""


def order_of(files: Iterable[str], groups: Mapping[str, str], seconds: Mapping[str, float]) -> dict[str, int]:
    """Where each file comes: those that take longest first, files of a group together.

    Args:
        files: paths of the files, also more than once.
        groups: file -> name of its group.
        seconds: file -> how long it has taken; may lack some.
    """
    takes: Counter[str] = Counter()
    for file in dict.fromkeys(files):
        takes[groups.get(file, file)] += round(seconds.get(file, SECONDS.get(Path(file).name, 3)))
    ordered = sorted(dict.fromkeys(files), key=lambda file: -takes[groups.get(file, file)])
    scopes = {scope: place for place, scope in enumerate(dict.fromkeys(groups.get(file, file) for file in ordered))}
    return {file: scopes[groups.get(file, file)] for file in ordered}


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
