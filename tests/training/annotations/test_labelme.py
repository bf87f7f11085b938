"""LabelMe shapes are converted to label maps."""

import base64
import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from annotated import write, written
from PIL import Image

from clothseg.cli import main
from clothseg.training.annotations.labelme import is_labelme


def labelme(number: int, shapes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"imagePath": f"..\\photos\\{number}.jpg", "imageHeight": 96, "imageWidth": 72, "shapes": shapes}


def test_convert_reads_labelme_shapes(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.ones((10, 4), np.bool_)).save(buffer, "PNG")
    mask = {"mask": base64.b64encode(buffer.getvalue()).decode()}
    shapes = [
        {"label": "top", "points": [[10, 20], [50, 20], [50, 60], [10, 60]]},
        {"label": "shoes", "points": [[70, 95], [60, 90]], "shape_type": "rectangle"},
        {"label": "bag", "points": [[30, 40], [30, 45]], "shape_type": "circle"},
        {"label": "bag", "points": [[1, 1], [5, 11]], "shape_type": "mask", **mask},
        {"label": "top", "points": [[1, 1]], "shape_type": "point"},
    ]
    write(tmp_path / "json" / "0.json", labelme(0, shapes))
    write(tmp_path / "json" / "1.json", labelme(1, []))
    write(tmp_path / "json" / "8.json", labelme(8, shapes))
    write(tmp_path / "json" / "9.json", "{")
    assert main(["convert", str(tmp_path / "json"), str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert "LabelMe: 1 photo converted, 2 wrong" in said.out and "shapes of the type point: 1" in said.out
    assert "8: there is no photo" in said.err and "9: 9.json cannot be read as JSON" in said.err
    found = written(tmp_path / "out")
    assert set(np.unique(found)) == {"background", "bag", "shoes", "top"}
    assert (found[1:11, 1:5] == "bag").all() and (found[91:95, 61:70] == "shoes").all()
    assert found[40, 30] == "bag" and found[40, 40] == "top"  # later shapes are on top
    assert (found == "top").sum() == 40 * 40 - (found[20:60, 10:50] == "bag").sum()
    argv = ["convert", str(tmp_path / "json"), str(tmp_path / "other"), "--labels", "ATR"]
    assert main(argv) == 1
    assert "--labels ATR has no class bag, shoes, top: name the class" in capsys.readouterr().err
    mapped = {"bag": "Bag", "shoes": "ignore", "top": "Upper-clothes", "background": "Background"}
    assert main([*argv, "--label_map", str(write(tmp_path / "map.json", mapped))]) == 1
    assert set(np.unique(cv2.imread(str(tmp_path / "other" / "masks" / "train" / "0.png"), 0))) == {0, 4, 16, 255}


def test_is_labelme_rejects_other_files() -> None:
    assert is_labelme({"shapes": [], "imagePath": "a.jpg"}) and not is_labelme({"images": []}) and not is_labelme([])
