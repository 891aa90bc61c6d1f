"""The harness in other people's tests and CI: the pytest plugin, and the workflow's steps, on real brokers."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.actions import run_job

pytestmark = pytest.mark.e2e
WORKFLOW = Path(__file__).resolve().parents[2] / "docs" / "github-actions.yml"
LIMIT_S = 240
SCENARIO = """\
about: a few messages over TLS
guarantee: at_least_once
client: confluent-kafka
api: poll
messages: 400
size_bytes: 100
"""
TESTS = """\
import socket, time
from pathlib import Path

def test_confluent_kafka_writes_and_kafka_python_reads(kafka_tls):
    from confluent_kafka import Producer
    from kafka import KafkaConsumer

    topic = kafka_tls.topic("orders", partitions=2)
    assert topic != kafka_tls.topic("orders") and topic.startswith("orders-")
    producer = Producer(kafka_tls.confluent_kafka | {"acks": "all"})
    for number in range(20):
        producer.produce(topic, b"%d" % number, partition=number % 2)
    assert producer.flush(20) == 0
    consumer = KafkaConsumer(
        topic, **kafka_tls.kafka_python, auto_offset_reset="earliest", group_id=topic, consumer_timeout_ms=20_000
    )
    read = {next(consumer).value for _ in range(20)}
    consumer.close()
    assert read == {b"%d" % number for number in range(20)}

def test_names_and_certificates_are_checked(kafka_tls):
    settings = kafka_tls.aiokafka
    host, port = settings["bootstrap_servers"].split(":")
    with socket.create_connection((host, int(port))) as plain:
        with settings["ssl_context"].wrap_socket(plain, server_hostname=host) as channel:
            assert channel.version() == "TLSv1.3"
    assert all(Path(file).is_file() for file in (kafka_tls.ca, kafka_tls.cert, kafka_tls.key))

def test_which_is_interrupted(kafka_tls):
    Path("ca").write_text(kafka_tls.ca)
    time.sleep(300)
"""


def test_a_scenario_and_a_kafka_in_tests_that_are_interrupted(tmp_path: Path) -> None:
    """With xdist; the interrupt goes to all processes, as that of a terminal does."""
    (tmp_path / "test_mine.py").write_text(TESTS)
    (tmp_path / "mine.yaml").write_text(SCENARIO)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-v", "-n", "1"]
    process = subprocess.Popen(
        [*command, "--harness", "mine.yaml", "test_mine.py"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    ca, deadline = tmp_path / "ca", time.monotonic() + LIMIT_S
    while not ca.is_file() or not ca.read_text():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "the last test was not reached"
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=90)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, out
    for passed in ("mine.yaml::mine", "test_mine.py::test_confluent_kafka_writes", "test_mine.py::test_names_and"):
        assert any("PASSED" in line and passed in line for line in out.splitlines()), out
    (run,) = (tmp_path / "results").iterdir()
    assert f"PASS  mine.yaml::mine: {run}/report.html" in out
    assert (run / "report.html").is_file()

    folder = Path(ca.read_text()).parents[1]
    assert folder.name.startswith("harness-kafka-"), folder
    while left := brokers_of(folder):
        assert time.monotonic() < deadline, f"still there: {left}"
        time.sleep(0.1)
    assert not folder.exists()


def brokers_of(folder: Path) -> list[str]:
    """Processes whose command names that folder."""
    done = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if str(folder) in line]


def test_the_workflow_stops_a_release_that_loses_messages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pull request that goes back from kafka-python 2.1.2 to 2.1.1, which loses messages (issue 2555)."""
    origin, checkout = tmp_path / "origin", tmp_path / "checkout"
    origin.mkdir()
    git(origin, "init", "-q", "-b", "main")
    commit(origin, "2.1.2")
    git(origin, "checkout", "-q", "-b", "renovate/kafka-python")
    commit(origin, "2.1.1")
    git(tmp_path, "clone", "-q", "--branch", "renovate/kafka-python", "origin", "checkout")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    env = {"SCENARIOS": "known-bugs/K1_iterator_close", "GATE_MINUTES": "0"}
    github = {"base_ref": "main"}
    job = run_job(WORKFLOW, "upgrade", checkout=checkout, files=tmp_path / "files", github=github, env=env)
    output = "\n".join(step.output for step in job.steps)
    assert [step.exit_code for step in job.steps] == [0, 1, 0], output
    headline = "NOT SAFE  kafka-python==2.1.2 → kafka-python==2.1.1: 1 breaks"
    assert headline in job.summary
    assert job.annotations == [f"::error file=uv.lock::{headline}"]
    assert "kafka-python==2.1.1: FAIL: 200 committed ahead" in job.summary
    assert list(checkout.glob("results/*-upgrade-*/runs/*/report.html"))


def commit(folder: Path, version: str) -> None:
    lock = f'version = 1\n\n[[package]]\nname = "kafka-python"\nversion = "{version}"\n'
    (folder / "uv.lock").write_text(lock)
    git(folder, "add", "uv.lock")
    git(folder, "-c", "user.name=bot", "-c", "user.email=bot@localhost", "commit", "-q", "-m", version)


def git(folder: Path, *argv: str) -> None:
    subprocess.run(["git", *argv], cwd=folder, check=True, timeout=60)
