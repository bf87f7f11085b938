"""Messages between distributed processes; tests/batch/test_to_dataset.py starts two real ones."""

import pytest
from torch.distributed import HashStore

from clothseg.batch.distributed import Processes
from clothseg.cli import main
from clothseg.errors import ConfigError


@pytest.fixture
def two() -> tuple[Processes, Processes]:
    """Two `Processes` objects in this process with a common store."""
    one, other = Processes(), Processes()
    one._store = other._store = HashStore()
    return one, other


def test_messages_reach_other_processes(two: tuple[Processes, Processes]) -> None:
    one, other = two
    one.tell("work", {"folder": "/tmp/x", "commit": None})
    assert other.hear("work") == {"folder": "/tmp/x", "commit": None}


@pytest.mark.parametrize(
    ("error", "message"), [(ConfigError("The disk is full."), "The disk is full"), (KeyboardInterrupt(), "Keyboard")]
)
def test_failures_reach_other_processes(two: tuple[Processes, Processes], error: BaseException, message: str) -> None:
    one, other = two
    one.fail("work", error)
    with pytest.raises(ConfigError, match=f"Another process failed: {message}"):
        other.hear("work")


def test_single_process_sends_no_messages() -> None:
    Processes().tell("work", 1)
    Processes().fail("work", ConfigError("none"))


def test_unconnected_processes_get_a_clear_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["segment", "--dataset", "alice/photos", "--push_to_hub", "alice/masks"]) == 2
    assert "2 processes cannot connect" in capsys.readouterr().err
