"""The app's named endpoints, also its MCP tools. Their docstrings are shown on the API page.

The functions are in `photo`, `pictures`, `items`, `batch` and `service`; `events` adds them to the page.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clothseg.app.endpoints.batch import batch_endpoints
from clothseg.app.endpoints.items import item_endpoints
from clothseg.app.endpoints.photo import photo_endpoints
from clothseg.app.endpoints.pictures import picture_endpoints
from clothseg.app.endpoints.service import service_endpoints
from clothseg.errors import ImageError
from clothseg.options import SegmentOptions
from clothseg.segmentation import Segmentation
from clothseg.segmenter import Segmenter


def endpoint_functions(segmenter: Segmenter, save_corrections: Path | None = None) -> dict[str, Callable[..., Any]]:
    """Return the functions behind the endpoints, each under its endpoint's name.

    Args:
        segmenter: the model.
        save_corrections: folder of a data set to which what `/refine` corrected is written; None for none.
    """

    def run(photo: str | bytes | None, look: SegmentOptions) -> Segmentation:
        if photo is None:
            raise ImageError("No photo was given; send one.")
        return segmenter(photo, look)

    functions = (
        *photo_endpoints(run, segmenter, save_corrections),
        *picture_endpoints(run),
        *item_endpoints(run, segmenter),
        *batch_endpoints(segmenter),
        *service_endpoints(segmenter),
    )
    return {function.__name__: function for function in functions}
