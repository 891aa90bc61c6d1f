"""Pure: what of a scenario its broker cannot do: how many nodes there are, and what may be done to them."""

from collections.abc import Iterator
from typing import Any

from harness.broker.base import ABILITIES
from harness.fault_models import NODES
from harness.scenario_file import KeyPath, near
from harness.scenario_findings import Finding, Lookup, described

NEEDS = {"restart_broker": "restart", "kill_broker": "kill", "move_leader": "requests", "move_coordinator": "requests"}
"""The ability that a fault needs."""
BACKEND = ("broker", "backend")


def nodes(get: Lookup) -> Iterator[Finding]:
    """Whether the backend can have as many nodes as it shall."""
    count = get("broker", "nodes")
    if count is not None and count > 1 and "nodes" not in abilities(get):
        what = f"a broker of the backend {get(*BACKEND)} has the nodes that it has; leave it out, or use embedded"
        yield Finding(("broker", "nodes"), what, also=(BACKEND,))


def fault(get: Lookup, path: KeyPath, kind: str) -> Iterator[Finding]:
    """What is wrong with a fault of the broker."""
    target, key, count = get(*path, kind), (*path, kind), get("broker", "nodes")
    ability = NEEDS[kind]
    if ability not in abilities(get):
        does = "tell what clients ask of a node" if ability == "requests" else f"{ability} a node"
        yield Finding(key, f"a broker of the backend {get(*BACKEND)} cannot {does}; embedded can", also=(BACKEND,))
    if kind in ("restart_broker", "kill_broker"):
        yield from _node(key, target, count)
    elif kind == "move_coordinator" and target is False:
        yield Finding(key, "true, or another kind of fault")
    elif kind == "move_leader":
        yield from _partition(get, key, target)
    if kind in ("move_leader", "move_coordinator") and count == 1:
        yield Finding(key, "there is no other node; broker.nodes: 3", also=(("broker", "nodes"),))
    if kind == "kill_broker" and count == 1 and get(*path, "restart_after_s") is None:
        what = "the only node would never come back: set `restart_after_s`, or broker.nodes: 3"
        yield Finding(key, what, also=(("broker", "nodes"),))
    if target == "coordinator" and get(*path, "during") == "produce":
        what = "there is no group while messages are produced; leader, or the number of a node"
        yield Finding(key, what, also=((*path, "during"),))
    if get("planted"):
        yield Finding(key, "the planted client makes its own faults; leave `planted` or this out")


def _node(key: KeyPath, target: Any, count: int | None) -> Iterator[Finding]:
    if isinstance(target, int) and not isinstance(target, bool):
        if count is not None and not 1 <= target <= count:
            there = "there is 1" if count == 1 else f"there are {count}, from 1"
            yield Finding(key, f"there is no node {target}; {there}", also=(("broker", "nodes"),))
    elif target not in NODES:
        meant = near(target, NODES) if isinstance(target, str) else ""
        yield Finding(key, f"expected the number of a node, {' or '.join(NODES)}, found {described(target)}{meant}")


def _partition(get: Lookup, key: KeyPath, target: Any) -> Iterator[Finding]:
    partitions = get("partitions")
    if target is False:
        yield Finding(key, "true, or the number of a partition")
    elif target is not True and not isinstance(target, int):
        yield Finding(key, f"expected true, or the number of a partition, found {described(target)}")
    elif target is not True and partitions is not None and not 0 <= target < partitions:
        yield Finding(key, f"there is no partition {target}; there are {partitions}, from 0", also=(("partitions",),))


def abilities(get: Lookup) -> frozenset[str]:
    backend = get(*BACKEND)
    # One that is wrong is told as that.
    return ABILITIES.get("embedded" if backend in (None, "auto") else backend, ABILITIES["embedded"])
