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


BOTH_HANDED = assign("c1") + deliver("c1", 0, 1) + drained()


def read_to(committed_to: int, end: int = 2) -> Fact:
    """The end of a log that was read for aborts too, up to an offset."""
    return [{**line, "committed_to": committed_to} for line in log_end(end)]


def aborted_and_handed(entries: Fact, end: Fact, state: str = "abort") -> dict[str, int]:
    """What is found where a reader of committed messages was handed both of a transaction told as aborted."""
    facts = acked(0, 1, txn="t1") + txn("t1", state) + BOTH_HANDED + entries + end
    return seen(verdict_of(facts, isolation="read_committed", guarantee="exactly_once"))


@pytest.mark.parametrize(
    ("entries", "end", "found"),
    [
        # Nobody knows of aborts: the producer's word counts.
        (entry(0, 0) + entry(1, 1), log_end(2), {"aborted_read": 2}),
        # The log's reader knows of them, and says so by what it marks, ...
        (entry(0, 0, aborted=True) + entry(1, 1), log_end(2), {"aborted_read": 1, "torn_transaction": 1}),
        (entry(0, 0, aborted=True) + entry(1, 1, aborted=True), log_end(2), {"aborted_read": 2}),
        # ... or by how far it looked for them.
        (entry(0, 0) + entry(1, 1), read_to(2), {"torn_transaction": 2}),
        (entry(0, 0, aborted=True) + entry(1, 1), read_to(2), {"aborted_read": 1, "torn_transaction": 1}),
        # Behind that nothing is known, and so nobody is accused.
        (entry(0, 0) + entry(1, 1), read_to(1), {"torn_transaction": 1}),
        (entry(0, 0, aborted=True) + entry(1, 1), read_to(1), {"aborted_read": 1}),
        (entry(0, 0) + entry(1, 1), read_to(0), {}),
    ],
)
def test_what_is_visible_is_torn_and_no_aborted_read(entries: Fact, end: Fact, found: dict[str, int]) -> None:
    assert aborted_and_handed(entries, end) == found


def test_an_aborted_read_is_what_the_log_marks_whatever_the_producer_was_told() -> None:
    entries = entry(0, 0, aborted=True) + entry(1, 1, aborted=True)
    assert aborted_and_handed(entries, read_to(2), "commit") == {"aborted_read": 2, "torn_transaction": 2}
    assert aborted_and_handed(entries, read_to(2), "unknown") == {"aborted_read": 2}


def test_handed_over_and_not_in_the_log_is_an_aborted_read_by_the_word_of_the_producer() -> None:
    assert aborted_and_handed(entry(1, 1, aborted=True), read_to(2)) == {"aborted_read": 2}


def test_marks_of_another_transaction_say_nothing_of_this_one() -> None:
    """Each by itself: one that is marked in another partition, and one that is marked nowhere."""
    facts = sent(0, txn="t1") + sent(0, partition=1, txn="t1") + sent(1, txn="t2") + acked(2)
    facts += txn("t1", "abort") + txn("t2", "abort") + assign("c1", 0, 1) + deliver("c1", 0, 1, 2) + drained()
    facts += entry(0, 0) + entry(1, 1) + entry(2, 2) + entry(0, 0, partition=1, aborted=True)
    facts += log_end(3) + log_end(1, partition=1)
    found = seen(verdict_of(facts, isolation="read_committed", guarantee="exactly_once", partitions=2))
    assert found.pop("silent_send") == 3
    assert found == {"aborted_read": 1, "torn_transaction": 1}


def test_a_partition_that_was_not_read_for_aborts_where_others_were() -> None:
    """Then nothing is known of it: neither that its messages are visible, nor that they are not."""
    facts = acked(0, txn="t1") + acked(0, partition=1, txn="t1") + txn("t1", "abort")
    facts += assign("c1", 0, 1) + deliver("c1", 0) + deliver("c1", 0, partition=1) + drained()
    facts += entry(0, 0, aborted=True) + entry(0, 0, partition=1) + read_to(1, 1) + log_end(1, partition=1)
    found = seen(verdict_of(facts, isolation="read_committed", guarantee="exactly_once", partitions=2))
    assert found == {"aborted_read": 1}


@pytest.mark.parametrize(("committed_to", "torn"), [(2, 1), (1, 0)])
def test_a_transaction_of_unknown_end_is_torn_only_by_what_is_known(committed_to: int, torn: int) -> None:
    facts = SENT + txn("t1", "unknown") + entry(0, 0, aborted=True) + entry(1, 1) + read_to(committed_to)
    assert verdict_of(facts, guarantee="exactly_once")["anomalies"]["torn_transaction"] == torn


def test_what_was_told_as_aborted_is_not_judged_though_it_is_visible() -> None:
    facts = acked(0, 1, txn="t1") + txn("t1", "abort") + acked(2) + BOTH_HANDED + deliver("c1", 2)
    facts += entry(0, 0) + entry(1, 1) + entry(2, 2) + read_to(3, 3)
    verdict = verdict_of(facts, isolation="read_committed", guarantee="exactly_once")
    assert (verdict["aborted"], verdict["judged"], verdict["fates"]["delivered"]) == (2, 1, 1)
    assert verdict["blamed"] == ["broker"]
