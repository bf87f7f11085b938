"""Pages that show only the stage."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from chromium import Chromium
    from stage_page import Stage


def lent(chromium: "Chromium", session: pytest.Session, width: int, height: int, **options: Any) -> Iterator["Stage"]:
    """The stage on the page that tests share, in a window of this size."""
    from stage_page import Stage, StagePage, serving_stage

    app = chromium.keep("stage", serving_stage)
    size = {"width": width, "height": height}
    shared = chromium.keep(
        ("stage", width),
        lambda: StagePage(chromium.visits, app.url, viewport=size, reduced_motion="reduce", **options),
    )
    with shared.lent(session) as page:
        yield Stage(page, app)


@pytest.fixture
def desktop(request: pytest.FixtureRequest, chromium: "Chromium") -> Iterator["Stage"]:
    """The stage in a wide, light window."""
    yield from lent(chromium, request.session, 1366, 768, color_scheme="light")


@pytest.fixture
def phone(request: pytest.FixtureRequest, chromium: "Chromium") -> Iterator["Stage"]:
    """The stage on a dark phone."""
    yield from lent(chromium, request.session, 390, 844, color_scheme="dark", has_touch=True)
