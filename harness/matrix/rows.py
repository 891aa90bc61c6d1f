"""What is told of a cell: one flat row, from the files of its run or from the error that ended it."""

from pathlib import Path
from typing import Any

from harness.matrix.plan import Cell
from harness.report import facts as reading
from harness.report import words
from harness.report.facts import Facts, mapping, number, text
from harness.rundir import disk_error, fresh_part
from harness.verify import EXIT_CODES, SEVERITY

Row = dict[str, Any]

COLUMNS: dict[str, tuple[str, str]] = {
    "scenario": ("string", "the scenario, as it was named"),
    "client": ("string", "the client's spec, with its release"),
    "api": ("string", "the call that it read with"),
    "security": ("string", "mutual_tls or plaintext"),
    "number": ("Int64", "of the repetition, from 0"),
    "seed": ("Int64", "what everything random was drawn from"),
    "state": ("string", "done; error: it was not run to its end; refused: the scenario has what the client has not"),
    "verdict": ("string", "PASS, FAIL or UNKNOWN; none where it was refused"),
    "why": ("string", "the first reason of the verdict, or what went wrong"),
    "run": ("string", "the run's folder, from that of the matrix"),
    "log": ("string", "which topic it read, where several cells read one"),
    "seconds": ("Float64", "how long the cell took, environments and report included"),
    "measures": ("boolean", "whether its scenario is one that measures speed"),
    "beside": ("boolean", "whether other cells may have run beside it; then its speed says nothing"),
    "client_version": ("string", "as it was found installed"),
    "librdkafka": ("string", "the library inside of confluent-kafka"),
    "python": ("string", "the interpreter of the client"),
    "kafka": ("string", "the broker's release"),
    "messages": ("Int64", "how many were produced"),
    "size_bytes": ("Int64", "of a value"),
    "judged": ("Int64", "messages that have a fate"),
    "delivered": ("Int64", "messages handed over at least once"),
    "lost": ("Int64", "messages whose fate is a loss"),
    "stalled": ("Int64", "messages not delivered, though somebody owned the partition"),
    "unread": ("Int64", "messages not delivered, not proven lost"),
    "legal_redelivery": ("Int64", "deliveries again that at-least-once allows"),
    "excess_redelivery": ("Int64", "deliveries again that it does not allow"),
    "repeat": ("Int64", "deliveries twice in one ownership"),
    "throughput_msgs_per_s": ("Float64", "messages a second from the first to the last"),
    "cpu_s_per_million": ("Float64", "CPU seconds of the client for a million messages"),
    "rss_max_bytes": ("Float64", "the client's memory at most"),
    "worst_stall_s": ("Float64", "the longest time in which nobody was handed anything"),
}  # fmt: skip
"""The columns of matrix.parquet and keys of a row: their types as pandas names them, and what they say."""

FIGURES = ("throughput_msgs_per_s", "cpu_s_per_million", "rss_max_bytes", "worst_stall_s")


def refused(cell: Cell) -> Row:
    return _row(cell, state="refused", why=cell.refusal)


def failed(cell: Cell, why: str, *, seconds: float, run: str | None) -> Row:
    """A cell that has no proof of anything."""
    return _row(cell, state="error", verdict="UNKNOWN", why=why, run=run, seconds=round(seconds, 1))


def finished(cell: Cell, path: Path, *, seconds: float, beside: bool) -> Row:
    """A cell that came to its verdict; `path` is its run's folder in that of the matrix."""
    facts = reading.read(path)
    client = next(iter(facts.clients("consume")), {})
    return _row(
        cell,
        state="done",
        verdict=facts.word,
        why=facts.reasons[0].partition("\n")[0],
        run=f"{path.parent.name}/{path.name}",
        log=text(facts.run.get("log")) or None,
        seconds=round(seconds, 1),
        beside=beside,
        kafka=text(mapping(facts.run.get("broker")).get("kafka")) or None,
        **{key: text(client.get(key)) or None for key in ("client_version", "librdkafka", "python")},
        **_counts(facts),
        **{key: number(facts.metrics.get(key)) for key in FIGURES},
    )


def _row(cell: Cell, **told: Any) -> Row:
    scenario = cell.scenario
    row = dict.fromkeys(COLUMNS) | {
        "scenario": cell.name,
        "client": cell.client,
        "api": cell.api,
        "security": cell.security,
        "number": cell.number,
        "measures": cell.measures,
        "beside": False,
        "seed": scenario and scenario.seed,
        "messages": scenario and scenario.messages,
        "size_bytes": scenario and scenario.size_bytes,
    }
    assert set(told) <= set(COLUMNS), told
    return row | told


def _counts(facts: Facts) -> Row:
    losses = [facts.count(kind) for kind in words.LOSSES]
    known = [found for found in losses if found is not None]
    kinds = ("delivered", "stalled", "unread", "legal_redelivery", "excess_redelivery", "repeat")
    return {
        "judged": reading.integer(facts.verdict.get("judged")),
        "lost": sum(known) if len(known) == len(losses) else None,
        **{kind: facts.count(kind) for kind in kinds},
    }


def worst(rows: list[Row]) -> str:
    """The worst verdict; a cell that was refused has none."""
    return max((row["verdict"] for row in rows if row["verdict"]), key=SEVERITY.index, default="UNKNOWN")


def exit_code(rows: list[Row]) -> int:
    return EXIT_CODES[worst(rows)]


def write_parquet(rows: list[Row], path: Path) -> None:
    """matrix.parquet: a row a cell."""
    import pandas

    columns = {
        name: pandas.Series([pandas.NA if row[name] is None else row[name] for row in rows], dtype=kind)
        for name, (kind, _) in COLUMNS.items()
    }
    part = fresh_part(path)
    try:
        pandas.DataFrame(columns).to_parquet(part, index=False)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise disk_error(path, error) from error
