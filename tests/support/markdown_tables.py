"""The tables that benchmarks print."""


def table(text: str) -> list[list[str]]:
    """Cells of the one Markdown table in `text`, its header first."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert set("".join(rows[1])) == {"-"} and {len(row) for row in rows} == {len(rows[0])}
    return [rows[0], *rows[2:]]


RATIO = r"\d+\.\d\d \(\d+\.\d\d\)"
