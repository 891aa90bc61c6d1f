"""The self-test as a user starts it: it finds all that is planted, says so where it does not, and leaves nothing."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.errors import EXIT_FAIL, EXIT_INTERRUPTED, EXIT_PASS
from harness.selftest.table import cells

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT_S = 600
HACKED = """\
import dataclasses, sys
from harness.selftest import table
table.FAULTS = tuple(
    dataclasses.replace(fault, found=dataclasses.replace(fault.found, {change})) if fault.name == "repeat" else fault
    for fault in table.FAULTS
)
sys.argv[1:] = ["selftest", "--quick", "--only", "repeat", "--quiet"]
from harness.cli import main
main()
"""


@pytest.fixture
def temp(tmp_path: Path) -> Path:
    """A temp folder of the command's own: what is left in it was left by the command."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


def begin(temp: Path, *argv: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *argv],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(temp)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def processes_of(temp: Path) -> list[str]:
    """What runs with this temp folder: the command and all that it has started."""
    marker, found = f"TMPDIR={temp}\0".encode(), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


def test_quick_finds_everything_and_nothing_else(temp: Path) -> None:
    process = begin(temp, "-m", "harness", "selftest", "--quick", "--quiet", "--seed", "2")
    out, err = process.communicate(timeout=LIMIT_S)
    last = out.splitlines()[-1]
    assert re.fullmatch(r"detected (\d+) of \1, attributed \1 of \1, false alarms 0 of 3 clean runs", last), out + err
    assert process.returncode == EXIT_PASS, out + err
    assert int(last.split()[1]) == len(cells(quick=True)) > 20
    assert err == ""
    assert list(temp.iterdir()) == []
    assert processes_of(temp) == []


@pytest.mark.parametrize(
    ("change", "entry"),
    [('kind="skipped"', "miss+more"), ('verdict="UNKNOWN"', "miss+blame"), ('blame="broker"', "blame")],
)
def test_a_cell_that_is_not_as_it_should_be(temp: Path, change: str, entry: str) -> None:
    """The table is told to expect something else: the self-test must not be content with what it finds."""
    process = begin(temp, "-c", HACKED.format(change=change))
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == EXIT_FAIL, out + err
    assert out.splitlines()[1].split()[2] == entry
    (kept,) = re.findall(r"^  kept: (.*)$", out, re.MULTILINE)
    assert json.loads((Path(kept) / "verdict.json").read_text())["anomalies"]["repeat"] == 3
    assert processes_of(temp) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_nothing(temp: Path, number: signal.Signals) -> None:
    process = begin(temp, "-m", "harness", "selftest", "--quick", "--quiet")
    deadline = time.monotonic() + 120
    while not list(temp.glob("harness-selftest-*/*/history/c1.bin")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no consumer was started"
        time.sleep(0.02)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == EXIT_INTERRUPTED, out + err
    assert "Traceback" not in out + err
    assert list(temp.iterdir()) == []
    assert processes_of(temp) == []
