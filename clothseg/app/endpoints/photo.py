"""Endpoints that segment one photo, and correct the result."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clothseg.app.downloads import save_labels, save_overlay
from clothseg.app.endpoints.inputs import DEFAULT, Run
from clothseg.app.mcp import described
from clothseg.app.photo_input import plain_errors
from clothseg.batch.training_examples import save_training_example
from clothseg.options import SegmentOptions
from clothseg.postprocess.clicks import Click
from clothseg.postprocess.strokes import Stroke, from_json
from clothseg.segmenter import Segmenter


def photo_endpoints(
    run: Run, segmenter: Segmenter, save_corrections: Path | None = None
) -> tuple[Callable[..., Any], ...]:
    """Return `/segment` and `/refine`.

    Args:
        run: segments a photo.
        segmenter: the model.
        save_corrections: folder of a data set to which corrected results are written; None for none.
    """

    @plain_errors
    @described
    def segment(
        photo: str | bytes | None,
        look: SegmentOptions = DEFAULT,
    ) -> tuple[str, str, dict[str, Any]]:
        """Find clothes and body parts in a photo of a dressed person; left and right are the wearer's own.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.

        Returns:
            The photo with coloured regions (JPEG); the label map (PNG of the photo's size whose pixel values are the
            class ids); and a summary: rotation (degrees clockwise by which a photo that is not upright was turned),
            notes (sentences, for example if nobody seems to be in the photo), and the id, name, share of the photo
            (0..1), mean confidence (0..1) and box [x, y, width, height] in pixels of each class.
        """
        result = run(photo, look)
        return save_overlay(result), save_labels(result), result.to_dict()

    @plain_errors
    @described
    def refine(
        photo: str | bytes | None,
        clicks: list[dict[str, Any]] | None = None,
        strokes: list[dict[str, Any]] | None = None,
        label_map: str | bytes | None = None,
        look: SegmentOptions = DEFAULT,
    ) -> tuple[str, str, dict[str, Any]]:
        """Segment a photo and correct the result by clicks, strokes of a brush, or a label map corrected elsewhere.

        A corrected label map is taken first, then clicks, then strokes, each in order: later ones win.

        Args:
            photo: The photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.
            clicks: Places whose class is known: a JSON list of {"x", "y", "label"} in pixels of the photo. The region
                that a click means takes the class.
            strokes: Lines of a round brush: a JSON list of {"points": [[x, y], ...], "radius", "label"} in pixels of
                the photo. What the brush covers takes the class, exactly.
            label_map: A corrected label map: a PNG of the photo's size whose pixel values are class ids.

        Returns:
            As from segment, corrected; corrections in the summary lists what was done, and how many pixels changed.
        """
        given = from_json(Click, clicks), from_json(Stroke, strokes)
        result = run(photo, look)
        if label_map is not None:
            result = result.with_label_map(label_map)
        result = segmenter.refine(result, given[0])
        for stroke in given[1]:
            result = result.paint(stroke.mask(result.label_map.shape), stroke.label)
        if save_corrections is not None and result.corrections:
            save_training_example(result, save_corrections)
        return save_overlay(result), save_labels(result), result.to_dict()

    return segment, refine
