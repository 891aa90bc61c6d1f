"""How the adapters commit and listen, over libraries that are not there: forms of offsets, answers, failures."""

from collections import namedtuple
from types import SimpleNamespace
from typing import Any

import confluent_kafka
import kafka
import pytest
from adapters import confluent, kafka_python
from adapters.parts import joins_by_itself
from confluent_kafka import KafkaError, KafkaException

CONFIG = {
    "role": "consume", "worker": "a1", "topic": "t", "partitions": 2, "group": "g", "api": "poll", "settings": {},
    "batch": {"max_records": None, "timeout_ms": 5}, "connection": {"bootstrap": "nowhere", "security": "plaintext"},
}  # fmt: skip


def part_of(partition: int, offset: int, error: str | None = None) -> SimpleNamespace:
    """As the library tells of one in its answer to a commit."""
    return SimpleNamespace(topic="t", partition=partition, offset=offset, error=error)


class Library:
    """Stands for either library's consumer: notes calls, and raises what it is told to."""

    def __init__(self, *topics: Any, **settings: Any) -> None:
        self.topics, self.config = topics, settings
        self.calls: list[Any] = []
        self.failing: Exception | None = None
        self.answer: Any = None
        part = kafka.TopicPartition("t", 1)
        self._subscription = SimpleNamespace(all_consumed_offsets=lambda: {part: SimpleNamespace(offset=7)})

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any, **keys: Any) -> Any:
            self.calls.append((name, args, keys))
            if self.failing is not None:
                raise self.failing
            return self.answer

        return call


def told(client: Any) -> list[Any]:
    events = [event for _, event in client.events]
    client.events.clear()
    return [(event["partition"], event["offset"], event["ok"], event.get("error")) for event in events]


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(kafka_python, "KafkaConsumer", Library)
    return kafka_python.Consumer


@pytest.fixture
def librdkafka(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(confluent_kafka, "Consumer", Library)
    return confluent.Consumer


@pytest.mark.parametrize("fields", ["offset metadata", "offset metadata leader_epoch"])
def test_offsets_have_as_many_fields_as_the_release_knows(
    monkeypatch: pytest.MonkeyPatch, python: Any, fields: str
) -> None:
    form = namedtuple("form", fields)
    monkeypatch.setattr(kafka_python, "OffsetAndMetadata", form)
    given = python(CONFIG).offsets_of({1: 5})
    assert given == {kafka.TopicPartition("t", 1): form(*[5, "", -1][: len(form._fields)])}


def test_a_synchronous_commit_is_told_from_the_call_itself(python: Any) -> None:
    client = python(CONFIG)
    client.commit({0: 3}, True)
    client.commit(None, True)
    assert told(client) == [(0, 3, True, None), (1, 7, True, None)]
    client._consumer.failing = ValueError("no longer a member")
    client.commit({0: 3}, True)
    client.commit({0: 4}, False)
    why = "ValueError: no longer a member"
    assert told(client) == [(0, 3, False, why), (0, 4, False, why)]


def test_an_asynchronous_one_by_its_callback(python: Any) -> None:
    client = python(CONFIG)
    client.commit({0: 3}, False)
    assert told(client) == []
    callback = client._consumer.config["default_offset_commit_callback"]
    callback({kafka.TopicPartition("t", 0): SimpleNamespace(offset=3)}, None)
    assert told(client) == [(0, 3, True, None)]


def test_librdkafka_answers_by_partition(librdkafka: Any) -> None:
    client = librdkafka(CONFIG)
    part, refused = confluent_kafka.TopicPartition("t", 0, 3), part_of(1, 4, error="fenced")
    client._consumer.answer = [part_of(0, 3), refused]
    client.commit({0: 3, 1: 4}, True)
    assert told(client) == [(0, 3, True, None), (1, 4, False, "fenced")]
    assert client._consumer.calls[0][2]["offsets"][0] == part


def test_nothing_to_commit_is_no_failure_but_an_illegal_generation_is(librdkafka: Any) -> None:
    client = librdkafka(CONFIG)
    client._consumer.failing = KafkaException(KafkaError(KafkaError._NO_OFFSET))
    client.commit(None, True)
    assert told(client) == []
    client._consumer.failing = KafkaException(KafkaError(KafkaError.ILLEGAL_GENERATION))
    client.commit({0: 3}, True)
    [(partition, offset, ok, error)] = told(client)
    assert (partition, offset, ok) == (0, 3, False)
    assert "ILLEGAL_GENERATION" in str(error)


def test_what_can_no_longer_be_stored_is_told(librdkafka: Any) -> None:
    client = librdkafka(CONFIG)
    client._consumer.failing = KafkaException(KafkaError(KafkaError._STATE))
    client.store("message")
    assert [(event["type"], event["where"]) for _, event in client.events] == [("error", "store_offsets")]


def test_the_documented_loop_has_no_listener(python: Any, librdkafka: Any) -> None:
    client = python({**CONFIG, "script": [{"do": "wait", "word": "w"}, {"do": "take", "count": 1}]})
    client.start()
    assert (client._consumer.topics, client._consumer.calls) == (("t",), [])
    other = librdkafka(CONFIG)
    other.start()
    [(name, args, keys)] = other._consumer.calls
    assert (name, args, list(keys)) == ("subscribe", (["t"],), ["on_assign"])
    # That one only counts, so that joining anew is seen.
    assert other.joined() is None
    keys["on_assign"](other._consumer, PARTS)
    assert (other.joined(), list(other.events)) == (1, [])


@pytest.mark.parametrize(("generation", "joined"), [(-1, None), (None, None), (0, 0), (5, 5)])
def test_joining_anew_shows_in_the_generation(python: Any, generation: int | None, joined: int | None) -> None:
    client = python(CONFIG)
    client._coordinator = SimpleNamespace(_generation=SimpleNamespace(generation_id=generation))
    assert client.joined() == joined
    client._coordinator = None
    assert client.joined() is None


COMMITS_IN_IT = {**CONFIG, "application": {"commit": {"mode": "in_revoke", "where": "after"}}}
PARTS = [kafka.TopicPartition("t", 1)]


def test_who_commits_in_the_listener_joins_with_one(python: Any) -> None:
    client = python(COMMITS_IN_IT)
    client.start()
    assert client._consumer.topics == ()
    [(name, args, keys)] = client._consumer.calls
    assert (name, args) == ("subscribe", (["t"],))
    # From 3.0 on only an asynchronous listener can commit.
    assert isinstance(keys["listener"], kafka.AsyncConsumerRebalanceListener)


@pytest.mark.parametrize("lost", [False, True])
def test_a_listener_tells_and_commits_what_the_application_has_done(python: Any, lost: bool) -> None:
    client = python({**CONFIG, "script": [{"do": "subscribe", "listener": True}]})
    client.giving_up = lambda partitions, lost: {} if lost else dict.fromkeys(partitions, 9)
    listener = kafka_python.listener_of(client)
    listener.on_partitions_assigned(set(PARTS))
    listener.on_partitions_revoked([])
    (listener.on_partitions_lost if lost else listener.on_partitions_revoked)(set(PARTS))
    events = [{key: event.get(key) for key in ("type", "partitions", "lost")} for _, event in client.events]
    assert events[0] == {"type": "assign", "partitions": [1], "lost": None}
    assert events[1] == {"type": "revoke", "partitions": [1], "lost": True if lost else None}
    assert [call[0] for call in client._consumer.calls] == ([] if lost else ["commit"])


def test_librdkafkas_listener_and_releases_without_on_lost(librdkafka: Any) -> None:
    client = librdkafka(COMMITS_IN_IT)
    client.giving_up = lambda partitions, lost: {1: 9}
    client.start()
    callbacks = client._consumer.calls[0][2]
    assert sorted(callbacks) == ["on_assign", "on_lost", "on_revoke"]
    client._consumer.answer = []
    callbacks["on_revoke"](client._consumer, PARTS)
    callbacks["on_lost"](client._consumer, PARTS)
    assert [event["type"] for _, event in client.events] == ["revoke", "revoke"]
    assert [call[0] for call in client._consumer.calls] == ["subscribe", "commit"]

    def old(topics: list[str], on_assign: Any = None, on_revoke: Any = None) -> None:
        client.calls = (on_assign, on_revoke)

    client._consumer.subscribe = old
    client.subscribe(True)
    assert None not in client.calls


def test_one_call_by_every_name(python: Any, librdkafka: Any) -> None:
    client = librdkafka(CONFIG)
    assert client.call_once(20, None) == ([], None)
    client._consumer.answer = ["message"]
    assert client.call_once(20, 5) == (["message"], None)
    assert client._consumer.calls == [("poll", (0.02,), {}), ("consume", (5, 0.02), {})]
    other = python(CONFIG)
    other._consumer.answer = {PARTS[0]: ["message"]}
    assert other.call_once(20, 5) == (["message"], [(1, 1)])
    assert other._consumer.calls == [("poll", (), {"timeout_ms": 20, "max_records": 5})]


def test_seeks_by_every_name(python: Any, librdkafka: Any) -> None:
    client = python(CONFIG)
    for to in (3, "beginning", "end"):
        client.seek([1], to)
    assert client._consumer.calls == [
        ("seek", (PARTS[0], 3), {}), ("seek_to_beginning", (PARTS[0],), {}), ("seek_to_end", (PARTS[0],), {}),
    ]  # fmt: skip
    other = librdkafka(CONFIG)
    for to in (3, "beginning", "end"):
        other.seek([1], to)
    offsets = [args[0].offset for _, args, _ in other._consumer.calls]
    assert offsets == [3, confluent_kafka.OFFSET_BEGINNING, confluent_kafka.OFFSET_END]


@pytest.mark.parametrize(
    ("script", "joins"),
    [(None, False), ([], False), (["tell", "assign"], True), (["wait", "sleep", "subscribe"], True), (["take"], False)],
)
def test_who_joins_by_itself(script: list[str] | None, joins: bool) -> None:
    assert joins_by_itself(None if script is None else [{"do": do} for do in script]) is joins
