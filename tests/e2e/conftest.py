"""Real brokers, one of each line for the whole session, and what tests do with any of them."""

import os
import secrets
import socket
import ssl
import struct
import subprocess
from collections.abc import Callable, Iterator

import pytest

from harness.broker.admin import Admin, confluent_settings
from harness.broker.base import Connection
from harness.broker.embedded import EmbeddedBroker

RoundTrip = Callable[[Connection, Connection], None]


def embedded(kafka: str, factory: pytest.TempPathFactory) -> EmbeddedBroker:
    log = factory.mktemp(f"kafka-{kafka}") / "broker.log"
    return EmbeddedBroker(kafka=kafka, heap_mb=512, start_timeout_s=120, run_log=log, progress=print)


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """The default Kafka; connections by `kafka.connection("mutual_tls")` and `("plaintext")`."""
    with embedded("4.3.1", tmp_path_factory) as broker:
        yield broker


@pytest.fixture(scope="session")
def kafka39(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedBroker]:
    """The last line that the oldest clients can talk to."""
    with embedded("3.9.1", tmp_path_factory) as broker:
        yield broker


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """A test that needs one is skipped where none answers; HARNESS_DOCKER=1 makes that a failure."""
    try:
        answers = subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        answers = False
    if not answers and os.environ.get("HARNESS_DOCKER") == "1":
        pytest.fail("HARNESS_DOCKER=1, and no Docker engine answers")
    if not answers:
        pytest.skip("no Docker engine answers (HARNESS_DOCKER=1 makes this a failure)")


@pytest.fixture
def roundtrip() -> RoundTrip:
    """Write over one connection and read over another; every message must come back, and the offsets with them."""

    def messages_come_back(writing: Connection, reading: Connection) -> None:
        from confluent_kafka import Consumer, Producer

        topic = f"roundtrip-{secrets.token_hex(4)}"
        sent = {b"%d" % number for number in range(100)}
        with Admin(writing) as admin:
            admin.create_topic(topic, partitions=4)
            assert admin.end_offsets(topic) == dict.fromkeys(range(4), (0, 0))
            producer = Producer(confluent_settings(writing) | {"acks": "all"})
            for number, value in enumerate(sorted(sent)):
                producer.produce(topic, value, partition=number % 4)
            assert producer.flush(20) == 0
            assert admin.end_offsets(topic) == dict.fromkeys(range(4), (0, 25))

            consumer = Consumer(
                confluent_settings(reading)
                | {"group.id": topic, "auto.offset.reset": "earliest", "enable.auto.commit": False}
            )
            consumer.subscribe([topic])
            received = consumer.consume(len(sent), 30)
            assert [message.error() for message in received if message.error()] == []
            assert {message.value() for message in received} == sent
            for family in ("confluent-kafka", "kafka-python"):
                stored = admin.stored_offsets(topic, topic, range(4), family=family)
                assert stored == dict.fromkeys(range(4)), family
            consumer.commit(asynchronous=False)
            for family in ("confluent-kafka", "kafka-python"):
                stored = admin.stored_offsets(topic, topic, range(4), family=family)
                assert stored == dict.fromkeys(range(4), 25), family
            consumer.close()
            admin.delete_topic(topic)

    return messages_come_back


@pytest.fixture
def ask_over_tls() -> Callable[[Connection], bytes]:
    """One ApiVersions request by hand. In TLS 1.3 a client learns only with the first answer that it was refused, and
    client libraries hide the alert behind their own timeouts."""

    def answer(connection: Connection) -> bytes:
        host, port = str(connection["bootstrap"]).rsplit(":", 1)
        context = ssl.create_default_context(cafile=connection["ca"])
        if connection["cert"] is not None:
            context.load_cert_chain(connection["cert"], connection["key"])
        request = struct.pack(">hhih", 18, 0, 7, -1)  # ApiVersions, version 0, correlation id 7, no client id
        with (
            socket.create_connection((host, int(port)), timeout=20) as plain,
            context.wrap_socket(plain, server_hostname=host) as channel,
        ):
            channel.sendall(struct.pack(">i", len(request)) + request)
            return channel.recv(8)

    return answer
