"""Latency while messages are written, on the embedded Kafka: two clients on one broker, and a freeze that shows."""

import json
from typing import Any

import pytest

from harness import outcome
from harness.bed import Bed
from harness.measuring.rounds import measure
from harness.report.progress import Silent
from harness.scenario import Scenario

pytestmark = pytest.mark.e2e

RATE, SECONDS, WARM_UP_S = 250, 5, 2
LIVE: dict[str, Any] = {
    "about": "x", "messages": RATE * SECONDS, "size_bytes": 100, "consume": "while_produced", "drain": {"start_s": 30},
    "producer": {"rate": RATE, "settings": {"linger.ms": 0}},
}  # fmt: skip
FREEZE_S = 0.3


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory):
    with Bed(tmp_path_factory.mktemp("latency"), Silent(), name="latency") as made:
        yield made


def measured(bed: Bed, **keys: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    run = bed.record(Scenario.model_validate(LIVE | keys))
    verdict = outcome.judge_run(run)
    return verdict, json.loads((run.path / "metrics.json").read_text())


def test_a_call_for_one_message_has_the_time_of_each(bed: Bed) -> None:
    verdict, figures = measured(bed, client="kafka-python", api="iterator")
    assert verdict["verdict"] == "PASS", verdict
    latency = figures["latency"]
    assert latency["count"] == RATE * (SECONDS - WARM_UP_S)
    assert sum(count for _, count in latency["histogram"]) == latency["count"]
    assert 0 < latency["p50_ms"] <= latency["p99_ms"] <= latency["max_ms"]
    assert figures["ack_latency"]["count"] == latency["count"]
    assert figures["throughput_msgs_per_s"] is None


def test_who_is_frozen_is_late_with_all_that_was_due_meanwhile(bed: Bed) -> None:
    """Were latency counted from when a message is read or sent, one message would be late. All of them are."""
    fault = {"freeze": "c", "for_s": FREEZE_S, "when": {"deliveries": RATE * 3}}
    client = {"client": "confluent-kafka", "api": "poll", "security": "plaintext"}
    verdict, figures = measured(bed, **client, faults=[fault])
    assert verdict["verdict"] == "UNKNOWN", "so short a freeze is no proof of anything"
    latency = figures["latency"]
    late = sum(count for upper_ms, count in latency["histogram"] if upper_ms > FREEZE_S * 1000 / 2)
    assert late >= RATE * FREEZE_S / 2 * 0.8
    assert latency["p99_ms"] >= FREEZE_S * 1000 * 0.8
    assert latency["p50_ms"] < latency["p99_ms"] / 2


def test_clients_are_measured_side_by_side_on_one_log() -> None:
    keys = {"about": "x", "client": "confluent-kafka", "api": "consume", "messages": 25_000, "size_bytes": 100}
    scenario = Scenario.model_validate(keys | {"consumer": {"batch": {"max_records": 1000}}})
    rows = measure(
        scenario, ["confluent-kafka"], securities=["plaintext"], rounds=1, yardsticks=False, progress=Silent()
    )
    assert [row.kind for row in rows] == ["client", "ceiling", "ceiling"]
    for row in rows:
        (told,) = row.rounds
        assert (told["messages"], told["lost"], told["repeated"]) == (25_000, 0, 0)
    client, ceiling, _ = rows
    assert 100 < client.values("received_per_message")[0] < 300
    assert (client.median("cpu_s_per_million") or 0) > (ceiling.median("cpu_s_per_million") or 0) > 0
