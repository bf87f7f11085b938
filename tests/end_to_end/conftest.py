"""Fixtures of the tests that talk to the app as an untrusted visitor, and of those that use it in Chromium."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from paper_dolls import draw
from pictures import encoded
from PIL import Image


if TYPE_CHECKING:
    from chromium import Chromium, Visits
    from playwright.sync_api import Browser, Page

    from clothseg import Segmentation, Segmenter

_started: "list[Chromium]" = []
"""Chromium, while it runs in this process."""

_wanted = False
"""Whether the next test uses it, too."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> None:
    """Find out whether Chromium is to be kept: its driver's event loop disturbs some tests that do not use it."""
    global _wanted
    _wanted = "chromium" in getattr(nextitem, "fixturenames", ())


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish() -> Iterator[None]:
    """Close it as well after a run that was stopped."""
    global _wanted
    _wanted = False
    try:
        return (yield)
    finally:
        _close()


def _close() -> None:
    while _started:
        _started.pop().close()


@pytest.fixture
def app(public_app: tuple[str, Path]) -> str:
    """Address of the app shared by the tests of untrusted visitors."""
    return public_app[0]


@pytest.fixture(scope="session")
def photo() -> bytes:
    """A small PNG file."""
    return encoded(Image.fromarray(draw(1, 96, 64).image), "PNG")


@pytest.fixture(scope="session")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two photos of people."""
    folder = tmp_path_factory.mktemp("photos")
    paths = [folder / "holiday.jpg", folder / "evening.png"]
    for seed, path in enumerate(paths, start=1):
        Image.fromarray(draw(seed, 600, 400).image).save(path)
    return paths


@pytest.fixture(scope="session")
def library(tiny_model: Path) -> "Segmenter":
    """The library with the app's model."""
    from clothseg import Segmenter

    return Segmenter.from_pretrained(tiny_model)


@pytest.fixture(scope="session")
def expected(library: "Segmenter", photos: list[Path]) -> "Segmentation":
    """The library's result for the first of the photos, with the page's settings."""
    from clothseg.app.settings import DEFAULT_OPTIONS

    return library(photos[0], DEFAULT_OPTIONS)


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Chromium"]:
    """Chromium with a camera that shows a paper doll; modules that follow one another use the same."""
    from chromium import Chromium

    if not _started:
        _started.append(Chromium(Image.fromarray(draw(1, 480, 640).image), tmp_path_factory.mktemp("camera")))
    yield _started[0]
    if not _wanted:
        _close()  # before the apps that it has opened, which wait for open connections


@pytest.fixture(scope="module")
def browser(chromium: "Chromium") -> "Browser":
    """The browser itself."""
    return chromium.browser


@pytest.fixture(scope="module")
def visits(chromium: "Chromium") -> "Visits":
    """Opens pages in the browser."""
    return chromium.visits


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["desktop", "phone"])
def window(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Size and colour scheme of the page's window: `on_desktop` and `on_phone` in browsing.py choose one.

    Motion is reduced, which saves a tenth of the browser's work; the German page moves.
    """
    width, scheme = request.param
    return {"viewport": {"width": width, "height": 844}, "color_scheme": scheme, "reduced_motion": "reduce"}


@pytest.fixture
def unopened(window: dict[str, Any], served: str, visits: "Visits") -> Iterator["Page"]:
    """An empty page for the app. At the end, it must have had no errors, contacted no other host and fit the window's
    width."""
    from chromium import watched

    with visits.page(served, **window) as page, watched(page, served):
        yield page


@pytest.fixture
def page(unopened: "Page", served: str) -> "Page":
    """The newly opened page."""
    from browsing import open_app

    open_app(unopened, served)
    return unopened


@pytest.fixture
def shown(
    request: pytest.FixtureRequest, window: dict[str, Any], served: str, chromium: "Chromium", photos: list[Path]
) -> Iterator["Page"]:
    """The page that shows the cut-out of the first photo, which tests share: see `SegmentedPage`."""
    from segmented_page import SegmentedPage

    shared = chromium.keep(str(window), lambda: SegmentedPage(chromium.visits, served, photos[0], **window))
    with shared.lent(request.session) as page:
        yield page
