"""Pure: whether run.json has the shape that judging and reporting depend on; it may come from anybody.

Only what is read without a doubt is looked at: whatever else a run tells of itself is shown, and shown as what it is.
"""

from collections.abc import Callable, Iterator
from typing import Any

PARTITIONS_MAX = 10_000
"""More than a scenario may have, so no run has them; each costs memory before a message of it was seen."""
GUARANTEES = ("at_least_once", "at_most_once", "exactly_once")
ISOLATIONS = ("read_uncommitted", "read_committed")
COUNTS = ("deliveries", "sent", "acked", "last_ns")


def misshapen(meta: dict[str, Any]) -> str | None:
    """What is wrong with it, as `clients[0].worker: expected text`; None where nothing is."""
    return next(_wrong(meta), None)


def _wrong(meta: dict[str, Any]) -> Iterator[str]:
    yield from _each({"run": meta.get("run")}, {"run": _is_text}, "")
    judging = meta.get("judging", {})
    if not isinstance(judging, dict):
        yield "judging: expected an object"
        return
    wanted: dict[str, Callable[[Any], bool]] = {
        "guarantee": lambda value: value in GUARANTEES,
        "partitions": lambda value: _is_count(value) and value <= PARTITIONS_MAX,
        "isolation": lambda value: value in ISOLATIONS,
        "reset": lambda value: value is None or _is_text(value),
        "group": lambda value: value is None or _is_text(value),
        "refused": lambda value: value is None or _is_text(value),
    }
    yield from _each(judging, wanted, "judging.")
    settings = meta.get("scenario_settings", {})
    if isinstance(settings, dict):
        yield from _each(settings, {"size_bytes": _is_count_or_none}, "scenario_settings.")
    else:
        yield "scenario_settings: expected an object"
    yield from _objects(
        meta, "marks", {"stage": _is_text, "wall_ns": _is_count, "monotonic_ns": _is_count}, all_of=True
    )
    yield from _objects(meta, "stages", {}, all_of=False)
    yield from _objects(meta, "clients", {"worker": _is_text, "role": _is_text}, all_of=True)
    for number, client in enumerate(meta.get("clients", [])):
        ended = client.get("ended")
        if ended is None:
            continue
        if not isinstance(ended, dict):
            yield f"clients[{number}].ended: expected an object"
        else:
            yield from _each(ended, dict.fromkeys(COUNTS, _is_count_or_none), f"clients[{number}].ended.")


def _objects(
    meta: dict[str, Any], key: str, wanted: dict[str, Callable[[Any], bool]], *, all_of: bool
) -> Iterator[str]:
    """all_of: each of the keys must be there."""
    rows = meta.get(key, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        yield f"{key}: expected a list of objects"
        return
    for number, row in enumerate(rows):
        yield from (f"{key}[{number}]: without {name}" for name in wanted if all_of and name not in row)
        yield from _each(row, wanted, f"{key}[{number}].")


def _each(block: dict[str, Any], wanted: dict[str, Callable[[Any], bool]], where: str) -> Iterator[str]:
    for key, holds in wanted.items():
        if key in block and not holds(block[key]):
            yield f"{where}{key}: {str(block[key])[:40]!r} makes no sense"


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_count_or_none(value: Any) -> bool:
    return value is None or _is_count(value)
