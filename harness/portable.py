"""The portable history: JSON lines, as other tools or a person can write them.

`read` makes a `History` of a file. An unknown `type`, a missing key or a torn line is an error that names the line; a
torn *last* line is a recording cut short, which the judge will call UNKNOWN. Nothing in a file is ever executed.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.columns import ABORTED, NEVER, NO_OFFSET, NO_PRODUCER, ROW, SEQ_BITS, Columns
from harness.errors import HarnessError
from harness.history import Event, History, RunInfo, Stream, Transaction

Line = dict[str, Any]


class Row(NamedTuple):
    """One message, with the fields of `columns.ROW` in their order."""

    seq: int
    offset: int
    at: int
    until: int
    done: int
    length: int
    partition: int
    asked: int
    producer: int
    step: int
    txn: int

    @property
    def name(self) -> "Name":
        return self.partition, self.producer, self.seq


Name = tuple[int, int, int]
"""A message's identity: partition, producer, seq."""

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

RUN_KEYS = ("run", "guarantee", "partitions", "isolation", "reset", "group")
EXTRAS = {"identified": bool, "torn": list, "damaged": list, "processing": str}
"""Keys of the `run` line by which `harness export` carries what only our own recordings know."""

LIMITS = {
    "partitions": 1 << 20,
    "partition": 1 << 20,
    "asked": 1 << 20,
    "seq": 1 << SEQ_BITS,
    "offset": 1 << 62,
    "start": 1 << 62,
    "end": 1 << 62,
    "committed_to": 1 << 62,
}
"""Integers by key are at least 0 and below these; what columns can hold, and more than Kafka can."""


def read(path: Path) -> History:
    """Read one portable history. Raises HarnessError `bad-history` naming file and line."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise HarnessError("bad-history", f"{path}: {error.strerror}", "Name a file of JSON lines.") from error
    lines = raw.rstrip().split(b"\n")
    torn = False
    reader: _Reader | None = None
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        line = _parse(path, number, text, tolerate=number == len(lines) and reader is not None)
        if line is None:
            torn = True
            break
        if reader is None:
            reader = _Reader(_run_info(path, number, line), _extras(path, number, line))
        elif line["type"] == "run":
            raise _bad(path, number, "a second line of type run")
        else:
            reader.take(line)
    if reader is None:
        raise _bad(path, 1, "no line of type run: the file is empty")
    return reader.history(torn=torn)


def gathered(first: Line, lines: Iterable[Line]) -> History:
    """The history that lines made here tell; importers of other tools' histories make them. Nothing is checked."""
    run = RunInfo(**{name: first[name] for name in RUN_KEYS}, idempotent=bool(first.get("idempotent")))
    reader = _Reader(run, {key: first[key] for key in EXTRAS if key in first})
    for line in lines:
        reader.take(line)
    return reader.history(torn=False)


def _parse(path: Path, number: int, text: bytes, *, tolerate: bool) -> Line | None:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        if tolerate:
            return None
        raise _bad(path, number, f"not a line of JSON ({error})") from error
    if not isinstance(line, dict):
        raise _bad(path, number, "not a JSON object")
    kind = line.get("type")
    if not isinstance(kind, str) or kind not in KEYS:
        raise _bad(path, number, f"unknown type {kind!r}")
    wanted_keys = {"t": int, **KEYS[kind]}
    for key in wanted_keys:
        if key not in line:
            raise _bad(path, number, f"{kind} without the key {key!r}")
    for key, wanted in {**OPTIONAL, **wanted_keys}.items():
        if key in line:
            _check(path, number, kind, key, line[key], wanted)
    for key, allowed in CHOICES.get(kind, {}).items():
        if line[key] not in allowed:
            raise _bad(path, number, f"{kind}: {key} is {line[key]!r}, not one of {', '.join(allowed)}")
    return line


def _check(path: Path, number: int, kind: str, key: str, value: Any, wanted: type | tuple[type, ...]) -> None:
    """One value: its type, its range, and what is inside of it."""
    fits = isinstance(value, wanted) and (wanted is bool or not isinstance(value, bool))
    if fits and isinstance(value, list):
        fits = all(type(part) is int and 0 <= part < LIMITS["partition"] for part in value)
    if fits and key == "positions" and value is not None:
        fits = all(position is None or type(position) is int for position in value.values())
    if not fits:
        raise _bad(path, number, f"{kind}: {key} is {value!r}")
    low, high = (0, LIMITS[key]) if key in LIMITS else (-(1 << 62), 1 << 62)
    if isinstance(value, int) and not low <= value < high:
        raise _bad(path, number, f"{kind}: {key} is out of range")


def _run_info(path: Path, number: int, line: Line) -> RunInfo:
    if line["type"] != "run":
        raise _bad(path, number, f"the first line must be of type run, not {line['type']}")
    return RunInfo(**{name: line[name] for name in RUN_KEYS}, idempotent=bool(line.get("idempotent")))


def _extras(path: Path, number: int, line: Line) -> Line:
    """What an export of one of our own runs says beside the format; `harness/export.py` writes it."""
    extras = {key: line[key] for key in EXTRAS if key in line}
    for key, value in extras.items():
        texts = value if isinstance(value, list) else []
        if not isinstance(value, EXTRAS[key]) or not all(isinstance(text, str) for text in texts):
            raise _bad(path, number, f"run: {key} is {value!r}")
    return extras


def _bad(path: Path, number: int, what: str) -> HarnessError:
    return HarnessError(
        "bad-history", f"{path}:{number}: {what}", "The portable history's format is in harness/verify/README.md."
    )


class _Reader:
    """Gathers lines into columns."""

    def __init__(self, run: RunInfo, extras: Line) -> None:
        self.run = run
        self.extras = extras
        self.began = 0
        self.producers: dict[str, int] = {}
        self.columns: dict[str, list[Row]] = defaultdict(list)
        self.events: dict[str, list[Event]] = defaultdict(list)
        self.deliveries: dict[str, list[Row]] = defaultdict(list)
        self.processed: dict[tuple[str, int, int], int] = {}
        self.corrupt: list[Row] = []
        self.corrupt_log: list[Row] = []
        self.corrupt_at: set[int] = set()
        self.sent: set[Name] = set()
        self.told: set[tuple[int, int]] = set()  # partition and offset
        self.log_ends: dict[int, tuple[int, int]] = {}
        self.committed_to: dict[int, int] = {}
        self.stored: list[Event] = []
        self.faults: list[Event] = []
        self.drained: Event | None = None
        self.transactions: dict[tuple[str, Any], Transaction] = {}
        self.txn_numbers: dict[tuple[str, Any], int] = {}
        self.order = 0

    def take(self, line: Line) -> None:
        """One line after the first. `at` is made strictly rising, since order in the file is what counts."""
        self.order = max(line["t"], self.order + 1)
        self.began = self.began or self.order
        taker: Callable[[Line], None] = getattr(self, f"_{line['type']}", self._member_event)
        taker(line)

    def _row(self, line: Line, offset: int, *, step: int = 0, txn: int = 0) -> Row:
        name = line.get("producer")
        producer = NO_PRODUCER
        if name is not None and line.get("seq") is not None:
            producer = self.producers.setdefault(name, len(self.producers))
        seq = line["seq"] if producer != NO_PRODUCER else 0
        at, partition = self.order, line["partition"]
        asked = partition if line.get("asked") is None else line["asked"]
        return Row(seq, offset, at, at, at, 1, partition, asked, producer, step, txn)

    def _send(self, line: Line) -> None:
        txn = 0
        if line.get("txn") is not None:
            txn = self._transaction(line)
        self.columns["send"].append(self._row(line, NO_OFFSET, txn=txn))

    def _transaction(self, line: Line) -> int:
        """The number of the transaction that a line names, counted from 1."""
        key = line["producer"], line["txn"]
        self.transactions.setdefault(key, Transaction(f"{line['txn']} of {line['producer']}"))
        return self.txn_numbers.setdefault(key, len(self.txn_numbers) + 1)

    def _ack(self, line: Line) -> None:
        offset = line.get("offset")
        if line.get("asked") not in (None, line["partition"]):
            # It answers the send to the partition that was asked for, and tells no offset there.
            line, offset = {**line, "partition": line["asked"]}, None
        self.columns["ack"].append(self._row(line, NO_OFFSET if offset is None else offset))

    def _nack(self, line: Line) -> None:
        self.columns["nack"].append(self._row(line, NO_OFFSET))

    def _unknown(self, line: Line) -> None:
        self.columns["unknown"].append(self._row(line, NO_OFFSET))

    def _txn(self, line: Line) -> None:
        self._transaction(line)
        self.transactions[line["producer"], line["txn"]].state = line["state"]

    def _log(self, line: Line) -> None:
        self.columns["log"].append(self._row(line, line["offset"], txn=ABORTED if line.get("aborted") else 0))
        if line.get("corrupt"):
            self.corrupt_log.append(self.columns["log"][-1])

    def _log_end(self, line: Line) -> None:
        self.log_ends[line["partition"]] = (line["start"], line["end"])
        if line.get("committed_to") is not None:
            self.committed_to[line["partition"]] = line["committed_to"]

    def _stored(self, line: Line) -> None:
        self.stored.append(Event(self.order, "stored", line))

    def _fault(self, line: Line) -> None:
        self.faults.append(Event(self.order, "fault", line))

    def _drained(self, line: Line) -> None:
        self.drained = Event(self.order, "drained", line)

    def _processed(self, line: Line) -> None:
        self.processed.setdefault((line["member"], line["partition"], line["offset"]), self.order)

    def _deliver(self, line: Line) -> None:
        offset = NO_OFFSET if line["offset"] is None else line["offset"]
        row = self._row(line, offset, step=len(self.events[line["member"]]))
        self.deliveries[line["member"]].append(row)
        if line.get("corrupt"):
            self.corrupt.append(row)
            self.corrupt_at.add(row.at)

    def _member_event(self, line: Line) -> None:
        self.events[line["member"]].append(Event(self.order, line["type"], line))

    def history(self, *, torn: bool) -> History:
        # Where messages carry their identity, that says it: `asked` in the lines.
        asked = {} if self.extras.get("identified") else _asked(self.columns, self.log_ends)
        self.sent = {row.name for row in self.columns["send"]}
        self.told = {(row.partition, row.offset) for kind in ("ack", "log") for row in self.columns[kind]}
        acks = [_sent_home(row, asked) for row in self.columns["ack"]]
        log = [_at_home(row, asked) for row in self.columns["log"]]
        return History(
            run=self.run,
            producers=list(self.producers),
            # Not merged: of each it is asked whether it came before the end of the wait.
            sends=_columns(self.columns["send"], merging=False),
            acks=_columns(acks, merging=False),
            nacks=_columns(self.columns["nack"]),
            unknowns=_columns(self.columns["unknown"]),
            transactions=list(self.transactions.values()),
            streams=[self._stream(member, asked) for member in self.events],
            log=_columns(log),
            log_ends=self.log_ends,
            committed_to=self.committed_to,
            stored=self.stored,
            corrupt=_columns(self.corrupt),
            corrupt_log=_columns(self.corrupt_log),
            drained=self.drained,
            faults=self.faults,
            torn=self.extras.get("torn", []) + (["the recording was cut short: its last line is torn"] if torn else []),
            damaged=self.extras.get("damaged", []),
            exact_times=self.extras.get("processing") != "approximate",
            identified=self.extras.get("identified", False),
            began=self.began,
        )

    def _stream(self, member: str, asked: dict[Name, int]) -> Stream:
        """One member's part. Where the file has `processed` lines, a delivery without its own was never finished."""
        rows = [_at_home(self._readable(row), asked) for row in self.deliveries[member]]
        if self.processed:
            rows = [
                row._replace(done=self.processed.get((member, row.partition, row.offset), NEVER))
                if row.offset != NO_OFFSET
                else row
                for row in rows
            ]
        return Stream(member, self.events[member], _columns(rows, merging=False))

    def _readable(self, row: Row) -> Row:
        """What a broken payload says of itself is evidence of nothing: its offset names it. Where nothing else tells of
        that offset it is believed, if somebody did send it."""
        if row.at not in self.corrupt_at or self.extras.get("identified"):
            return row
        known = (row.partition, row.offset) in self.told or row.name not in self.sent
        return row._replace(producer=NO_PRODUCER, seq=0) if known else row


def _columns(rows: list[Row], *, merging: bool = True) -> Columns:
    return Columns(np.array(rows, ROW), merging=merging)


def _at_home(row: Row, asked: dict[Name, int]) -> Row:
    return row._replace(asked=asked[row.name]) if row.name in asked else row


def _sent_home(row: Row, asked: dict[Name, int]) -> Row:
    """An ack from another partition than asked stands for the one that was asked, and tells no offset there."""
    if row.name not in asked:
        return row
    home = asked[row.name]
    return row._replace(partition=home, asked=home, offset=NO_OFFSET)


def _asked(columns: dict[str, list[Row]], log_ends: dict[int, tuple[int, int]]) -> dict[Name, int]:
    """The partitions to which misrouted messages were sent, by the names under which they were acked or found.

    A line names the partition in which a message is, and so hides that it was sent to another one: nobody sent a
    message of that name there, while the same producer's seq was sent elsewhere, and is missing there. A name whose
    own partition has it is a phantom instead.
    """
    sent = {row.name for row in columns["send"]}
    answered = {row.name for kind in ("ack", "nack", "unknown") for row in columns[kind]}
    held = {row.name for row in columns["log"]}
    lost = [name for name in (*answered, *held) if name not in sent]
    homes: dict[tuple[int, int], list[int]] = defaultdict(list)
    for partition, producer, seq in sorted(sent) if lost else ():
        homes[producer, seq].append(partition)
    asked: dict[Name, int] = {}
    for name in lost:
        for home in homes[name[1:]]:
            there = (home, *name[1:])
            if there not in answered if name in answered else there not in held and home in log_ends:
                asked[name] = home
                break
    return asked
