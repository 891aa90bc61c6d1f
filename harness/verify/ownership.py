"""Pure: who owned a partition when, what each owner was handed, and which commit it started from.

An *ownership* is one member's hold of one partition, from its assignment to its revocation or the member's end. Every
statement about loss and re-delivery is made per ownership, because Kafka's promises are: inside one, offsets only go
up; between two, the commit in force decides.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from harness.columns import NEVER, NO_OFFSET, Rows, chosen, joined
from harness.history import Event, History
from harness.verify.intervals import EVERYTHING, Intervals
from harness.verify.placing import at_offsets
from harness.verify.producing import Produced

MEMBER_ENDS = ("leave", "killed", "crashed")


@dataclass
class Ownership:
    member: str
    partition: int
    start_at: int
    position: int | None = None  # where the client said that it starts
    end_at: int = NEVER
    end: str = "open"  # revoke, lost, seek, leave, killed, crashed
    parts: list[Rows] = field(default_factory=list)
    sought: bool = False  # it began with the application's own seek, not with where the group stood

    def holds(self, at: int) -> bool:
        return self.start_at <= at < self.end_at

    @cached_property
    def rows(self) -> Rows:
        """What was handed over, in order, without what has no place in the log."""
        rows = joined(self.parts)
        return chosen(rows, rows["offset"] != NO_OFFSET)

    @cached_property
    def offsets(self) -> Intervals:
        """The offsets handed over."""
        return Intervals.of(self.rows["offset"], self.rows["length"])

    @cached_property
    def start(self) -> int | None:
        """The first offset of this ownership: as told, else the first that came; None when neither is known."""
        if self.position is not None:
            return self.position
        return int(self.rows["offset"][0]) if len(self.rows) else None

    @cached_property
    def reached(self) -> int:
        """One past the highest offset handed over; −1 when nothing was."""
        return int(self.offsets.ends[-1]) if len(self.rows) else -1

    def give_back(self, offset: int) -> Rows:
        """A seek to `offset` asks for everything from there on again: what was handed over of that no longer counts.

        Where this owner started, and how far it came, stays what it was.
        """
        _ = self.start, self.reached
        rows = self.rows
        back = at_offsets(rows, EVERYTHING.from_(offset))
        if len(back):
            placeless = joined(self.parts)
            placeless = chosen(placeless, placeless["offset"] == NO_OFFSET)
            self.parts = [at_offsets(rows, EVERYTHING.below(offset)), placeless]
            del self.rows, self.offsets
        return back


@dataclass(frozen=True)
class Commit:
    """A commit that the client was told stands, or the group's stored offset as read from outside."""

    at: int
    offset: int | None
    member: str | None  # None: read from outside

    def said(self) -> str:
        if self.offset is None:
            return "the group had no stored offset"
        if self.member is None:
            return f"the group's stored offset was {self.offset}"
        return f"{self.member} committed {self.offset}"


@dataclass
class Holdings:
    """One partition: its ownerships in order of their start, and what was handed over outside of any.

    astray: by whomever, and of another partition, so that it says nothing of where its owner stood in this one.
    given_back: what a seek asked for again, as (who had been handed it, what, the ownership that begins with the seek).
    """

    partition: int
    ownerships: list[Ownership]
    foreign: list[tuple[str, Rows]]
    astray: list[Rows]
    commits: list[Commit]
    failed_commits: list[Event]
    given_back: list[tuple[str, Rows, Ownership]] = field(default_factory=list)

    def commit_in_force(self, at: int) -> Commit | None:
        """The last thing known of the group's commit before `at`."""
        known = bisect_right(self.commits, at, key=lambda commit: commit.at)
        return self.commits[known - 1] if known else None


class Members:
    """Every member's events by partition, from which the holdings of a partition are read."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._strict = _say_what_they_own(history)
        self._ends = [
            [
                (step, event)
                for step, event in enumerate(stream.events)
                if event.type == "member" and event.data["state"] in MEMBER_ENDS
            ]
            for stream in history.streams
        ]
        self._about: dict[int, dict[int, list[tuple[int, Event]]]] = defaultdict(lambda: defaultdict(list))
        for number, stream in enumerate(history.streams):
            for step, event in enumerate(stream.events):
                for partition in _partitions_of(event):
                    self._about[partition][number].append((step, event))
        self._stored: dict[int, list[Event]] = defaultdict(list)
        for event in history.stored:
            self._stored[event.data["partition"]].append(event)

    def partitions(self) -> set[int]:
        """Every partition that a member or the group's stored offsets tell of."""
        return {*self._about, *self._stored}

    def holdings(self, produced: Produced) -> Holdings:
        """Play every member's events and deliveries of one partition."""
        partition = produced.partition
        held = Holdings(partition, [], [], [], [], [])
        about = self._about.get(partition, {})
        for number, stream in enumerate(self._history.streams):
            rows = produced.placed(stream.deliveries.of(partition))
            astray = produced.astray(rows)
            held.astray.append(chosen(rows, astray))
            rows = chosen(rows, ~astray)
            events = about.get(number, [])
            if not len(rows) and not events:
                continue
            events = sorted([*events, *self._ends[number]], key=lambda told: told[0])
            player = _Player(stream.member, partition, strict=self._strict[number])
            held.ownerships += player.play(events, rows)
            held.foreign += [(stream.member, part) for part in player.foreign]
            for _, event in events:
                if event.type == "commit" and event.data["ok"]:
                    held.commits.append(Commit(event.at, event.data["offset"], stream.member))
                elif event.type == "commit":
                    held.failed_commits.append(event)
        held.commits += [Commit(event.at, event.data["offset"], None) for event in self._stored.get(partition, ())]
        held.ownerships.sort(key=lambda ownership: ownership.start_at)
        _give_back(held)
        held.commits.sort(key=lambda commit: commit.at)
        return held


def _give_back(held: Holdings) -> None:
    """Of what was handed over before a seek, to whomever, nothing from its offset on counts any longer."""
    for number, ownership in enumerate(held.ownerships):
        if ownership.sought and ownership.position is not None:
            for earlier in held.ownerships[:number]:
                if earlier.end_at <= ownership.start_at:
                    held.given_back.append((earlier.member, earlier.give_back(ownership.position), ownership))


def _partitions_of(event: Event) -> list[int]:
    if event.type in ("assign", "revoke"):
        return list(dict.fromkeys(event.data["partitions"]))
    return [event.data["partition"]] if event.type in ("commit", "seek", "position") else []


def _say_what_they_own(history: History) -> list[bool]:
    """Of each member, whether a delivery outside of an assignment is foreign, because the client tells them all.

    A member that never told any assigned itself, unless it is of a group whose other members tell theirs. One whose
    assignments were merely looked at from time to time (`observed`) may own a partition a little before it is seen to.
    """
    told = [[event.data for event in stream.events if event.type == "assign"] for stream in history.streams]
    looked_at = [any(data.get("observed") for data in assigns) for assigns in told]
    others = history.run.group is not None and any(told) and not any(looked_at)
    return [(bool(assigns) and not seen) or others for assigns, seen in zip(told, looked_at, strict=True)]


class _Player:
    """Plays one member's part in one partition. `foreign` is complete once `play` is exhausted."""

    def __init__(self, member: str, partition: int, *, strict: bool) -> None:
        self.member = member
        self.partition = partition
        self.strict = strict
        self.held: Ownership | None = None
        self.foreign: list[Rows] = []

    def play(self, events: list[tuple[int, Event]], rows: Rows) -> Iterator[Ownership]:
        # A row's step says how many events stand before it.
        edges = np.searchsorted(rows["step"], [step for step, _ in events], side="right").tolist()
        taken = 0
        for (_, event), edge in zip(events, edges, strict=True):
            self._deliveries(rows[taken:edge])
            taken = edge
            yield from self._event(event)
        self._deliveries(rows[taken:])
        yield from self._release(NEVER, "open")

    def _event(self, event: Event) -> Iterator[Ownership]:
        data = event.data
        if event.type == "assign":
            positions = data.get("positions") or {}
            self._hold(event.at, positions.get(str(self.partition)))
        elif event.type == "seek":
            if self.held is not None and self.held.parts:
                yield from self._release(event.at, "seek")
            # Before anything was handed over it says where the owner starts, whatever was told before.
            held = self._hold(event.at, None)
            held.position, held.sought = data.get("offset"), True
        elif event.type == "position":
            # It was handed nothing, and yet stands there: so it began there.
            if self.held is not None and not self.held.parts and self.held.position is None:
                self.held.position = data["offset"]
        elif event.type == "revoke":
            yield from self._release(event.at, "lost" if data.get("lost") else "revoke")
        elif event.type == "member":
            yield from self._release(event.at, data["state"])

    def _hold(self, at: int, position: int | None) -> Ownership:
        if self.held is None:
            self.held = Ownership(self.member, self.partition, at, position)
        return self.held

    def _release(self, at: int, end: str) -> Iterator[Ownership]:
        if self.held is not None:
            self.held.end_at, self.held.end = at, end
            yield self.held
            self.held = None

    def _deliveries(self, rows: Rows) -> None:
        if not len(rows):
            return
        if self.strict and self.held is None:
            self.foreign.append(rows)
        else:
            self._hold(int(rows["at"][0]), None).parts.append(rows)
