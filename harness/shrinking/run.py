"""One shrinking from top to bottom: what failed, does it fail again, then one candidate after the other."""

import time
from dataclasses import dataclass
from pathlib import Path

from harness import recording
from harness.bed import Bed
from harness.bisecting.trying import ENDS_IT
from harness.broker.base import refuse_unavailable
from harness.errors import EXIT_UNKNOWN, HarnessError, UsageError
from harness.outcome import judge_history, judge_run
from harness.report.facts import one_line
from harness.report.progress import Progress
from harness.rundir import RunDir, write_text
from harness.scenario import Scenario, load
from harness.shrinking.bare import Values, as_yaml, bare, repaired
from harness.shrinking.book import SCRIPT, SHRUNK, Book, Candidate, Trial
from harness.shrinking.goal import Goal, goal_of, told_of
from harness.shrinking.reduce import shrink as reduced
from harness.shrinking.reproduce import Unsayable, script_of

AS_IT_WAS = "as it was"
"""What is said of the run's own scenario."""
CONFIRMED_AT_MOST = 2
"""How often the run's own scenario is begun with, where the first time proves nothing: a broker that has just come up
refuses some clients."""
WORDS_MAX = 300


class NoAnswer(HarnessError):
    """Nothing could be proven, which is no answer and no mistake of the user's."""

    exit_code = EXIT_UNKNOWN


class _OutOfTime(Exception):
    """The limit is reached: what was found so far is kept."""


@dataclass(frozen=True)
class Failure:
    """What a run left: its folder, its scenario, how it failed, and the version of Python that its client ran on."""

    run: Path
    scenario: Scenario
    goal: Goal
    python: str = "3"

    @property
    def name(self) -> str:
        return f"{self.scenario.name}_shrunk"

    @property
    def about(self) -> str:
        return (
            f"Shrunk by harness from {self.scenario.name} (run {self.run.name}), and failing as that run did: "
            f"FAIL, {self.goal}."
        )


def failure_of(path: Path) -> Failure:
    """Read a run. Raises UsageError `shrink-usage` where it did not fail."""
    run = RunDir.open(path)
    scenario = load(path / "scenario.yaml", name=str(run.meta.get("scenario", path.name)))
    verdict = judge_history(recording.read(run))
    goal = goal_of(verdict)
    if goal is None:
        reason = next(iter(verdict["reasons"]), "no reason told")
        raise UsageError(
            "shrink-usage",
            f"{path}: {verdict['verdict']}, so there is no failure to keep: {reason}",
            "Name a run whose verdict is FAIL.",
        )
    refuse_unavailable(scenario.broker)
    pythons = [client.get("python") for client in run.meta.get("clients", ()) if client.get("role") == "consume"]
    return Failure(path.resolve(), scenario, goal, next(filter(None, pythons), "3"))


def shrink(failure: Failure, *, results: Path, repeat: int, limit_s: float, progress: Progress) -> Book:
    """Try smaller scenarios until none fails in the same way, or until the limit; what was run is kept.

    1. The run's own scenario has to fail again; 2. candidates, each as often as `repeat` says, the first that does not
    fail so being the last; 3. the best so far is written as soon as it is known. Raises NoAnswer `shrink-unclear` where
    the run's own scenario does not fail in the same way each time, HarnessError where no run can be made.
    """
    start = bare(failure.scenario)
    path = results / f"shrink-{failure.run.name}"
    book = Book.opened(path, str(failure.run), failure.goal, start)
    book.save()
    if book.runs:
        progress.say(f"going on with {book.runs} runs that are in {path}")
    with Bed(path / "runs", progress, name="shrink", broker=failure.scenario.broker) as bed:
        seeking = _Seeking(failure, book, bed, progress, repeat=repeat, deadline=time.monotonic() + limit_s)
        try:
            seeking.confirm()
            reduced(start, seeking.tried)
            book.finished = True
        except KeyboardInterrupt:
            if book.best is not None:
                progress.say(f"the smallest so far is {path / SHRUNK}; the same command goes on")
            raise
        except _OutOfTime:
            progress.say(f"the limit of {limit_s / 60:g} minutes is reached; the same command goes on")
    book.save()
    if book.best is None:
        raise NoAnswer(
            "shrink-unclear",
            f"after {limit_s / 60:g} minutes it is not known whether {failure.scenario.name} fails again",
            "Give it more time: --limit-minutes; the same command goes on.",
        )
    return book


class _Seeking:
    """The candidates of one shrinking, each told and kept as soon as it is known."""

    def __init__(
        self, failure: Failure, book: Book, bed: Bed, progress: Progress, *, repeat: int, deadline: float
    ) -> None:
        self.failure, self.book, self.bed, self.progress = failure, book, bed, progress
        self.repeat, self.deadline = repeat, deadline

    def confirm(self) -> None:
        """The run's own scenario: were it not to fail again, nothing smaller could be told from it."""
        candidate = self.book.candidate(self.book.start, AS_IT_WAS)
        for _ in range(CONFIRMED_AT_MOST):
            if candidate.holds(self.repeat) is False:
                candidate.trials.clear()
            if self._holds(candidate) or not candidate.trials[-1].told.startswith("UNKNOWN"):
                break
        if not candidate.holds(self.repeat):
            raise NoAnswer(
                "shrink-unclear",
                f"{self.failure.scenario.name} did not fail in the same way again: {candidate.trials[-1].told}",
                f"Kept was: {self.failure.goal}. Name a run whose failure comes each time, or take --repeat 1.",
            )
        self._keep(candidate)

    def tried(self, values: Values, what: str) -> Values | None:
        made = repaired(values)
        assert self.book.best is not None
        if made is None or made == self.book.best.values:
            return None
        candidate = self.book.candidate(made, what)
        if not self._holds(candidate):
            return None
        self._keep(candidate)
        return made

    def _holds(self, candidate: Candidate) -> bool:
        """Run it as often as it takes to say."""
        new = candidate.holds(self.repeat) is None
        while (holds := candidate.holds(self.repeat)) is None:
            if time.monotonic() > self.deadline:
                raise _OutOfTime
            self.progress.update("shrink", self.book.runs, None, candidate.what)
            candidate.trials.append(self._run(candidate.values))
            self.book.save()
        if new:
            times = f"{sum(trial.same for trial in candidate.trials)} of {len(candidate.trials)} fail so"
            last = candidate.trials[-1]
            self.progress.say(f"{'kept' if holds else 'not '}  {candidate.what}: {times}; {last.told}")
        return holds

    def _run(self, values: Values) -> Trial:
        """One run. One that breaks off did not fail in the same way."""
        begin = time.monotonic()
        scenario = Scenario.model_validate(values)
        scenario._name = self.failure.name
        name = None
        try:
            run = self.bed.record(scenario)
            name = run.path.name
            same, told = told_of(judge_run(run), self.failure.goal)
            self.bed.forget(run, scenario)
        except HarnessError as error:
            if error.slug in ENDS_IT:
                raise
            same, told = False, f"[{error.slug}] {one_line(error.what)}"
        return Trial(same, told[:WORDS_MAX], name, round(time.monotonic() - begin, 2))

    def _keep(self, candidate: Candidate) -> None:
        book, failure = self.book, self.failure
        book.best = candidate
        write_text(book.path / SHRUNK, as_yaml(candidate.values, failure.about))
        script = book.path / SCRIPT
        try:
            scenario = Scenario.model_validate(candidate.values)
            text = script_of(scenario, failure.goal, source=failure.scenario.name, python=failure.python)
            write_text(script, text)
            book.no_script = None
        except Unsayable as reason:
            script.unlink(missing_ok=True)
            book.no_script = str(reason)
        book.save()
