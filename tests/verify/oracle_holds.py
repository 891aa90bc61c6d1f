"""The oracle's half about consumers: who held which partition when, and what was handed to whom.

One pass over the lines in their order, with a dictionary of what is held at the moment. Lines are numbered by their
place in the file, which is the only clock that counts.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

Line = dict[str, Any]
Message = tuple[str, int, int]


@dataclass
class Hold:
    """One ownership: from `assign` to `revoke` or the member's end, by numbers of lines."""

    member: str
    partition: int
    began: int
    position: int | None
    """The position that `assign` told."""
    commit: int | None
    """The group's commit in force when it began."""
    ended: int | None = None
    offsets: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    def start(self) -> int | None:
        """Where it began: told, else "the owner's first offset", else (nothing handed over) the commit in force."""
        if self.position is not None:
            return self.position
        return self.offsets[0] if self.offsets else self.commit

    def until(self, number: int, before: int) -> "Hold | None":
        """As it was when everything below `before` was deleted; what came of that had been fetched by then."""
        if self.began > number:
            return None
        kept = [
            (offset, n) for offset, n in zip(self.offsets, self.numbers, strict=True) if n < number or offset < before
        ]
        return replace(self, offsets=[offset for offset, _ in kept], numbers=[n for _, n in kept])

    def sent_elsewhere(self, start: int | None, deletions: list[tuple[int, int]]) -> bool:
        """Whether any of these took what it stood before: the offset behind all that it was handed, else its start."""
        for number, before in deletions:
            handed = [offset + 1 for offset, n in zip(self.offsets, self.numbers, strict=True) if n < number]
            if self.open_at(number) and max(handed, default=start or 0) < before:
                return True
        return False

    def open_at(self, number: int) -> bool:
        return self.began < number and (self.ended is None or self.ended > number)


@dataclass
class Delivery:
    """One `deliver` line."""

    number: int
    partition: int
    offset: int
    told: Message | None
    """The identity in the line."""
    message: Message | None
    """What it was: as the line says, else as the log, or the broker's ack, says of that offset."""
    corrupt: bool
    hold: Hold | None
    """None: the member did not own the partition then."""
    processed: int | None

    @property
    def place(self) -> tuple[int, int]:
        return self.partition, self.offset


def holds_of(lines: list[Line]) -> list[Hold]:
    """Every ownership in the order of its beginning.

    Where nobody tells assignments, and of members that assign themselves, one that tells none owns what it is handed,
    from the first delivery on.
    """
    tellers = {line["member"] for line in lines if line["type"] == "assign"}
    alone = lines[0]["group"] is None or not tellers
    commits: dict[int, int | None] = {}
    held: dict[tuple[str, int], Hold] = {}
    holds: list[Hold] = []

    def begin(number: int, member: str, partition: int, position: int | None) -> None:
        if (member, partition) not in held:
            hold = Hold(member, partition, number, position, commits.get(partition))
            held[member, partition] = hold
            holds.append(hold)

    for number, line in enumerate(lines):
        kind = line["type"]
        if kind == "stored" or (kind == "commit" and line["ok"]):
            commits[line["partition"]] = line["offset"]
        elif kind == "assign":
            positions = line.get("positions") or {}
            for partition in line["partitions"]:
                begin(number, line["member"], partition, positions.get(str(partition)))
        elif kind == "deliver":
            if alone and line["member"] not in tellers:
                begin(number, line["member"], line["partition"], None)
            hold = held.get((line["member"], line["partition"]))
            if hold is not None:
                hold.offsets.append(line["offset"])
                hold.numbers.append(number)
        elif kind == "revoke" or (kind == "member" and line["state"] != "join"):
            for key in list(held):
                if key[0] == line["member"] and (kind == "member" or key[1] in line["partitions"]):
                    held.pop(key).ended = number
    return holds


def deliveries_of(
    lines: list[Line], holds: list[Hold], message_at: Callable[[tuple[int, int]], Message | None]
) -> list[Delivery]:
    """Every delivery with its ownership, its message, and the line at which the application finished with it."""
    owner = {number: hold for hold in holds for number in hold.numbers}
    done = [(n, line) for n, line in enumerate(lines) if line["type"] == "processed"]
    found = []
    for number, line in enumerate(lines):
        if line["type"] != "deliver":
            continue
        place = (line["partition"], line["offset"])
        told = None
        if line.get("producer") is not None and line.get("seq") is not None:
            told = (line["producer"], line["partition"], line["seq"])
        corrupt = bool(line.get("corrupt"))
        # "A delivery whose checksum is wrong still delivers its offset": its own words come second.
        message = (message_at(place) or told) if corrupt or told is None else told
        finished = [
            later
            for later, other in done
            if other["member"] == line["member"] and (other["partition"], other["offset"]) == place
        ]
        found.append(Delivery(number, *place, told, message, corrupt, owner.get(number), min(finished, default=None)))
    return found
