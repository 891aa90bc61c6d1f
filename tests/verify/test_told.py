"""What a verdict tells beside its counts: whose fault, which partition, which messages, from when to when."""

import pytest

from tests.verify.facts import (
    Fact,
    acked,
    assign,
    commit,
    deliver,
    drained,
    entry,
    handled,
    log,
    log_end,
    processed,
    revoke,
    stored,
    verdict_of,
)

AWAY = acked(0) + acked(0, 1, 2, partition=1) + assign("c1", 0, 1, at=0) + deliver("c1", 0)
REST = drained() + log(0) + log(0, 1, 2, partition=1)


def there(*offsets: int) -> Fact:
    return deliver("c1", *offsets, partition=1)


@pytest.mark.parametrize(
    ("kind", "facts", "blame", "offsets"),
    [
        ("skipped", AWAY + there(0, 2) + REST, "consumer", (1, 1)),
        ("stalled", AWAY + there(0) + REST, "consumer", (1, 2)),
        ("reordered", AWAY + there(0, 2, 1) + REST, "consumer", (1, 1)),
        ("repeat", AWAY + there(0, 1, 1, 2) + REST, "consumer", (1, 1)),
        ("foreign", AWAY + there(0, 1) + revoke("c1", 1) + there(2) + REST, "consumer", (2, 2)),
        (
            "illegal_start",
            AWAY + there(0) + revoke("c1", 1) + assign("c2", 1) + deliver("c2", 2, partition=1) + REST,
            "consumer",
            (1, 1),
        ),
        (
            "committed_at_risk",
            AWAY
            + handled("c1", 0, partition=1)
            + there(1)
            + commit("c1", 2, partition=1)
            + processed("c1", 1, partition=1)
            + handled("c1", 2, partition=1)
            + REST,
            "commit mode",
            (1, 1),
        ),
    ],
)
def test_a_span_names_partition_places_and_blame(kind: str, facts: Fact, blame: str, offsets: tuple[int, int]) -> None:
    verdict = verdict_of(facts, partitions=2)
    spans = [span for span in verdict["spans"] if span["kind"] == kind]
    assert len(spans) == 1
    span = spans[0]
    assert (span["partition"], span["blame"], span["producer"]) == (1, blame, "p1")
    assert (span["first_offset"], span["last_offset"]) == offsets
    assert span["first_seq"] == offsets[0]
    example = next(one for one in verdict["examples"] if one["kind"] == kind)
    assert (example["partition"], example["offset"], example["blame"]) == (1, offsets[0], blame)


def test_a_span_of_what_is_not_in_the_log_is_named_by_its_seqs() -> None:
    verdict = verdict_of(AWAY, there(0), drained(), log(0), log(0, partition=1), partitions=2)
    span = next(span for span in verdict["spans"] if span["kind"] == "publish_loss")
    assert (span["partition"], span["blame"], span["producer"]) == (1, "broker", "p1")
    assert (span["first_seq"], span["last_seq"]) == (1, 2)


def test_a_row_of_the_accounting_for_each_partition() -> None:
    rows = verdict_of(AWAY, there(0, 1), stored(2, partition=1), REST, partitions=2)["partitions"]
    assert [row["partition"] for row in rows] == [0, 1]
    assert [row["stored"] for row in rows] == [None, 2]
    assert [(row["judged"], row["delivered"]) for row in rows] == [(1, 1), (3, 2)]


def test_a_log_duplicate_is_told_at_its_further_copy() -> None:
    facts = acked(0) + acked(0, 1, partition=1) + assign("c1", 0, 1) + deliver("c1", 0) + there(0, 1)
    copied = log(0) + entry(0, 0, partition=1) + entry(1, 1, partition=1) + entry(2, 0, partition=1)
    verdict = verdict_of(facts, drained(), copied, log_end(3, partition=1), partitions=2, idempotent=True)
    span = next(span for span in verdict["spans"] if span["kind"] == "log_duplicate")
    assert (span["partition"], span["blame"]) == (1, "producer")
    assert span["first_seq"] == 0


def raw(kind: str, offset: int | None, **more: object) -> Fact:
    """A line about partition 1 as no builder makes it."""
    member = {"member": "c1"} if kind == "deliver" else {}
    return [{"type": kind, **member, "partition": 1, "offset": offset, **more}]


@pytest.mark.parametrize(
    ("kind", "facts", "sentence", "blame", "offsets"),
    [
        (
            "phantom",
            AWAY + there(0, 1, 2) + REST + raw("log", 3, producer=None, seq=None),
            "1 message in the log of partition 1 that are not of this run",
            "producer",
            (3, 3),
        ),
        (
            "phantom",
            AWAY + there(0, 1, 2) + raw("deliver", None) + REST,
            "1 message handed over that are not of this run",
            "consumer",
            None,
        ),
        (
            "misrouted",
            AWAY + there(0, 1, 2) + raw("deliver", 7, producer="p1", seq=0, asked=0) + REST,
            "1 message handed over from partition 1, sent to another one",
            "consumer",
            (7, 7),
        ),
    ],
)
def test_what_carries_no_name_of_this_partition_is_told_with_its_place(
    kind: str, facts: Fact, sentence: str, blame: str, offsets: tuple[int, int] | None
) -> None:
    verdict = verdict_of(facts, partitions=2, identified=True)
    assert sentence in verdict["reasons"]
    assert verdict["blamed"] == [blame]
    spans = [span for span in verdict["spans"] if span["kind"] == kind and span["partition"] == 1]
    assert [(span["first_offset"], span["last_offset"]) for span in spans] == ([offsets] if offsets else [])


def test_what_is_handed_to_no_owner_counts_with_and_without_an_offset() -> None:
    facts = AWAY + there(0, 1) + revoke("c1", 1) + there(2) + raw("deliver", None, producer="p1", seq=9) + REST
    assert verdict_of(facts, partitions=2)["anomalies"]["foreign"] == 2
