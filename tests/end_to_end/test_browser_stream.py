"""The stream that sends the answers of Gradio's queue to the page.

Covers `clothseg/app/page/stream.js`.
"""

from collections.abc import Iterator

import gradio as gr
import pytest
from chromium import PATIENCE
from playwright.sync_api import APIResponse, Browser, Page, Route, expect

from clothseg.app.blocks import launch_options
from clothseg.app.server.gradio_internals import WITHOUT_REQUEST


@pytest.fixture
def two_calls(browser: Browser) -> Iterator[Page]:
    """A page with the app's script and two buttons that show the server's answer."""
    with gr.Blocks() as demo:
        for name in ("First", "Second"):
            answer = gr.Textbox(elem_id=f"{name}-answer", label=f"{name} answer")
            gr.Button(name).click(lambda name=name: f"{name} is done", None, answer, show_progress="hidden")
    options = {name: value for name, value in launch_options().items() if name in ("js", "ssr_mode", *WITHOUT_REQUEST)}
    _, url, _ = demo.launch(quiet=True, prevent_thread_lock=True, server_name="127.0.0.1", **options)
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    expect.set_options(timeout=PATIENCE)
    page.goto(url)
    page.wait_for_function("window.clothseg")
    yield page
    page.close()
    demo.close()


def test_call_made_while_the_stream_ends_is_answered(two_calls: Page) -> None:
    page, held = two_calls, list[tuple[Route, APIResponse]]()
    page.route("**/queue/data*", lambda route: held.append((route, route.fetch())), times=1)
    page.get_by_role("button", name="First").click()
    while not held:
        page.wait_for_timeout(20)
    route, stream = held[0]
    assert '"close_stream"' in stream.text()  # the server has ended the stream, and the page does not know it yet
    with page.expect_response("**/queue/join*") as accepted:
        page.get_by_role("button", name="Second").click()
    accepted.value.finished()
    page.wait_for_timeout(300)  # until the client has read that its call was accepted
    route.fulfill(response=stream)
    for name in ("First", "Second"):
        expect(page.locator(f"#{name}-answer textarea")).to_have_value(f"{name} is done")
    page.get_by_role("button", name="First").click()
    expect(page.locator("#First-answer textarea")).to_have_value("First is done")
