"""Write rows of photos and masks as parquet files in the Hub's layout; only one row group is in memory at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


FILE_BYTES = 400 * 2**20
"""Size at which a parquet file is closed."""

GROUP_BYTES = 32 * 2**20
"""Number of pictures in memory before they are written."""


def write_rows(
    rows: Iterator[tuple[dict[str, Any] | None, str]], folder: Path, rank: int = 0
) -> tuple[int, list[str]]:
    """Write rows as parquet files, to be named by `number_files`; return their number, and the problems of rows left
    out."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Features, Image

    schema = Features({"image": Image(), "mask": Image()}).arrow_schema
    data = folder / "data"
    data.mkdir(exist_ok=True)
    problems: list[str] = []
    writer: Any = None
    held: list[dict[str, Any]] = []
    count = files = held_bytes = file_bytes = 0

    def flush() -> None:
        nonlocal writer, files, held, held_bytes, file_bytes
        if held and writer is None:
            writer = pq.ParquetWriter(data / f"{rank:05d}-{files:05d}.parquet", schema)
            files += 1
        if held:
            writer.write_table(pa.Table.from_pylist(held, schema))
        file_bytes += held_bytes
        held, held_bytes = [], 0

    try:
        for row, problem in rows:
            if row is None:
                problems.append(problem)
                continue
            count += 1
            held.append(row)
            held_bytes += len(row["image"]["bytes"]) + len(row["mask"]["bytes"])
            if held_bytes >= GROUP_BYTES:
                flush()
            if file_bytes >= FILE_BYTES:
                writer.close()
                writer, file_bytes = None, 0
        flush()
    finally:
        if writer is not None:
            writer.close()
    return count, problems


def number_files(folder: Path, split: str) -> None:
    """Give the files of all processes the Hub's names, in order."""
    files = sorted((folder / "data").iterdir())
    for number, file in enumerate(files):
        file.rename(file.with_name(f"{split}-{number:05d}-of-{len(files):05d}.parquet"))
