"""Baselines: a client and its scenarios by a name, with the figures that it had when they were saved.

`results/baselines/NAME.json`, to be committed. A gate against it measures its client anew, beside the candidate:
figures of another hour differ by more than a release does. The saved ones tell which cells there must be, and on which
machine that client was measured.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.gating.machine import Machine, machine
from harness.rundir import bounded_text, disk_error, write_json
from harness.scenario import Scenario

FORMAT = 1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)


@dataclass(frozen=True)
class Baseline:
    """cells: by scenario, the medians of its client's readings, and how many messages were read."""

    name: str
    client: str
    machine: Machine
    cells: dict[str, dict[str, Any]]


def folder(results: Path) -> Path:
    return results / "baselines"


def is_name(text: str, results: Path) -> bool:
    """Whether a `--baseline` names a saved one, and no client."""
    return NAME.fullmatch(text) is not None and (folder(results) / f"{text}.json").exists()


def save(name: str, client: str, cells: dict[str, dict[str, Any]], results: Path) -> Path:
    """Raises UsageError for a name that is none, HarnessError where it cannot be written."""
    if NAME.fullmatch(name) is None:
        raise UsageError("bad-baseline", f"{name!r} is no name of a baseline", "Letters, digits, dots and dashes.")
    path = folder(results) / f"{name}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise disk_error(path.parent, error) from error
    told = {"format": FORMAT, "name": name, "saved": f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S UTC}", "client": client}
    write_json(path, told | {"machine": machine(), "cells": cells})
    return path


def load(name: str, results: Path) -> Baseline:
    """Raises UsageError `bad-baseline` for one that is missing, cut, or of another format: none is ever a pass."""
    path = folder(results) / f"{name}.json"
    try:
        told = json.loads(bounded_text(path))
    except FileNotFoundError as error:
        raise UsageError(
            "bad-baseline", f"{path}: there is no such baseline", "`harness baseline save NAME SCENARIO...` makes one."
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError("bad-baseline", f"{path}: cannot be read: {error}", "Save it anew.") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        found = told.get("format") if isinstance(told, dict) else None
        raise UsageError("bad-baseline", f"{path}: its format is {found!r}, not {FORMAT}", "Save it anew.")
    cells, client = told.get("cells"), told.get("client")
    if not isinstance(cells, dict) or not cells or not isinstance(client, str):
        raise UsageError("bad-baseline", f"{path}: it has no cells", "Save it anew.")
    return Baseline(name, client, told.get("machine") or {}, cells)


def doubts(baseline: Baseline, scenarios: Sequence[Scenario]) -> list[str]:
    """What keeps a gate against it from passing: another machine, cells that are gone, or that had lost messages."""
    here, found = machine(), []
    other = [key for key in here if baseline.machine.get(key) != here[key]]
    if other:
        was = ", ".join(f"{key} {baseline.machine.get(key)!r}, here {here[key]!r}" for key in other)
        found.append(
            f"baseline {baseline.name} was saved on another machine ({was}); save it anew here, or name its client: "
            f"--baseline {baseline.client}"
        )
    named = {scenario.name for scenario in scenarios}
    found += [
        f"cell {cell} of baseline {baseline.name} was not measured" for cell in baseline.cells if cell not in named
    ]
    found += [f"{name} is no cell of baseline {baseline.name}" for name in sorted(named - baseline.cells.keys())]
    return found
