"""Harnesses in processes and folders of their own: what is left of one that was killed, what the next command says."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.rundir import MARKS

SCENARIO = """\
about: A small run, to be disturbed.
client: {client}
api: poll
security: plaintext
messages: {messages}
size_bytes: {size}
partitions: 1
drain: {{idle_s: 5, start_s: 20}}
"""
LIMIT_S = 180
GONE_S = 10
KEYS = "*.key"


@dataclass(frozen=True)
class Said:
    """What a command said, and how it ended."""

    exit_code: int
    text: str

    @property
    def first(self) -> str:
        lines = [line for line in self.text.splitlines() if line.strip()]
        return lines[0] if lines else ""


@dataclass
class Place:
    """Folders of one harness: its results, its temporary folder, its scenario."""

    folder: Path
    client: str = "confluent-kafka"
    messages: int = 500
    size: int = 100
    results: Path = field(init=False)
    temp: Path = field(init=False)
    scenario: Path = field(init=False)

    def __post_init__(self) -> None:
        self.results, self.temp, self.scenario = (self.folder / name for name in ("results", "temp", "small.yaml"))
        self.temp.mkdir(parents=True)
        self.scenario.write_text(SCENARIO.format(client=self.client, messages=self.messages, size=self.size))

    def start(self, *argv: str, before: Sequence[str] = (), env: Mapping[str, str] | None = None,
              log: str = "out.log") -> "subprocess.Popen[bytes]":  # fmt: skip
        """Start `harness` with these arguments; what it prints goes into a file. before: such as `prlimit`."""
        with (self.folder / log).open("wb") as out:
            return subprocess.Popen(
                [*before, sys.executable, "-m", "harness", *argv],
                stdout=out, stderr=subprocess.STDOUT, start_new_session=True, cwd=self.folder,
                env={**os.environ, "TMPDIR": str(self.temp), "PYTHONPATH": os.getcwd(), **(env or {})},
            )  # fmt: skip

    def ended(self, process: "subprocess.Popen[bytes]") -> Said:
        """How a command ended that was started with its own log, and what it had said."""
        return Said(process.wait(LIMIT_S), (self.folder / "out.log").read_text(errors="replace"))

    def says(self, *argv: str, before: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Said:
        log = f"{argv[0]}.log"
        process = self.start(*argv, before=before, env=env, log=log)
        code = process.wait(LIMIT_S)
        said = Said(code, (self.folder / log).read_text(errors="replace"))
        assert "Traceback" not in said.text, said.text
        assert "[internal]" not in said.text, said.text
        return said

    def run(self, *more: str, before: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Said:
        return self.says("run", str(self.scenario), "--out", str(self.results), *more, before=before, env=env)

    @property
    def runs(self) -> list[Path]:
        return sorted(path for path in self.results.glob("*") if path.is_dir())

    def last_mark(self) -> str | None:
        """Of the newest run; None before it has any."""
        try:
            return str(json.loads((self.runs[-1] / "run.json").read_text())["marks"][-1]["stage"])
        except (IndexError, OSError, ValueError, KeyError):
            return None

    def processes(self) -> dict[int, str]:
        """All processes that were started with this temporary folder: brokers and workers among them."""
        mine = f"TMPDIR={self.temp}".encode()
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if mine in (entry / "environ").read_bytes().split(b"\0"):
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    found[int(entry.name)] = " ".join(word.decode(errors="replace") for word in words[:4])
            except OSError:
                continue
        return found

    def folders(self) -> list[Path]:
        return sorted(self.temp.glob("harness-*"))

    def secrets(self) -> list[Path]:
        return sorted(self.temp.rglob(KEYS))


def killed_at(place: Place, mark: str) -> str:
    """Run until the newest run has this mark, and SIGKILL. Returns the mark that was the last one by then."""
    process = place.start("run", str(place.scenario), "--out", str(place.results), "--quiet")
    try:
        await_mark(place, process, mark)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    return str(place.last_mark())


def await_mark(place: Place, process: "subprocess.Popen[bytes]", mark: str) -> None:
    """Until the newest run has this mark; it may be further by the time that it is looked at."""
    deadline = time.monotonic() + LIMIT_S
    while (last := place.last_mark()) is None or MARKS.index(last) < MARKS.index(mark):
        assert process.poll() is None, (place.folder / "out.log").read_text()
        assert time.monotonic() < deadline, f"{mark} did not come"
        time.sleep(0.001)


def await_nobody(place: Place) -> dict[int, str]:
    """Who is still there after a while of those that the kernel ends with their harness."""
    deadline = time.monotonic() + GONE_S
    while place.processes() and time.monotonic() < deadline:
        time.sleep(0.05)
    return place.processes()
