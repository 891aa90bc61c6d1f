"""What is taken out, against scenarios whose failure is a rule that the test knows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.scenario import load
from harness.shrinking.bare import Values, bare, repaired
from harness.shrinking.reduce import COUNTS, least, numbers, shrink

Fails = Callable[[Values], bool]

BIG: Values = {
    "about": "Three members.",
    "client": "kafka-python==2.0.2",
    "api": "poll",
    "partitions": 12,
    "messages": 100_000,
    "size_bytes": 500,
    "producer": {"settings": {"linger.ms": 20}, "rate": 50_000},
    "consumer": {"settings": {"max_poll_records": 10, "fetch_min_bytes": 1}, "processing": {"batch_ms": 3}},
    "group": {"session_timeout_ms": 6000},
    "members": {
        "a": {"steps": [{"take": 20_000}, {"tell": "a reads"}, {"read": {"until": "b closed"}}, "restart", "drain"]},
        "b": {"steps": [{"wait": "a reads"}, {"take": 8_000}, "close"]},
        "c": {"steps": ["drain"]},
    },
    "faults": [{"freeze": "c", "for_s": 2, "when": {"deliveries": 500}}, {"kill": "b", "when": {"word": "a reads"}}],
    "drain": {"start_s": 30},
    "seed": 7,
}


def shrunk(values: Values, fails: Fails) -> tuple[Values, int]:
    """What is left, and how many candidates were run for it."""
    start = repaired(values)
    assert start is not None
    assert fails(start)
    known: dict[str, bool] = {}

    def tried(made: Values, what: str) -> Values | None:
        candidate = repaired(made)
        assert what
        if candidate is None:
            return None
        holds = known.setdefault(str(candidate), fails(candidate))
        return candidate if holds and candidate != start else None

    return shrink(start, tried), len(known)


def has(values: Values, member: str, step: Any) -> bool:
    return step in ((values.get("members", {}).get(member) or {}).get("steps") or [])


def test_all_that_is_not_needed_goes() -> None:
    left, runs = shrunk(BIG, lambda values: has(values, "a", "restart"))
    assert left == {
        "about": "Three members.",
        "client": "kafka-python==2.0.2",
        "api": "poll",
        "security": "plaintext",
        "partitions": 1,
        "messages": 1,
        "size_bytes": 8,
        "members": {"a": {"steps": ["restart"]}},
    }
    assert runs < 60


def test_what_is_needed_stays() -> None:
    def fails(values: Values) -> bool:
        steps = values.get("members", {}).get("a", {}).get("steps", [])
        take = next((step["take"] for step in steps if "take" in step), 0)
        partitions = values.get("partitions", 4)
        per = values["messages"] / partitions
        return partitions >= 2 and per >= 25 and 1 <= take < per

    big = {**BIG, "members": {"a": {"steps": [{"take": 5_000}, "restart", "drain"]}}, "faults": []}
    left, runs = shrunk(big, fails)
    assert left["partitions"] == 2
    assert 50 <= left["messages"] <= 75
    assert left["members"] == {"a": {"steps": [{"take": 1}]}}
    assert "consumer" not in left
    assert runs < 90


def test_the_broker_stays_the_same() -> None:
    left, _ = shrunk({**BIG, "broker": {"kafka": "3.9.1", "nodes": 3, "heap_mb": 256}}, lambda values: True)
    assert left["broker"] == {"kafka": "3.9.1", "heap_mb": 256}


def test_tls_stays_where_it_matters() -> None:
    left, _ = shrunk(BIG, lambda values: "security" not in values)
    assert "security" not in left


def test_a_setting_by_itself() -> None:
    def fails(values: Values) -> bool:
        return "max_poll_records" in values.get("consumer", {}).get("settings", {})

    left, _ = shrunk(BIG, fails)
    assert left["consumer"] == {"settings": {"max_poll_records": 10}}, "a library's own numbers are not ours to lower"


def test_who_waits_for_a_member_that_is_gone_waits_no_more() -> None:
    values = repaired({**BIG, "members": {name: BIG["members"][name] for name in ("a", "c")}})
    assert values is not None
    assert values["members"]["a"]["steps"] == [{"take": 20_000}, {"tell": "a reads"}, "restart", "drain"]
    assert [next(iter(fault)) for fault in values["faults"]] == ["freeze"]


def test_what_cannot_be_a_scenario_is_not_run() -> None:
    assert repaired({**BIG, "messages": 0}) is None
    assert repaired({key: value for key, value in BIG.items() if key != "api"}) is None


@pytest.mark.parametrize("true_least", [1, 2, 3, 17, 99_999, 100_000])
def test_the_least_number(true_least: int) -> None:
    asked: list[int] = []

    def holds(number: int) -> Values | None:
        asked.append(number)
        return {"messages": number} if number >= true_least else None

    found = least(100_000, 1, holds)
    value = 100_000 if found is None else found["messages"]
    assert true_least <= value <= max(true_least + 1, true_least * 1.5)
    assert len(asked) < 20
    assert all(number < 100_000 for number in asked)


def test_counts_are_those_of_messages() -> None:
    assert {path[-1] for path in numbers(BIG, COUNTS)} == {"messages", "take", "deliveries"}


@pytest.mark.parametrize("name", ["known-bugs/K2_pause_resume", "known-bugs/K6_listener_stall", "ssl_iter"])
def test_bare_says_the_same_as_the_whole(name: str) -> None:
    scenario = load(name)
    values = bare(scenario)
    assert repaired(values) == values
    assert "drain" not in values
    assert type(scenario).model_validate(values).model_dump() == scenario.model_dump() | {"client": values["client"]}


@pytest.mark.parametrize("name", ["k1_three_members", "c3_three_members"])
def test_the_large_ones_are_scenarios(name: str) -> None:
    """They are shrunk by hand: a run takes a minute."""
    values = bare(load(Path(__file__).parent / "scenarios" / f"{name}.yaml"))
    assert (values["messages"], len(values["members"])) == (100_000, 3)
