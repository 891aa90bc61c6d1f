"""The lag over time: Kafka's, from acks and deliveries."""

from typing import Any

import numpy as np

from harness.columns import NO_OFFSET, ROW, Columns
from harness.history import History, RunInfo, Stream
from harness.lag import lag

S = 1_000_000_000


def columns(*rows: dict[str, Any]) -> Columns:
    made = np.zeros(len(rows), ROW)
    for place, row in enumerate(rows):
        for key, value in {"length": 1, "until": row["at"], **row}.items():
            made[place][key] = value
    return Columns(made, merging=False)


def history(acks: Columns, *deliveries: Columns, partitions: int = 1) -> History:
    streams = [Stream(f"c{number}", [], taken) for number, taken in enumerate(deliveries)]
    return History(RunInfo("r", "at_least_once", partitions), producers=["p1"], acks=acks, streams=streams)


def test_lag_rises_with_acks_and_falls_with_deliveries() -> None:
    written = columns({"at": 0, "until": 2 * S, "offset": 0, "length": 100})
    taken = columns({"at": 3 * S, "offset": 0, "length": 60}, {"at": 5 * S, "offset": 60, "length": 40})
    assert lag(history(written, taken), np.array([0.0, 1, 2, 3, 4, 5, 6])) == [0, 50, 100, 40, 40, 0, 0]


def test_a_redelivery_leaves_it_and_what_was_skipped_is_behind() -> None:
    written = columns({"at": 0, "offset": 0, "length": 100})
    first = columns({"at": S, "offset": 0, "length": 60})
    second = columns({"at": 2 * S, "offset": 10, "length": 20}, {"at": 3 * S, "offset": 90, "length": 10})
    assert lag(history(written, first, second), np.array([1.0, 2, 3])) == [40, 40, 0]


def test_partitions_add_up_and_a_log_that_was_there_before_counts_whole() -> None:
    taken = columns({"at": S, "offset": 5, "length": 5}, {"at": S, "offset": 0, "length": 3, "partition": 1})
    found = history(columns(), taken, partitions=2)
    found.log_ends = {0: (5, 20), 1: (0, 7)}
    assert lag(found, np.array([0.0, 1])) == [22, 14]


def test_without_offsets_the_sequence_tells() -> None:
    written = columns({"at": 0, "offset": 7, "seq": 0, "length": 100})
    taken = columns({"at": S, "offset": NO_OFFSET, "seq": 0, "length": 30})
    assert lag(history(written, taken), np.array([0.0, 1])) == [100, 70]
    assert lag(history(columns(), taken), np.array([0.0, 1])) == [], "nobody told how much was written"
