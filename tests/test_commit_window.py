"""What one kill would have cost at each moment, from tapes written here by struct alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.columns import ROW
from harness.commit_window import measure, precise
from harness.frames import DELIVER, open_tape
from harness.history import Event, History, RunInfo, Stream
from tests.test_recording import event, frame, header, span


def within(t: int, messages: int) -> bytes:
    return event(t, "processed", within=True, messages=messages)


def commit(t: int, offset: int, *, partition: int = 0, ok: bool = True) -> bytes:
    return event(t, "commit", partition=partition, offset=offset, ok=ok, within=True)


def handed(t: int, first: int, last: int, *, partition: int = 0) -> bytes:
    return frame(DELIVER, t, span(first, last), partition=partition)


@pytest.fixture
def window(tmp_path: Path):
    def of(*frames: bytes, log: list[tuple[int, int]] = (), died_at: int = 0, looks: Any = ()) -> Any:
        """(would be lost: max, p99; would be repeated: max, p99). log: (offset, length)."""
        path = tmp_path / "c1.bin"
        path.write_bytes(header() + b"".join(frames))
        history = History(RunInfo("r", "at_least_once", 1), streams=[Stream("c1")])
        if died_at:
            history.streams[0].events.append(Event(died_at, "member", {"member": "c1", "state": "killed"}))
        rows = np.zeros(len(log), ROW)
        for number, (offset, length) in enumerate(log):
            rows["offset"][number], rows["length"][number] = offset, length
        if len(rows):
            history.log.add(rows)
        seen = [Event(asked, "seen", {"until": told, "offsets": {"0": at}}) for asked, told, at in looks]
        found = measure(history, [open_tape(path)], seen)
        return found and (*found["would_be_lost"].values(), *found["would_be_repeated"].values())

    return of


BEFORE = [handed(100, 0, 10), within(101, 0), commit(102, 10), within(150, 5), within(200, 10)]


def test_a_commit_before_the_work_puts_a_batch_at_risk(window) -> None:
    assert window(*BEFORE) == (10, 10, 0, 0)


def test_a_commit_after_the_work_lets_it_be_repeated(window) -> None:
    one = [handed(100, 0, 10), within(150, 5), within(190, 10), commit(200, 10)]
    assert window(*one, handed(201, 10, 11), within(202, 1)) == (0, 0, 10, 10)


def test_the_99th_percentile_is_of_the_time(window) -> None:
    """Ten at risk for 1 of 1,000 ns, three for all the rest."""
    frames = [handed(1000, 0, 10), within(1000, 0), commit(1000, 10), within(1001, 7), within(2000, 10)]
    assert window(*frames) == (10, 3, 0, 0)


def test_a_failed_commit_covers_nothing(window) -> None:
    assert window(handed(100, 0, 10), within(101, 0), commit(102, 10, ok=False), within(200, 10)) == (0, 0, 10, 0)


def test_holes_of_the_log_are_no_messages(window) -> None:
    assert window(*BEFORE, log=[(0, 4), (8, 2)]) == (6, 6, 0, 0)
    assert window(*BEFORE, log=[(0, 10)]) == (10, 10, 0, 0)


def test_what_is_revoked_is_somebody_elses_affair(window) -> None:
    """Ten processed and never committed, for 10 of 1,000 ns."""
    frames = [handed(100, 0, 10), within(101, 10), event(110, "revoke", partitions=[0])]
    assert window(*frames, handed(111, 0, 1, partition=1), within(1100, 1)) == (0, 0, 10, 0)


def test_partitions_of_one_consumer_are_added_up(window) -> None:
    two = [handed(100, 0, 5), within(101, 0), commit(102, 5), handed(110, 0, 5, partition=1)]
    assert window(*two, within(111, 0), commit(112, 5, partition=1), within(500, 5)) == (5, 5, 0, 0)


def test_who_was_killed_was_at_risk_until_then(window) -> None:
    frames = [
        handed(100, 0, 10),
        within(101, 10),
        commit(102, 10),
        handed(103, 10, 20),
        within(104, 0),
        commit(105, 20),
    ]
    assert window(*frames, died_at=9000) == (10, 10, 10, 0)


def test_where_the_client_tells_of_no_commit_looks_prove_the_least(window) -> None:
    """Stored were 0 by 120 and 10 by 160: made at 160, with 5 of the 10 to do, or at 105, with nothing done yet."""
    frames = [handed(100, 0, 10), within(110, 2), within(150, 5), within(300, 10), handed(301, 10, 11), within(400, 1)]
    assert window(*frames, looks=[(105, 120, 0), (140, 160, 10)]) == (5, 5, 1, 0)
    assert window(*frames, looks=[(105, 120, 0), (140, 160, 0)]) == (0, 0, 11, 10)
    assert window(*frames, looks=[(105, 120, None)]) == (0, 0, 11, 10)


def test_what_others_commit_after_its_end_is_not_its_affair(window) -> None:
    frames = [handed(100, 0, 10), within(110, 5)]
    assert window(*frames, died_at=200, looks=[(105, 120, 0), (210, 220, 10)]) == (0, 0, 0, 0)


def test_a_tape_without_messages_has_no_window(window) -> None:
    assert window(event(1, "member", member="c1", state="join")) is None


@pytest.mark.parametrize(
    ("consumer", "record", "told"),
    [
        ({"processing": {"message_ms": 1}}, "loss", True),
        ({"commit": {"mode": "sync"}}, "loss", True),
        ({"commit": {"mode": "auto"}}, "loss", False),
        ({}, "loss", False),
        ({"processing": {"message_ms": 1}}, "throughput", False),
    ],
)
def test_only_precise_tapes_are_measured(consumer: dict, record: str, told: bool) -> None:
    assert precise({"consumer": consumer, "record": record}) is told
