"""Clients that must not get through, on the embedded Kafka: refused with proof, and one that is told to look away."""

import json
from pathlib import Path
from typing import Any

import pytest

from harness.bed import Bed
from harness.outcome import judge_run
from harness.report.progress import Silent
from harness.scenario import load

pytestmark = pytest.mark.e2e
TEXT = "about: x\nclient: {client}\napi: {api}\nmessages: 40\nsize_bytes: 40\ndrain: {{start_s: 3}}\nconsumer:\n"


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
