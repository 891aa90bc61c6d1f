"""Real runs and their exports get the same verdict: one that passes, planted faults, and one that really loses."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e

JUDGED = (
    "verdict", "guarantee", "sent", "acked", "nacked", "unknown", "aborted", "judged", "deliveries", "fates",
    "committed_ahead_of", "anomalies", "reasons", "blamed",
)  # fmt: skip


def harness(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "harness", *map(str, argv)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stdout + done.stderr
    return done


def judged(verdict: dict[str, Any]) -> dict[str, Any]:
    return {name: verdict[name] for name in JUDGED}


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("plain_confluent", "--messages", "9000"), 0),
        (("planted/skip",), 1),
        (("planted/corrupt",), 1),
        (("ssl_iter", "--client", "kafka-python==2.0.2"), 1),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else None,
)
def test_an_export_is_judged_like_its_run(tmp_path: Path, arguments: tuple[str, ...], exit_code: int) -> None:
    done = harness("run", *arguments, "--out", tmp_path / "results", "--quiet")
    assert done.returncode == exit_code, done.stdout + done.stderr
    (run,) = (tmp_path / "results").iterdir()
    file = tmp_path / "export.jsonl"
    done = harness("export", run, "--out", file)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    again = harness("verify", file, "--json")
    assert again.returncode == exit_code
    kept = json.loads((run / "verdict.json").read_text())
    assert judged(json.loads(again.stdout)) == judged(kept)
    assert harness("export", run).stdout == file.read_text(), "what goes to stdout is the same"
