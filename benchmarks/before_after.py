"""Draw the example photos beside the regions that several models find in them.

    python -m benchmarks.before_after OUT.jpg MODEL [MODEL ...]

Each MODEL is a Hub id, a folder, or embedded; a row for each photo, a column for each model. Earlier embedded weights
are in this repository's history: `git worktree add ../before COMMIT`, then `../before/clothseg/weights`.
"""

import argparse
from pathlib import Path

from PIL import Image, ImageOps

from clothseg import Segmenter


EXAMPLES = Path(__file__).parents[1] / "examples"
PHOTOS = ("grace_hopper.jpg", "astronaut.jpg", "president.jpg", "officer.jpg", "suit.jpg")
CELL = (240, 300)
"""Width and height of a picture, in pixels."""


def sheet(models: list[Segmenter], photos: list[Image.Image]) -> Image.Image:
    """Return the photos, each followed by its regions in each model's answer with the default options."""
    width, height = CELL
    drawn = Image.new("RGB", (width * (1 + len(models)), height * len(photos)), "white")
    for row, photo in enumerate(photos):
        for column, picture in enumerate([photo, *(model(photo).overlay() for model in models)]):
            drawn.paste(ImageOps.pad(picture, CELL, color="white"), (column * width, row * height))
    return drawn


def main(argv: list[str] | None = None) -> None:
    """Write the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="+", help="Hub ids, folders, or embedded")
    options = parser.parse_args(argv)
    models = [Segmenter.from_pretrained(None if model == "embedded" else model) for model in options.models]
    photos = [Image.open(EXAMPLES / name).convert("RGB") for name in PHOTOS]
    sheet(models, photos).save(options.out, quality=85)


if __name__ == "__main__":
    main()
