"""`make lite` passes consistent options to each of its steps."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from clothseg.training.arguments import parse_arguments


ROOT = Path(__file__).parents[2]


def steps(*variables: str) -> list[list[str]]:
    command = ["make", "-n", "lite", "-o", ".venv/dev", *variables]
    lines = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.replace("\\\n", " ")
    return [line.split("train_hf.py")[1].split() for line in lines.splitlines() if "train_hf.py" in line]


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make_lite_chains_its_steps_and_skips_finished_ones(tmp_path: Path) -> None:
    given = ["DATA=d", "TAGGED=t.parquet", "FLATLAY=f.parquet", "EXCLUDE=e.txt", "SPLIT=s.json", f"LITE={tmp_path}"]
    found = [parse_arguments(step) for step in steps(*given, "FLAGS=--max_steps 7")]
    assert [Path(training.output_dir or "").name for _, training in found] == [
        "teacher",
        "student",
        "large",
        "portraits",
    ]
    (first, _), (second, _), (third, _), (fourth, _) = found
    assert (first.unlabelled_name, first.teacher_model_name_or_path) == (None, None)
    assert second.teacher_model_name_or_path == f"{tmp_path}/teacher/model"
    assert third.model_name_or_path == third.teacher_model_name_or_path == f"{tmp_path}/student/model"
    assert fourth.model_name_or_path == fourth.teacher_model_name_or_path == f"{tmp_path}/large/model"
    assert (third.augmentation, fourth.augmentation) == ("strong", "portraits")
    for parsing, training in found:
        assert (training.resume_from_checkpoint, training.max_steps, parsing.split_file) == ("auto", 7, "s.json")
    for parsing in (second, third, fourth):
        names = parsing.unlabelled_name, parsing.flat_lay_name, parsing.exclude_file
        assert names == ("t.parquet", "f.parquet", "e.txt")

    assert [re.sub(r".*/", "", step[step.index("--output_dir") + 1]) for step in steps(*given, "TEACHER=x")] == [
        "student",
        "large",
        "portraits",
    ]
    for name in ("teacher", "student", "large"):
        (tmp_path / name / "model").mkdir(parents=True)
        (tmp_path / name / "model" / "config.json").write_text("{}")
    assert len(steps(*given)) == 1


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
@pytest.mark.parametrize(("variables", "message"), [([], "needs DATA"), (["DATA=d"], "needs TAGGED")])
def test_make_lite_names_missing_variables(variables: list[str], message: str) -> None:
    command = ["make", "lite-input", *variables]
    run = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert run.returncode and message in run.stdout
