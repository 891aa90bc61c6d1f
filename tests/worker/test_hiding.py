"""A worker tells nothing of its connection's passwords, whichever way a text goes out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kafka_worker import hiding
from kafka_worker.recorder import Recorder

CANARY = 'c4n4ry "of" tests'
ADAPTER = """
import sys

class Consumer:
    def __init__(self, config):
        self.effective = {"sasl.username": "alice"}
        print("connecting with " + config["connection"]["password"])
        raise ValueError("cannot log in with " + config["connection"]["password"])

def versions():
    return {}
"""
WORKER = Path(__file__).resolve().parents[2] / "harness" / "worker"


def test_errors_and_logs_of_a_worker(tmp_path: Path) -> None:
    """A client that tells its password in everything that it says."""
    folder = tmp_path / "worker"
    folder.mkdir()
    (folder / "adapters").symlink_to(WORKER / "adapters")
    (folder / "kafka_worker").symlink_to(WORKER / "kafka_worker")
    (folder / "talkative.py").write_text(ADAPTER)
    (folder / "__main__.py").write_text(
        "import sys\nimport adapters\nadapters.MODULES['talkative'] = 'talkative'\n"
        "from kafka_worker.main import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    connection = {"bootstrap": "h:1", "security": "sasl_tls", "username": "alice", "password": CANARY}
    history = tmp_path / "c1.bin"
    config = {
        "role": "consume", "worker": "c1", "run_id": 1, "history": str(history), "record": "loss",
        "client": "talkative", "api": "poll", "connection": connection, "topic": "t", "partitions": 1, "group": "g",
        "settings": {}, "payload": {"seed": 1, "size_bytes": 8, "pool": 4},
    }  # fmt: skip
    read, write = os.pipe()
    theirs, mine = os.pipe()
    argv = [sys.executable, "-I", str(folder), "--control-in", str(read), "--control-out", str(mine)]
    with (tmp_path / "c1.log").open("wb") as log:
        process = subprocess.Popen(argv, pass_fds=(read, mine), stdout=log, stderr=log)
    os.close(read)
    os.close(mine)
    os.write(write, (json.dumps(config) + "\n").encode())
    assert process.wait(20) == 1
    told = os.read(theirs, 1 << 20).decode()
    logged = (tmp_path / "c1.log").read_text()
    assert "cannot log in with <hidden>" in told
    assert "connecting with <hidden>" in logged
    assert "ValueError: cannot log in with <hidden>" in logged
    for text in (told, logged, json.loads(told.splitlines()[1])["error"]):
        assert "c4n4ry" not in text
    os.close(write)
    os.close(theirs)


def test_events_of_a_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hiding, "_connections", [{"password": CANARY, "key_password": None}])
    recorder = Recorder(str(tmp_path / "c1.bin"), {"worker": "c1"}, 1 << 16)
    recorder.event({"type": "error", "where": "poll", "error": "no login with " + CANARY})
    recorder.close()
    kept = (tmp_path / "c1.bin").read_bytes()
    assert b"no login with <hidden>" in kept
    assert b"c4n4ry" not in kept
