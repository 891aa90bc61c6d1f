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

from harness.columns import NEVER, NO_OFFSET, NO_PRODUCER, Rows, chosen, joined, no_rows
from harness.history import Event, RunInfo
from harness.verify.deletions import ASKED, Deletion, log_start
from harness.verify.findings import Finding, messages
from harness.verify.intervals import EVERYTHING, NOTHING, Intervals
from harness.verify.ownership import Commit, Holdings, Ownership
from harness.verify.placing import at_offsets, identities_at, identity_set, offset_set, offsets_of, within
from harness.verify.producing import Produced, produced_after

RESET_POLICY = "reset_policy"
"""What tells messages that were left unread because `latest` started behind them."""

SOUGHT = "sought"
"""What tells those that the application itself passed over by a seek."""


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
    offsets: Intervals  # handed over to anybody
    deliveries: Rows  # of all owners and outsiders
    delivered: Intervals
    nowhere: Intervals  # offsets handed over without identity at which the log holds nothing
    strays: Rows  # handed over, though their identity names another partition
    strangers: int  # handed over with neither identity nor offset
    sought_in_vain: list[tuple[Ownership, Intervals]]  # by seek: identities asked for again, and not handed over since
    finished: Intervals | None = None  # None: the application finished with all of it

    @property
    def had(self) -> Intervals:
        """What the application was handed as often as it asked for it."""
        had = self.delivered
        for _, names in self.sought_in_vain:
            had = had - names
        return had


def read_consumed(produced: Produced, holdings: Holdings, drained: Event | None) -> Consumed:
    """Gather one partition's deliveries. What carries no identity is named by what stands at its offset."""
    parts = [rows for ownership in holdings.ownerships for rows in ownership.parts]
    given_back = [rows for _, rows, _ in holdings.given_back]
    rows = joined(parts + [rows for _, rows in holdings.foreign] + holdings.astray + given_back)
    named = rows["producer"] != NO_PRODUCER
    away = named & (rows["asked"] != produced.partition)
    deliveries, unnamed = chosen(rows, ~away), chosen(rows, ~named)
    nameless = offset_set(unnamed)
    offsets = offset_set(joined([*(rows for _, rows in holdings.foreign), *given_back]))
    for ownership in holdings.ownerships:
        offsets = offsets | ownership.offsets
    nowhere = NOTHING
    if produced.log_end is not None and len(nameless):
        # What lies below the log's start may have been there: retention deletes what was handed over, too.
        nowhere = (nameless - offset_set(produced.register)).from_(produced.log_end[0])
    done = deliveries["done"] != NEVER
    return Consumed(
        partition=produced.partition,
        ownerships=holdings.ownerships,
        offsets=offsets,
        deliveries=deliveries,
        delivered=names_of(deliveries, produced),
        nowhere=nowhere,
        strays=chosen(rows, away),
        strangers=int(unnamed["length"][unnamed["offset"] == NO_OFFSET].sum()),
        sought_in_vain=_sought_in_vain(produced, holdings, drained),
        finished=None if done.all() else names_of(chosen(deliveries, done), produced),
    )


def _sought_in_vain(produced: Produced, holdings: Holdings, drained: Event | None) -> list[tuple[Ownership, Intervals]]:
    """What seeks asked for again and nobody has been handed since.

    Whoever sought and then gave the partition up did not wait for it: then only what was skipped counts. What the log
    has lost since counts for nobody.
    """
    in_vain = []
    for number, ownership in enumerate(holdings.ownerships):
        back = joined(rows for _, rows, seek in holdings.given_back if seek is ownership)
        if not len(back):
            continue
        if drained is None or not ownership.holds(drained.at):
            back = at_offsets(back, EVERYTHING.below(ownership.reached))
        since = joined(rows for one in holdings.ownerships[number:] for rows in one.parts)
        names = (names_of(back, produced) & produced.in_log & produced.judged) - names_of(since, produced)
        if len(names):
            in_vain.append((ownership, names))
    return in_vain


def names_of(deliveries: Rows, produced: Produced) -> Intervals:
    """The identities of deliveries; what carries none is named by what stands at its offset."""
    nameless = offset_set(chosen(deliveries, deliveries["producer"] == NO_PRODUCER))
    return identity_set(deliveries) | (identities_at(nameless, produced.register) if len(nameless) else NOTHING)


def undelivered(
    produced: Produced, consumed: Consumed, holdings: Holdings, run: RunInfo, drained: Event | None, hanging: Hanging
) -> list[Finding]:
    """Why each judged message was not handed over, or was handed over in vain."""
    in_log = produced.judged & produced.in_log if produced.log_end is not None else NOTHING
    missing = _Open(produced, offsets_of(in_log - consumed.delivered, produced.copies), run)
    in_vain = _in_vain(produced, consumed)
    findings = missing.in_hanging_transactions(hanging) + missing.deleted(consumed.ownerships, holdings)
    for number, ownership in enumerate(consumed.ownerships):
        if not len(missing.offsets) and not len(in_vain):
            break
        commit = holdings.commit_in_force(ownership.start_at)
        findings += missing.settle_by(ownership, commit)
        in_flight = _in_flight(ownership, commit, in_vain, consumed.ownerships[:number], produced)
        for finding in in_flight:
            in_vain = within(in_vain, EVERYTHING - finding.identities)
        findings += in_flight
    findings += missing.at_the_end(holdings, drained, hanging)
    for ownership, names in consumed.sought_in_vain:
        again = _Open(produced, offsets_of(names, produced.copies), run)
        findings += again.deleted([ownership], holdings) + again.skipped(ownership, ownership.start or 0)
        findings += again.at_the_end(holdings, drained, hanging)
    unread = produced.judged - consumed.delivered if produced.log_end is None else NOTHING
    if len(unread):
        text = f"{messages(unread.total)} of partition {produced.partition} not handed over; nobody read the log"
        findings.append(Finding("unread", produced.partition, unread.total, "void", text, identities=unread))
    return findings


def _in_vain(produced: Produced, consumed: Consumed) -> Rows:
    """Deliveries of judged messages that were never finished, each with its identity and where it was handed over."""
    if consumed.finished is None:
        return no_rows()
    return handed_over(produced.judged & (consumed.delivered - consumed.finished), produced, consumed)


def handed_over(names: Intervals, produced: Produced, consumed: Consumed) -> Rows:
    """Deliveries of these identities, each with its identity and where it was handed over."""
    rows = chosen(consumed.deliveries, consumed.deliveries["offset"] != NO_OFFSET)
    named = within(chosen(rows, rows["producer"] != NO_PRODUCER), names)
    nameless = offset_set(chosen(rows, rows["producer"] == NO_PRODUCER))
    return joined([named, within(at_offsets(produced.register, nameless), names)])


def _start(ownership: Ownership, commit: Commit | None, produced: Produced) -> int | None:
    """Where an ownership began. One that was told no position and handed nothing began where the group stood, unless
    nobody can begin there."""
    if commit is None or commit.offset is None or ownership.start not in (None, commit.offset):
        return ownership.start
    somewhere = len(ownership.rows) or _committed(commit, produced, ownership.start_at) is not None
    return commit.offset if somewhere else None


def _committed(commit: Commit | None, produced: Produced, at: int) -> int | None:
    """The committed offset from which who begins at `at` can read on; None where the reset policy decides instead.

    One that the log starts behind or ends before is out of range. A log only grows: what lies behind its end when it
    was read was behind it before.
    """
    if commit is None or commit.offset is None or produced.log_end is None:
        return None if commit is None else commit.offset
    return commit.offset if _log_start(produced, at) <= commit.offset <= produced.log_end[1] else None


def _log_start(produced: Produced, at: int) -> int:
    """Where the log began at a moment; 0 where nobody read it."""
    start, _ = produced.log_end or (0, 0)
    return max(start, log_start(produced.deletions, at))


class _Open:
    """The offsets of a partition whose fate is still open, settled by one ownership after the other."""

    def __init__(self, produced: Produced, offsets: Intervals, run: RunInfo) -> None:
        self.produced = produced
        self.partition = produced.partition
        self.offsets = offsets
        self.jumped = NOTHING  # `latest` began behind them: no later start is to blame for that
        self.sought = NOTHING  # the application passed them over by a seek, likewise
        self.deletions = produced.deletions  # those that can have sent an owner elsewhere
        self.run = run

    def settle_by(self, ownership: Ownership, commit: Commit | None) -> list[Finding]:
        """What `ownership` settles, taken out of the open offsets."""
        start = _start(ownership, commit, self.produced)
        if start is None or not len(self.offsets):
            return []
        where, who = f"{{n}} in partition {self.partition}", ownership.member
        findings: list[Finding] = []
        jumped = self.offsets.below(start) - self.jumped - self.sought
        if ownership.sought:
            self.sought = self.sought | jumped
            return self.skipped(ownership, start)
        committed = _committed(commit, self.produced, ownership.start_at)
        if commit is not None and committed is not None:
            text = f"{where} never handed over to anybody, though {commit.said()} when {who} took over at {start}"
            ahead = jumped.below(committed)
            findings += self._take("committed_ahead", ahead, "client", text, ownership, "never_handed_over")
            jumped = jumped - ahead
        if self._reset_chose(ownership, commit):
            self.jumped = self.jumped | jumped
        else:
            behind = commit.said() if commit is not None else f"no commit and reset policy {self.run.reset}"
            text = f"{where} jumped over: {who} started at {start}, with {behind}"
            findings += self._take("illegal_start", jumped, "consumer", text, ownership)
        return findings + self.skipped(ownership, start)

    def skipped(self, ownership: Ownership, start: int) -> list[Finding]:
        """What an owner was not handed, though it was handed something later."""
        began = "sought" if ownership.sought else "started at"
        text = (
            f"{{n}} skipped in partition {self.partition}: {ownership.member} {began} {start} "
            f"and was handed offset {ownership.reached - 1} without them"
        )
        skipped = self.offsets.from_(start).below(ownership.reached)
        if self.run.reset == "latest" and self._thrown_out(ownership, start):
            self.jumped = self.jumped | skipped
            return []
        return self._take("skipped", skipped, "consumer", text, ownership)

    def _begins_nowhere(self, ownership: Ownership, commit: Commit | None) -> bool:
        """Whether the reset policy decides where an owner begins: there is no commit, or one that was out of range
        then, or came to be before the owner was handed anything."""
        committed = _committed(commit, self.produced, ownership.start_at)
        if committed is None:
            return True
        told = ownership.position is not None
        return not told and any(
            one.hit(ownership, committed) and not len(one.before_it(ownership).rows) for one in self.deletions
        )

    def _thrown_out(self, ownership: Ownership, start: int | None) -> bool:
        """Whether what an owner stood before was deleted, so that it had to begin again elsewhere."""
        return any(deletion.hit(ownership, start) for deletion in self.deletions)

    def _reset_chose(self, ownership: Ownership, commit: Commit | None) -> bool:
        """Whether starting behind messages is what the reset policy gives."""
        return self.run.reset == "latest" and self._begins_nowhere(ownership, commit)

    def deleted(self, ownerships: list[Ownership], holdings: Holdings) -> list[Finding]:
        """What was deleted before anybody had passed over it is gone, as the scenario wanted."""
        findings: list[Finding] = []
        for number, deletion in enumerate(self.produced.deletions):
            self.deletions = self.produced.deletions[:number]
            rest = self.offsets.from_(deletion.before)
            self.offsets = self.offsets.below(deletion.before)
            earlier = [one for one in ownerships if one.start_at <= deletion.at]
            for ownership in earlier:
                commit = holdings.commit_in_force(ownership.start_at)
                findings += self.settle_by(deletion.before_it(ownership), commit)
            findings += self._taken_by(deletion, earlier)
            self.offsets = rest
        self.deletions = self.produced.deletions
        return findings

    def _taken_by(self, deletion: Deletion, ownerships: list[Ownership]) -> list[Finding]:
        where = f"{{n}} in partition {self.partition}"
        text = f"{where} deleted at about the time at which something behind them was handed over"
        unclear = any(deletion.unclear(ownership) for ownership in ownerships)
        findings = self._passed_over()
        findings += self._take("unread", self.offsets, "void", text) if unclear else []
        text = (
            f"{where} deleted by the scenario before anybody was handed them: the log then began at {deletion.before}"
        )
        return findings + self._take("gone", self.offsets, "void", text, detail=ASKED)

    def in_hanging_transactions(self, hanging: Hanging) -> list[Finding]:
        """Messages of transactions of which nobody knows the end: if it was an abort, nobody was to be handed them."""
        return self._unread(self.offsets & hanging.offsets, "of transactions whose end nobody told")

    def at_the_end(self, holdings: Holdings, drained: Event | None, hanging: Hanging) -> list[Finding]:
        """Stalled if somebody owned the partition when the drain ended, else unread."""
        holders = [] if drained is None else [one for one in holdings.ownerships if one.holds(drained.at)]
        findings: list[Finding] = []
        if drained is None:
            why = "not read: the recording has no end of the drain"
        elif not holders:
            why = "not read: nobody owned it at the end"
        elif self._still_moves(holders, holdings, drained):
            why = "still being read when the wait ended"
        else:
            why = "not read: nobody who held the partition was to be handed them"
            findings += self._stalled(holders, holdings, drained, hanging)
        return findings + self._unread(self.offsets, why) + self._passed_over()

    def _passed_over(self) -> list[Finding]:
        """What the reset policy or a seek had begun behind, and nobody has been handed since."""
        findings: list[Finding] = []
        for passed_over, detail, by in (
            (self.jumped, RESET_POLICY, "reset policy latest had started behind them"),
            (self.sought, SOUGHT, "a seek of the application passed them over"),
        ):
            text = f"{{n}} in partition {self.partition} not read: {by}"
            findings += self._take("unread", self.offsets & passed_over, "void", text, None, detail)
        return findings

    def _still_moves(self, holders: list[Ownership], holdings: Holdings, drained: Event) -> bool:
        """Whether the wait was cut off, rather than in vain: an owner goes on, perhaps after it has joined anew."""
        owners = {one.member for one in holders}
        later = [one for one in holdings.ownerships if one.member in owners and len(one.rows)]
        moving = self.partition in (drained.data.get("progressing") or ())
        return moving or any(int(one.rows["until"].max()) > drained.at for one in later)

    def _stalled(self, holders: list[Ownership], holdings: Holdings, drained: Event, hanging: Hanging) -> list[Finding]:
        """What those who held the partition at the end were to be handed, and what they could not be."""
        late = self.offsets & offsets_of(produced_after(self.produced, drained.at), self.produced.copies)
        findings = self._unread(late, "written when the wait was over")
        waited = f"within {drained.data.get('waited_s')} s of waiting"
        for holder in reversed(holders):
            text = f"{{n}} in partition {self.partition} not handed over {waited} while {holder.member} owned it"
            awaited = self._awaited_by(holder, holdings.commit_in_force(holder.start_at)) - late
            if hanging.stable is not None:
                blocked = awaited.from_(hanging.stable)
                findings += self._unread(blocked, "behind a transaction whose end nobody told")
                awaited = awaited.below(hanging.stable)
            findings += self._take("stalled", awaited, "consumer", text)
        return findings

    def _awaited_by(self, holder: Ownership, commit: Commit | None) -> Intervals:
        """What an owner was still to be handed: all from its start on, which `latest` may have put anywhere, and `none`
        nowhere: its client is to tell an error."""
        start = _start(holder, commit, self.produced)
        elsewhere = self.run.reset != "earliest" and (
            self._thrown_out(holder, start) or (start is None and self._begins_nowhere(holder, commit))
        )
        if elsewhere:
            return NOTHING
        return self.offsets if start is None else self.offsets.from_(start)

    def _unread(self, offsets: Intervals, why: str) -> list[Finding]:
        """What was passed over is left open: `at_the_end` says of it what it is."""
        text = f"{{n}} in partition {self.partition} {why}"
        return self._take("unread", offsets - self.jumped - self.sought, "void", text)

    def _take(
        self,
        kind: str,
        offsets: Intervals,
        blame: str,
        text: str,
        ownership: Ownership | None = None,
        detail: str = "",
    ) -> list[Finding]:
        """These of the open offsets have this fate, and are open no longer. text: `{n}` is how many."""
        if not len(offsets):
            return []
        self.offsets = self.offsets - offsets
        count, at = offsets.total, ownership.start_at if ownership is not None else None
        text = text.format(n=messages(count))
        return [Finding(kind, self.partition, count, blame, text, offsets, detail=detail, at=at)]


def _in_flight(
    ownership: Ownership, commit: Commit | None, in_vain: Rows, earlier: list[Ownership], produced: Produced
) -> list[Finding]:
    """What died unprocessed in an earlier owner's hands while a commit covered it, settled by its next owner."""
    if commit is None or commit.offset is None or not len(in_vain):
        return []
    start = _start(ownership, commit, produced)
    # Whenever the start of the log overtook the commit: wherever the owner began, it was not before this.
    if start is None and produced.log_end is not None and commit.offset < _log_start(produced, ownership.start_at):
        start = commit.offset
    if start is None:
        return []
    handed = NOTHING
    for other in earlier:
        if other.end_at != NEVER:
            handed = handed | other.offsets
    lost = (handed & Intervals.of(in_vain["offset"], in_vain["length"])).below(min(start, commit.offset))
    names = identity_set(at_offsets(in_vain, lost))
    if not len(names):
        return []
    partition, count = ownership.partition, names.total
    text = (
        f"{messages(count)} in partition {partition} handed over and never processed, "
        f"though {commit.said()} when {ownership.member} took over at {start}"
    )
    at = ownership.start_at
    return [Finding("committed_ahead", partition, count, "commit mode", text, lost, names, detail="in_flight", at=at)]
