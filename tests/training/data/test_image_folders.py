"""Data sets of image folders and mask folders."""

import json
from pathlib import Path

import numpy as np
import pytest
from huggingface_hub import HfApi
from local_hub import LocalHub
from own_classes import ATR_TO_OWN, OWN_NAMES, TO_OWN, write_own_folders
from paper_dolls import draw, write_parquet
from PIL import Image

from clothseg.errors import DataError, HubError
from clothseg.labels import ATR
from clothseg.training.data.decoding import decode_row
from clothseg.training.data.image_folders import image_folders, pattern_of_folders
from clothseg.training.data.loading import load_split, load_splits
from clothseg.training.data.sources import Layout, load_parts


SIZE = (48, 32)


def test_folder_splits_and_classes_are_loaded(tmp_path: Path) -> None:
    folder = write_own_folders(tmp_path, {"train": 4, "val": 2}, size=SIZE)
    (folder / "images" / "train" / "notes.txt").touch()
    splits = load_splits(str(folder), check=True)
    assert (len(splits.train), len(splits.validation)) == (4, 2)
    assert splits.classes.labels.names == OWN_NAMES and splits.classes.labels.roles[1:4] == ("upper", "lower", "dress")
    assert splits.pixels.shape == (4, 6) and splits.pixels[:, 1:].any()
    _, mask = decode_row(splits.validation[0], splits.classes)
    assert (mask == TO_OWN[draw(1000, *SIZE).mask]).all()


@pytest.mark.parametrize("layout", ["train/images train/masks", "images annotations", "image mask"])
def test_other_folder_layouts_are_found(layout: str, tmp_path: Path) -> None:
    for folder in layout.split():
        (tmp_path / folder).mkdir(parents=True)
        Image.fromarray(draw(1, *SIZE).mask).save(tmp_path / folder / "1.png")
    assert list(image_folders(tmp_path)) == ["train"]
    assert len(load_parts(str(tmp_path), None).rows) == 1


def test_layout_options_name_folders(tmp_path: Path) -> None:
    for folder in ("photos", "truth"):
        (tmp_path / "config" / folder / "a").mkdir(parents=True)
        Image.fromarray(draw(1, *SIZE).mask).save(tmp_path / "config" / folder / "a" / "1.png")
    parts = load_parts(str(tmp_path), None, layout=Layout("photos", "truth", "config"))
    assert parts.rows["id"][:] == ["a/1"] and parts.classes.labels == ATR
    with pytest.raises(DataError, match="--dataset_config_name other: there is no folder"):
        load_parts(str(tmp_path), None, layout=Layout(config="other"))


def test_photos_without_masks_raise_data_errors(tmp_path: Path) -> None:
    folder = write_own_folders(tmp_path, {"train": 3}, size=SIZE)
    (folder / "masks" / "train" / "1.png").unlink()
    (folder / "images" / "train" / "2.jpg").unlink()
    with pytest.raises(DataError, match=r"2 of the 3 rows .*\n  1: it has no mask.\n  2: The photo is empty"):
        load_splits(str(folder), check=True)
    (folder / "masks" / "train" / "0.png").rename(folder / "masks" / "train" / "zero.png")
    with pytest.raises(DataError, match=r"No file in .*masks/train has the name of a photo in .*images/train"):
        load_parts(str(folder), None)
    (folder / "images" / "train" / "0.png").touch()
    with pytest.raises(DataError, match="have the same name apart from the suffix"):
        load_parts(str(folder), None)


def test_out_of_range_ids_name_the_file(tmp_path: Path) -> None:
    folder = write_own_folders(tmp_path, {"train": 3}, size=SIZE)
    Image.fromarray(np.full(SIZE, 6, np.uint8)).save(folder / "masks" / "train" / "1.png")
    with pytest.raises(DataError, match=r"1: the mask contains 6; class ids are 0 to 5, and 255 for pixels"):
        load_splits(str(folder), check=True)


def test_label_map_converts_atr_to_custom_classes(tmp_path: Path) -> None:
    write_parquet(tmp_path / "validation.parquet", 2, seed=1000, height=SIZE[0], width=SIZE[1])
    file = tmp_path / "map.json"
    file.write_text(json.dumps(ATR_TO_OWN))
    with_names = Layout(labels="ATR", label_map=str(file))
    _, rows, _, _ = load_split(str(tmp_path))
    with pytest.raises(Exception, match="nor a class; the new classes are"):
        load_split(str(tmp_path), layout=with_names)
    (tmp_path / "id2label.json").write_text(json.dumps(ATR.names))
    with pytest.raises(DataError, match="must be an object from class ids to names"):
        load_split(str(tmp_path))
    (tmp_path / "id2label.json").write_text(json.dumps(dict(ATR.id2label)))
    _, rows, _, classes = load_split(str(tmp_path), layout=Layout(label_map=str(file)))
    assert set(classes.labels.names) == set(OWN_NAMES)
    _, mask = decode_row(rows[0], classes)
    order = np.array([OWN_NAMES.index(name) for name in classes.labels.names], np.uint8)
    assert (order[mask] == TO_OWN[draw(1000, *SIZE).mask]).all()


def test_repository_folders_match_download_patterns() -> None:
    files = ["README.md", "images/train/1.jpg", "masks/train/1.png"]
    assert pattern_of_folders(files, "image", "mask")[:1] == ["images/**"]
    assert "**/truth/**" in pattern_of_folders(["a/photos/1.jpg", "a/truth/1.png"], "photos", "truth")
    for other in ("data/train.parquet", "metadata.jsonl"):
        assert not pattern_of_folders([*files, other], "image", "mask")
    assert not pattern_of_folders(files[:2], "image", "mask")


def test_image_folders_load_from_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_own_folders(tmp_path / "wardrobe", {"train": 3, "test": 1}, size=SIZE)
    (folder / "README.md").write_text("# Wardrobe")
    with LocalHub({"hf_alice": "alice"}) as hub:
        hub.use_here(monkeypatch, tmp_path / "home", "hf_alice")
        HfApi().create_repo("alice/wardrobe", repo_type="dataset")
        commit = HfApi().upload_folder(repo_id="alice/wardrobe", repo_type="dataset", folder_path=folder).oid
        found = load_parts("alice/wardrobe", None)
        with pytest.raises(HubError, match="nothing"):
            load_parts("alice/nothing", None)
    assert found.commit == commit and {split: len(rows) for split, rows in found.parts.items()} == {
        "train": 3,
        "test": 1,
    }
    assert found.classes.labels.names == OWN_NAMES
    assert decode_row(found.rows[0], found.classes)[1].shape == SIZE
    assert not any("README" in request for request in hub.requests if "resolve" in request)
