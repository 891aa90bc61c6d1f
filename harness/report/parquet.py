"""partitions.parquet: the accounting by partition, for those who count over many runs.

One row a partition. Columns and their types never change within a format: `run` and `scenario` are texts, all others
nullable 64-bit integers (pandas `Int64`), null where the run did not measure them.
"""

from pathlib import Path
from typing import Any

from harness.report import facts as reading
from harness.report.facts import Facts, integer
from harness.rundir import disk_error, fresh_part

COLUMNS = {
    "partition": "number of the partition",
    "sent": "messages the producer was asked to send",
    "acked": "messages the producer was told are written",
    "nacked": "messages the producer was told are not written",
    "unknown": "messages the producer was told nothing certain of",
    "judged": "messages that the fates are about",
    "in_log": "messages the independent reader found",
    "delivered": "messages handed to the application at least once",
    "deliveries": "deliveries, of whatever message",
    "lost": "messages whose fate is a loss",
    "redelivered": "deliveries of messages that had been delivered before",
    "stalled": "messages not delivered by the end of the drain, though somebody owned the partition",
    "unread": "messages not delivered by the end of the drain, not proven lost",
    "log_start": "first offset of the log",
    "log_end": "offset behind the last one of the log",
    "stored": "offset that the group has stored",
}
"""The integer columns, and the question that each answers."""


def write_parquet(run: Path) -> Path:
    """Write partitions.parquet into the run's folder and return its path."""
    path = run / "partitions.parquet"
    part = fresh_part(path)
    frame = accounting(reading.read(run))
    try:
        frame.to_parquet(part, index=False)
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise disk_error(path, error) from error
    return path


def accounting(facts: Facts) -> Any:
    """The same as a pandas DataFrame, sorted by partition."""
    import pandas

    rows = facts.rows(facts.verdict, "partitions")
    columns = {
        "run": pandas.Series([facts.name] * len(rows), dtype="string"),
        "scenario": pandas.Series([facts.scenario] * len(rows), dtype="string"),
    }
    for name in COLUMNS:
        values = [integer(row.get(name)) for row in rows]
        columns[name] = pandas.Series([pandas.NA if value is None else value for value in values], dtype="Int64")
    return pandas.DataFrame(columns).sort_values("partition", kind="stable", ignore_index=True)
