"""The settings a client is made with: nothing beyond the documented loop, or the same meaning for all."""

import json

import pytest

from harness.clients.settings import (
    client_id_setting,
    commit_settings,
    consumer_settings,
    group_settings,
    isolation_setting,
    producer_settings,
    transactional,
)
from harness.clients.spec import parse_spec
from harness.errors import UsageError

EVERY = ["kafka-python==1.4.4", "kafka-python==2.0.2", "kafka-python", "kafka-python-ng", "aiokafka", "confluent-kafka"]


@pytest.mark.parametrize(
    ("client", "api", "made"),
    [
        ("kafka-python==2.0.2", "iterator", {"group_id": "g", "auto_offset_reset": "earliest"}),
        ("aiokafka", "getmany", {"group_id": "g", "auto_offset_reset": "earliest"}),
        ("confluent-kafka", "poll", {"group.id": "g", "auto.offset.reset": "earliest"}),
        ("planted", "consume", {"group.id": "g", "auto.offset.reset": "earliest"}),
        ("null", "poll", {}),
    ],
)
def test_as_shipped_is_the_documented_loop_and_nothing_else(client: str, api: str, made: dict[str, str]) -> None:
    assert consumer_settings(parse_spec(client), defaults="as_shipped", api=api, group="g", extra={}) == made


@pytest.mark.parametrize("client", EVERY)
def test_equal_means_the_same_for_all(client: str) -> None:
    spec = parse_spec(client)
    made = consumer_settings(spec, defaults="equal", api=spec.client.apis[0], group="g", extra={})
    made = {name.replace(".", "_"): value for name, value in made.items()}
    assert made["session_timeout_ms"] == 45_000
    assert made["max_poll_interval_ms"] == 300_000
    assert made["auto_commit_interval_ms"] == 5_000
    assert made["enable_auto_commit"] is True
    assert made["check_crcs"] is True
    assert made["auto_offset_reset"] == "earliest"
    assert made.get("fetch_max_wait_ms", made.get("fetch_wait_max_ms")) == 500
    assert (made["max_partition_fetch_bytes"], made["fetch_max_bytes"]) == (1 << 20, 50 << 20)
    # Releases without the setting read uncommitted, having nothing else.
    assert made.get("isolation_level", "read_uncommitted") == "read_uncommitted"


@pytest.mark.parametrize(
    ("client", "named"),
    [
        ("kafka-python==2.1.6", False),
        ("kafka-python==2.2.0", True),
        ("kafka-python", True),
        ("kafka-python @ /checkout", True),
        ("kafka-python-ng", False),
        ("aiokafka==0.8.1", True),
    ],
)
def test_a_setting_only_where_the_release_has_it(client: str, named: bool) -> None:
    spec = parse_spec(client)
    consumer = consumer_settings(spec, defaults="equal", api="iterator", group="g", extra={})
    producer = producer_settings(spec, defaults="equal", extra={})
    assert ("isolation_level" in consumer) is named
    assert ("enable_idempotence" in producer) is named


def test_librdkafka_is_told_to_read_uncommitted() -> None:
    made = consumer_settings(parse_spec("confluent-kafka"), defaults="equal", api="poll", group="g", extra={})
    assert made["isolation.level"] == "read_uncommitted"


def test_the_heartbeat_outlives_three_misses_and_aiokafka_waits_for_a_join() -> None:
    made = consumer_settings(parse_spec("aiokafka"), defaults="equal", api="getone", group="g", extra={})
    assert made["request_timeout_ms"] > made["session_timeout_ms"] > 3 * made["heartbeat_interval_ms"]


@pytest.mark.parametrize("client", EVERY)
@pytest.mark.parametrize("defaults", ["as_shipped", "equal"])
def test_a_member_without_a_group_never_commits(client: str, defaults: str) -> None:
    spec = parse_spec(client)
    made = consumer_settings(spec, defaults=defaults, api=spec.client.apis[0], group=None, extra={})
    assert made.get("enable.auto.commit", made.get("enable_auto_commit")) is False


def test_the_users_settings_win_untouched() -> None:
    extra = {"session_timeout_ms": 1, "api_version": [0, 10], "no_such_name": None}
    made = consumer_settings(parse_spec("kafka-python"), defaults="equal", api="poll", group="g", extra=extra)
    assert {name: made[name] for name in extra} == extra
    assert producer_settings(parse_spec("confluent-kafka"), defaults="equal", extra={"acks": "1"})["acks"] == "1"


def test_an_api_that_the_library_does_not_have() -> None:
    with pytest.raises(UsageError) as caught:
        consumer_settings(parse_spec("confluent-kafka"), defaults="equal", api="iterator", group="g", extra={})
    assert caught.value.slug == "client-api"
    assert caught.value.what == "client 'confluent-kafka' has no api 'iterator'"
    assert caught.value.hint == "It offers poll, consume."


def test_producers() -> None:
    confluent = parse_spec("confluent-kafka")
    assert producer_settings(confluent, defaults="equal", extra={}) == {
        "acks": "all",
        "enable.idempotence": True,
        "linger.ms": 5,
    }
    assert producer_settings(confluent, defaults="as_shipped", extra={"linger.ms": 1}) == {"linger.ms": 1}
    # Without idempotence one request in flight keeps retries in order.
    assert producer_settings(parse_spec("kafka-python==2.0.2"), defaults="equal", extra={}) == {
        "acks": "all",
        "retries": 10,
        "max_in_flight_requests_per_connection": 1,
        "linger_ms": 5,
    }
    assert producer_settings(parse_spec("null"), defaults="equal", extra={}) == {}


@pytest.mark.parametrize("client", [*EVERY, "planted", "null"])
def test_settings_travel_as_json(client: str) -> None:
    spec = parse_spec(client)
    made = consumer_settings(spec, defaults="equal", api=spec.client.apis[-1], group="g", extra={})
    assert json.loads(json.dumps(made)) == made


@pytest.mark.parametrize("client", ["kafka-python", "aiokafka", "confluent-kafka"])
def test_the_isolation_level_by_the_librarys_own_name(client: str) -> None:
    """The name under which `equal` sets it, so that the one replaces the other."""
    spec = parse_spec(client)
    made = consumer_settings(spec, defaults="equal", api=spec.client.apis[0], group=None, extra={})
    level = isolation_setting(spec, "read_committed")
    assert list(level.values()) == ["read_committed"]
    assert made.keys() >= level.keys()


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({}, False),
        ({"enable.idempotence": True}, False),
        ({"transactional_id": None}, False),
        ({"transactional.id": "t"}, True),
        ({"transactional_id": "t"}, True),
    ],
)
def test_who_writes_transactions(settings: dict, found: bool) -> None:
    assert transactional(settings) is found


GROUP = {
    "assignor": "range",
    "instance": "a",
    "session_timeout_ms": 6000,
    "max_poll_interval_ms": 7000,
    "heartbeat_interval_ms": 2000,
}


def test_a_group_by_each_librarys_own_names() -> None:
    assert group_settings(parse_spec("confluent-kafka"), protocol="classic", **GROUP) == {
        "group.protocol": "classic",
        "partition.assignment.strategy": "range",
        "group.instance.id": "a",
        "session.timeout.ms": 6000,
        "max.poll.interval.ms": 7000,
        "heartbeat.interval.ms": 2000,
    }
    for client in ("kafka-python", "aiokafka"):
        assert group_settings(parse_spec(client), protocol="classic", **GROUP) == {
            "partition_assignment_strategy": ["range"],
            "group_instance_id": "a",
            "session_timeout_ms": 6000,
            "max_poll_interval_ms": 7000,
            "heartbeat_interval_ms": 2000,
        }


def test_in_the_consumer_protocol_the_broker_assigns_and_decides() -> None:
    spec = parse_spec("confluent-kafka")
    made = group_settings(spec, protocol="consumer", assignor="range")
    assert made == {"group.protocol": "consumer", "group.remote.assignor": "range"}
    settings = consumer_settings(spec, defaults="equal", api="poll", group="g", extra=made)
    assert not settings.keys() & {"session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy"}
    assert settings["max.poll.interval.ms"] == 300_000


@pytest.mark.parametrize("client", EVERY)
def test_what_is_not_said_of_a_group_is_not_set(client: str) -> None:
    assert group_settings(parse_spec(client)) == {}


@pytest.mark.parametrize(
    ("mode", "interval", "confluent", "python"),
    [
        (
            "auto",
            300,
            {"enable.auto.commit": True, "auto.commit.interval.ms": 300},
            {"enable_auto_commit": True, "auto_commit_interval_ms": 300},
        ),
        ("auto", None, {"enable.auto.commit": True}, {"enable_auto_commit": True}),
        (
            "store_offsets",
            300,
            {"enable.auto.commit": True, "auto.commit.interval.ms": 300, "enable.auto.offset.store": False},
            None,
        ),
        *(
            (mode, None, {"enable.auto.commit": False}, {"enable_auto_commit": False})
            for mode in ("sync", "async", "async_then_sync", "per_message", "in_revoke", "none")
        ),
    ],
)
def test_who_commits(mode: str, interval: int | None, confluent: dict, python: dict | None) -> None:
    assert commit_settings(parse_spec("confluent-kafka"), mode=mode, interval_ms=interval) == confluent
    if python is not None:
        assert commit_settings(parse_spec("kafka-python"), mode=mode, interval_ms=interval) == python
        assert commit_settings(parse_spec("aiokafka"), mode=mode, interval_ms=interval) == python
    assert commit_settings(parse_spec("null"), mode=mode) == {}


def test_a_clients_name() -> None:
    assert client_id_setting(parse_spec("confluent-kafka"), "a1") == {"client.id": "a1"}
    assert client_id_setting(parse_spec("aiokafka"), "a1") == {"client_id": "a1"}
    assert client_id_setting(parse_spec("null"), "a1") == {}
