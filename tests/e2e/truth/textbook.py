"""The scenarios of the textbook, one line each: `python -m tests.e2e.truth.textbook [--runs N] [WORD ...] > FILE`.

Told of each run: the verdict, what was lost and what came again, how often a partition changed its owner, and the
longest time in which nobody was handed anything.
"""

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import outcome, recording
from harness.bed import Bed
from harness.errors import HarnessError
from harness.history import History
from harness.report.progress import Silent
from harness.scenario import load, shipped
from harness.verify.findings import LOSSES


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep the runs' folders here")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    names = [f"textbook/{path.stem}" for path in shipped() if path.parent.name == "textbook"]
    wanted = [name for name in names if not options.words or any(word in name for word in options.words)]
    print("| scenario | client | verdict | lost | legal | excess | changes of owner | worst stall s | why |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="harness-textbook-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with Bed(folder, Silent(), name="textbook") as bed:
            for name in wanted * options.runs:
                print(line(bed, name), flush=True)
    return 0


def line(bed: Bed, name: str) -> str:
    scenario = load(name)
    head = f"| {scenario.name} | {scenario.client} |"
    try:
        run = bed.record(scenario)
        verdict, history = outcome.judge_run(run), recording.read(run)
    except HarnessError as error:
        return f"{head} error | | | | | | {error} |"
    fates, anomalies = verdict["fates"], verdict["anomalies"]
    lost = sum(fates[kind] for kind in LOSSES) + fates["stalled"]
    again = f"{anomalies['legal_redelivery']:,} | {anomalies['excess_redelivery']:,}"
    why = verdict["reasons"][0].splitlines()[0]
    stall_s = f"{worst_stall_s(history):.1f}"
    return f"{head} {verdict['verdict']} | {lost:,} | {again} | {changes(verdict)} | {stall_s} | {why} |"


def changes(verdict: dict[str, Any]) -> int:
    """How often a partition went from one member to another, or to the same one anew."""
    owned = [ownership["partition"] for ownership in verdict["ownerships"]]
    return len(owned) - len(set(owned))


def worst_stall_s(history: History) -> float:
    spans = sorted(history.delivered_at)
    reached, worst = (spans[0][1] if spans else 0), 0
    for since, until, _ in spans:
        worst, reached = max(worst, since - reached), max(reached, until)
    return worst / 1e9


if __name__ == "__main__":
    sys.exit(main())
