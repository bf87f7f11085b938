"""A label map of a gown with a belt, small enough to count by hand, and a photo for it."""

import numpy as np

from clothseg.labels import LABEL2ID


DRESS, BELT = LABEL2ID["Dress"], LABEL2ID["Belt"]
LABEL_MAP = np.array(
    [
        [0, 0, 0, 0, 0],
        [0, DRESS, DRESS, 0, 0],
        [0, BELT, BELT, BELT, 0],
        [0, DRESS, DRESS, 0, 0],
    ],
    dtype=np.uint8,
)
PHOTO = np.random.default_rng(0).integers(1, 256, (4, 5, 3), np.uint8)
