"""Pure: what a run recorded, in the form that the judge reads.

A `History` holds columns, not objects: messages are kept as *rows*, each a stretch of messages in which the offset and
the seq go up by one from each to the next. A clean partition of a billion messages is one row. Two readers fill it:
`recording` (the workers' binary files) and `portable` (JSON lines). Control events are few and stay objects.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEVER = np.iinfo(np.int64).max
"""The time of what has not happened."""

NO_PRODUCER = -1
"""The producer of a message whose payload carries no identity."""

NO_OFFSET = -1
"""The offset of a message for which none was told or recorded."""

ROW = np.dtype(
    [
        ("partition", "i4"),  # where it was found, delivered, or asked to go
        ("asked", "i4"),  # the partition that its identity names
        ("producer", "i4"),  # index into History.producers
        ("seq", "i8"),  # of the first message
        ("offset", "i8"),  # of the first message
        ("length", "i8"),  # messages in the row
        ("at", "i8"),  # ns: when (deliveries: handed over)
        ("done", "i8"),  # ns: deliveries only, when the application had finished with it
        ("aborted", "?"),  # log entries only: of an aborted transaction
    ]
)

Rows = NDArray[np.void]

SEQ_BITS = 44
"""An identity within a partition is one integer, `producer << 44 | seq`, so that stretches are intervals."""


def identities(rows: Rows) -> NDArray[np.int64]:
    """The first identity of every row, as one integer each."""
    first: NDArray[np.int64] = (rows["producer"].astype(np.int64) << SEQ_BITS) + rows["seq"]
    return first


def no_rows() -> Rows:
    return np.empty(0, ROW)


def joined(parts: Iterable[Rows]) -> Rows:
    parts = [part for part in parts if len(part)]
    return np.concatenate(parts) if parts else no_rows()


def stretches(rows: Rows, keep: NDArray[np.bool_] | None = None) -> Rows:
    """Merge neighbours that continue each other; `keep` marks rows that must begin a stretch of their own.

    Rows continue when offset and seq go on where the one before ended and everything that names them is the same.
    The merged row has the first one's `at` and the last one's `done`.
    """
    if len(rows) < 2:
        return rows
    before, after = rows[:-1], rows[1:]
    told = before["offset"] != NO_OFFSET
    same_offset = np.where(told, before["offset"] + before["length"], NO_OFFSET) == after["offset"]
    identified = before["producer"] != NO_PRODUCER
    same_seq = ~identified | (before["seq"] + before["length"] == after["seq"])
    begins = ~(same_offset & same_seq & (identified | told))
    for name in ("partition", "asked", "producer", "aborted"):
        begins |= before[name] != after[name]
    if keep is not None:
        begins |= keep[1:]
    first = np.flatnonzero(np.concatenate(([True], begins)))
    merged = rows[first].copy()
    merged["length"] = np.add.reduceat(rows["length"], first)
    merged["done"] = rows["done"][np.concatenate((first[1:] - 1, [len(rows) - 1]))]
    return merged


@dataclass(frozen=True)
class Event:
    """One control event; `data` has the keys of the portable history's line."""

    at: int
    type: str
    data: dict[str, Any]


@dataclass
class Stream:
    """What one member did, in its own order: events and deliveries."""

    member: str
    items: list[Event | Rows] = field(default_factory=list)


@dataclass(frozen=True)
class Transaction:
    """One transaction as its producer told it. state: `begin`, `commit`, `abort` or `unknown`, the last one told."""

    name: str
    state: str
    sends: Rows


@dataclass(frozen=True)
class RunInfo:
    """What the judge must know of the run; the first line of a portable history."""

    run: str
    guarantee: str
    partitions: int
    isolation: str = "read_uncommitted"
    reset: str = "earliest"
    group: str | None = None
    idempotent: bool = False


@dataclass
class History:
    """Everything recorded, from all witnesses."""

    run: RunInfo
    producers: list[str] = field(default_factory=list)
    sends: Rows = field(default_factory=no_rows)
    acks: Rows = field(default_factory=no_rows)
    nacks: Rows = field(default_factory=no_rows)
    unknowns: Rows = field(default_factory=no_rows)
    transactions: list[Transaction] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    log: Rows = field(default_factory=no_rows)
    log_ends: dict[int, tuple[int, int]] = field(default_factory=dict)  # partition -> start, end
    stored: list[Event] = field(default_factory=list)
    corrupt: Rows = field(default_factory=no_rows)  # as handed over
    corrupt_log: Rows = field(default_factory=no_rows)  # as the independent reader found it
    drained: Event | None = None
    faults: list[Event] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)  # sentences: what did not end as it should, never a pass
    damaged: list[str] = field(default_factory=list)  # sentences: evidence that is gone, so that nothing is proven
    explicit_processing: bool = False
    identified: bool = False  # every message carries its identity, so a delivery without one is not what was sent

    def producer_name(self, number: int) -> str:
        """A producer's name; a damaged identity may tell of one that never was."""
        return self.producers[number] if number < len(self.producers) else f"producer {number}"

    acked_at: list[tuple[int, int, int]] = field(default_factory=list)  # from ns, to ns, messages: for pictures only
    delivered_at: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def aborts(self) -> Rows:
        """The sends of aborted transactions."""
        return joined(transaction.sends for transaction in self.transactions if transaction.state == "abort")

    @property
    def began(self) -> int:
        """ns: the first thing that happened, the zero of every timeline."""
        times = [int(rows["at"].min()) for rows in (self.sends, self.acks) if len(rows)]
        for stream in self.streams:
            times += [item.at for item in stream.items[:1] if isinstance(item, Event)]
        return min(times, default=0)
