"""What a matrix leaves for people and machines, made of matrix.json: the page, the table, the columns, a summary."""

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from harness.matrix import rows
from harness.report.console import COLOURS
from harness.report.matrix_page import write_page
from harness.report.matrix_table import markdown, sentence, table, tally
from harness.rundir import write_text

SHOWN = 30


def write_all(path: Path) -> None:
    """Write matrix.html, matrix.md and matrix.parquet, of as many cells as there are."""
    data = _read(path)
    write_page(path, data, rows.worst(data["cells"]))
    write_text(path / "matrix.md", markdown(table(data["cells"])))
    rows.write_parquet(data["cells"], path / "matrix.parquet")


def summary(path: Path, console: Console) -> None:
    """The worst verdict, the cells that did not pass, and where everything is."""
    found = _read(path)["cells"]
    worst = rows.worst(found)
    console.print(Text.assemble((worst, COLOURS[worst]), f"  {tally(found)}"), soft_wrap=True)
    bad = [row for row in found if row["verdict"] not in (None, "PASS")]
    for row in bad[:SHOWN]:
        what = f"{row['scenario']}: {row['client']} {row['api']}, {row['security'].replace('_', ' ')}"
        line = Text.assemble("  ", (f"{row['verdict']:<9}", COLOURS[row["verdict"]]), f"{what}: {sentence(row['why'])}")
        console.print(line, soft_wrap=True)
    if len(bad) > SHOWN:
        console.print(Text(f"  and {len(bad) - SHOWN} more, see the page"))
    console.print(Text(f"  page {path / 'matrix.html'}"), soft_wrap=True)


def _read(path: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((path / "matrix.json").read_text(encoding="utf-8"))
    return data
