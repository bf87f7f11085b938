"""Endpoints about the app itself: its classes, and whether it is up."""

from collections.abc import Callable
from typing import Any

from clothseg.app.mcp import described
from clothseg.app.model_loader import pending
from clothseg.segmenter import Segmenter


def service_endpoints(segmenter: Segmenter) -> tuple[Callable[..., Any], ...]:
    """Return `/labels` and `/health`."""

    @described
    def labels() -> list[dict[str, Any]]:
        """List the classes of the label map.

        Returns:
            For each class its id (the pixel value), its name, its colour in overlays (#rrggbb), and its groups, such
            as All garments and Body.
        """
        return [
            {
                "id": class_id,
                "name": name,
                "color": segmenter.labels.hex_color(name),
                "groups": [group for group, names in segmenter.labels.groups.items() if name in names],
            }
            for class_id, name in enumerate(segmenter.labels.names)
        ]

    @described
    def health() -> dict[str, Any]:
        """Report whether the app is up, and which model it serves.

        Returns:
            status ("ok", or "loading" while photos wait for the model), model, revision (its commit on the Hub, or
            null), notice (why another model than the requested one is served, or empty), and the network's input size
            [height, width] (null while the model is loading).
        """
        if coming := pending(segmenter):
            return {"status": "loading", "model": coming.asked, "revision": None, "notice": "", "image_size": None}
        return {
            "status": "ok",
            "model": segmenter.name,
            "revision": segmenter.revision,
            "notice": segmenter.notice,
            "image_size": list(segmenter.image_size),
        }

    return labels, health
