"""The model's broker and producers: sends that end in every way, transactions, holes, copies, retention."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.verify.model import World

Entry = tuple[int, str, int]
"""Offset, producer, seq."""


@dataclass
class Partition:
    """A log: what it holds, where it begins and ends."""

    entries: list[Entry] = field(default_factory=list)
    aborted: set[int] = field(default_factory=set)
    start: int = 0
    end: int = 0
    deleted: int = 0
    """Below it nobody can be handed anything any more but what was fetched. The reader had read it before."""

    def append(self, producer: str, seq: int) -> int:
        self.entries.append((self.end, producer, seq))
        self.end += 1
        return self.end - 1


class Broker:
    """Partitions, and producers that count from 0 in each of them."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.partitions = [Partition() for _ in range(world.run["partitions"])]
        self.producers = {"p1": {}, "p2": {}}
        self.restarts = 0
        self.transactions = 0
        # Some readers show what was aborted, marked; others leave it out.
        self.shows_aborted = world.chance(0.7)

    def grow(self) -> None:
        """A partition that was not there when the run began."""
        if len(self.partitions) < 4:
            self.partitions.append(Partition())

    def delete(self) -> None:
        number = self.world.rng.randrange(len(self.partitions))
        part = self.partitions[number]
        if part.deleted < part.end:
            part.deleted = self.world.rng.randint(part.deleted + 1, part.end)
            self.world.tell("deleted", partition=number, before=part.deleted)

    def produce(self, badness: float) -> None:
        world = self.world
        if world.chance(0.05):
            # Started again under a new name: its sequence begins anew, and the old one's silence stays.
            self.restarts += 1
            gone = world.rng.choice(list(self.producers))
            del self.producers[gone]
            self.producers[f"{gone[:2]}-{self.restarts}"] = {}
        producer = world.rng.choice(list(self.producers))
        if world.chance(0.2):
            self._transaction(producer, badness)
        else:
            for _ in range(world.rng.choice((1, 1, 2, 4))):
                self._send(producer, self._ending(badness), badness)
        if world.chance(0.1):
            world.rng.choice(self.partitions).end += 1
        if world.chance(badness / 3):
            part = world.rng.choice(self.partitions)
            part.start = world.rng.randint(part.start, part.end)
            part.entries = [entry for entry in part.entries if entry[0] >= part.start]

    def _ending(self, badness: float) -> str:
        if not self.world.chance(max(badness, 0.1)):
            return "ack"
        return self.world.rng.choice(("unknown", "nack", "silent", "lost", "ack without offset", "never sent"))

    def _send(self, producer: str, ending: str, badness: float, **more: Any) -> tuple[Partition, int] | None:
        """One message; returns where it was written."""
        world, rng = self.world, self.world.rng
        number = rng.randrange(len(self.partitions))
        seqs = self.producers[producer]
        seq = seqs.get(number, 0)
        seqs[number] = seq + 1
        part = self.partitions[number]
        named = {"producer": producer, "partition": number}
        if ending == "never sent":
            seqs[number] = seq
            part.append(producer, 1000 + rng.randrange(3))
            return None
        named["seq"] = seq
        world.tell("send", **named, **more)
        written = {"ack": 1.0, "ack without offset": 0.9, "lost": 0.0, "nack": badness}.get(ending, 0.6)
        offset = part.end
        if world.chance(written):
            part.append(producer, seq)
            if world.chance(badness / 3):
                part.append(producer, seq)
        elif ending == "lost":
            part.end += 1  # or two acks would name one offset, and a delivery without identity nothing
        if ending in ("ack", "lost"):
            world.tell("ack", **named, offset=offset)
        elif ending == "ack without offset":
            world.tell("ack", **named)
        elif ending in ("nack", "unknown"):
            world.tell(ending, **named, error="e")
        return part, offset

    def _transaction(self, producer: str, badness: float) -> None:
        world = self.world
        self.transactions += 1
        txn = f"t{self.transactions}"
        if world.chance(0.5):
            world.tell("txn", producer=producer, txn=txn, state="begin")
        places = []
        for _ in range(world.rng.randint(1, 4)):
            places.append(self._send(producer, self._ending(badness / 2), badness, txn=txn))
        state = world.rng.choice(("commit", "commit", "abort", "unknown", "begin"))
        if state != "begin":
            world.tell("txn", producer=producer, txn=txn, state=state)
        aborts = state == "abort" or (state != "commit" and world.chance(0.5))
        for place in places:
            if place is None:
                continue
            part, offset = place
            # With some badness a part of the transaction is on the wrong side.
            if aborts != world.chance(badness / 2):
                part.aborted |= {entry[0] for entry in part.entries if entry[0] >= offset}
            part.end += world.rng.choice((0, 1))  # the marker that ends it

    def tell_log(self, badness: float) -> None:
        """What the independent reader found, for all partitions, for some, or for none."""
        world = self.world
        known = world.rng.choice((1.0, 1.0, 1.0, 1.0, 0.6, 0.0))
        for number, part in enumerate(self.partitions):
            if not world.chance(known):
                continue
            for offset, producer, seq in part.entries:
                marked = offset in part.aborted
                if marked and not self.shows_aborted:
                    continue
                if world.chance(badness / 4):
                    continue  # the broker lost it
                more = {"aborted": True} if marked else {}
                world.tell("log", partition=number, offset=offset, producer=producer, seq=seq, **more)
            world.tell("log_end", partition=number, start=part.start, end=part.end)
