"""A run's own recordings as a `History`: the workers' binary files (`frames`) and the harness's own events.

Whatever is cut, odd or missing is told in `History.torn` or `History.damaged`, so that it can never end in a pass.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.aborts import mark
from harness.columns import NEVER, NO_OFFSET, Columns, Rows, Spill
from harness.frames import (
    ACK,
    CORRUPT,
    DELIVER,
    LOG,
    NACK,
    SEND,
    UNKNOWN,
    Tape,
    open_tape,
)
from harness.history import Event, History, RunInfo, Stream, Transaction
from harness.portable_lines import lacks
from harness.reader import Arrivals, Reader
from harness.rundir import RunDir

STAGES_BEFORE_JUDGING = ("recorded", "judged", "reported")

Shelves = dict[int, Columns]
"""Where the rows of each kind of frame belong."""


def read(run: RunDir) -> History:
    """Gather what every worker of a run recorded, and what the harness saw of them."""
    files = sorted(run.path.glob("history/*.bin"))
    own, unread = own_events(run.events)
    clients = run.meta.get("clients") or []
    ended = {str(client.get("worker")): client.get("ended") or {} for client in clients}
    history = gather(run_info(run.meta), {path.name: open_tape(path) for path in files}, own, ended)
    history.damaged[:0] = unread
    if run.meta.get("log"):  # Others may have read it before: its producer is no part of this run's time.
        started = [stream.events[0].at for stream in history.streams if stream.events]
        history.began = min(started, default=history.began)
    early = [] if files else ["no worker has recorded anything"]
    missing = sorted(set(ended) - {path.stem for path in files})
    history.damaged += [f"history/{name}.bin is missing" for name in missing]
    if run.last_mark() not in STAGES_BEFORE_JUDGING:
        early.append(f"the run ended early: its last finished stage is {run.last_mark()!r}")
    # One who must not get through leaves doubts of that kind, which are none then.
    (history.torn if history.run.refused is None else history.damaged)[:0] = early
    return history


def run_info(meta: dict[str, Any]) -> RunInfo:
    """What run.json says of how to judge."""
    judging = meta.get("judging") or {}
    return RunInfo(
        run=str(meta["run"]),
        guarantee=judging.get("guarantee", "at_least_once"),
        partitions=int(judging.get("partitions", 0)),
        isolation=judging.get("isolation", "read_uncommitted"),
        reset=judging.get("reset", "earliest"),
        group=judging.get("group"),
        refused=judging.get("refused"),
    )


def gather(
    info: RunInfo, tapes: dict[str, Tape], own: list[Event], ended: Mapping[str, dict[str, Any]] | None = None
) -> History:
    """Read tapes by the names of their files, one after the other, into one history.

    ended: by worker, what it told at its end; a file that holds less than that was cut.
    """
    spill = Spill()
    sends, acks, nacks, unknowns, log, corrupt, corrupt_log = (Columns(spill=spill) for _ in range(7))
    history = History(
        info, [], sends, acks, nacks, unknowns, log=log, corrupt=corrupt, corrupt_log=corrupt_log, identified=True
    )
    made = [tape.meta for tape in tapes.values() if tape.meta["role"] == "produce"]
    names = {int(meta["producer"]): str(meta["worker"]) for meta in made}
    history.producers = [names.get(number, f"producer {number}") for number in range(max(names, default=-1) + 1)]
    began = []
    readers: dict[bool, str] = {}  # of all, and of what was committed
    # What the reader of committed messages found says something of the log, which must be there by then.
    in_order = sorted(tapes.items(), key=lambda item: reads_committed(item[1].meta))
    for role, reading in ROLES.items():
        for name, tape in in_order:
            if tape.meta["role"] == role:
                if role == "read_log" and (other := readers.setdefault(reads_committed(tape.meta), name)) != name:
                    history.damaged.append(f"{name}: the log was read already, into {other}")
                    continue
                taken = reading(history, tape, own, spill)
                history.damaged += taken.short_of((ended or {}).get(str(tape.meta["worker"]), {}), name)
                # The independent reader may begin before what it tells of, and end after it.
                began += [taken.began] if role != "read_log" and taken.began != NEVER else []
    history.began = min(began, default=0)
    missing = sorted(set(range(info.partitions)) - set(history.log_ends))
    if missing:
        listed = ", ".join(str(partition) for partition in missing[:10])
        history.torn.append(f"the independent reader did not read to the end of partition {listed}")
    _harness(history, own)
    history.damaged += [f"{name}: {tape.torn}" for name, tape in tapes.items() if tape.torn]
    return history


TOLD = {"deliveries": (DELIVER, LOG), "sent": (SEND,), "acked": (ACK,)}
"""What workers tell at their end, by the kinds of frames that hold it."""


@dataclass
class _Read:
    """One tape, read: its events, what went to the shelves, and when things came."""

    events: list[Event] = field(default_factory=list)
    arrivals: dict[int, Arrivals] = field(default_factory=dict)
    began: int = NEVER

    def of(self, kind: str) -> list[Event]:
        return [event for event in self.events if event.type == kind]

    def short_of(self, told: dict[str, Any], name: str) -> list[str]:
        """What the worker told at its end and its file does not hold."""
        lacking = []
        for key, kinds in TOLD.items():
            held = sum(count for kind in kinds for _, _, count in self.spans(kind))
            if held < int(told.get(key) or 0):
                lacking.append(f"{name}: its worker told of {int(told[key]):,} {key}, and the file has {held:,}")
        return lacking

    def spans(self, kind: int) -> list[tuple[int, int, int]]:
        return self.arrivals[kind].spans if kind in self.arrivals else []


def _take(tape: Tape, shelves: Shelves, change: Callable[[Rows], None] = lambda rows: None) -> _Read:
    """Read one tape, rows to their shelves; `change` may correct rows before."""
    reader, taken = Reader(tape), _Read()
    for kind, item in reader.items():
        if isinstance(item, Event):
            taken.events.append(item)
        elif kind in shelves:
            change(item)
            shelves[kind].add(item)
    taken.arrivals, taken.began = reader.arrivals, reader.began
    return taken


def _producer(history: History, tape: Tape, own: list[Event], spill: Spill) -> _Read:
    before = len(history.transactions)

    def at_home(rows: Rows) -> None:
        """By the partition that was asked for: an ack from another one tells no offset there."""
        away = rows["partition"] != rows["asked"]
        rows["offset"][away] = NO_OFFSET
        rows["partition"][away] = rows["asked"][away]
        rows["txn"][rows["txn"] > 0] += before

    shelves = {SEND: history.sends, ACK: history.acks, NACK: history.nacks, UNKNOWN: history.unknowns}
    taken = _take(tape, shelves, at_home)
    history.transactions += _transactions(taken.of("txn"), str(tape.meta["worker"]))
    history.acked_at += taken.spans(ACK)
    if any(event.data.get("idempotent") for event in taken.of("producer")):
        history.run = replace(history.run, idempotent=True)
    if not taken.of("producer_end"):
        history.torn.append(f"producer {tape.meta['worker']} did not end in an orderly way")
    return taken


def _transactions(events: Iterable[Event], producer: str) -> list[Transaction]:
    """A producer's transactions in the order of their beginning; one at a time is open."""
    transactions: list[Transaction] = []
    for event in events:
        if event.data.get("state") == "begin":
            transactions.append(Transaction(f"{event.data.get('txn')} of {producer}"))
        elif transactions:
            transactions[-1].state = str(event.data.get("state"))
    return transactions


def _consumer(history: History, tape: Tape, own: list[Event], spill: Spill) -> _Read:
    deliveries = Columns(spill=spill)
    taken = _take(tape, {DELIVER: deliveries, CORRUPT: history.corrupt})
    name = str(tape.meta["worker"])
    history.delivered_at += taken.spans(DELIVER)
    stream = Stream(name, taken.events, deliveries)
    if not any(event.data["state"] == "leave" for event in taken.of("member")):
        end = next((event for event in reversed(own) if event.type == "member" and event.data["member"] == name), None)
        if end is not None:
            stream.events.append(end)
        if end is None or end.data.get("by") != "fault":
            state = end.data["state"] if end is not None else "gone, and nobody recorded how"
            history.torn.append(f"consumer {name} did not end in an orderly way: {state}")
    history.streams.append(stream)
    return taken


def _log_reader(history: History, tape: Tape, own: list[Event], spill: Spill) -> _Read:
    if reads_committed(tape.meta):
        return _committed_reader(history, tape, spill)
    taken = _take(tape, {LOG: history.log, CORRUPT: history.corrupt_log})
    history.log_ends |= _log_ends(taken)
    return taken


def _committed_reader(history: History, tape: Tape, spill: Spill) -> _Read:
    """The second reading of the log: nothing of it is added, but what it lacks is aborted."""
    found = Columns(spill=spill)
    taken = _take(tape, {LOG: found})
    mark(history, found, _log_ends(taken))
    return taken


def _log_ends(taken: _Read) -> dict[int, tuple[int, int]]:
    return {event.data["partition"]: (event.data["start"], event.data["end"]) for event in taken.of("log_end")}


def reads_committed(meta: Mapping[str, Any]) -> bool:
    """Whether a worker's file is that of the independent reader's second reading, of committed messages only."""
    return meta["role"] == "read_log" and meta.get("isolation") == "read_committed"


ROLES: dict[str, Callable[[History, Tape, list[Event], Spill], _Read]] = {
    "produce": _producer,
    "consume": _consumer,
    "read_log": _log_reader,
}


def _harness(history: History, own: list[Event]) -> None:
    history.stored = [event for event in own if event.type == "stored"]
    history.deleted = [event for event in own if event.type == "deleted"]
    history.faults = [event for event in own if event.type == "fault"]
    history.torn += [str(event.data["why"]) for event in own if event.type == "torn"]
    drained = [event for event in own if event.type == "drained"]
    history.drained = drained[-1] if drained else None
    history.refusal = next((event for event in own if event.type == "refusal"), None)


def own_events(path: Path) -> tuple[list[Event], list[str]]:
    """The harness's own events; a line that cannot be read is told, whichever it is."""
    if not path.is_file():
        return [], ["history/harness.jsonl is missing"]
    events, unread = [], []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            data = json.loads(line)
            event = Event(int(data["t"]), str(data["type"]), data)
            if lacks(data):
                raise ValueError
            events.append(event)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            unread.append(f"{path.name}:{number}: cannot be read")
    return events, unread
