"""Pure: what became of a partition's messages behind the log: who was handed what, and why the rest was not.

The argument, per message that is in the log and was never handed over. Go through the ownerships in the order of their
start. The first one that settles the message's fate decides:

- it began at or before the message and was handed something later: **skipped**. Inside one ownership a consumer's
  position only goes up, so the message will not come;
- it began behind the message, and the commit in force when it began covers it: **committed ahead**. The group believes
  the message done; no later owner will ask for it;
- it began behind the message without such a commit: **illegal start**, or **unread** where the reset policy `latest`
  gave that start, which is the scenario's own choice and therefore no proof of anything.

What no ownership settles is **stalled** when somebody owned the partition at the end of the drain, else **unread**.

A message that was handed over but never finished (its owner died) is judged again: if a later owner began behind it
and a commit covered it, it is committed ahead, *in flight*; otherwise being handed over counts as delivered.
"""

from dataclasses import dataclass

from harness.columns import NEVER, NO_OFFSET, NO_PRODUCER, Rows, joined
from harness.history import Event, RunInfo
from harness.verify.findings import Finding, messages
from harness.verify.intervals import MOST, NOTHING, Intervals
from harness.verify.ownership import Commit, Holdings, Ownership
from harness.verify.placing import first_copies, identities_at, offsets_of
from harness.verify.producing import Produced, identity_set, produced_after


@dataclass(frozen=True)
class Hanging:
    """What transactions of unknown end leave in doubt, in a partition that is read committed.

    offsets: their own messages; stable: the last stable offset they may hold back, None where there is none.
    """

    offsets: Intervals = NOTHING
    stable: int | None = None


@dataclass
class Consumed:
    """One partition's deliveries; `delivered` and `finished` are sets of identities."""

    partition: int
    ownerships: list[Ownership]
    deliveries: Rows  # of all owners and outsiders
    delivered: Intervals
    nowhere: Intervals  # offsets handed over without identity at which the log holds nothing
    strays: Rows  # handed over, though their identity names another partition
    strangers: int  # handed over with neither identity nor offset
    finished: Intervals | None = None  # None: the application finished with all of it


def read_consumed(produced: Produced, holdings: Holdings) -> Consumed:
    """Gather one partition's deliveries. What carries no identity is named by the log at its offset."""
    parts = [rows for ownership in holdings.ownerships for rows in ownership.parts]
    rows = joined(parts + [rows for _, rows in holdings.foreign])
    named = rows["producer"] != NO_PRODUCER
    away = named & (rows["asked"] != produced.partition)
    strange = ~named & (rows["offset"] == NO_OFFSET)
    nameless = rows[~named & ~strange]
    by_offset = Intervals.of(nameless["offset"], nameless["length"])
    held = Intervals.of(produced.log["offset"], produced.log["length"])
    consumed = Consumed(
        partition=produced.partition,
        ownerships=holdings.ownerships,
        deliveries=rows[~away] if away.any() else rows,
        delivered=identity_set(rows[named & ~away]) | identities_at(by_offset, produced.log),
        # What lies below the log's start may have been there: retention deletes what was handed over, too.
        nowhere=(by_offset - held).from_(produced.log_end[0]) if produced.log_end is not None else NOTHING,
        strays=rows[away],
        strangers=int(rows["length"][strange].sum()),
    )
    if (consumed.deliveries["done"] == NEVER).any():
        done = consumed.deliveries[consumed.deliveries["done"] != NEVER]
        nameless = done[(done["producer"] == NO_PRODUCER) & (done["offset"] != NO_OFFSET)]
        by_offset = Intervals.of(nameless["offset"], nameless["length"])
        consumed.finished = identity_set(done) | identities_at(by_offset, produced.log)
    return consumed


def undelivered(
    produced: Produced, consumed: Consumed, holdings: Holdings, run: RunInfo, drained: Event | None, hanging: Hanging
) -> list[Finding]:
    """Why each judged message was not handed over, or was handed over in vain."""
    in_log = produced.judged & produced.in_log if produced.log_end is not None else NOTHING
    missing = _Open(produced, offsets_of(in_log - consumed.delivered, produced.copies), run)
    in_vain = _in_vain(produced, consumed)
    findings = missing.in_hanging_transactions(hanging)
    for number, ownership in enumerate(consumed.ownerships):
        if not len(missing.offsets) and not len(in_vain):
            break
        commit = holdings.commit_in_force(ownership.start_at)
        findings += missing.settle_by(ownership, commit)
        in_flight = _in_flight(ownership, commit, in_vain, consumed.ownerships[:number])
        for finding in in_flight:
            in_vain = in_vain - finding.offsets
        findings += in_flight
    findings += missing.at_the_end(holdings, drained, hanging)
    unread = produced.judged - consumed.delivered if produced.log_end is None else NOTHING
    if len(unread):
        text = f"{messages(unread.total)} of partition {produced.partition} not handed over; nobody read the log"
        findings.append(Finding("unread", produced.partition, unread.total, "void", text, identities=unread))
    return findings


def _in_vain(produced: Produced, consumed: Consumed) -> Intervals:
    """The offsets of judged messages that were handed over and never finished."""
    if consumed.finished is None:
        return NOTHING
    names = produced.judged & (consumed.delivered - consumed.finished)
    if produced.log_end is not None:
        return offsets_of(names, produced.copies)
    # Nobody read the log, but what was handed over had an offset there.
    rows = consumed.deliveries
    return offsets_of(names, first_copies(rows[(rows["done"] == NEVER) & (rows["offset"] != NO_OFFSET)]))


def _start(ownership: Ownership, commit: Commit | None) -> int | None:
    """Where an ownership began. One that was told no position and handed nothing began where the group stood."""
    if ownership.start is None and commit is not None:
        return commit.offset
    return ownership.start


class _Open:
    """The offsets of a partition whose fate is still open, settled by one ownership after the other."""

    def __init__(self, produced: Produced, offsets: Intervals, run: RunInfo) -> None:
        self.produced = produced
        self.partition = produced.partition
        self.offsets = offsets
        self.run = run

    def settle_by(self, ownership: Ownership, commit: Commit | None) -> list[Finding]:
        """What `ownership` settles, taken out of the open offsets."""
        start = _start(ownership, commit)
        if start is None or not len(self.offsets):
            return []
        findings = []
        jumped = self.offsets.below(start)
        covered = jumped.below(commit.offset) if commit is not None and commit.offset is not None else NOTHING
        if len(covered):
            assert commit is not None
            text = (
                f"{messages(covered.total)} in partition {self.partition} never handed over to anybody, "
                f"though {commit.said()} when {ownership.member} took over at {start}"
            )
            findings.append(self._finding("committed_ahead", covered, "client", text, ownership))
        illegal = jumped - covered
        if self._reset_chose(commit):
            findings += self._at_rest("unread", illegal, "void", f"behind which {ownership.member} started by `latest`")
        elif len(illegal):
            behind = commit.said() if commit is not None else f"no commit and reset policy {self.run.reset}"
            text = (
                f"{messages(illegal.total)} in partition {self.partition} jumped over: "
                f"{ownership.member} started at {start}, with {behind}"
            )
            findings.append(self._finding("illegal_start", illegal, "consumer", text, ownership))
        skipped = self.offsets.from_(start).below(ownership.reached)
        if len(skipped):
            text = (
                f"{messages(skipped.total)} skipped in partition {self.partition}: {ownership.member} started at "
                f"{start} and was handed offset {ownership.reached - 1} without them"
            )
            findings.append(self._finding("skipped", skipped, "consumer", text, ownership))
        for finding in findings:
            self.offsets = self.offsets - finding.offsets
        return findings

    def _reset_chose(self, commit: Commit | None) -> bool:
        """Whether starting behind messages is what the reset policy gives: `latest`, where there is no commit, or one
        that was out of range, because the log starts behind it."""
        if self.run.reset != "latest":
            return False
        start = self.produced.log_end[0] if self.produced.log_end is not None else 0
        return commit is None or commit.offset is None or commit.offset < start

    def in_hanging_transactions(self, hanging: Hanging) -> list[Finding]:
        """Messages of transactions of which nobody knows the end: if it was an abort, nobody was to be handed them."""
        doubtful = self.offsets & hanging.offsets
        self.offsets = self.offsets - doubtful
        return self._at_rest("unread", doubtful, "void", "of transactions whose end nobody told")

    def at_the_end(self, holdings: Holdings, drained: Event | None, hanging: Hanging) -> list[Finding]:
        """Stalled if somebody owned the partition when the drain ended, else unread."""
        if not len(self.offsets):
            return []
        if drained is None:
            return self._at_rest("unread", self.offsets, "void", "not read: the recording has no end of the drain")
        holders = [one for one in holdings.ownerships if one.start_at <= drained.at < one.end_at]
        if not holders:
            return self._at_rest("unread", self.offsets, "void", "not read: nobody owned it at the end")
        if self.partition in (drained.data.get("progressing") or ()) or any(
            len(holder.rows) and int(holder.rows["until"].max()) > drained.at for holder in holders
        ):
            return self._at_rest("unread", self.offsets, "void", "still being read when the wait ended")
        owner = holders[-1]
        late = self.offsets & offsets_of(produced_after(self.produced, drained.at), self.produced.copies)
        blocked = self.offsets.from_(hanging.stable) - late if hanging.stable is not None else NOTHING
        start = _start(owner, holdings.commit_in_force(owner.start_at))
        if start is None and self._reset_chose(holdings.commit_in_force(owner.start_at)):
            start = MOST  # anywhere
        jumped = self.offsets.below(start) - late - blocked if start is not None else NOTHING
        waited = f"within {drained.data.get('waited_s')} s of waiting while {owner.member} owned it"
        return [
            *self._at_rest("stalled", self.offsets - late - blocked - jumped, "consumer", f"not handed over {waited}"),
            *self._at_rest("unread", late, "void", "written when the wait was over"),
            *self._at_rest("unread", blocked, "void", "behind a transaction whose end nobody told"),
            *self._at_rest("unread", jumped, "void", "behind which the reset policy had started"),
        ]

    def _at_rest(self, kind: str, offsets: Intervals, blame: str, why: str) -> list[Finding]:
        if not len(offsets):
            return []
        text = f"{messages(offsets.total)} in partition {self.partition} {why}"
        return [self._finding(kind, offsets, blame, text, None)]

    def _finding(self, kind: str, offsets: Intervals, blame: str, text: str, ownership: Ownership | None) -> Finding:
        at = ownership.start_at if ownership is not None else None
        detail = "never_handed_over" if kind == "committed_ahead" else ""
        return Finding(kind, self.partition, offsets.total, blame, text, offsets=offsets, detail=detail, at=at)


def _in_flight(
    ownership: Ownership, commit: Commit | None, in_vain: Intervals, earlier: list[Ownership]
) -> list[Finding]:
    """What died unprocessed in an earlier owner's hands while a commit covered it, settled by its next owner."""
    start = _start(ownership, commit)
    if start is None or commit is None or commit.offset is None or not len(in_vain):
        return []
    rows = joined(other.rows for other in earlier if other.end_at <= ownership.start_at)
    lost = (in_vain & Intervals.of(rows["offset"], rows["length"])).below(min(start, commit.offset))
    if not len(lost):
        return []
    text = (
        f"{messages(lost.total)} in partition {ownership.partition} handed over and never processed, "
        f"though {commit.said()} when {ownership.member} took over at {start}"
    )
    partition, at = ownership.partition, ownership.start_at
    return [
        Finding("committed_ahead", partition, lost.total, "commit mode", text, offsets=lost, detail="in_flight", at=at)
    ]
