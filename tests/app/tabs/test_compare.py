"""Which models may be compared with the one that is served."""

import pytest

from clothseg.app.tabs.compare import Models
from clothseg.errors import ConfigError


@pytest.mark.parametrize("name", ["/etc", "./weights", "someone/model", ""])
def test_strangers_get_no_model_that_is_not_on_offer(name: str) -> None:
    with pytest.raises(ConfigError, match="it offers user/a, user/b"):
        Models(("user/a", "user/b")).check(name)
    with pytest.raises(ConfigError, match="none but the one it serves"):
        Models().check(name)
    Models(free=True).check(name)


def test_what_is_on_offer_may_be_loaded() -> None:
    Models(("user/a", "user/b")).check("user/b")
