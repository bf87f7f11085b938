"""Make the public result of a prediction."""

from PIL import Image

from clothseg.labels import ATR, LabelSet
from clothseg.postprocess.decoding import Prediction
from clothseg.segmentation.result import Segmentation


def as_segmentation(
    prediction: Prediction, photo: Image.Image, *, name: str | None, model: str, labels: LabelSet = ATR
) -> Segmentation:
    """Return the public result: a prediction with its photo."""
    for array in (prediction.label_map, prediction.probability):
        array.flags.writeable = False  # or the result would copy it
    return Segmentation(
        photo,
        prediction.label_map,
        dict(zip(labels.names, prediction.confidence.tolist(), strict=True)),
        name=name,
        model=model,
        probability=prediction.probability,
        person_map=prediction.person_map,
        rotation=prediction.rotation,
        labels=labels,
        _evidence=prediction.evidence,
    )
