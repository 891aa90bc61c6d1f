"""Pure: what of a scenario its broker cannot do: how many nodes there are, and what may be done to them."""

from collections.abc import Iterator
from typing import Any

from harness.broker.base import ABILITIES
from harness.fault_models import NODES
from harness.scenario_file import KeyPath, near
from harness.scenario_findings import Finding, Lookup, described

NEEDS = {
    "restart_broker": "restart",
    "kill_broker": "kill",
    "pause_broker": "pause",
    "move_leader": "requests",
    "move_coordinator": "requests",
}
"""The ability that a fault needs."""
BACKEND, KAFKA = ("broker", "backend"), ("broker", "kafka")
OLD = ("0.", "1.", "2.", "3.")
"""Releases whose logs are set up in another way than docker-compose.ssl.yml says."""


def nodes(get: Lookup) -> Iterator[Finding]:
    """Whether the backend can have as many nodes as it shall."""
    count = get("broker", "nodes")
    if count is not None and count > 1 and "nodes" not in abilities(get):
        what = f"a broker of the backend {get(*BACKEND)} has the nodes that it has; leave it out, or use embedded"
        yield Finding(("broker", "nodes"), what, also=(BACKEND,))
    copies = get("topic", "replication")
    if copies is not None and count is not None and copies > count and get(*BACKEND) != "external":
        yield Finding(("topic", "replication"), f"there are no {copies} nodes; broker.nodes is {count}")


def fault(get: Lookup, path: KeyPath, kind: str) -> Iterator[Finding]:
    """What is wrong with a fault of the broker."""
    target, key, count = get(*path, kind), (*path, kind), get("broker", "nodes")
    ability = NEEDS[kind]
    if ability not in abilities(get):
        does = "tell what clients ask of a node" if ability == "requests" else f"{ability} a node"
        yield Finding(key, f"a broker of the backend {get(*BACKEND)} cannot {does}; embedded can", also=(BACKEND,))
    elif ability == "requests" and get(*BACKEND) == "docker" and (get(*KAFKA) or "4").startswith(OLD):
        what = "before Kafka 4.0 a broker of the backend docker does not tell what clients ask of a node; embedded does"
        yield Finding(key, what, also=(BACKEND, KAFKA))
    if kind in ("restart_broker", "kill_broker", "pause_broker"):
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


def strange(get: Lookup) -> Iterator[Finding]:
    """What only a broker that the harness has set up itself can do; and how it is reached."""
    if get(*BACKEND) != "external":
        if get("security") in ("tls", "sasl_tls"):
            what = "only a broker of the backend external is reached so; mutual_tls or plaintext"
            yield Finding(("security",), what, also=(BACKEND,))
        return
    for key, wrong, does in (
        (("topic", "compacted"), get("topic", "compacted") is not None, "be told to compact at once"),
        (("consumer", "certificate"), get("consumer", "certificate") == "foreign", "be expected to refuse a client"),
    ):
        if wrong:
            yield Finding(key, f"a broker of the backend external cannot {does}; embedded can", also=(BACKEND,))


def network(get: Lookup, path: KeyPath) -> Iterator[Finding]:
    """Faults of the network need a proxy before the broker."""
    backend, key = get(*BACKEND), (*path, "network")
    if "proxy" not in abilities(get):
        what = f"a broker of the backend {backend} has no proxy before it; embedded has one"
        yield Finding(key, what, also=(BACKEND,))
    elif backend == "docker" and get("security") == "plaintext":
        what = "a proxy stands before the TLS port alone of a broker of the backend docker: security: mutual_tls, or "
        yield Finding(key, what + "embedded", also=(BACKEND, ("security",)))


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
