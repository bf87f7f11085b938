"""Corrected results as training data: a folder of rows that `train_hf.py --dataset_name FOLDER` takes.

Each photo has its own file, `train/ID.parquet`, named by a hash of the photo's pixels: saving it again replaces the
file, and several processes may save into one folder at the same time.
"""

import hashlib
import json
import os
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from PIL import Image

from clothseg import __version__
from clothseg.errors import ConfigError, needs_extra
from clothseg.images.atomic_files import atomic_path
from clothseg.labels import ATR, LABELS_FILE, LabelSet, read_labels, write_labels
from clothseg.segmentation import Segmentation


def save_training_example(result: Segmentation, folder: str | os.PathLike[str]) -> Path:
    """Write a result as a row `id`, `image` (PNG, RGB on white), `mask` (PNG, class ids) and `provenance` (JSON), and
    the classes to `labels.json`, from which the training takes them.

    The provenance has the photo's name, model, clothseg's version, the corrections and the time.

    Args:
        result: with the label map to train on.
        folder: of the data set; made if it does not exist.

    Returns:
        The file.

    Raises:
        ConfigError: the folder cannot be written or has rows of other classes, or pyarrow is not installed.
    """
    check_examples_folder(folder)
    _check_classes(Path(folder), result.labels)
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Features, Value
    from datasets import Image as Picture

    photo = result.on_white
    row_id = hashlib.sha256(f"{photo.size}".encode() + photo.tobytes()).hexdigest()[:24]
    row = {
        "id": row_id,
        "image": {"bytes": _png(photo), "path": None},
        "mask": {"bytes": _png(result.label_picture(grey=True)), "path": None},
        "provenance": json.dumps(
            {
                "name": result.name,
                "model": result.model,
                "clothseg": __version__,
                "rotation": result.rotation,
                "corrections": [correction.to_dict() for correction in result.corrections],
                "saved": datetime.now(UTC).isoformat(timespec="seconds"),
            }
        ),
    }
    schema = Features(
        {"id": Value("string"), "image": Picture(), "mask": Picture(), "provenance": Value("string")}
    ).arrow_schema
    path = Path(folder) / "train" / f"{row_id}.parquet"
    try:
        with atomic_path(path) as file:
            pq.write_table(pa.Table.from_pylist([row], schema), file)
        if not (Path(folder) / LABELS_FILE).is_file():
            with atomic_path(Path(folder) / LABELS_FILE) as file:
                write_labels(result.labels, file)
    except OSError as error:
        raise ConfigError(
            f"The training example cannot be written to {path.parent}: {error.strerror or error}."
        ) from error
    return path


def _check_classes(folder: Path, labels: LabelSet) -> None:
    """Check that the rows of a folder have these classes. Rows without `labels.json` have ATR's."""
    file, rows = folder / LABELS_FILE, (folder / "train").glob("*.parquet")
    there = read_labels(file) if file.is_file() else ATR if any(rows) else labels
    if there.names != labels.names:
        raise ConfigError(
            f"{folder} has training examples of other classes ({', '.join(there.names[:4])}, ...) than the result's "
            f"({', '.join(labels.names[:4])}, ...): save them to another folder."
        )


def check_examples_folder(folder: str | os.PathLike[str]) -> None:
    """Make a folder for training examples, if it does not exist, and see that they can be written.

    Raises:
        ConfigError: the folder cannot be made, or pyarrow and datasets are not installed.
    """
    with needs_extra("Saving corrections", "train"):
        import datasets  # noqa: F401
        import pyarrow  # noqa: F401
    try:
        (Path(folder) / "train").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"Training examples cannot be written to {folder}: {error.strerror or error}.") from error


def _png(picture: Image.Image) -> bytes:
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
