"""Whether the gate can be trusted: the same client against itself, and planted slowdowns that it has to find.

    python tests/benchmarks/gating.py FILE [--case NAME] [--load] [--count N]

Each gate is a process of its own, `harness gate`, as CI would start it. FILE keeps what came of each, so an interrupted
campaign goes on, and the table is printed of all that is there. --load: a second job keeps one core busy
meanwhile, and now and then both.
"""

import argparse
import contextlib
import json
import multiprocessing
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Case:
    """So many gates of one kind. most_slower, least_slower: how many of them may, and must, say FAIL."""

    name: str
    count: int
    scenario: str
    baseline: str
    candidate: str
    options: tuple[str, ...] = ()
    most_slower: int | None = None
    least_slower: int = 0


CLIENTS = {
    "kafka-python": ("ssl_poll_speed", "kafka-python==2.0.2"),
    "confluent": ("ssl_confluent_batch_speed", "confluent-kafka==2.16.1"),
}
BOUNDS = ("ratio", "control")
SLOWER_10 = ("--plant", "10%", "--tolerance", "3%", "--limit-minutes", "15")


def alike(kind: str, count: int, options: tuple[str, ...] = (), **demands: int) -> Iterator[Case]:
    """Of each client, half of the count: it is its own candidate."""
    for client, (scenario, spec) in CLIENTS.items():
        yield Case(f"{kind} {client}", count // 2, scenario, spec, spec, options, **demands)


CASES = (
    *alike("A/A", 40, most_slower=1),
    *alike("+25 %", 20, ("--plant", "25%"), least_slower=9),
    *alike("+10 %", 10, SLOWER_10, least_slower=4),
    Case("2.0.2 → 3.0.12", 1, "ssl_poll_speed", "kafka-python==2.0.2", "kafka-python==3.0.12"),
    Case("2.0.2 → 3.0.12 crc32c", 1, "ssl_poll_speed", "kafka-python==2.0.2", "kafka-python[crc32c]==3.0.12"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="where each gate is kept, a line of JSON each")
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES])
    parser.add_argument("--count", type=int, help="so many of each case; 0: print the table")
    parser.add_argument("--load", action="store_true")
    asked = parser.parse_args()
    asked.file.touch()
    with second_job() if asked.load else contextlib.nullcontext():
        for case in CASES:
            if asked.case and case.name not in asked.case:
                continue
            while len(kept(asked.file, case, asked.load)) < (case.count if asked.count is None else asked.count):
                made = one(case, asked.load)
                with asked.file.open("a") as file:
                    file.write(json.dumps(made) + "\n")
                print(row(asked.file, case, asked.load), flush=True)
    print("| case | gates | slower | not slower | cannot tell | s each | pairs | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        for load in (False, True):
            if line := row(asked.file, case, load):
                print(line)


def kept(path: Path, case: Case, load: bool) -> list[dict[str, Any]]:
    """The gates of one kind that were made before."""
    gates = [json.loads(line) for line in path.read_text().splitlines()]
    return [gate for gate in gates if (gate["case"], gate["load"]) == (case.name, load)]


def one(case: Case, load: bool) -> dict[str, Any]:
    """One gate, from its start to its end, in short."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "harness", "gate", case.scenario, "--baseline", case.baseline]
        command += ["--candidate", case.candidate, *case.options, "--out", out, "--json"]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode not in (0, 1, 3):
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        seconds = time.monotonic() - began
    told = json.loads(done.stdout)
    (cell,) = told["cells"]
    (limit,) = cell["limits"]
    return {
        "case": case.name,
        "load": load,
        "day": f"{datetime.now(UTC):%Y-%m-%d}",
        "verdict": told["verdict"],
        "seconds": round(seconds),
        **{name: limit[name] and {key: round(value, 3) for key, value in limit[name].items()} for name in BOUNDS},
    }


def row(path: Path, case: Case, load: bool) -> str:
    """A line of the table, of the gates that are there; empty without any."""
    gates = kept(path, case, load)
    if not gates:
        return ""
    words = [gate["verdict"] for gate in gates]
    counts = [words.count(word) for word in ("FAIL", "PASS", "UNKNOWN")]
    seconds = [gate["seconds"] for gate in gates]
    ratios = [gate["ratio"] for gate in gates if gate["ratio"]]
    # On a loaded machine it may find nothing, and still must not raise a false alarm.
    missed = counts[0] < case.least_slower * len(gates) / case.count and not load
    missed = missed or (case.most_slower is not None and counts[0] > case.most_slower)
    name = f"{case.name}{' under load' if load else ''}{' MISSED' if missed else ''}"
    middle = statistics.median(ratio["ratio"] for ratio in ratios) if ratios else float("nan")
    pairs = statistics.median(ratio["pairs"] for ratio in ratios) if ratios else 0
    span = f"{statistics.median(seconds):.0f} ({min(seconds):.0f} … {max(seconds):.0f})"
    return f"| {name} | {len(gates)} | {' | '.join(map(str, counts))} | {span} | {pairs:.0f} | {middle:.3f} |"


@contextlib.contextmanager
def second_job() -> Iterator[None]:
    """One core is busy for seconds at a time, and both now and then."""
    jobs = [multiprocessing.Process(target=_burn, args=(share,), daemon=True) for share in (0.9, 0.3)]
    for job in jobs:
        job.start()
    try:
        yield
    finally:
        for job in jobs:
            job.kill()
            job.join()


def _burn(share: float) -> None:
    while True:
        until = time.monotonic() + random.uniform(0.5, 5)
        if random.random() > share:
            time.sleep(until - time.monotonic())
        while time.monotonic() < until:
            pass


if __name__ == "__main__":
    main()
