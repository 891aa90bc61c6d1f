"""`harness bisect` and `harness upgrade` as a user starts them, on real releases."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.errors import EXIT_FAIL, EXIT_INTERRUPTED, EXIT_PASS

pytestmark = pytest.mark.e2e

LIMIT_S = 300
SEARCH = ("bisect", "known-bugs/K1_iterator_close", "--good", "2.1.3", "--bad", "2.1.1", "--repeat", "1")


def begin(folder: Path, *argv: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "harness", *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def kept(folder: Path) -> dict[str, Any]:
    for file in folder.glob("results/bisect-*/bisect.json"):
        told: dict[str, Any] = json.loads(file.read_text())
        return told
    return {"trials": []}


def test_interrupted_it_goes_on_and_finds_what_mended_k1(tmp_path: Path) -> None:
    """kafka-python issue 2555 was mended in 2.1.2."""
    process = begin(tmp_path, *SEARCH)
    deadline = time.monotonic() + LIMIT_S
    while not kept(tmp_path)["trials"]:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no release was run"
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == EXIT_INTERRUPTED, out + err
    assert "Traceback" not in out + err
    begun = kept(tmp_path)["trials"]

    process = begin(tmp_path, *SEARCH)
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == EXIT_PASS, out + err
    assert f"going on with {len(begun)} runs" in err
    told = kept(tmp_path)
    assert told["trials"][: len(begun)] == begun
    assert [(trial["release"], trial["outcome"]) for trial in told["trials"]] == [
        ("2.1.3", "good"),
        ("2.1.1", "bad"),
        ("2.1.2", "good"),
    ]
    assert (told["answer"]["last_good"], told["answer"]["first_bad"]) == ("2.1.2", "2.1.1")
    assert "K1_iterator_close: mended in kafka-python 2.1.2" in out
    assert "https://github.com/dpkp/kafka-python" in out
    assert all(Path(tmp_path, report).is_file() for report in told["answer"]["reports"].values())


def test_an_upgrade_that_does_not_mend_k1(tmp_path: Path) -> None:
    (tmp_path / "old.txt").write_text("kafka-python==2.0.2\n")
    (tmp_path / "new.txt").write_text("kafka-python==2.1.1\n")
    only = ("--scenarios", "K1_iterator_close", "--quiet")
    process = begin(tmp_path, "upgrade", "--from", "old.txt", "--to", "new.txt", *only)
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == EXIT_FAIL, out + err
    assert err == ""
    lines = out.splitlines()
    assert lines[0] == "NOT SAFE  kafka-python==2.0.2 → kafka-python==2.1.1: 1 fails too"
    for release in ("2.0.2", "2.1.1"):
        assert f"      kafka-python=={release}: FAIL: 200 committed ahead" in lines
    assert "      reconnect_backoff_max_ms: 1000 became 30000" in lines
    assert any(line.startswith("  known bug is mended: the markers of transactions") for line in lines)
