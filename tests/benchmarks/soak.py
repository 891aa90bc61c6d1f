"""Does the harness grow? `python -m tests.benchmarks.soak --minutes 60` runs scenarios with faults in one process.

After each run, with its report, it counts what this process holds: memory (RSS), threads, file descriptors, child
processes. The first round warms everything up. Over the rounds behind it a line is fitted through each count, and a
growth that an hour's runs could not explain by chance ends with exit code 1.
"""

import argparse
import gc
import json
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from harness.bed import Bed
from harness.errors import EXIT_FAIL, EXIT_PASS, HarnessError
from harness.outcome import judge_run, report_run
from harness.report.progress import Silent
from harness.scenario import load

SCENARIOS = (
    "textbook/crash_confluent",
    "textbook/leave_confluent",
    "textbook/broker_restart_alone_confluent",
    "textbook/network_cut_confluent",
    "planted/skip",
)
COUNTS = ("rss_mb", "threads", "fds", "children")
GROWTH_AT_MOST = {"rss_mb": 0.5, "threads": 0.05, "fds": 0.05, "children": 0.05}
"""By run. Of memory allocators keep some; a thread or a descriptor that stays is one too many."""


@dataclass(frozen=True)
class Sample:
    """What this process held after one run."""

    s: float
    scenario: str
    verdict: str
    why: str  # of an UNKNOWN
    rss_mb: float
    threads: int
    fds: int
    children: int


def sample(began: float, scenario: str, verdict: str, why: str) -> Sample:
    gc.collect()
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    children = sum(len(file.read_text().split()) for file in Path("/proc/self/task").glob("*/children"))
    return Sample(
        round(time.monotonic() - began, 1),
        scenario,
        verdict,
        why,
        round(int(status["VmRSS"].split()[0]) / 1024, 1),
        int(status["Threads"]),
        len(list(Path("/proc/self/fd").iterdir())),
        children,
    )


def slopes(samples: list[Sample]) -> dict[str, float]:
    """By count, how much it grows with each run."""
    runs = np.arange(len(samples))
    return {
        name: round(float(np.polyfit(runs, [getattr(one, name) for one in samples], 1)[0]), 4) if len(runs) > 1 else 0.0
        for name in COUNTS
    }


def soak(minutes: float, folder: Path) -> list[Sample]:
    """Rounds of all scenarios until the time is over."""
    samples: list[Sample] = []
    began = time.monotonic()
    with Bed(folder, Silent(), name="soak") as bed:
        while time.monotonic() - began < minutes * 60:
            for name in SCENARIOS:
                scenario = load(name)
                run, why = None, ""
                try:
                    run = bed.record(scenario)
                    judged = judge_run(run)
                    verdict = str(judged["verdict"])
                    if verdict == "UNKNOWN":
                        why = "; ".join(judged["reasons"])
                    report_run(run)
                except HarnessError as error:
                    verdict, why = error.slug, error.what
                if run is not None:
                    bed.forget(run, scenario)
                    shutil.rmtree(run.path)
                samples.append(sample(began, name, verdict, why))
                print(json.dumps(asdict(samples[-1])), flush=True)
    return samples


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60, help="so long, at least (default 60)")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        samples = soak(asked.minutes, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    warm = samples[len(SCENARIOS) :]
    found = slopes(warm)
    first, last = (warm[0], warm[-1]) if warm else (samples[0], samples[-1])
    for name in COUNTS:
        print(f"{name}: {getattr(first, name)} to {getattr(last, name)} in {len(warm)} runs, {found[name]:+} a run")
    grows = [name for name in COUNTS if found[name] > GROWTH_AT_MOST[name]]
    print(f"grows: {', '.join(grows)}" if grows else "nothing grows")
    return EXIT_FAIL if grows else EXIT_PASS


if __name__ == "__main__":
    sys.exit(main())
