"""A second opinion, slow and obviously right: plain sets and loops over the lines, from the meanings alone.

It knows one partition, one producer and one group whose members tell their positions, with a log that was read whole.
"""

from collections import Counter
from typing import Any

Line = dict[str, Any]


def opinion(lines: list[Line]) -> dict[str, int]:
    """Counts of fates and of the main anomalies."""
    of = {kind: [line for line in lines if line["type"] == kind] for kind in {line["type"] for line in lines}}
    sent = {line["seq"] for line in of.get("send", [])}
    acked = {line["seq"] for line in of.get("ack", [])}
    nacked = {line["seq"] for line in of.get("nack", [])}
    log = {line["offset"]: line["seq"] for line in of.get("log", [])}
    in_log = set(log.values())
    finished_at_all = "processed" in of
    owners = ownerships(lines)
    handed = {line["seq"] for line in of.get("deliver", [])}
    finished = {(line["member"], line["offset"]) for line in of.get("processed", [])}
    done = {line["seq"] for line in of.get("deliver", []) if (line["member"], line["offset"]) in finished}
    counts: Counter[str] = Counter()
    for seq in acked | (in_log & (sent - acked - nacked)):
        if seq in done or (seq in handed and not finished_at_all):
            counts["delivered"] += 1
        elif seq in handed:
            counts["in_flight" if lost_in_flight(seq, owners, log) else "delivered"] += 1
        elif seq not in in_log:
            counts["publish_loss"] += 1
        else:
            counts[fate_of_missing(first_offset(seq, log), owners, "drained" in of)] += 1
    for number, owner in enumerate(owners):
        before = {offset for other in owners[:number] for offset in other["offsets"]}
        seen: set[int] = set()
        for offset in owner["offsets"]:
            if offset in seen:
                counts["repeat"] += 1
            elif seen and offset < max(seen):
                counts["reordered"] += 1
            if offset in before and offset not in seen:
                legal = owner["commit"] is None or offset >= owner["commit"]
                counts["legal_redelivery" if legal else "excess_redelivery"] += 1
            seen.add(offset)
    counts["log_duplicate"] = len(log) - len(in_log)
    counts["phantom"] = len((in_log | handed) - sent) + len(nacked & (in_log | handed))
    return {kind: count for kind, count in counts.items() if count}


def first_offset(seq: int, log: dict[int, int]) -> int:
    return min(offset for offset, held in log.items() if held == seq)


def ownerships(lines: list[Line]) -> list[dict[str, Any]]:
    """Every hold of the partition in order of its start: member, position, commit in force then, offsets, ended."""
    holds: list[dict[str, Any]] = []
    commit = None
    for line in lines:
        if line["type"] == "stored" or (line["type"] == "commit" and line["ok"]):
            commit = line["offset"]
        elif line["type"] == "assign":
            position = line.get("positions", {}).get("0")
            holds.append({"member": line["member"], "start": position, "commit": commit, "offsets": [], "ended": False})
        elif line["type"] == "deliver":
            holds[-1]["offsets"].append(line["offset"])
        elif line["type"] in ("revoke", "member"):
            holds[-1]["ended"] = True
    for hold in holds:
        if hold["start"] is None:
            hold["start"] = hold["offsets"][0] if hold["offsets"] else hold["commit"]
    return holds


def fate_of_missing(offset: int, owners: list[dict[str, Any]], drained: bool) -> str:
    """Of a message in the log that nobody was ever handed: the first owner that settles it."""
    for owner in owners:
        if owner["start"] is not None and offset < owner["start"]:
            return "committed_ahead" if owner["commit"] is not None and offset < owner["commit"] else "illegal_start"
        if any(later > offset for later in owner["offsets"]):
            return "skipped"
    return "stalled" if drained and any(not owner["ended"] for owner in owners) else "unread"


def lost_in_flight(seq: int, owners: list[dict[str, Any]], log: dict[int, int]) -> bool:
    """Of a message that was handed over and never finished: some next owner began behind it, and a commit covers it."""
    if seq not in log.values():
        return False
    offset = first_offset(seq, log)
    held = False
    for owner in owners:
        covered = owner["commit"] is not None and offset < owner["commit"]
        if held and owner["start"] is not None and offset < owner["start"] and covered:
            return True
        held = held or offset in owner["offsets"]
    return False
