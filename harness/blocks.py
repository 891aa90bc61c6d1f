"""Blocks: the messages of neighbouring frames of one kind, in columns that become rows at once.

No object is made per message: with arrays for some ten thousand of them, that are used again and again, a call costs
less than the messages.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.columns import MERGE_BITS, NEVER, NO_OFFSET, NO_PRODUCER, ROW, Rows
from harness.frames import DELIVER_KEYS, OPEN, Frame, until

BLOCK_MESSAGES = 1 << 15
"""So many messages become rows at once: with fewer, the calls would cost more than the messages."""


class _Taken(NamedTuple):
    """One frame in a block: where it ends there, and when its messages were handed over."""

    end: int
    at: int
    until: int
    step: int
    txn: int
    open: bool

    def group(self) -> tuple[int, int, int]:
        """Rows reach from one frame into the next where these are the same."""
        return self.step, self.txn, self.at >> MERGE_BITS


class Block:
    """Columns of the messages of neighbouring frames of one kind, in arrays that are used again and again."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        self.frames: list[_Taken] = []
        self.dones: list[int] = []  # by frame: when the application came back for more
        self.used = 0
        self._begun = 0  # where the last frame begins
        self._make_room(BLOCK_MESSAGES)

    def _make_room(self, messages: int) -> None:
        self.names = np.empty(messages, np.uint64)  # run, producer and partition asked
        self.seqs = np.empty(messages, np.int64)
        self.offsets = np.empty(messages, np.int64)
        self.partitions = np.empty(messages, np.int32)
        # For what is computed on the way: fresh memory for each step would cost more than the step.
        self._begins_here, self._flags = np.empty(messages, bool), np.empty(messages, bool)
        self._steps = np.empty(messages, np.int64)

    def room(self) -> int:
        return len(self.names) - self.used

    def take(self, frame: Frame, count: int, *, step: int, txn: int) -> None:
        """The first `count` messages of a frame. What is larger than a block makes the block larger."""
        if count > len(self.names):
            self._make_room(count)
        low, high = self.used, self.used + count
        keys = np.frombuffer(frame.data, "<u8", count * 3, frame.start)
        self.names[low:high] = keys[0::3]
        self.seqs[low:high] = keys.view("<i8")[1::3]  # of the same type: converting would cost as much again
        if frame.kind == DELIVER_KEYS:
            self.offsets[low:high] = NO_OFFSET
        else:
            self.offsets[low:high] = np.frombuffer(frame.data, "<i8", count, frame.start + 24 * frame.capacity)
        if frame.kind == DELIVER_KEYS or frame.flags & OPEN:
            self.partitions[low:high] = self.names[low:high] >> 48
        else:
            self.partitions[low:high] = np.frombuffer(frame.data, "<i4", count, frame.start + 32 * frame.capacity)
        self.frames.append(_Taken(high, frame.t, until(frame), step, txn, bool(frame.flags & OPEN)))
        self.dones.append(NEVER)
        self._begun, self.used = low, high

    def done_so_far(self, count: int, t: int) -> None:
        """Of the last frame the application has finished with the first `count` messages, and is at work on the next.

        The frame is cut there in two.
        """
        end = min(self._begun + count, self.used)
        if len(self.frames) > 1 and self.frames[-2].end > self._begun:  # cut before
            self.frames[-2], self.dones[-2] = self.frames[-2]._replace(end=end), t
        else:
            self.frames.insert(-1, self.frames[-1]._replace(end=end))
            self.dones.insert(-1, t)
        if end == self.used:
            self.dones[-1] = t

    def rows(self) -> Rows:
        """All messages taken since the last call, as rows; several partitions may come in another order."""
        total, frames, dones = self.used, self.frames, self.dones
        groups = _groups(frames, dones, total)
        begins = self._begins(groups)
        turns = np.count_nonzero(self.partitions[1:total] != self.partitions[: total - 1])
        rounds = 4 * turns > total  # messages of several partitions lie among each other
        period = self._period() if rounds and groups is None else 0
        order = None
        if period:
            first = np.arange(period)
            length = (total - 1 - first) // period + 1
            last = first + (length - 1) * period
        else:
            if rounds:
                few = self.partitions[:total].max() < 1 << 16  # numpy sorts small numbers by radix
                order = np.argsort(self.partitions[:total].astype("u2" if few else "i4"), kind="stable")
                begins = self._begins(groups[order] if groups is not None else None, order)
            first = np.flatnonzero(begins)
            last = np.append(first[1:] - 1, total - 1)
            length = last - first + 1
        rows = np.zeros(len(first), ROW)
        rows["length"] = length
        if order is not None:
            first, last = order[first], order[last]
        rows["partition"] = self.partitions[first]
        rows["offset"] = self.offsets[first]
        add_names(rows, self.names[first], self.seqs[first], self.run_id)
        _add_times(rows, frames, dones, first, last)
        self.used, self.frames, self.dones = 0, [], []
        return rows

    def _period(self) -> int:
        """After how many messages each one is continued, always: a producer goes round its partitions. 0: not so."""
        total, names, offsets = self.used, self.names[: self.used], self.offsets[: self.used]
        again = np.flatnonzero(names[1:] == names[0])[:1].tolist()
        period = again[0] + 1 if again else total
        if len(np.unique(names[:period])) < period:
            return 0
        same = (names[period:] == names[:-period]).all()
        same = same and (self.partitions[period:total] == self.partitions[: total - period]).all()
        same = same and (self.seqs[period:total] - self.seqs[: total - period] == 1).all()
        return period if same and offsets.max() == NO_OFFSET else 0

    def _begins(self, groups: NDArray[np.int64] | None, order: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
        """Where a row begins: where a message does not continue the one before. order: that of the messages."""
        total = self.used
        begins, flags, steps = self._begins_here[:total], self._flags[: total - 1], self._steps[: total - 1]
        begins[0] = True
        inside = begins[1:]

        def ordered(column: NDArray[Any]) -> NDArray[Any]:
            return column[:total] if order is None else column[order]

        names = ordered(self.names)
        np.not_equal(names[1:], names[:-1], out=inside)
        partitions = ordered(self.partitions)
        np.not_equal(partitions[1:], partitions[:-1], out=flags)
        inside |= flags
        seqs, offsets = ordered(self.seqs), ordered(self.offsets)
        untold = offsets.min() == NO_OFFSET
        for column in (seqs,) if untold and offsets.max() == NO_OFFSET else (seqs, offsets):
            np.subtract(column[1:], column[:-1], out=steps)
            np.not_equal(steps, 1, out=flags)
            inside |= flags
            if untold and column is offsets:
                inside |= offsets[:-1] == NO_OFFSET
        if groups is not None:
            inside |= groups[1:] != groups[:-1]
        return begins


def _groups(frames: list[_Taken], dones: list[int], total: int) -> NDArray[np.int64] | None:
    """A number for each message, that of the group which no row may leave; None where there is but one."""
    unsure = dones[-1] == NEVER and len(frames) > 0
    if not unsure and all(after.group() == before.group() for before, after in pairwise(frames)):
        return None
    numbers = np.cumsum([0] + [after.group() != before.group() for before, after in pairwise(frames)])
    groups = np.repeat(numbers, np.diff([0] + [frame.end for frame in frames]))
    if unsure:
        # What came last was perhaps never processed: a whole frame, but of an open one only the last message.
        begin = frames[-2].end if len(frames) > 1 else 0
        groups[total - 1 if frames[-1].open else begin :] += 1
    return groups


def add_names(rows: Rows, names: NDArray[np.uint64], seqs: NDArray[np.int64], run_id: int) -> None:
    """Identities of rows; what is not of this run has none."""
    ours = (names & 0xFFFFFFFF) == run_id
    rows["producer"] = np.where(ours, ((names >> 32) & 0xFFFF).astype(np.int64), NO_PRODUCER)
    rows["asked"] = np.where(ours, (names >> 48).astype(np.int64), rows["partition"])
    rows["seq"] = np.where(ours, seqs, 0)


def _add_times(
    rows: Rows, frames: list[_Taken], dones: list[int], first: NDArray[np.int64], last: NDArray[np.int64]
) -> None:
    """Times, steps and transactions of rows, whose first and last message have these places in the block."""
    columns = np.array([(*frame, done) for frame, done in zip(frames, dones, strict=True)], np.int64)
    ends = columns[:, 0]
    begin, end = np.searchsorted(ends, first, side="right"), np.searchsorted(ends, last, side="right")
    for name, number, place in (("at", 1, begin), ("until", 2, end), ("step", 3, begin), ("txn", 4, begin)):
        rows[name] = columns[place, number]
    rows["done"] = columns[end, -1]
    if frames[-1].open and dones[-1] == NEVER:
        # The application came back for each message of an open frame but the last.
        rows["done"][(end == len(frames) - 1) & (last < ends[-1] - 1)] = frames[-1].at
