"""Pure: the evidence behind a verdict, in words: spans of messages, examples with their timelines, who owned what.

Counts are exact elsewhere; here are the first few of each kind, each told from its sending to its loss, with times in
nanoseconds since the run's first event.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.columns import NEVER, NO_OFFSET, NO_PRODUCER, Rows, chosen, identities
from harness.history import History, PartitionRows
from harness.verify.findings import Finding
from harness.verify.intervals import Intervals
from harness.verify.ownership import Holdings, Ownership
from harness.verify.producing import producer_of, seq_of

EXAMPLES_EACH = 3
SPANS_AT_MOST = 200
OWNERSHIPS_AT_MOST = 2000


@dataclass(frozen=True)
class Witnesses:
    """What is told of one partition."""

    history: History
    rows: PartitionRows
    holdings: Holdings

    def time(self, at: int) -> int | None:
        return None if at in (0, NEVER) else at - self.history.began


@dataclass
class Evidence:
    """What is told of findings, gathered one partition after the other."""

    examples: list[dict[str, Any]] = field(default_factory=list)
    spans: list[dict[str, Any]] = field(default_factory=list)
    spans_left_out: int = 0
    ownerships: list[dict[str, Any]] = field(default_factory=list)
    _told: Counter[str] = field(default_factory=Counter)

    def add(self, findings: list[Finding], witnesses: Witnesses) -> None:
        """The first messages of every kind of finding with their timelines, and the first contiguous ranges."""
        for finding in findings:
            wanted = EXAMPLES_EACH - self._told[finding.kind]
            for offset, identity in _first_messages(finding, witnesses)[:wanted] if wanted else ():
                self._told[finding.kind] += 1
                self.examples.append(_example(finding, offset, identity, witnesses))
            ranges = finding.offsets if len(finding.offsets) else finding.identities
            room = SPANS_AT_MOST - len(self.spans)
            self.spans_left_out += max(0, len(ranges) - room)
            for start, end in Intervals(ranges.starts[:room], ranges.ends[:room]):
                by_offset = len(finding.offsets) > 0
                self.spans.append(_span(finding, start, end, by_offset=by_offset, witnesses=witnesses))

    def add_ownerships(self, holdings: Holdings, began: int) -> None:
        """Who owned a partition when; times in ns since the run's first event."""
        room = OWNERSHIPS_AT_MOST - len(self.ownerships)
        self.ownerships += [_told_ownership(ownership, began) for ownership in holdings.ownerships[:room]]


def _told_ownership(ownership: Ownership, began: int) -> dict[str, Any]:
    rows = ownership.rows
    return {
        "member": ownership.member,
        "partition": ownership.partition,
        "start_ns": ownership.start_at - began,
        "end_ns": None if ownership.end_at == NEVER else ownership.end_at - began,
        "end": ownership.end,
        "first_offset": int(ownership.offsets.starts[0]) if len(rows) else None,
        "last_offset": ownership.reached - 1 if len(rows) else None,
        "deliveries": int(rows["length"].sum()),
    }


def _first_messages(finding: Finding, witnesses: Witnesses) -> list[tuple[int | None, int | None]]:
    """(offset, identity) of the first message of each of a finding's first ranges; the log translates where it can."""
    log = witnesses.rows.log
    offsets = finding.offsets.starts[:EXAMPLES_EACH].tolist()
    if offsets:
        return [(offset, _identity_at(log, offset)) for offset in offsets]
    names = finding.identities.starts[:EXAMPLES_EACH].tolist()
    return [(_offset_of(log, name), name) for name in names] or [(None, None)]


def _example(finding: Finding, offset: int | None, identity: int | None, witnesses: Witnesses) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "detail": finding.detail,
        "partition": finding.partition,
        "offset": offset,
        "producer": witnesses.history.producer_name(producer_of(identity)) if identity is not None else None,
        "seq": seq_of(identity) if identity is not None else None,
        "blame": finding.blame,
        "text": finding.text,
        "timeline": _timeline(finding, offset, identity, witnesses),
    }


def _timeline(finding: Finding, offset: int | None, identity: int | None, witnesses: Witnesses) -> list[dict[str, Any]]:
    """What is known of one message, in order of time; what has no time of its own comes last."""
    history, told = witnesses.history, witnesses.rows
    lines: list[tuple[int, str]] = []
    if identity is not None:
        name = history.producer_name(producer_of(identity))
        for rows, text in ((told.sends, "sent by {}"), (told.acks, "acked to {}")):
            lines += [(at, text.format(name) + where) for at, where in _answers(rows, identity)]
        for rows, text in ((told.nacks, "refused"), (told.unknowns, "no certain answer")):
            lines += [(at, text) for at, _ in _answers(rows, identity)]
    if offset is not None:
        lines += _in_ownerships(witnesses.holdings.ownerships, offset, finding.at)
        for member, rows, _ in witnesses.holdings.given_back:
            lines += [(int(row["at"]), f"handed to {member}, before it was sought again") for row in _at(rows, offset)]
        lines += _commits_over(offset, witnesses.holdings)
    lines.sort(key=lambda line: line[0])
    timeline = [{"t_ns": witnesses.time(at), "text": text} for at, text in lines]
    if offset is not None and _identity_at(told.log, offset) is not None:
        timeline.append({"t_ns": None, "text": f"the independent reader found it in the log at offset {offset}"})
    elif finding.partition in history.log_ends:
        start, end = history.log_ends[finding.partition]
        timeline.append(
            {"t_ns": None, "text": f"the independent reader read offsets {start} to {end} and did not find it"}
        )
    timeline.append({"t_ns": None, "text": finding.text})
    return timeline


def _in_ownerships(ownerships: list[Ownership], offset: int, settled_at: int | None) -> list[tuple[int, str]]:
    """What every owner had to do with an offset; those who began behind it when its fate was settled, as one line."""
    lines, behind = [], []
    for ownership in ownerships:
        late = settled_at is not None and ownership.start_at > settled_at
        if late and not (ownership.offsets & Intervals.span(offset, offset + 1)):
            behind.append(ownership)
        else:
            lines += _in_ownership(ownership, offset)
    if behind:
        count, last = len(behind), behind[-1].member
        told = f"{count} later owners" if count > 1 else last
        lines.append((behind[0].start_at, f"{told} began, and {'were' if count > 1 else 'was'} not handed it"))
    return lines


def _in_ownership(ownership: Ownership, offset: int) -> list[tuple[int, str]]:
    """What one owner had to do with an offset: its start near it, handing it over, its end."""
    member, lines = ownership.member, []
    rows = ownership.rows
    holding = _at(rows, offset)
    for row in holding:
        lines.append((int(row["at"]), f"handed to {member}"))
        if row["done"] == NEVER:
            lines.append((int(row["at"]) + 1, f"never processed by {member}"))
    start = ownership.start
    began = "sought" if ownership.sought else "took over at"
    if start is None:
        if not len(rows):
            lines.append((ownership.start_at, f"{member} owned the partition and was handed nothing"))
    elif start > offset or len(holding):
        lines.append((ownership.start_at, f"{member} {began} offset {start}"))
    elif ownership.reached > offset:
        after = rows[rows["offset"] > offset]
        lines.append((ownership.start_at, f"{member} {began} offset {start}"))
        if len(after):
            lines.append((int(after["at"][0]), f"{member} was handed offset {int(after['offset'][0])} instead"))
    else:
        lines.append((ownership.start_at, f"{member} {began} offset {start}"))
        last = f"its last offset was {ownership.reached - 1}" if len(rows) else "it was handed nothing"
        if ownership.end_at != NEVER:
            lines.append((ownership.end_at, f"{member} ended ({ownership.end}); {last}"))
    return lines


def _at(rows: Rows, offset: int) -> Rows:
    """The rows that hold an offset."""
    return chosen(rows, (rows["offset"] <= offset) & (offset < rows["offset"] + rows["length"]))


def _commits_over(offset: int, holdings: Holdings) -> list[tuple[int, str]]:
    """The last commit that did not cover an offset, and the first that did."""
    before, lines = None, []
    for commit in holdings.commits:
        if commit.offset is not None and commit.offset > offset:
            lines.append((commit.at, f"{commit.said()}, which covers it"))
            break
        before = commit
    if before is not None and before.offset is not None:
        lines.insert(0, (before.at, before.said()))
    return lines


def _answers(rows: Rows, identity: int) -> list[tuple[int, str]]:
    starts = identities(rows)
    holding = np.flatnonzero((starts <= identity) & (identity < starts + rows["length"]))
    answers = []
    for row, start in zip(rows[holding], starts[holding].tolist(), strict=True):
        told = row["offset"] != NO_OFFSET
        answers.append((int(row["at"]), f" at offset {int(row['offset']) + identity - start}" if told else ""))
    return answers


def _identity_at(log: Rows, offset: int) -> int | None:
    row = _at(log, offset)
    if not len(row) or row["producer"][0] == NO_PRODUCER:
        return None
    return int(identities(row)[0]) + offset - int(row["offset"][0])


def _offset_of(log: Rows, identity: int) -> int | None:
    starts = identities(log)
    row = np.flatnonzero((starts <= identity) & (identity < starts + log["length"]))
    return int(log["offset"][row[0]]) + identity - int(starts[row[0]]) if len(row) else None


def _span(finding: Finding, start: int, end: int, *, by_offset: bool, witnesses: Witnesses) -> dict[str, Any]:
    first = _identity_at(witnesses.rows.log, start) if by_offset else start
    return {
        "kind": finding.kind,
        "detail": finding.detail,
        "partition": finding.partition,
        "first_offset": start if by_offset else None,
        "last_offset": end - 1 if by_offset else None,
        "producer": witnesses.history.producer_name(producer_of(first)) if first is not None else None,
        "first_seq": seq_of(first) if first is not None else None,
        "last_seq": seq_of(first) + end - start - 1 if first is not None and not by_offset else None,
        "count": end - start,
        "blame": finding.blame,
        "text": finding.text,
    }
