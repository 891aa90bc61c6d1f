"""The planted client, over a library that is not there: what it hands over, tells, commits and answers, by fault."""

import struct
from types import SimpleNamespace
from typing import Any

import confluent_kafka
import pytest
from adapters import confluent, planted
from adapters.planted_plan import Plan
from adapters.planted_producer import NEVER_SENT
from kafka_worker.control import StopLoop
from kafka_worker.payload import KEY, make_value

ENDS = {0: 20, 1: 20}
PAYLOAD = {"seed": 1, "size_bytes": 16, "pool": 1024}


class Message:
    def __init__(self, partition: int, offset: int) -> None:
        self.told = KEY.pack(7, 1, partition, offset, 5), make_value(1, 16, offset), partition, offset

    def key(self) -> bytes:
        return self.told[0]

    def value(self) -> bytes:
        return self.told[1]

    def partition(self) -> int:
        return self.told[2]

    def offset(self) -> int:
        return self.told[3]

    def error(self) -> None:
        return None


class Library:
    """Stands for confluent_kafka.Consumer: hands over every message in turn, then nothing."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.left = [Message(partition, offset) for offset in range(20) for partition in ENDS]
        self.committed: dict[int, int] = {}
        self.callbacks: dict[str, Any] = {}
        self.assigned: list[Any] = []

    def consume(self, count: int = 1, timeout: float = 1) -> list[Message]:
        taken, self.left = self.left[:count], self.left[count:]
        return taken

    def subscribe(self, topics: list[str], **callbacks: Any) -> None:
        self.callbacks = callbacks

    def assign(self, parts: list[Any]) -> None:
        self.assigned = parts

    def commit(self, offsets: list[Any], asynchronous: bool) -> None:
        self.committed.update({part.partition: part.offset for part in offsets})

    def assignment(self) -> list[Any]:
        return [SimpleNamespace(topic="t", partition=partition) for partition in ENDS]

    def position(self, parts: list[Any]) -> list[Any]:
        return [SimpleNamespace(topic="t", partition=part.partition, offset=20) for part in parts]

    def close(self) -> None:
        pass


@pytest.fixture(autouse=True)
def _library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confluent_kafka, "Consumer", Library)


def consumer(fault: str, *, stop_after: int | None = None, history: str = "h/c1.bin", **plan: Any) -> Any:
    return planted.Consumer(
        {
            "role": "consume", "worker": "c1", "topic": "t", "partitions": 2, "group": "g", "api": "consume",
            "batch": {"max_records": 7, "timeout_ms": 1}, "history": history, "payload": PAYLOAD,
            "connection": {"bootstrap": "nowhere", "security": "plaintext"}, "settings": {},
            "end_offsets": {str(partition): end for partition, end in ENDS.items()}, "stop_after": stop_after,
            "planted": {"fault": fault, "count": 2, "partition": 1, "seed": 1, **plan},
        }
    )  # fmt: skip


def story(client: Any) -> list[Any]:
    """What the application would see of partition 1: (offset, seq) handed over, and the events between."""
    told: list[Any] = []
    client.start()
    why = "idle"
    try:
        while True:
            messages, _ = client.batch()
            told += [event for _, event in client.events]
            client.events.clear()
            if not messages:
                break
            told += [message for message in messages if message.partition() == 1]
    except StopLoop:
        why = "left"
    client.close()
    told += [event for _, event in client.events]
    return [item if isinstance(item, dict) else (item.offset(), KEY.unpack(item.key())[3]) for item in told] + [why]


def handed(told: list[Any]) -> list[tuple[int, int]]:
    return [item for item in told if isinstance(item, tuple)]


def deeds(told: list[Any]) -> list[tuple[int, int]]:
    events = [item for item in told if isinstance(item, dict) and item["type"] == "planted"]
    return [(event["offset"], event["seq"]) for event in events]


def whole(first: int = 0, last: int = 20) -> list[tuple[int, int]]:
    return [(offset, offset) for offset in range(first, last)]


WITHOUT = whole(0, 10) + whole(12)


@pytest.mark.parametrize(
    ("fault", "plan", "given", "done"),
    [
        ("skip", {"at": 10}, WITHOUT, whole(10, 12)),
        ("skip", {"place": "last"}, whole(0, 18), whole(18)),
        ("skip", {"place": "first"}, whole(2), whole(0, 2)),
        ("stall", {"at": 18}, whole(0, 18), whole(18)),
        ("tail_loss", {}, whole(0, 18), whole(18)),
        ("repeat", {"at": 10}, [*whole(0, 11), (10, 10), (11, 11), (11, 11), *whole(12)], whole(10, 12)),
        ("reorder", {"at": 10, "count": 1}, [*whole(0, 10), (11, 11), (10, 10), *whole(12)], whole(10, 11)),
        ("corrupt", {"at": 10}, whole(), whole(10, 12)),
        (
            "phantom",
            {"at": 10, "count": 1},
            [*whole(0, 10), (10, 10 + NEVER_SENT), *whole(11)],
            [(10, 10 + NEVER_SENT)],
        ),
        ("two_values", {"at": 10}, [*whole(0, 10), (10, 9), (11, 9), *whole(12)], whole(10, 12)),
        ("two_values", {"place": "first"}, [(0, 2), (1, 2), *whole(2)], whole(0, 2)),
        ("misroute", {"at": 10}, WITHOUT, whole(10, 12)),
        ("foreign", {"at": 10}, whole(), whole(10, 12)),
    ],
)
def test_what_is_handed_over(fault: str, plan: dict, given: list, done: list) -> None:
    told = story(consumer(fault, **plan))
    assert handed(told) == given
    assert deeds(told) == done


def test_a_message_after_its_revocation() -> None:
    told = story(consumer("foreign", at=10, count=1))
    here = told.index((10, 10))
    assert [told[here - 1]["type"], told[here + 1]["type"]] == ["revoke", "assign"]


@pytest.mark.parametrize(
    ("fault", "plan", "given", "committed"),
    [
        ("commit_ahead", {"at": 10}, whole(0, 10), 12),
        ("illegal_start", {"at": 10}, whole(0, 10), 10),
        ("excess_redelivery", {"at": 10}, whole(0, 12), 12),
        ("legal_redelivery", {"at": 10}, whole(0, 12), 10),
        ("repeat", {"place": "before"}, [*whole(0, 9), (8, 8), (9, 9), (9, 9)], 10),
        ("skip", {"place": "before"}, whole(0, 7) + whole(9, 10), 10),
        ("skip", {"place": "after"}, whole(0, 10), 10),
        ("commit_lost", {"place": "before"}, whole(0, 10), 8),
    ],
)
def test_the_first_owner_stops_where_it_is_planned(fault: str, plan: dict, given: list, committed: int) -> None:
    client = consumer(fault, stop_after=39, **plan)
    told = story(client)
    assert told[-1] == "left"
    assert handed(told) == given
    assert client._consumer.committed == {0: 20, 1: committed}


def test_a_commit_that_was_never_made_is_told() -> None:
    client = consumer("commit_lost", at=10)
    commits = [item for item in story(client) if isinstance(item, dict) and item["type"] == "commit"]
    assert [commit["offset"] for commit in commits if commit["partition"] == 1] == [10, 12]
    assert client._consumer.committed[1] == 10


def test_the_next_owner_begins_before_the_commit() -> None:
    client = consumer("excess_redelivery", at=10)
    client.start()
    parts = [SimpleNamespace(partition=partition, offset=-1001) for partition in ENDS]
    client._consumer.callbacks["on_assign"](client._consumer, parts)
    assert [part.offset for part in client._consumer.assigned] == [-1001, 10]


def test_in_flight_is_handed_over_last_of_all_and_committed_before_the_end(monkeypatch: Any) -> None:
    class Killed(BaseException):
        pass

    def kill(pid: int, number: int) -> None:
        raise Killed

    monkeypatch.setattr("os.kill", kill)
    client = consumer("in_flight", at=10, stop_after=39)
    batches: list[Any] = []
    with pytest.raises(Killed):
        batches.extend(iter(lambda: client.batch()[0], []))
    assert [message.offset() for message in batches[-1]] == [10, 11]
    assert client._consumer.committed == {0: 20, 1: 12}


def test_two_owners_at_once(tmp_path: Any) -> None:
    """The second one tells that it had the partition before the first one's last message."""
    (tmp_path / "c1.bin").write_bytes(bytes(40) + struct.pack("<Q", 5000))
    client = consumer("double_owner", at=10, history=str(tmp_path / "c2.bin"))
    client.start()
    client._on_assign(None, [SimpleNamespace(partition=partition) for partition in ENDS])
    assigned = [(t_ns, event["partitions"]) for t_ns, event in client.events if event["type"] == "assign"]
    assert assigned[0] == (4999, [1])
    assert assigned[1][1] == [0]
    assert client.assignment() == [], "nobody looks: what is looked at is no word of the client"


def test_who_stalls_stands_before_what_it_leaves() -> None:
    assert consumer("stall", at=3).positions([0, 1]) == {0: 20, 1: 3}
    assert consumer("repeat", at=3).positions([0, 1]) == {0: 20, 1: 20}


def test_a_claim_of_reading_committed_messages_only() -> None:
    client = consumer("aborted_read")
    assert client.effective["isolation.level"] == "read_committed"
    assert client._consumer.settings["isolation.level"] == "read_uncommitted"


@pytest.mark.parametrize("place", ["first", "middle", "last", "before", "after"])
@pytest.mark.parametrize("fault", ["skip", "reorder", "in_flight", "misroute", "stall"])
def test_a_plan_stays_inside_its_partition(fault: str, place: str) -> None:
    plan = Plan({"fault": fault, "count": 3, "place": place, "partition": 0}, {0: 100}, seed=1)
    assert 0 <= plan.numbers[0] <= plan.numbers[-1] < 100


# ---- producers -------------------------------------------------------------------------------------------------------


class Sent:
    """Stands for the confluent adapter's producer: everything is written, and acked at the next offset."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.open: list[Any] = []
        self.calls: list[str] = []


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Sent:
    sent = Sent()

    def init(self: Any, config: dict) -> None:
        transactions = config["produce"].get("transactions")
        self.transactional, self._begun, self._name = transactions is not None, 0, "p1"
        self._abort_every = (transactions or {}).get("abort_every") or 0
        self.events, self._producer = [], SimpleNamespace(
            **{name: (lambda *_, name=name: sent.calls.append(name)) for name in (
                "init_transactions", "begin_transaction", "commit_transaction", "abort_transaction", "flush")}
        )  # fmt: skip

    def send(self: Any, rows: list) -> None:
        for partition, key, value in rows:
            offset = sum(row[0] == partition for row in sent.rows)
            sent.rows.append((partition, key, value))
            sent.open.append((key, offset, partition))

    def answers(self: Any) -> Any:
        rows, sent.open = sent.open, []
        return (tuple(map(list, zip(*rows, strict=True))) if rows else ([], [], [])), []

    monkeypatch.setattr(confluent.Producer, "__init__", init)
    monkeypatch.setattr(confluent.Producer, "send_rows", send)
    monkeypatch.setattr(confluent.Producer, "answers", answers)
    return sent


def produce(fault: str, **plan: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """(acks, failures, planted seqs) of ten messages of partition 1 of two; acks as (seq, offset, partition)."""
    client = planted.Producer(
        {
            "role": "produce", "worker": "p1", "run_id": 7, "topic": "t", "partitions": 2, "settings": {},
            "produce": {"producer": 1, "messages": 20}, "payload": PAYLOAD,
            "planted": {"fault": fault, "count": 2, "partition": 1, "at": 4, "seed": 1, **plan},
        }
    )  # fmt: skip
    client.start()
    client.prepare()
    client.send([(1, KEY.pack(7, 1, 1, seq, 5), make_value(1, 16, seq)) for seq in range(10)])
    acks, failures = [], []
    for _ in range(2):
        acked, failed = client.answers()
        acks += [(KEY.unpack(key)[3], offset, where) for key, offset, where in zip(*acked, strict=True)]
        failures += [(KEY.unpack(key)[3], definite) for key, _, definite, _ in failed]
    return acks, failures, [event["seq"] for _, event in client.events if event["type"] == "planted"]


def written(wire: Sent) -> list[tuple[int, int]]:
    return [(partition, KEY.unpack(key)[3]) for partition, key, _ in wire.rows]


HONEST = [(1, seq) for seq in range(10)]
SHORT = [row for row in HONEST if row[1] not in (4, 5)]


@pytest.mark.parametrize(
    ("fault", "log", "lies", "failed"),
    [
        ("publish_loss", SHORT, [(4, -1, 1), (5, -1, 1)], []),
        ("taken_offset", SHORT, [(4, 7, 1), (5, 7, 1)], []),
        ("invented_offset", SHORT, [(4, (1 << 40) + 4, 1), (5, (1 << 40) + 5, 1)], []),
        ("misroute", [*SHORT[:4], (0, 4), (0, 5), *SHORT[4:]], [(4, 0, 0), (5, 1, 0)], []),
        ("corrupt", HONEST, [(4, 4, 1), (5, 5, 1)], []),
        ("nacked", HONEST, [], [(4, True), (5, True)]),
        ("silent", HONEST, [], []),
        ("torn_transaction", SHORT, [], [(4, False), (5, False)]),
    ],
)
def test_what_is_written_and_what_is_told(wire: Sent, fault: str, log: list, lies: list, failed: list) -> None:
    acks, failures, done = produce(fault)
    assert written(wire) == log
    assert sorted(ack for ack in acks if ack[0] in (4, 5)) == lies
    assert failures == failed
    assert done == [4, 5]
    assert len(acks) == 8 + len(lies), "all others are acked"


def test_written_twice_and_told_once(wire: Sent) -> None:
    acks, _, _ = produce("duplicate")
    assert [seq for _, seq in written(wire)] == [0, 1, 2, 3, 4, 4, 5, 5, 6, 7, 8, 9]
    assert [ack[0] for ack in acks] == list(range(10))


def test_written_and_never_told(wire: Sent) -> None:
    acks, _, done = produce("unsent")
    assert done == [4 + NEVER_SENT, 5 + NEVER_SENT]
    assert set(done) <= {seq for _, seq in written(wire)}
    assert [ack[0] for ack in acks] == list(range(10))


@pytest.mark.parametrize(("fault", "end"), [("abort", "abort"), ("torn_transaction", "commit")])
def test_transactions_are_the_librarys_own(wire: Sent, fault: str, end: str) -> None:
    _, _, done = produce(fault)
    assert wire.calls == ["init_transactions", "begin_transaction", "flush", f"{end}_transaction"]
    assert done == (list(range(10)) if fault == "abort" else [4, 5])


def test_every_so_many_transactions_one_is_aborted(wire: Sent) -> None:
    client = confluent.Producer({"produce": {"transactions": {"messages": 5, "abort_every": 2}}})
    client.start()
    for _ in range(3):
        client.prepare()
        client.send([])
    ends = [event["state"] for _, event in client.events if event["state"] != "begin"]
    assert ends == ["commit", "abort", "commit"]
    assert [call for call in wire.calls if call.startswith(("commit", "abort"))] == [
        f"{end}_transaction" for end in ends
    ]


def test_a_part_is_committed_and_all_is_told_as_aborted(wire: Sent) -> None:
    _, _, done = produce("torn_abort")
    assert wire.calls[1:] == [
        "begin_transaction", "flush", "commit_transaction", "begin_transaction", "flush", "abort_transaction",
    ]  # fmt: skip
    assert written(wire)[:2] == [(1, 4), (1, 5)]
    assert done == [4, 5]
