"""Starts the app: environment variables and arguments to a page that is served. `app.py` lists the variables."""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

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


def main(argv: Sequence[str] = (), examples: Path | None = None) -> NoReturn:
    """Build the page and serve it until stopped, while the model is loaded.

    Args:
        argv: the command line's arguments.
        examples: folder of the example photos, which the package does not hold.

    Raises:
        SystemExit: always, with the exit status or with why the app cannot start.
    """
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
    page = build(segmenter, examples, space or f"http://127.0.0.1:{port}", models)
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
    trouble = failure(segmenter)
    sys.exit(status if trouble is None else f"The app cannot start: {trouble}")
