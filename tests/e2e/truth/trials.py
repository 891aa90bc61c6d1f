"""Runs cases on a warm broker and compares what comes out."""

from typing import Any

from harness import outcome
from harness.bed import Bed
from harness.scenario import load
from tests.e2e.truth.cases import Case

KAFKA = "3.9.1"
"""The last line on which all of these releases run."""


def tried(bed: Bed, case: Case) -> dict[str, Any]:
    """The verdict on one run."""
    scenario = load(f"known-bugs/{case.scenario}", {"client": case.client})
    return outcome.judge_run(bed.record(scenario))


def found(verdict: dict[str, Any]) -> dict[str, int]:
    counts = {**verdict["fates"], **verdict["anomalies"]}
    return {kind: count for kind, count in counts.items() if count and kind not in ("delivered", "committed_at_risk")}


def differences(case: Case, verdict: dict[str, Any]) -> list[str]:
    """What came out otherwise than it should. A count of 0 in the case stands for any."""
    seen = found(verdict)
    wanted = {kind: count or seen.get(kind, 1) for kind, count in case.found.items()}
    pairs = [
        ("verdict", verdict["verdict"], case.verdict),
        ("found", seen, wanted),
        ("blamed", verdict["blamed"], [case.blamed] if case.blamed else []),
    ]
    return [f"{what} {got}, expected {want}" for what, got, want in pairs if got != want]
