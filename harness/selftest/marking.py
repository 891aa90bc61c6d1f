"""Pure: what a verdict is worth, compared with what was planted.

Three marks a cell: *detected* (the right verdict, the right kind, exactly as many, exactly these messages),
*attributed* (the right blame and no other), *alone* (nothing else found beyond what truly follows).
"""

from dataclasses import dataclass, field
from typing import Any

from harness.selftest.table import PARTITIONS, Cell

Deed = dict[str, Any]
Message = tuple[int, int]


@dataclass
class Marks:
    """wrong: one sentence for each thing that is not as it should be, by mark."""

    wrong: dict[str, list[str]] = field(default_factory=lambda: {"detected": [], "attributed": [], "alone": []})

    @property
    def perfect(self) -> bool:
        return not any(self.wrong.values())

    def has(self, mark: str) -> bool:
        return not self.wrong[mark]


def marks(cell: Cell, verdict: dict[str, Any], deeds: list[Deed]) -> Marks:
    """How well the verdict names what was done. `deeds`: the planted client's own account."""
    given, found = Marks(), cell.found
    counted = counts(verdict)
    spans = [span for span in verdict.get("spans", []) if span["kind"] == found.kind]

    detected = given.wrong["detected"]
    if not deeds:
        detected.append("the planted client did not do it")
    planted = len(deeds) if found.count is None else found.count
    if verdict["verdict"] != found.verdict:
        detected.append(f"the verdict is {verdict['verdict']}, not {found.verdict}")
    if counted.get(found.kind, 0) != planted:
        detected.append(f"{found.kind}: {counted.get(found.kind, 0)} found, {planted} planted")
    for mistake in _misnamed(cell, spans, deeds) if spans else []:
        detected.append(mistake)

    attributed = given.wrong["attributed"]
    blamed = [found.blame] if found.blame and found.verdict == "FAIL" else []
    if verdict.get("blamed") != blamed:
        attributed.append(f"blamed: {verdict.get('blamed')}, not {blamed}")
    for span in spans:
        if found.blame and span["blame"] != found.blame:
            attributed.append(f"{found.kind} is blamed on the {span['blame']}, not on the {found.blame}")
        if found.detail and span["detail"] != found.detail:
            attributed.append(f"{found.kind} is said to be {span['detail']}, not {found.detail}")

    expected = {found.kind: planted} | dict.fromkeys(found.follows, len(deeds))
    if found.kind == "aborted_read":
        expected["aborted"] = len(deeds)
    elif found.kind == "torn_transaction" and "aborted" in counted:
        # Whole transactions are told as aborted, and a part of them is what this is about.
        expected["aborted"] = counted["aborted"]
    given.wrong["alone"] += [
        f"{kind}: {counted.get(kind, 0)} found, {expected.get(kind, 0)} expected"
        for kind in sorted(set(counted) | set(expected))
        if kind != found.kind and counted.get(kind, 0) != expected.get(kind, 0)
    ]
    return given


def counts(verdict: dict[str, Any]) -> dict[str, int]:
    """What was found, by kind, and nothing of what was not."""
    fates = {kind: count for kind, count in verdict.get("fates", {}).items() if kind != "delivered"}
    found = fates | verdict.get("anomalies", {}) | {"aborted": verdict.get("aborted", 0)}
    return {kind: count for kind, count in found.items() if count}


def false_alarms(verdict: dict[str, Any]) -> list[str]:
    """What a verdict on a clean run says that it should not."""
    alarms = [f"{kind}: {count}" for kind, count in sorted(counts(verdict).items())]
    if verdict["verdict"] != "PASS":
        alarms.insert(0, f"{verdict['verdict']}: {'; '.join(verdict.get('reasons', []))}")
    return alarms


def _misnamed(cell: Cell, spans: list[dict[str, Any]], deeds: list[Deed]) -> list[str]:
    """Where the messages that the verdict names are not the planted ones."""
    by_offset = all(span["first_offset"] is not None for span in spans) and all("offset" in deed for deed in deeds)
    named = {message for span in spans for message in _named(span, by_offset=by_offset)}
    number = "offset" if by_offset else "seq"
    planted = {((deed["partition"] + cell.fault.shift) % PARTITIONS, int(deed[number])) for deed in deeds}
    if named == planted:
        return []
    missing, strange = sorted(planted - named)[:3], sorted(named - planted)[:3]
    return [f"{cell.found.kind} names other messages (partition, {number}): without {missing}, with {strange}"]


def _named(span: dict[str, Any], *, by_offset: bool) -> list[Message]:
    first = span["first_offset"] if by_offset else span["first_seq"]
    return [] if first is None else [(span["partition"], first + step) for step in range(span["count"])]
