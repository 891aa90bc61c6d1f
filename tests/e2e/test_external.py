"""A cluster that is not the harness's: with one user's rights on a prefix it is used, and left as it was."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.broker.admin import Admin
from harness.broker.leaders import leaders
from harness.errors import HarnessError
from tests.e2e.shared_cluster import SharedCluster, properties

pytestmark = pytest.mark.e2e

CANARY = f"c4n4ry-{secrets.token_hex(6)}"
USERS = {"alice": f"{CANARY}-a", "bob": f"{CANARY}-b"}
ALL = {"topic": ["CREATE", "WRITE", "READ", "DELETE"], "group": ["READ", "DELETE"]}
CALLS = {"kafka-python": "iterator", "confluent-kafka": "poll", "aiokafka": "getone"}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedCluster]:
    log = tmp_path_factory.mktemp("cluster") / "broker.log"
    made = SharedCluster(kafka="4.3.1", heap_mb=512, start_timeout_s=120, run_log=log, progress=print)
    made.users = USERS
    with made:
        made.furnish()
        made.allow("alice", "harness-", **ALL)
        made.allow("bob", "team.", topic=ALL["topic"])
        yield made


def scenario(folder: Path, client: str, *, messages: int = 400, more: str = "") -> Path:
    file = folder / f"{client}.yaml"
    file.write_text(
        f"about: As ssl_iter, smaller.\nclient: {client}\napi: {CALLS[client]}\nmessages: {messages}\nsize_bytes: 100\n"
        f"{more or 'restarts: {count: 2, after: [50, 100]}'}\n"
    )
    return file


def harness(*args: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *map(str, args)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


class Watch(threading.Thread):
    """Looks at all processes, as any user can: does one tell the secret? Their environments too, where it may."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.seen: set[str] = set()
        self.told: list[str] = []

    def run(self) -> None:
        while not self.over.wait(0.1):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    line = (process / "cmdline").read_bytes()
                    about = line + (process / "environ").read_bytes()
                except OSError:
                    continue
                self.seen.add(line.decode(errors="replace").replace("\0", " "))
                if CANARY.encode() in about:
                    self.told.append(str(line))


def telling(folder: Path) -> list[Path]:
    return [file for file in folder.rglob("*") if file.is_file() and CANARY.encode() in file.read_bytes()]


def test_three_libraries_use_it_and_leave_it_as_it_was(cluster: SharedCluster, tmp_path: Path) -> None:
    before = cluster.everything()
    out = tmp_path / "results"
    files = [scenario(tmp_path, client) for client in CALLS]
    watch = Watch()
    watch.start()
    run = harness("run", *files, "--properties", properties(tmp_path, cluster, "alice"), "--out", out, "--json")
    told, progress = run.communicate(timeout=240)
    watch.over.set()
    assert run.returncode == 0, told + progress
    verdicts = [json.loads(line) for line in told.splitlines()]
    assert [(one["verdict"], one["acked"]) for one in verdicts] == [("PASS", 400)] * 3
    assert cluster.everything() == before
    assert watch.told == []
    assert any("harness/worker" in line for line in watch.seen), "the workers were looked at"
    assert telling(out) == []
    assert CANARY not in told + progress
    assert CANARY not in cluster.run_log.read_text()
    for one in verdicts:
        meta = json.loads((Path(one["run"]) / "run.json").read_text())
        assert meta["judging"]["group"] == "harness-" + Path(one["run"]).name
        assert meta["scenario_settings"]["security"] == "sasl_tls"


def test_a_question_about_a_topic_does_not_make_it(cluster: SharedCluster) -> None:
    """Where a broker makes what is asked for, a topic that was just deleted would come back."""
    before = cluster.everything()
    with Admin(cluster.own_connection(), timeout_s=2) as admin:
        for ask in (admin.end_offsets, admin.allowed, lambda name: leaders(admin, name)):
            with contextlib.suppress(HarnessError):
                ask("harness-asked-for")
    time.sleep(1)
    assert cluster.everything() == before


def test_after_sigterm_nothing_is_left(cluster: SharedCluster, tmp_path: Path) -> None:
    """Reached by options, with a certificate."""
    tls = cluster.connection("mutual_tls")
    reached = (
        f"--bootstrap={tls['bootstrap']}",
        "--ssl-ca",
        tls["ca"],
        "--ssl-cert",
        tls["cert"],
        "--ssl-key",
        tls["key"],
    )
    before = cluster.everything()
    slow = "consumer: {processing: {message_ms: 20}}"
    file = scenario(tmp_path, "confluent-kafka", more=slow)
    run = harness("run", file, *reached, "--out", tmp_path / "results")
    deadline = time.monotonic() + 60
    while len(cluster.everything()["groups"]) == len(before["groups"]):
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.3)
    run.send_signal(signal.SIGTERM)
    told = run.communicate(timeout=180)
    assert run.returncode == 130, told
    assert cluster.everything() == before


def test_what_is_not_allowed_is_said_with_the_remedy(cluster: SharedCluster, tmp_path: Path) -> None:
    """Without any right, by PLAIN; without one on groups; with a password that is wrong."""
    before = cluster.everything()
    file = scenario(tmp_path, "confluent-kafka")
    known = properties(tmp_path, cluster, "bob", "PLAIN")
    run = harness("run", file, "--properties", known, "--out", tmp_path / "results", "--quiet")
    _, told = run.communicate(timeout=180)
    assert run.returncode == 4, told
    assert "error [broker-rights]" in told
    assert "creating topic harness-" in told
    assert "--allow-principal User:bob --operation Create" in told
    run = harness("run", file, "--properties", known, "--prefix", "team.", "--out", tmp_path / "results", "--quiet")
    _, told = run.communicate(timeout=180)
    assert run.returncode == 4, told
    assert "reading the offsets of group team." in told
    assert "--operation Read --operation Delete --group team." in told
    assert CANARY not in told
    wrong = os.environ | {"HARNESS_SASL_PASSWORD": f"{CANARY}-wrong"}
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", file, "--properties", known, "--out", tmp_path / "results", "--quiet"],
        env=wrong, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 4, done.stderr
    assert "connecting: " in done.stderr
    assert "uthentication failed" in done.stderr
    assert CANARY not in told + done.stderr
    assert telling(tmp_path / "results") == []
    assert cluster.everything() == before
