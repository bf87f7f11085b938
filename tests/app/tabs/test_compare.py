"""Models allowed for comparison, and titles of the results."""

import pytest

from clothseg.app.settings import SWITCHES
from clothseg.app.tabs.compare import Models, settings_text, titles
from clothseg.errors import ConfigError


@pytest.mark.parametrize("name", ["/etc", "./weights", "someone/model", ""])
def test_models_not_on_offer_are_rejected(name: str) -> None:
    with pytest.raises(ConfigError, match="it offers user/a, user/b"):
        Models(("user/a", "user/b")).check(name)
    with pytest.raises(ConfigError, match="none but the one it serves"):
        Models().check(name)
    Models(free=True).check(name)


def test_offered_models_are_accepted() -> None:
    Models(("user/a", "user/b")).check("user/b")


def test_titles_show_the_differing_model_or_settings() -> None:
    plain = [switch.ticked for switch in SWITCHES]
    other = [not plain[0], *plain[1:]]
    changed = settings_text(other)
    assert settings_text(plain) == "Default settings" and changed.startswith(SWITCHES[0].label)
    assert titles(("a", "a"), (plain, other)) == ["A: Default settings", f"B: {changed}"]
    assert titles(("a", "b"), (plain, plain)) == ["A: a", "B: b"]
    assert titles(("a", "b"), (other, plain)) == [f"A: a, {changed}", "B: b, Default settings"]
