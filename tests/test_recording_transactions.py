"""Transactions of a producer's binary history: what was sent between a beginning and an end belongs to it."""

from pathlib import Path

import pytest

from harness import recording
from tests.test_recording import SEND, event, frame, header, make_run, span

PRODUCER = header(role="produce", worker="p1", producer=0)


def txn(t: int, name: str, state: str) -> bytes:
    return event(t, "txn", producer="p1", txn=name, state=state)


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b"", []),
        (frame(SEND, 1, span(0, 3)), []),
        (txn(1, "a", "begin") + frame(SEND, 2, span(0, 3)) + txn(3, "a", "commit"), [("a", "commit", 3)]),
        (txn(1, "a", "begin") + frame(SEND, 2, span(0, 3)), [("a", "begin", 3)]),
        (txn(1, "a", "begin") + txn(3, "a", "abort"), [("a", "abort", 0)]),
        (
            txn(1, "a", "begin")
            + frame(SEND, 2, span(0, 3))
            + frame(SEND, 2, span(3, 4))
            + txn(3, "a", "abort")
            + frame(SEND, 4, span(4, 9))
            + txn(5, "b", "begin")
            + frame(SEND, 6, span(9, 11))
            + txn(7, "b", "unknown"),
            [("a", "abort", 4), ("b", "unknown", 2)],
        ),
    ],
)
def test_sends_between_beginning_and_end(tmp_path: Path, raw: bytes, found: list) -> None:
    given = recording.read(make_run(tmp_path, {"p1": PRODUCER + raw}, []))
    sends = given.sends.of(0)
    told = [
        (transaction.name, transaction.state, int(sends["length"][sends["txn"] == number].sum()))
        for number, transaction in enumerate(given.transactions, 1)
    ]
    assert told == [(f"{name} of p1", state, count) for name, state, count in found]


def test_transactions_of_two_producers_are_two(tmp_path: Path) -> None:
    files = {
        name: header(role="produce", worker=name, producer=number)
        + txn(1, "a", "begin")
        + frame(SEND, 2, span(0, 2 + number))
        + txn(3, "a", state)
        for number, (name, state) in enumerate((("p1", "commit"), ("p2", "abort")))
    }
    given = recording.read(make_run(tmp_path, files, []))
    assert [(one.name, one.state) for one in given.transactions] == [("a of p1", "commit"), ("a of p2", "abort")]
    assert sorted(given.sends.of(0)["txn"].tolist()) == [1, 2]
