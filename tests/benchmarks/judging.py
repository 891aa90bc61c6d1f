"""How fast a verdict comes and how much memory it takes, beside a plain-Python checker of sets, in one run.

`python tests/benchmarks/judging.py [--messages N] [--large] [--rounds N] [--keep DIR]`. Histories are made up
(`synthetic`), over 100 partitions, and written in the workers' binary format; then every case is judged `--rounds`
times, each time in a fresh process, the cases in turn, forwards and backwards. Reading the files is part of every
figure. CPU seconds are counted (user and system), because a shared machine's clock tells of its other guests; the
verdict must be exact, or the line says WRONG and the exit status is 1.

- *log + deliveries*: both files of what a consumer is judged by; what was sent and acked is given as one row a
  partition. *whole run*: the producer's file of intents and acks as well, so four recordings of every message.
- the naive checker reads the same file of deliveries by struct into sets of (partition, seq), and does no more.
- `--large`: 10^8 messages from files (11 GB), and 10^9 made while they are read; making them is not counted.
"""

import argparse
import json
import resource
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.columns import Columns
from harness.frames import DELIVER, FRAME, HEADER_BYTES, open_tape
from harness.history import RunInfo
from harness.recording import gather
from harness.verify import judge
from tests.benchmarks.synthetic import SEGMENT_BYTES, Made

PARTITIONS = 100
WHOLE = ("p1", "reader", "c1")
TARGETS = {"clean": 50, "1 % lost, 5 % twice": 15, "half lost": 10}
"""Million messages a second, of log and deliveries."""
SHAPES = {"clean": (0.0, 0.0), "1 % lost, 5 % twice": (0.01, 0.05), "half lost": (0.5, 0.0)}
NAIVE_MESSAGES = 1_000_000


@dataclass(frozen=True)
class Case:
    """One thing to measure; messages in all. tapes: which recordings; None: the naive checker."""

    shape: str
    messages: int
    tapes: tuple[str, ...] | None
    made: bool = False  # while it is read, not from files

    @property
    def name(self) -> str:
        what = "naive sets" if self.tapes is None else "whole run" if "p1" in self.tapes else "log + deliveries"
        return f"{self.shape}, {self.messages:.0e}{' (made while read)' if self.made else ''}, {what}"

    def history(self) -> Made:
        lost, twice = SHAPES[self.shape]
        return Made(PARTITIONS, self.messages // PARTITIONS, lost, twice)

    def folder(self, top: Path) -> Path:
        return top / f"{self.shape.replace(' ', '')}-{self.messages}"


def measure(case: Case, top: Path) -> dict[str, Any]:
    """In a process of its own: CPU seconds without making anything up, peak memory, whether the answer was exact."""
    made, folder = case.history(), case.folder(top)
    if case.tapes is None:
        begin = time.process_time()
        found = naive(folder / "c1.bin", case.messages // PARTITIONS)
        cpu_s = time.process_time() - begin
        truth = json.loads((folder / "truth.json").read_text())
        exact = found == (truth["skipped"], truth["repeat"])
    else:
        tapes = {name: made.tape(name) if case.made else open_tape(folder / f"{name}.bin") for name in case.tapes}
        info = RunInfo("benchmark", "at_least_once", PARTITIONS)
        begin = time.process_time()
        history = gather(info, tapes, made.own_events())
        if "p1" not in case.tapes:
            history.sends, history.acks = Columns(made.all_rows()), Columns(made.all_rows())
        verdict = judge(history)
        cpu_s = time.process_time() - begin - made.making_s
        truth = made.truth if case.made else json.loads((folder / "truth.json").read_text())
        counts = {**verdict["fates"], **verdict["anomalies"]}
        exact = {name: count for name, count in counts.items() if count} == {k: v for k, v in truth.items() if v}
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"cpu_s": cpu_s, "peak_mb": peak_mb, "exact": exact, "delivered": truth["delivered"]}


def naive(path: Path, last: int) -> tuple[int, int]:
    """What is missing and what came twice, by sets of Python; `last`: how many messages each partition has."""
    data, at, seen, repeats = path.read_bytes(), HEADER_BYTES, set(), 0
    while at + FRAME.size <= len(data):
        kind, _, count, capacity, payload, _, _ = FRAME.unpack_from(data, at)
        if kind == 0:
            at += SEGMENT_BYTES - at % SEGMENT_BYTES
            continue
        at += FRAME.size
        if kind == DELIVER:
            keys = struct.iter_unpack("<IHHQQ", data[at : at + 24 * count])
            offsets = struct.iter_unpack("<q", data[at + 24 * capacity : at + 24 * capacity + 8 * count])
            for (_, _, partition, seq, _), (_offset,) in zip(keys, offsets, strict=True):
                if (partition, seq) in seen:
                    repeats += 1
                seen.add((partition, seq))
        at += payload
    sent = {(partition, seq) for partition in range(PARTITIONS) for seq in range(last)}
    return len(sent - seen), repeats


def prepare(cases: list[Case], top: Path) -> None:
    for case in cases:
        folder = case.folder(top)
        if case.made or (folder / "truth.json").is_file():
            continue
        folder.mkdir(parents=True, exist_ok=True)
        print(f"making {case.shape}, {case.messages:.0e} messages", file=sys.stderr, flush=True)
        made = case.history()
        for name in WHOLE:
            made.write(name, folder)
        (folder / "truth.json").write_text(json.dumps(made.truth))


def in_its_own_process(case: Case, top: Path) -> dict[str, Any]:
    argv = [sys.executable, __file__, "--one", json.dumps(vars(case)), "--keep", str(top)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def print_table(cases: list[Case], results: dict[Case, list[dict[str, Any]]]) -> bool:
    """True when every verdict was exact."""
    speed = {case: [case.messages / one["cpu_s"] / 1e6 for one in results[case]] for case in cases}
    naive_speed = {case.shape: statistics.median(speed[case]) for case in cases if case.tapes is None}
    print(f"| {'messages, what is read':52} | million/s: median (least … most) | naive × | peak MB | target | exact |")
    print(f"|{'-' * 54}|{'-' * 33}|---------|---------|--------|-------|")
    for case in cases:
        rates = sorted(speed[case])
        median, peak = statistics.median(rates), max(one["peak_mb"] for one in results[case])
        exact = all(one["exact"] for one in results[case])
        target = f"{TARGETS[case.shape]}" if case.tapes is not None and "p1" not in case.tapes else ""
        times = f"{median / naive_speed[case.shape]:.0f}" if case.shape in naive_speed else ""
        spread = f"{median:7.1f} ({rates[0]:.1f} … {rates[-1]:.1f})"
        told = "yes" if exact else "WRONG"
        print(f"| {case.name:52} | {spread:31} | {times:>7} | {peak:7.0f} | {target:>6} | {told:5} |")
    return all(one["exact"] for case in cases for one in results[case])


def plan(messages: int, *, large: bool) -> list[Case]:
    cases = [Case(shape, NAIVE_MESSAGES, None) for shape in SHAPES]
    for shape in SHAPES:
        cases += [Case(shape, messages, WHOLE[1:]), Case(shape, messages, WHOLE)]
    cases.append(Case("clean", NAIVE_MESSAGES, WHOLE))
    if large:
        for shape in SHAPES:
            cases.append(Case(shape, 10**8, WHOLE, made=shape != "clean"))
        cases.append(Case("clean", 10**8, WHOLE[1:]))
        cases.append(Case("clean", 10**9, WHOLE, made=True))
    return cases


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=lambda text: int(float(text)), default=10**7)
    parser.add_argument(
        "--large", action="store_true", help="10^8 and 10^9 messages as well, those made while read once"
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name has this in it")
    parser.add_argument("--keep", type=Path, help="make histories here, and use those that are here")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        case = json.loads(args.one)
        case["tapes"] = tuple(case["tapes"]) if case["tapes"] is not None else None
        print(json.dumps(measure(Case(**case), args.keep)))
        return 0
    cases = [case for case in plan(args.messages, large=args.large) if args.only in case.name]
    results: dict[Case, list[dict[str, Any]]] = {case: [] for case in cases}
    with tempfile.TemporaryDirectory(prefix="harness-benchmark-") as folder:
        top = args.keep or Path(folder)
        prepare(cases, top)
        for number in range(args.rounds):
            for case in cases[:: 1 if number % 2 == 0 else -1]:
                if (case.messages < 10**9 and not case.made) or not results[case]:
                    print(f"round {number + 1}: {case.name}", file=sys.stderr, flush=True)
                    results[case].append(in_its_own_process(case, top))
    return 0 if print_table(cases, results) else 1


if __name__ == "__main__":
    sys.exit(main())
