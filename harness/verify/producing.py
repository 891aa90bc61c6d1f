"""Pure: what became of a partition's messages up to the log: who was told what, and what the log holds.

Two witnesses: the producer's own history (send, ack, nack, unknown) and the independent reader's log. The consumer is
not asked here, but for one thing: what it was handed was in the log.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.columns import ABORTED, NO_OFFSET, NO_PRODUCER, SEQ_BITS, Rows, chosen, identities, joined
from harness.history import History, PartitionRows
from harness.verify.findings import Finding, messages
from harness.verify.intervals import EVERYTHING, NOTHING, Column, Intervals, more_than_once, overlapping
from harness.verify.placing import at_offsets, first_copies, identity_set, in_offset_order, offset_set, placed

if TYPE_CHECKING:
    from harness.verify.deletions import Deletion


@dataclass
class Produced:
    """One partition's messages as the producers and the log tell of them; all sets are of identities."""

    partition: int
    sent: Intervals
    acked: Intervals
    nacked: Intervals  # and not acked by another try
    unknown: Intervals  # no answer at all included
    silent: Intervals  # sends that never had an answer
    aborted: Intervals
    sends: Rows
    acks: Rows
    log: Rows  # in offset order, identities of this partition only
    strays: Rows  # log entries whose identity names another partition
    elsewhere: Intervals  # identities of this partition that the log holds in another one
    log_end: tuple[int, int] | None  # None: nobody read this partition independently
    committed_to: int | None  # below it, what the log does not mark as aborted is visible; None: nobody read for that
    deletions: tuple["Deletion", ...] = ()  # while it was read, after the independent reader had read it

    @cached_property
    def in_log(self) -> Intervals:
        return identity_set(self.log)

    @cached_property
    def judged(self) -> Intervals:
        """The messages that get a fate."""
        return (self.acked | (self.unknown & self.in_log)) - self.aborted

    @cached_property
    def copies(self) -> Rows:
        """The log with each identity at one offset, its first."""
        return first_copies(self.log)

    @cached_property
    def register(self) -> Rows:
        """What stands at which offset: as the log says, and, where it says nothing, as was told with an ack.

        Where two acks name one offset, one of them is wrong, and nothing tells which: neither counts.
        """
        acks = chosen(self.acks, self.acks["offset"] != NO_OFFSET)
        twice, _ = more_than_once(acks["offset"], acks["length"])
        return joined([self.log, at_offsets(acks, EVERYTHING - offset_set(self.log) - twice)])

    @cached_property
    def _singles(self) -> Rows:
        """What the log holds once."""
        return first_copies(self.log, only_single=True)

    def placed(self, deliveries: Rows) -> Rows:
        """Deliveries that were recorded by identity alone, with the offsets at which the log holds them.

        Those that it holds twice get none: which copy was handed over cannot be told, so neither can a repeat.
        """
        if self.log_end is None or not (deliveries["offset"] == NO_OFFSET).any():
            return deliveries
        return placed(deliveries, self._singles)

    def astray(self, deliveries: Rows) -> NDArray[np.bool_]:
        """Deliveries whose identity names another partition, and which the log does not hold in this one either."""
        away: NDArray[np.bool_] = deliveries["asked"] != self.partition
        if not away.any():
            return away
        away &= deliveries["producer"] != NO_PRODUCER
        if len(self.strays):
            mine = offset_set(self.strays)
            held = overlapping(deliveries["offset"], deliveries["offset"] + deliveries["length"], mine)[0]
            away[held] = False
        return away


def read_produced(
    partition: int,
    rows: PartitionRows,
    *,
    aborted: NDArray[np.bool_],
    elsewhere: Intervals,
    log_end: tuple[int, int] | None,
    committed_to: int | None,
    deletions: tuple["Deletion", ...] = (),
) -> Produced:
    """Gather one partition's share of the producers' histories and of the log.

    aborted: by number of transaction; elsewhere: identities of this partition that the log holds in another one.
    """
    acked, nacked, unknown = (identity_set(answers) for answers in (rows.acks, rows.nacks, rows.unknowns))
    intents = identity_set(rows.sends)
    silent = intents - acked - nacked - unknown
    log = in_offset_order(rows.log)
    at_home = log["asked"] == partition
    strays, log = chosen(log, ~at_home), chosen(log, at_home)
    return Produced(
        partition=partition,
        sent=intents | acked | nacked | unknown,
        acked=acked,
        nacked=nacked - acked,
        unknown=(unknown - acked - nacked) | silent,
        silent=silent,
        aborted=_aborted(rows.sends, log, aborted),
        sends=rows.sends,
        acks=rows.acks,
        log=log,
        strays=strays,
        elsewhere=elsewhere,
        log_end=log_end,
        committed_to=committed_to,
        deletions=deletions,
    )


def produced_alone(history: History, partition: int, aborted: NDArray[np.bool_]) -> Produced:
    """One partition by itself: what others hold of it, and how far it was read as committed, are left aside."""
    return read_produced(
        partition,
        history.rows_of(partition),
        aborted=aborted,
        elsewhere=NOTHING,
        log_end=history.log_ends.get(partition),
        committed_to=None,
    )


def _aborted(sends: Rows, log: Rows, aborted: NDArray[np.bool_]) -> Intervals:
    """What was written in aborted transactions, as their producer or the log says, and not again outside of one."""
    gone = NOTHING
    if aborted.any():
        of_aborted = aborted[sends["txn"]]
        gone = identity_set(sends[of_aborted]) - identity_set(sends[~of_aborted])
    marked = log["txn"] == ABORTED
    if marked.any():
        gone = gone | (identity_set(log[marked]) - identity_set(log[~marked]))
    return gone


def produced_after(produced: Produced, at: int) -> Intervals:
    """What was sent or acked after a moment."""
    return identity_set(produced.sends[produced.sends["until"] > at]) | identity_set(
        produced.acks[produced.acks["until"] > at]
    )


def deleted(produced: Produced, absent: Intervals, start: int) -> Intervals:
    """What the log does not hold and may have held below its start: all that was not acked at or behind it."""
    if start == 0 or not len(absent):
        return NOTHING
    first, length, told, _ = _acked_stretches(produced.acks, absent)
    behind = np.where(told == NO_OFFSET, length, np.clip(start - told, 0, length))
    return absent - Intervals.of((first + behind)[length > behind], (length - behind)[length > behind])


def not_in_the_log(produced: Produced, delivered: Intervals) -> list[Finding]:
    """Acked, never handed over, and absent from a log that was read whole: publish loss, or gone by retention.

    What was handed over had been in the log. What lies below the log's start was deleted, which is not loss.
    """
    if produced.log_end is None:
        return []
    missing = produced.acked - produced.aborted - produced.in_log - delivered
    if not len(missing):
        return []
    misrouted = missing & produced.elsewhere
    missing = missing - misrouted
    findings = []
    if len(misrouted):
        why = "it went to another partition than asked"
        findings.append(_publish_loss(produced, misrouted, "producer", why))
    return findings + (_absent(produced, missing, produced.log_end) if len(missing) else [])


def _absent(produced: Produced, missing: Intervals, bounds: tuple[int, int]) -> list[Finding]:
    """What the log does not hold, by why: split at the log's start, and blamed."""
    start, end = bounds
    first, length, told, at = _acked_stretches(produced.acks, missing)
    known = told != NO_OFFSET
    deleted = np.where(known, np.clip(start - told, 0, length), length if start > 0 else 0)
    findings = []
    gone = Intervals.of(first[deleted > 0], deleted[deleted > 0])
    if len(gone):
        text = f"{messages(gone.total)} of partition {produced.partition} deleted: the log starts at {start}"
        findings.append(Finding("gone", produced.partition, gone.total, "void", text, identities=gone))
    first, length, told = first + deleted, length - deleted, np.where(known, told + deleted, told)
    first, length, told, at = _cut_where_blame_may_change(first, length, told, at, produced, end)
    known, behind = told != NO_OFFSET, told >= end
    taken = _offsets_were_taken(produced, told, at)
    for which, blame, why in (
        (~known, "producer", "acked without an offset: no answer of the broker stands behind it"),
        (known & taken, "producer", "acked at offset {}, which another message had been acked at before"),
        (known & ~taken & behind, "broker", "acked at offset {}; the log ends before it"),
        (known & ~taken & ~behind, "broker", "acked at offset {}; the log has something else or nothing there"),
    ):
        if which.any():
            lost = Intervals.of(first[which], length[which])
            findings.append(_publish_loss(produced, lost, blame, why.format(int(told[which].min()))))
    return findings


def _publish_loss(produced: Produced, lost: Intervals, blame: str, why: str) -> Finding:
    text = f"{messages(lost.total)} of partition {produced.partition} acked and not in the log ({why})"
    return Finding("publish_loss", produced.partition, lost.total, blame, text, identities=lost)


def _acked_stretches(acks: Rows, missing: Intervals) -> tuple[Column, Column, Column, Column]:
    """The acks of missing messages: first identity, length, offset told for the first, time. Each message once."""
    idents = identities(acks)
    i, j = overlapping(idents, idents + acks["length"], missing)
    first = np.maximum(idents[i], missing.starts[j])
    last = np.minimum(idents[i] + acks["length"][i], missing.ends[j])
    offset, at = acks["offset"][i], acks["at"][i]
    told = np.where(offset == NO_OFFSET, NO_OFFSET, offset + first - idents[i])
    twice, _ = more_than_once(first, last - first)
    if not len(twice):
        return first, last - first, told, at
    # An ack may be told twice; its message is lost once, by what the first one said.
    seen = NOTHING
    once: list[tuple[int, int, int, int]] = []
    for begin, end, offset, time in zip(first.tolist(), last.tolist(), told.tolist(), at.tolist(), strict=True):
        for a, b in Intervals.span(begin, end) - seen:
            once.append((a, b - a, offset if offset == NO_OFFSET else offset + a - begin, time))
        seen = seen | Intervals.span(begin, end)
    columns = np.array(once, np.int64).reshape(-1, 4)
    return columns[:, 0], columns[:, 1], columns[:, 2], columns[:, 3]


def _cut_where_blame_may_change(
    first: Column, length: Column, told: Column, at: Column, produced: Produced, end: int
) -> tuple[Column, Column, Column, Column]:
    """The stretches in pieces, so that what the log holds at a piece's offsets, and whose ack told them, is one answer.

    Empty stretches are left out.
    """
    acks = produced.acks[produced.acks["offset"] != NO_OFFSET]
    edges = [rows["offset"] + more for rows in (produced.log, acks) for more in (0, rows["length"])]
    points = np.unique(np.concatenate([*edges, [end]]))
    known = told != NO_OFFSET
    begin = np.searchsorted(points, told, side="right")
    pieces = np.where(known, np.searchsorted(points, told + length, side="left") - begin, 0) + 1
    pieces[length == 0] = 0
    number = np.repeat(np.arange(len(first)), pieces)
    within = np.arange(len(number)) - np.repeat(np.cumsum(pieces) - pieces, pieces)
    points = np.append(points, 0)  # for what needs no cut behind the last point
    low = np.where(within == 0, 0, points[begin[number] + within - 1] - told[number])
    high = np.where(within == pieces[number] - 1, length[number], points[begin[number] + within] - told[number])
    return first[number] + low, high - low, np.where(known[number], told[number] + low, NO_OFFSET), at[number]


def _offsets_were_taken(produced: Produced, offsets: Column, at: Column) -> NDArray[np.bool_]:
    """Whether the message that the log holds at each offset had been acked there before that time.

    A broker that lost a message may give its offset away later, never earlier: an ack that comes after the rightful
    one was made up by the client.
    """
    log, acks = produced.log, produced.acks
    taken = np.zeros(len(offsets), bool)
    place = np.searchsorted(log["offset"], offsets, side="right") - 1
    held = (place >= 0) & (offsets != NO_OFFSET)
    held[held] = offsets[held] < (log["offset"] + log["length"])[place[held]]
    if not held.any():
        return taken
    where = np.flatnonzero(held)
    owners = (identities(log) - log["offset"])[place[where]] + offsets[where]
    idents = identities(acks)
    if (np.diff(idents) >= acks["length"][:-1]).all():
        ack = np.searchsorted(idents, owners, side="right") - 1
        same = (ack >= 0) & (acks["offset"][ack] + owners - idents[ack] == offsets[where])
        taken[where] = same & (owners < idents[ack] + acks["length"][ack]) & (acks["at"][ack] < at[where])
        return taken
    for number, owner in zip(where.tolist(), owners.tolist(), strict=True):
        # Out of order, or told twice: any ack that covers the message may be its own.
        same = (acks["offset"] + owner - idents == offsets[number]) & (idents <= owner)
        taken[number] = (same & (owner < idents + acks["length"]) & (acks["at"] < at[number])).any()
    return taken


def log_findings(produced: Produced) -> list[Finding]:
    """What the log shows by itself: duplicates, strays, and sends without an answer."""
    findings = []
    # A copy of an aborted transaction is none: it was written to be taken back.
    log = chosen(produced.log, (produced.log["producer"] != NO_PRODUCER) & (produced.log["txn"] != ABORTED))
    twice, extra = more_than_once(identities(log), log["length"])
    if extra:
        text = f"{messages(extra)} of partition {produced.partition} written to the log again"
        findings.append(Finding("log_duplicate", produced.partition, extra, "producer", text, identities=twice))
    strays = produced.strays
    if len(strays):
        count = int(strays["length"].sum())
        text = f"{messages(count)} found in partition {produced.partition}, sent to another one"
        offsets = Intervals.of(strays["offset"], strays["length"])
        findings.append(Finding("misrouted", produced.partition, count, "producer", text, offsets=offsets))
    if len(produced.silent):
        count = produced.silent.total
        text = f"{messages(count)} of partition {produced.partition} sent and never answered"
        findings.append(Finding("silent_send", produced.partition, count, "producer", text, identities=produced.silent))
    return findings


def strangers(produced: Produced, delivered: Intervals, nowhere: Intervals, unnamed: int) -> list[Finding]:
    """Messages in the log or handed over that nobody sent, or of which the client said that they were not written.

    nowhere: offsets handed over without identity at which the log holds nothing; unnamed: how many had no offset
    either.
    """
    partition, findings = produced.partition, []
    seen = produced.in_log | delivered
    refused = produced.nacked & seen
    never = seen - produced.sent
    for idents, who, why in (
        (refused & produced.in_log, "producer", "told as not written, found in the log"),
        (refused - produced.in_log, "consumer", "told as not written, handed over and not in the log"),
        (never - produced.in_log, "consumer", "handed over, never sent and not in the log"),
        (never & produced.in_log, "producer", "in the log, never sent"),
    ):
        if len(idents):
            text = f"{messages(idents.total)} of partition {partition} {why}"
            findings.append(Finding("phantom", partition, idents.total, who, text, identities=idents))
    nameless = produced.log[produced.log["producer"] == NO_PRODUCER]
    if len(nameless):
        offsets = Intervals.of(nameless["offset"], nameless["length"])
        text = f"{messages(offsets.total)} in the log of partition {partition} that are not of this run"
        findings.append(Finding("phantom", partition, offsets.total, "producer", text, offsets=offsets))
    if unnamed:
        text = f"{messages(unnamed)} handed over that are not of this run"
        findings.append(Finding("phantom", partition, unnamed, "consumer", text))
    if len(nowhere):
        text = f"{messages(nowhere.total)} handed over from partition {partition} that the log does not hold"
        findings.append(Finding("phantom", partition, nowhere.total, "consumer", text, offsets=nowhere))
    return findings


def producer_of(identity: int) -> int:
    return identity >> SEQ_BITS


def seq_of(identity: int) -> int:
    return identity & ((1 << SEQ_BITS) - 1)
