"""A gate on a real Kafka: a client that wastes much CPU is found, and so is one message that is lost."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from harness.gating.cell import cell_of, measure
from harness.gating.run import way
from harness.report.progress import Silent
from harness.scenario import load

pytestmark = pytest.mark.e2e


def test_a_planted_slowdown_fails_the_gate(tmp_path: Path) -> None:
    spec = "confluent-kafka==2.16.1"
    command = [sys.executable, "-m", "harness", "gate", "ssl_confluent_batch_speed", "--baseline", spec]
    command += ["--candidate", spec, "--plant", "300%", "--messages", "100000", "--limit-minutes", "3"]
    command += ["--out", str(tmp_path), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert (done.returncode, told["verdict"]) == (1, "FAIL"), told["cells"][0]["reasons"]
    (cell,) = told["cells"]
    assert cell["limits"][0]["ratio"]["ratio"] > 2
    assert cell["reasons"][0].startswith("none lost in ")
    (folder,) = tmp_path.glob("*-gate-*")
    names = {"gate.json", "junit.xml", "ctrf.json", "benchmark.json"}
    assert {path.name for path in folder.iterdir()} == names


def test_one_lost_message_fails_the_gate_at_once(tmp_path: Path) -> None:
    """Already in the first readings, whose speed counts for nothing."""
    scenario = load("ssl_confluent_batch_speed", {"messages": 20_000})
    right = way(scenario, "confluent-kafka==2.16.1", Silent())
    deed = {"fault": "skip", "count": 1, "at": 2_500, "place": None, "partition": 1, "seed": 1}
    wrong = replace(way(scenario, "planted", Silent()), planted=deed)
    cell = cell_of(scenario, "confluent-kafka==2.16.1", "planted", None)
    measure(cell, (right, wrong), tmp_path, limit_s=120, progress=Silent(), after=lambda: None)
    assert cell.error is None
    assert (cell.verdict, cell.lost, len(cell.candidate.first), len(cell.candidate.readings)) == ("FAIL", 1, 1, 0)
    assert cell.reasons()[0] == "1 of 20,000 messages lost by planted"
    assert cell.baseline.total("lost") == 0
