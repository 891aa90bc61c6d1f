"""Pure: what a run recorded, in the form that the judge reads.

A `History` holds columns, not objects: messages are kept as rows by partition (`columns`), so that a partition can be
judged by itself. Two readers fill it: `recording` (the workers' binary files) and `portable` (JSON lines). Control
events are few and stay objects.
"""

from dataclasses import dataclass, field
from typing import Any

from harness.columns import Columns, Rows


@dataclass(frozen=True)
class Event:
    """One control event; `data` has the keys of the portable history's line."""

    at: int
    type: str
    data: dict[str, Any]


@dataclass
class Stream:
    """What one member did: its events in their order, and deliveries whose `step` tells between which of them."""

    member: str
    events: list[Event] = field(default_factory=list)
    deliveries: Columns = field(default_factory=Columns)


@dataclass
class Transaction:
    """One transaction as its producer told it; its sends are the rows whose `txn` is its number, counted from 1."""

    name: str
    state: str = "begin"  # begin, commit, abort, unknown: the last one told


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
    refused: str | None = None  # the case in which the consumer must not get through


@dataclass
class History:
    """Everything recorded, from all witnesses."""

    run: RunInfo
    producers: list[str] = field(default_factory=list)
    sends: Columns = field(default_factory=Columns)
    acks: Columns = field(default_factory=Columns)
    nacks: Columns = field(default_factory=Columns)
    unknowns: Columns = field(default_factory=Columns)
    transactions: list[Transaction] = field(default_factory=list)
    streams: list[Stream] = field(default_factory=list)
    log: Columns = field(default_factory=Columns)
    log_ends: dict[int, tuple[int, int]] = field(default_factory=dict)  # partition -> start, end
    committed_to: dict[int, int] = field(default_factory=dict)
    """By partition, the offset below which the log's entries are known to be aborted or visible; empty: nobody read the
    log for that, and only what is marked as aborted is known to be."""
    stored: list[Event] = field(default_factory=list)
    deleted: list[Event] = field(default_factory=list)
    corrupt: Columns = field(default_factory=Columns)  # as handed over
    corrupt_log: Columns = field(default_factory=Columns)  # as the independent reader found it
    drained: Event | None = None
    refusal: Event | None = None
    faults: list[Event] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)  # sentences: what did not end as it should, never a pass
    damaged: list[str] = field(default_factory=list)  # sentences: evidence that is gone, so that nothing is proven
    exact_times: bool = False  # it is known of each message when the application finished with it
    identified: bool = False  # every message carries its identity, so a delivery without one is not what was sent
    began: int = 0  # ns: the first thing that happened, the zero of every timeline
    acked_at: list[tuple[int, int, int]] = field(default_factory=list)  # from ns, to ns, messages: for pictures only
    delivered_at: list[tuple[int, int, int]] = field(default_factory=list)

    def producer_name(self, number: int) -> str:
        """A producer's name; a damaged identity may tell of one that never was."""
        return self.producers[number] if 0 <= number < len(self.producers) else f"producer {number}"

    def rows_of(self, partition: int) -> "PartitionRows":
        """Everything recorded of one partition, but for deliveries."""
        kinds = (self.sends, self.acks, self.nacks, self.unknowns, self.log, self.corrupt, self.corrupt_log)
        return PartitionRows(*(columns.of(partition) for columns in kinds))

    def partitions(self) -> list[int]:
        """Every partition that anything tells of."""
        seen = set(range(self.run.partitions)) | set(self.log_ends)
        for columns in (self.sends, self.acks, self.nacks, self.unknowns, self.log):
            seen |= columns.partitions()
        for stream in self.streams:
            seen |= stream.deliveries.partitions()
        return sorted(seen)


@dataclass(frozen=True)
class PartitionRows:
    """The rows of one partition, by kind."""

    sends: Rows
    acks: Rows
    nacks: Rows
    unknowns: Rows
    log: Rows
    corrupt: Rows
    corrupt_log: Rows
