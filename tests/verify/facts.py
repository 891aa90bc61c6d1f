"""Portable histories, written fact by fact: `history(acked(0, 1), assign("c1"), deliver("c1", 0, 1), ...)`.

Every fact is a list of lines without `t`; `history` puts them in a row and gives them times. Unless told otherwise
there is one producer `p1`, one partition 0, and the message with seq n stands at offset n.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from harness import portable
from harness.history import History
from harness.verify import judge

Line = dict[str, Any]
Fact = list[Line]

RUN = {
    "type": "run",
    "run": "test",
    "guarantee": "at_least_once",
    "partitions": 1,
    "isolation": "read_uncommitted",
    "reset": "earliest",
    "group": "g",
}


def history(*facts: Fact, **run: Any) -> list[Line]:
    lines = [{**RUN, **run}, *(line for fact in facts for line in fact)]
    return [{"t": 1_000_000 * (number + 1), **line} for number, line in enumerate(lines)]


def written(lines: list[Line]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def read(raw: bytes) -> History:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "h.jsonl"
        path.write_bytes(raw)
        return portable.read(path)


def verdict_of(*facts: Fact, **run: Any) -> dict[str, Any]:
    return judge(read(written(history(*facts, **run))))


def seen(verdict: dict[str, Any]) -> dict[str, int]:
    """Every fate but `delivered` and every anomaly that was found."""
    counts = {**verdict["fates"], **verdict["anomalies"]}
    del counts["delivered"]
    return {kind: count for kind, count in counts.items() if count}


def _sends(kind: str, seqs: tuple[int, ...], partition: int, producer: str, **more: Any) -> Fact:
    named = {"producer": producer, "partition": partition}
    return [{"type": kind, **named, "seq": seq, **more} for seq in seqs]


def sent(*seqs: int, partition: int = 0, producer: str = "p1", **more: Any) -> Fact:
    return _sends("send", seqs, partition, producer, **more)


def ack(seq: int, offset: int | None, *, partition: int = 0, producer: str = "p1") -> Fact:
    return _sends("ack", (seq,), partition, producer, **({} if offset is None else {"offset": offset}))


def acked(*seqs: int, partition: int = 0, producer: str = "p1", above: int = 0, **more: Any) -> Fact:
    """Sent and acked at offset seq + `above`."""
    answers = [line for seq in seqs for line in ack(seq, seq + above, partition=partition, producer=producer)]
    return sent(*seqs, partition=partition, producer=producer, **more) + answers


def nacked(*seqs: int, partition: int = 0, producer: str = "p1") -> Fact:
    lines = sent(*seqs, partition=partition, producer=producer)
    return lines + _sends("nack", seqs, partition, producer, error="refused")


def unknown(*seqs: int, partition: int = 0, producer: str = "p1") -> Fact:
    lines = sent(*seqs, partition=partition, producer=producer)
    return lines + _sends("unknown", seqs, partition, producer, error="timeout")


def txn(name: str, state: str, *, producer: str = "p1") -> Fact:
    return [{"type": "txn", "producer": producer, "txn": name, "state": state}]


def assign(member: str, *partitions: int, at: int | None = None, **more: Any) -> Fact:
    """Ownership begins, of partition 0 unless told; `at`: the position that the client told, for all of them."""
    line = {"type": "assign", "member": member, "partitions": list(partitions or (0,)), **more}
    if at is not None:
        line["positions"] = {str(partition): at for partition in line["partitions"]}
    return [line]


def revoke(member: str, *partitions: int, **more: Any) -> Fact:
    return [{"type": "revoke", "member": member, "partitions": list(partitions or (0,)), **more}]


def ended(member: str, state: str = "leave") -> Fact:
    return [{"type": "member", "member": member, "state": state}]


def seek(member: str, offset: int | None, *, partition: int = 0) -> Fact:
    return [{"type": "seek", "member": member, "partition": partition, "offset": offset}]


def deliver(member: str, *offsets: int, partition: int = 0, producer: str | None = "p1", below: int = 0) -> Fact:
    """Handed over, as the message with seq offset - `below`; `producer=None`: without identity."""
    lines = []
    for offset in offsets:
        line = {"type": "deliver", "member": member, "partition": partition, "offset": offset}
        lines.append(line if producer is None else {**line, "producer": producer, "seq": offset - below})
    return lines


def processed(member: str, *offsets: int, partition: int = 0) -> Fact:
    return [{"type": "processed", "member": member, "partition": partition, "offset": offset} for offset in offsets]


def handled(member: str, *offsets: int, partition: int = 0) -> Fact:
    """Handed over and processed, one after the other."""
    return [
        line
        for offset in offsets
        for line in deliver(member, offset, partition=partition) + processed(member, offset, partition=partition)
    ]


def commit(member: str, offset: int, *, partition: int = 0, ok: bool = True) -> Fact:
    return [{"type": "commit", "member": member, "partition": partition, "offset": offset, "ok": ok}]


def stored(offset: int | None, *, partition: int = 0) -> Fact:
    return [{"type": "stored", "partition": partition, "offset": offset}]


def fault(phase: str, **more: Any) -> Fact:
    return [{"type": "fault", "fault": "kill", "phase": phase, **more}]


def entry(offset: int, seq: int, *, partition: int = 0, producer: str = "p1", **more: Any) -> Fact:
    return [{"type": "log", "partition": partition, "offset": offset, "producer": producer, "seq": seq, **more}]


def log(*seqs: int, partition: int = 0, producer: str = "p1", start: int = 0, end: int | None = None) -> Fact:
    """What the independent reader found, every seq at its own offset, and that it read to the end."""
    lines = [line for seq in seqs for line in entry(seq, seq, partition=partition, producer=producer)]
    return lines + log_end(max(seqs, default=-1) + 1 if end is None else end, partition=partition, start=start)


def log_end(end: int, *, partition: int = 0, start: int = 0) -> Fact:
    return [{"type": "log_end", "partition": partition, "start": start, "end": end}]


def drained(**more: Any) -> Fact:
    return [{"type": "drained", "waited_s": 10, "lag": {}, **more}]
