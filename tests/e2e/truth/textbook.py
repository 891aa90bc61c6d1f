"""The scenarios of the textbook: `python -m tests.e2e.truth.textbook [--runs N] [--out FILE] [WORD ...]`.

Prints a line for each run, as `harness table` does. With --out it writes them into FILE too, each as soon as its run is
over: results/textbook.md is made so.
"""

import argparse
import sys
import tempfile
from pathlib import Path

from harness import outcome
from harness.bed import Bed
from harness.errors import EXIT_INTERRUPTED, HarnessError
from harness.proc import answer_signals
from harness.report import table
from harness.report.progress import Silent
from harness.rundir import write_text
from harness.scenario import Broker, load, shipped

START_TIMEOUT_S = 240
"""On a machine that is busy with other things three nodes take long."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="keep the runs' folders here")
    parser.add_argument("--out", type=Path, help="write the table into this file too")
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()
    answer_signals()
    names = [f"textbook/{path.stem}" for path in shipped() if path.parent.name == "textbook"]
    wanted = [name for name in names if not options.words or any(word in name for word in options.words)]
    lines = [table.HEAD]
    print(table.HEAD)
    with tempfile.TemporaryDirectory(prefix="harness-textbook-") as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        with Bed(folder, Silent(), name="textbook", broker=Broker(start_timeout_s=START_TIMEOUT_S)) as bed:
            for name in wanted * options.runs:
                lines.append(line(bed, name))
                print(lines[-1], flush=True)
                if options.out is not None:
                    write_text(options.out, "\n".join(lines) + "\n")
    return 0


def line(bed: Bed, name: str) -> str:
    """One run and its line; a run that could not be made says why, and has no figures."""
    scenario = load(name)
    try:
        run = bed.record(scenario)
        outcome.judge_run(run)
    except HarnessError as error:
        return table.cells(scenario.name, str(scenario.client), "error", "", "", "", "", "", "", str(error))
    return table.line(run.path)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)
