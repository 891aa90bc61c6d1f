"""Try many odd inputs: `python -m tests.fuzz.campaign 100000`, or of some targets only: `… 1000 recording control`.

Prints for each target how many inputs were tried, how long the slowest took, and what was found, each finding once with
one input that shows it. Exit code 1 where anything was found. Inputs that CI tries are few and always the same; here
they are others each time.
"""

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random

from tests.fuzz.targets import TARGETS, Target

DEAR = 100
"""A target that is not cheap gets so many times fewer."""


class Campaign:
    """One target, tried; `found`: by what went wrong and where, an input."""

    def __init__(self, target: Target, count: int) -> None:
        self.target = target
        self.count = count
        self.tried = 0
        self.slowest_s = 0.0
        self.found: dict[str, str] = {}

    def run(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        chance = Random()
        try:
            for _ in range(self.count):
                self._try(folder, self.target.inputs.draw(chance))
        finally:
            shutil.rmtree(folder)

    def _try(self, folder: Path, data: object) -> None:
        begin = time.monotonic()
        try:
            self.target.call(folder, data)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
            places = [f"{Path(at.filename).name}:{at.lineno}" for at in traceback.extract_tb(error.__traceback__)]
            told = f"{type(error).__name__} at {' < '.join(reversed(places[-3:]))}"
            self.found.setdefault(told, f"{str(error)[:300]} from {repr(data)[-300:]}")
        self.tried += 1
        self.slowest_s = max(self.slowest_s, time.monotonic() - begin)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.campaign", description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, help="inputs for each target that is cheap")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; none: all")
    asked = parser.parse_args()
    findings = 0
    for name in asked.targets or TARGETS:
        target = TARGETS[name]
        campaign = Campaign(target, asked.count if target.cheap else max(1, asked.count // DEAR))
        begin = time.monotonic()
        campaign.run()
        findings += len(campaign.found)
        took_s = time.monotonic() - begin
        told = f"{campaign.tried:,} inputs in {took_s:.0f} s, slowest {campaign.slowest_s:.2f} s"
        print(f"{name}: {told}, {len(campaign.found)} findings", flush=True)
        for what, example in campaign.found.items():
            print(f"    {what}\n        {example!r}", flush=True)
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
