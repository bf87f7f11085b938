"""The pipeline from the network's logits to a prediction: the same for photos, people, clips, evaluation and GPUs.

0. `decode` turns a photo that is not upright (`clothseg.postprocess.orientation`), and turns the result back.
1. `decode_logits` applies the rules on legs and on people seen from behind, and labels pixels at the photo's own size.
2. `decode_single` crops a small figure, segments it again at a higher resolution (`clothseg.postprocess.zoom_crop`)
   and applies `clothseg.postprocess.cleanup`.
   `decode_people` separates people and segments each of them (`clothseg.postprocess.people`).
   `decode_window` decodes a clip's frame of which only the window around its people was segmented.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image

from clothseg.images.color_space import on_white
from clothseg.labels import ATR, BACKGROUND, LabelSet
from clothseg.options import SegmentOptions
from clothseg.postprocess.cleanup import apply_cleanup, drop_specks
from clothseg.postprocess.decoding import EXCLUDED, Logits, Prediction, as_array, beside, decode_logits
from clothseg.postprocess.evidence import move, turn_evidence_back
from clothseg.postprocess.geometry import Box
from clothseg.postprocess.orientation import Orientation, find_layout, find_orientation, turn, turn_back
from clothseg.postprocess.people import from_left_to_right, parse, partition_by_person
from clothseg.postprocess.transparency import clear_transparent
from clothseg.postprocess.upsample import size_of_grid
from clothseg.postprocess.zoom_crop import blend_crop, confidences, find_zoom_crop, paste


CropInference = Callable[[Image.Image], Logits]
"""The network: computes the logits (18, h, w) of a photo or a crop."""

WIDE = 2.5
"""Largest number of input pixels for finding people in wide photos, as a multiple of the usual number."""


def decode(
    photo: Image.Image,
    logits: Logits,
    options: SegmentOptions,
    *,
    infer: CropInference,
    aspect: float,
    infer_whole: CropInference | None = None,
    labels: LabelSet = ATR,
) -> Prediction:
    """Return the prediction for a photo.

    Args:
        photo: RGB, or RGBA. An RGBA photo is placed on white, and fully transparent pixels are Background.
        logits: (18, h, w) of the whole photo; with `people="all"`, computed at `aspect_preserving_size`.
        options: of the call; `tta` and `max_side` have been applied before.
        infer: the network, for crops.
        aspect: height over width of the network's input.
        infer_whole: the network for whole photos with `people="all"`; None if `infer` computes them too.
    """
    logits, infer = exclude_classes(logits, options, labels), _excluding(infer, options, labels)
    infer_whole = None if infer_whole is None else _excluding(infer_whole, options, labels)
    opaque = on_white(photo)
    oriented: Orientation[Logits] = Orientation(0, logits)
    if options.orientation == "auto":
        oriented = _orient(opaque, logits, infer, infer_whole, aspect, labels)
    upright = turn(opaque, oriented.rotation)
    if options.people == "all":
        prediction = decode_people(upright, oriented.logits, options, infer=infer, aspect=aspect, labels=labels)
    else:
        prediction = decode_single(
            upright, oriented.logits, options, infer=infer, aspect=aspect, crop_logits=oriented.crop, labels=labels
        )
    prediction = _turn_back(prediction, oriented.rotation, upright.size)
    return clear_transparent(prediction, np.asarray(photo.getchannel("A"))) if photo.mode == "RGBA" else prediction


def exclude_classes(logits: Logits, options: SegmentOptions, labels: LabelSet = ATR) -> Logits:
    """Set the logits (18, h, w) of the classes in the option `exclude` so low that they never win.

    Return the same array or tensor if there are none, else a copy.
    """
    if not options.exclude:
        return logits
    logits = logits.copy() if isinstance(logits, np.ndarray) else logits.clone()
    logits[options.excluded_ids(labels)] = EXCLUDED
    return logits


def _excluding(infer: CropInference, options: SegmentOptions, labels: LabelSet) -> CropInference:
    return (lambda crop: exclude_classes(infer(crop), options, labels)) if options.exclude else infer


def _orient(
    photo: Image.Image,
    logits: Logits,
    infer: CropInference,
    infer_whole: CropInference | None,
    aspect: float,
    labels: LabelSet,
) -> Orientation[Logits]:
    """Return the photo's orientation and its logits in it; arguments as for `decode`."""
    if infer_whole is None:
        return find_orientation(photo, logits, infer=infer, as_array=as_array, aspect=aspect, labels=labels)
    if find_layout(as_array(logits), labels).is_upright:
        return Orientation(0, logits)
    # The network is less certain of photos in their own proportions, so orientations are compared in its proportions.
    rotation = find_orientation(
        photo, infer(photo), infer=infer, as_array=as_array, aspect=aspect, labels=labels
    ).rotation
    return Orientation(rotation, infer_whole(turn(photo, rotation)) if rotation else logits)


def _turn_back(prediction: Prediction, rotation: int, turned_size: tuple[int, int]) -> Prediction:
    """Turn back the prediction for a photo that was turned clockwise by `rotation` to the size (W, H)."""
    if not rotation:
        return prediction
    person_map = prediction.person_map
    return prediction._replace(
        label_map=turn_back(prediction.label_map, rotation),
        probability=turn_back(prediction.probability, rotation),
        person_map=None if person_map is None else from_left_to_right(turn_back(person_map, rotation)),
        rotation=rotation,
        evidence=turn_evidence_back(prediction.evidence, rotation, turned_size),
    )


def decode_single(
    photo: Image.Image,
    logits: Logits,
    options: SegmentOptions,
    *,
    infer: CropInference,
    aspect: float,
    crop_logits: tuple[Box, Logits] | None = None,
    labels: LabelSet = ATR,
) -> Prediction:
    """Decode a photo of a single person; arguments as for `decode`.

    `crop_logits` are the box and the logits of the zoom crop, if they are already known.
    """
    guided, back_view = options.edges == "guided", _back_view(options)
    first = decode_logits(photo, logits, guided=guided, back_view=back_view, labels=labels)
    label_map, confidence, probability, evidence = first.label_map, first.confidence, first.probability, first.evidence
    size = label_map.shape
    if options.zoom == "auto" and (box := find_zoom_crop(whole := as_array(logits), size, aspect)):
        if crop_logits is not None and crop_logits[0] == box:
            infer = partial(_known, crop_logits[1])
        crop = infer_crop(photo, box, infer, guided=guided, around=whole, back_view=back_view, labels=labels)
        label_map = paste(label_map, crop.label_map, box, size)
        probability = paste(probability, crop.probability, box, size)
        confidence = confidences(label_map, probability, count=len(labels))
        evidence += move(crop.evidence, box.left, box.top)
    return Prediction(
        apply_cleanup(label_map, labels) if options.rules else label_map, confidence, probability, evidence=evidence
    )


def _known(logits: Logits, crop: Image.Image) -> Logits:
    """Stand in for a `CropInference` whose result is known."""
    return logits


def _back_view(options: SegmentOptions) -> bool | None:
    """Return the argument for `decode_logits`."""
    return None if options.back_view == "auto" else False


def decode_people(
    photo: Image.Image,
    logits: Logits,
    options: SegmentOptions,
    *,
    infer: CropInference,
    aspect: float,
    labels: LabelSet = ATR,
) -> Prediction:
    """Separate the people and segment each of them; arguments as for `decode`."""
    guided, back_view = options.edges == "guided", _back_view(options)
    whole = decode_logits(photo, logits, guided=guided, back_view=back_view, labels=labels)
    label_map, probability, evidence = whole.label_map, whole.probability, whole.evidence
    divided = partition_by_person(label_map, labels)
    if divided.max() <= 1:  # one person: the same result as without the option
        alone = decode_single(photo, infer(photo), options, infer=infer, aspect=aspect, labels=labels)
        return alone._replace(person_map=(alone.label_map != BACKGROUND).view(np.uint8))

    def decode_crop(box: Box) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        nonlocal evidence
        crop = infer_crop(photo, box, infer, guided=guided, back_view=back_view, labels=labels)
        evidence += move(crop.evidence, box.left, box.top)
        return crop.label_map, crop.probability

    label_map, probability, person_map = parse(label_map, probability, divided, aspect, decode_crop)
    if options.rules:
        drop_specks(label_map)
        person_map = np.where(label_map == BACKGROUND, np.uint8(0), np.where(person_map > 0, person_map, divided))
    return Prediction(
        label_map, confidences(label_map, probability, count=len(labels)), probability, person_map, evidence=evidence
    )


def decode_window(
    photo: Image.Image,
    logits: Logits,
    box: Box,
    options: SegmentOptions,
    *,
    back_view: bool | None = None,
    labels: LabelSet = ATR,
) -> Prediction:
    """Return the prediction for a clip's frame of which only a window was segmented; the rest is Background.

    Args:
        photo: RGB, the whole frame.
        logits: (18, h, w) of the window.
        box: the window, in pixels of the frame.
        options: `edges` and `rules`.
        back_view: as for `decode_logits`.

    Returns:
        Confidences are means over the window; the probability is 0 outside of it.
    """
    if options.back_view == "off":
        back_view = False
    logits = exclude_classes(logits, options, labels)
    inside = decode_logits(
        photo.crop(box), logits, guided=options.edges == "guided", back_view=back_view, labels=labels
    )
    size = photo.height, photo.width
    label_map = paste(np.zeros(size, np.uint8), inside.label_map, box, size)
    probability = paste(np.zeros(size_of_grid(size), np.uint8), inside.probability, box, size)
    return Prediction(apply_cleanup(label_map, labels) if options.rules else label_map, inside.confidence, probability)


def aspect_preserving_size(photo_size: tuple[int, int], usual: tuple[int, int]) -> tuple[int, int]:
    """Return the input size (h, w) for finding people in a photo of (W, H), if the usual size is `usual` (h, w).

    The photo's proportions are kept, since people side by side are not recognised if squeezed into the upright input.
    """
    width, height = photo_size
    stretch = min(max(height / width, 0.25), 4.0)
    area = usual[0] * usual[1] * min(max(usual[0] / usual[1] / stretch, 1.0), WIDE)
    high, wide = (round((area * factor) ** 0.5 / 32) * 32 for factor in (stretch, 1 / stretch))
    return max(32, high), max(32, wide)


def infer_crop(
    photo: Image.Image,
    box: Box,
    infer: CropInference,
    *,
    guided: bool,
    around: npt.NDArray[np.float32] | None = None,
    back_view: bool | None = None,
    labels: LabelSet = ATR,
) -> Prediction:
    """Crop a photo and segment the crop, which gives a higher resolution.

    Args:
        photo: RGB.
        box: of the crop.
        infer: the network.
        guided: as for `decode_logits`.
        around: logits of the whole photo, to blend with the crop's logits at its edges; None for no blending.
        back_view: as for `decode_logits`.
    """
    crop = photo.crop(box)
    logits = infer(crop)
    if around is not None:
        logits = beside(logits, blend_crop(as_array(logits), around, box, (photo.height, photo.width)))
    return decode_logits(crop, logits, guided=guided, back_view=back_view, labels=labels)
