"""Faults of the network in turns of a group that is a stand-in, with a proxy that is told what it counts."""

from types import SimpleNamespace
from typing import Any

import pytest

from harness.broker.proxy import Count, Rule
from harness.broker.requests import Frame
from harness.faults.network import Network, in_words

COMMIT = Frame("commit", "to_broker", 1, 90)
HEARTBEAT = Frame("heartbeat", "to_client", 1, 10)
EMPTY = Frame("fetch", "to_client", 1, 200)
MESSAGES = Frame("fetch", "to_client", 2, 5000)
ASKS = Frame("fetch", "to_broker", 1, 5000)
ACK = Frame("produce", "to_client", 1, 40)
SEALED = Frame("sealed", "to_client", 1, 5000)
SMALL = Frame("sealed", "to_client", 1, 60)


class Told:
    """In the proxy's place: one rule, one count, as it has them."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.counted = Count()
        self.cuts = 0

    def set_rule(self, rule: Rule) -> None:
        self.rules.append(rule)
        self.counted = Count()

    def cut(self) -> None:
        self.cuts += 1
        self.counted.cut, self.counted.connections = 1, {1}

    def count(self) -> Count:
        return self.counted


def held(*frames: Frame) -> Count:
    return Count(held_bytes=5, connections={1}, frames={(1, one.way, one.number): one for one in frames})


def network(target: dict[str, Any], *, s: float, for_s: float | None) -> Network:
    name = f"network {next(iter(target))}"
    plan = {"fault": name, "kind": "network", "target": target, "when": {"s": s}, "after_s": 0}
    return Network(plan | {"for_s": for_s, "times": 1, "every_s": None})


def group_of(proxy: Told, faults: list[Network], events: list[dict[str, Any]]) -> Any:
    bench = SimpleNamespace(
        broker=SimpleNamespace(proxy=proxy),
        scenario=SimpleNamespace(messages=100, size_bytes=100, partitions=4, members=None, restarts=None),
        journal=SimpleNamespace(write=lambda _, **event: events.append(event)),
    )
    quiet = {"disturbed": lambda: None, "tell": lambda _: None, "in_vain": lambda: None, "application_s": 0.0}
    told = {"who": "the group", "silence": "nobody was handed anything"}
    return SimpleNamespace(bench=bench, reached=1, words=set(), began=0.0, faults=faults, **told, **quiet)


def events_of(
    proxy: Told, faults: list[Network], *, bites_at: float, by: Count, quiet: bool = False
) -> list[dict[str, Any]]:
    """40 turns of 0.1 s, of which each brings a message unless it is quiet; the proxy counts `by` at one moment."""
    events: list[dict[str, Any]] = []
    group = group_of(proxy, faults, events)
    for tenth in range(40):
        group.reached += 0 if quiet and tenth > 3 else 1
        if tenth == round(bites_at * 10):
            proxy.counted = by
        for fault in faults:
            fault.turn(group, tenth / 10)
    return events


def played(proxy: Told, faults: list[Network], **how: Any) -> list[tuple[str, str | None, str | None]]:
    """What each fault told as `injected`."""
    events = events_of(proxy, faults, **how)
    return [(one["fault"], one["effect"], one.get("why")) for one in events if one["phase"] == "injected"]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (COMMIT, "5 bytes, 1 commit among them, were held back, on 1 connection"),
        (MESSAGES, "5 bytes, 1 answer with messages among them, were held back, on 1 connection"),
        (ACK, "5 bytes, 1 answer to a produce request among them, were held back, on 1 connection"),
        (SEALED, "5 bytes, 1 encrypted record as large as a message among them, were held back, on 1 connection"),
    ],
)
def test_one_that_meets_a_message_or_a_commit_is_proved_by_it(frame: Frame, words: str) -> None:
    hole = network({"blackhole": "both"}, s=0, for_s=2)
    assert played(Told(), [hole], bites_at=1, by=held(HEARTBEAT, frame)) == [("network blackhole", words, None)]


@pytest.mark.parametrize("frame", [HEARTBEAT, EMPTY, ASKS, SMALL])
def test_one_that_meets_nothing_that_matters_proves_nothing(frame: Frame) -> None:
    hole = network({"blackhole": "both"}, s=0, for_s=2)
    why = "5 bytes were held back, on 1 connection, but no message and no commit was among them"
    assert played(Told(), [hole], bites_at=1, by=held(frame)) == [("network blackhole", None, why)]


def test_silence_under_it_proves_it_and_is_told() -> None:
    hole = network({"blackhole": "both"}, s=0.5, for_s=2)
    events = events_of(Told(), [hole], bites_at=1, by=held(HEARTBEAT), quiet=True)
    injected, healing = (next(e["effect"] for e in events if e["phase"] == phase) for phase in ("injected", "healing"))
    assert injected.startswith("5 bytes were held back, on 1 connection; nobody was handed anything for 1.")
    assert healing == "5 bytes were held back, on 1 connection; nobody was handed anything for 2.0 s"


@pytest.mark.parametrize("other", [{"members": {"a": None}}, {"restarts": 1}, {}])
def test_silence_that_something_else_may_explain_proves_nothing(other: dict[str, Any]) -> None:
    hole, events = network({"blackhole": "both"}, s=0.5, for_s=2), list[dict[str, Any]]()
    faults: list[Any] = [hole] if other else [hole, SimpleNamespace()]
    proxy = Told()
    group = group_of(proxy, faults, events)
    vars(group.bench.scenario).update(other)
    for tenth in range(40):
        proxy.counted = held(HEARTBEAT)
        hole.turn(group, tenth / 10)
    assert [event["effect"] for event in events if event["phase"] == "injected"] == [None]


def test_silence_in_which_no_byte_was_met_proves_nothing() -> None:
    hole = network({"blackhole": "both"}, s=0.5, for_s=2)
    nothing = "it has met no connection: nothing was late, held back or reset"
    assert played(Told(), [hole], bites_at=9, by=Count(), quiet=True) == [("network blackhole", None, nothing)]


@pytest.mark.parametrize(
    ("carried", "words"),
    [
        ([MESSAGES, COMMIT], "1 connection was reset that had carried commits and messages"),
        ([ACK], "1 connection was reset that had carried messages"),
        ([HEARTBEAT, EMPTY], None),
        ([], None),
    ],
)
def test_a_reset_matters_where_the_connection_had_carried_something(carried: list[Frame], words: str | None) -> None:
    by = Count(cut=1, connections={1}, carried=carried)
    ((_, effect, why),) = played(Told(), [network({"cut_after_bytes": 9}, s=0, for_s=2)], bites_at=1, by=by)
    assert effect == words
    assert why == (None if words else "1 connection was reset, and none had carried a message or a commit")


@pytest.mark.parametrize(
    ("target", "kind", "proved"),
    [
        ({"cut": True}, "handshake", True),
        ({"cut": True}, "sealed", True),
        ({"cut": True}, "heartbeat", False),
        ({"cut_after_bytes": 9}, "handshake", False),
        ({"blackhole": "both", "cut": True}, "handshake", False),
    ],
)
def test_a_reset_of_all_that_is_encrypted_is_proof_enough(target: dict[str, Any], kind: str, *, proved: bool) -> None:
    proxy = Told()
    proxy.cut = lambda: setattr(proxy, "counted", by)  # type: ignore[method-assign]
    by = Count(cut=1, connections={1}, carried=[Frame(kind, "to_client", 1, 60)])
    by.held_bytes = 5 if "blackhole" in target else 0
    ((_, effect, _),) = played(proxy, [network(target, s=0, for_s=0.5)], bites_at=0.2, by=by)
    assert (effect is not None) == proved


def test_a_cut_comes_at_once_and_once() -> None:
    proxy = Told()
    proxy.counted.carried = [MESSAGES]
    events_of(proxy, [network({"cut": True}, s=0, for_s=None)], bites_at=9, by=Count())
    assert (proxy.cuts, proxy.rules) == (1, [Rule(), Rule()])


def test_a_hole_that_ends_in_a_cut_loses_what_it_held_and_is_proved_by_that_alone() -> None:
    for frame, proved in ((ACK, True), (HEARTBEAT, False)):
        proxy, by = Told(), held(frame)
        by.carried = [MESSAGES]
        events = events_of(proxy, [network({"blackhole": "to_client", "cut": True}, s=0, for_s=2)], bites_at=1, by=by)
        told = [event["effect"] for event in events if event["phase"] == "healing"]
        words = "5 bytes, 1 answer to a produce request among them, never came and 1 connection was reset that had "
        words += "carried messages"
        assert told == [words if proved else None]
        assert proxy.cuts == 1
        assert proxy.rules == [Rule(blackhole="to_client"), Rule()]


def test_a_second_one_meanwhile_neither_proves_nor_ends_the_first() -> None:
    proxy = Told()
    latency, hole = network({"latency_ms": 1}, s=0, for_s=3), network({"blackhole": "both"}, s=0.3, for_s=1)
    told = played(proxy, [latency, hole], bites_at=99, by=Count())
    busy = "network latency_ms was still at work; only one fault of the network acts at a time"
    nothing = "it has met no connection: nothing was late, held back or reset"
    assert told == [("network blackhole", None, busy), ("network latency_ms", None, nothing)]
    assert proxy.rules == [Rule(latency_ms=1), Rule()]


def test_one_after_the_other_is_done() -> None:
    first, second = network({"latency_ms": 1}, s=0, for_s=1), network({"blackhole": "both"}, s=1.5, for_s=1)
    told = played(Told(), [first, second], bites_at=2, by=held(COMMIT))
    assert told[1][1] is not None


def test_many_are_told_as_many() -> None:
    frames = [Frame("commit", "to_broker", number, 90) for number in range(3)]
    count = Count(late_bytes=1234, connections={1, 2}, frames={(1, one.way, one.number): one for one in frames})
    assert in_words(count, 420) == "1,234 bytes, 3 commits among them, came late, on 2 connections"
