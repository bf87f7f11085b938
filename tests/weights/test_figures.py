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


@pytest.mark.parametrize(("row", "part"), [(1, "validation"), (2, "unseen")])
def test_readme_shows_the_figures(row: int, part: str) -> None:
    marked = README.split("<!-- accuracy: kept in step with clothseg/weights by tests -->")[1].split("\n\n")[0]
    head, *rows = table(marked)
    cells = rows[row - 1]
    assert cells[0].startswith(f"{FIGURES[part]['photos']} ")
    for column, cell in zip(head[1:], cells[1:], strict=True):
        assert cell == shown(FIGURES[part].get(COLUMNS[column], [])) if cell else COLUMNS[column] not in FIGURES[part]


def test_readme_states_that_validation_figures_are_optimistic() -> None:
    text = " ".join(README.split())
    assert "used several times while" in text and FIGURES["validation"]["chose_between_checkpoints"] > 1


def test_card_shows_the_figures() -> None:
    text = " ".join(CARD.split())
    unseen, seen = FIGURES["unseen"], FIGURES["validation"]
    assert f"mean IoU is {shown(unseen['mean_iou'])}**: {unseen['photos']} further photos" in text
    for words, key in (
        ("overall accuracy", "overall_accuracy"),
        ("right side of shoes and limbs", "side_accuracy"),
        ("boundary F1 at 2 px", "boundary_f1_2px"),
        ("mean IoU with plain edges", "mean_iou_plain_edges"),
    ):
        assert f"{words} {shown(unseen[key])}" in text.split("The tables below")[0]
    assert f"have chosen between checkpoints {seen['chose_between_checkpoints']} times" in text
    lines = {line.split("|")[1].strip(): line.split("|")[2].strip() for line in CARD.splitlines() if line[:2] == "| "}
    for row, key in COLUMNS.items():
        if row in lines:
            assert lines[row] == shown(seen[key])
    assert {"mean IoU", "overall accuracy", "right side of shoes and limbs"} <= set(lines)


def test_card_metadata_matches_the_figures() -> None:
    found = re.match(r"---\n(.*?)\n---\n", CARD, re.DOTALL)
    assert found
    (result,) = yaml.safe_load(found[1])["model-index"][0]["results"]
    for metric in result["metrics"]:
        assert round(metric["value"], 3) == FIGURES["validation"][metric["type"]][0]
