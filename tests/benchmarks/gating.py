"""How often a gate is right: a client beside itself, and beside one that is slower by a known share.

Run by hand: `python tests/benchmarks/gating.py FILE [--only NAME] [--times N] [--load]`. Each trial is a gate of its
own, with a broker of its own. Every one is kept in FILE, a line each, so the same command goes on where it was stopped;
the table is of all that is there. `--load` keeps a core busy meanwhile: then nothing may be called slower that is not, and
"cannot tell" is right. Exit status 1: more false alarms, or fewer slowdowns found, than are allowed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.gating.run import Wish, gate
from harness.proc import answer_signals
from harness.report.progress import Silent
from harness.scenario import load

KAFKA_PYTHON = "kafka-python==3.0.12"
CONFLUENT = "confluent-kafka==2.16.1"


@dataclass(frozen=True)
class Trial:
    """One gate, to be repeated: what, how long at most, and how often (of how many) it has to say what."""

    scenario: str
    baseline: str
    candidate: str
    times: int
    wasted: float = 0.0
    minutes: float = 3.0
    tolerance: float | None = None
    found: int = 0  # at least so many FAIL
    alarms: int | None = None  # at most so many FAIL; None: as many as there are


TRIALS = {
    "itself": Trial("ssl_confluent_batch_speed", CONFLUENT, CONFLUENT, 40, alarms=1),
    "itself, kafka-python": Trial("ssl_poll_speed", KAFKA_PYTHON, KAFKA_PYTHON, 10, alarms=0),
    "25 % slower": Trial("ssl_confluent_batch_speed", CONFLUENT, CONFLUENT, 20, wasted=0.25, found=19),
    "10 % slower, 3 % allowed": Trial(
        "ssl_confluent_batch_speed", CONFLUENT, CONFLUENT, 10, wasted=0.1, minutes=15, tolerance=0.03, found=8
    ),
    "2.0.2 to 3.0.12": Trial("ssl_poll_speed", "kafka-python==2.0.2", KAFKA_PYTHON, 3, found=3),
    "2.0.2 to 3.0.12 with crc32c": Trial("ssl_poll_speed", "kafka-python==2.0.2", "kafka-python[crc32c]==3.0.12", 3),
}
HEAD = (
    f"{'trial':28} {'load':4} {'of':>3} {'FAIL':>4} {'UNKNOWN':>7} {'PASS':>4} {'CPU ratios':>15} {'pairs':>7} {'s':>4}"
)


@contextmanager
def loaded(wanted: bool) -> Iterator[None]:
    """A second job, which keeps one core busy."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: sum(range(10**5))"]) if wanted else None
    try:
        yield
    finally:
        if busy is not None:
            busy.kill()
            busy.wait()


def run(name: str, trial: Trial, load_too: bool) -> dict[str, object]:
    """One gate; its files are not kept."""
    wish = Wish(trial.tolerance, trial.minutes * 60, trial.wasted)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="harness-gating-") as results, loaded(load_too):
        report = gate(
            [load(trial.scenario, {})], trial.baseline, trial.candidate,
            wish=wish, results=Path(results), progress=Silent(),
        )  # fmt: skip
    cell = report.cells[0]
    found = cell.judged()[0].found
    return {
        "trial": name,
        "load": load_too,
        "verdict": report.verdict,
        "ratio": found and found.ratio,
        "pairs": found and found.pairs,
        "messages": cell.messages,
        "seconds": round(time.monotonic() - began, 1),
        "why": cell.reasons(),
    }


def row(name: str, told: list[dict[str, object]], load_too: bool) -> str:
    said = Counter(str(one["verdict"]) for one in told)
    ratios = sorted(float(str(one["ratio"])) for one in told if one["ratio"])
    spread = f"{ratios[0]:.3f} … {ratios[-1]:.3f}" if ratios else "–"
    pairs = sorted(int(str(one["pairs"] or 0)) for one in told)
    counts = f"{len(told):>3} {said['FAIL']:>4} {said['UNKNOWN']:>7} {said['PASS']:>4}"
    longest = max(float(str(one["seconds"])) for one in told)
    return (
        f"{name:28} {'yes' if load_too else 'no':4} {counts} {spread:>15} {f'{pairs[0]}–{pairs[-1]}':>7} {longest:4.0f}"
    )


def right(trial: Trial, told: list[dict[str, object]], load_too: bool) -> bool:
    """As the trial wants it, of all its times. Under load a slowdown need not be found, but must not pass."""
    said = Counter(str(one["verdict"]) for one in told)
    if trial.alarms is not None:
        return said["FAIL"] <= (0 if load_too else trial.alarms)
    missed = said["PASS"] if load_too else len(told) - said["FAIL"]
    return not trial.found or missed <= trial.times - trial.found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="keeps every trial, a line of JSON each")
    parser.add_argument("--only", default="", help="trials whose name begins with this")
    parser.add_argument("--times", type=int, help="so many of each instead")
    parser.add_argument("--load", action="store_true", help="keep a core busy meanwhile")
    args = parser.parse_args()
    answer_signals()
    kept = [json.loads(line) for line in args.file.read_text().splitlines()] if args.file.exists() else []
    for name, trial in TRIALS.items():
        done = sum(one["trial"] == name and one["load"] == args.load for one in kept)
        for _ in range((args.times or trial.times) - done if name.startswith(args.only) else 0):
            kept.append(run(name, trial, args.load))
            print(
                f"{name}: {kept[-1]['verdict']}, {kept[-1]['seconds']} s, {kept[-1]['why']}",
                file=sys.stderr,
                flush=True,
            )
            with args.file.open("a") as file:
                file.write(json.dumps(kept[-1]) + "\n")
    print(HEAD)
    wrong = 0
    for name, trial in TRIALS.items():
        for load_too in (False, True):
            if told := [one for one in kept if one["trial"] == name and one["load"] == load_too]:
                print(row(name, told, load_too), "" if right(trial, told, load_too) else "WRONG")
                wrong += not right(trial, told, load_too)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
