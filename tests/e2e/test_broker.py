"""The embedded Kafka itself: whom it serves, whom it refuses, and what is left of it."""

import os
import socket
import ssl
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.broker.admin import Admin
from harness.broker.base import Connection
from harness.broker.embedded import EmbeddedBroker
from harness.errors import EXIT_HARNESS, HarnessError
from harness.proc import wait_until

pytestmark = pytest.mark.e2e

Ask = Callable[[Connection], bytes]
RoundTrip = Callable[[Connection, Connection], None]


@pytest.fixture(params=["kafka", "kafka39"])
def broker(request: pytest.FixtureRequest) -> EmbeddedBroker:
    found: EmbeddedBroker = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def temp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of this test alone."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def unstarted(tmp_path: Path, **changes: object) -> EmbeddedBroker:
    asked: dict[str, object] = {"kafka": "4.3.1", "heap_mb": 512, "start_timeout_s": 60, "progress": print}
    return EmbeddedBroker(run_log=tmp_path / "broker.log", **(asked | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("writing", ["mutual_tls", "plaintext"])
def test_messages_come_back(broker: EmbeddedBroker, roundtrip: RoundTrip, writing: str) -> None:
    reading = "plaintext" if writing == "mutual_tls" else "mutual_tls"
    roundtrip(broker.connection(writing), broker.connection(reading))


def test_the_right_certificate_is_answered(broker: EmbeddedBroker, ask_over_tls: Ask) -> None:
    assert ask_over_tls(broker.connection("mutual_tls"))[4:8] == b"\0\0\0\7"


def test_a_client_without_certificate_is_refused(broker: EmbeddedBroker, ask_over_tls: Ask) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate.required"):
        ask_over_tls(broker.connection("mutual_tls") | {"cert": None, "key": None})


def test_a_foreign_certificate_is_refused(broker: EmbeddedBroker, ask_over_tls: Ask) -> None:
    with pytest.raises(ssl.SSLError, match=r"(?i)certificate.unknown|unknown.ca|bad.certificate"):
        ask_over_tls(broker.wrong_connection())


@pytest.mark.parametrize("family", ["confluent-kafka", "kafka-python"])
def test_a_foreign_certificate_gets_nothing_through_a_client(broker: EmbeddedBroker, family: str) -> None:
    with Admin(broker.wrong_connection(), timeout_s=3) as admin, pytest.raises(HarnessError) as refused:
        admin.stored_offsets("g", "t", [0], family=family)
    assert refused.value.slug == "broker-refused"


def test_the_certificate_is_for_localhost_and_its_address_alone(broker: EmbeddedBroker, ask_over_tls: Ask) -> None:
    right = broker.connection("mutual_tls")
    port = str(right["bootstrap"]).split(":")[1]
    assert ask_over_tls(right | {"bootstrap": f"127.0.0.1:{port}"})[4:8] == b"\0\0\0\7"
    context = ssl.create_default_context(cafile=right["ca"])
    with (
        socket.create_connection(("127.0.0.1", int(port)), timeout=20) as plain,
        pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"),
    ):
        context.wrap_socket(plain, server_hostname="kafka.example.org")


def test_topics_are_never_made_by_asking(broker: EmbeddedBroker) -> None:
    with Admin(broker.connection("plaintext")) as admin, pytest.raises(HarnessError) as refused:
        admin.end_offsets("nobody-made-this")
    assert refused.value.what == (
        f"{broker.connection('plaintext')['bootstrap']}: asking where nobody-made-this ends: "
        "Broker: Unknown topic or partition"
    )


@pytest.mark.parametrize("family", ["confluent-kafka", "kafka-python"])
def test_stored_offsets_are_read_quickly(kafka: EmbeddedBroker, family: str) -> None:
    with Admin(kafka.connection("plaintext")) as admin:
        admin.create_topic(f"quick-{family}", partitions=4)
        admin.stored_offsets("quick", f"quick-{family}", range(4), family=family)
        begin = time.monotonic()
        for _ in range(10):
            admin.stored_offsets("quick", f"quick-{family}", range(4), family=family)
        assert (time.monotonic() - begin) / 10 < 0.1


def test_the_description_is_what_runs(broker: EmbeddedBroker) -> None:
    told = broker.description()
    assert f"Kafka version: {told['kafka']}" in broker.run_log.read_text()
    assert told["listeners"]["mutual_tls"] == broker.connection("mutual_tls")["bootstrap"]
    assert told["settings"]["ssl.client.auth"] == "required"
    assert set(told["start_s"]) == {"format", "start"}


def test_nothing_is_left(tmp_path: Path, temp: Path) -> None:
    with unstarted(tmp_path) as broker:
        pid = broker.pid
        key = Path(str(broker.connection("mutual_tls")["key"]))
        assert key.is_relative_to(temp)
        assert broker.alive() is None
    assert list(temp.iterdir()) == []
    assert not Path(f"/proc/{pid}").exists()
    assert "App info kafka.server for 1 unregistered" in (tmp_path / "broker.log").read_text()


def test_too_small_a_heap_is_told(tmp_path: Path, temp: Path) -> None:
    with pytest.raises(HarnessError) as died, unstarted(tmp_path, heap_mb=8):
        pass
    assert (died.value.slug, died.value.exit_code) == ("broker-died", EXIT_HARNESS)
    assert died.value.what.startswith(
        f"Kafka 4.3.1 ended with exit status 3 while starting; its log is {tmp_path / 'broker.log'}, the last lines:\n"
    )
    assert "java.lang.OutOfMemoryError" in died.value.what
    assert died.value.hint == "The heap is too small: raise broker.heap_mb (now 8; 512 is enough for one node)."
    assert list(temp.iterdir()) == []


def test_a_heap_that_this_machine_has_not_got_is_told(tmp_path: Path, temp: Path) -> None:
    with pytest.raises(HarnessError) as died, unstarted(tmp_path, heap_mb=1_000_000_000):
        pass
    assert died.value.slug == "broker-died"
    assert "broker.heap_mb (now 1000000000)" in died.value.hint
    assert list(temp.iterdir()) == []


def test_not_ready_in_time_is_told(tmp_path: Path, temp: Path) -> None:
    with pytest.raises(HarnessError) as waited, unstarted(tmp_path, start_timeout_s=1.5):
        pass
    assert (waited.value.slug, waited.value.exit_code) == ("broker-not-ready", EXIT_HARNESS)
    assert "after 1.5 s; its log is " in waited.value.what
    assert list(temp.iterdir()) == []


def test_a_killed_broker_is_seen(tmp_path: Path, temp: Path) -> None:
    with unstarted(tmp_path) as broker:
        os.kill(broker.pid, 9)
        assert wait_until(lambda: broker.alive() is not None, timeout_s=10)
        assert str(broker.alive()).startswith(
            f"Kafka 4.3.1 was killed by SIGKILL; its log is {tmp_path / 'broker.log'}, the last lines:\n"
        )
    assert list(temp.iterdir()) == []
