"""Transactions of a producer's binary history: what was sent between a beginning and an end belongs to it."""

from pathlib import Path

import pytest

from harness import recording
from tests.test_recording import SEND, event, frame, header, span

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
    path = tmp_path / "p1.bin"
    path.write_bytes(PRODUCER + raw)
    told = [
        (transaction.name, transaction.state, int(transaction.sends["length"].sum()))
        for transaction in recording._transactions(recording.read_file(path))
    ]
    assert told == found
