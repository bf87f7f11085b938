"""Label maps of any form are read with their pixel values unchanged."""

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image

from clothseg import Segmentation
from clothseg.images.label_file import load_label_map
from tests.support.paper_dolls import draw


def test_label_maps_load_from_arrays_files_and_bytes(tmp_path: Path) -> None:
    doll = draw(3, 60, 90)
    first = Segmentation(Image.fromarray(doll.image), doll.mask, name="doll.png")
    coloured, grey = tmp_path / "coloured.png", tmp_path / "grey.png"
    first.save_label_map(coloured)
    first.save_label_map(grey, grey=True)
    stored = BytesIO()
    Image.fromarray(np.dstack([doll.mask] * 3)).save(stored, "PNG")
    for source in (doll.mask, doll.mask.astype(np.int64), coloured, str(grey), grey.read_bytes(), stored.getvalue()):
        np.testing.assert_array_equal(load_label_map(source), doll.mask)
        result = Segmentation.from_label_map(doll.image, source, name="doll.png")
        np.testing.assert_array_equal(result.label_map, doll.mask)
        assert result.name == "doll.png" and result.corrections == ()
    Image.fromarray(doll.image).save(tmp_path / "photo.png")
    assert Segmentation.from_label_map(tmp_path / "photo.png", coloured).name == "photo.png"
