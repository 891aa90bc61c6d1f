"""Pure: what was handed over more than once, out of order, or as something else than the log holds.

Inside one ownership a position only goes up, so a second delivery is a **repeat** and a first one below the highest
offset seen is **reordered**. Between ownerships the commit in force decides: an offset handed over again from the
commit on is what at-least-once allows (**legal**), below it is **excess**.
"""

import numpy as np

from harness.history import NO_OFFSET, NO_PRODUCER, SEQ_BITS, Rows, identities
from harness.verify.consuming import Consumed
from harness.verify.findings import Finding, messages
from harness.verify.intervals import NOTHING, Intervals, more_than_once, overlapping
from harness.verify.ownership import Ownership, Ownerships
from harness.verify.producing import Produced


def again(consumed: Consumed, known: Ownerships) -> list[Finding]:
    """Repeats and disorder inside each ownership, re-deliveries between them."""
    findings = []
    before = NOTHING
    for ownership in consumed.ownerships:
        rows = ownership.rows
        if not len(rows):
            continue
        findings += _inside(ownership)
        mine = Intervals.of(rows["offset"], rows["length"])
        findings += _between(ownership, mine & before, known)
        before = before | mine
    return findings


def _inside(ownership: Ownership) -> list[Finding]:
    """Repeats and disorder of one ownership."""
    rows, partition, member = ownership.rows, ownership.partition, ownership.member
    ends = rows["offset"] + rows["length"]
    highest = np.concatenate(([0], np.maximum.accumulate(ends)[:-1]))
    behind = np.clip(highest - rows["offset"], 0, rows["length"])
    if not behind.any():
        return []
    findings = []
    twice, repeats = more_than_once(rows["offset"], rows["length"])
    if repeats:
        text = f"{messages(repeats)} handed to {member} again in one ownership of partition {partition}"
        findings.append(Finding("repeat", partition, repeats, "consumer", text, offsets=twice, at=ownership.start_at))
    reordered = int(behind.sum()) - repeats
    if reordered:
        late = Intervals.of(rows["offset"], behind) - twice
        text = f"{messages(reordered)} handed to {member} after later ones in one ownership of partition {partition}"
        findings.append(
            Finding("reordered", partition, reordered, "consumer", text, offsets=late, at=ownership.start_at)
        )
    return findings


def _between(ownership: Ownership, second: Intervals, known: Ownerships) -> list[Finding]:
    """What this owner was handed although an earlier one had been."""
    if not len(second):
        return []
    commit = known.commit_in_force(ownership.partition, ownership.start_at)
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


def outsiders(partition: int, foreign: list[tuple[str, Rows]]) -> list[Finding]:
    """Deliveries by members that did not own the partition."""
    findings = []
    seen = NOTHING
    for member, rows in foreign:
        placed = rows[rows["offset"] != NO_OFFSET]
        offsets = Intervals.of(placed["offset"], placed["length"]) - seen
        seen = seen | offsets
        count = offsets.total + int(rows["length"].sum() - placed["length"].sum())
        if count:
            text = f"{messages(count)} of partition {partition} handed to {member}, which did not own it"
            findings.append(Finding("foreign", partition, count, "consumer", text, offsets=offsets))
    return findings


def double_owners(consumed: Consumed) -> list[Finding]:
    """Overlaps of two members' ownerships in time."""
    findings = []
    for number, one in enumerate(consumed.ownerships):
        for other in consumed.ownerships[number + 1 :]:
            overlap_ns = min(one.end_at, other.end_at) - other.start_at
            if other.member == one.member or overlap_ns <= 0:
                continue
            # Neither was told to have ended: then the end of time is no duration.
            how_long = "to the end" if overlap_ns > 1 << 62 else f"for {overlap_ns / 1e6:,.1f} ms"
            text = f"{one.member} and {other.member} both owned partition {consumed.partition} {how_long}"
            findings.append(Finding("double_owner", consumed.partition, 1, "consumer", text, at=other.start_at))
    return findings


def two_values(produced: Produced, consumed: Consumed, *, identified: bool) -> list[Finding]:
    """Offsets handed over as one identity that the log, or another delivery, holds as another one.

    Where every message is `identified`, one that was handed over without its identity counts as another one.
    """
    rows = consumed.deliveries
    rows = rows[(identified | (rows["producer"] != NO_PRODUCER)) & (rows["offset"] != NO_OFFSET)]
    log = produced.log
    if produced.log_end is None:
        return _contradictions(produced.partition, rows)
    if not len(rows) or not len(log):
        return []
    held = Intervals(log["offset"], log["offset"] + log["length"])
    i, j = overlapping(rows["offset"], rows["offset"] + rows["length"], held)
    here = (identities(rows) - rows["offset"])[i]
    there = (identities(log) - log["offset"])[j]
    named = rows["producer"][i] != NO_PRODUCER
    wrong = (log["producer"][j] != rows["producer"][i]) | (named & (here != there))
    first = np.maximum(rows["offset"][i], held.starts[j])[wrong]
    last = np.minimum((rows["offset"] + rows["length"])[i], held.ends[j])[wrong]
    offsets = Intervals.of(first, last - first)
    if not len(offsets):
        return []
    text = f"{messages(offsets.total)} of partition {produced.partition} handed over as other than the log holds there"
    return [Finding("two_values", produced.partition, offsets.total, "consumer", text, offsets=offsets)]


def _contradictions(partition: int, rows: Rows) -> list[Finding]:
    """Offsets handed over as two identities, where no independent reader can say which one is right."""
    shift, kind = np.unique(identities(rows) - rows["offset"], return_inverse=True)
    if len(shift) < 2:
        return []
    # Within one shift between identity and offset nothing contradicts: unite it, and see what several shifts share.
    apart = 1 << SEQ_BITS
    united = Intervals.of(kind * apart + rows["offset"], rows["length"])
    offsets, _ = more_than_once(united.starts % apart, united.lengths)
    if not len(offsets):
        return []
    text = f"{messages(offsets.total)} of partition {partition} handed over as one and as another"
    return [Finding("two_values", partition, offsets.total, "consumer", text, offsets=offsets)]


def delivered_strays(consumed: Consumed, produced: Produced) -> list[Finding]:
    """Handed over from a partition that their identity does not name, and that the log does not hold there either."""
    offsets = Intervals.of(consumed.strays["offset"], consumed.strays["length"]) - Intervals.of(
        produced.strays["offset"], produced.strays["length"]
    )
    if not len(offsets):
        return []
    text = f"{messages(offsets.total)} handed over from partition {consumed.partition}, sent to another one"
    return [Finding("misrouted", consumed.partition, offsets.total, "consumer", text, offsets=offsets)]
