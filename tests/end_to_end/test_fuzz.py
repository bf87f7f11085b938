"""A little fuzzing in every run, always the same; `benchmarks/fuzz.py` does much. What it found is kept below."""

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
    """So many inputs, the same in every run. Their Random makes them small again where one fails."""
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
def test_damaged_photos(random: Random) -> None:
    begun = time.monotonic()
    fuzzing.fuzz_loader(fuzzing.mutated(FILES, random), random)
    assert time.monotonic() - begun < fuzzing.SECONDS


@pytest.mark.filterwarnings("ignore")
@little(300)
@given(randoms)
def test_damaged_rows(random: Random) -> None:
    fuzzing.fuzz_row(fuzzing.mutated(ROWS, random), random)


@pytest.mark.parametrize("number", range(len(FILES)))
def test_damaged_inputs_come_from_valid_ones(number: int) -> None:
    assert fuzzing.fuzz_loader(FILES[number], Random(0)) == "picture"


def test_sound_rows_are_read() -> None:
    outcomes = [fuzzing.fuzz_row(data, Random(1)) for data in ROWS]
    assert "row" in outcomes


@little(120)
@given(randoms)
def test_senseless_commands(tmp_path_factory: pytest.TempPathFactory, random: Random) -> None:
    arguments = fuzzing_words.command(random)
    if arguments[0] not in ("export", "app"):  # they would export and serve
        fuzzing_words.fuzz_command(arguments, tmp_path_factory.getbasetemp() / "commands")


@little(60)
@given(randoms)
def test_senseless_training_options(tmp_path_factory: pytest.TempPathFactory, random: Random) -> None:
    fuzzing_words.fuzz_training(fuzzing_words.training(random), tmp_path_factory.getbasetemp())


@pytest.fixture(scope="session")
def endpoints(public_app: tuple[str, Path]) -> fuzzing_words.Endpoints:
    return fuzzing_words.Endpoints(public_app[0], encoded(Image.fromarray(draw(1, 96, 64).image), "PNG"))


@little(60)
@given(randoms)
def test_senseless_requests(endpoints: fuzzing_words.Endpoints, random: Random) -> None:
    endpoints.fuzz(*endpoints.request(random))


# What fuzzing found, and has been mended.


@pytest.mark.parametrize("name", ["a" * 5000, "a" * 300 + "/b"])
def test_names_too_long_for_the_system(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["audit", name], ["evaluate", name, name], ["segment", name, "--out", str(tmp_path)]):
        assert main(command) == 1
        said = capsys.readouterr().err
        assert said.startswith("error: ") and len(said) < 6000 and "Traceback" not in said
    with pytest.raises(ConfigError, match=r"--preset a+ cannot be read: File name too long\."):
        parse_arguments(["--preset", name])


def test_a_preset_that_is_no_text(tmp_path: Path) -> None:
    preset = tmp_path / "photo.yaml"
    preset.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(ConfigError, match=r"photo\.yaml is not a text file"):
        parse_arguments(["--preset", str(preset)])


@pytest.mark.parametrize("names", [[5], [["Hat"]], [{"Hat": 1}], [None], ["a"] * 5000, ["x" * 5000]])
def test_names_that_are_no_classes(names: list[Any]) -> None:
    with pytest.raises(UnknownClassError, match=r"Unknown class .*; the classes are: Background, Hat") as caught:
        ids_of(names)
    assert len(str(caught.value)) < 500


def test_a_missing_mask_file_gives_a_clear_message() -> None:
    with pytest.raises(DataError, match=r"Row a: the mask is not a readable picture \(No such file or directory\)\."):
        decode_mask({"bytes": None, "path": "/nowhere"}, "a")


@pytest.mark.parametrize("flags", [["--warmup_steps", "-1"], ["--logging_steps", "inf"], ["--logging_steps", "1e999"]])
def test_numbers_that_training_cannot_use(flags: list[str]) -> None:
    with pytest.raises((ConfigError, SystemExit)) as caught:
        parse_arguments(["--use_cpu", *flags])
    assert isinstance(caught.value, SystemExit) or str(caught.value).endswith(".")
