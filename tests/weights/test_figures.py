"""The embedded model's figures agree in card, README and figures.json, and belong to the weights."""

import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml
from markdown_tables import table


ROOT = Path(__file__).parents[2]
WEIGHTS = ROOT / "clothseg" / "weights"
FIGURES = json.loads((WEIGHTS / "figures.json").read_text())
README = (ROOT / "README.md").read_text(encoding="utf-8")
CARD = (WEIGHTS / "README.md").read_text(encoding="utf-8")
COLUMNS = {
    "mean IoU": "mean_iou",
    "mean accuracy": "mean_accuracy",
    "overall accuracy": "overall_accuracy",
    "correct side of shoes and limbs": "side_accuracy",
    "right side of shoes and limbs": "side_accuracy",
    "boundary F1, 2 px": "boundary_f1_2px",
}


def shown(figure: list[float]) -> str:
    """Format a figure and its interval, if any, as in tables."""
    return f"{figure[0]:.3f}" + (f" ({figure[1]:.3f}–{figure[2]:.3f})" if len(figure) > 1 else "")


def test_figures_belong_to_the_weights() -> None:
    assert hashlib.sha256((WEIGHTS / "model.safetensors").read_bytes()).hexdigest() == FIGURES["weights_sha256"]


@pytest.mark.parametrize(("row", "part"), [(1, "validation"), (2, "development")])
def test_readme_shows_the_figures(row: int, part: str) -> None:
    marked = README.split("<!-- accuracy: kept in step with clothseg/weights by tests -->")[1].split("\n\n")[0]
    head, *rows = table(marked)
    cells = rows[row - 1]
    assert cells[0].startswith(f"{FIGURES[part]['photos']} ")
    for column, cell in zip(head[1:], cells[1:], strict=True):
        assert cell == shown(FIGURES[part].get(COLUMNS[column], [])) if cell else COLUMNS[column] not in FIGURES[part]


def test_readme_states_what_chose_the_model() -> None:
    text = " ".join(README.split())
    assert FIGURES["validation"]["chose_between_checkpoints"] == 0 and "validation photos were scored once" in text
    assert "The development photos chose the recipe" in text


def test_card_shows_the_figures() -> None:
    text = " ".join(CARD.split())
    validation, development, before = (FIGURES[part] for part in ("validation", "development", "previous_weights"))
    summary = text.split("## Figures")[1].split("How the figures were computed")[0]
    for figures, words in (
        (validation, "overall accuracy {}, right side of shoes and limbs {}, boundary F1 at 2 px {}"),
        (development, "overall accuracy {}, right side {}, boundary F1 {}"),
    ):
        assert f"mean IoU is {shown(figures['mean_iou'])}" in summary
        keys = ("overall_accuracy", "side_accuracy", "boundary_f1_2px")
        assert words.format(*(f"{figures[key][0]:.3f}" for key in keys)) in summary
    assert f"chosen on the validation photos {before['validation']['chose_between_checkpoints']} times" in summary
    for part in ("validation", "unseen"):
        assert f"{before[part]['mean_iou'][0]:.3f}" in summary
    lines = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in CARD.splitlines() if line[:2] == "| "}
    for row, key in COLUMNS.items():
        if row in lines:
            assert lines[row] == shown(validation[key])
    assert {"mean IoU", "overall accuracy", "right side of shoes and limbs"} <= set(lines)


def test_card_metadata_matches_the_figures() -> None:
    found = re.match(r"---\n(.*?)\n---\n", CARD, re.DOTALL)
    assert found
    (result,) = yaml.safe_load(found[1])["model-index"][0]["results"]
    for metric in result["metrics"]:
        assert round(metric["value"], 3) == FIGURES["validation"][metric["type"]][0]
