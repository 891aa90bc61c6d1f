"""Pure: what commits promise: an acked one is found later, and none runs ahead of the work.

**Commit lost**: the client was told that a commit stands, and the next look at the group from outside finds nothing, or
an offset before it, with no other attempt to commit in between.

**Committed at risk**: messages that a commit covered while the application had not finished with them, and that
survived because nobody died at that moment. What did get lost that way has the fate committed ahead instead.
"""

from itertools import pairwise

from harness.history import History
from harness.verify.consuming import Consumed
from harness.verify.findings import Finding, messages
from harness.verify.intervals import NOTHING, Intervals
from harness.verify.ownership import Ownerships
from harness.verify.placing import first_copies, offsets_of
from harness.verify.producing import Produced


def lost_commits(partition: int, known: Ownerships) -> list[Finding]:
    """Acked commits of one partition that the group does not hold when it is looked at next."""
    findings = []
    tried = [event.at for event in known.failed_commits.get(partition, ())]
    for told, seen in pairwise(known.commits.get(partition, ())):
        if told.member is None or seen.member is not None or told.offset is None:
            continue
        if any(told.at < at <= seen.at for at in tried):
            continue
        if seen.offset is None or seen.offset < told.offset:
            text = f"commit {told.offset} of {told.member} for partition {partition} was acked; later {seen.said()}"
            findings.append(Finding("commit_lost", partition, 1, "broker", text, at=told.at))
    return findings


def at_risk(
    produced: Produced, consumed: Consumed, known: Ownerships, lost: list[Finding], history: History
) -> list[Finding]:
    """Messages of one partition that some commit covered while they were unfinished, without being lost by it.

    Needs to know when the application finished with each message, so it is measured only where the history says so.
    """
    if not history.explicit_processing:
        return []
    judged = offsets_of(produced.judged & produced.in_log, first_copies(produced.log))
    risky = NOTHING
    rows = consumed.deliveries
    for commit in known.commits.get(produced.partition, ()):
        if commit.member is None or commit.offset is None:
            continue
        done = rows[rows["done"] <= commit.at]
        risky = risky | (judged.below(commit.offset) - Intervals.of(done["offset"], done["length"]))
    for finding in lost:
        risky = risky - finding.offsets
    if not len(risky):
        return []
    text = f"{messages(risky.total)} of partition {produced.partition} covered by a commit while unprocessed"
    return [Finding("committed_at_risk", produced.partition, risky.total, "commit mode", text, offsets=risky)]
