"""The portable history: JSON lines, as other tools or a person can write them.

`read` makes a `History` of a file. An unknown `type`, a missing key or a torn line is an error that names the line; a
torn *last* line is a recording cut short, which the judge will call UNKNOWN. Nothing in a file is ever executed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.columns import ABORTED, NEVER, NO_OFFSET, NO_PRODUCER, ROW, Columns
from harness.errors import HarnessError
from harness.history import Event, History, RunInfo, Stream, Transaction
from harness.portable_lines import EXTRAS, Line, bad, extras, parsed, run_info, told_run


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
        line = parsed(path, number, text, tolerate=number == len(lines) and reader is not None)
        if line is None:
            torn = True
            break
        if reader is None:
            reader = _Reader(run_info(path, number, line), extras(path, number, line))
        elif line["type"] == "run":
            raise bad(path, number, "a second line of type run")
        else:
            reader.take(line)
    if reader is None:
        raise bad(path, 1, "no line of type run: the file is empty")
    return reader.history(torn=torn)


def gathered(first: Line, lines: Iterable[Line]) -> History:
    """The history that lines made here tell; importers of other tools' histories make them. Nothing is checked."""
    reader = _Reader(told_run(first), {key: first[key] for key in EXTRAS if key in first})
    for line in lines:
        reader.take(line)
    return reader.history(torn=False)


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
        self.deleted: list[Event] = []
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

    def _deleted(self, line: Line) -> None:
        self.deleted.append(Event(self.order, "deleted", line))

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
            deleted=self.deleted,
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
