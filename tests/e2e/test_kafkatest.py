"""Kafka's own VerifiableProducer and VerifiableConsumer on the embedded broker, and what we say of their output."""

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import proc
from harness.broker import jars
from harness.broker.admin import Admin
from harness.broker.embedded import EmbeddedBroker
from harness.cache import cache_folder, locked

pytestmark = pytest.mark.e2e

MESSAGES, PARTITIONS, LIMIT_S = 4000, 4, 120
Event = dict[str, Any]


@pytest.fixture(scope="session")
def class_path() -> str:
    """The broker's jars hold all that the tools need but the tools themselves."""
    version = "4.3.1"
    broker = jars.kafka_jars(version, progress=print)
    folder = cache_folder() / "kafka-tools"
    folder.mkdir(parents=True, exist_ok=True)
    jar = folder / f"kafka-tools-{version}.jar"
    with locked(folder / "lock", what="kafka-tools", slug="kafka-download", say=print):
        if not jar.exists():
            from jgo.maven import MavenContext, PythonResolver

            context = MavenContext(
                resolver=PythonResolver(), repo_cache=folder / "repository", remote_repos={"central": jars.central()}
            )
            artifact = context.project("org.apache.kafka", "kafka-tools").at_version(version).artifact()
            Path(artifact.resolve()).replace(jar)
    return os.pathsep.join(str(path) for path in [jar, *broker])


class Tools:
    """Starts the tools on one topic and one group; every output is a file of its own."""

    def __init__(self, class_path: str, bootstrap: str, folder: Path) -> None:
        self.class_path = class_path
        self.bootstrap = bootstrap
        self.folder = folder
        self.topic = f"verifiable-{secrets.token_hex(4)}"
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, tool: str, output: str, *args: object) -> Path:
        path = self.folder / output
        flags = ("-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-Xmx128m")
        common = ("--bootstrap-server", self.bootstrap, "--topic", self.topic)
        argv = [jars.java().path, *flags, "-cp", self.class_path, f"org.apache.kafka.tools.{tool}", *common, *args]
        self.started.append(proc.start([str(part) for part in argv], log=path))
        return path

    def produce(self, output: str, *args: object, messages: int = MESSAGES) -> Path:
        path = self.start("VerifiableProducer", output, "--max-messages", messages, *args)
        assert self.started[-1].wait(LIMIT_S) == 0
        return path

    def consume(self, output: str, *args: object) -> Path:
        return self.start("VerifiableConsumer", output, "--group-id", self.topic, *args)

    def stop_last(self) -> None:
        proc.stop(self.started[-1], grace_s=30)

    def end(self) -> None:
        for process in self.started:
            proc.stop(process, grace_s=0)


@pytest.fixture
def tools(kafka: EmbeddedBroker, class_path: str, tmp_path: Path) -> Iterator[Tools]:
    connection = kafka.connection("plaintext")
    made = Tools(class_path, str(connection["bootstrap"]), tmp_path)
    with Admin(connection) as admin:
        admin.create_topic(made.topic, partitions=PARTITIONS)
        try:
            yield made
        finally:
            made.end()
            admin.delete_topic(made.topic)


def events(path: Path, name: str) -> list[Event]:
    lines = [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{") and line.endswith("}")]
    return [line for line in lines if line["name"] == name]


def wait_for(what: Callable[[], bool]) -> None:
    assert proc.wait_until(what, timeout_s=LIMIT_S), "what the test waits for did not come"


def handed(*paths: Path) -> int:
    return len({(one["partition"], one["offset"]) for path in paths for one in events(path, "record_data")})


def verdict_of(producers: list[Path], consumers: list[Path], expected: int, *options: str) -> Event:
    command = [sys.executable, "-m", "harness", "verify", "--from", "kafkatest", *map(str, producers)]
    command += ["--", *map(str, consumers), "--json", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    assert done.returncode == expected, done.stdout[:2000] + done.stderr
    verdict: Event = json.loads(done.stdout)
    return verdict


def found(verdict: Event) -> dict[str, int]:
    counts = {**verdict["fates"], **verdict["anomalies"]}
    return {kind: count for kind, count in counts.items() if count}


def test_a_clean_run_passes_and_three_lines_less_are_three_messages_lost(tools: Tools, tmp_path: Path) -> None:
    producer = tools.produce("producer.log")
    consumer = tools.consume("consumer.log", "--verbose", "--max-messages", MESSAGES)
    assert tools.started[-1].wait(LIMIT_S) == 0
    clean = verdict_of([producer], [consumer], 0)
    assert (clean["verdict"], clean["acked"], clean["deliveries"]) == ("PASS", MESSAGES, MESSAGES)
    assert found(clean) == {"delivered": MESSAGES}

    lines = consumer.read_text().splitlines(keepends=True)
    records = [number for number, line in enumerate(lines) if '"record_data"' in line]
    # Neither a partition's first record, whose absence is an illegal start, nor its last, which may be unread.
    told = {number: json.loads(lines[number]) for number in records}
    last = {one["partition"]: one["offset"] for one in told.values()}
    inner = [number for number, one in told.items() if 0 < one["offset"] < last[one["partition"]]]
    away = [inner[len(inner) * part // 4] for part in (1, 2, 3)]
    lost = sorted((one["partition"], one["offset"]) for one in (json.loads(lines[number]) for number in away))
    cut = tmp_path / "cut.log"
    cut.write_text("".join(line for number, line in enumerate(lines) if number not in away))
    verdict = verdict_of([producer], [cut], 1)
    assert found(verdict) == {"delivered": MESSAGES - 3, "skipped": 3}
    spans = [(span["partition"], span["first_offset"], span["last_offset"]) for span in verdict["spans"]]
    assert spans == [(partition, offset, offset) for partition, offset in lost]

    counts = "".join(line for line in lines if '"record_data"' not in line)
    cut.write_text(counts)
    assert found(verdict_of([producer], [cut], 0)) == {"delivered": MESSAGES}, "counts without holes name every offset"


def test_a_consumer_that_is_restarted_in_its_group(tools: Tools) -> None:
    producers = [tools.produce("p1.log", "--value-prefix", 1), tools.produce("p2.log", "--value-prefix", 2)]
    first = tools.consume("c1.log", "--verbose", "--max-messages", MESSAGES - 17)
    assert tools.started[-1].wait(LIMIT_S) == 0
    second = tools.consume("c2.log", "--verbose")
    wait_for(lambda: handed(first, second) == 2 * MESSAGES)
    tools.stop_last()
    verdict = verdict_of(producers, [first, second], 0)
    assert (verdict["acked"], found(verdict)) == (2 * MESSAGES, {"delivered": 2 * MESSAGES})
    assert {one["member"] for one in verdict["ownerships"]} == {"c1.log", "c2.log"}
    alone = verdict_of(producers, [second], 1)
    missing = found(alone)
    assert missing["illegal_start"] + missing.get("unread", 0) == MESSAGES - 17, "the first one's share"


def test_two_consumers_and_a_rebalance_between_them(tools: Tools) -> None:
    first = tools.consume("c1.log", "--verbose")
    wait_for(lambda: bool(events(first, "partitions_assigned")))
    before = tools.produce("p1.log", "--value-prefix", 1)
    wait_for(lambda: handed(first) == MESSAGES)
    second = tools.consume("c2.log", "--verbose")
    wait_for(lambda: bool(events(second, "partitions_assigned")))
    after = tools.produce("p2.log", "--value-prefix", 2, "--repeating-keys", 50)  # keys go to all partitions
    wait_for(lambda: handed(first, second) == 2 * MESSAGES)
    for process in (tools.started[0], tools.started[2]):
        proc.stop(process, grace_s=30)
    verdict = verdict_of([before, after], [first, second], 0)
    assert found(verdict)["delivered"] == 2 * MESSAGES
    assert len(events(first, "partitions_revoked")) >= 1, "there was a rebalance"
    assert {one["member"] for one in verdict["ownerships"] if one["deliveries"]} == {"c1.log", "c2.log"}


def test_a_producer_that_was_killed_is_unknown(tools: Tools) -> None:
    producer = tools.start("VerifiableProducer", "p1.log", "--throughput", 2000)
    wait_for(lambda: len(events(producer, "producer_send_success")) > 1000)
    proc.stop(tools.started[-1], grace_s=0)
    acked = len(events(producer, "producer_send_success"))
    consumer = tools.consume("c1.log", "--verbose")
    wait_for(lambda: handed(consumer) >= acked)
    tools.stop_last()
    verdict = verdict_of([producer], [consumer], 3)
    assert verdict["acked"] == acked
    assert re.search("p1.log has no shutdown_complete: what it sent without an answer is not", str(verdict["reasons"]))
    assert verdict["anomalies"]["phantom"] == 0
