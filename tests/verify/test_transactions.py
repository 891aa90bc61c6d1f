"""Transactions: whole, torn, aborted, contradicted, and with an unknown end."""

import pytest

from tests.verify.facts import (
    Fact,
    ack,
    acked,
    assign,
    deliver,
    drained,
    entry,
    log,
    log_end,
    nacked,
    seen,
    sent,
    txn,
    verdict_of,
)

SENT = sent(0, 1, txn="t1")
ONCE = "exactly_once"
COMMITTED = "read_committed"


@pytest.mark.parametrize(
    ("state", "entries", "torn"),
    [
        ("commit", entry(0, 0) + entry(1, 1), 0),
        ("commit", entry(0, 0), 1),
        ("commit", entry(0, 0) + entry(1, 1, aborted=True), 1),
        ("commit", entry(0, 0, aborted=True) + entry(1, 1, aborted=True), 2),
        ("unknown", entry(0, 0) + entry(1, 1), 0),
        ("unknown", [], 0),
        ("unknown", entry(0, 0), 1),
        ("begin", entry(0, 0), 1),
        ("abort", entry(0, 0, aborted=True) + entry(1, 1, aborted=True), 0),
        ("abort", entry(0, 0, aborted=True) + entry(1, 1), 1),
        ("abort", entry(0, 0) + entry(1, 1), 0),
    ],
)
def test_all_or_nothing(state: str, entries: Fact, torn: int) -> None:
    facts = SENT + txn("t1", state) + entries + log_end(2)
    assert verdict_of(facts, guarantee=ONCE)["anomalies"]["torn_transaction"] == torn


@pytest.mark.parametrize(("guarantee", "word"), [(ONCE, "FAIL"), ("at_least_once", "PASS")])
def test_only_exactly_once_forbids_it(guarantee: str, word: str) -> None:
    facts = sent(0, 1, txn="t1") + txn("t1", "unknown") + acked(5) + assign("c1", 0)
    facts += deliver("c1", 0) + deliver("c1", 5) + entry(0, 0) + entry(5, 5) + log_end(6) + drained()
    verdict = verdict_of(facts, guarantee=guarantee)
    assert verdict["anomalies"]["torn_transaction"] == 1
    assert verdict["verdict"] == word


def test_torn_over_partitions_names_the_messages_on_the_wrong_side() -> None:
    begin = acked(0, txn="t1") + acked(0, partition=1, txn="t1") + txn("t1", "abort") + acked(1) + assign("c1", 0, 1)
    rest = deliver("c1", 1) + drained() + entry(0, 0) + entry(1, 1) + log_end(2)
    torn = verdict_of(begin, rest, entry(0, 0, partition=1, aborted=True), log_end(1, partition=1), guarantee=ONCE)
    assert torn["anomalies"]["torn_transaction"] == 1
    assert torn["blamed"] == ["broker"]
    assert torn["reasons"] == ["transaction t1 of p1 (abort) is torn: 1 of 2 messages visible"]
    span = next(span for span in torn["spans"] if span["kind"] == "torn_transaction")
    assert (span["partition"], span["producer"], span["first_seq"], span["last_seq"]) == (0, "p1", 0, 0)


def test_what_was_refused_is_no_part_of_a_transaction() -> None:
    begin = sent(0, txn="t1") + ack(0, 0)
    rest = txn("t1", "commit") + assign("c1") + deliver("c1", 0) + drained() + log(0)
    refused = [{**line, "txn": "t1"} if line["type"] == "send" else line for line in nacked(1)]
    assert seen(verdict_of(begin, refused, rest, guarantee=ONCE)) == {}
    silent = verdict_of(begin, sent(1, txn="t1"), rest, guarantee=ONCE)
    assert seen(silent) == {"silent_send": 1, "torn_transaction": 1}


def test_what_retention_may_have_taken_tears_nothing() -> None:
    begin = sent(0, txn="t1") + sent(0, partition=1, txn="t1") + txn("t1", "commit") + acked(1) + assign("c1")
    begin += deliver("c1", 0, 1) + drained() + log(0, 1)
    kept = verdict_of(begin, log_end(9, partition=1), partitions=2, guarantee=ONCE)
    gone = verdict_of(begin, log_end(9, partition=1, start=8), partitions=2, guarantee=ONCE)
    assert kept["anomalies"]["torn_transaction"] == 1
    assert gone["anomalies"]["torn_transaction"] == 0
    assert verdict_of(begin, partitions=2, guarantee=ONCE)["anomalies"]["torn_transaction"] == 0


def test_told_as_committed_and_marked_as_aborted_is_never_a_pass() -> None:
    other = acked(2, txn="t2") + txn("t2", "abort") + entry(2, 2, aborted=True)
    begin = acked(0) + acked(1, txn="t1") + txn("t1", "commit") + assign("c1") + deliver("c1", 0) + drained()
    marked = verdict_of(begin, entry(0, 0), entry(1, 1, aborted=True), other, log_end(3), isolation=COMMITTED)
    assert marked["verdict"] == "UNKNOWN"
    assert marked["reasons"] == [
        "transaction t1 of p1 was told as committed; the log marks 1 message as aborted",
    ]
    whole = verdict_of(begin, entry(0, 0), entry(1, 1), other, log_end(3), deliver("c1", 1), isolation=COMMITTED)
    assert whole["verdict"] == "PASS"


def test_of_an_open_transaction_readers_of_what_is_committed_owe_nothing() -> None:
    """Nor anything behind it, until one of its messages shows that it was committed."""
    begin = acked(0) + acked(1, 2, txn="t1") + acked(3) + txn("t1", "unknown") + assign("c1", at=0)
    rest = drained() + log(0, 1, 2, 3)
    for name in ("p1", None):
        hidden = verdict_of(begin, deliver("c1", 0, producer=name), rest, isolation=COMMITTED)
        assert seen(hidden) == {"unread": 3}, name
        shown = verdict_of(begin, deliver("c1", 0, 2, producer=name), rest, isolation=COMMITTED)
        assert seen(shown) == {"skipped": 1, "stalled": 1}, name
    assert seen(verdict_of(begin, deliver("c1", 0), rest)) == {"stalled": 3}
    assert seen(verdict_of(begin, deliver("c1", 0, 3), rest, isolation=COMMITTED)) == {"unread": 2}
