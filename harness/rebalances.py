"""Pure: what the rebalances of a run's group cost, from the events of its members and the times of their deliveries.

A *rebalance* lasts from the first event that asks for one (a member comes, goes, dies, or gives partitions back) to the
last assignment that answers it: until nobody who came or gave everything back waits for a share, and no partition that
had an owner is without one. So it includes the time in which nobody had noticed a dead member. What no assignment
followed, as at the end of a run, is no rebalance. A member is one process: after a restart it is another one.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.columns import NEVER
from harness.history import Event, History, Stream
from harness.verify.ownership import MEMBER_ENDS, Members
from harness.verify.producing import produced_alone
from harness.verify.repeats import again
from harness.verify.transactions import aborted_numbers

QUIET_NS = 10_000_000_000
"""After so long without an event a rebalance is over, even if somebody still waits: it was left without partitions."""
LATE_NS = 1_000_000_000
"""An assignment that nothing asked for belongs to the rebalance that ended less than this before."""
REDELIVERIES = ("legal_redelivery", "excess_redelivery")


@dataclass
class Rebalance:
    """One rebalance; times in ns of the history's clock. `stopped_ns`: how long each member in it owned nothing."""

    began: int
    owners: dict[int, str]  # of each partition, the last one before it
    ended: int | None = None
    latest: int = 0
    members: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    partitions: dict[str, int] = field(default_factory=dict)
    changed: list[int] = field(default_factory=list)
    needed: int = 0
    first_message_s: dict[str, float | None] = field(default_factory=dict)
    stopped_ns: Counter[str] = field(default_factory=Counter)


def group_costs(history: History) -> dict[str, Any] | None:
    """The key `group` of metrics.json; None where no group told of two assignments. Times in s, overlaps in ms."""
    told = [event for stream in history.streams for event in stream.events if event.type == "assign"]
    if history.run.group is None or len(told) < 2:
        return None
    play = _Play(history.run.partitions)
    for event, stream, step in _in_order(history):
        play.event(event, stream, step)
    play.close()
    for stream in history.streams:
        _first_messages(stream, play.assigned[stream.member])
    again_in = _redeliveries(history, play.rebalances)
    overlaps = _overlaps(play)
    rows = [
        _row(rebalance, history.began, again_in[number], overlaps[number])
        for number, rebalance in enumerate(play.rebalances)
    ]
    return {
        "rebalances": rows,
        "longest_s": max((row["duration_s"] for row in rows), default=None),
        "moved": sum(len(row["changed_owner"]) for row in rows),
        "needed": sum(row["needed"] for row in rows),
        "legal_redelivery": sum(row["legal_redelivery"] for row in rows),
        "excess_redelivery": sum(row["excess_redelivery"] for row in rows),
        "messages": {stream.member: _messages(stream) for stream in history.streams},
        "idle": _idle(history, play.rebalances),
    }


class _Play:
    """Plays all members' events in order of time, one rebalance after the other."""

    def __init__(self, partitions: int) -> None:
        self.count = partitions
        self.rebalances: list[Rebalance] = []
        self.open: Rebalance | None = None
        self.owned: dict[str, set[int]] = {}  # by member that is there
        self.owners: dict[int, str] = {}  # the last one of each partition
        self.since: dict[tuple[str, int], int] = {}
        self.held: dict[int, list[tuple[int, int, str]]] = defaultdict(list)  # from, to, by whom
        self.nothing_since: dict[str, int] = {}
        self.assigned: dict[str, list[tuple[int, int, Rebalance]]] = defaultdict(list)  # step, at, in which

    def event(self, event: Event, stream: Stream, step: int) -> None:
        member, at = stream.member, event.at
        if event.type == "assign":
            self._assign(member, at, set(event.data["partitions"]))
            rebalance = self.open or self.rebalances[-1]
            self.assigned[member].append((step, at, rebalance))
            self._settle()
        elif event.type == "revoke":
            self._begin(at).members.add(member)
            self._release(member, at, set(event.data["partitions"]))
            if not self.owned.get(member):
                self._begin(at).waiting.add(member)
        elif event.data["state"] == "join":
            self._begin(at).members.add(member)
            self._begin(at).waiting.add(member)
            self.owned[member], self.nothing_since[member] = set(), at
        elif event.data["state"] in MEMBER_ENDS:
            self._begin(at).members.add(member)
            self._begin(at).waiting.discard(member)
            self._release(member, at, set(self.owned.get(member, ())))
            self.nothing_since.pop(member, None)
            self.owned.pop(member, None)

    def _begin(self, at: int) -> Rebalance:
        """The rebalance that something at this time asks for: the one under way, or a new one."""
        if self.open is not None and at - self.open.latest > QUIET_NS and not self._orphans():
            self.close()
        if self.open is None:
            self.open = Rebalance(at, dict(self.owners))
        self.open.latest = at
        return self.open

    def _assign(self, member: str, at: int, partitions: set[int]) -> None:
        last = self.rebalances[-1] if self.rebalances else None
        if self.open is None and last is not None and at - (last.ended or 0) < LATE_NS:
            self.open = self.rebalances.pop()
        rebalance = self._begin(at)
        rebalance.members.add(member)
        rebalance.waiting.discard(member)
        rebalance.ended = at
        owned = self.owned.setdefault(member, set())
        if partitions:
            self._count_stopped(member, at)
        for partition in partitions - owned:
            self.since[member, partition] = at
            self.owners[partition] = member
        owned |= partitions

    def _release(self, member: str, at: int, partitions: set[int]) -> None:
        owned = self.owned.setdefault(member, set())
        for partition in partitions & owned:
            self.held[partition].append((self.since.pop((member, partition)), at, member))
        if owned and owned <= partitions:
            self.nothing_since[member] = at
        owned -= partitions

    def _count_stopped(self, member: str, at: int) -> None:
        since = self.nothing_since.pop(member, None)
        if since is not None and self.open is not None:
            self.open.stopped_ns[member] += at - max(since, self.open.began)

    def _orphans(self) -> set[int]:
        """Partitions that had an owner, and have none now."""
        return set(self.owners).difference(*self.owned.values())

    def _settle(self) -> None:
        """It is over when nobody waits, or all partitions have owners of their own: whoever waits then gets none."""
        none_left = sum(1 for owned in self.owned.values() if owned) >= self.count
        if self.open is not None and (none_left or not self.open.waiting) and not self._orphans():
            self.close()

    def close(self) -> None:
        """The rebalance under way is over; it is none if nobody was assigned anything in it."""
        rebalance, self.open = self.open, None
        if rebalance is None or rebalance.ended is None:
            return
        for member in sorted(rebalance.members & {*self.owned}):
            since = self.nothing_since.get(member)
            if since is not None and since < rebalance.ended:
                rebalance.stopped_ns[member] += rebalance.ended - max(since, rebalance.began)
        rebalance.partitions = {member: len(owned) for member, owned in sorted(self.owned.items())}
        before = rebalance.owners
        rebalance.changed = sorted(p for p, owner in self.owners.items() if before.get(p, owner) != owner)
        rebalance.needed = _needed(before, list(self.owned), len(self.owners))
        self.rebalances.append(rebalance)


def _needed(before: dict[int, str], members: list[str], partitions: int) -> int:
    """How many partitions had to move for equal shares: none of a member that stays, but what it has too many of.

    before: the last owner of each partition that had one.
    """
    had = sorted((Counter(before.values())[member] for member in members), reverse=True)
    share, more = divmod(partitions, len(members)) if members else (0, 0)
    kept = sum(min(count, share + (number < more)) for number, count in enumerate(had))
    return len(before) - kept


def _in_order(history: History) -> list[tuple[Event, Stream, int]]:
    """The events that move partitions, of all members, by time; each with how many of its member's stand before it."""
    told = [
        (event, stream, step)
        for stream in history.streams
        for step, event in enumerate(stream.events)
        if event.type in ("assign", "revoke", "member")
    ]
    return sorted(told, key=lambda one: one[0].at)


def _first_messages(stream: Stream, assigned: list[tuple[int, int, Rebalance]]) -> None:
    """Note in each rebalance how long after its last assignment there a member was handed something; None: never."""
    steps, times = _delivered(stream)
    for number, (step, at, rebalance) in enumerate(assigned):
        until = assigned[number + 1][0] if number + 1 < len(assigned) else len(stream.events)
        first, last = np.searchsorted(steps, [step, until], side="right").tolist()
        rebalance.first_message_s[stream.member] = _seconds(int(times[first:last].min()) - at) if last > first else None


def _delivered(stream: Stream) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Of all that a member was handed, the steps, going up, and the times."""
    parts = [(rows["step"].astype(np.int64), rows["at"].astype(np.int64)) for rows in stream.deliveries]
    if not parts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    steps, times = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(steps, kind="stable")
    return steps[order], times[order]


def _messages(stream: Stream) -> int:
    return sum(int(rows["length"].sum()) for rows in stream.deliveries)


def _redeliveries(history: History, rebalances: list[Rebalance]) -> list[Counter[str]]:
    """By rebalance, what its new owners were handed again, as the judge tells legal from excess."""
    counts = [Counter[str]() for _ in rebalances]
    members, aborted = Members(history), aborted_numbers(history)
    for partition in history.partitions():
        produced = produced_alone(history, partition, aborted)
        for finding in again(members.holdings(produced)):
            number = _last_begun(rebalances, finding.at)
            if finding.kind in REDELIVERIES and number is not None:
                counts[number][finding.kind] += finding.count
    return counts


def _overlaps(play: _Play) -> list[Counter[int]]:
    """By rebalance, for how many ns two members owned a partition at once, by partition."""
    counts = [Counter[int]() for _ in play.rebalances]
    for (member, partition), since in play.since.items():
        play.held[partition].append((since, NEVER, member))
    for partition, spans in play.held.items():
        spans.sort()
        for number, (_, end, member) in enumerate(spans):
            for start, other_end, other in spans[number + 1 :]:
                if start >= end:
                    break
                begun = _last_begun(play.rebalances, start)
                both_end = min(end, other_end)
                if other != member and both_end != NEVER and begun is not None:
                    counts[begun][partition] += both_end - start
    return counts


def _last_begun(rebalances: list[Rebalance], at: int | None) -> int | None:
    """The number of the last rebalance that had begun by then."""
    begun = [number for number, rebalance in enumerate(rebalances) if at is not None and rebalance.began <= at]
    return begun[-1] if begun else None


def _idle(history: History, rebalances: list[Rebalance]) -> list[str]:
    """Members that owned nothing after the last rebalance that they lived through, or came and never saw one."""
    shares: dict[str, int] = {
        stream.member: 0
        for stream in history.streams
        if any(event.type == "member" and event.data["state"] == "join" for event in stream.events)
    }
    for rebalance in rebalances:
        shares |= rebalance.partitions
    return [member for member, share in shares.items() if share == 0]


def _row(rebalance: Rebalance, began: int, handed_again: Counter[str], overlap: Counter[int]) -> dict[str, Any]:
    assert rebalance.ended is not None
    shares = rebalance.partitions.values()
    return {
        "t_s": _seconds(rebalance.began - began),
        "duration_s": _seconds(rebalance.ended - rebalance.began),
        "members": sorted(rebalance.members),
        "changed_owner": rebalance.changed,
        "needed": rebalance.needed,
        "stopped_s": {member: _seconds(ns) for member, ns in sorted(rebalance.stopped_ns.items())},
        "first_message_s": dict(sorted(rebalance.first_message_s.items())),
        "overlap_ms": {str(partition): round(ns / 1e6, 3) for partition, ns in sorted(overlap.items())},
        **{kind: handed_again[kind] for kind in REDELIVERIES},
        "partitions": rebalance.partitions,
        "most": max(shares, default=0),
        "fewest": min(shares, default=0),
    }


def _seconds(ns: int) -> float:
    return round(ns / 1e9, 3)
