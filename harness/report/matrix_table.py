"""Pure: the rows of a matrix as a table, clients and calls against scenarios and connections, for page and text."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from harness.report.facts import clean, number, one_line
from harness.verify import SEVERITY

Row = dict[str, Any]
SHADES = 6
COUNTED = (
    ("lost", "lost"),
    ("excess_redelivery", "excess"),
    ("repeat", "repeated"),
    ("stalled", "stalled"),
    ("unread", "unread"),
)
"""What a cell says beside its verdict: the first of these that it has any of."""


@dataclass(frozen=True)
class Square:
    """What came of one client and call in one scenario, all repetitions together.

    word: the worst verdict, `not run` where the scenario has what the client has not. shade: of its speed, from 0 to
    SHADES - 1, the fastest of its column being the last; None where it has none.
    """

    word: str
    note: str
    why: str
    link: str
    messages_per_s: float | None
    cpu_s_per_million: float | None
    shade: int | None = None


@dataclass(frozen=True)
class Table:
    """columns: scenario, and its connection where there are several; lines: client and call, with a square a column."""

    columns: list[tuple[str, str]]
    lines: list[tuple[str, str, list[Square | None]]]

    def speeds(self) -> "Table | None":
        """Those columns and lines of it that have a speed."""
        fast = [[square is not None and square.shade is not None for square in squares] for _, _, squares in self.lines]
        kept = [place for place in range(len(self.columns)) if any(line[place] for line in fast)]
        lines = [
            (client, api, [squares[place] for place in kept])
            for (client, api, squares), has in zip(self.lines, fast, strict=True)
            if any(has)
        ]
        return Table([self.columns[place] for place in kept], lines) if kept else None


def table(rows: Iterable[Row]) -> Table:
    """In the order of the rows, which is that of the matrix."""
    cells: dict[tuple[str, str], dict[tuple[str, str], list[Row]]] = {}
    columns: dict[tuple[str, str], None] = {}
    for row in rows:
        line, column = (row["client"], row["api"]), (row["scenario"], row["security"])
        columns[column] = None
        cells.setdefault(line, {}).setdefault(column, []).append(row)
    best = {
        column: max((speed(found[column]) or 0 for found in cells.values() if column in found), default=0)
        for column in columns
    }
    order = sorted(cells, key=lambda line: list(dict.fromkeys(client for client, _ in cells)).index(line[0]))
    lines = [
        (*line, [square(cells[line][column], best[column]) if column in cells[line] else None for column in columns])
        for line in order
    ]
    several = {scenario for scenario, _ in columns if sum(one == scenario for one, _ in columns) > 1}
    named = [(scenario, security.replace("_", " ") if scenario in several else "") for scenario, security in columns]
    return Table(named, lines)


def square(rows: list[Row], best: float) -> Square:
    """Repetitions of one cell as one: the worst one is shown and linked."""
    judged = [row for row in rows if row["verdict"]]
    if not judged:
        return Square("not run", "", sentence(rows[0]["why"]), "", None, None)
    shown = max(judged, key=lambda row: SEVERITY.index(row["verdict"]))
    fast = speed(judged)
    return Square(
        shown["verdict"],
        _note(shown, judged),
        sentence(shown["why"]),
        f"{shown['run']}/report.html" if shown["run"] else "",
        fast,
        _median(judged, "cpu_s_per_million"),
        _shade(fast, best),
    )


def _note(shown: Row, rows: list[Row]) -> str:
    same = sum(row["verdict"] == shown["verdict"] for row in rows)
    notes = [f"{same} of {len(rows)} times"] if len(rows) > 1 else []
    if shown["state"] == "error":
        notes.append("error")
    notes += [f"{shown[kind]:,} {name}" for kind, name in COUNTED if shown[kind] and shown["verdict"] != "PASS"][:1]
    return ", ".join(notes)


def speed(rows: Iterable[Row]) -> float | None:
    """Messages a second; nothing where others ran beside it."""
    return _median(rows, "throughput_msgs_per_s")


def _median(rows: Iterable[Row], name: str) -> float | None:
    known = [found for row in rows if not row["beside"] and (found := number(row[name])) is not None]
    return median(known) if known else None


def _shade(value: float | None, best: float) -> int | None:
    """Each shade is half as fast as the next one."""
    if value is None or value <= 0 or best <= 0:
        return None
    shade = SHADES - 1
    while shade > 0 and value < best / 2 ** (SHADES - 1 - shade) * 0.75:
        shade -= 1
    return shade


def sentence(why: Any) -> str:
    return one_line(clean(str(why or "")))


def tally(rows: list[Row]) -> str:
    """`3 FAIL, 1 UNKNOWN, 20 PASS; 2 could not be run`."""
    counts = [(word, sum(row["verdict"] == word and row["state"] == "done" for row in rows)) for word in SEVERITY]
    said = ", ".join(f"{found:,} {word}" for word, found in reversed(counts) if found)
    errors = sum(row["state"] == "error" for row in rows)
    refused = sum(row["state"] == "refused" for row in rows)
    parts = [said] if said else []
    parts += [f"{errors:,} ended in an error"] if errors else []
    parts += [f"{refused:,} left out, for the scenario has what the client has not"] if refused else []
    return "; ".join(parts) or "no cell has been run"


def markdown(made: Table) -> str:
    """As a Markdown table: the verdict, what it counted, and the speed."""
    heads = ["client", "call", *(f"{scenario} {security}".strip() for scenario, security in made.columns)]
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    for client, api, squares in made.lines:
        lines.append(f"| {' | '.join([client, api, *(_in_text(found) for found in squares)])} |")
    return "\n".join(lines) + "\n"


def _in_text(found: Square | None) -> str:
    if found is None:
        return ""
    parts = [found.word + (f" ({found.note})" if found.note else "")]
    if found.messages_per_s is not None:
        parts.append(f"{found.messages_per_s:,.0f}/s")
    if found.cpu_s_per_million is not None:
        parts.append(f"{found.cpu_s_per_million:.1f} CPU s")
    return ", ".join(parts)
