"""What model cards say on the licence of the weights."""

from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from clothseg.models.license import license_note, model_card
from clothseg.models.loading import EMBEDDED


@pytest.mark.parametrize(
    ("model_type", "card", "said"),
    [
        ("segformer", None, "not for commercial use"),
        ("segformer", {"license": "mit"}, "not for commercial use"),
        ("upernet", {"base_model": ["nvidia/mit-b2"]}, "not for commercial use"),
        ("clothseg-lite", {"license": "apache-2.0"}, "card: apache-2.0"),
        ("clothseg-lite", {"license": "other", "license_name": "my-terms"}, "card: my-terms"),
        ("clothseg-lite", {}, "not stated"),
        ("clothseg-lite", None, "not stated"),
    ],
)
def test_license_note_follows_card_and_architecture(model_type: str, card: dict[str, Any] | None, said: str) -> None:
    assert said in license_note(model_type, card)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("---\nlicense: mit\n---\n# A model\n", {"license": "mit"}),
        ("---\r\nlicense: mit\r\ntags:\r\n- a\r\n---\r\n", {"license": "mit", "tags": ["a"]}),
        ("# No front matter\n---\nlicense: mit\n---\n", None),
        ("---\n- a list\n---\n", None),
        ("---\nlicense: [mit\n---\n", None),
        ("---\nlicense: mit\n", None),
        (None, None),
    ],
)
def test_model_card_metadata_is_read_if_valid(text: str | None, found: dict | None, tmp_path: Path) -> None:
    if text is not None:
        (tmp_path / "README.md").write_bytes(text.encode())
    assert model_card(tmp_path) == found


def test_model_card_reading_equals_the_hub_client() -> None:
    theirs = ModelCard.load(EMBEDDED / "README.md").data
    ours = model_card(EMBEDDED)
    assert ours is not None and ours["license"] == theirs.license
