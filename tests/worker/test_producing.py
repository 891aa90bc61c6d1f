"""What a producer's history says of its messages: intents first, events where they belong, no answer made up."""

from typing import Any

import pytest
from kafka_worker.payload import KEY, Payload
from kafka_worker.producing import Production
from kafka_worker.recorder import ACK, NACK, SEND, UNKNOWN

KINDS = {SEND: "send", ACK: "ack", NACK: "nack", UNKNOWN: "unknown"}


class Recorder:
    """Keeps what would be written, in order: (kind, seqs) and events."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def columns(self, kind: int, keys: bytes, *_: Any) -> None:
        seqs = [KEY.unpack_from(keys, at)[3] for at in range(0, len(keys), KEY.size)]
        self.told.append((KINDS[kind], seqs))

    def event(self, data: dict, t_ns: int | None = None) -> None:
        self.told.append(data["type"])

    def count(self, *_: Any) -> None:
        pass


class Client:
    """Acks every message but those in `silent`, and tells when it is asked to prepare."""

    chunk, call, idempotent = 2, "send", True

    def __init__(self, silent: tuple[int, ...] = ()) -> None:
        self.silent = silent
        self.events: list[Any] = []
        self.acked: tuple[list, list, list] = ([], [], [])

    def prepare(self) -> None:
        self.events.append((0, {"type": "begin"}))

    def send(self, rows: list) -> None:
        for partition, key, _ in rows:
            if KEY.unpack(key)[3] not in self.silent:
                for column, value in zip(self.acked, (key, 0, partition), strict=True):
                    column.append(value)
        self.events.append((0, {"type": "end"}))

    def answers(self) -> Any:
        acked, self.acked = self.acked, ([], [], [])
        return acked, []

    def flush(self, timeout_s: float) -> int:
        return 0

    def close(self) -> None:
        self.events.append((0, {"type": "closed"}))


def produced(
    client: Client, messages: int = 4, compacted: tuple[int, int] | None = None, rate: int | None = None
) -> tuple[Recorder, Production]:
    recorder = Recorder()
    produce = {"producer": 1, "messages": messages, "compacted": compacted, "rate": rate}
    config = {"produce": produce, "partitions": 1}
    control: Any = type("Control", (), {"stopping": False})()
    production = Production(config, control, recorder, Payload(7, 1, 16, 4), client)
    assert production.run() == "done"
    production.finish()
    return recorder, production


def test_intents_stand_between_what_the_client_tells_before_and_after() -> None:
    recorder, _ = produced(Client())
    assert recorder.told == [
        "begin", ("send", [0, 1]), "end", ("ack", [0, 1]), "begin", ("send", [2, 3]), "end", ("ack", [2, 3]), "closed",
    ]  # fmt: skip


@pytest.mark.parametrize("silent", [(1,), (0, 3)])
def test_no_answer_is_made_up(silent: tuple[int, ...]) -> None:
    """It is counted as unknown; the history leaves it open, which the judge tells as a silent send."""
    recorder, production = produced(Client(silent))
    assert production.unknown == len(silent)
    assert "unknown" not in {item[0] for item in recorder.told if isinstance(item, tuple)}


def test_what_compaction_is_to_remove_is_written_again_under_the_same_keys_before_the_last_message(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rests: list[float] = []
    monkeypatch.setattr("kafka_worker.producing.time.sleep", rests.append)
    client, keys = Client(), list[bytes]()
    send = client.send
    client.send = lambda rows: (keys.extend(key for _, key, _ in rows), send(rows))[1]  # type: ignore[method-assign]
    recorder, production = produced(client, 5, (1, 2))
    sent = [seqs for item in recorder.told if isinstance(item, tuple) and item[0] == "send" for seqs in [item[1]]]
    assert sent == [[0, 1], [2, 3], [1, 2], [4]]
    assert len(keys) == 7
    assert len(set(keys)) == 5
    assert rests == [2.0]
    assert (production.sent, production.unknown) == (5, 0)


def test_a_rate_sends_small_pieces_and_rests_after_each(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("kafka_worker.producing.time.monotonic", lambda: now[0])
    client, rests = Client(), list[float]()
    client.chunk = 1000
    client.rest = lambda seconds: rests.append(round(seconds, 3))  # type: ignore[attr-defined]
    recorder, _ = produced(client, 10, rate=80)
    assert [seqs for item in recorder.told if isinstance(item, tuple) and item[0] == "send" for seqs in [item[1]]] == [
        [0, 1, 2, 3], [4, 5, 6, 7], [8, 9],
    ]  # fmt: skip
    assert rests == [0.05, 0.05, 0.025]


def test_who_was_held_up_does_not_hurry_to_make_up_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("kafka_worker.producing.time.monotonic", lambda: now[0])
    client, rests = Client(), list[float]()
    send = client.send
    client.send = lambda rows: (now.__setitem__(0, now[0] + 3), send(rows))[1]  # type: ignore[method-assign]
    client.rest = rests.append  # type: ignore[attr-defined]
    produced(client, 4, rate=40)
    assert rests == [0, 0]
