"""Faults of the network in turns of a group that is a stand-in, with a proxy that is told what it counts."""

from types import SimpleNamespace
from typing import Any

from harness.broker.proxy import Count, Rule
from harness.faults.network import Network


class Told:
    """In the proxy's place: one rule, one count, as it has them."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.counted = Count()

    def set_rule(self, rule: Rule) -> None:
        self.rules.append(rule)
        self.counted = Count()

    def count(self) -> Count:
        return self.counted


def network(target: dict[str, Any], *, s: float, for_s: float) -> Network:
    name = f"network {next(iter(target))}"
    plan = {"fault": name, "kind": "network", "target": target, "when": {"s": s}, "after_s": 0}
    return Network(plan | {"for_s": for_s, "times": 1, "every_s": None})


def group_of(proxy: Told, faults: list[Network], events: list[dict[str, Any]]) -> Any:
    bench = SimpleNamespace(
        broker=SimpleNamespace(proxy=proxy),
        scenario=SimpleNamespace(messages=100),
        journal=SimpleNamespace(write=lambda _, **event: events.append(event)),
    )
    quiet = {"disturbed": lambda: None, "tell": lambda _: None}
    return SimpleNamespace(bench=bench, deliveries=1, words=set(), began=0.0, faults=faults, **quiet)


def played(proxy: Told, faults: list[Network], *, bites_at: float) -> list[tuple[str, str | None, str | None]]:
    """What each fault told as `injected`: 40 turns of 0.1 s; the proxy counts five held bytes at one moment."""
    events: list[dict[str, Any]] = []
    group = group_of(proxy, faults, events)
    for tenth in range(40):
        if tenth == round(bites_at * 10):
            proxy.counted = Count(held_bytes=5, connections={1})
        for fault in faults:
            fault.turn(group, tenth / 10)
    return [(one["fault"], one["effect"], one.get("why")) for one in events if one["phase"] == "injected"]


def test_one_that_meets_bytes_is_proved_by_them() -> None:
    hole = network({"blackhole": "both"}, s=0, for_s=2)
    assert played(Told(), [hole], bites_at=1) == [
        ("network blackhole", "5 bytes were held back, on 1 connection", None)
    ]


def test_a_second_one_meanwhile_neither_proves_nor_ends_the_first() -> None:
    proxy = Told()
    latency, hole = network({"latency_ms": 1}, s=0, for_s=3), network({"blackhole": "both"}, s=0.3, for_s=1)
    told = played(proxy, [latency, hole], bites_at=99)
    busy = "network latency_ms was still at work; only one fault of the network acts at a time"
    nothing = "it has met no connection: nothing was late, held back or reset"
    assert told == [("network blackhole", None, busy), ("network latency_ms", None, nothing)]
    assert proxy.rules == [Rule(latency_ms=1), Rule()]


def test_one_after_the_other_is_done() -> None:
    proxy = Told()
    first, second = network({"latency_ms": 1}, s=0, for_s=1), network({"blackhole": "both"}, s=1.5, for_s=1)
    told = played(proxy, [first, second], bites_at=2)
    assert told[1] == ("network blackhole", "5 bytes were held back, on 1 connection", None)
