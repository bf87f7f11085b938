"""Private parts of transformers and accelerate that the trainer uses: a release that changes one fails by name."""

import importlib
import re
from pathlib import Path

import pytest
from small_trainer import make_trainer
from transformers import Trainer

from clothseg.errors import ConfigError
from clothseg.training import transformers_internals
from clothseg.training.trainer import ClothesTrainer
from clothseg.training.transformers_internals import INTERNALS, TESTED, TRAINER, Internal


ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("internal", INTERNALS, ids=lambda internal: internal.name)
def test_used_transformers_internal_exists(internal: Internal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails by name when a release changes it, as `check` does at run time."""
    monkeypatch.setattr(transformers_internals, "INTERNALS", (internal,))
    transformers_internals.check()


def test_every_private_override_is_listed() -> None:
    ours = {name for name in vars(ClothesTrainer) if name.startswith("_") and not name.startswith("__")}
    overridden = {name for name in ours if hasattr(Trainer, name)}
    listed = {internal.name for internal in INTERNALS if internal.owner == TRAINER}
    assert overridden <= listed
    assert listed - overridden == {"_get_output_dir", "_created_lr_scheduler"}  # called and set, not overridden


def test_tested_releases_are_the_pinned_ones() -> None:
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements-train.txt").read_text(), flags=re.MULTILINE))
    pins |= dict(re.findall(r"^([\w-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), flags=re.MULTILINE))
    assert {package: pins[package] for package in TESTED} == TESTED


def test_missing_internal_stops_the_trainer(
    doll_data: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_epoch = Trainer._run_epoch
    monkeypatch.delattr(Trainer, "_save_checkpoint")
    monkeypatch.setattr(transformers_internals, "version", lambda package: "6.0.0")
    with pytest.raises(ConfigError, match=r"tested with transformers 5\.24\.0; in 6\.0\.0 Trainer\._save_checkpoint"):
        make_trainer(doll_data, tiny_model, tmp_path)
    monkeypatch.undo()

    def without_epoch(self: Trainer, model: object, train_dataloader: object) -> None:
        run_epoch(self, model, train_dataloader)

    monkeypatch.setattr(Trainer, "_run_epoch", without_epoch)
    with pytest.raises(ConfigError, match=r"Trainer\._run_epoch no longer takes epoch \(it tells data set and"):
        make_trainer(doll_data, tiny_model, tmp_path)
    monkeypatch.undo()

    # it exists, but nothing calls it any more
    module = importlib.import_module("transformers.trainer")
    monkeypatch.setattr(module.Trainer, "_inner_training_loop", lambda self, *args, **kwargs: None)
    with pytest.raises(ConfigError, match=r"Trainer\._run_epoch is no longer used by Trainer"):
        make_trainer(doll_data, tiny_model, tmp_path)
