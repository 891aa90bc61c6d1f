"""Rows of messages by partition, in bounded memory: what a `History` keeps of everything that was recorded.

A *row* is a stretch of messages in which the offset and the seq go up by one from each to the next, so a clean
partition of a billion messages is a handful of rows. Where nearly every message stands alone, rows do not fit into
memory: then they go to a temporary file without a name, which ends with the process however that ends, and come back
one partition at a time.
"""

import os
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
        ("at", "i8"),  # ns: when the first one was sent, answered, handed over
        ("until", "i8"),  # ns: when the last one was
        ("done", "i8"),  # ns: deliveries only, when the application had finished with the last one
        ("length", "i4"),  # messages in the row: no second has 2^31, and no row is much longer, see MERGE_BITS
        ("partition", "i4"),  # where it was found, delivered, or asked to go
        ("asked", "i4"),  # the partition that its identity names
        ("producer", "i4"),  # index into History.producers
        ("step", "i4"),  # deliveries only: how many events of their member stand before them
        ("txn", "i4"),  # sends: the number of their transaction, 0 for none; log entries: ABORTED or 0
    ],
    align=True,
)

RAW = np.dtype((np.void, ROW.itemsize))
"""64 bytes: a line of the processor's cache, so that to pick rows here and there costs no more than it must."""

ABORTED = -1
"""The `txn` of a log entry that belongs to an aborted transaction, whichever it was."""

Rows = NDArray[np.void]

SEQ_BITS = 44
"""An identity within a partition is one integer, `producer << 44 | seq`, so that stretches are intervals."""

MERGE_BITS = 30
"""Rows of different spans of 2^30 ns (about a second) are not merged, so that a row still tells when it happened."""

PILE_ROWS = 1 << 13
"""So many rows are put into order at once; fewer cost more calls, more leave the processor's cache."""

HELD_BYTES = 44 << 20
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
    return _joined_raw([np.ascontiguousarray(part).view(RAW) for part in parts])


def _joined_raw(parts: list[NDArray[np.void]]) -> Rows:
    rows: Rows = np.concatenate(parts or [no_rows().view(RAW)]).view(ROW)
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
    continues = _continues(rows[:-1], rows[1:])
    if not continues.any():
        return rows
    first = np.flatnonzero(np.append(True, ~continues))
    last = np.append(first[1:] - 1, len(rows) - 1)
    merged = chosen(rows, first)
    merged["length"] = np.add.reduceat(rows["length"], first)
    for name in ("until", "done"):
        merged[name] = rows[name][last]
    return merged


def _continues(before: Rows, after: Rows) -> NDArray[np.bool_]:
    """Whether each row goes on where the one before it, at the same place of the other array, ended."""
    offset, length = np.ascontiguousarray(before["offset"]), np.ascontiguousarray(before["length"])
    told, identified = offset != NO_OFFSET, before["producer"] != NO_PRODUCER
    continues: NDArray[np.bool_] = np.where(told, offset + length, NO_OFFSET) == after["offset"]
    continues &= (before["seq"] + length == after["seq"]) | ~identified
    continues &= identified | told
    if continues.any():
        for name in ("producer", "partition", "asked", "step", "txn"):
            continues &= before[name] == after[name]
        continues &= before["at"] >> MERGE_BITS == after["at"] >> MERGE_BITS
        continues &= (before["done"] == NEVER) == (after["done"] == NEVER)
    return continues


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

    def write(self, rows: NDArray[np.void]) -> int:
        """Append rows, as RAW; returns where they stand. Raises HarnessError `disk-full`."""
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="harness-", buffering=0)  # noqa: SIM115 - lives as long as the history
        try:
            at = self._file.seek(0, 2)
            rest = rows.view(np.uint8).data
            while rest:  # unbuffered, a file may take less than all of it
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise HarnessError(
                "disk-full",
                f"{tempfile.gettempdir()}: {error.strerror or error}, while judging a history with many gaps",
                "Free space there, or name another folder in TMPDIR.",
            ) from error
        return at

    def read(self, at: int, rows: NDArray[np.void]) -> None:
        """Fill `rows`, of RAW, with what was written there."""
        assert self._file is not None
        os.preadv(self._file.fileno(), [rows.view(np.uint8).data], at)


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
        self._held: dict[int, list[NDArray[np.void]]] = defaultdict(list)  # of RAW
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
        chunks, held = self._spilled.get(partition, ()), self._held.get(partition, ())
        spilled = sum(count for _, count in chunks)
        rows = np.empty(spilled + sum(map(len, held)), RAW)
        end = 0
        for at, count in chunks:
            assert self._spill is not None
            self._spill.read(at, rows[end : end + count])
            end += count
        for part in held:
            rows[end : end + len(part)] = part
            end += len(part)
        return rows.view(ROW)

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
            rows = np.concatenate(parts)
            self._spilled[partition].append((self._spill.write(rows), len(rows)))
        self._held.clear()

    def _settle(self) -> None:
        """Put the pile into order: by partition, neighbours merged, also with what was the last row until now."""
        if not self._pile:
            return
        pile, self._pile, self._piled = joined(self._pile), [], 0
        column = np.ascontiguousarray(pile["partition"])
        if (column[1:] < column[:-1]).any():
            pile = chosen(pile, np.argsort(column, kind="stable"))
        if self._merging:
            pile = stretches(pile)
        firsts = np.flatnonzero(np.append(True, pile["partition"][1:] != pile["partition"][:-1]))
        partitions, ends = pile["partition"][firsts].tolist(), [*firsts[1:].tolist(), len(pile)]
        if self._merging:
            self._join_on(pile, firsts, partitions)
        raw = pile.view(RAW)  # numpy takes long to look at a view of rows, and one is enough
        for first, end, partition in zip(firsts.tolist(), ends, partitions, strict=True):
            self._held[partition].append(raw[first:end].copy())
        if self._spill is not None:
            self._spill.held_bytes += pile.nbytes
            self._spill.relieve()

    def _join_on(self, pile: Rows, firsts: NDArray[np.int64], partitions: list[int]) -> None:
        """Take back each partition's last row where a first row of the pile continues it, and put both there as one."""
        known = [number for number, partition in enumerate(partitions) if self._held.get(partition)]
        before = _joined_raw([self._held[partitions[number]][-1][-1:] for number in known])
        places = firsts[known]
        on = _continues(before, pile[places])
        before, places = before[on], places[on]
        before["length"] += pile["length"][places]
        for name in ("until", "done"):
            before[name] = pile[name][places]
        pile[places] = before
        for number in np.array(known, np.int64)[on].tolist():
            parts = self._held[partitions[number]]
            parts[-1:] = [parts[-1][:-1]] if len(parts[-1]) > 1 else []
        if self._spill is not None:
            self._spill.held_bytes -= before.nbytes
