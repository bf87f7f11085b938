"""The Space: clothes segmentation in the browser, for programs and for assistants (MCP).

    python app.py [--host ADDRESS] [--port N] [--self-check]
    CLOTHSEG_MODEL=owner/model CLOTHSEG_REVISION=v1 python app.py

CLOTHSEG_MODEL is a model on the Hub or a folder; without it, or if the Hub cannot deliver it, the app uses the weights
that come with the package. CLOTHSEG_ENGINE (auto, torch, openvino, onnx) and CLOTHSEG_PRECISION (exact, fast) select
the engine, as in `Segmenter.from_pretrained`. CLOTHSEG_MAX_PIXELS is the largest width x height of a photo, by default
40 million. CLOTHSEG_MAX_TEMP_MB is the space for uploads and results in megabytes, by default 4096; older files are
deleted to make room. CLOTHSEG_COMPARE lists models, separated by commas, that the page can compare with the served
one; if only this machine can reach the app, any model can be entered there. --host and --port, or GRADIO_SERVER_NAME
and GRADIO_SERVER_PORT, set the address. --self-check, or CLOTHSEG_SELF_CHECK=1, compares the engine with PyTorch
first, and does not serve it if it differs. The page is available while the model is loading: photos wait, and /health
says so. SIGTERM ends the app after accepted requests are answered: status 0, or 143 if that takes more than 25 s.
"""

import argparse
import sys
from pathlib import Path

from clothseg.commands.app import add_arguments, run
from clothseg.errors import ConfigError, needs_extra


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Serve clothes segmentation in the browser and to programs.")
    add_arguments(parser)
    arguments = parser.parse_args()
    try:
        with needs_extra("The app", "app"):
            run(arguments, Path(__file__).parent / "examples")
    except ConfigError as error:
        sys.exit(f"The app cannot start: {error}")
