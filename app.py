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

import sys
from pathlib import Path

from clothseg.errors import ConfigError, needs_extra


if __name__ == "__main__":
    try:
        with needs_extra("The app", "app"):
            from clothseg.app.launch import main
    except ConfigError as error:
        sys.exit(f"The app cannot start: {error}")
    main(sys.argv[1:], Path(__file__).parent / "examples")
