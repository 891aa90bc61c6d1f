"""Time in the workers: messages that are sent when they are due, and when each message was handed over."""

import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka_worker import blocks, producing
from kafka_worker.pacing import Schedule
from kafka_worker.payload import KEY, Payload
from kafka_worker.producing import Production
from kafka_worker.wire import traffic

from harness.frames import DELIVER, TIMES, open_tape
from tests.worker.scripted import Awaiting, Play

MS = 1_000_000


@given(st.integers(1, 10**7), st.integers(0, 10**18), st.integers(0, 10**12))
def test_a_schedule_counts_what_is_due(rate: int, begin: int, later: int) -> None:
    schedule, now = Schedule(rate, begin), begin + later
    count = schedule.due_by(now)
    assert schedule.due_ns(count - 1) <= now < schedule.due_ns(count)
    assert schedule.due_by(begin - 1) == 0
    assert schedule.times(3, 2).tolist() == [schedule.due_ns(3), schedule.due_ns(4)]


class Sender:
    """A client that takes `hold` ms for its first call; time passes nowhere else but while it rests."""

    chunk, call, idempotent = 1000, "send", True

    def __init__(self, hold_ms: int) -> None:
        self.now, self.hold_ms = 0, hold_ms
        self.sent: list[tuple[int, list[int]]] = []
        self.events: list[Any] = []

    def prepare(self) -> None: ...

    def send(self, rows: list) -> None:
        self.sent.append((self.now // MS, [KEY.unpack(key)[4] // MS for _, key, _ in rows]))
        self.now += self.hold_ms * MS
        self.hold_ms = 0

    def answers(self) -> Any:
        return ([], [], []), []

    def flush(self, timeout_s: float) -> int:
        return 0

    def rest(self, seconds: float) -> None:
        self.now += round(seconds * 1e9)


def test_what_was_held_up_is_sent_at_once_and_counts_from_when_it_was_due(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Sender(hold_ms=35)
    recorder: Any = type("Recorder", (), {"columns": lambda *_: None, "count": lambda *_: None})()
    monkeypatch.setattr(producing, "now_ns", lambda: client.now)
    config = {"produce": {"producer": 1, "messages": 7, "rate": 100, "on_schedule": True}, "partitions": 1}
    control: Any = type("Control", (), {"stopping": False})()
    assert Production(config, control, recorder, Payload(7, 1, 16, 4), client).run() == "done"
    assert client.sent[0] == (0, [0])
    assert [due for _, chunk in client.sent for due in chunk] == [0, 10, 20, 30, 40, 50, 60]
    assert {at for at, chunk in client.sent if set(chunk) & {10, 20, 30}} == {35}
    assert [at for at, _ in client.sent][-3:] == [40, 50, 60]


def clocked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A clock that goes on by one with each look at it."""
    looks = [0]

    def now() -> int:
        looks[0] += 1
        return looks[0]

    monkeypatch.setattr(blocks, "now_ns", now)
    return looks


def frames(play: Play) -> list[tuple[int, int]]:
    play.recorder.close()
    return [(f.kind, f.length) for f in open_tape(play.path).frames() if f.kind in (DELIVER, TIMES)]


@pytest.mark.parametrize("client", [None, Awaiting])
def test_each_message_of_a_block_has_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: Any) -> None:
    clocked(monkeypatch)
    given_client = {} if client is None else {"client": client}
    play = Play(tmp_path, api="poll", partitions=1, end_offsets={"0": 9}, timed=True, **given_client).run()
    found = frames(play)
    assert found
    assert sum(length for kind, length in found if kind == DELIVER) == 9
    assert [length for kind, length in found if kind == TIMES] == [length for kind, length in found if kind == DELIVER]
    times = [
        int.from_bytes(f.data[f.start + 8 * row : f.start + 8 * row + 8], "little")
        for f in open_tape(play.path).frames()
        if f.kind == TIMES
        for row in range(f.length)
    ]
    assert times == sorted(times)
    assert len(set(times)) == 9


@pytest.mark.parametrize("config", [{"api": "poll"}, {"api": "consume", "timed": True}])
def test_no_times_where_nobody_wants_them_or_the_frame_has_them(tmp_path: Path, config: dict[str, Any]) -> None:
    play = Play(tmp_path, **config).run()
    assert {kind for kind, _ in frames(play)} == {DELIVER}


def test_times_say_nothing_of_what_was_processed(tmp_path: Path) -> None:
    timed, plain = tmp_path / "timed", tmp_path / "plain"
    for folder in (timed, plain):
        folder.mkdir()
    told = [Play(folder, api="poll", timed=folder is timed).run().told() for folder in (timed, plain)]
    assert told[0] == told[1]


def test_the_kernel_counts_what_connections_carry() -> None:
    before = traffic() or {"connections": 0, "bytes_received": 0, "bytes_sent": 0}
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as one,
        server.accept()[0] as other,
    ):
        one.sendall(b"x" * 1000)
        assert len(other.recv(1000, socket.MSG_WAITALL)) == 1000
        now = traffic()
    assert now is not None
    assert now["connections"] - before["connections"] == 2
    assert now["bytes_received"] - before["bytes_received"] == 1000
    assert now["bytes_sent"] - before["bytes_sent"] == 1000


@pytest.mark.parametrize("api", ["poll", "consume"])
@pytest.mark.parametrize("record", ["loss", "throughput"])
def test_what_is_ready_made_is_what_else_is_made_on_the_way(tmp_path: Path, api: str, record: str) -> None:
    folders = [tmp_path / "ready", tmp_path / "made"]
    for folder in folders:
        folder.mkdir()
    rows = []
    for folder in folders:
        play = Play(folder, api=api, record=record, ready_made=folder.name == "ready").run()
        assert play.why == "end_offsets"
        rows.append([row for row in play.told() if isinstance(row, tuple)])
    assert rows[0] == rows[1]
    assert sum(length for _, _, length in rows[0]) == 40
