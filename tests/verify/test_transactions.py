"""Transactions: whole, torn, aborted, and with an unknown end."""

import pytest

from tests.verify.facts import acked, assign, deliver, drained, entry, log_end, sent, txn, verdict_of

SENT = sent(0, 1, txn="t1")


@pytest.mark.parametrize(
    ("state", "entries", "torn"),
    [
        ("commit", entry(0, 0) + entry(1, 1), 0),
        ("commit", entry(0, 0), 1),
        ("unknown", entry(0, 0) + entry(1, 1), 0),
        ("unknown", [], 0),
        ("unknown", entry(0, 0), 1),
        ("abort", entry(0, 0, aborted=True) + entry(1, 1, aborted=True), 0),
        ("abort", entry(0, 0, aborted=True) + entry(1, 1), 1),
    ],
)
def test_all_or_nothing(state: str, entries: list, torn: int) -> None:
    facts = SENT + txn("t1", state) + entries + log_end(2)
    assert verdict_of(facts, guarantee="exactly_once")["anomalies"]["torn_transaction"] == torn


@pytest.mark.parametrize(("guarantee", "word"), [("exactly_once", "FAIL"), ("at_least_once", "PASS")])
def test_only_exactly_once_forbids_it(guarantee: str, word: str) -> None:
    facts = sent(0, 1, txn="t1") + txn("t1", "unknown") + acked(5) + assign("c1", 0)
    facts += deliver("c1", 0) + deliver("c1", 5) + entry(0, 0) + entry(5, 5) + log_end(6) + drained()
    verdict = verdict_of(facts, guarantee=guarantee)
    assert verdict["anomalies"]["torn_transaction"] == 1
    assert verdict["verdict"] == word
