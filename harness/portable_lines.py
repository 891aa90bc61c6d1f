"""Pure: one line of the portable history: the keys it must have, and what may stand in them.

An unknown `type`, a missing key, or a value out of its range is an error that names file and line.
"""

import json
from pathlib import Path
from typing import Any

from harness.columns import SEQ_BITS
from harness.errors import HarnessError
from harness.history import RunInfo

Line = dict[str, Any]

KEYS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "run": {
        "run": str,
        "guarantee": str,
        "partitions": int,
        "isolation": str,
        "reset": str,
        "group": (str, type(None)),
    },
    "send": {"producer": str, "partition": int, "seq": int},
    "ack": {"producer": str, "partition": int, "seq": int},
    "nack": {"producer": str, "partition": int, "seq": int, "error": str},
    "unknown": {"producer": str, "partition": int, "seq": int, "error": str},
    "txn": {"producer": str, "txn": (str, int), "state": str},
    "member": {"member": str, "state": str},
    "assign": {"member": str, "partitions": list},
    "revoke": {"member": str, "partitions": list},
    "position": {"member": str, "partition": int, "offset": int},
    "seek": {"member": str, "partition": int, "offset": (int, type(None))},
    "deliver": {"member": str, "partition": int, "offset": (int, type(None))},
    "processed": {"member": str, "partition": int, "offset": int},
    "commit": {"member": str, "partition": int, "offset": int, "ok": bool},
    "stored": {"partition": int, "offset": (int, type(None))},
    "deleted": {"partition": int, "before": int},
    "fault": {"fault": str, "phase": str},
    "log": {"partition": int, "offset": int, "producer": (str, type(None)), "seq": (int, type(None))},
    "log_end": {"partition": int, "start": int, "end": int},
    "drained": {"waited_s": (int, float), "lag": dict},
}
"""The keys that a line of each type must have, beside `t`."""

OPTIONAL: dict[str, type | tuple[type, ...]] = {
    "producer": (str, type(None)),
    "seq": (int, type(None)),
    "offset": (int, type(None)),
    "txn": (str, int, type(None)),
    "positions": (dict, type(None)),
    "asked": (int, type(None)),
    "committed_to": (int, type(None)),
}
"""The types of keys that a line may have, or that stand in lines of several types."""

CHOICES: dict[str, dict[str, tuple[str, ...]]] = {
    "run": {
        "guarantee": ("at_least_once", "at_most_once", "exactly_once"),
        "isolation": ("read_uncommitted", "read_committed"),
        "reset": ("earliest", "latest", "none"),
    },
    "member": {"state": ("join", "leave", "killed", "crashed")},
    "txn": {"state": ("begin", "commit", "abort", "unknown")},
    "fault": {"phase": ("injecting", "injected", "healing", "healed")},
}

OWN_KINDS = (
    "member", "assign", "revoke", "position", "seek", "commit", "stored", "deleted", "fault", "log_end", "drained",
)  # fmt: skip
"""Types of events that our own recordings write with the same keys; their messages are rows and no lines."""

RUN_KEYS = ("run", "guarantee", "partitions", "isolation", "reset", "group")
EXTRAS = {"identified": bool, "torn": list, "damaged": list, "processing": str}
"""Keys of the `run` line by which `harness export` carries what only our own recordings know."""

LIMITS = {
    "partitions": 1 << 20,
    "partition": 1 << 20,
    "asked": 1 << 20,
    "seq": 1 << SEQ_BITS,
    "offset": 1 << 62,
    "before": 1 << 62,
    "start": 1 << 62,
    "end": 1 << 62,
    "committed_to": 1 << 62,
}
"""Integers by key are at least 0 and below these; what columns can hold, and more than Kafka can."""


def parsed(path: Path, number: int, text: bytes, *, tolerate: bool) -> Line | None:
    """The line, checked; None where it is no JSON and that is tolerated. Raises HarnessError `bad-history`."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        if tolerate:
            return None
        raise bad(path, number, f"not a line of JSON ({error})") from error
    if not isinstance(line, dict):
        raise bad(path, number, "not a JSON object")
    kind = line.get("type")
    if not isinstance(kind, str) or kind not in KEYS:
        raise bad(path, number, f"unknown type {kind!r}")
    wanted_keys = {"t": int, **KEYS[kind]}
    for key in wanted_keys:
        if key not in line:
            raise bad(path, number, f"{kind} without the key {key!r}")
    for key, wanted in {**OPTIONAL, **wanted_keys}.items():
        if key in line:
            _check(path, number, kind, key, line[key], wanted)
    for key, allowed in CHOICES.get(kind, {}).items():
        if line[key] not in allowed:
            raise bad(path, number, f"{kind}: {key} is {line[key]!r}, not one of {', '.join(allowed)}")
    return line


def _check(path: Path, number: int, kind: str, key: str, value: Any, wanted: type | tuple[type, ...]) -> None:
    """One value: its type, its range, and what is inside of it."""
    fits = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
    if fits and isinstance(value, list):
        fits = all(type(part) is int and 0 <= part < LIMITS["partition"] for part in value)
    if fits and key == "positions" and value is not None:
        fits = all(position is None or type(position) is int for position in value.values())
    if not fits:
        raise bad(path, number, f"{kind}: {key} is {value!r}")
    low, high = (0, LIMITS[key]) if key in LIMITS else (-(1 << 62), 1 << 62)
    if isinstance(value, int) and not low <= value < high:
        raise bad(path, number, f"{kind}: {key} is out of range")


def lacks(line: Line) -> bool:
    """Whether an event of our own recordings is without what the judge reads of its type."""
    wanted = KEYS.get(line["type"], {}) if line["type"] in OWN_KINDS else {}
    if not all(key in line and isinstance(line[key], kind) for key, kind in wanted.items()):
        return True
    partitions = line["partitions"] if "partitions" in wanted else [line["partition"]] if "partition" in wanted else []
    return not all(type(number) is int and 0 <= number < LIMITS["partition"] for number in partitions)


def run_info(path: Path, number: int, line: Line) -> RunInfo:
    """What the first line tells."""
    if line["type"] != "run":
        raise bad(path, number, f"the first line must be of type run, not {line['type']}")
    return told_run(line)


def told_run(line: Line) -> RunInfo:
    return RunInfo(**{name: line[name] for name in RUN_KEYS}, idempotent=bool(line.get("idempotent")))


def extras(path: Path, number: int, line: Line) -> Line:
    """What an export of one of our own runs says beside the format; `harness/export.py` writes it."""
    told = {key: line[key] for key in EXTRAS if key in line}
    for key, value in told.items():
        texts = value if isinstance(value, list) else []
        if not isinstance(value, EXTRAS[key]) or not all(isinstance(text, str) for text in texts):
            raise bad(path, number, f"run: {key} is {value!r}")
    return told


def bad(path: Path, number: int, what: str) -> HarnessError:
    return HarnessError(
        "bad-history", f"{path}:{number}: {what}", "The portable history's format is in harness/verify/README.md."
    )
