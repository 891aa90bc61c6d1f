"""Pure: what `harness measure` found, as one table of text."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.measuring.rounds import Row

HEAD = ("", "call", "connection", "messages/s", "CPU s/million", "MB", "B/message", "delivered")
KINDS = {
    "client": "clients",
    "ceiling": "the harness's own ceiling: its loop, and a client that costs nothing",
    "yardstick": "yardsticks",
    "producer": "producers",
}
WRONG = ("lost", "repeated", "corrupt", "strange")
"""Of these a client that delivered every message once has none."""
NOTES = (
    "median (least … most) of each round's steady state: without making the client, joining, and its first batch;",
    "Kafka's tools: their own figure, without joining; CPU of the whole process, its JVM's start included",
)


def lines(rows: "Sequence[Row]") -> Iterator[str]:
    """A heading for each kind of row, the rows in columns, and what the figures leave out."""
    cells = {id(row): _cells(row) for row in rows}
    widths = [max(map(len, column)) for column in zip(HEAD, *cells.values(), strict=True)]
    yield _line(HEAD, widths)
    for kind, title in KINDS.items():
        of_kind = [row for row in rows if row.kind == kind]
        if of_kind:
            yield f"-- {title}"
        for row in of_kind:
            yield _line(cells[id(row)], widths)
    yield from (f"   {note}" for note in NOTES)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cells(row: "Row") -> tuple[str, ...]:
    wrong = [f"{row.sum(name):,} {name}" for name in WRONG if row.sum(name)]
    counted = ", ".join(wrong).upper() or "all, once" if row.values("lost") else ""
    memory = row.median("rss_max_bytes")
    each = row.median("received_per_message")
    return (
        row.what,
        row.call,
        row.security,
        _spread(row, "throughput_msgs_per_s", 0),
        _spread(row, "cpu_s_per_million", 2),
        "" if memory is None else f"{memory / 1e6:,.0f}",
        "" if each is None or row.kind == "ceiling" else f"{each:,.0f}",
        counted,
    )


def _spread(row: "Row", name: str, digits: int) -> str:
    values, median = row.values(name), row.median(name)
    if median is None:
        return ""
    if len(values) < 2:
        return f"{median:,.{digits}f}"
    return f"{median:,.{digits}f} ({min(values):,.{digits}f} … {max(values):,.{digits}f})"
