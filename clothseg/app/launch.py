"""Starts the app: reads the settings, loads the model, builds the page and serves it.

Importing this module starts nothing, but it sets what gradio and torch read from the environment when they are
imported: it must be the process's first import of either.
"""

import gc
import os
import sys
from functools import partial
from pathlib import Path
from typing import NoReturn

from clothseg.process_settings import tune


tune()

from clothseg import ClothsegError  # noqa: E402
from clothseg.app.environment import GRADIO_DEFAULTS, read_environment, read_port  # noqa: E402


for variable, value in GRADIO_DEFAULTS.items():
    os.environ.setdefault(variable, value)
read_port()  # checked before Gradio is imported, which fails without a clear message

import clothseg.app.server.gradio_internals  # noqa: E402, F401 - first, since it imports Gradio faster
from clothseg.app.blocks import build, launch_options  # noqa: E402
from clothseg.app.limits import MAX_FILE_BYTES  # noqa: E402
from clothseg.app.model_loader import failure, load_served_model, load_with_head_start  # noqa: E402
from clothseg.app.server.ports import DEFAULT_PORT, free_port  # noqa: E402
from clothseg.app.server.request_limits import protect  # noqa: E402
from clothseg.app.server.shutdown import serve  # noqa: E402
from clothseg.app.server.temp_storage import own_folder  # noqa: E402
from clothseg.app.tabs.compare import Models  # noqa: E402
from clothseg.batch.training_examples import check_examples_folder  # noqa: E402


HEAD_START = 1.0
"""Seconds to wait for the model before the page starts; most starts need less, and wrong settings are found by then.
"""


def main(
    self_check: bool = False,
    save_corrections: Path | None = None,
    examples: Path | None = None,
    host: str | None = None,
    port: int | None = None,
) -> NoReturn:
    """Build the page and serve it until stopped, while the model is loaded.

    Args:
        self_check: whether to compare the engine with PyTorch first; the environment can ask for it, too.
        save_corrections: folder of a data set to which corrected photos are written; None for none.
        examples: folder of the example photos, which the package does not hold.
        host: address to listen at; None for the environment's.
        port: and its port; None for the environment's.

    Raises:
        SystemExit: always, with the exit status or with why the app cannot start.
    """
    try:
        settings = read_environment()
        settings = settings._replace(host=host or settings.host, port=port or settings.port)
        port = free_port(settings.host, settings.port)
        if settings.port is None and port != DEFAULT_PORT:
            sys.stderr.write(f"Port {DEFAULT_PORT} is in use; the app is served at port {port}.\n")
        own_folder(settings.temp_folder, port)
        if save_corrections:
            check_examples_folder(save_corrections)
        load = partial(
            load_served_model,
            settings.model,
            settings.revision,
            engine=settings.engine,
            precision=settings.precision,
            check=self_check or settings.self_check,
            zero_gpu=settings.zero_gpu,
        )
        # ZeroGPU takes over only models loaded before the launch.
        segmenter = (
            load() if settings.zero_gpu else load_with_head_start(settings.model, load, HEAD_START, settings.revision)
        )
    except ClothsegError as error:
        sys.exit(f"The app cannot start: {error}")
    # A visitor who may name any model makes the server download it, or read its own disk.
    models = Models(settings.compare, free=settings.private, device="cpu" if settings.zero_gpu else None)
    address = settings.space or f"http://127.0.0.1:{port}"
    page = build(segmenter, examples, address, models, save_corrections)
    page.queue(max_size=32)
    guarded = protect(page, MAX_FILE_BYTES, settings.temp_bytes)
    gc.freeze()  # long-lived objects: later collections skip them
    gc.enable()
    status = serve(
        page,
        broken=lambda: failure(segmenter) is not None,
        server_name=settings.host,
        server_port=port,
        mcp_server=True,
        **launch_options(),
        **guarded,
    )
    trouble = failure(segmenter)
    sys.exit(status if trouble is None else f"The app cannot start: {trouble}")
