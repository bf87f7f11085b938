"""Every number on the command line is checked before anything is opened: no photo, model, data set or port."""

import argparse
import dataclasses
import typing
from typing import Any

import pytest
from transformers import TrainingArguments

from clothseg import cli
from clothseg.errors import ConfigError
from clothseg.training.arguments import parse_arguments
from clothseg.training.config import TrainArguments


NEEDED = {"app": [], "audit": ["data"], "evaluate": ["model", "data"], "segment": ["a.jpg", "--out", "out"]}
NEEDED["video"] = ["clip.mp4", "--out", "out.webm"]

RANGES: dict[str, dict[str, tuple[float, float | None, bool]]] = {
    "segment": {
        "max_side": (32, None, True),
        "longest": (32, None, True),
        "margin": (0, 1000, True),
        "grow": (-64, 64, True),
        "feather": (0, 64, False),
        "reach": (0, 256, True),
        "blur": (0, 64, False),
        "padding": (0, 0.4, False),
        "workers": (1, None, True),
    },
    "video": {"grow": (-64, 64, True)}
    | {"feather": (0, 64, False), "max_seconds": (0.1, None, False), "max_pixels": (1, None, True)},
    "evaluate": {"batch_size": (1, None, True), "resamples": (1, None, True), "seed": (0, None, True)},
    "audit": {"limit": (1, None, True), "examples": (1, None, True)},
    "app": {"port": (1, 65535, True)},
}
"""For each command and number: least and largest value, and whether it is whole."""


def numbers(name: str) -> set[str]:
    """The arguments of a command whose values are numbers, told by what they make of one."""
    parser = argparse.ArgumentParser()
    cli.COMMANDS[name].add_arguments(parser)
    found = set()
    for action in parser._actions:
        if not callable(action.type) or action.choices:
            continue
        for text in ("1", "0.2", "40"):
            try:
                made = action.type(text)
            except argparse.ArgumentTypeError:
                continue
            if isinstance(made, int | float):
                found.add(action.option_strings[0].lstrip("-"))
    return found


def test_table_lists_every_number_of_every_command() -> None:
    assert {name: numbers(name) for name in cli.COMMANDS if numbers(name)} == {
        name: set(table) for name, table in RANGES.items()
    }


@pytest.mark.parametrize("command", RANGES)
def test_numbers_out_of_range_are_rejected_while_arguments_are_parsed(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Any] = []
    monkeypatch.setattr(cli.COMMANDS[command], "run", lambda arguments: opened.append(arguments) or 0)
    for name, (least, most, whole) in RANGES[command].items():
        step = 1 if whole else 0.01
        wrong = ["x", "", "nan", f"{least - step:g}", *([f"{most + step:g}"] if most is not None else [])]
        wrong += ["inf", "1.5"] if whole else []
        for value in wrong:
            with pytest.raises(SystemExit) as ended:
                cli.main([command, *NEEDED[command], f"--{name}={value}"])
            told = capsys.readouterr().err
            assert ended.value.code == 2 and f"argument --{name}: give a" in told, (name, value, told)
        for value in (f"{least:g}", *([f"{most:g}"] if most is not None else [])):
            assert cli.main([command, *NEEDED[command], f"--{name}={value}"]) == 0, (name, value)
    assert len(opened) == sum(1 + (most is not None) for _, most, _ in RANGES[command].values())


ALLOWED = {"max_steps": ("-1",), "local_rank": ("-1",)}
"""Values below 0 with a meaning; torchrun sets the local rank."""

BESIDE = {
    "distillation_weight": ["--teacher_model_name_or_path", "x"],
    "distillation_temperature": ["--teacher_model_name_or_path", "x", "--distillation_weight", "1"],
    "min_teacher_probability": ["--teacher_model_name_or_path", "x", "--unlabelled_name", "x"],
    "teacher_scales": ["--teacher_model_name_or_path", "x", "--unlabelled_name", "x"],
}


def training_numbers() -> dict[str, bool]:
    """The options of `train_hf.py` that are numbers, and whether they are whole, which argparse checks."""
    found = {}
    for cls in (TrainArguments, TrainingArguments):
        hints = typing.get_type_hints(cls)
        for each in dataclasses.fields(cls):
            kinds = {hints[each.name], *typing.get_args(hints[each.name])}
            if each.init and kinds & {int, float}:
                found[each.name] = float not in kinds
    return found


def test_training_rejects_numbers_that_are_none_or_below_zero() -> None:
    names = training_numbers()
    assert len(names) > 40
    for name, whole in names.items():
        for value in ("-1",) if whole else ("nan", "inf", "-1"):
            if value not in ALLOWED.get(name, ()):
                with pytest.raises(ConfigError, match=name):
                    parse_arguments([f"--{name}={value}", *BESIDE.get(name, [])])
                    pytest.fail(f"--{name} {value} was accepted")
