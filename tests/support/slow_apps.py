"""Serves slow models: `python slow_apps.py MODEL`, which reads requests from stdin, a line of JSON each.

A request to start an app has its port, the seconds that its engine takes, the limit for accepted requests, the folder
of temporary files and the file of the log; the answer is the process's id. A request that is an id waits for that
process; the answer is its exit status. Each app runs in its own process, forked from this one, which has only imported
the slow packages: it has loaded no model, computed nothing and started no thread.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from typing import Any

import torch  # noqa: F401 - here once, not in each app
import transformers.models.segformer.modeling_segformer  # noqa: F401

from clothseg import Segmenter
from clothseg.app.blocks import build, launch_options
from clothseg.app.server.shutdown import serve


def run(model: str, port: int, seconds: float, limit: float) -> int:
    """Serve the app with a slow engine; returns the exit status."""
    segmenter = Segmenter.from_pretrained(model)
    engine = segmenter.engine

    def slowly(pixels: Any) -> Any:
        time.sleep(seconds)
        return engine(pixels)

    segmenter.engine = slowly  # type: ignore[assignment]
    page = build(segmenter)
    page.queue(max_size=32)
    return serve(page, limit=limit, server_port=port, quiet=True, **launch_options())


def begin(model: str, port: int, seconds: float, limit: float, folder: str, log: str) -> int:
    """Start a process that serves the app; returns its id."""
    process = os.fork()
    if process:
        return process
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (1, 2):
            os.dup2(file, stream)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ["GRADIO_TEMP_DIR"] = folder
        status = run(model, port, seconds, limit)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    assert threading.active_count() == 1
    for line in sys.stdin:
        given = json.loads(line)
        if isinstance(given, dict):
            answer = begin(sys.argv[1], **given)
        else:
            answer = os.waitstatus_to_exitcode(os.waitpid(given, 0)[1])
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()
