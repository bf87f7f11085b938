"""The Space: clothes segmentation in the browser, for programs and for assistants (MCP).

    python app.py [--self-check]
    CLOTHSEG_MODEL=owner/model CLOTHSEG_REVISION=v1 python app.py

CLOTHSEG_MODEL names a model on the Hub or a folder; without it, or when the Hub does not give it, the weights that
ship with the package are used. CLOTHSEG_ENGINE (auto, torch, openvino, onnx) and CLOTHSEG_PRECISION (exact, fast) say
what runs it, as in `Segmenter.from_pretrained`. CLOTHSEG_MAX_PIXELS is the largest width x height of a photo, 40
million if it is not set. CLOTHSEG_MAX_TEMP_MB is how many megabytes uploads and results may take together, 4096 if it
is not set; older ones make room for new ones. CLOTHSEG_COMPARE lists models, separated by commas, that the page can
compare with it; where only this machine reaches the app, any other can be named there, too.
GRADIO_SERVER_NAME and GRADIO_SERVER_PORT say where to listen.
--self-check, or CLOTHSEG_SELF_CHECK=1, has the engine compared with PyTorch first; one that differs is not served.
The page is there while the model is loaded: photos wait for it, and /health says so.
SIGTERM ends the app once it has answered what it has accepted: status 0, or 143 if that takes more than 25 s.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from clothseg.process_settings import tune


os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "0")
# Of its own statistics, which nobody may see here, gradio makes a table anew after each call, of 10,000 calls at most.
os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", str(10**9))
tune()  # before anything imports torch

from clothseg import ClothsegError  # noqa: E402
from clothseg.app import zerogpu  # noqa: E402
from clothseg.app.blocks import build, launch_options  # noqa: E402
from clothseg.app.limits import MAX_FILE_BYTES  # noqa: E402
from clothseg.app.model_loader import failure, load_served_model, load_with_head_start  # noqa: E402
from clothseg.app.server.request_limits import protect  # noqa: E402
from clothseg.app.server.shutdown import serve  # noqa: E402
from clothseg.app.server.temp_storage import own_folder, temp_limit  # noqa: E402
from clothseg.app.tabs.compare import Models  # noqa: E402
from clothseg.images.decode import pixel_limit  # noqa: E402


HEAD_START = 1.0
"""Seconds that the model has before the page: most starts need no more, and wrong settings are found by then."""


def main(argv: Sequence[str] = ()) -> None:
    """Build the page and serve it until stopped, while the model is loaded."""
    parser = argparse.ArgumentParser(description="Serve clothes segmentation in the browser and to programs.")
    parser.add_argument("--self-check", action="store_true", help="compare the engine with PyTorch before serving")
    asked = parser.parse_args(argv)
    port = os.environ.get("GRADIO_SERVER_PORT") or "7860"
    try:
        pixel_limit()  # a wrong setting is told now, not to the first visitor
        room = temp_limit()
        own_folder(port)
        name = os.environ.get("CLOTHSEG_MODEL") or None
        load = partial(
            load_served_model,
            name,
            os.environ.get("CLOTHSEG_REVISION") or None,
            engine=os.environ.get("CLOTHSEG_ENGINE") or "auto",
            precision=os.environ.get("CLOTHSEG_PRECISION") or "exact",
            check=asked.self_check or os.environ.get("CLOTHSEG_SELF_CHECK", "").lower() in ("1", "true", "yes"),
        )
        # ZeroGPU takes over only what is loaded before the launch.
        segmenter = load() if zerogpu.here() else load_with_head_start(name, load, HEAD_START)
    except ClothsegError as error:
        sys.exit(f"The app cannot start: {error}")
    space = os.environ.get("SPACE_ID")
    # A Space's container must answer from outside; on anybody's own machine the app is theirs alone.
    host = os.environ.get("GRADIO_SERVER_NAME") or ("0.0.0.0" if space else "127.0.0.1")  # noqa: S104
    named = (name.strip() for name in os.environ.get("CLOTHSEG_COMPARE", "").split(","))
    # Whoever may name any model makes the server download it, or read its own disk.
    models = Models(tuple(filter(None, named)), free=not space and host in ("127.0.0.1", "localhost", "::1"))
    page = build(segmenter, Path(__file__).parent / "examples", space or f"http://127.0.0.1:{port}", models)
    page.queue(max_size=32)
    guarded = protect(page, MAX_FILE_BYTES, room)
    status = serve(
        page,
        broken=lambda: failure(segmenter) is not None,
        server_name=host,
        mcp_server=True,
        **launch_options(),
        **guarded,
    )
    sys.exit(status if (error := failure(segmenter)) is None else f"The app cannot start: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
