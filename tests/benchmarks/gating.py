"""Whether the gate can be trusted: the same client against itself, and planted slowdowns that it has to find.

    python tests/benchmarks/gating.py FOLDER [--case NAME] [--load] [--count N]

Each gate is a process of its own, `harness gate`, as CI would start it. FOLDER keeps every gate's JSON, so an
interrupted campaign goes on, and the table is printed of all that is there. --load: a second job keeps one core busy
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
    parser.add_argument("folder", type=Path)
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES])
    parser.add_argument("--count", type=int, help="so many of each case at most")
    parser.add_argument("--load", action="store_true")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    load = " under load" if asked.load else ""
    with second_job() if asked.load else contextlib.nullcontext():
        for case in CASES:
            if asked.case and case.name not in asked.case:
                continue
            for number in range(min(case.count, asked.count or case.count)):
                kept = (
                    asked.folder
                    / f"{case.name.replace('/', '').replace(' ', '_')}{load.replace(' ', '_')}-{number}.json"
                )
                if not kept.exists():
                    kept.write_text(json.dumps(one(case)))
                    print(row(f"{case.name}{load}", case, asked.folder, load), flush=True)
    print("| case | gates | slower | not slower | cannot tell | s each | pairs | ratio |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for case in CASES:
        for suffix in ("", " under load"):
            if line := row(f"{case.name}{suffix}", case, asked.folder, suffix):
                print(line)


def one(case: Case) -> dict[str, Any]:
    """One gate, from its start to its end."""
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "harness", "gate", case.scenario, "--baseline", case.baseline]
        command += ["--candidate", case.candidate, *case.options, "--out", out, "--json"]
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode not in (0, 1, 3):
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
        return {"seconds": time.monotonic() - began, **json.loads(done.stdout)}


def row(name: str, case: Case, folder: Path, suffix: str) -> str:
    """A line of the table, of the gates that are there; empty without any."""
    stem = case.name.replace("/", "").replace(" ", "_") + suffix.replace(" ", "_")
    found = [json.loads(path.read_text()) for path in sorted(folder.glob(f"{stem}-[0-9]*.json"))]
    if not found:
        return ""
    words = [told["verdict"] for told in found]
    counts = [words.count(word) for word in ("FAIL", "PASS", "UNKNOWN")]
    seconds = [told["seconds"] for told in found]
    ratios = [limit["ratio"] for told in found for cell in told["cells"] for limit in cell["limits"] if limit["ratio"]]
    kept = counts[0] >= case.least_slower * len(found) / case.count
    kept = kept and (case.most_slower is None or counts[0] <= case.most_slower)
    told = " | ".join(map(str, counts))
    middle = statistics.median(ratio["ratio"] for ratio in ratios) if ratios else float("nan")
    pairs = statistics.median(ratio["pairs"] for ratio in ratios) if ratios else 0
    span = f"{statistics.median(seconds):.0f} ({min(seconds):.0f} … {max(seconds):.0f})"
    return f"| {name}{'' if kept else ' MISSED'} | {len(found)} | {told} | {span} | {pairs:.0f} | {middle:.3f} |"


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
