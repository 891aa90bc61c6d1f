"""Marks: a verdict that names exactly what was planted is perfect; each way of being wrong costs its own mark."""

from typing import Any

import pytest

from harness.selftest.marking import false_alarms, marks
from harness.selftest.table import FAULTS, Cell
from harness.verify.findings import ANOMALIES, FATES


def cell(label: str, place: str = "middle") -> Cell:
    (fault,) = (fault for fault in FAULTS if fault.label == label)
    return Cell(fault, place)


def deeds(*offsets: int, partition: int = 1) -> list[dict[str, Any]]:
    return [{"partition": partition, "offset": offset, "seq": offset} for offset in offsets]


def span(kind: str, first: int, count: int, **keys: Any) -> dict[str, Any]:
    usual = {"kind": kind, "detail": "", "partition": 1, "first_offset": first, "first_seq": first, "count": count}
    return usual | {"blame": "consumer"} | keys


def verdict(*spans: dict[str, Any], word: str = "FAIL", blamed: tuple[str, ...] = ("consumer",)) -> dict[str, Any]:
    found = dict.fromkeys(FATES + ANOMALIES, 0)
    for each in spans:
        found[each["kind"]] += each["count"]
    return {
        "verdict": word,
        "reasons": ["because"],
        "fates": {kind: found[kind] for kind in FATES} | {"delivered": 397},
        "anomalies": {kind: found[kind] for kind in ANOMALIES},
        "aborted": 0,
        "blamed": list(blamed),
        "spans": list(spans),
    }


SKIP = cell("consumer/skip")
SKIPPED = span("skipped", 50, 2)


def test_perfect() -> None:
    assert marks(SKIP, verdict(SKIPPED), deeds(50, 51)).perfect


@pytest.mark.parametrize(
    ("told", "done", "mark", "text"),
    [
        (verdict(SKIPPED, word="UNKNOWN"), deeds(50, 51), "detected", "the verdict is UNKNOWN, not FAIL"),
        (verdict(SKIPPED), deeds(50, 51, 52), "detected", "skipped: 2 found, 3 planted"),
        (verdict(), [], "detected", "the planted client did not do it"),
        (
            verdict(SKIPPED),
            deeds(51, 52),
            "detected",
            "skipped names other messages (partition, offset): without [(1, 52)], with [(1, 50)]",
        ),
        (verdict(SKIPPED), deeds(50, 51, partition=2), "detected", "skipped names other messages"),
        (verdict(SKIPPED, blamed=("broker",)), deeds(50, 51), "attributed", "blamed: ['broker'], not ['consumer']"),
        (
            verdict(span("skipped", 50, 2, blame="broker")),
            deeds(50, 51),
            "attributed",
            "skipped is blamed on the broker, not on the consumer",
        ),
        (verdict(SKIPPED, span("repeat", 9, 1)), deeds(50, 51), "alone", "repeat: 1 found, 0 expected"),
    ],
)
def test_each_mistake_costs_its_mark(told: dict, done: list, mark: str, text: str) -> None:
    given = marks(SKIP, told, done)
    assert not given.perfect
    assert any(text in sentence for sentence in given.wrong[mark])


def test_one_wrong_count_costs_no_other_mark() -> None:
    given = marks(SKIP, verdict(SKIPPED), deeds(50, 51, 52))
    assert [given.has(mark) for mark in ("detected", "attributed", "alone")] == [False, True, True]


def test_what_follows_must_be_there_as_often() -> None:
    phantom = span("phantom", 0, 2, first_offset=None, first_seq=50)
    follows = [span("skipped", 50, 2), span("two_values", 50, 2)]
    done = deeds(50, 51)
    assert marks(cell("consumer/phantom"), verdict(phantom, *follows), done).perfect
    given = marks(cell("consumer/phantom"), verdict(phantom, follows[0]), done)
    assert given.wrong["alone"] == ["two_values: 0 found, 2 expected"]


def test_detail_is_part_of_the_blame() -> None:
    ahead = cell("consumer/commit_ahead")
    told = verdict(span("committed_ahead", 50, 2, blame="client", detail="in_flight"), blamed=("client",))
    assert "not never_handed_over" in marks(ahead, told, deeds(50, 51)).wrong["attributed"][0]


def test_where_the_verdict_names_another_partition() -> None:
    """What was sent to the next one is found there."""
    told = verdict(
        span("misrouted", 60, 2, partition=2, first_seq=50, blame="producer"),
        span("publish_loss", 50, 2, first_offset=None, blame="producer"),
        blamed=("producer",),
    )
    done = [{"partition": 1, "seq": 50}, {"partition": 1, "seq": 51}]
    assert marks(cell("producer/misroute"), told, done).perfect


def test_what_is_allowed_must_blame_nobody() -> None:
    legal = cell("consumer/legal_redelivery")
    told = verdict(span("legal_redelivery", 50, 2, blame="commit mode"), word="PASS", blamed=())
    assert marks(legal, told, deeds(50, 51)).perfect
    assert not marks(legal, told | {"blamed": ["consumer"]}, deeds(50, 51)).perfect


def test_false_alarms() -> None:
    assert false_alarms(verdict(word="PASS", blamed=())) == []
    assert false_alarms(verdict(word="UNKNOWN", blamed=())) == ["UNKNOWN: because"]
    assert false_alarms(verdict(span("legal_redelivery", 1, 4), word="PASS")) == ["legal_redelivery: 4"]
