"""Lines of the table of results."""

from io import StringIO
from pathlib import Path, PurePosixPath

from clothseg.batch.table import columns, line, write_table
from clothseg.images.sources import Source
from clothseg.labels import ATR


def test_lines_have_all_columns_and_no_formulas() -> None:
    source = Source(PurePosixPath("=photo.jpg"), PurePosixPath("=photo"), lambda: Path("=photo.jpg"), ())
    summary = {"width": 3, "height": 2, "classes": [{"name": "Hat", "share": 0.25}], "notes": ["Turned."]}
    made = line(source, summary | {"found": 1, "missing": ["-dress", "bag"]})
    assert (made["photo"], made["files"], made["missing"]) == ("./=photo.jpg", "./=photo", "./-dress; bag")
    assert (made["Hat"], made["Dress"], made["rotation"], made["notes"]) == (0.25, 0, 0, "Turned.")
    stream = StringIO()
    write_table(stream, [made, line(source, {}, "=photo.jpg is damaged.")], columns(ATR, found=True))
    rows = stream.getvalue().splitlines()
    assert rows[0].startswith("photo,files,error,width,height,rotation,notes,uncertainty,found,missing,Background,Hat")
    assert len(rows) == 3 and rows[2].startswith("./=photo.jpg,,./=photo.jpg is damaged.,,")
    assert "found" not in columns(ATR)
