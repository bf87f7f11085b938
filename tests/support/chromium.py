"""Chromium for the tests: the browser, its pages, and pages that tests share."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, TypeVar

import pytest
from PIL import Image
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Error,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)


T = TypeVar("T")

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
HEADLESS = "chromium-headless-shell"
"""The same browser without windows, preferred if installed: a page takes two thirds of the time."""
# Keep the browser from contacting its maker, for example for updates; only the page's own requests matter here.
FLAGS = [
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
]
CAMERA = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
CAMERA_SIZE = 640, 480
PATIENCE = 60_000  # milliseconds; a busy machine with one core is slow
DESKTOP, PHONE = (1280, "light"), (390, "dark")
"""Width and colour scheme of windows."""


def camera_shows(picture: Image.Image, path: Path) -> list[str]:
    """Flags for a browser whose camera shows one picture of `CAMERA_SIZE`, which is written to `path`."""
    file = BytesIO()
    picture.resize(CAMERA_SIZE).save(file, "JPEG", quality=95)
    path.write_bytes(file.getvalue() * 5)
    return [*CAMERA, f"--use-file-for-fake-video-capture={path}"]


def find_browser() -> str:
    """Path of the browser for tests."""
    names = HEADLESS, *CHROMIUM
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.fail(f"The browser tests need Chromium ({', '.join(names)}); the Makefile installs one.")
    return path


class Visits:
    """Opens pages: the app sees a new visitor for each, but pages of one size share the browser's file cache."""

    def __init__(self, browser: Browser) -> None:
        self.browser = browser
        self.contexts: dict[str, BrowserContext] = {}

    @contextmanager
    def page(self, url: str, **options: Any) -> Iterator[Page]:
        """An empty page for the app at `url` in a context with these options; its storage is cleared at the end."""
        key = repr(sorted(options.items()))
        if key not in self.contexts:
            self.contexts[key] = self.browser.new_context(**options)
        context = self.contexts[key]
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        expect.set_options(timeout=PATIENCE)
        try:
            yield page
        finally:
            stored = {"origin": url.rstrip("/"), "storageTypes": "cookies,local_storage,indexeddb"}
            context.new_cdp_session(page).send("Storage.clearDataForOrigin", stored)
            context.clear_permissions()
            page.close()


class Chromium:
    """The browser of several test files, with a camera that shows `picture`."""

    def __init__(self, picture: Image.Image, folder: Path) -> None:
        """Start it; files are written to `folder`."""
        self.playwright = sync_playwright().start()
        flags = [*FLAGS, *camera_shows(picture, folder / "camera.mjpeg")]
        self.browser = self.playwright.chromium.launch(executable_path=find_browser(), args=flags)
        self.visits = Visits(self.browser)
        self._kept: dict[Any, Any] = {}
        self._opened = ExitStack()

    def keep(self, key: Any, make: Callable[[], AbstractContextManager[T]]) -> T:
        """What `make` opens, which stays open until the browser is closed; made once for each key."""
        if key not in self._kept:
            self._kept[key] = self._opened.enter_context(make())
        return self._kept[key]

    def close(self) -> None:
        self._opened.close()
        self.browser.close()
        self.playwright.stop()


class SharedPage:
    """A page that several tests use, one after the other, each in the state in which it was just opened."""

    def __init__(self, visits: Visits, url: str, **options: Any) -> None:
        """Of the app at `url`, in a context with `options`."""
        self.visits, self.url, self.options = visits, url, options
        self._opened = ExitStack()
        self._page: Page | None = None

    def prepare(self, page: Page) -> None:
        """Bring an empty page into the state in which tests get it."""
        raise NotImplementedError

    def reset(self, page: Page) -> bool:
        """Bring the page into that state again; false if only a new page has it."""
        raise NotImplementedError

    @contextmanager
    def lent(self, session: pytest.Session) -> Iterator[Page]:
        """The page for a test; the next test gets a new one if this one fails."""
        failed = session.testsfailed
        try:
            if self._page is not None and not self.reset(self._page):
                self.close()
            if self._page is None:
                page = self._opened.enter_context(self.visits.page(self.url, **self.options))
                with watched(page, self.url):
                    self.prepare(page)
                self._page = page
            with watched(self._page, self.url):
                yield self._page
        except BaseException:
            self.close()
            raise
        if session.testsfailed > failed:
            self.close()

    def close(self) -> None:
        self._page = None
        self._opened.close()

    def __enter__(self) -> "SharedPage":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def watched(page: Page, url: str) -> Iterator[None]:
    """At the end, the page must have had no errors, contacted no other host than `url` and fit the window's width."""
    errors: list[str] = []
    other_hosts: list[str] = []
    missed: list[str] = []

    def told(message: ConsoleMessage) -> None:
        if message.type == "error":
            errors.append(message.text)

    def answered(response: Response) -> None:
        if response.status == 404 and "/upload_progress" in response.url:
            missed.append(response.url)

    def failed(error: Error) -> None:
        errors.append(str(error))

    def asked(request: Request) -> None:
        if not request.url.startswith((url, "data:", "blob:")):
            other_hosts.append(request.url)

    listeners: dict[Any, Any] = {"console": told, "response": answered, "pageerror": failed, "request": asked}
    for event, listener in listeners.items():
        page.on(event, listener)
    yield
    # Gradio's client logs errors for calls interrupted by a reload, and for uploads that begin more than three
    # seconds after it requested their progress, as on a busy machine.
    known = ["AbortError: signal is aborted"]
    if any(each.startswith(known[0]) for each in errors):
        known.append("Unexpected error Connection errored out")
    if missed:
        known += ["Failed to load resource: the server responded with a status of 404", "Response"]
    assert not [each for each in errors if not each.startswith(tuple(known))]
    assert not other_hosts
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
