"""Short, deterministic fuzzing in every run (`benchmarks/fuzz.py` fuzzes at length), and bugs found by fuzzing."""

import time
from pathlib import Path
from random import Random
from typing import Any

import fuzzing
import fuzzing_words
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paper_dolls import draw
from pictures import encoded
from PIL import Image

from clothseg.cli import main
from clothseg.errors import ConfigError, DataError, UnknownClassError
from clothseg.labels import ids_of
from clothseg.training.arguments import parse_arguments
from clothseg.training.data.decoding import decode_mask


def little(examples: int) -> settings:
    """Settings for a given number of inputs, the same in every run; failing inputs are shrunk through their Random."""
    return settings(
        max_examples=examples,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


randoms = st.randoms(use_true_random=False)
FILES, ROWS = fuzzing.seeds(), fuzzing.row_seeds()


@pytest.mark.filterwarnings("ignore")
@little(400)
@given(randoms)
def test_damaged_photos_are_read_or_give_a_clear_error(random: Random) -> None:
    begun = time.monotonic()
    fuzzing.fuzz_loader(fuzzing.mutated(FILES, random), random)
    assert time.monotonic() - begun < fuzzing.SECONDS


@pytest.mark.filterwarnings("ignore")
@little(300)
@given(randoms)
def test_damaged_rows_are_read_or_give_a_clear_error(random: Random) -> None:
    fuzzing.fuzz_row(fuzzing.mutated(ROWS, random), random)


@pytest.mark.parametrize("number", range(len(FILES)))
def test_seed_photos_of_the_fuzzer_are_valid(number: int) -> None:
    assert fuzzing.fuzz_loader(FILES[number], Random(0)) == "picture"


def test_seed_rows_of_the_fuzzer_include_valid_ones() -> None:
    outcomes = [fuzzing.fuzz_row(data, Random(1)) for data in ROWS]
    assert "row" in outcomes


@little(120)
@given(randoms)
def test_random_commands_end_with_a_clear_error(tmp_path_factory: pytest.TempPathFactory, random: Random) -> None:
    arguments = fuzzing_words.command(random)
    if arguments[0] not in ("export", "app"):  # these two would really export and serve
        fuzzing_words.fuzz_command(arguments, tmp_path_factory.getbasetemp() / "commands")


@little(60)
@given(randoms)
def test_random_training_options_end_with_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, random: Random
) -> None:
    fuzzing_words.fuzz_training(fuzzing_words.training(random), tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def endpoints(public_app: tuple[str, Path]) -> fuzzing_words.Endpoints:
    return fuzzing_words.Endpoints(public_app[0], encoded(Image.fromarray(draw(1, 96, 64).image), "PNG"))


@little(60)
@given(randoms)
def test_random_requests_get_a_valid_answer(endpoints: fuzzing_words.Endpoints, random: Random) -> None:
    endpoints.fuzz(*endpoints.request(random))


# Bugs that fuzzing found, now fixed.


@pytest.mark.parametrize("name", ["a" * 5000, "a" * 300 + "/b"])
def test_file_names_that_are_too_long_give_a_clear_error(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in (["audit", name], ["evaluate", name, name], ["segment", name, "--out", str(tmp_path)]):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert said.startswith("error: ") and len(said) < 6000 and "Traceback" not in said
    with pytest.raises(ConfigError, match=r"--preset a+ cannot be read: File name too long\."):
        parse_arguments(["--preset", name])


def test_binary_preset_gives_a_clear_error(tmp_path: Path) -> None:
    preset = tmp_path / "photo.yaml"
    preset.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ConfigError, match=r"photo\.yaml is not a text file"):
        parse_arguments(["--preset", str(preset)])


@pytest.mark.parametrize("names", [[5], [["Hat"]], [{"Hat": 1}], [None], ["a"] * 5000, ["x" * 5000]])
def test_invalid_class_names_give_a_short_error(names: list[Any]) -> None:
    with pytest.raises(UnknownClassError, match=r"Unknown class .*; the classes are: Background, Hat") as caught:
        ids_of(names)
    assert len(str(caught.value)) < 500


def test_missing_mask_file_gives_a_clear_error() -> None:
    with pytest.raises(DataError, match=r"Row a: the mask is not a readable picture \(No such file or directory\)\."):
        decode_mask({"bytes": None, "path": "/nowhere"}, "a")


@pytest.mark.parametrize("flags", [["--warmup_steps", "-1"], ["--logging_steps", "inf"], ["--logging_steps", "1e999"]])
def test_invalid_numbers_in_training_options_are_rejected(flags: list[str]) -> None:
    with pytest.raises((ConfigError, SystemExit)) as caught:
        parse_arguments(["--use_cpu", *flags])
    assert isinstance(caught.value, SystemExit) or str(caught.value).endswith(".")
