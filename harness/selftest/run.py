"""`harness selftest`: every cell, then the clean runs, on one broker; what came of it is a `Report`.

A run whose cell or whose clean run was not perfect is kept, all others go as soon as they are judged, unless the user
named a folder for them.
"""

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.bed import Bed
from harness.errors import EXIT_FAIL, EXIT_PASS, EXIT_UNKNOWN, HarnessError
from harness.outcome import judge_run
from harness.owner import release, sign
from harness.report.progress import Progress
from harness.rundir import disk_error
from harness.scenario import Scenario
from harness.selftest.cells import deeds
from harness.selftest.marking import Marks, false_alarms, marks
from harness.selftest.table import Cell, clean_scenario, scenario_of

FOLDER_PREFIX = "harness-selftest-"
ENDS_IT = ("broker-died", "disk-full", "cannot-write")
"""After these nothing can be run any more."""


@dataclass
class CellResult:
    """One cell. marks None: it could not be run, and `error` says why."""

    cell: Cell
    marks: Marks | None
    error: str | None = None
    run: Path | None = None
    seconds: float = 0.0

    @property
    def perfect(self) -> bool:
        return self.marks is not None and self.marks.perfect


@dataclass
class CleanResult:
    """One clean run. alarms: what was found and should not have been."""

    name: str
    alarms: list[str]
    error: str | None = None
    run: Path | None = None
    seconds: float = 0.0

    @property
    def perfect(self) -> bool:
        return not self.alarms and self.error is None


@dataclass
class Report:
    seed: int
    cells: list[CellResult] = field(default_factory=list)
    clean: list[CleanResult] = field(default_factory=list)
    seconds: float = 0.0
    kept: Path | None = None

    def having(self, mark: str) -> int:
        """In how many cells it was as it should be."""
        return sum(result.marks is not None and result.marks.has(mark) for result in self.cells)

    @property
    def false_alarms(self) -> int:
        return sum(bool(result.alarms) for result in self.clean)

    @property
    def results(self) -> "list[CellResult | CleanResult]":
        return [*self.cells, *self.clean]

    @property
    def not_run(self) -> int:
        return sum(result.error is not None for result in self.results)

    @property
    def exit_code(self) -> int:
        imperfect = [result for result in self.results if result.error is None and not result.perfect]
        return EXIT_FAIL if imperfect else EXIT_UNKNOWN if self.not_run else EXIT_PASS

    def last_line(self) -> str:
        cells = len(self.cells)
        return (
            f"detected {self.having('detected')} of {cells}, attributed {self.having('attributed')} of {cells}, "
            f"false alarms {self.false_alarms} of {len(self.clean)} clean runs"
        )

    def as_json(self) -> dict[str, Any]:
        return {
            "exit_code": self.exit_code,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "cells": [
                {
                    "fault": result.cell.fault.label,
                    "place": result.cell.place,
                    "found": asdict(result.cell.found),
                    "wrong": None if result.marks is None else result.marks.wrong,
                    "error": result.error,
                    "run": None if result.run is None else str(result.run),
                    "seconds": round(result.seconds, 2),
                }
                for result in self.cells
            ],
            "clean": [
                asdict(result) | {"run": None if result.run is None else str(result.run)} for result in self.clean
            ],
            "summary": self.last_line(),
        }


def run_selftest(cells: list[Cell], *, clean: int, seed: int, out: Path | None, progress: Progress) -> Report:
    """Run all of it. Raises HarnessError where nothing more can be run. Interrupted, it leaves nothing behind."""
    began = time.monotonic()
    report = Report(seed)
    with _folder(out, report) as folder, Bed(folder, progress, name="selftest") as bed:
        ahead = _Ahead(progress, len(cells) + clean)
        for cell in cells:
            with ahead.step(cell.name):
                report.cells.append(_run_cell(bed, cell, seed, keep=out is not None))
        for number in range(clean):
            with ahead.step(f"clean run {number + 1}"):
                report.clean.append(_run_clean(bed, number, seed, keep=out is not None))
    report.seconds = time.monotonic() - began
    return report


def _run_cell(bed: Bed, cell: Cell, seed: int, *, keep: bool) -> CellResult:
    result = CellResult(cell, None)
    with _filling(result, keep=keep):
        run = bed.record(Scenario.model_validate(scenario_of(cell, seed=seed)), cell.name)
        result.marks = marks(cell, judge_run(run), deeds(run))
        result.run = run.path
    return result


def _run_clean(bed: Bed, number: int, seed: int, *, keep: bool) -> CleanResult:
    scenario = clean_scenario(number, seed=seed)
    restarts = scenario.get("restarts", {"count": 0})["count"]
    name = f"{scenario['client']} {scenario['api']}, {scenario['security']}, {restarts} restarts"
    result = CleanResult(name, [])
    with _filling(result, keep=keep):
        run = bed.record(Scenario.model_validate(scenario), f"clean-{number + 1}")
        result.alarms = false_alarms(judge_run(run))
        result.run = run.path
    return result


@contextlib.contextmanager
def _filling(result: CellResult | CleanResult, *, keep: bool) -> Iterator[None]:
    """Times one run and keeps its error, unless that ends everything. A run that was perfect tells nothing more."""
    begin = time.monotonic()
    try:
        yield
    except HarnessError as error:
        if error.slug in ENDS_IT:
            raise
        result.error = f"[{error.slug}] {error.what}"
    result.seconds = time.monotonic() - begin
    if result.run is not None and result.perfect and not keep:
        shutil.rmtree(result.run, ignore_errors=True)
        result.run = None


@contextlib.contextmanager
def _folder(out: Path | None, report: Report) -> Iterator[Path]:
    """Where the runs go: the user's folder, or a temporary one that stays only if something in it must be looked at."""
    if out is not None:
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(out, error) from error
        report.kept = out
        yield out
        return
    folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
    sign(folder)
    try:
        yield folder
    except HarnessError as error:  # the logs that it names are in there
        release(folder)
        error.hint = f"{error.hint} What was run until then is kept in {folder}.".lstrip()
        raise
    except BaseException:  # an interrupt too must leave nothing behind
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if report.exit_code == EXIT_PASS:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        release(folder)
        report.kept = folder


class _Ahead:
    """Says how far it is, and about how long the rest takes if it goes on as it went."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress = progress
        self.total = total
        self.done = 0
        self.began = time.monotonic()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        self.progress.update("selftest", self.done, self.total, f"{name}{self._left()}")
        yield
        self.done += 1

    def _left(self) -> str:
        if not self.done:
            return ""
        left_s = (time.monotonic() - self.began) / self.done * (self.total - self.done)
        return f", about {left_s:.0f} s left" if left_s < 90 else f", about {left_s / 60:.0f} min left"
