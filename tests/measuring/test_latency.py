"""End-to-end latency from recordings: what counts, from when, and what is left out."""

from array import array
from pathlib import Path
from typing import Any

import pytest
from kafka_worker.payload import KEY, KEY_BYTES
from kafka_worker.recorder import ACK, CORRUPT, DELIVER, Recorder

from harness.frames import open_tape
from harness.measuring.latency import measure

S, MS = 1_000_000_000, 1_000_000
BEGIN = 5 * S
LATE = [BEGIN, *(BEGIN + 3 * S + number * MS for number in range(5))]
"""When messages 0 to 5 were due; all but the first after the warm-up."""
SCENARIO = {"consume": "while_produced", "messages": 6, "partitions": 2, "producer": {"rate": 1000}}


def keys(*numbers: int, run: int = 7) -> bytes:
    return b"".join(KEY.pack(run, 1, number % 2, number // 2, LATE[number % 6]) for number in numbers)


class Tape:
    """A worker's file in the making."""

    def __init__(self, path: Path, role: str) -> None:
        self.path = path
        meta = {"worker": path.stem, "role": role, "run_id": 7, **({"producer": 1} if role == "produce" else {})}
        self.recorder = Recorder(str(path), meta)
        # With the first message the warm-up begins.
        self.frame(ACK if role == "produce" else DELIVER, keys(0), BEGIN)

    def frame(self, kind: int, joined: bytes, t_ns: int, done_ns: int | None = None) -> None:
        count = len(joined) // KEY_BYTES
        self.recorder.columns(kind, joined, array("q", range(count)), array("i", [0]) * count, t_ns, done_ns)

    def measured(self, *others: "Tape", most: int = 100) -> dict[str, Any]:
        for tape in (self, *others):
            tape.recorder.close()
        return measure([open_tape(tape.path) for tape in (self, *others)], SCENARIO, 7, most)


@pytest.fixture
def tape(tmp_path: Path) -> Tape:
    return Tape(tmp_path / "c1.bin", "consume")


def test_messages_of_one_call_came_when_it_came_back(tape: Tape) -> None:
    tape.frame(DELIVER, keys(1, 2, 3, 4, 5), LATE[5] + 10 * MS)
    told = tape.measured()["latency"]
    assert (told["count"], told["p50_ms"], told["max_ms"]) == (5, 12.0, 14.0)
    assert (told["rate"], told["warm_up_s"]) == (1000, 2.0)


def test_a_block_has_the_time_of_each_message(tape: Tape) -> None:
    tape.frame(DELIVER, keys(1, 2, 3), LATE[1] + 1 * MS, LATE[3] + 9 * MS)
    tape.frame(CORRUPT, keys(2), LATE[3])
    tape.recorder.times([LATE[number] + number * MS for number in (1, 2, 3)])
    told = tape.measured()["latency"]
    assert (told["count"], told["p50_ms"], told["max_ms"]) == (3, 2.0, 3.0)


def test_a_block_whose_times_were_never_written_is_left_out(tape: Tape) -> None:
    tape.frame(DELIVER, keys(1, 2), LATE[2], LATE[2] + 50 * MS)
    tape.frame(DELIVER, keys(3, 4), LATE[4], LATE[4])
    assert tape.measured()["latency"]["count"] == 2


def test_an_open_frame_is_left_out(tape: Tape) -> None:
    tape.frame(DELIVER, keys(1), LATE[1] + 1 * MS)
    tape.recorder.open(4, LATE[2])[0].raw = keys(2)
    assert tape.measured()["latency"]["count"] == 1


def test_what_comes_again_counts_when_it_came_first_whoever_had_it(tape: Tape, tmp_path: Path) -> None:
    other = Tape(tmp_path / "c2.bin", "consume")
    tape.frame(DELIVER, keys(1), LATE[1] + 900 * MS)
    other.frame(DELIVER, keys(1), LATE[1] + 2 * MS)
    other.frame(DELIVER, keys(1), LATE[1] + 950 * MS)
    told = tape.measured(other)["latency"]
    assert (told["count"], told["max_ms"]) == (1, 2.0)


def test_messages_that_nobody_sent_do_not_count(tape: Tape) -> None:
    tape.frame(DELIVER, keys(1, run=8) + keys(600) + b"\xff" * KEY_BYTES + keys(2), LATE[2] + 1 * MS)
    assert tape.measured()["latency"]["count"] == 1


def test_no_more_room_is_taken_than_the_files_can_need(tape: Tape) -> None:
    tape.frame(DELIVER, keys(1, 2, 3), LATE[3] + 1 * MS)
    assert tape.measured(most=3)["latency"]["count"] == 2


def test_acks_are_told_beside(tape: Tape, tmp_path: Path) -> None:
    producer = Tape(tmp_path / "p1.bin", "produce")
    producer.frame(ACK, keys(1), LATE[1] + 4 * MS)
    told = tape.measured(producer)
    assert (told["latency"]["count"], told["ack_latency"]["max_ms"]) == (0, 4.0)


def test_a_run_that_reads_afterwards_has_no_latency(tape: Tape) -> None:
    tape.frame(DELIVER, keys(1), LATE[1])
    tape.recorder.close()
    told = measure([open_tape(tape.path)], SCENARIO | {"consume": "afterwards"}, 7, 100)
    assert told == {"latency": None, "ack_latency": None}
