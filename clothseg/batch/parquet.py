"""Rows of photos and masks as parquet files, as the Hub keeps data sets; no more of them are held than fit a group."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


FILE_BYTES = 400 * 2**20
"""Size at which a parquet file is ended."""

GROUP_BYTES = 32 * 2**20
"""Pictures that are held before they are written."""


def write_rows(
    rows: Iterator[tuple[dict[str, Any] | None, str]], folder: Path, rank: int = 0
) -> tuple[int, list[str]]:
    """Write rows as parquet files, which `number_files` names; returns their number, and what was left out."""
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
    """Give the files of all processes the Hub's names, in their order."""
    files = sorted((folder / "data").iterdir())
    for number, file in enumerate(files):
        file.rename(file.with_name(f"{split}-{number:05d}-of-{len(files):05d}.parquet"))
