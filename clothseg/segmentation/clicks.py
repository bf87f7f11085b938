"""Corrections of a result by clicks, based on the network's logits of the photo."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.errors import ConfigError
from clothseg.postprocess.clicks import Click, ClickRefiner, clicks_of
from clothseg.postprocess.evidence import Evidence, as_evidence, turn_evidence_back
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.orientation import turn
from clothseg.segmentation.result import Segmentation


def refine(
    result: Segmentation, clicks: Sequence[Click], infer: Callable[[Image.Image], npt.NDArray[np.float32]]
) -> Segmentation:
    """Return a copy in which the region that each click means has the click's class.

    Args:
        result: corrected already or not.
        clicks: applied in order.
        infer: the network: logits (classes, h, w) of an RGB photo; called once if the result has no evidence.

    Raises:
        ConfigError: a click is outside the photo, or not a `Click`.
        UnknownClassError: the class of a click is unknown.
    """
    if not isinstance(result, Segmentation):
        raise ConfigError(f"refine corrects a result of the segmenter, not {str(result)[:80]!r}.")
    clicks = list(clicks)
    for click in clicks:
        if not isinstance(click, Click):
            raise ConfigError(f"A click must be a Click(x, y, label), not {str(click)[:80]}.")
        click.check_inside(result.photo.size)
        result.labels.id_of(click.label)
    if not clicks:
        return result
    if not result._evidence:
        result = replace(result, _evidence=_look_again(result, infer))
    refiner = ClickRefiner(result.on_white, result._evidence, result.rotation, result.labels)
    done = clicks_of(result.corrections)
    for click in clicks:
        label_map = refiner.apply(result.label_map, click, done)
        certain = label_map != result.label_map
        result = result._corrected(label_map, certain, kind="click", label=click.label, x=click.x, y=click.y)
        done.append(click)
    return result


def _look_again(result: Segmentation, infer: Callable[[Image.Image], npt.NDArray[np.float32]]) -> Evidence:
    """Return the network's logits of a result's photo, if the result does not contain them."""
    upright = turn(result.on_white, result.rotation)
    evidence = as_evidence(infer(upright), Box(0, 0, *upright.size))
    return turn_evidence_back(evidence, result.rotation, upright.size)
