"""Rows of messages by partition, in bounded memory: what a `History` keeps of everything that was recorded.

A *row* is a stretch of messages in which the offset and the seq go up by one from each to the next, so a clean
partition of a billion messages is a handful of rows. Where nearly every message stands alone, rows do not fit into
memory: then they go to a temporary file without a name, which ends with the process however that ends, and come back
one partition at a time.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError

NEVER = np.iinfo(np.int64).max
"""The time of what has not happened."""

NO_PRODUCER = -1
"""The producer of a message whose payload carries no identity."""

NO_OFFSET = -1
"""The offset of a message for which none was told or recorded."""

ROW = np.dtype(
    [
        ("seq", "i8"),  # of the first message
        ("offset", "i8"),  # of the first message
        ("length", "i8"),  # messages in the row
        ("at", "i8"),  # ns: when the first one was sent, answered, handed over
        ("until", "i8"),  # ns: when the last one was
        ("done", "i8"),  # ns: deliveries only, when the application had finished with the last one
        ("partition", "i4"),  # where it was found, delivered, or asked to go
        ("asked", "i4"),  # the partition that its identity names
        ("producer", "i4"),  # index into History.producers
        ("step", "i4"),  # deliveries only: how many events of their member stand before them
        ("txn", "i4"),  # sends only: the number of their transaction, 0 for none
        ("aborted", "?"),  # log entries only: of an aborted transaction
    ],
    align=True,
)

RAW = np.dtype((np.void, ROW.itemsize))

Rows = NDArray[np.void]

SEQ_BITS = 44
"""An identity within a partition is one integer, `producer << 44 | seq`, so that stretches are intervals."""

MERGE_BITS = 30
"""Rows of different spans of 2^30 ns (about a second) are not merged, so that a row still tells when it happened."""

PILE_ROWS = 1 << 13
"""So many rows are put into order at once; fewer cost more calls, more leave the processor's cache."""

HELD_BYTES = 56 << 20
"""Rows beyond this go to the temporary file: judging may take 150 MB, of which Python and numpy take 45."""


def identities(rows: Rows) -> NDArray[np.int64]:
    """The first identity of every row, as one integer each."""
    first: NDArray[np.int64] = (rows["producer"].astype(np.int64) << SEQ_BITS) + rows["seq"]
    return first


def no_rows() -> Rows:
    return np.empty(0, ROW)


def joined(parts: Iterable[Rows]) -> Rows:
    parts = [part for part in parts if len(part)]
    if len(parts) < 2:
        return parts[0] if parts else no_rows()
    # As plain bytes: numpy would compare and copy structured rows field by field.
    rows: Rows = np.concatenate([np.ascontiguousarray(part).view(RAW) for part in parts]).view(ROW)
    return rows


def chosen(rows: Rows, which: NDArray[Any]) -> Rows:
    """The rows of a mask, of places or of an order; the same array where the mask leaves nothing out."""
    if which.dtype == np.bool_ and which.all():
        return rows
    picked: Rows = np.ascontiguousarray(rows).view(RAW)[which].view(ROW)
    return picked


def stretches(rows: Rows) -> Rows:
    """Merge neighbours that continue each other.

    Rows continue when offset and seq go on where the one before ended, everything that names them is the same, no event
    of their member stands between them, and the application finished with both or with neither. The merged row has the
    first one's `at` and the last one's `until` and `done`.
    """
    if len(rows) < 2:
        return rows
    offset, seq, length = (np.ascontiguousarray(rows[name]) for name in ("offset", "seq", "length"))
    producer, partition = rows["producer"], rows["partition"]
    told = offset[:-1] != NO_OFFSET
    identified = producer[:-1] != NO_PRODUCER
    continues = np.where(told, offset[:-1] + length[:-1], NO_OFFSET) == offset[1:]
    continues &= (seq[:-1] + length[:-1] == seq[1:]) | ~identified
    continues &= identified | told
    for column in (producer, partition, rows["asked"], rows["step"], rows["txn"], rows["aborted"]):
        continues &= column[1:] == column[:-1]
    if not continues.any():
        return rows
    span, unfinished = rows["at"] >> MERGE_BITS, rows["done"] == NEVER
    continues &= (span[1:] == span[:-1]) & (unfinished[1:] == unfinished[:-1])
    begins = np.concatenate(([True], ~continues))
    first = np.flatnonzero(begins)
    last = np.concatenate((first[1:] - 1, [len(rows) - 1]))
    merged = chosen(rows, first)
    merged["length"] = np.add.reduceat(length, first)
    for name in ("until", "done"):
        merged[name] = rows[name][last]
    return merged


class Spill:
    """The temporary file of one history, made when it is needed, and the count of what is still held in memory."""

    def __init__(self, limit_bytes: int = HELD_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self.held_bytes = 0
        self._file: IO[bytes] | None = None
        self._columns: list[Columns] = []

    def register(self, columns: "Columns") -> None:
        self._columns.append(columns)

    def relieve(self) -> None:
        """Write everything out when too much is held."""
        if self.held_bytes > self.limit_bytes:
            for columns in self._columns:
                columns.spill()
            self.held_bytes = 0

    def write(self, rows: Rows) -> int:
        """Append rows; returns where they stand. Raises HarnessError `disk-full`."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="harness-")  # noqa: SIM115 - lives as long as the history
        try:
            at = self._file.seek(0, 2)
            self._file.write(rows.tobytes())
        except OSError as error:
            raise HarnessError(
                "disk-full",
                f"{tempfile.gettempdir()}: {error.strerror or error}, while judging a history with many gaps",
                "Free space there, or name another folder in TMPDIR.",
            ) from error
        return at

    def read(self, at: int, count: int) -> Rows:
        assert self._file is not None
        self._file.seek(at)
        rows: Rows = np.fromfile(self._file, ROW, count)
        return rows


class Columns:
    """Rows of one kind by partition, each partition's in the order in which they were added.

    merging: neighbours that continue each other become one row. spill: where rows go that do not fit into memory;
    without one they all stay there.
    """

    def __init__(self, rows: Rows | None = None, *, merging: bool = True, spill: Spill | None = None) -> None:
        self._merging = merging
        self._spill = spill
        self._pile: list[Rows] = []
        self._piled = 0
        self._held: dict[int, list[Rows]] = defaultdict(list)
        self._spilled: dict[int, list[tuple[int, int]]] = defaultdict(list)
        if spill is not None:
            spill.register(self)
        if rows is not None:
            self.add(rows)

    def add(self, rows: Rows) -> None:
        if not len(rows):
            return
        self._pile.append(rows)
        self._piled += len(rows)
        if self._piled >= PILE_ROWS:
            self._settle()

    def of(self, partition: int) -> Rows:
        """One partition's rows."""
        self._settle()
        chunks = self._spilled.get(partition, ())
        assert not chunks or self._spill is not None
        spilled = [self._spill.read(at, count) for at, count in chunks] if self._spill is not None else []
        return joined([*spilled, *self._held.get(partition, ())])

    def take(self, partition: int) -> Rows:
        """One partition's rows, which are forgotten here."""
        rows = self.of(partition)
        held = self._held.pop(partition, [])
        self._spilled.pop(partition, None)
        if self._spill is not None:
            self._spill.held_bytes -= sum(part.nbytes for part in held)
        return rows

    def partitions(self) -> set[int]:
        self._settle()
        return {*self._held, *self._spilled}

    def __bool__(self) -> bool:
        return bool(self._piled or self._held or self._spilled)

    def __iter__(self) -> Iterator[Rows]:
        """All rows, one partition after the other."""
        for partition in sorted(self.partitions()):
            yield self.of(partition)

    def spill(self) -> None:
        """Write out what is held."""
        assert self._spill is not None
        for partition, parts in self._held.items():
            rows = joined(parts)
            self._spilled[partition].append((self._spill.write(rows), len(rows)))
        self._held.clear()

    def _settle(self) -> None:
        """Put the pile into order: by partition, neighbours merged, also with what was the last row until now."""
        if not self._pile:
            return
        pile, self._pile, self._piled = joined(self._pile), [], 0
        partitions = np.unique(pile["partition"]).tolist()
        if self._merging:
            last = [part for partition in partitions for part in self._take_last(partition)]
            pile = joined([*last, pile])
        if len(partitions) > 1:
            pile = chosen(pile, np.argsort(pile["partition"], kind="stable"))
        if self._merging:
            pile = stretches(pile)
        edges = [*np.searchsorted(pile["partition"], partitions).tolist(), len(pile)]
        for number, partition in enumerate(partitions):
            self._hold(partition, pile[edges[number] : edges[number + 1]].view(RAW).copy().view(ROW))
        if self._spill is not None:
            self._spill.relieve()

    def _hold(self, partition: int, rows: Rows) -> None:
        self._held[partition].append(rows)
        if self._spill is not None:
            self._spill.held_bytes += rows.nbytes

    def _take_last(self, partition: int) -> list[Rows]:
        parts = self._held.get(partition)
        if not parts:
            return []
        last = parts.pop()
        if len(last) > 1:
            parts.append(last[:-1])
        if self._spill is not None:
            self._spill.held_bytes -= ROW.itemsize
        return [last[-1:]]
