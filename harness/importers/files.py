"""From the files of another tool to the verdict: which files that tool needs, and what its importer says beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness import outcome
from harness.errors import UsageError
from harness.importers.told import Imported, Settings

USAGE = {
    "kafkatest": "harness verify --from kafkatest PRODUCER... -- CONSUMER...",
    "jepsen": "harness verify --from jepsen HISTORY.edn",
}


def judge_files(tool: str, paths: tuple[Path, ...], given: Mapping[str, str], *, between: str) -> dict[str, Any]:
    """The verdict on another tool's history. `between` stands between two lists of files."""
    imported = _imported(tool, paths, given, between)
    verdict = outcome.judge_history(imported.history())
    verdict["notes"] = [*imported.notes, *verdict.get("notes", [])]
    return verdict


def _imported(tool: str, paths: tuple[Path, ...], given: Mapping[str, str], between: str) -> Imported:
    lists: list[list[Path]] = [[]]
    for path in paths:
        if str(path) == between:
            lists.append([])
        else:
            lists[-1].append(path)
    if tool == "kafkatest":
        from harness.importers import kafkatest

        if len(lists) == 2 and all(lists):
            return kafkatest.read(lists[0], lists[1], Settings(**given))
        raise _misused(tool, "needs files of producers, then --, then files of consumers")
    from harness.importers import jepsen

    if len(lists) == 1 and len(lists[0]) == 1:
        return jepsen.read(lists[0][0], Settings(**{**jepsen.DEFAULTS, **given}))
    raise _misused(tool, "needs one file")


def _misused(tool: str, what: str) -> UsageError:
    return UsageError("import-usage", f"--from {tool} {what}", USAGE[tool])
