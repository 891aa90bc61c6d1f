"""The model's group: members that join, own, read, finish, commit, give back, leave and die; well and badly."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.verify.model import World

Place = tuple[int, int]
"""Partition, offset."""


@dataclass
class Member:
    """What one member holds, where it is, and what it has not finished."""

    name: str
    tells: bool
    positions: dict[int, int] = field(default_factory=dict)
    pending: list[Place] = field(default_factory=list)


class Group:
    """Members, and the commits that the group has stored."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.alone = world.run["group"] is None
        self.members: list[Member] = []
        self.former: list[Member] = []
        self.commits: dict[int, int] = {}
        self.count = 0
        self.tells_positions = world.rng.choice((0.0, 0.5, 1.0))
        self.finishes = world.rng.choice((None, 0.5, 0.9, 1.0))
        self.overlaps = world.rng.choice((0.0, 0.0, 0.2))
        self.names_messages = world.rng.choice((1.0, 1.0, 0.0, 0.7))

    def act(self, badness: float) -> None:
        """One deed of one member, or a rebalance."""
        deed = self.world.rng.random()
        if not self.members or deed < 0.08:
            self.join(badness)
            return
        member = self.world.rng.choice(self.members)
        if deed < 0.6:
            self.poll(member, badness)
        elif deed < 0.78:
            self.commit(member, badness)
        elif deed < 0.84:
            self.give_back(member)
        elif deed < 0.92:
            self.end(member)
        else:
            self.assign(member, badness)

    def join(self, badness: float) -> None:
        """A new member, or one that comes back under its name; it takes what is free, perhaps more."""
        world = self.world
        if self.former and world.chance(0.3):
            member = self.former.pop()
            member.positions, member.pending = {}, []
        else:
            self.count += 1
            member = Member(f"c{self.count}", tells=not (self.alone and world.chance(0.4)))
        self.members.append(member)
        world.tell("member", member=member.name, state="join")
        if world.chance(0.4):
            self._rebalance()
        self.assign(member, badness)

    def _rebalance(self) -> None:
        """Eager: everybody gives everything back. Cooperative: one partition moves."""
        whole = self.world.chance(0.5)
        for member in self.members:
            if member.positions:
                self.give_back(member, everything=whole)
                if not whole:
                    return

    def free(self) -> list[int]:
        held = {partition for member in self.members for partition in member.positions}
        every = range(len(self.world.broker.partitions))
        return [n for n in every if n not in held or self.alone or self.world.chance(self.overlaps)]

    def assign(self, member: Member, badness: float) -> None:
        rng, world = self.world.rng, self.world
        free = self.free()
        taken = rng.sample(free, rng.randint(1, len(free))) if free else []
        if not member.tells:
            taken = taken or [0]
        told: dict[str, Any] = {}
        for partition in taken:
            if partition in member.positions:
                continue
            part = world.broker.partitions[partition]
            start = self.commits.get(partition)
            if start is None or start < max(part.start, part.deleted):
                start = self._reset(part)
            if world.chance(badness / 2):
                start = rng.randint(part.start, max(part.start, part.end))
            member.positions[partition] = start
            if world.chance(self.tells_positions):
                told[str(partition)] = start
        if member.tells and (taken or world.chance(0.3)):
            more = {"positions": told} if told or world.chance(0.2) else {}
            world.tell("assign", member=member.name, partitions=taken, **more)

    def _reset(self, part: Any) -> int:
        """Where the reset policy leads."""
        to_the_end = self.world.run["reset"] == "latest" and self.world.chance(0.5)
        return part.end if to_the_end else max(part.start, part.deleted)

    def poll(self, member: Member, badness: float) -> None:
        """Up to four messages of one partition, in order, unless badly."""
        world, rng = self.world, self.world.rng
        if not member.positions:
            return
        partition = rng.choice(list(member.positions))
        part = world.broker.partitions[partition]
        for _ in range(rng.choice((1, 2, 4))):
            position = member.positions[partition]
            if position < part.deleted and world.chance(0.8):  # else it had fetched more
                position = self._reset(part)
            if world.chance(badness / 2):
                position += rng.choice((-3, -2, -1, 1, 1, 2))
            ahead = [entry for entry in part.entries if entry[0] >= position and self._visible(part, entry[0], badness)]
            if not ahead:
                break
            offset, producer, seq = ahead[0]
            member.positions[partition] = offset + 1
            self.deliver(member, (partition, offset), (producer, seq), badness)
        if world.chance(badness / 4):
            # Handed over although it is no longer, or never was, its own.
            other = rng.randrange(len(world.broker.partitions))
            entries = world.broker.partitions[other].entries
            if entries:
                offset, producer, seq = rng.choice(entries)
                self.deliver(member, (other, offset), (producer, seq), badness)
        self._finish(member)

    def _visible(self, part: Any, offset: int, badness: float) -> bool:
        if self.world.run["isolation"] == "read_uncommitted":
            return True
        return offset not in part.aborted or self.world.chance(badness / 2)

    def deliver(self, member: Member, place: Place, message: tuple[str, int], badness: float) -> None:
        world, rng = self.world, self.world.rng
        partition, offset = place
        more: dict[str, Any] = {}
        if world.chance(self.names_messages):
            producer, seq = message
            if world.chance(badness / 5):
                seq = rng.choice((max(0, seq - 1), seq + 2000))
            more = {"producer": producer, "seq": seq}
        elif world.chance(badness / 5):
            offset += 1
        if world.chance(badness / 5):
            more["corrupt"] = True
        world.tell("deliver", member=member.name, partition=partition, offset=offset, **more)
        member.pending.append((partition, offset))
        if world.chance(0.5):
            self._finish(member)

    def _finish(self, member: Member) -> None:
        if self.finishes is None:
            member.pending = []
            return
        while member.pending and self.world.chance(self.finishes):
            partition, offset = member.pending.pop(0)
            self.world.tell("processed", member=member.name, partition=partition, offset=offset)

    def commit(self, member: Member, badness: float) -> None:
        """At the position or at what is finished; badly: elsewhere, or for a partition that it does not own."""
        world, rng = self.world, self.world.rng
        if self.alone or not member.positions:
            return
        partition = rng.choice(list(member.positions))
        offset = member.positions[partition]
        if world.chance(0.3):
            offset = min([place[1] for place in member.pending if place[0] == partition] or [offset])
        if world.chance(badness):
            offset = max(0, offset + rng.choice((-2, -1, 1, 2)))
        if world.chance(badness / 4):
            partition = rng.randrange(len(world.broker.partitions))
        ok = not world.chance(badness / 2)
        if ok or world.chance(0.3):
            self.commits[partition] = offset
        world.tell("commit", member=member.name, partition=partition, offset=offset, ok=ok)
        if world.chance(badness / 6):
            self.commits.pop(partition, None)  # the broker forgot it

    def give_back(self, member: Member, *, everything: bool = False) -> None:
        world = self.world
        held = list(member.positions)
        if not held:
            return
        given = held if everything else world.rng.sample(held, world.rng.randint(1, len(held)))
        for partition in given:
            del member.positions[partition]
        if member.tells:
            more = {"lost": True} if world.chance(0.2) else {}
            world.tell("revoke", member=member.name, partitions=given, **more)

    def end(self, member: Member) -> None:
        world = self.world
        if world.chance(0.4):
            self.give_back(member, everything=True)
        self.members.remove(member)
        self.former.append(member)
        world.tell("member", member=member.name, state=world.rng.choice(("leave", "killed", "crashed")))

    def end_all(self) -> None:
        for member in list(self.members):
            self.end(member)

    def read_on(self) -> None:
        """Somebody owns everything and reads to the end."""
        if not self.members or self.world.chance(0.5):
            self.join(0)
        for _ in range(12):
            self.poll(self.world.rng.choice(self.members), 0)

    def look(self) -> None:
        """The group's stored offset, seen from outside."""
        if not self.alone:
            partition = self.world.rng.randrange(len(self.world.broker.partitions))
            self.world.tell("stored", partition=partition, offset=self.commits.get(partition))
