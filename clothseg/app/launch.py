"""Starts the app: settings and arguments to a page that is served.

Importing this module starts nothing, but it sets what gradio and torch read from the environment when they are
imported: it must be the process's first import of either.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NoReturn

from clothseg.process_settings import tune


tune()

from clothseg import ClothsegError  # noqa: E402
from clothseg.app.environment import GRADIO_DEFAULTS, read_environment  # noqa: E402


for variable, value in GRADIO_DEFAULTS.items():
    os.environ.setdefault(variable, value)

from clothseg.app.blocks import build, launch_options  # noqa: E402
from clothseg.app.limits import MAX_FILE_BYTES  # noqa: E402
from clothseg.app.model_loader import failure, load_served_model, load_with_head_start  # noqa: E402
from clothseg.app.server.request_limits import protect  # noqa: E402
from clothseg.app.server.shutdown import serve  # noqa: E402
from clothseg.app.server.temp_storage import own_folder  # noqa: E402
from clothseg.app.tabs.compare import Models  # noqa: E402
from clothseg.batch.training_examples import check_examples_folder  # noqa: E402


HEAD_START = 1.0
"""Seconds that the model has before the page: most starts need no more, and wrong settings are found by then."""


SAVE_CORRECTIONS = (
    "save corrected photos with their masks as rows to train on: all that /refine corrects, and those that visitors "
    "of the page choose to save; off by default"
)


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
    parser.add_argument("--save_corrections", type=Path, metavar="FOLDER", help=SAVE_CORRECTIONS)
    asked = parser.parse_args(argv)
    try:
        settings = read_environment()
        own_folder(settings.temp_folder, settings.port)
        if asked.save_corrections:
            check_examples_folder(asked.save_corrections)
        load = partial(
            load_served_model,
            settings.model,
            settings.revision,
            engine=settings.engine,
            precision=settings.precision,
            check=asked.self_check or settings.self_check,
            zero_gpu=settings.zero_gpu,
        )
        # ZeroGPU takes over only what is loaded before the launch.
        segmenter = load() if settings.zero_gpu else load_with_head_start(settings.model, load, HEAD_START)
    except ClothsegError as error:
        sys.exit(f"The app cannot start: {error}")
    # Whoever may name any model makes the server download it, or read its own disk.
    models = Models(settings.compare, free=settings.private, device="cpu" if settings.zero_gpu else None)
    page = build(
        segmenter, examples, settings.space or f"http://127.0.0.1:{settings.port}", models, asked.save_corrections
    )
    page.queue(max_size=32)
    guarded = protect(page, MAX_FILE_BYTES, settings.temp_bytes)
    status = serve(
        page,
        broken=lambda: failure(segmenter) is not None,
        server_name=settings.host,
        mcp_server=True,
        **launch_options(),
        **guarded,
    )
    trouble = failure(segmenter)
    sys.exit(status if trouble is None else f"The app cannot start: {trouble}")
