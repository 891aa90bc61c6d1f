"""Pure: what was handed over more than once, out of order, or as something else than the log holds.

Inside one ownership a position only goes up, so a second delivery is a **repeat** and a first one below the highest
offset seen is **reordered**. Between ownerships the commit in force decides: an offset handed over again from the
commit on is what at-least-once allows (**legal**), below it is **excess**.
"""

from bisect import bisect_left

import numpy as np

from harness.columns import NO_OFFSET, NO_PRODUCER, SEQ_BITS, Rows, chosen, identities
from harness.verify.consuming import Consumed, names_of
from harness.verify.findings import Finding, messages
from harness.verify.intervals import NOTHING, Intervals, more_than_once, overlapping
from harness.verify.ownership import Holdings, Ownership
from harness.verify.placing import at_offsets, in_offset_order, offset_set
from harness.verify.producing import Produced


def again(holdings: Holdings) -> list[Finding]:
    """Repeats and disorder inside each ownership, re-deliveries between them.

    An owner is handed something again when somebody was before: all that owners had who ended before it began, and of
    those who held the partition at the same time, and of outsiders, what they had been handed earlier.
    """
    findings = []
    before, still_held = NOTHING, list[Ownership]()
    starts = [ownership.start_at for ownership in holdings.ownerships]
    for number, ownership in enumerate(holdings.ownerships):
        for other in [one for one in still_held if one.end_at <= ownership.start_at]:
            before = before | other.offsets
            still_held.remove(other)
        if len(ownership.rows):
            second = ownership.offsets & before
            later = holdings.ownerships[number + 1 : bisect_left(starts, ownership.end_at)]
            for rows in [*(one.rows for one in still_held + later), *(rows for _, rows in holdings.foreign)]:
                second = second | _handed_before(ownership, rows)
            findings += _inside(ownership)
            findings += _between(ownership, second, holdings)
        still_held.append(ownership)
    return findings


def _handed_before(ownership: Ownership, others: Rows) -> Intervals:
    """What an owner was handed after somebody else had been."""
    common = ownership.offsets & Intervals.of(others["offset"], others["length"])
    before = NOTHING
    if not len(common):
        return before
    mine = at_offsets(ownership.rows, common)
    for row in at_offsets(others, common):
        late = mine["at"] > row["at"]
        first_late = offset_set(mine[late]) - offset_set(mine[~late])
        before = before | (Intervals.span(int(row["offset"]), int(row["offset"] + row["length"])) & first_late)
    return before


def _inside(ownership: Ownership) -> list[Finding]:
    """Repeats and disorder of one ownership."""
    rows, partition, member = ownership.rows, ownership.partition, ownership.member
    offset, length = np.ascontiguousarray(rows["offset"]), np.ascontiguousarray(rows["length"])
    ends = offset + length
    if (offset[1:] >= ends[:-1]).all():
        return []
    highest = np.concatenate(([0], np.maximum.accumulate(ends)[:-1]))
    behind = np.clip(highest - offset, 0, length)
    findings = []
    twice, repeats = more_than_once(offset, length)
    if repeats:
        text = f"{messages(repeats)} handed to {member} again in one ownership of partition {partition}"
        findings.append(Finding("repeat", partition, repeats, "consumer", text, offsets=twice, at=ownership.start_at))
    reordered = int(behind.sum()) - repeats
    if reordered:
        late = Intervals.of(offset[behind > 0], behind[behind > 0]) - twice
        text = f"{messages(reordered)} handed to {member} after later ones in one ownership of partition {partition}"
        findings.append(
            Finding("reordered", partition, reordered, "consumer", text, offsets=late, at=ownership.start_at)
        )
    return findings


def _between(ownership: Ownership, second: Intervals, holdings: Holdings) -> list[Finding]:
    """What this owner was handed although an earlier one had been."""
    if not len(second):
        return []
    commit = holdings.commit_in_force(ownership.start_at)
    limit = commit.offset if commit is not None and commit.offset is not None else 0
    said = commit.said() if commit is not None else "nothing had been committed"
    findings = []
    for kind, offsets, blame in (
        ("legal_redelivery", second.from_(limit), "commit mode"),
        ("excess_redelivery", second.below(limit), "consumer"),
    ):
        if len(offsets):
            text = (
                f"{messages(offsets.total)} of partition {ownership.partition} handed over again to "
                f"{ownership.member}; when it took over, {said}"
            )
            findings.append(
                Finding(kind, ownership.partition, offsets.total, blame, text, offsets=offsets, at=ownership.start_at)
            )
    return findings


def outsiders(holdings: Holdings) -> list[Finding]:
    """Deliveries by members that did not own the partition."""
    findings, partition = [], holdings.partition
    seen = NOTHING
    for member, rows in holdings.foreign:
        placed = rows[rows["offset"] != NO_OFFSET]
        offsets = Intervals.of(placed["offset"], placed["length"]) - seen
        seen = seen | offsets
        count = offsets.total + int(rows["length"].sum() - placed["length"].sum())
        if count:
            text = f"{messages(count)} of partition {partition} handed to {member}, which did not own it"
            findings.append(Finding("foreign", partition, count, "consumer", text, offsets=offsets))
    return findings


def double_owners(holdings: Holdings) -> list[Finding]:
    """Overlaps of two members' ownerships in time."""
    findings = []
    for number, one in enumerate(holdings.ownerships):
        for other in holdings.ownerships[number + 1 :]:
            overlap_ns = min(one.end_at, other.end_at) - other.start_at
            if other.member == one.member or overlap_ns <= 0:
                continue
            # Neither was told to have ended: then the end of time is no duration.
            how_long = "to the end" if overlap_ns > 1 << 62 else f"for {overlap_ns / 1e6:,.1f} ms"
            text = f"{one.member} and {other.member} both owned partition {holdings.partition} {how_long}"
            findings.append(Finding("double_owner", holdings.partition, 1, "consumer", text, at=other.start_at))
    return findings


def two_values(produced: Produced, consumed: Consumed, *, identified: bool) -> list[Finding]:
    """Offsets handed over as one identity that the log, or another delivery, holds as another one.

    Where every message is `identified`, one that was handed over without its identity counts as another one.
    """
    rows = consumed.deliveries
    if not identified:
        rows = chosen(rows, rows["producer"] != NO_PRODUCER)
    rows = chosen(rows, rows["offset"] != NO_OFFSET)
    log = produced.log
    held = Intervals(log["offset"], log["offset"] + log["length"])
    unheld = consumed.offsets - held
    findings = _contradictions(produced.partition, rows, unheld)
    if not len(rows) or not len(log):
        return findings
    shift = log["seq"] - log["offset"]
    if not len(unheld) and (shift == shift[0]).all() and (log["producer"] == log["producer"][0]).all():
        # The log has one way to count: what is handed over by the same is right, and as a rule that is all.
        right = (rows["producer"] == log["producer"][0]) & (rows["seq"] - rows["offset"] == shift[0])
        if right.all():
            return findings
        rows = rows[~right]
    start, end = rows["offset"], rows["offset"] + rows["length"]
    i, j = overlapping(start, end, held)
    here = (identities(rows) - start)[i]
    there = (identities(log) - log["offset"])[j]
    producer = rows["producer"][i]
    wrong = (log["producer"][j] != producer) | ((producer != NO_PRODUCER) & (here != there))
    if wrong.any():
        first = np.maximum(start[i], held.starts[j])[wrong]
        last = np.minimum(end[i], held.ends[j])[wrong]
        offsets = Intervals.of(first, last - first)
        text = (
            f"{messages(offsets.total)} of partition {produced.partition} handed over as other than the log holds there"
        )
        findings.append(Finding("two_values", produced.partition, offsets.total, "consumer", text, offsets=offsets))
    return findings


def _contradictions(partition: int, rows: Rows, unheld: Intervals) -> list[Finding]:
    """Offsets handed over as two identities, among those of which the log does not say which one is right."""
    if not len(unheld):
        return []
    shift, kind = np.unique(identities(rows) - rows["offset"], return_inverse=True)
    if len(shift) < 2:
        return []
    # Within one shift between identity and offset nothing contradicts: unite it, and see what several shifts share.
    apart = 1 << SEQ_BITS
    united = Intervals.of(kind * apart + rows["offset"], rows["length"])
    offsets = more_than_once(united.starts % apart, united.lengths)[0] & unheld
    if not len(offsets):
        return []
    text = f"{messages(offsets.total)} of partition {partition} handed over as one and as another"
    return [Finding("two_values", partition, offsets.total, "consumer", text, offsets=offsets)]


def out_of_place(produced: Produced, consumed: Consumed) -> int:
    """How many messages were handed over at an offset where the log holds nothing, while it holds them elsewhere.

    A second copy that compaction has taken since would explain it, so it proves nothing; but it is no matter of course.
    """
    if produced.log_end is None:
        return 0
    strange = consumed.offsets - Intervals.of(produced.log["offset"], produced.log["length"])
    strange = strange - Intervals.of(produced.strays["offset"], produced.strays["length"])
    strange = strange.from_(produced.log_end[0])
    if not len(strange):
        return 0
    return (names_of(at_offsets(in_offset_order(consumed.deliveries), strange), produced) & produced.in_log).total


def delivered_strays(consumed: Consumed, produced: Produced) -> list[Finding]:
    """Handed over from a partition that their identity does not name, and that the log does not hold there either."""
    offsets = offset_set(consumed.strays) - offset_set(produced.strays)
    if not len(offsets):
        return []
    text = f"{messages(offsets.total)} handed over from partition {consumed.partition}, sent to another one"
    return [Finding("misrouted", consumed.partition, offsets.total, "consumer", text, offsets=offsets)]
