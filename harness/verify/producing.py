"""Pure: what became of a partition's messages up to the log: who was told what, and what the log holds.

Two witnesses: the producer's own history (send, ack, nack, unknown) and the independent reader's log. The consumer is
not asked here, but for one thing: what it was handed was in the log.
"""

from dataclasses import dataclass

import numpy as np

from harness.history import NO_OFFSET, NO_PRODUCER, SEQ_BITS, History, Rows, identities
from harness.verify.findings import Finding, messages
from harness.verify.intervals import NOTHING, Intervals, more_than_once, overlapping


@dataclass
class Produced:
    """One partition's messages as the producers and the log tell of them; all sets are of identities."""

    partition: int
    sent: Intervals
    acked: Intervals
    nacked: Intervals
    unknown: Intervals  # no answer at all included
    silent: Intervals  # sends that never had an answer
    aborted: Intervals
    acks: Rows
    log: Rows  # in offset order, identities of this partition only
    strays: Rows  # log entries whose identity names another partition
    elsewhere: Intervals  # identities of this partition that the log holds in another one
    log_end: tuple[int, int] | None  # None: nobody read this partition independently

    @property
    def in_log(self) -> Intervals:
        return identity_set(self.log)

    @property
    def judged(self) -> Intervals:
        """The messages that get a fate."""
        return (self.acked | (self.unknown & self.in_log)) - self.aborted


def identity_set(rows: Rows) -> Intervals:
    """The identities of rows that carry one."""
    rows = rows[rows["producer"] != NO_PRODUCER]
    return Intervals.of(identities(rows), rows["length"])


def read_produced(history: History, partition: int) -> Produced:
    """Gather one partition's share of the producers' histories and of the log."""
    sent, acks, nacks, unknowns, aborts, log = (
        rows[rows["partition"] == partition]
        for rows in (history.sends, history.acks, history.nacks, history.unknowns, history.aborts, history.log)
    )
    answered = [identity_set(rows) for rows in (acks, nacks, unknowns)]
    intents = identity_set(sent)
    silent = intents - answered[0] - answered[1] - answered[2]
    log = log[np.argsort(log["offset"], kind="stable")]
    at_home = log["asked"] == partition
    return Produced(
        partition=partition,
        sent=intents | answered[0] | answered[1] | answered[2],
        acked=answered[0],
        nacked=answered[1],
        unknown=(answered[2] - answered[0] - answered[1]) | silent,
        silent=silent,
        aborted=identity_set(aborts) | identity_set(log[log["aborted"]]),
        acks=acks,
        log=log[at_home],
        strays=log[~at_home],
        elsewhere=identity_set(
            history.log[(history.log["asked"] == partition) & (history.log["partition"] != partition)]
        ),
        log_end=history.log_ends.get(partition),
    )


def not_in_the_log(produced: Produced, delivered: Intervals) -> list[Finding]:
    """Acked, never handed over, and absent from a log that was read whole: publish loss, or gone by retention.

    What was handed over had been in the log. What lies below the log's start was deleted, which is not loss.
    """
    if produced.log_end is None:
        return []
    missing = produced.acked - produced.aborted - produced.in_log - delivered
    misrouted = missing & produced.elsewhere
    missing = missing - misrouted
    findings, counted = [], NOTHING
    if len(misrouted):
        count = misrouted.total
        text = (
            f"{messages(count)} of partition {produced.partition} acked and not in the log "
            "(it went to another partition than asked)"
        )
        findings.append(Finding("publish_loss", produced.partition, count, "producer", text, identities=misrouted))
    if not len(missing):
        return findings
    start, end = produced.log_end
    rows = produced.acks
    i, j = overlapping(identities(rows), identities(rows) + rows["length"], missing)
    first = np.maximum(identities(rows)[i], missing.starts[j])
    last = np.minimum(identities(rows)[i] + rows["length"][i], missing.ends[j])
    told = np.where(rows["offset"][i] == NO_OFFSET, NO_OFFSET, rows["offset"][i] + first - identities(rows)[i])
    twice, _ = more_than_once(first, last - first)
    for ident, stop, offset, at in zip(
        first.tolist(), last.tolist(), told.tolist(), rows["at"][i].tolist(), strict=True
    ):
        pieces = [(ident, stop)]
        if len(twice):  # an ack may be told twice; its message is lost once
            pieces = list(Intervals.span(ident, stop) - counted)
            counted = counted | Intervals.span(ident, stop)
        for begin, until in pieces:
            there = offset if offset == NO_OFFSET else offset + begin - ident
            findings += _absent(produced, begin, until, there, at, (start, end))
    return findings


def _absent(produced: Produced, first: int, last: int, told: int, at: int, bounds: tuple[int, int]) -> list[Finding]:
    """One stretch of acked messages that the log does not hold: split at the log's start, and blamed."""
    start, end = bounds
    known = told != NO_OFFSET
    gone = last - first if not known and start > 0 else min(max(start - told, 0), last - first) if known else 0
    findings = []
    if gone:
        text = f"{messages(gone)} of partition {produced.partition} deleted: the log starts at {start}"
        findings.append(_finding("gone", produced, first, first + gone, "void", text))
    if first + gone == last:
        return findings
    count = last - first - gone
    if not known:
        blame, why = "producer", "acked without an offset: no answer of the broker stands behind it"
    elif _offset_was_taken(produced, told + gone, at):
        blame, why = "producer", f"acked at offset {told + gone}, which another message had been acked at before"
    else:
        there = "the log ends before it" if told + gone >= end else "the log has something else or nothing there"
        blame, why = "broker", f"acked at offset {told + gone}; {there}"
    text = f"{messages(count)} of partition {produced.partition} acked and not in the log ({why})"
    return [*findings, _finding("publish_loss", produced, first + gone, last, blame, text)]


def _offset_was_taken(produced: Produced, offset: int, at: int) -> bool:
    """Whether the message that the log holds at `offset` had been acked there before `at`.

    A broker that lost a message may give its offset away later, never earlier: an ack that comes after the rightful
    one was made up by the client.
    """
    log, acks = produced.log, produced.acks
    held = log[(log["offset"] <= offset) & (offset < log["offset"] + log["length"])]
    if not len(held):
        return False
    owner = int(identities(held)[0]) + offset - int(held["offset"][0])
    idents = identities(acks)
    same = (acks["offset"] + owner - idents == offset) & (idents <= owner) & (owner < idents + acks["length"])
    return bool((acks["at"][same] < at).any())


def log_findings(produced: Produced) -> list[Finding]:
    """What the log shows by itself: duplicates, strangers, strays, and sends without an answer."""
    findings = []
    log = produced.log[produced.log["producer"] != NO_PRODUCER]
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
    if produced.silent.total:
        count = produced.silent.total
        text = f"{messages(count)} of partition {produced.partition} sent and never answered"
        findings.append(Finding("silent_send", produced.partition, count, "producer", text, identities=produced.silent))
    return findings


def strangers(produced: Produced, delivered: Intervals, nowhere: Intervals, unnamed: int) -> list[Finding]:
    """Messages in the log or handed over that nobody sent, or of which the client said that they were not written.

    `nowhere`: offsets handed over without identity at which the log holds nothing; `unnamed`: how many had no offset
    either.
    """
    findings = []
    never = ((produced.in_log | delivered) - produced.sent) | (produced.nacked & (produced.in_log | delivered))
    refused = never & produced.nacked
    for idents, who, why in (
        (refused & produced.in_log, "producer", "told as not written, found in the log"),
        (never - produced.in_log, "consumer", "handed over, never sent and not in the log"),
        ((never - refused) & produced.in_log, "producer", "in the log, never sent"),
    ):
        if idents.total:
            text = f"{messages(idents.total)} of partition {produced.partition} {why}"
            findings.append(Finding("phantom", produced.partition, idents.total, who, text, identities=idents))
    nameless = produced.log[produced.log["producer"] == NO_PRODUCER]
    if len(nameless):
        offsets = Intervals.of(nameless["offset"], nameless["length"])
        text = f"{messages(offsets.total)} in the log of partition {produced.partition} that are not of this run"
        findings.append(Finding("phantom", produced.partition, offsets.total, "producer", text, offsets=offsets))
    if unnamed:
        text = f"{messages(unnamed)} handed over that are not of this run"
        findings.append(Finding("phantom", produced.partition, unnamed, "consumer", text))
    if nowhere.total:
        text = f"{messages(nowhere.total)} handed over from partition {produced.partition} that the log does not hold"
        findings.append(Finding("phantom", produced.partition, nowhere.total, "consumer", text, offsets=nowhere))
    return findings


def _finding(kind: str, produced: Produced, first: int, last: int, blame: str, text: str) -> Finding:
    return Finding(
        kind, produced.partition, last - first, blame, text, identities=Intervals.span(first, last), offsets=NOTHING
    )


def producer_of(identity: int) -> int:
    return identity >> SEQ_BITS


def seq_of(identity: int) -> int:
    return identity & ((1 << SEQ_BITS) - 1)
