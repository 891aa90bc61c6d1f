"""Running a matrix: its cells on warm brokers, one for each release of Kafka; whatever becomes of a cell is a row.

Cells that measure speed, and those whose broker is behind a proxy, run alone. A cell that cannot be installed, or that
ends in an error, is a result that says so; a broker that dies is replaced. Only a full disk ends the matrix.
"""

import contextlib
import os
import re
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from harness import outcome, proc
from harness.bed import Bed, Log
from harness.broker.external import External
from harness.clients.envs import prepare
from harness.clients.spec import parse_spec
from harness.errors import HarnessError, UsageError
from harness.matrix import rows
from harness.matrix.book import Book
from harness.matrix.forecast import Forecast
from harness.matrix.plan import Cell
from harness.report.progress import Progress
from harness.rundir import RunDir
from harness.scenario import Scenario
from harness.settings_difference import ask

ENDS_IT = ("disk-full", "cannot-write")
ENDS_THE_BROKER = ("broker-died",)
STARTS = 3
LETTERS = 80
"""Of the names of runs' folders, which file systems and people can take."""


def run_matrix(
    book: Book, cells: list[Cell], *, same_log: bool, jobs: int, progress: Progress, external: External | None = None
) -> None:
    """Run the cells that have no row yet. Raises HarnessError where nothing can be written any more."""
    for cell in book.waiting(cells):
        if cell.refusal is not None:
            book.note(rows.refused(cell))
    outcome.preload()
    began, before_s = time.monotonic(), book.data["seconds"]
    try:
        while waiting := book.waiting(cells):
            group = [cell for cell in waiting if cell.bed == waiting[0].bed]
            forecast = Forecast(cells, book.rows, jobs, progress)
            _on_one_broker(book, group, forecast, same_log=same_log, jobs=jobs, external=external)
        _ask_settings(book, progress)
    finally:
        book.data["seconds"] = round(before_s + time.monotonic() - began, 1)
        with contextlib.suppress(HarnessError):
            book.save()
    book.finish(cells)


def _on_one_broker(
    book: Book, group: list[Cell], forecast: Forecast, *, same_log: bool, jobs: int, external: External | None
) -> None:
    """Run cells until all have their rows, or the broker has died; of a Kafka that there is not each has its error."""
    scenario = group[0].scenario
    assert scenario is not None
    with Bed(book.path / "runs", forecast.progress, name="matrix", broker=scenario.broker, external=external) as bed:
        try:
            _start(bed, scenario)
        except UsageError as error:
            for cell in group:
                book.note(rows.failed(cell, _said(error), seconds=0, run=None))
            return
        _Runner(book, bed, forecast, same_log=same_log, jobs=jobs).run(group)


def _start(bed: Bed, scenario: Scenario) -> None:
    """On a busy machine a broker may not be ready in time; the next one is."""
    for attempt in range(1, STARTS + 1):
        try:
            bed.running(scenario)
            return
        except HarnessError as error:
            if error.slug != "broker-not-ready" or attempt == STARTS:
                raise
            bed.progress.say(f"{_said(error)}; once more")


class _Runner:
    """The cells of one broker."""

    def __init__(self, book: Book, bed: Bed, forecast: Forecast, *, same_log: bool, jobs: int) -> None:
        self.book = book
        self.bed = bed
        self.forecast = forecast
        self.same_log = same_log
        self.jobs = jobs
        self.over = threading.Event()
        self.dead = threading.Event()
        self._logs: dict[tuple[object, ...], Log] = {}
        self._writing = threading.Lock()

    def run(self, group: list[Cell]) -> None:
        if self.jobs > 1:
            self._side_by_side([cell for cell in group if not cell.alone])
        for cell in group:
            if cell.alone or self.jobs == 1:
                self._run(cell, beside=False)

    def _side_by_side(self, cells: list[Cell]) -> None:
        """An interrupt comes to the main thread: it tells the others, who unwind at the next thing that they report."""
        with ThreadPoolExecutor(self.jobs) as pool:
            try:
                for done in as_completed([pool.submit(self._run, cell, beside=True) for cell in cells]):
                    done.result()
            except BaseException:
                self.over.set()
                pool.shutdown(wait=True, cancel_futures=True)
                raise

    def _run(self, cell: Cell, *, beside: bool) -> None:
        if self.dead.is_set():
            return  # The next broker runs it.
        began = time.monotonic()
        folder = _Folder()
        try:
            self._cell(cell, folder)
            row = rows.finished(cell, folder.path, seconds=time.monotonic() - began, beside=beside)
        except HarnessError as error:
            if error.slug in ENDS_IT:
                raise
            if error.slug in ENDS_THE_BROKER:
                self.dead.set()
            row = rows.failed(cell, _said(error), seconds=time.monotonic() - began, run=folder.kept(error))
        except Exception as error:
            if os.environ.get("HARNESS_DEBUG"):
                raise
            fault = HarnessError("internal", f"{type(error).__name__}: {error}")
            row = rows.failed(cell, _said(fault), seconds=time.monotonic() - began, run=folder.kept(fault))
        except BaseException:  # interrupted: half of a cell is none
            folder.remove()
            raise
        self.book.note(row)
        self.forecast.done(row)

    def _cell(self, cell: Cell, folder: "_Folder") -> None:
        """One run, from its environments to its report."""
        scenario = cell.scenario
        assert scenario is not None
        told = _Told(self, cell)
        told.update("environments")
        self.bed.prepare(scenario)
        log = self._log(cell, told) if self.same_log else None
        run = folder.run = self.bed.begin(scenario, _folder_name(cell))
        run.meta["scenario"] = scenario.name
        run.meta["command"] = ["harness", "run", str(run.path / "scenario.yaml")]
        self.bed.fill(run, scenario, log=log, progress=told)
        if log is None:
            self.bed.forget(run, scenario)
        outcome.judge_run(run)
        run.mark("judged")
        outcome.report_run(run)
        run.mark("reported")
        outcome.note_times(run)

    def _log(self, cell: Cell, told: Progress) -> Log:
        """The topic that the cells of one scenario read; the first one of them writes it."""
        with self._writing:
            if cell.log not in self._logs:
                assert cell.scenario is not None
                self._logs[cell.log] = self.bed.write(cell.scenario, self.book.path / "logs", progress=told)
            return self._logs[cell.log]


class _Folder:
    """The folder of a cell's run, once there is one."""

    run: RunDir | None = None

    @property
    def path(self) -> Path:
        assert self.run is not None
        return self.run.path

    def kept(self, error: HarnessError) -> str | None:
        """Note what ended the run, and report as much as there is; returns its folder, from that of the matrix."""
        if self.run is None:
            return None
        with contextlib.suppress(HarnessError, OSError):
            self.run.meta["errors"].append(error.as_json())
            self.run.save()
            outcome.judge_run(self.run)
            outcome.report_run(self.run)
        return f"{self.path.parent.name}/{self.path.name}"

    def remove(self) -> None:
        if self.run is not None:
            shutil.rmtree(self.path, ignore_errors=True)


class _Told:
    """How far a cell is, told as how far the matrix is. An interrupted matrix ends its cells from here."""

    def __init__(self, runner: _Runner, cell: Cell) -> None:
        self.runner = runner
        self.cell = cell

    def say(self, text: str) -> None:
        pass

    def watch(self, run: Path, *, title: str, messages: int) -> None:
        pass

    def stage(self, name: str) -> None:
        pass

    def update(self, stage: str, done: float = 0, total: float | None = None, detail: str = "") -> None:
        if self.runner.over.is_set():
            raise proc.Interrupted
        amount = f" {done:,.0f} of {total:,.0f}" if total and done else ""
        self.runner.forecast.show(f"{self.cell.words}: {stage}{amount}")


def _ask_settings(book: Book, progress: Progress) -> None:
    """What each client that could be run is made with where nobody sets anything, asked of itself."""
    ran = {row["client"]: row["security"] for row in book.rows if row["state"] == "done"}
    for client, security in ran.items():
        if client not in book.data["settings"]:
            with contextlib.suppress(HarnessError):  # The page says that they are not known.
                spec = parse_spec(client)
                book.data["settings"][client] = ask(prepare(spec, progress=progress.say, security=security))


def _said(error: HarnessError) -> str:
    return f"[{error.slug}] {error.what}"


def _folder_name(cell: Cell) -> str:
    plain = f"{cell.name}-{cell.client}-{cell.api}-{cell.security}"
    return re.sub(r"[^A-Za-z0-9.]+", "_", plain.replace("==", "-")).strip("_")[:LETTERS]
