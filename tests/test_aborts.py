"""A log that was read twice: which entries are aborted, and what is in doubt where the two readings do not fit."""

from pathlib import Path

import numpy as np
import pytest

from harness import recording
from harness.aborts import marked
from harness.columns import ABORTED, ROW, Rows
from harness.history import History
from harness.verify import judge
from harness.verify.intervals import Intervals
from tests.test_recording import ACK, CORRUPT, JOIN, LEAVE, LOG, OWN, SEND, event, frame, header, make_run, span
from tests.test_recording_transactions import PRODUCER, txn

SENT = span(0, 10)
TOLD = PRODUCER + frame(SEND, 1, [(10, -1)]) + txn(1, "a", "begin") + frame(SEND, 2, SENT) + txn(3, "a", "abort")
TOLD += frame(ACK, 4, span(0, 11)) + event(5, "producer_end")
ALL = frame(LOG, 91, span(0, 11))
CONSUMER = header() + JOIN + frame(2, 7, span(0, 11)) + LEAVE


def end(to: int, start: int = 0) -> bytes:
    return event(92, "log_end", partition=0, start=start, end=to)


def reader(found: bytes, name: str = "reader", isolation: str = "read_uncommitted") -> bytes:
    return header(role="read_log", worker=name, isolation=isolation) + found


def committed(found: bytes) -> bytes:
    return reader(found, "reader_committed", "read_committed")


def read(tmp_path: Path, second: bytes, **more: bytes) -> History:
    files = {"p1": TOLD, "c1": CONSUMER, "reader": reader(ALL + end(12)), "reader_committed": second, **more}
    return recording.read(make_run(tmp_path, files, OWN))


def told(rows: Rows) -> list[tuple[int, int, bool]]:
    """First offset, how many, aborted or not."""
    return [(int(row["offset"]), int(row["length"]), row["txn"] == ABORTED) for row in rows]


@pytest.mark.parametrize(
    ("second", "found", "doubt"),
    [
        (frame(LOG, 95, span(0, 11)) + end(12), [(0, 11, False)], ""),
        (frame(LOG, 95, span(10, 11)) + end(12), [(0, 10, True), (10, 1, False)], ""),
        (
            frame(LOG, 95, [*span(2, 4), *span(6, 7), *span(10, 11)]) + end(12),
            [(0, 2, True), (2, 2, False), (4, 2, True), (6, 1, False), (7, 3, True), (10, 1, False)],
            "",
        ),
        # An open transaction holds back what comes behind the end of the second reading.
        (frame(LOG, 95, span(3, 5)) + end(5), [(0, 3, True), (3, 8, False)], "to the end of partition 0"),
        # What retention took in between nobody could find any more.
        (frame(LOG, 95, span(3, 11)) + end(12, start=2), [(0, 2, False), (2, 1, True), (3, 8, False)], ""),
        # It failed: nothing is known.
        (frame(LOG, 95, span(10, 11)), [(0, 11, False)], "to the end of partition 0"),
        (b"", [(0, 11, False)], "to the end of partition 0"),
        (frame(LOG, 95, span(0, 12)) + end(12), [(0, 11, False)], "found 1 that the reader of everything did not"),
        (frame(LOG, 95, span(0, 10)) + end(12), [(0, 10, False), (10, 1, True)], "1 sent outside of any transaction"),
    ],
)
def test_what_only_the_first_reading_found_is_aborted(tmp_path: Path, second: bytes, found: list, doubt: str) -> None:
    history = read(tmp_path, committed(second))
    assert told(history.log.of(0)) == found
    assert [doubt in sentence for sentence in history.torn] == ([True] if doubt else [])
    assert (judge(history)["verdict"] == "UNKNOWN") >= bool(doubt)


def test_the_seqs_of_what_is_cut_go_with_their_offsets() -> None:
    rows = np.zeros(2, ROW)
    rows["offset"], rows["seq"], rows["length"] = [5, 20], [105, 120], [10, 4]
    cut = marked(rows, Intervals.span(8, 22))
    assert cut[["seq", "offset", "length", "txn"]].tolist() == [
        (105, 5, 3, 0),
        (108, 8, 7, ABORTED),
        (120, 20, 2, ABORTED),
        (122, 22, 2, 0),
    ]
    assert not rows["txn"].any(), "the given rows stay what they are"


def test_the_order_of_the_files_says_nothing(tmp_path: Path) -> None:
    """The second reading is asked of what the first one found, though its file comes first."""
    files = {"p1": TOLD, "c1": CONSUMER, "a": committed(frame(LOG, 95, span(10, 11)) + end(12))}
    history = recording.read(make_run(tmp_path, {**files, "reader": reader(ALL + end(12))}, OWN))
    assert told(history.log.of(0)) == [(0, 10, True), (10, 1, False)]
    assert history.torn == []


def test_nothing_of_the_second_reading_is_counted_again(tmp_path: Path) -> None:
    wrong = frame(CORRUPT, 96, [(10, 10)])
    second = committed(frame(LOG, 95, span(10, 11)) + wrong + end(12))
    history = read(tmp_path, second, reader=reader(ALL + wrong + end(12)))
    assert int(history.log.of(0)["length"].sum()) == 11
    assert int(history.corrupt_log.of(0)["length"].sum()) == 1
    assert history.log_ends == {0: (0, 12)}


def test_a_log_that_was_read_once_is_not_known_to_have_aborts(tmp_path: Path) -> None:
    files = {"p1": TOLD, "c1": CONSUMER, "reader": reader(ALL + end(12))}
    history = recording.read(make_run(tmp_path, files, OWN))
    assert told(history.log.of(0)) == [(0, 11, False)]
    assert history.committed_to == {}


def test_a_second_reading_that_was_cut_is_damage(tmp_path: Path) -> None:
    history = read(tmp_path, committed(frame(LOG, 95, span(10, 11)) + end(12))[:-9])
    assert any(sentence.startswith("reader_committed.bin") for sentence in history.damaged)
