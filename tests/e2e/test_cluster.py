"""Three nodes of the embedded Kafka, and what is done to them while clients work. One cluster for all."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import outcome
from harness.bed import Bed
from harness.report.progress import Silent
from harness.scenario import Broker, load

pytestmark = pytest.mark.e2e

SCENARIO = """\
about: A cluster that changes under its clients.
client: confluent-kafka
api: consume
security: plaintext
broker: {nodes: 3}
size_bytes: 100
drain: {idle_s: 3}
"""
READING = (
    SCENARIO
    + """\
messages: 2000
group: {size: 2}
producer: {settings: {batch.num.messages: 20}}
consumer:
  settings: {fetch.message.max.bytes: 4000, queued.min.messages: 10}
  batch: {max_records: 50}
  commit: {mode: sync}
  processing: {message_ms: 6}
faults:
  - {move_coordinator: true, when: {phase: committing, number: 2}}
  - {move_leader: true, when: {word: move_coordinator injected}}
  - {restart_broker: leader, when: {word: move_leader injected}}
"""
)
WRITING = (
    SCENARIO
    + """\
messages: 1000
producer: {rate: 300}
faults:
  - {kill_broker: leader, during: produce, when: {progress: 30}}
"""
)
NOTHING_LEFT = (
    SCENARIO
    + """\
messages: 200
consumer: {commit: {mode: sync}}
members:
  a: {steps: [{take: 200}, commit, {tell: done}, {sleep: 2}]}
faults:
  - {move_leader: true, when: {word: done}, after_s: 0.5}
"""
)

Play = Callable[[str], tuple[dict[str, Any], list[dict[str, Any]]]]


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with Bed(tmp_path_factory.mktemp("cluster"), Silent(), name="x", broker=Broker(start_timeout_s=180)) as made:
        yield made


@pytest.fixture
def play(bed: Bed, tmp_path: Path) -> Play:
    def run(text: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The verdict, and what each fault told as injected."""
        file = tmp_path / "mine.yaml"
        file.write_text(text)
        ran = bed.record(load(file))
        outcome.judge_run(ran)
        events = [json.loads(line) for line in ran.events.read_text().splitlines()]
        verdict: dict[str, Any] = json.loads((ran.path / "verdict.json").read_text())
        return verdict, [event for event in events if event["type"] == "fault" and event["phase"] == "injected"]

    return run


def test_consumers_outlive_a_cluster_that_changes(play: Play) -> None:
    verdict, told = play(READING)
    assert verdict["verdict"] == "PASS", verdict["reasons"]
    coordinator, leader, restart = (str(one["effect"]) for one in told)
    assert "the coordinator went from node" in coordinator
    assert "asked node" in coordinator
    assert "the leader of partition 0 went from node" in leader
    assert "bytes of it at node" in leader
    assert "refused connections; it had led" in restart
    assert ", epoch 1 to 2" in restart


def test_what_two_nodes_have_acked_outlives_the_leader(play: Play) -> None:
    verdict, told = play(WRITING)
    assert verdict["verdict"] == "PASS", verdict["reasons"]
    assert "was killed by SIGKILL and refused connections" in str(told[0]["effect"])
    assert "messages were not acked then; the leader of partition 0 went from node" in str(told[0]["effect"])


def test_a_move_that_nobody_needs_proves_nothing(play: Play) -> None:
    verdict, told = play(NOTHING_LEFT)
    assert verdict["verdict"] == "UNKNOWN"
    assert [(one["effect"], one["why"]) for one in told] == [(None, "everything was read and committed already")]
