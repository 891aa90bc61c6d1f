"""Pure: what commits promise: an acked one is found later, and none runs ahead of the work.

**Commit lost**: the client was told that a commit stands, and a look at the group from outside finds nothing, or an
offset before it, with no other attempt to commit in between.

**Committed at risk**: messages that a commit covered while the application had not finished with them, and that
survived because nobody died at that moment. What did get lost that way has the fate committed ahead instead.
"""

from harness.columns import chosen, joined
from harness.history import History
from harness.verify.consuming import RESET_POLICY, SOUGHT, Consumed, handed_over, names_of
from harness.verify.deletions import ASKED
from harness.verify.findings import LOSSES, Finding, messages
from harness.verify.intervals import EVERYTHING, NOTHING, Intervals
from harness.verify.ownership import Commit, Holdings
from harness.verify.placing import at_offsets, first_copies, identity_set, in_offset_order, offsets_of, within
from harness.verify.producing import Produced


def lost_commits(holdings: Holdings) -> list[Finding]:
    """Acked commits of one partition that the group does not hold when it is looked at afterwards.

    Of several commits only the last one before a look counts: it replaced the others. A failed attempt may have been
    taken all the same, so an offset that one named since proves nothing.
    """
    findings = []
    failed = [(event.at, event.data["offset"]) for event in holdings.failed_commits]
    told: Commit | None = None
    for commit in holdings.commits:
        if commit.member is not None:
            told = commit
        elif told is not None and told.offset is not None and (commit.offset is None or commit.offset < told.offset):
            if commit.offset in [offset for at, offset in failed if told.at < at <= commit.at]:
                continue
            text = (
                f"commit {told.offset} of {told.member} for partition {holdings.partition} was acked; "
                f"later {commit.said()}"
            )
            findings.append(Finding("commit_lost", holdings.partition, 1, "broker", text))
            told = None
    return findings


def at_risk(
    produced: Produced, consumed: Consumed, holdings: Holdings, lost: list[Finding], history: History
) -> list[Finding]:
    """Messages of one partition that some commit covered while they were unfinished, without being lost by it.

    What the reset policy jumped was lost to the group before any commit, and every sound client's commit covers it.
    Needs to know when the application finished with each message, so it is measured only where the history says so.
    """
    if not history.exact_times:
        return []
    # Where nobody read the log, or it lost what was handed over, a delivery or else an ack tells where a message stood.
    absent = EVERYTHING if produced.log_end is None else consumed.delivered - produced.in_log
    handed = first_copies(in_offset_order(handed_over(absent, produced, consumed)))
    acked = within(in_offset_order(produced.acks), absent - identity_set(handed))
    places = joined([produced.copies, handed, acked])
    judged = produced.judged & identity_set(places)
    risky = NOTHING
    rows = consumed.deliveries
    for commit in holdings.commits:
        if commit.offset is not None:
            unfinished = judged - names_of(chosen(rows, rows["done"] <= commit.at), produced)
            risky = risky | (unfinished & identity_set(at_offsets(places, Intervals.span(0, commit.offset))))
    for finding in lost:
        if finding.kind in LOSSES or finding.detail in (RESET_POLICY, SOUGHT, ASKED):
            # What was lost in flight is told by name, for it may have been handed over as another copy.
            names = finding.identities or identity_set(at_offsets(produced.copies, finding.offsets))
            risky = risky - names
    if not len(risky):
        return []
    count, offsets = risky.total, offsets_of(risky, places)
    text = f"{messages(count)} of partition {produced.partition} covered by a commit while unprocessed"
    return [Finding("committed_at_risk", produced.partition, count, "commit mode", text, offsets)]
