"""A small model of Kafka that makes histories: a log per partition, a group, producers, transactions, faults.

`wild(rng)` lets everything happen at random, sound and unsound, so that deeds meet each other in every combination;
what such a history means is for the oracle to say. Its parts are in model_log.py (what producers do) and
model_group.py (what members do). Everything is drawn from one `random.Random`, so a number names a history.
"""

import random
from typing import Any

from tests.verify.model_group import Group
from tests.verify.model_log import Broker

Line = dict[str, Any]


class World:
    """One run: the lines told so far, the broker, and the group."""

    def __init__(self, rng: random.Random, **fixed: Any) -> None:
        self.rng = rng
        self.run: Line = {
            "type": "run",
            "run": "model",
            "guarantee": rng.choice(("at_least_once", "at_most_once", "exactly_once")),
            "partitions": rng.choice((1, 1, 2, 3)),
            "isolation": rng.choice(("read_uncommitted", "read_committed")),
            "reset": rng.choice(("earliest", "earliest", "latest", "none")),
            "group": rng.choice(("g", "g", "g", None)),
            "idempotent": rng.choice((True, False)),
            **fixed,
        }
        self.lines: list[Line] = [self.run]
        self.group = Group(self)
        self.broker = Broker(self)

    def tell(self, kind: str, **keys: Any) -> None:
        self.lines.append({"type": kind, **keys})

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def finished(self) -> list[Line]:
        return [{"t": 1000 * (number + 1), **line} for number, line in enumerate(self.lines)]


def wild(rng: random.Random) -> list[Line]:
    """Anything at all."""
    world = World(rng)
    badness = rng.choice((0.0, 0.03, 0.1, 0.3))
    for _ in range(rng.randint(4, 40)):
        deed = rng.random()
        if deed < 0.3:
            world.broker.produce(badness)
        elif deed < 0.92:
            world.group.act(badness)
        elif deed < 0.95:
            world.group.look()
        elif deed < 0.965 and world.run["partitions"] < 3:
            world.broker.grow()
        elif deed < 0.975:
            world.broker.delete()
        elif deed < 0.985:
            _fault(world, badness)
    _end(world, badness)
    if world.chance(0.15):
        _blur(world)
    return world.finished()


def _fault(world: World, badness: float) -> None:
    name = world.rng.choice(("kill", "pause"))
    world.tell("fault", fault=name, phase="injecting")
    if not world.chance(badness):
        world.tell("fault", fault=name, phase="injected", effect=None if world.chance(badness) else "c1 died")


def _end(world: World, badness: float) -> None:
    """Perhaps everything is read to the end; the bounded wait; perhaps a last look; the reader."""
    if world.chance(0.7):
        world.group.read_on()
    if world.chance(0.3):
        world.group.end_all()
    if world.chance(0.85):
        world.tell("drained", waited_s=10, lag={})
        for _ in range(world.rng.choice((0, 0, 0, 1, 3))):
            world.rng.choice((world.broker.produce, world.group.act))(badness)
    if world.chance(0.3):
        world.group.look()
    world.broker.tell_log(badness)


def _blur(world: World) -> None:
    """Lines of members are lost, doubled or swapped with the next: what no sound client would tell."""
    rng = world.rng
    kinds = ("deliver", "processed", "commit", "stored", "assign", "revoke", "drained")
    for _ in range(rng.randint(1, 3)):
        places = [n for n, line in enumerate(world.lines) if line["type"] in kinds]
        if not places:
            return
        place = rng.choice(places)
        how = rng.choice(("drop", "double", "swap"))
        if how == "drop":
            del world.lines[place]
        elif how == "double" and world.lines[place]["type"] != "drained":
            world.lines.insert(rng.randint(place, len(world.lines)), dict(world.lines[place]))
        elif how == "swap" and place + 1 < len(world.lines):
            pair = world.lines[place : place + 2]
            if pair[1]["type"] in kinds:
                world.lines[place : place + 2] = pair[::-1]
