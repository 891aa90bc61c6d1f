"""A run's recording as a portable history: JSON lines that any tool can read, and that are judged like the run itself.

It takes a run's folder and writes one line a message, in the order of time; within one worker the order of its file
stands. The log follows at the end. Nothing is judged here, and no more than a stretch of each worker is held at once.

What the format has no line for stands in keys of our own, which other readers ignore: in the `run` line `identified`,
`torn`, `damaged`, `processing`; in a message's line `asked` (the partition that its identity names, where it is found
in another one) and `corrupt`; and `offset: null` of a delivery whose place in the log is not known.
"""

import heapq
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from harness import frames, recording
from harness.aborts import marked
from harness.columns import ABORTED, NEVER, NO_OFFSET, NO_PRODUCER, SEQ_BITS, Rows, joined, no_rows
from harness.errors import UsageError
from harness.history import Event, History
from harness.reader import Reader
from harness.rundir import RunDir, disk_error, fresh_part
from harness.verify.intervals import NOTHING, Intervals
from harness.verify.placing import first_copies, offset_set, placed

Line = dict[str, Any]
Timed = tuple[int, int, int, Iterable[Line]]
"""When, what comes first at the same time, a number that no other has, and the lines."""

COMMIT, STORED, END, WORK, AFTER = range(5)
"""At one time: a commit is in force for who begins then, who ends makes room for who begins, the wait ends last."""

SENDS = {frames.SEND: "send", frames.ACK: "ack", frames.NACK: "nack", frames.UNKNOWN: "unknown"}
STREAM_EVENTS = ("member", "assign", "revoke", "seek", "position")
NOT_TOLD = "binary recordings keep no error of each message; the run's logs have them"


@dataclass
class Worker:
    """One worker's file: what had to be known of it before its lines can be written."""

    path: Path
    name: str
    role: str
    commits: list[Event] = field(default_factory=list)
    corrupt: Rows = field(default_factory=no_rows)
    transactions: list[Any] = field(default_factory=list)  # their names, in the order of their beginning
    unfinished: bool = False
    orderly: bool = False

    def items(self) -> Iterable[tuple[int, Event | Rows]]:
        """Events and stretches by frame kind, in the order of the file; read anew each time."""
        return Reader(frames.open_tape(self.path), in_order=True).items()


@dataclass
class Recording:
    """A run's files."""

    history: History
    workers: list[Worker]
    ends: dict[str, Event]  # by member: what the harness saw of its end
    log: Rows


def export(run: RunDir, out: TextIO) -> int:
    """Write a run's portable history to `out`. Returns the number of lines."""
    recorded = _read(run)
    if recorded.history.run.refused is not None:
        what = f"{run.path}: a run whose consumer must not get through"
        raise UsageError("no-export", what, "A portable history has no line for what its broker said; verify the run.")
    lines = _lines(recorded)
    count = 0
    for line in lines:
        out.write(json.dumps(line, ensure_ascii=False, separators=(", ", ": ")) + "\n")
        count += 1
    return count


def export_stdout(run: RunDir) -> int:
    """The same to the standard output; a reader that goes away is no error of the disk."""
    try:
        count = export(run, sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise disk_error(Path("standard output"), error) from error
    return count


def export_file(run: RunDir, path: Path) -> int:
    """The same into a file, which is there whole or not at all."""
    part = fresh_part(path)
    try:
        try:
            with part.open("x", encoding="utf-8", errors="backslashreplace") as file:
                count = export(run, file)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(path, error) from error
    return count


def _read(run: RunDir) -> Recording:
    """The only place that knows how a recording is read."""
    history = recording.read(run)
    workers = []
    log: list[Rows] = []
    for path in sorted(run.path.glob("history/*.bin")):
        meta = frames.open_tape(path).meta
        if recording.reads_committed(meta):
            continue  # What it says of the log stands in the history.
        worker = Worker(path, str(meta["worker"]), str(meta["role"]))
        for kind, item in worker.items():
            if isinstance(item, Event):
                if item.type == "commit":
                    worker.commits.append(item)
                if item.type == "txn" and item.data.get("state") == "begin":
                    worker.transactions.append(item.data.get("txn"))
                worker.orderly |= item.type == "member" and item.data["state"] == "leave"
            elif kind == frames.CORRUPT:
                worker.corrupt = joined((worker.corrupt, item))
            elif kind == frames.LOG:
                log.append(item)
            elif kind == frames.DELIVER:
                worker.unfinished |= bool((item["done"] == NEVER).any())
        workers.append(worker)
    return Recording(history, workers, _ends(run.events), joined(log))


def _ends(path: Path) -> dict[str, Event]:
    """How members ended, as the harness saw it. What cannot be read is in `History.damaged` already."""
    ends: dict[str, Event] = {}
    for text in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            data = json.loads(text)
            if data["type"] == "member":
                ends[data["member"]] = Event(int(data["t"]), "member", data)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            continue
    return ends


def _lines(recorded: Recording) -> Iterator[Line]:
    history = recorded.history
    processing = any(worker.unfinished for worker in recorded.workers)
    places = _Places(history, recorded.log)
    streams: list[Iterable[Timed]] = [_harness(history)]
    for number, worker in enumerate(recorded.workers):
        if worker.role == "produce":
            streams.append(_producer(worker, number, history))
        elif worker.role == "consume":
            streams.append(_commits(worker, number))
            streams.append(_consumer(worker, number, recorded, places, processing=processing))
    merged = heapq.merge(*streams)
    first = next(iter(merged), None)
    yield _run_line(history, first[0] if first is not None else 0)
    if first is not None:
        yield from first[3]
    for _, _, _, lines in merged:
        yield from lines
    yield from _log(recorded)


def _run_line(history: History, t: int) -> Line:
    run = history.run
    line: Line = {"t": t, "type": "run", "run": run.run, "guarantee": run.guarantee, "partitions": run.partitions}
    line |= {"isolation": run.isolation, "reset": run.reset, "group": run.group, "idempotent": run.idempotent}
    line |= {"identified": history.identified, "torn": history.torn, "damaged": history.damaged}
    return line | {"processing": "approximate"}  # times of blocks, not of messages


def _numbered(number: int, timed: Iterable[tuple[int, int, Iterable[Line]]]) -> Iterator[Timed]:
    """Tuples that compare without ever comparing lines: `number` tells workers apart."""
    for serial, (at, rank, lines) in enumerate(timed):
        yield at, rank, serial << 20 | number, lines


def _harness(history: History) -> Iterator[Timed]:
    """What the harness itself saw: stored offsets, faults, the end of the wait."""
    found = [(event.at, STORED, [_line(event)]) for event in history.stored]
    found += [(event.at, WORK, [_line(event)]) for event in (*history.deleted, *history.faults)]
    if history.drained is not None:
        found.append((history.drained.at, AFTER, [_line(history.drained)]))
    found.sort(key=lambda one: one[:2])
    return _numbered(0, found)


def _commits(worker: Worker, number: int) -> Iterator[Timed]:
    """Commits have the time of their callback, and stand in the file behind the block that was open then."""
    commits = sorted(worker.commits, key=lambda event: event.at)
    return _numbered(2 * number + 1, ((event.at, COMMIT, [_line(event, worker.name)]) for event in commits))


def _line(event: Event, member: str | None = None) -> Line:
    line: Line = {"t": event.at, "type": event.type}
    if member is not None:
        line["member"] = member
    return line | {key: value for key, value in event.data.items() if key not in line}


def _producer(worker: Worker, number: int, history: History) -> Iterator[Timed]:
    def timed() -> Iterator[tuple[int, int, Iterable[Line]]]:
        now = 0
        for kind, item in worker.items():
            if isinstance(item, Event):
                if item.type == "txn":
                    now = max(now, item.at)
                    yield now, WORK, [{**_line(item), "producer": worker.name}]
            elif kind in SENDS:
                for row in item:
                    now = max(now, int(row["at"]))
                    yield now, WORK, _messages(row, SENDS[kind], history, worker.transactions)

    return _numbered(2 * number + 2, timed())


def _consumer(
    worker: Worker, number: int, recorded: Recording, places: "_Places", *, processing: bool
) -> Iterator[Timed]:
    def timed() -> Iterator[tuple[int, int, Iterable[Line]]]:
        now, waiting = 0, _Waiting(worker.name)
        marks = _Marks(joined(places.give(worker.corrupt)))
        for kind, item in worker.items():
            if isinstance(item, Event):
                if item.type in STREAM_EVENTS:
                    now = max(now, item.at)
                    yield from waiting.until(now)
                    yield now, _rank(item), [_line(item, worker.name)]
            elif kind == frames.DELIVER:
                for row in places.in_order(item):
                    now = max(now, int(row["at"]))
                    yield from waiting.until(now)
                    yield now, WORK, _deliveries(row, worker.name, recorded.history, marks)
                    if processing:
                        waiting.add(row, now)
        yield from waiting.until(NEVER - 1)
        end = recorded.ends.get(worker.name)
        if end is not None and not worker.orderly:
            yield max(now, waiting.now, end.at), END, [_line(end, worker.name)]

    return _numbered(2 * number + 2, timed())


def _rank(event: Event) -> int:
    ends = event.type == "revoke" or (event.type == "member" and event.data["state"] != "join")
    return END if ends else WORK


class _Waiting:
    """Stretches that were handed over and are finished with later on."""

    def __init__(self, member: str) -> None:
        self.member = member
        self.rows: list[tuple[int, int, np.void]] = []
        self.serial = 0
        self.now = 0

    def add(self, row: np.void, now: int) -> None:
        if row["done"] != NEVER and row["offset"] != NO_OFFSET:
            self.serial += 1
            heapq.heappush(self.rows, (max(now, int(row["done"])), self.serial, row))

    def until(self, at: int) -> Iterator[tuple[int, int, Iterable[Line]]]:
        while self.rows and self.rows[0][0] <= at:
            self.now, _, row = heapq.heappop(self.rows)
            yield self.now, WORK, self._lines(self.now, row)

    def _lines(self, done: int, row: np.void) -> Iterator[Line]:
        head = {"t": done, "type": "processed", "member": self.member, "partition": int(row["partition"])}
        first = int(row["offset"])
        for offset in range(first, first + int(row["length"])):
            yield {**head, "offset": offset}


def _messages(row: np.void, kind: str, history: History, transactions: list[Any]) -> Iterator[Line]:
    """One line a message of a stretch. Only an ack tells of another partition than asked, and only it has offsets."""
    asked, offset = int(row["asked"]), int(row["offset"])
    partition = int(row["partition"]) if kind == "ack" else asked
    producer, first = _identity(row)
    head: Line = {"t": int(row["at"]), "type": kind, "producer": history.producer_name(producer)}
    head["partition"] = partition
    tail: Line = {"error": NOT_TOLD} if kind in ("nack", "unknown") else {}
    if asked != partition:
        tail["asked"] = asked
    if kind == "send" and row["txn"]:
        tail["txn"] = transactions[int(row["txn"]) - 1]
    for index in range(int(row["length"])):
        line = {**head, "seq": first + index}
        if kind == "ack" and offset != NO_OFFSET:
            line["offset"] = offset + index
        yield line | tail


def _deliveries(row: np.void, member: str, history: History, marks: "_Marks") -> Iterator[Line]:
    head: Line = {"t": int(row["at"]), "type": "deliver", "member": member}
    return _found(row, head, history, marks)


def _found(row: np.void, head: Line, history: History, marks: "_Marks") -> Iterator[Line]:
    """A stretch of what was handed over, or found in the log."""
    partition, asked, offset = int(row["partition"]), int(row["asked"]), int(row["offset"])
    known = row["producer"] != NO_PRODUCER
    producer, first = _identity(row)
    name = history.producer_name(producer) if known else None
    tail: Line = {}
    if known and asked != partition:
        tail["asked"] = asked
    if row["txn"] == ABORTED:
        tail["aborted"] = True
    bad = marks.of(row)
    for index in range(int(row["length"])):
        line = {**head, "partition": partition, "offset": None if offset == NO_OFFSET else offset + index}
        line["producer"], line["seq"] = name, first + index if known else None
        if index in bad:
            line["corrupt"] = True
        yield line | tail


def _identity(row: np.void) -> tuple[int, int]:
    """Producer and first seq. A damaged seq runs over into the producer, as it does where identities are compared."""
    whole = (int(row["producer"]) << SEQ_BITS) + int(row["seq"])
    return whole >> SEQ_BITS, whole & ((1 << SEQ_BITS) - 1)


class _Places:
    """Where the log holds what was recorded by identity alone, asked in the same way as the judge does."""

    def __init__(self, history: History, log: Rows) -> None:
        self.logs = {
            partition: first_copies(log[log["partition"] == partition], only_single=True)
            for partition in history.log_ends
        }

    def give(self, rows: Rows) -> list[Rows]:
        """The same stretches with offsets where they are known; by partition where any had to be looked up."""
        if not (rows["offset"] == NO_OFFSET).any():
            return [rows]
        parts = [rows[rows["partition"] == partition] for partition in np.unique(rows["partition"]).tolist()]
        return [placed(part, self.logs.get(int(part["partition"][0]), no_rows())) for part in parts]

    def in_order(self, rows: Rows) -> Iterator[np.void]:
        """Stretch by stretch in the order of the recording, on which a time depends when an ownership began."""
        parts = [part[np.argsort(part["at"], kind="stable")] for part in self.give(rows)]
        return heapq.merge(*parts, key=lambda row: int(row["at"]))


class _Marks:
    """Which messages of a stretch had a wrong value: by offset, or by identity where there is no offset."""

    def __init__(self, corrupt: Rows) -> None:
        told = corrupt["offset"] != NO_OFFSET
        self.by_offset = {
            partition: Intervals.of(mine["offset"], mine["length"])
            for partition in np.unique(corrupt["partition"][told]).tolist()
            for mine in (corrupt[told & (corrupt["partition"] == partition)],)
        }
        self.nameless = list(corrupt[~told])

    def of(self, row: np.void) -> set[int]:
        """Indexes into the stretch."""
        first, length = int(row["offset"]), int(row["length"])
        if first == NO_OFFSET:
            return self._of_nameless(row)
        mine = self.by_offset.get(int(row["partition"]), NOTHING)
        if not len(mine):
            return set()
        return {
            index - first for start, end in mine & Intervals.span(first, first + length) for index in range(start, end)
        }

    def _of_nameless(self, row: np.void) -> set[int]:
        found: set[int] = set()
        for other in self.nameless:
            if all(other[key] == row[key] for key in ("partition", "asked", "producer")):
                start = max(0, int(other["seq"]) - int(row["seq"]))
                end = min(int(row["length"]), int(other["seq"]) + int(other["length"]) - int(row["seq"]))
                found |= set(range(start, end))
        return found


def _log(recorded: Recording) -> Iterator[Line]:
    """What the independent reader found, in its order, and how far it read."""
    history = recorded.history
    aborted = {
        partition: offset_set(rows[rows["txn"] == ABORTED])
        for partition in sorted(history.log.partitions())
        for rows in (history.log.of(partition),)
    }
    for worker in recorded.workers:
        if worker.role != "read_log":
            continue
        marks = _Marks(worker.corrupt)
        for kind, item in worker.items():
            if isinstance(item, Event):
                if item.type == "log_end":
                    committed_to = history.committed_to.get(item.data["partition"])
                    yield _line(item) | ({} if committed_to is None else {"committed_to": committed_to})
            elif kind == frames.LOG:
                for place, partition in enumerate(item["partition"].tolist()):
                    for row in marked(item[place : place + 1], aborted.get(partition, NOTHING)):
                        yield from _found(row, {"t": int(row["at"]), "type": "log"}, history, marks)
