"""Private parts of Gradio that the app uses still behave as in the tested release."""

import asyncio
import inspect
import sys
from collections import OrderedDict
from collections.abc import Iterator
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio import blocks, component_meta, networking, processing_utils, route_utils, routes
from gradio.mcp import GradioMCPServer

import clothseg
from clothseg.app.server import gradio_internals as internals


@pytest.fixture
def page() -> gr.Blocks:
    with gr.Blocks() as page:
        box = gr.Textbox()
        box.submit(lambda text: text, box, box, api_name="echo")
    page.queue()
    return page


@pytest.fixture
def restored() -> Iterator[None]:
    """Restore replaced functions of Gradio's modules after the test."""
    download, convert = processing_utils.async_ssrf_protected_download, GradioMCPServer.convert_strings_to_filedata
    yield
    processing_utils.async_ssrf_protected_download = download
    GradioMCPServer.convert_strings_to_filedata = convert


def test_installed_gradio_is_the_tested_release() -> None:
    assert version("gradio") == internals.TESTED_WITH, "check every function of gradio_internals with this release"


def test_only_gradio_internals_uses_private_gradio_parts() -> None:
    package = Path(clothseg.__file__).parent
    private = ("from gradio.", "from gradio import", "from gradio_client.utils", "page._queue", "temp_file_sets")
    found = {
        f"{path.relative_to(package)}: {line.strip()}"
        for path in package.rglob("*.py")
        if path.name != "gradio_internals.py"
        for line in path.read_text(encoding="utf-8").splitlines()
        if any(part in line for part in private)
    }
    assert not found


def test_stub_files_are_neither_read_nor_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def create(*_: object) -> str:
        raise AssertionError("Gradio makes a stub file")

    monkeypatch.setattr(component_meta, "create_pyi", create)
    with internals.without_stub_files():
        component_meta.create_or_modify_pyi(gr.Textbox, "Textbox", [])
        assert Path(inspect.getfile(gr.Textbox)).is_file(), "others still find the file"
    with pytest.raises(AssertionError, match="stub file"):
        component_meta.create_or_modify_pyi(gr.Textbox, "Textbox", [])


def test_pyarrow_is_hidden_only_while_gradio_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    with internals.without_pyarrow():
        import pyarrow  # pandas is there already: nothing is hidden
    loaded = dict(sys.modules)
    for name in [name for name in loaded if name.partition(".")[0] in ("pandas", "pyarrow")]:
        monkeypatch.delitem(sys.modules, name)
    with internals.without_pyarrow(), pytest.raises(ImportError):
        import_module("pyarrow")
    assert "pyarrow" not in sys.modules
    monkeypatch.undo()
    assert sys.modules["pyarrow"] is pyarrow


def test_upload_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    assert Path(internals.upload_folder()) == tmp_path


def test_save_to_cache_writes_a_safe_name_in_a_folder_named_by_content(tmp_path: Path) -> None:
    name = internals.safe_file_name("a/../b<c>.png")
    assert not set(name) & set("/<>")
    path = Path(internals.save_to_cache(b"bytes", name, str(tmp_path)))
    assert path.read_bytes() == b"bytes" and path.parents[1] == tmp_path and len(path.parent.name) == 64


def test_launch_without_request_does_not_wait_for_the_page(page: gr.Blocks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networking, "url_ok", lambda url: False)
    with pytest.raises(ValueError, match="localhost is not accessible"):
        page.launch(prevent_thread_lock=True, quiet=True)
    page.close()
    page.launch(prevent_thread_lock=True, quiet=True, **internals.WITHOUT_REQUEST)
    page.close()


def test_hub_hosts_are_listed() -> None:
    assert "hf.co" in internals.hub_hosts()


@pytest.mark.usefixtures("restored")
def test_replaced_download_is_used_by_gradio(tmp_path: Path) -> None:
    parameters = list(inspect.signature(processing_utils.async_ssrf_protected_download).parameters)
    assert parameters[:2] == ["url", "cache_dir"]

    async def download(url: str, cache_dir: str) -> str:
        return f"{cache_dir}/{url[-5:]}"

    internals.replace_download(download)
    found = asyncio.run(processing_utils.async_ssrf_protected_download("http://example.com/a.png", str(tmp_path)))
    assert found == f"{tmp_path}/a.png"
    assert "processing_utils.async_ssrf_protected_download(" in inspect.getsource(blocks)


def test_unknown_endpoint_raises_the_expected_error(page: gr.Blocks) -> None:
    with pytest.raises(internals.UnknownEndpoint):
        route_utils.get_fn(page, "nothing", SimpleNamespace(session_hash=None, fn_index=None))  # type: ignore[arg-type]


def test_wrap_calls_replaces_both_functions(page: gr.Blocks) -> None:
    before = page.preprocess_data, page.process_api
    assert all(map(inspect.iscoroutinefunction, before))
    internals.wrap_calls(page, lambda function: ("preprocess", function), lambda function: ("process", function))
    assert (page.preprocess_data, page.process_api) == (("preprocess", before[0]), ("process", before[1]))


def test_replace_preprocess_and_schema_are_used() -> None:
    image = gr.Image()
    internals.replace_preprocess(image, lambda payload: "mine")
    assert image.preprocess(internals.StoredImage(path="a.png")) == "mine"
    json = gr.JSON()
    internals.replace_schema(json, {"type": "object"})
    assert json.api_info() == {"type": "object"}


def test_file_list_schema_has_no_references() -> None:
    schema = internals.file_list_schema()
    assert schema["type"] == "array" and "$ref" not in str(schema) and "path" in schema["items"]["properties"]


@pytest.mark.usefixtures("restored")
def test_mcp_file_lists_are_converted_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    parameters = list(inspect.signature(internals._convert).parameters)
    assert parameters == ["self", "value", "filedata_positions"]
    monkeypatch.setattr(internals, "_convert", lambda server, value, positions: asked.extend(positions))
    internals.accept_file_lists_in_mcp()
    GradioMCPServer.convert_strings_to_filedata(None, {"photos": ["a", "b"]}, [["photos", "items"], ["photo"]])  # type: ignore[arg-type]
    assert asked == [["photos", 0], ["photos", 1], ["photo"]]


def test_render_config_shows_changed_components(page: gr.Blocks) -> None:
    next(iter(page.blocks.values())).value = "changed"
    assert any(part["props"].get("value") == "changed" for part in internals.render_config(page)["components"])


def test_new_page_has_no_calls_files_or_sessions(page: gr.Blocks) -> None:
    assert internals.queued_data(page) == [] and internals.unfinished_calls(page) == 0
    assert internals.shown_files(page) == set() and internals.open_sessions(page) == []
    assert all(isinstance(names, set) for names in internals.tracked_files(page)) and internals.tracked_files(page)


def test_sessions_are_listed_kept_and_dropped(page: gr.Blocks) -> None:
    queue = page._queue
    assert isinstance(queue.pending_messages_per_session, OrderedDict)
    queue.pending_event_ids_session["done"] = {"1"}
    queue.pending_messages_per_session["done"] = "answer"  # type: ignore[assignment]
    queue.pending_event_ids_session["running"] = {"2"}
    queue.event_ids_to_events["2"] = None  # type: ignore[assignment]
    assert set(internals.open_sessions(page)) == {("done", False, True), ("running", True, False)}
    internals.keep_answers(page, "done")
    internals.drop_session_answers(page, "done")
    assert internals.open_sessions(page) == [("running", True, False)]


def test_queue_survives_dropped_answers(page: gr.Blocks) -> None:
    queue, event = page._queue, SimpleNamespace(alive=True, _id="1", session_hash="dropped")
    with pytest.raises(KeyError):
        queue.send_message(event, SimpleNamespace())  # type: ignore[arg-type]
    internals.survive_dropped_answers(page)
    queue.send_message(event, SimpleNamespace())  # type: ignore[arg-type]
    queue.pending_messages_per_session["dropped"] = asyncio.Queue()
    queue.send_message(event, SimpleNamespace())  # type: ignore[arg-type]
    assert queue.pending_messages_per_session["dropped"].get_nowait().event_id == "1"


def test_queue_uses_the_set_poll_interval(page: gr.Blocks) -> None:
    queue, waits = page._queue, list[float]()

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        queue.stopped = True

    async def look() -> None:
        for poll in (queue.start_processing, queue.start_progress_updates):
            queue.stopped = False
            await poll()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asyncio, "sleep", sleep)
        for seconds in (0.005, 0.5):
            internals.set_poll_seconds(page, seconds)
            asyncio.run(look())
    assert waits == [0.005, internals.PROGRESS_SECONDS, 0.5, 0.5]


def test_finished_uploads_are_listed_and_dropped() -> None:
    uploads = routes.file_upload_statuses
    uploads.track("upload-of-this-test")
    assert "upload-of-this-test" not in internals.finished_uploads()
    uploads.stop_tracking("upload-of-this-test")
    uploads._signals["upload-of-this-test"] = None  # type: ignore[assignment]
    assert "upload-of-this-test" in internals.finished_uploads()
    internals.drop_upload("upload-of-this-test")
    assert "upload-of-this-test" not in internals.finished_uploads()


@pytest.mark.parametrize(("event", "dropped"), [("single-call", True), ("another", False)])
def test_session_of_a_single_call_is_dropped(page: gr.Blocks, event: str, dropped: bool) -> None:
    async def process_api(**_: object) -> dict[str, bool]:
        return {"is_generating": False}

    page.process_api = process_api  # type: ignore[method-assign, assignment]
    page.state_holder.session_data["single-call"] = None  # type: ignore[assignment]
    process = internals.drop_sessions_of_single_calls(page)
    asyncio.run(process(session_hash="single-call", event_id=event))
    assert ("single-call" not in page.state_holder.session_data) is dropped
