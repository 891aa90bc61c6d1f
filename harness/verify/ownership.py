"""Pure: who owned which partition when, what each owner was handed, and which commit it started from.

An *ownership* is one member's hold of one partition, from its assignment to its revocation or the member's end. Every
statement about loss and re-delivery is made per ownership, because Kafka's promises are: inside one, offsets only go
up; between two, the commit in force decides.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from harness.history import NEVER, NO_OFFSET, Event, History, Rows, Stream, joined

MEMBER_ENDS = ("leave", "killed", "crashed")


@dataclass
class Ownership:
    member: str
    partition: int
    start_at: int
    position: int | None = None  # where the client said that it starts
    end_at: int = NEVER
    end: str = "open"  # revoke, lost, leave, killed, crashed
    parts: list[Rows] = field(default_factory=list)
    _rows: Rows | None = None

    @property
    def rows(self) -> Rows:
        """What was handed over, in order, without what has no place in the log."""
        if self._rows is None:
            rows = joined(self.parts)
            self._rows = rows[rows["offset"] != NO_OFFSET]
        return self._rows

    @property
    def start(self) -> int | None:
        """The first offset of this ownership: as told, else the first that came; None when neither is known."""
        if self.position is not None:
            return self.position
        return int(self.rows["offset"][0]) if len(self.rows) else None

    @property
    def reached(self) -> int:
        """One past the highest offset handed over; −1 when nothing was."""
        rows = self.rows
        return int((rows["offset"] + rows["length"]).max()) if len(rows) else -1


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
class Ownerships:
    """All ownerships of a run by partition, in order of their start, and what stood outside of any."""

    by_partition: dict[int, list[Ownership]]
    foreign: dict[int, list[tuple[str, Rows]]]
    commits: dict[int, list[Commit]]
    failed_commits: dict[int, list[Event]]

    def of(self, partition: int) -> list[Ownership]:
        return self.by_partition.get(partition, [])

    def commit_in_force(self, partition: int, at: int) -> Commit | None:
        """The last thing known of the group's commit before `at`."""
        known = [commit for commit in self.commits.get(partition, ()) if commit.at <= at]
        return known[-1] if known else None


def read_ownerships(history: History) -> Ownerships:
    """Play every member's stream and gather ownerships, foreign deliveries and commits."""
    by_partition: dict[int, list[Ownership]] = defaultdict(list)
    foreign: dict[int, list[tuple[str, Rows]]] = defaultdict(list)
    commits: dict[int, list[Commit]] = defaultdict(list)
    failed: dict[int, list[Event]] = defaultdict(list)
    for stream in history.streams:
        player = _Player(stream, strict=_says_what_it_owns(stream))
        for ownership in player.play():
            by_partition[ownership.partition].append(ownership)
        for partition, rows in player.foreign:
            foreign[partition].append((stream.member, rows))
        for event in player.commits:
            if event.data["ok"]:
                commits[event.data["partition"]].append(Commit(event.at, event.data["offset"], stream.member))
            else:
                failed[event.data["partition"]].append(event)
    for event in history.stored:
        commits[event.data["partition"]].append(Commit(event.at, event.data["offset"], None))
    for ownerships in by_partition.values():
        ownerships.sort(key=lambda ownership: ownership.start_at)
    for known in commits.values():
        known.sort(key=lambda commit: commit.at)
    return Ownerships(dict(by_partition), dict(foreign), dict(commits), dict(failed))


def _says_what_it_owns(stream: Stream) -> bool:
    """Whether every assignment of this member was told by the client, so that a delivery outside of one is foreign.

    A member that never told any assigned itself; one whose assignments were merely looked at from time to time
    (`observed`) may own a partition a little before it was seen to.
    """
    told = [item.data for item in stream.items if isinstance(item, Event) and item.type == "assign"]
    return bool(told) and not any(data.get("observed") for data in told)


class _Player:
    """Plays one stream. `foreign` and `commits` are complete once `play` is exhausted."""

    def __init__(self, stream: Stream, *, strict: bool) -> None:
        self.stream = stream
        self.strict = strict
        self.held: dict[int, Ownership] = {}
        self.foreign: list[tuple[int, Rows]] = []
        self.commits: list[Event] = []

    def play(self) -> Iterator[Ownership]:
        for item in self.stream.items:
            if isinstance(item, Event):
                yield from self._event(item)
            else:
                self._deliveries(item)
        yield from self._release(list(self.held), NEVER, "open")

    def _event(self, event: Event) -> Iterator[Ownership]:
        data = event.data
        if event.type == "assign":
            positions = data.get("positions") or {}
            for partition in data["partitions"]:
                position = positions.get(str(partition), positions.get(partition))
                self._hold(partition, event.at, position)
        elif event.type == "revoke":
            yield from self._release(data["partitions"], event.at, "lost" if data.get("lost") else "revoke")
        elif event.type == "member" and data["state"] in MEMBER_ENDS:
            yield from self._release(list(self.held), event.at, data["state"])
        elif event.type == "commit":
            self.commits.append(event)

    def _hold(self, partition: int, at: int, position: int | None) -> Ownership:
        if partition not in self.held:
            self.held[partition] = Ownership(self.stream.member, partition, at, position)
        return self.held[partition]

    def _release(self, partitions: list[int], at: int, end: str) -> Iterator[Ownership]:
        for partition in partitions:
            ownership = self.held.pop(partition, None)
            if ownership is not None:
                ownership.end_at, ownership.end = at, end
                yield ownership

    def _deliveries(self, rows: Rows) -> None:
        for partition in np.unique(rows["partition"]).tolist():
            mine = rows[rows["partition"] == partition]
            if partition in self.held:
                self.held[partition].parts.append(mine)
            elif self.strict:
                self.foreign.append((partition, mine))
            else:
                self._hold(partition, int(mine["at"][0]), None).parts.append(mine)
