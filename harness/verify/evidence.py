"""Pure: the evidence behind a verdict, in words: spans of messages, examples with their timelines, who owned what.

Counts are exact elsewhere; here are the first few of each kind, each told from its sending to its loss, with times in
nanoseconds since the run's first event.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.history import NEVER, NO_OFFSET, NO_PRODUCER, History, Rows, identities
from harness.verify.findings import Finding
from harness.verify.intervals import Intervals
from harness.verify.ownership import Ownership, Ownerships
from harness.verify.producing import producer_of, seq_of

EXAMPLES_EACH = 3
SPANS_AT_MOST = 200
OWNERSHIPS_AT_MOST = 2000


@dataclass(frozen=True)
class Witnesses:
    """What timelines are told from."""

    history: History
    known: Ownerships

    def time(self, at: int) -> int | None:
        return None if at in (0, NEVER) else at - self.history.began


def examples(findings: list[Finding], witnesses: Witnesses) -> list[dict[str, Any]]:
    """The first messages of every kind of finding, each with its timeline."""
    told: dict[str, int] = {}
    result = []
    for finding in findings:
        for offset, identity in _first_messages(finding, witnesses):
            if told.get(finding.kind, 0) >= EXAMPLES_EACH:
                break
            told[finding.kind] = told.get(finding.kind, 0) + 1
            result.append(_example(finding, offset, identity, witnesses))
    return result


def _first_messages(finding: Finding, witnesses: Witnesses) -> list[tuple[int | None, int | None]]:
    """Up to a few (offset, identity) of a finding; the log translates where it can."""
    log = _of(witnesses.history.log, finding.partition)
    found: list[tuple[int | None, int | None]] = []
    for start, end in finding.offsets:
        found += [(offset, _identity_at(log, offset)) for offset in range(start, min(end, start + EXAMPLES_EACH))]
        if len(found) >= EXAMPLES_EACH:
            return found[:EXAMPLES_EACH]
    if found:
        return found
    for start, end in finding.identities:
        found += [(_offset_of(log, ident), ident) for ident in range(start, min(end, start + EXAMPLES_EACH))]
        if len(found) >= EXAMPLES_EACH:
            break
    return found[:EXAMPLES_EACH] or [(None, None)]


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
    history, known = witnesses.history, witnesses.known
    lines: list[tuple[int, str]] = []
    if identity is not None:
        name = history.producer_name(producer_of(identity))
        for rows, text in ((history.sends, "sent by {}"), (history.acks, "acked to {}")):
            lines += [(at, text.format(name) + told) for at, told in _answers(rows, finding.partition, identity)]
        for rows, text in ((history.nacks, "refused"), (history.unknowns, "no certain answer")):
            lines += [(at, text) for at, _ in _answers(rows, finding.partition, identity)]
    if offset is not None:
        for ownership in known.of(finding.partition):
            lines += _in_ownership(ownership, offset)
        lines += _commits_over(offset, finding.partition, known)
    lines.sort(key=lambda line: line[0])
    timeline = [{"t_ns": witnesses.time(at), "text": text} for at, text in lines]
    if offset is not None and _identity_at(_of(history.log, finding.partition), offset) is not None:
        timeline.append({"t_ns": None, "text": f"the independent reader found it in the log at offset {offset}"})
    elif finding.partition in history.log_ends:
        start, end = history.log_ends[finding.partition]
        timeline.append(
            {"t_ns": None, "text": f"the independent reader read offsets {start} to {end} and did not find it"}
        )
    timeline.append({"t_ns": None, "text": finding.text})
    return timeline


def _in_ownership(ownership: Ownership, offset: int) -> list[tuple[int, str]]:
    """What one owner had to do with an offset: its start near it, handing it over, its end."""
    member, lines = ownership.member, []
    rows = ownership.rows
    holding = rows[(rows["offset"] <= offset) & (offset < rows["offset"] + rows["length"])]
    for row in holding:
        lines.append((int(row["at"]), f"handed to {member}"))
        if row["done"] == NEVER:
            lines.append((int(row["at"]) + 1, f"never processed by {member}"))
    start = ownership.start
    if start is None:
        if not len(rows):
            lines.append((ownership.start_at, f"{member} owned the partition and was handed nothing"))
    elif start > offset or len(holding):
        lines.append((ownership.start_at, f"{member} took over at offset {start}"))
    elif ownership.reached > offset:
        after = rows[rows["offset"] > offset]
        lines.append((ownership.start_at, f"{member} took over at offset {start}"))
        if len(after):
            lines.append((int(after["at"][0]), f"{member} was handed offset {int(after['offset'][0])} instead"))
    else:
        lines.append((ownership.start_at, f"{member} took over at offset {start}"))
        last = f"its last offset was {ownership.reached - 1}" if len(rows) else "it was handed nothing"
        if ownership.end_at != NEVER:
            lines.append((ownership.end_at, f"{member} ended ({ownership.end}); {last}"))
    return lines


def _commits_over(offset: int, partition: int, known: Ownerships) -> list[tuple[int, str]]:
    """The last commit that did not cover an offset, and the first that did."""
    before, lines = None, []
    for commit in known.commits.get(partition, ()):
        if commit.offset is not None and commit.offset > offset:
            lines.append((commit.at, f"{commit.said()}, which covers it"))
            break
        before = commit
    if before is not None and before.offset is not None:
        lines.insert(0, (before.at, before.said()))
    return lines


def _answers(rows: Rows, partition: int, identity: int) -> list[tuple[int, str]]:
    rows = _of(rows, partition)
    starts = identities(rows)
    holding = np.flatnonzero((starts <= identity) & (identity < starts + rows["length"]))
    answers = []
    for row, start in zip(rows[holding], starts[holding].tolist(), strict=True):
        told = row["offset"] != NO_OFFSET
        answers.append((int(row["at"]), f" at offset {int(row['offset']) + identity - start}" if told else ""))
    return answers


def _of(rows: Rows, partition: int) -> Rows:
    mine: Rows = rows[rows["partition"] == partition]
    return mine


def _identity_at(log: Rows, offset: int) -> int | None:
    row = log[(log["offset"] <= offset) & (offset < log["offset"] + log["length"])]
    if not len(row) or row["producer"][0] == NO_PRODUCER:
        return None
    return int(identities(row)[0]) + offset - int(row["offset"][0])


def _offset_of(log: Rows, identity: int) -> int | None:
    starts = identities(log)
    row = np.flatnonzero((starts <= identity) & (identity < starts + log["length"]))
    return int(log["offset"][row[0]]) + identity - int(starts[row[0]]) if len(row) else None


def spans(findings: list[Finding], witnesses: Witnesses) -> dict[str, Any]:
    """Contiguous ranges of messages with a finding; the first ones, and how many were left out."""
    told: list[dict[str, Any]] = []
    left_out = 0
    for finding in findings:
        ranges = finding.offsets if len(finding.offsets) else finding.identities
        left_out += max(0, len(ranges) - max(0, SPANS_AT_MOST - len(told)))
        head = Intervals(ranges.starts[:SPANS_AT_MOST], ranges.ends[:SPANS_AT_MOST])
        for start, end in head:
            if len(told) < SPANS_AT_MOST:
                told.append(_span(finding, start, end, by_offset=len(finding.offsets) > 0, witnesses=witnesses))
    return {"spans": told, "spans_left_out": left_out}


def _span(finding: Finding, start: int, end: int, *, by_offset: bool, witnesses: Witnesses) -> dict[str, Any]:
    log = _of(witnesses.history.log, finding.partition)
    first = _identity_at(log, start) if by_offset else start
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


def ownership_list(known: Ownerships, began: int) -> list[dict[str, Any]]:
    """Who owned which partition when; times in ns since the run's first event."""
    listed = []
    for partition, ownerships in sorted(known.by_partition.items()):
        for ownership in ownerships:
            rows = ownership.rows
            listed.append(
                {
                    "member": ownership.member,
                    "partition": partition,
                    "start_ns": ownership.start_at - began,
                    "end_ns": None if ownership.end_at == NEVER else ownership.end_at - began,
                    "end": ownership.end,
                    "first_offset": int(rows["offset"].min()) if len(rows) else None,
                    "last_offset": ownership.reached - 1 if len(rows) else None,
                    "deliveries": int(rows["length"].sum()),
                }
            )
    return listed[:OWNERSHIPS_AT_MOST]
