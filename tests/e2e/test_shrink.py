"""`harness shrink` on a real bug: the small scenario fails, and so does the script, outside of the harness."""

import contextlib
import subprocess
from pathlib import Path

import pytest

from harness import bed, outcome
from harness.bed import Bed
from harness.broker.embedded import EmbeddedBroker
from harness.clients.envs import prepare
from harness.clients.spec import parse_spec
from harness.report.progress import Silent
from harness.scenario import Scenario, load
from harness.shrinking.bare import bare
from harness.shrinking.run import failure_of, shrink

pytestmark = pytest.mark.e2e

LIMIT_S = 120


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch, kafka39: EmbeddedBroker) -> EmbeddedBroker:
    """Every bed gets the session's broker, which is up already."""
    monkeypatch.setattr(bed, "open_broker", lambda *_, **__: contextlib.nullcontext(kafka39))
    return kafka39


def recorded(folder: Path, scenario: Scenario, name: str) -> Path:
    with Bed(folder, Silent(), name=name, broker=scenario.broker) as made:
        run = made.record(scenario)
    outcome.judge_run(run)
    return run.path


def started(script: Path, client: str, broker: EmbeddedBroker) -> "subprocess.Popen[str]":
    """In an environment that has this client and nothing else."""
    python = prepare(parse_spec(client).pinned(), progress=print, security="plaintext").python
    argv = [str(python), "-I", str(script), "--bootstrap", str(broker.connection("plaintext")["bootstrap"])]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_bug_of_a_released_client_becomes_small(warm: EmbeddedBroker, tmp_path: Path) -> None:
    """librdkafka issue 4637 (C3), with messages and a setting that it does not need. It is not shrunk to its end,
    which would take a minute."""
    big = bare(load("known-bugs/C3_resume_twice")) | {
        "messages": 3000,
        "consumer": {"settings": {"fetch.wait.max.ms": 100}},
    }
    run = recorded(tmp_path, Scenario.model_validate(big), "before")
    book = shrink(failure_of(run), results=tmp_path, repeat=2, limit_s=15, progress=Silent())
    assert book.best is not None
    assert book.best.values["messages"] <= 300
    again = recorded(tmp_path, load(book.path / "shrunk.yaml"), "after")
    assert failure_of(again).goal == book.goal, "the same kind of fault, and the same one to blame"

    script = book.path / "reproduce.py"
    bad, good = (started(script, f"confluent-kafka=={release}", warm) for release in ("2.3.0", "2.4.0"))
    told = {name: (process.communicate(timeout=LIMIT_S)[0], process.returncode)
            for name, process in (("bad", bad), ("good", good))}  # fmt: skip
    assert told["bad"][1] == 1, told
    assert "handed over twice to the same consumer" in told["bad"][0]
    assert told["good"][1] == 0, told
    assert "The bug did not show." in told["good"][0]
