"""Every case of `cases`, several times, as a table: `python -m tests.e2e.truth.table [--runs N] [WORD ...] > FILE`.

A word picks the cases whose name holds it. The exit status is 1 where anything came out otherwise than it should.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from harness.bed import Bed
from harness.errors import EXIT_INTERRUPTED, HarnessError
from harness.proc import answer_signals
from harness.report.progress import Silent
from harness.scenario import Broker
from tests.e2e.truth.cases import CASES, Case
from tests.e2e.truth.trials import KAFKA, differences, found, tried


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    answer_signals()
    cases = [case for case in CASES if not options.words or any(word in case.name for word in options.words)]
    wrong = 0
    print("| scenario | client | as expected | verdict | found | blamed | s a run |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    with (
        tempfile.TemporaryDirectory(prefix="harness-truth-") as folder,
        Bed(Path(folder), Silent(), name="truth", broker=Broker(kafka=KAFKA)) as bed,
    ):
        for case in cases:
            wrong += row(bed, case, options.runs)
    return min(wrong, 1)


def row(bed: Bed, case: Case, runs: int) -> int:
    """Prints one case's line; returns how many of its runs came out otherwise."""
    said, wrong, begin = [], 0, time.monotonic()
    for _ in range(runs):
        try:
            verdict = tried(bed, case)
        except HarnessError as error:
            said, wrong = [*said, f"error {error}"], wrong + 1
            continue
        differs = differences(case, verdict)
        wrong += len(differs) > 0
        seen = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in found(verdict).items())
        said.append(f"{verdict['verdict']} | {seen or 'nothing'} | {', '.join(verdict['blamed'])}")
        if differs:
            print(f"{case.name}: {'; '.join(differs)}; {verdict['reasons']}", file=sys.stderr, flush=True)
    spent = (time.monotonic() - begin) / runs
    for text in dict.fromkeys(said):
        share = f"{runs - wrong} of {runs}"
        print(f"| {case.scenario} | `{case.client}` | {share} | {text} | {spent:.0f} |", flush=True)
    return wrong


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
