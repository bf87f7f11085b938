"""COCO polygons and run lengths are converted to label maps."""

from pathlib import Path
from typing import Any

import pytest
from annotated import names, truth, write, written
from own_classes import OWN_NAMES

from clothseg.cli import main
from clothseg.outputs.mask_encoding import polygons, run_lengths
from clothseg.training.annotations.coco import is_coco


def coco(number: int, encode: Any) -> list[dict[str, Any]]:
    return [
        {"image_id": number, "category_id": 10 + index, "segmentation": encode(truth(number) == index)}
        for index in range(1, len(OWN_NAMES))
        if (truth(number) == index).any()
    ]


@pytest.mark.parametrize("encode", [run_lengths, polygons])
def test_convert_reads_coco_polygons_and_run_lengths(
    encode: Any, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = [{"id": number, "file_name": f"{number}.jpg", "height": 96, "width": 72} for number in range(3)]
    images.append({"id": 7, "file_name": "../gone.jpg"})
    annotations = [each for number in range(2) for each in coco(number, encode)]
    annotations += [{"image_id": 0, "category_id": 11, "segmentation": []}, {"image_id": 99, "category_id": 11}]
    categories = [{"id": 10 + index, "name": name} for index, name in enumerate(OWN_NAMES) if index]
    content = {"images": images, "annotations": annotations, "categories": categories}
    file = write(photos / "instances.json", content)
    assert main(["convert", str(file), str(tmp_path / "out")]) == 1
    said = capsys.readouterr()
    assert "COCO: 2 photos converted, 1 wrong" in said.out and "../gone.jpg: its name leads out" in said.err
    for what in ("photos without annotations: 1", "without an area (boxes, points): 1", "does not list: 1"):
        assert what in said.out
    found, expected = written(tmp_path / "out", 1), names(truth(1))
    assert (found == expected).mean() > (0.999 if encode is run_lengths else 0.98)


def test_is_coco_rejects_other_files() -> None:
    assert is_coco({"images": [], "annotations": []}) and not is_coco({"shapes": []}) and not is_coco([])
