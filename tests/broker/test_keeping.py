"""What is known of a broker that is kept running, and who is ended by `down`; no broker is started."""

import json
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness import proc
from harness.broker import keeping
from harness.connection import plaintext
from harness.errors import EXIT_USAGE, HarnessError, UsageError
from harness.scenario_models import Broker as Settings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = tmp_path / "state" / "harness" / "broker"
    made.mkdir(parents=True)
    assert keeping.state_folder() == made
    return made


@pytest.fixture
def sleeper() -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


def write(folder: Path, **changes: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "format": keeping.FORMAT,
        "pid": os.getpid(),
        "born": proc.birth(os.getpid()),
        "backend": "embedded",
        "kafka": "4.3.1",
        "nodes": 1,
        "since": "2026-01-01T00:00:00+00:00",
        "folder": str(folder / "harness-kafka-x"),
        "connections": {"plaintext": plaintext("localhost:1")},
    } | changes
    (folder / keeping.STATE).write_text(json.dumps(told))
    return told


def test_none_is_told(folder: Path) -> None:
    assert keeping.kept() is None
    assert keeping.down() is None
    with pytest.raises(HarnessError) as none:
        keeping.running()
    assert (none.value.slug, none.value.what) == ("no-broker-kept", "no broker is kept running")


def test_one_that_runs_is_found(folder: Path) -> None:
    write(folder)
    found = keeping.running()
    assert found.running
    assert found.connection("plaintext")["bootstrap"] == "localhost:1"
    assert found.as_json()["state"] == "running"
    with pytest.raises(UsageError) as second:
        keeping.up(Settings(), say=print)
    assert (second.value.slug, second.value.exit_code) == ("broker-kept", EXIT_USAGE)


def test_down_ends_its_keeper(folder: Path, sleeper: "subprocess.Popen[bytes]") -> None:
    write(folder, pid=sleeper.pid, born=proc.birth(sleeper.pid))
    (folder / "harness-kafka-x").mkdir()
    found = keeping.down()
    assert found is not None
    assert sleeper.wait(5) == -signal.SIGTERM
    assert not (folder / "harness-kafka-x").exists()
    assert keeping.kept() is None


def test_a_process_that_only_has_its_number_is_never_ended(folder: Path, sleeper: "subprocess.Popen[bytes]") -> None:
    write(folder, pid=sleeper.pid, born="1")
    (folder / "harness-kafka-x").mkdir()
    with pytest.raises(HarnessError, match="the broker is gone: its keeper was killed"):
        keeping.running()
    assert keeping.down() is not None
    time.sleep(0.2)
    assert sleeper.poll() is None
    assert not (folder / "harness-kafka-x").exists(), "what it left is removed"
    assert keeping.kept() is None


def test_a_keeper_that_does_not_listen_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "END_S", 0.3)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    deaf = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert deaf.stdout is not None
    with deaf.stdout:
        deaf.stdout.readline()
        write(folder, pid=deaf.pid, born=proc.birth(deaf.pid))
        keeping.down()
        assert deaf.wait(5) == -signal.SIGKILL


def test_why_it_ended_is_told(folder: Path) -> None:
    write(folder, born="1", ended="Kafka 4.3.1 was killed by SIGKILL")
    with pytest.raises(HarnessError, match="the broker is gone: Kafka 4\\.3\\.1 was killed by SIGKILL"):
        keeping.running()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 99, "pid": 1, "born": "1"}', '{"format": 1, "pid": "x"}'])
def test_a_file_of_something_else_is_told(folder: Path, text: str) -> None:
    (folder / keeping.STATE).write_text(text)
    with pytest.raises(HarnessError) as wrong:
        keeping.kept()
    assert wrong.value.slug == "broker-state"


# ---- the keeper -----------------------------------------------------------------------------------------------------


class Fake:
    """A broker that is there until `trouble` is said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.trouble: str | None = None
        self.left = False

    def __enter__(self) -> "Fake":
        return self

    def __exit__(self, *_: object) -> None:
        self.left = True

    def alive(self) -> str | None:
        return self.trouble

    def description(self) -> dict[str, Any]:
        return {"backend": "embedded", "kafka": "4.3.1", "nodes": 3}

    def connection(self, security: str) -> dict[str, str | None]:
        return plaintext("localhost:1") | {"security": security, "ca": str(self.folder / "tls" / "ca.pem")}


def test_a_keeper_says_how_its_broker_is_reached_and_what_ended_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, state = Fake(tmp_path / "harness-kafka-x"), folder / keeping.STATE
    monkeypatch.setattr(keeping, "open_broker", lambda *_args, **_kwargs: broker)
    monkeypatch.setattr(keeping, "LOOK_S", 0.01)
    keeper = threading.Thread(target=keeping.keep, args=(folder, Settings(nodes=3)))
    keeper.start()
    assert proc.wait_until(state.exists, timeout_s=5)
    found = keeping.running()
    assert (found.told["nodes"], found.told["folder"]) == (3, str(tmp_path / "harness-kafka-x"))
    assert found.connection("mutual_tls")["security"] == "mutual_tls"
    broker.trouble = "Kafka 4.3.1 was killed by SIGKILL"
    keeper.join(5)
    assert broker.left
    told = keeping.kept()
    assert told is not None
    assert told.ended == "Kafka 4.3.1 was killed by SIGKILL"
    assert stat.S_IMODE(state.stat().st_mode) == 0o600


def test_a_start_that_fails_is_told_and_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a real keeper."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(HarnessError) as failed:
        keeping.up(Settings(backend="docker"), say=print)
    assert failed.value.slug == "no-docker"
    assert not (folder / keeping.STATE).exists()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
