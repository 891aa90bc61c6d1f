"""One run of one release on the warm broker, and what it says about that release."""

import json
import shutil
import time
from dataclasses import dataclass
from typing import Any

from harness.bed import Bed
from harness.bisecting.question import Metric, Outcome, Question, Trial
from harness.errors import HarnessError
from harness.outcome import judge_run
from harness.report.facts import one_line
from harness.rundir import RunDir
from harness.verify.judge import FORBIDDEN, FORBIDDEN_BY

ENDS_IT = ("broker-died", "broker-not-ready", "disk-full", "cannot-write", "client-download", "no-uv")
"""After these no other release can be run either; the same command goes on when the cause is gone."""
FIGURES: dict[Metric, str] = {"cpu": "cpu_s_per_million", "throughput": "throughput_msgs_per_s"}
"""The names in metrics.json."""


def broken(verdict: dict[str, Any]) -> dict[str, int]:
    """What broke the guarantee, by kind, with counts; empty where nothing is proven."""
    if verdict["verdict"] != "FAIL":
        return {}
    forbidden = FORBIDDEN | FORBIDDEN_BY[verdict["guarantee"]] | {"log_duplicate"}
    counts = {**verdict["fates"], **verdict["anomalies"]}
    return {kind: count for kind, count in counts.items() if count and kind in forbidden}


def outcome_of(verdict: dict[str, Any], wanted: set[str]) -> tuple[Outcome, str]:
    """What a verdict says of its release, and why in words. wanted: the kinds of fault that are searched for."""
    kinds = broken(verdict)
    told = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in kinds.items())
    reason = told or next(iter(verdict["reasons"]), "no reason told")
    if verdict["verdict"] == "FAIL" and wanted and wanted.isdisjoint(kinds):
        return "unclear", f"FAIL, but of another kind: {reason}"
    outcomes: dict[str, Outcome] = {"PASS": "good", "FAIL": "bad"}
    return outcomes.get(verdict["verdict"], "unclear"), f"{verdict['verdict']}: {reason}"


def try_release(bed: Bed, question: Question, release: str, *, number: int, wanted: set[str]) -> Trial:
    """One run. number: how many this release has had; each has a seed of its own, the same for every release."""
    begin = time.monotonic()
    try:
        run, verdict = _run(bed, question, release, number)
    except HarnessError as error:
        return _failed(release, error, begin)
    outcome, told = outcome_of(verdict, wanted)
    seconds = round(time.monotonic() - begin, 2)
    return Trial(release, outcome, told, broken(verdict), run=run.path.name, seconds=seconds)


def try_pair(bed: Bed, question: Question, release: str, *, number: int) -> Trial:
    """One pair: the good end and this release side by side, in turns the one or the other first."""
    assert question.metric is not None
    begin = time.monotonic()
    figures: dict[str, _Figure] = {}
    for one in (question.good, release) if number % 2 == 0 else (release, question.good):
        try:
            figures[one] = _measured(bed, question, one, number)
        except HarnessError as error:
            if one == question.good:
                raise
            return _failed(release, error, begin)
    seconds = round(time.monotonic() - begin, 2)
    for one, figure in figures.items():
        if figure.value is None:
            return Trial(release, "unclear", f"{one}: {figure.why}", seconds=seconds)
    good, mine = (figures[one].value or 0.0 for one in (question.good, release))
    ratio = mine / good if question.metric == "cpu" else good / mine
    unit = "CPU s per million" if question.metric == "cpu" else "messages/s"
    told = f"{mine:,.1f} {unit}, the good end {good:,.1f}: {ratio:.2f} times the cost"
    return Trial(release, "unclear", told, ratio=round(ratio, 4), good_figure=round(good, 4), seconds=seconds)


@dataclass(frozen=True)
class _Figure:
    """value: None where the run measured none, and why tells it."""

    value: float | None
    why: str


def _measured(bed: Bed, question: Question, release: str, number: int) -> _Figure:
    """The figure of one run, whose folder is not kept: a million messages are large. Lost messages are fast messages,
    so only a run that passed has a figure."""
    assert question.metric is not None
    run, verdict = _run(bed, question, release, number)
    value = json.loads((run.path / "metrics.json").read_text())[FIGURES[question.metric]]
    shutil.rmtree(run.path, ignore_errors=True)
    if verdict["verdict"] != "PASS":
        return _Figure(None, outcome_of(verdict, set())[1])
    return _Figure(value or None, "the run measured no speed")


def _run(bed: Bed, question: Question, release: str, number: int) -> tuple[RunDir, dict[str, Any]]:
    changed = {"client": str(question.spec(release)), "seed": question.scenario.seed + number}
    scenario = question.scenario.model_copy(update=changed)
    run = bed.record(scenario, f"{question.scenario.name}-{release}")
    return run, judge_run(run)


def _failed(release: str, error: HarnessError, begin: float) -> Trial:
    """A release that does not install or import is passed over; a run that broke off told nothing."""
    if error.slug in ENDS_IT:
        raise error
    outcome: Outcome = "skip" if error.slug.startswith("client-") else "unclear"
    told = f"[{error.slug}] {one_line(error.what)}"
    return Trial(release, outcome, told[:300], seconds=round(time.monotonic() - begin, 2))
