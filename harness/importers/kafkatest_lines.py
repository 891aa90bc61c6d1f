"""The lines that Kafka's verifiable tools print: which are events, which are torn, which are none of theirs.

An event is a JSON object on a line of its own. What a tool merely logged is passed by, unless it may be a piece of an
event: that is an error which names file and line, or in the last line a file that was cut short.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import HarnessError

PRODUCER_EVENTS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "startup_complete": {},
    "producer_send_success": {"value": str, "topic": str, "partition": int, "offset": int},
    "producer_send_error": {"value": str, "topic": str},
    "shutdown_requested": {},  # from Kafka 4.3 on: the tool has been told to end
    "shutdown_complete": {},
    "tool_data": {"sent": int, "acked": int},
}
CONSUMER_EVENTS: dict[str, dict[str, type | tuple[type, ...]]] = {
    "startup_complete": {},
    "partitions_assigned": {"partitions": list},
    "partitions_revoked": {"partitions": list},
    "records_consumed": {"count": int, "partitions": list},
    "record_data": {"topic": str, "partition": int, "offset": int, "value": (str, type(None))},
    "offsets_committed": {"success": bool, "offsets": list},
    "shutdown_requested": {},  # from Kafka 4.3 on: the tool has been told to end
    "shutdown_complete": {},
}
PARTS = {
    "partitions_assigned": ("partition",),
    "partitions_revoked": ("partition",),
    "records_consumed": ("partition", "count", "minOffset", "maxOffset"),
    "offsets_committed": ("partition", "offset"),
}
"""The integers in each element of an event's list, beside `topic`."""

TORN_JSON = re.compile(r'"\w+"\s*:|^[^\s{]*[\]}]$')
"""A line that does not begin with a brace and may all the same be a piece of an event, which must not be lost."""


@dataclass
class Printed:
    """One process's events, in the order of its file: a file has several where a tool was restarted into it."""

    name: str
    events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)  # number of the line, event
    torn: bool = False

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for _, event in self.events if event["name"] == kind]


def read_printed(path: Path, grammar: dict[str, Any], topics: dict[str, str]) -> list[Printed]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise HarnessError("bad-history", f"{path}: {error.strerror}", "Name a file of a tool's output.") from error
    texts = raw.rstrip().split(b"\n")
    found: list[Printed] = []
    for number, text in enumerate(texts, 1):
        event = _event(path, number, text, grammar, last=number == len(texts))
        if event is None:
            continue
        if not found or event.get("name") == "startup_complete":
            found.append(Printed(path.name))
        if "name" not in event:
            found[-1].torn = True
            continue
        for topic in _topics(event):
            if next(iter(topics), topic) != topic:
                raise _bad(
                    path, number, f"topic {topic!r}, but {topics[next(iter(topics))]} has {next(iter(topics))!r}"
                )
            topics.setdefault(topic, str(path))
        found[-1].events.append((number, event))
    if not found:
        raise _bad(path, 1, "no event of a verifiable tool in this file")
    return found


def _event(path: Path, number: int, raw: bytes, grammar: dict[str, Any], *, last: bool) -> dict[str, Any] | None:
    """One line's event; None for what a tool merely logged; an empty one for a last line that is torn."""
    text = raw.decode("utf-8", "replace").strip()
    if not text.startswith("{"):
        if not TORN_JSON.search(text) and not text.startswith("Bad data can't be written"):
            return None
        if last:
            return {}
        raise _bad(path, number, f"a piece of an event: {text[:60]!r}")
    try:
        event = json.loads(text)
    except (ValueError, RecursionError) as error:
        if last:
            return {}
        raise _bad(path, number, f"not a line of JSON ({error})") from error
    name = event.get("name")
    if not isinstance(name, str) or name not in grammar:
        raise _bad(path, number, f"unknown event {name!r}")
    for key, wanted in {"timestamp": int, **grammar[name]}.items():
        if key not in event:
            raise _bad(path, number, f"{name} without the key {key!r}")
        _check(path, number, name, key, event[key], wanted)
    for part in event.get("offsets" if name == "offsets_committed" else "partitions", ()):
        if not isinstance(part, dict) or not isinstance(part.get("topic"), str):
            raise _bad(path, number, f"{name}: {part!r} is no partition")
        for key in PARTS[name]:
            _check(path, number, name, key, part.get(key), int)
    checked: dict[str, Any] = event
    return checked


def _check(path: Path, number: int, name: str, key: str, value: Any, wanted: type | tuple[type, ...]) -> None:
    fits = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
    low = -1 if name == "producer_send_success" and key == "offset" else 0
    limit = 1 << 20 if key == "partition" else 1 << 62
    if not fits or (isinstance(value, int) and not low <= value < limit):
        raise _bad(path, number, f"{name}: {key} is {value!r}")


def _topics(event: dict[str, Any]) -> set[str]:
    parts = [event, *event.get("partitions", ()), *event.get("offsets", ())]
    return {part["topic"] for part in parts if "topic" in part}


def _bad(path: Path, number: int, what: str) -> HarnessError:
    return HarnessError(
        "bad-history",
        f"{path}:{number}: {what}",
        "The stdout of one VerifiableProducer or VerifiableConsumer is expected; producers stand before --.",
    )
