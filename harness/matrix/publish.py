"""A finished matrix for readers who have never heard of it: its page and data in a folder, its tables in README.md.

The runs stay behind: what is kept tells of each cell, but leads to no evidence, and names no folder of the machine that
it was run on.
"""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.clients.spec import parse_spec
from harness.errors import HarnessError, UsageError
from harness.matrix.results import write_all
from harness.report.facts import figure
from harness.report.matrix_table import Square, Table, sentence, table, tally
from harness.rundir import disk_error, write_json, write_text
from harness.versions.releases import release_date

BEGIN, END = "<!-- matrix: begin -->", "<!-- matrix: end -->"
FILES = ("matrix.html", "matrix.json", "matrix.parquet")


def publish(path: Path, into: Path, say: Callable[[str], None]) -> Path:
    """Put the matrix in `path` into the folder `into`: `matrix/` with page and data, and README.md's part of it.

    Of README.md only what stands between its two marks is replaced; without the file it is made. Returns README.md's
    path. Raises UsageError for a matrix that is not finished, or a README.md without the marks.
    """
    data = json.loads((path / "matrix.json").read_text(encoding="utf-8"))
    if not data["finished"]:
        raise UsageError("no-matrix", f"{path}: not finished, so it is not published", "The same command goes on.")
    readme = into / "README.md"
    before = readme.read_text(encoding="utf-8") if readme.exists() else f"# Results\n\n{BEGIN}\n{END}\n"
    if before.count(BEGIN) != 1 or before.count(END) != 1:
        what = f"{readme}: needs the lines {BEGIN} and {END}, once each"
        raise UsageError("bad-matrix", what, "Add them where the tables shall stand.")
    data["command"] = [*_without_folders(data["command"]), "--publish", str(into)]
    data["cells"] = [row | {"run": None} for row in data["cells"]]
    data["released"] = _released(data, say)
    try:
        shutil.rmtree(into / "matrix", ignore_errors=True)
        (into / "matrix").mkdir(parents=True)
    except OSError as error:
        raise disk_error(into / "matrix", error) from error
    write_json(into / "matrix" / "matrix.json", data)
    write_all(into / "matrix")
    (into / "matrix" / "matrix.md").unlink()  # its tables stand in README.md
    ahead, behind = before.split(BEGIN)[0], before.split(END)[1]
    write_text(readme, f"{ahead}{BEGIN}\n{markdown(data)}{END}{behind}")
    return readme


def _without_folders(command: list[str]) -> list[str]:
    """The command that made the matrix, as anybody else would give it."""
    names = ("--out", "--resume", "--publish")
    return [
        word
        for before, word in zip(["", *command], command, strict=False)
        if word != "--new" and not word.startswith(names) and before not in names
    ]


def _released(data: dict[str, Any], say: Callable[[str], None]) -> dict[str, str]:
    """The day on which each client came out, as far as the index tells."""
    say("asking the index when the clients came out")
    found = {}
    for client in dict.fromkeys(row["client"] for row in data["cells"]):
        spec = parse_spec(client)
        try:
            day = release_date(spec.library, spec.version) if spec.version and not spec.source else None
        except HarnessError:
            day = None  # it only tells a reader the year
        if day is not None:
            found[client] = f"{day:%Y-%m-%d}"
    return found


def markdown(data: dict[str, Any]) -> str:
    """The published part of README.md: what was run, the two tables, and every cell that did not pass, in words."""
    rows, host = data["cells"], data.get("environment") or {}
    made = table(rows)
    kafka = " and ".join(sorted({row["kafka"] for row in rows if row["kafka"]}))
    parts = [
        f"{data['asked'].get('about') or ''}\n",
        f"Run on {data['started'][:10]} with Apache Kafka {kafka} on {host.get('cores')} cores, in "
        f"{data['seconds'] / 60:.0f} minutes: {len(rows):,} cells, {tally(rows)}. The page with the same tables, and "
        "the settings that changed between the releases: [matrix/matrix.html](matrix/matrix.html). The data, a row for "
        "each cell: [matrix.parquet](matrix/matrix.parquet), [matrix.json](matrix/matrix.json). Made by\n",
        f"    {' '.join(data['command'])}\n",
        "### Is every message handed over?\n",
        _table(made, data["released"], _verdict),
    ]
    speeds = made.speeds()
    if speeds is not None:
        said = "Messages a second, and CPU seconds of the client for a million of them. Compare within a column: the"
        parts += ["### How fast?\n", f"{said} figures of another machine are others.\n"]
        parts.append(_table(speeds, data["released"], _speed))
    bad = [row for row in rows if row["verdict"] not in (None, "PASS")]
    if bad:
        parts.append("### What did not pass, and why\n")
        parts += [f"- {_told(row, data['released'])}" for row in bad] + [""]
    return "\n".join(parts)


def _table(made: Table, released: dict[str, str], told: Callable[[Square], str]) -> str:
    heads = ["client", "released", "call", *(f"`{scenario}` {security}".strip() for scenario, security in made.columns)]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for client, api, squares in made.lines:
        cells = ["" if square is None else told(square) for square in squares]
        lines.append(f"| {' | '.join([f'`{client}`', released.get(client, ''), f'`{api}`', *cells])} |")
    return "\n".join(lines) + "\n"


def _verdict(square: Square) -> str:
    word = square.word if square.word == "PASS" else f"**{square.word}**"
    return word + (f", {square.note}" if square.note else "")


def _speed(square: Square) -> str:
    if square.messages_per_s is None:
        return ""
    return f"{figure(square.messages_per_s, '/s')}, {figure(square.cpu_s_per_million, 'CPU s')}"


def _told(row: dict[str, Any], released: dict[str, str]) -> str:
    since = f" of {released[row['client']][:4]}" if row["client"] in released else ""
    where = f"`{row['scenario']}` over {row['security'].replace('_', ' ')}"
    return f"`{row['client']}`{since}, `{row['api']}`, {where}: {row['verdict']}, {sentence(row['why'])}"
