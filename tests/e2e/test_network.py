"""Faults of the network on the embedded Kafka, as a user starts them. Each run is small."""

import json
from pathlib import Path

import pytest

from harness import outcome
from harness.bed import Bed
from harness.errors import EXIT_PASS, EXIT_UNKNOWN
from harness.report.progress import Silent
from harness.scenario import load
from tests.e2e.test_run import Start, start

__all__ = ["start"]

pytestmark = pytest.mark.e2e

SCENARIO = """\
about: The network between a consumer and the broker.
client: confluent-kafka
api: consume
messages: 600
size_bytes: 100
consumer:
  batch: {max_records: 50}
  commit: {mode: sync}
  processing: {message_ms: 3}
faults:
"""
BITES = """\
  - {network: {blackhole: to_client}, when: {deliveries: 100}, for_s: 3}
  - {network: {cut: true}, when: {deliveries: 400}}
"""
LOST_ACKS = """\
about: Acks that never come to the producer.
guarantee: exactly_once
client: confluent-kafka
api: consume
security: plaintext
messages: 1000
size_bytes: 100
producer: {rate: 500, settings: {enable.idempotence: IDEMPOTENT}}
faults:
  - {network: {blackhole: to_client, cut: true}, during: produce, when: {progress: 20}, for_s: 1.5}
"""
IN_VAIN = "  - {network: {bandwidth_kb_s: 1000000}, when: {deliveries: 100}, for_s: 1}\n"


@pytest.mark.parametrize(
    ("faults", "exit_code", "proof"),
    [
        (BITES, EXIT_PASS, ["held back", "reset"]),
        (IN_VAIN, EXIT_UNKNOWN, [None]),
    ],
)
def test_a_fault_of_the_network_is_proved_by_what_the_proxy_counted(
    start: Start, tmp_path: Path, faults: str, exit_code: int, proof: list[str | None]
) -> None:
    scenario = tmp_path / "mine.yaml"
    scenario.write_text(SCENARIO + faults)
    ended = start(str(scenario)).end()
    assert ended.exit_code == exit_code, ended.out + ended.err
    events = [json.loads(line) for line in (ended.run / "history" / "harness.jsonl").read_text().splitlines()]
    effects = [event["effect"] for event in events if event["type"] == "fault" and event["phase"] == "injected"]
    assert len(effects) == len(proof)
    for effect, word in zip(effects, proof, strict=True):
        assert effect is None if word is None else word in effect


def test_lost_acks_are_written_twice_without_idempotence_and_a_warm_bed_has_a_proxy_for_it(tmp_path: Path) -> None:
    with Bed(tmp_path, Silent(), name="acks") as bed:
        for idempotent, verdict in (("false", "FAIL"), ("true", "PASS")):
            scenario = tmp_path / "mine.yaml"
            scenario.write_text(LOST_ACKS.replace("IDEMPOTENT", idempotent))
            run = bed.record(load(str(scenario)))
            judged = outcome.judge_run(run)
            (fault,) = json.loads((run.path / "metrics.json").read_text())["faults"]
            assert run.meta["broker"]["proxied"] is True
            assert "answer" in fault["effect"]
            assert "never came" in fault["effect"]
            assert "nothing was acked for" in fault["effect"]
            assert judged["verdict"] == verdict
            assert (judged["anomalies"]["log_duplicate"] > 0) == (verdict == "FAIL")
            assert (judged["acked"], judged["fates"]["delivered"]) == (1000, 1000)
