"""Pure: where in the log a message stands.

Two coordinates name a message of a partition: its identity and its offset. The log, as the independent reader found
it, translates between them; a stretch that crosses several rows of the log is cut at their ends.
"""

import numpy as np

from harness.columns import NO_OFFSET, NO_PRODUCER, Rows, chosen, identities, joined
from harness.verify.intervals import NOTHING, Column, Intervals, more_than_once, overlapping


def first_copies(log: Rows, *, only_single: bool = False) -> Rows:
    """The log without what it holds again, so that an identity stands at one offset.

    `only_single`: and without the first copies of that, too.
    """
    log = chosen(log, log["producer"] != NO_PRODUCER)
    twice, extra = more_than_once(identities(log), log["length"])
    if not extra:
        return log
    starts = identities(log)
    ends = starts + log["length"]
    shared = np.zeros(len(log), bool)
    shared[overlapping(starts, ends, twice)[0]] = True
    again, first, last = log[shared], starts[shared], ends[shared]
    # Cut at every end of any of them, pieces are the same or have nothing in common: the first of each is kept.
    points = np.unique(np.concatenate((first, last)))
    begin, end = np.searchsorted(points, first), np.searchsorted(points, last)
    number = np.repeat(np.arange(len(again)), end - begin)
    piece = np.arange(len(number)) - np.repeat(np.cumsum(end - begin) - (end - begin), end - begin) + begin[number]
    pieces = again[number].copy()
    pieces["seq"] += points[piece] - first[number]
    pieces["offset"] += points[piece] - first[number]
    pieces["length"] = points[piece + 1] - points[piece]
    _, earliest, copies = np.unique(piece, return_index=True, return_counts=True)
    kept = joined([log[~shared], pieces[earliest[copies == 1] if only_single else earliest]])
    return kept[np.argsort(kept["offset"], kind="stable")]


def _cut(row: np.void, start: int, end: int, dtype: np.dtype[np.void]) -> Rows:
    part = np.array([row], dtype)
    part["seq"] += start
    part["offset"] += start
    part["length"] = end - start
    return part


def in_offset_order(rows: Rows) -> Rows:
    """The rows that have an offset, sorted by it."""
    rows = chosen(rows, rows["offset"] != NO_OFFSET)
    offsets = rows["offset"]
    return rows if (offsets[1:] >= offsets[:-1]).all() else chosen(rows, np.argsort(offsets, kind="stable"))


def offset_set(rows: Rows) -> Intervals:
    """The offsets of rows that have one."""
    rows = chosen(rows, rows["offset"] != NO_OFFSET)
    return Intervals.of(rows["offset"], rows["length"])


def identity_set(rows: Rows) -> Intervals:
    """The identities of rows that carry one."""
    rows = chosen(rows, rows["producer"] != NO_PRODUCER)
    return Intervals.of(identities(rows), rows["length"])


def offsets_of(wanted: Intervals, log: Rows) -> Intervals:
    """The offsets at which the log holds the wanted identities, those of all copies."""
    if not len(wanted):
        return NOTHING
    starts = identities(log)
    shift = log["offset"] - starts
    if len(log) and (shift == shift[0]).all():  # as a rule, and much quicker so
        return (wanted & Intervals.of(starts, log["length"])).shifted(int(shift[0]))
    i, j = overlapping(starts, starts + log["length"], wanted)
    first = np.maximum(starts[i], wanted.starts[j])
    last = np.minimum(starts[i] + log["length"][i], wanted.ends[j])
    return Intervals.of(log["offset"][i] + first - starts[i], last - first)


def identities_at(wanted: Intervals, log: Rows) -> Intervals:
    """The identities that the log holds at the wanted offsets."""
    if not len(wanted):
        return NOTHING
    i, j = overlapping(log["offset"], log["offset"] + log["length"], wanted)
    first = np.maximum(log["offset"][i], wanted.starts[j])
    last = np.minimum(log["offset"][i] + log["length"][i], wanted.ends[j])
    known = log["producer"][i] != NO_PRODUCER
    return Intervals.of((identities(log)[i] + first - log["offset"][i])[known], (last - first)[known])


def within(rows: Rows, names: Intervals) -> Rows:
    """The parts of rows whose identities are among the names."""
    return _parts(rows, identities(rows), names)


def at_offsets(rows: Rows, offsets: Intervals) -> Rows:
    """The parts of rows that stand at the offsets."""
    return _parts(rows, rows["offset"], offsets)


def _parts(rows: Rows, starts: Column, wanted: Intervals) -> Rows:
    """Rows cut to what their numbers, which begin at `starts`, have in common with the wanted ones."""
    if not len(rows) or not len(wanted):
        return rows[:0]
    i, j = overlapping(starts, starts + rows["length"], wanted)
    first = np.maximum(starts[i], wanted.starts[j])
    parts = chosen(rows, i).copy()
    parts["seq"] += first - starts[i]
    parts["offset"] += first - starts[i]
    parts["length"] = np.minimum(starts[i] + rows["length"][i], wanted.ends[j]) - first
    return parts


def placed(rows: Rows, log: Rows) -> Rows:
    """Deliveries recorded by identity alone, given the offsets at which the log holds them.

    Order is kept. What the log does not hold keeps no offset. `log` without duplicates.
    """
    lost = (rows["offset"] == NO_OFFSET) & (rows["producer"] != NO_PRODUCER)
    if not lost.any() or not len(log):
        return rows
    log = log[np.argsort(identities(log), kind="stable")]
    starts = identities(log)
    base = Intervals(starts, starts + log["length"])
    mine = identities(rows)
    i, j = overlapping(mine, mine + rows["length"], base)
    keep = lost[i]
    i, j = i[keep], j[keep]
    first = np.maximum(mine[i], base.starts[j])
    last = np.minimum(mine[i] + rows["length"][i], base.ends[j])
    found = rows[i].copy()
    found["seq"] += first - mine[i]
    found["offset"] = log["offset"][j] + first - base.starts[j]
    found["length"] = last - first
    short = np.flatnonzero(lost & (np.bincount(i, last - first, len(rows)) < rows["length"]))
    absent: list[Rows] = []
    for number in short.tolist():  # an exception: handed over, and not in the log
        begin = int(mine[number])
        for start, end in Intervals.span(begin, begin + int(rows["length"][number])) - base:
            absent.append(_cut(rows[number], start - begin, end - begin, rows.dtype))
            absent[-1]["offset"] = NO_OFFSET
            i = np.append(i, number)
    order = np.concatenate((i, np.flatnonzero(~lost)))
    return joined([found, *absent, rows[~lost]])[np.argsort(order, kind="stable")]
