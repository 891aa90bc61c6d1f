"""Whole runs on Kafka in Docker, as a user starts them, and what is left of them: nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import EXIT_INTERRUPTED, EXIT_PASS

pytestmark = [pytest.mark.docker, pytest.mark.usefixtures("docker_engine")]

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 400
PROJECT = '{{.Label "com.docker.compose.project"}}'

FAILOVER = """\
about: Three nodes in Docker, one thing after the other done to them and to the network.
client: confluent-kafka
api: consume
broker: {nodes: 3, start_timeout_s: 300}
messages: 3000
size_bytes: 100
group: {size: 2}
drain: {idle_s: 20}
producer: {settings: {batch.num.messages: 20}}
consumer:
  settings: {fetch.message.max.bytes: 4000, queued.min.messages: 10}
  batch: {max_records: 50}
  commit: {mode: sync}
  processing: {message_ms: 10}
faults:
  - {move_leader: true, when: {phase: committing, number: 2}}
  - {kill_broker: leader, when: {word: move_leader injected}, restart_after_s: 1}
  - {network: {latency_ms: 100}, for_s: 2, when: {word: kill_broker leader healed}}
"""


class Harness:
    """Commands with a temp folder and a state folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.results, self.temp = folder / "results", folder / "tmp"
        self.temp.mkdir()
        self.env = {**os.environ, "TMPDIR": str(self.temp), "XDG_STATE_HOME": str(folder / "state")}

    def start(self, *argv: str) -> "subprocess.Popen[str]":
        out = ("--out", str(self.results)) if argv[0] == "run" else ()
        return subprocess.Popen(
            [sys.executable, "-m", "harness", *argv, *out],
            cwd=ROOT,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ends(self, process: "subprocess.Popen[str]", *, with_code: int = EXIT_PASS) -> str:
        """What it printed, once it ended as it should and left nothing."""
        out, err = process.communicate(timeout=LIMIT_S)
        assert process.returncode == with_code, out + err
        assert "Traceback" not in out + err
        return out

    def nothing_is_left(self, pid: int) -> None:
        assert list(self.temp.iterdir()) == []
        for kind in (("ps", "--all"), ("network", "ls")):
            assert projects(*kind, pid=pid) == [], kind

    @property
    def run(self) -> Path:
        (folder,) = self.results.iterdir()
        return folder


def projects(*command: str, pid: int) -> list[str]:
    """Those that a harness of this pid has things of."""
    asked = subprocess.run(["docker", *command, "--format", PROJECT], capture_output=True, text=True, check=True)
    return [name for name in asked.stdout.split() if name.startswith(f"harness-{pid}-")]


def wait_for(what: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 120
    while not what():
        assert time.monotonic() < deadline, "what the test waits for did not come"
        time.sleep(0.1)


@pytest.fixture
def harness(tmp_path: Path) -> Harness:
    return Harness(tmp_path)


def test_the_founding_loop_runs_on_it(harness: Harness) -> None:
    process = harness.start(
        "run", "scenarios/ssl_iter.yaml", "--broker", "docker", "--messages", "8000", "--size", "500"
    )
    assert "PASS" in harness.ends(process)
    harness.nothing_is_left(process.pid)
    told = json.loads((harness.run / "run.json").read_text())["broker"]
    assert (told["backend"], told["image"]) == ("docker", "apache/kafka:4.3.1")
    assert told["settings"]["ssl.client.auth"] == "required"
    assert "Kafka version: 4.3.1" in (harness.run / "logs" / "broker.log").read_text()


def test_three_nodes_outlive_what_is_done_to_them(harness: Harness, tmp_path: Path) -> None:
    scenario = tmp_path / "failover.yaml"
    scenario.write_text(FAILOVER)
    process = harness.start("run", str(scenario), "--broker", "docker", "--json")
    verdict = json.loads(harness.ends(process))
    assert verdict["verdict"] == "PASS"
    harness.nothing_is_left(process.pid)
    events = [json.loads(line) for line in (harness.run / "history" / "harness.jsonl").read_text().splitlines()]
    moved, killed, slow = [
        str(event["effect"]) for event in events if event["type"] == "fault" and event["phase"] == "injected"
    ]
    assert "bytes of it at node" in moved
    assert "was killed by SIGKILL and refused connections; it had led" in killed
    assert "went from node" in killed
    assert "late" in slow


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(harness: Harness, number: signal.Signals) -> None:
    """The one while compose is at work, the other when clients are."""
    process = harness.start("run", "ssl_poll", "--broker", "docker", "--messages", "1000000", "--size", "100")
    if number == signal.SIGINT:
        wait_for(lambda: projects("network", "ls", pid=process.pid))
    else:
        wait_for(lambda: list(harness.results.glob("*/history/p1.bin")))
    process.send_signal(number)
    harness.ends(process, with_code=EXIT_INTERRUPTED)
    harness.nothing_is_left(process.pid)


def test_what_a_killed_keeper_left_is_told_and_removed(harness: Harness) -> None:
    told = json.loads(harness.ends(harness.start("broker", "up", "--broker", "docker", "--json")))
    pid = told["pid"]
    assert told["state"] == "running"
    os.kill(pid, signal.SIGKILL)
    status = harness.start("broker", "status")
    assert "the broker is gone: its keeper was killed" in status.communicate(timeout=LIMIT_S)[1]
    assert status.returncode == 4
    assert projects("ps", "--all", pid=pid)
    assert "was gone already; what it left is removed" in harness.ends(harness.start("broker", "down"))
    harness.nothing_is_left(pid)
