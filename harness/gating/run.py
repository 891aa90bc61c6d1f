"""`harness gate`: whether a candidate may take the place of a baseline, by figures taken side by side on this machine.

Its folder, `results/<UTC time>-gate-<id>/`:

    gate.json        everything that follows, and each reading of each side
    junit.xml, ctrf.json, benchmark.json
                     the same for CI systems, for CTRF's readers, and for `pytest-benchmark compare`
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.clients.envs import prepare
from harness.clients.spec import parse_spec
from harness.errors import SEVERITY, VERDICT_EXITS, HarnessError, UsageError
from harness.gating import outputs
from harness.gating.cell import Cell, cell_of, measure
from harness.gating.limits import FIGURES
from harness.gating.machine import Machine, machine
from harness.measuring.course import Way
from harness.measuring.rounds import refuse
from harness.measuring.table import WRONG
from harness.members import planted
from harness.owner import signed_folder
from harness.report.progress import Progress
from harness.rundir import disk_error, new_path, write_json
from harness.scenario import Scenario

FORMAT = 1
ALONE_S = 60.0


@dataclass
class Report:
    """A gate. doubts: what keeps it from passing whatever was measured, such as a cell that is gone."""

    baseline: str
    candidate: str
    path: Path
    machine: Machine
    cells: list[Cell] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    @property
    def verdict(self) -> str:
        """The worst of the cells; without one, and with a doubt, nothing is proven."""
        found = [cell.verdict for cell in self.cells] or ["UNKNOWN"]
        return max(found + ["UNKNOWN"] * bool(self.doubts), key=SEVERITY.index)

    @property
    def exit_code(self) -> int:
        return VERDICT_EXITS[self.verdict]

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "verdict": self.verdict,
            "exit_code": self.exit_code,
            "baseline": self.baseline,
            "candidate": self.candidate,
            "machine": self.machine,
            "doubts": self.doubts,
            "cells": [cell.as_json() for cell in self.cells],
        }


@dataclass(frozen=True)
class Wish:
    """How a gate is to go. limit_s: of each scenario; wasted: what the candidate is made to burn, to see it found."""

    tolerance: float | None = None
    limit_s: float = 180.0
    wasted: float = 0.0


def gate(
    scenarios: Sequence[Scenario], baseline: str, candidate: str, *, wish: Wish, results: Path, progress: Progress
) -> Report:
    """Measure both sides of every scenario; all files are written after each. Raises HarnessError before the first."""
    sides = str(parse_spec(baseline).pinned()), str(parse_spec(candidate).pinned())
    for scenario in scenarios:
        refuse(scenario.model_copy(update={"planted": None}), [scenario.security])
        if "planted" in (parse_spec(side).library for side in sides) and scenario.planted is None:
            what = f"{scenario.name} does not say what the client `planted` is to do"
            raise UsageError("gate-usage", what, "Take one of scenarios/planted/, or another client.")
    path = new_path(results, "gate")
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise disk_error(path, error) from error
    report = Report(*sides, path, machine())
    for scenario in scenarios:
        cell = cell_of(scenario, *sides, wish.tolerance)
        report.cells.append(cell)
        _measure(report, cell, wish, progress)
        outputs.write(report)
        progress.say(f"{scenario.name}: {cell.verdict}")
    return report


def _measure(report: Report, cell: Cell, wish: Wish, progress: Progress) -> None:
    try:
        ways = (
            way(cell.scenario, report.baseline, progress),
            way(cell.scenario, report.candidate, progress, wasted=wish.wasted),
        )
    except UsageError:
        raise
    except HarnessError as error:
        cell.error = f"[{error.slug}] {error.what}"
        return
    with signed_folder("harness-gate-") as folder:
        measure(
            cell,
            ways,
            folder,
            limit_s=wish.limit_s,
            progress=progress,
            after=lambda: write_json(report.path / "gate.json", report.as_json()),
        )


def way(scenario: Scenario, text: str, progress: Progress, *, wasted: float = 0.0) -> Way:
    """How a client reads in this scenario. Raises UsageError where it has not got the scenario's call."""
    spec = parse_spec(text).pinned()
    if scenario.api not in spec.client.apis:
        offered = ", ".join(spec.client.apis)
        raise UsageError(
            "client-api", f"{scenario.name} reads by {scenario.api}, and {spec} has none", f"It offers {offered}."
        )
    env = prepare(spec, progress=progress.say, security=scenario.security)
    own = parse_spec(scenario.client).client.adapter == spec.client.adapter
    settings = scenario.consumer.settings if own else {}
    deeds = planted(scenario.planted, scenario.seed) if spec.library == "planted" else None
    return Way(env, scenario.api, scenario.security, scenario.consumer.batch.max_records, settings, wasted, deeds)


def alone(scenario: Scenario, client: str, progress: Progress) -> dict[str, Any]:
    """A client's own figures, for a baseline: medians of a few readings. Raises HarnessError."""
    refuse(scenario, [scenario.security])
    cell = cell_of(scenario, client, client, None)
    own = way(scenario, client, progress)
    with signed_folder("harness-gate-") as folder:
        measure(cell, (own, own), folder, limit_s=ALONE_S, progress=progress, after=lambda: None)
    if cell.error is not None:
        raise HarnessError("worker-failed", f"{scenario.name}: not measured: {cell.error}")
    if wrong := sum(side.total(*WRONG) for _, side in cell.sides()):
        what = f"{scenario.name}: {client} did not deliver every message once: {wrong:,} are wrong"
        raise HarnessError("bad-baseline", what, "It is no baseline.")
    readings = cell.baseline.readings + cell.candidate.readings
    medians = {name: statistics.median(reading[name] for reading in readings) for name in FIGURES.values()}
    read = sum(side.total("messages") for _, side in cell.sides())
    return {"client": str(own.env.spec), "readings": len(readings), "read": read} | medians
