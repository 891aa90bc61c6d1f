"""Clients that must not get through, on the embedded Kafka: refused with proof, and one that is told to look away."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.bed import Bed
from harness.broker import acls
from harness.outcome import judge_run
from harness.report.progress import Silent
from harness.scenario import load

pytestmark = pytest.mark.e2e
TEXT = "about: x\nclient: {client}\napi: {api}\nmessages: 40\nsize_bytes: 40\ndrain: {{start_s: 3}}\nconsumer:\n"


REVOKED = (
    "about: x\nclient: confluent-kafka\napi: poll\nmessages: 1600\nsize_bytes: 40\nconsume: while_produced\n"
    "producer: {rate: 200}\ndrain: {start_s: 4}\nconsumer: {refused: right_revoked}\n"
)


def test_refused_with_proof_and_a_client_that_gets_through_fails(tmp_path: Path) -> None:
    def verdict(case: str, client: str, api: str, settings: dict[str, object] | None = None) -> dict[str, Any]:
        file = tmp_path / f"{case}.yaml"
        text = TEXT.format(client=client, api=api)
        file.write_text(f"{text}  refused: {case}\n  settings: {json.dumps(settings or {})}\n")
        return judge_run(bed.record(load(file)))

    with Bed(tmp_path, Silent(), name="refused") as bed:
        foreign = verdict("foreign_certificate", "aiokafka", "getmany")
        stranger = verdict("no_right", "confluent-kafka", "poll")
        blind = verdict("wrong_host", "kafka-python==2.0.2", "poll", {"ssl_check_hostname": False})
    assert (foreign["verdict"], foreign["deliveries"]) == ("PASS", 0), foreign["reasons"]
    assert "handshakes failed" in foreign["reasons"][0]
    assert (stranger["verdict"], stranger["deliveries"]) == ("PASS", 0), stranger["reasons"]
    assert "requests denied" in stranger["reasons"][0]
    assert (blind["verdict"], blind["blamed"], blind["deliveries"]) == ("FAIL", ["consumer"], 40), blind["reasons"]


def test_a_right_that_is_taken_away_ends_the_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And where the broker forgets to take it away, the consumer gets through."""
    file = tmp_path / "revoked.yaml"
    file.write_text(REVOKED)
    with Bed(tmp_path, Silent(), name="revoked") as bed:
        revoked = judge_run(bed.record(load(file)))
        monkeypatch.setattr(acls, "take_away", lambda *_: None)
        kept = judge_run(bed.record(load(file)))
    assert revoked["verdict"] == "PASS", revoked["reasons"]
    assert revoked["reasons"][0].startswith("refused when its right to read was taken away: ")
    assert 400 <= revoked["deliveries"] < 1000
    assert (kept["verdict"], kept["deliveries"]) == ("FAIL", 1600), kept["reasons"]
