"""A broker that is kept running between commands."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import proc
from harness.broker.base import Connection
from harness.errors import EXIT_HARNESS, EXIT_PASS, EXIT_USAGE

pytestmark = pytest.mark.e2e

RUN = "ssl_confluent_batch --messages 8000 --size 100 --broker external"
ASK = "from kafka import KafkaAdminClient; print(KafkaAdminClient(**settings).list_topics())"


def test_it_serves_clients_from_up_to_down(tmp_path: Path, roundtrip: Callable[[Connection, Connection], None]) -> None:
    (tmp_path / "tmp").mkdir()
    env = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "XDG_STATE_HOME": str(tmp_path / "state")}

    def broker(*argv: str, exits: int = EXIT_PASS) -> str:
        command = [sys.executable, "-m", "harness", "broker", *argv]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == exits, done.stdout + done.stderr
        return done.stdout if exits == EXIT_PASS else done.stderr

    assert "no broker is kept running" in broker("status", exits=EXIT_HARNESS)
    told = json.loads(broker("up", "--json"))
    try:
        assert json.loads(broker("status", "--json")) == told
        assert "[broker-kept]: a broker is kept running already: Kafka 4.3.1, embedded" in broker(
            "up", exits=EXIT_USAGE
        )
        roundtrip(told["connections"]["mutual_tls"], told["connections"]["plaintext"])
        pasted = broker("env", "--library", "kafka-python")
        assert subprocess.run([sys.executable, "-c", pasted + ASK], capture_output=True, check=True).stdout
        run = f"{broker('env', '--shell')} exec {sys.executable} -m harness run {RUN} --out {tmp_path}/results"
        done = subprocess.run(["sh", "-c", run], env=env, capture_output=True, text=True, check=False)
        assert done.returncode == EXIT_PASS, done.stdout + done.stderr
    finally:
        ended = broker("down")
    assert ended == "Kafka 4.3.1 was ended\n"
    assert proc.birth(told["pid"]) is None
    assert list((tmp_path / "tmp").iterdir()) == []
    assert "no broker is kept running" in broker("status", exits=EXIT_HARNESS)
