"""The public result of a prediction: the same arrays, not copies of them."""

import numpy as np
from gown import BELT, DRESS, LABEL_MAP, PHOTO
from PIL import Image

from clothseg.labels import ATR
from clothseg.postprocess.decoding import Prediction
from clothseg.segmentation.prediction import as_segmentation


def test_result_takes_over_the_arrays_of_a_prediction() -> None:
    confidence = np.zeros(len(ATR))
    confidence[[DRESS, BELT]] = 0.9, 0.5
    probability = np.full((2, 2), 200, np.uint8)
    prediction = Prediction(LABEL_MAP.copy(), confidence, probability, rotation=90)
    result = as_segmentation(prediction, Image.fromarray(PHOTO), name="gown.jpg", model="tiny")
    assert np.shares_memory(result.label_map, prediction.label_map) and not result.label_map.flags.writeable
    assert np.shares_memory(result.probability, probability) and not probability.flags.writeable
    assert (result.name, result.model, result.rotation, result.person_map) == ("gown.jpg", "tiny", 90, None)
    assert result.confidence == {"Background": 0.0, "Belt": 0.5, "Dress": 0.9}
