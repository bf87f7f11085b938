"""Corrected results saved as training rows."""

import json
from pathlib import Path

import numpy as np
import pytest
from paper_dolls import draw
from PIL import Image

from clothseg import ConfigError, Segmentation
from clothseg.batch.training_examples import save_training_example
from clothseg.labels import ATR
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.loading import load_splits


def test_training_loads_saved_examples(tmp_path: Path) -> None:
    results = {}
    for seed in range(8):
        doll = draw(seed, 90, 60)
        result = Segmentation(Image.fromarray(doll.image), doll.mask, name=f"{seed}.jpg", model="tiny")
        result = result.relabel("Upper-clothes", "Dress")
        path = save_training_example(result, tmp_path)
        results[path.stem] = result
    again = next(iter(results))
    results[again] = results[again].relabel("Dress", "Skirt")
    assert save_training_example(results[again], tmp_path).stem == again  # replaces the first
    assert len(list((tmp_path / "train").iterdir())) == len(results) == 8

    splits = load_splits(str(tmp_path), test_fraction=0.25)
    rows = [*splits.train, *splits.validation]
    assert {row["id"] for row in rows} == set(results)
    for row in rows:
        photo, mask = decode_row(row)
        np.testing.assert_array_equal(photo, np.asarray(results[row["id"]].photo))
        np.testing.assert_array_equal(mask, results[row["id"]].label_map)


def test_saved_example_records_its_provenance(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    result = Segmentation(np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.uint8), name="a.jpg", model="tiny")  # type: ignore[arg-type]
    result = result.paint(np.ones((20, 30), np.bool_), "Hat")
    (row,) = pq.read_table(save_training_example(result, tmp_path)).to_pylist()
    told = json.loads(row["provenance"])
    assert (told["name"], told["model"], told["rotation"]) == ("a.jpg", "tiny", 0)
    assert told["corrections"] == [{"kind": "paint", "label": "Hat", "pixels": 600, "x": None, "y": None}]
    assert told["saved"].endswith("+00:00")


def test_unwritable_folder_raises_config_error(tmp_path: Path) -> None:
    (tmp_path / "train").write_text("a file")
    result = Segmentation(np.zeros((20, 30, 3), np.uint8), np.zeros((20, 30), np.uint8))  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="Training examples cannot be written to"):
        save_training_example(result, tmp_path)


def test_refine_endpoint_saves_corrections(tmp_path: Path) -> None:
    """Calls the endpoint's function directly, as Gradio does."""
    import gradio as gr

    from clothseg.app.endpoints.events import add_endpoints

    doll = draw(1, 90, 60)
    first = Segmentation(Image.fromarray(doll.image), doll.mask)

    class FakeSegmenter:
        """A stand-in for a segmenter that always returns the same result."""

        labels = ATR

        def __call__(self, photo: object, options: object) -> Segmentation:
            return first

        def refine(self, result: Segmentation, clicks: list[object]) -> Segmentation:
            return result

    with gr.Blocks() as blocks:
        add_endpoints(FakeSegmenter(), tmp_path)  # type: ignore[arg-type]
    refine = next(each.fn for each in blocks.fns.values() if each.api_name == "refine")
    refine("photo.png")
    assert not (tmp_path / "train").exists()
    refine("photo.png", strokes=[{"points": [[30, 40]], "radius": 3, "label": "Bag"}])
    assert len(list((tmp_path / "train").glob("*.parquet"))) == 1
