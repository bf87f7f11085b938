"""Masks of class ids and colour-coded masks are converted to label maps."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from annotated import SIZE, names, truth, write, written
from own_classes import OWN_NAMES
from paper_dolls import draw
from PIL import Image

from clothseg.cli import main
from clothseg.errors import ConfigError, DataError
from clothseg.training.annotations.pictures import read_palette, read_pictures
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_split


PALETTE = {name: [40 * index, 255 - 20 * index, 7 * index] for index, name in enumerate(OWN_NAMES)}


@pytest.mark.parametrize("layout", ["folders", "rows"])
def test_convert_reads_colour_coded_masks(
    layout: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    for number in range(2):
        colors = np.array(list(PALETTE.values()), np.uint8)[truth(number)]
        Image.fromarray(colors).save(masks / f"{number}.png")
    Image.fromarray(colors[:50]).save(masks / "2.png")
    palette = write(tmp_path / "palette.json", PALETTE)
    out = tmp_path / "out"
    argv = ["convert", str(masks), str(out), "--photos", str(photos), "--palette", str(palette), "--to", layout]
    assert main(argv) == 1
    said = capsys.readouterr()
    assert "colour-coded masks: 2 photos converted, 1 wrong" in said.out
    assert "2: the annotation is for 72x50 pixels, the photo has 72x96" in said.err
    assert (written(out, 1) == names(truth(1))).all()
    report = json.loads((out / "conversion.json").read_text())
    assert report["photos"] == 2 and report["classes"][1]["name"] == "top"
    assert report["classes"][1]["pixels"] == sum((truth(number) == 1).sum() for number in range(2))
    assert main(argv) == 1 and "has a split train already" in capsys.readouterr().err
    assert main([*argv, "--split", "validation"]) == 1


def test_colours_outside_the_palette_are_rejected_or_ignored(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    masks = tmp_path / "masks"
    masks.mkdir()
    colors = np.array(list(PALETTE.values()), np.uint8)[truth(0)]
    colors[:2] = 1, 2, 3
    Image.fromarray(colors).save(masks / "0.png")
    lines = "# label:color_rgb:parts:actions\n" + "".join(
        f"{name}:{','.join(map(str, color))}::\n" for name, color in PALETTE.items()
    )
    palette = write(tmp_path / "labelmap.txt", lines)
    argv = ["convert", str(masks), str(tmp_path / "out"), "--photos", str(photos), "--palette", str(palette)]
    assert main(argv) == 1
    assert "2.1% of the pixels have colours that the palette lacks, such as #010203" in capsys.readouterr().err
    assert main([*argv, "--unknown_colors", "ignore"]) == 0
    assert "pixels of unknown colours: 144" in capsys.readouterr().out
    assert (cv2.imread(str(tmp_path / "out" / "masks" / "train" / "0.png"), 0)[:2] == 255).all()


@pytest.mark.parametrize("mode", ["L", "P"])
def test_convert_maps_id_masks_with_a_label_map(mode: str, photos: Path, tmp_path: Path) -> None:
    for number in range(3):
        picture = Image.fromarray(10 * truth(number))
        if mode == "P":
            picture = picture.convert("P")
            picture.putdata((10 * truth(number)).ravel().tolist())
        (tmp_path / "masks").mkdir(exist_ok=True)
        picture.save(tmp_path / "masks" / f"{number}.png")
    mapped = {str(10 * index): name for index, name in enumerate(OWN_NAMES)} | {"50": "ignore"}
    argv = ["convert", str(tmp_path / "masks"), str(tmp_path / "out"), "--photos", str(photos)]
    assert main([*argv, "--label_map", str(write(tmp_path / "map.json", mapped))]) == 0
    _, rows, _, classes = load_split(str(tmp_path / "out"))
    assert classes.labels.names == OWN_NAMES[:-1]
    expected = truth(2)
    expected[expected == 5] = 255
    assert (decode_row(rows[2], classes)[1] == expected).all()


def test_masks_fit_photos_with_exif_rotation(tmp_path: Path) -> None:
    """A photo stored sideways; the mask may match the stored or the upright picture."""
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "photos").mkdir()
    (tmp_path / "masks").mkdir()
    for number in range(2):
        doll = draw(number, *SIZE)
        Image.fromarray(np.rot90(doll.image)).save(tmp_path / "photos" / f"{number}.jpg", exif=exif)
        Image.fromarray(np.rot90(truth(number), number)).save(tmp_path / "masks" / f"{number}.png")
    write(tmp_path / "own.json", list(OWN_NAMES))
    argv = ["convert", str(tmp_path / "masks"), str(tmp_path / "out"), "--photos", str(tmp_path / "photos")]
    assert main([*argv, "--labels", str(tmp_path / "own.json")]) == 0
    for number in range(2):
        assert (written(tmp_path / "out", number) == names(truth(number))).all()


@pytest.mark.parametrize(
    "content", ["{", "{}", '{"top": "red"}', '{"top": [1, 2]}', '{"a": "#000000", "b": "#000000"}']
)
def test_invalid_palettes_raise_config_errors(content: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--palette"):
        read_palette(write(tmp_path / "palette.json", content))


def test_folder_without_masks_raises_data_error(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "masks").mkdir()
    with pytest.raises(DataError, match="No mask in"):
        read_pictures(tmp_path / "masks", photos)
