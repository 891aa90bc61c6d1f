"""Errors in place of silence; no broker."""

from types import SimpleNamespace

import pytest

from harness.broker.admin import FAMILIES, Admin, GroupView
from harness.broker.node import free_ports
from harness.connection import Connection
from harness.errors import HarnessError

PLAIN: Connection = {"bootstrap": "localhost:1", "security": "plaintext", "ca": None, "cert": None, "key": None}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_broker_that_does_not_answer_is_named(family: str) -> None:
    bootstrap = f"localhost:{free_ports(1)[0]}"
    with Admin(PLAIN | {"bootstrap": bootstrap}, timeout_s=0.5) as admin, pytest.raises(HarnessError) as refused:
        admin.stored_offsets("g", "t", [0], family=family)
    assert refused.value.slug == "broker-refused"
    assert refused.value.what.startswith(f"{bootstrap}: reading the offsets of group g")


def test_topics_of_a_broker_that_does_not_answer() -> None:
    with Admin(PLAIN | {"bootstrap": f"localhost:{free_ports(1)[0]}"}, timeout_s=0.5) as admin:
        for doing, ask in (
            ("creating topic t", lambda: admin.create_topic("t", partitions=1)),
            ("deleting topic t", lambda: admin.delete_topic("t")),
            ("asking where t ends", lambda: admin.end_offsets("t")),
        ):
            with pytest.raises(HarnessError, match=doing):
                ask()


def test_an_answer_that_leaves_a_partition_out_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with Admin(PLAIN) as admin:
        monkeypatch.setattr(admin, "_stored_by_confluent", lambda _group, _topic, _partitions: {0: 5})
        with pytest.raises(HarnessError) as refused:
            admin.stored_offsets("g", "t", [0, 1], family="confluent-kafka")
    assert refused.value.what == "localhost:1: reading the offsets of group g: no answer for partitions [1]"


def test_nothing_stored_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    with Admin(PLAIN) as admin:
        monkeypatch.setattr(admin, "_stored_by_confluent", lambda _group, _topic, _partitions: {0: 0, 1: -1001, 2: -1})
        assert admin.stored_offsets("g", "t", range(3), family="confluent-kafka") == {0: 0, 1: None, 2: None}


def test_a_group_as_kafka_python_tells_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """While a group rebalances its members are there, and own nothing."""
    assigned = {"assigned_partitions": [{"topic": "t", "partitions": [0, 2]}, {"topic": "other", "partitions": [1]}]}
    members = [
        {"client_id": "a1", "member_assignment": assigned},
        {"client_id": "b1", "member_assignment": b""},
    ]
    answer = {"g": {"group_state": "Stable", "members": members}}
    with Admin(PLAIN) as admin:
        client = SimpleNamespace(describe_groups=lambda groups: answer, close=lambda: None)
        monkeypatch.setattr(admin, "_kafka_python_client", lambda: client)
        assert admin.describe_group("g", "t") == GroupView("Stable", {"a1": frozenset({0, 2}), "b1": frozenset()})


def test_a_group_of_the_consumer_protocol_is_asked_for_once_it_has_a_coordinator(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def stored(*_: object) -> dict[int, int]:
        asked.append("stored")
        if len(asked) < 3:
            raise HarnessError("broker-refused", "Not coordinator")
        return {0: 0}

    parts = [SimpleNamespace(topic="t", partition=1), SimpleNamespace(topic="other", partition=0)]
    member = SimpleNamespace(client_id="a1", assignment=SimpleNamespace(topic_partitions=parts))
    told = SimpleNamespace(state=SimpleNamespace(name="STABLE"), members=[member])
    with Admin(PLAIN) as admin:
        monkeypatch.setattr(admin, "_stored_by_confluent", stored)
        monkeypatch.setattr(admin, "_result", lambda *_: told)
        for _ in range(2):
            assert admin.describe_group("g", "t", protocol="consumer") == GroupView("STABLE", {"a1": frozenset({1})})
    assert asked == ["stored"] * 3


def test_a_partition_that_tells_no_offset_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """librdkafka told -1001 for a partition whose leader had just been killed, and no error."""
    from concurrent.futures import Future

    told = [-1001, 9, 0, 9]

    def list_offsets(wanted: dict, **_: object) -> dict:
        answer: Future = Future()
        answer.set_result(SimpleNamespace(offset=told.pop(0)))
        return dict.fromkeys(wanted, answer)

    topic = SimpleNamespace(error=None, partitions={0: None})
    client = SimpleNamespace(
        list_topics=lambda _topic, timeout: SimpleNamespace(topics={"t": topic}), list_offsets=list_offsets
    )
    with Admin(PLAIN) as admin:
        monkeypatch.setattr(admin, "_client", lambda: client)
        assert admin.end_offsets("t") == {0: (0, 9)}
    assert told == []
