"""Pure but for reading files: the workers' binary histories and the harness's own events, as a `History`.

The format is the contract in `harness/worker/README.md`. No object is made per message: frames are gathered into blocks
of columns, and a block becomes stretches at once. Whatever is cut, odd or missing is told in `History.torn`, so that it
can never end in a pass.
"""

import json
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import HarnessError
from harness.history import (
    NEVER,
    NO_OFFSET,
    NO_PRODUCER,
    ROW,
    Event,
    History,
    Rows,
    RunInfo,
    Stream,
    Transaction,
    joined,
)
from harness.rundir import RunDir

MAGIC = b"KHARNESS"
VERSION = 1
FRAME = np.dtype(
    [
        ("kind", "<u2"),
        ("flags", "<u2"),
        ("count", "<u4"),
        ("capacity", "<u4"),
        ("payload", "<u4"),
        ("t", "<i8"),
        ("done", "<i8"),
    ]
)
EVENT, DELIVER, DELIVER_KEYS, SEND, ACK, NACK, UNKNOWN, LOG, CORRUPT = range(1, 10)
OPEN = 1
BLOCK_MESSAGES = 1 << 17
STAGES_BEFORE_JUDGING = ("recorded", "judged", "reported")


@dataclass
class Recorded:
    """One worker's file. `items` are events and stretches of messages by frame kind, in order."""

    meta: dict[str, Any]
    items: list[tuple[int, Event | Rows]] = field(default_factory=list)
    arrivals: dict[int, list[tuple[int, int, int]]] = field(default_factory=dict)  # by kind: from, to, messages a frame
    torn: str | None = None

    def rows(self, kind: int) -> Rows:
        return joined(item for number, item in self.items if number == kind and isinstance(item, np.ndarray))

    def events(self, kind: str) -> list[Event]:
        return [item for _, item in self.items if isinstance(item, Event) and item.type == kind]


def read(run: RunDir) -> History:
    """Gather what every worker of a run recorded, and what the harness saw of them."""
    files = sorted(run.path.glob("history/*.bin"))
    workers = [read_file(path) for path in files]
    own, unread = _own_events(run.events)
    judging = run.meta.get("judging") or {}
    history = History(run=_run_info(run, judging, workers), identified=True)
    history.damaged += unread
    if not files:
        history.torn.append("no worker has recorded anything")
    started = {str(client.get("worker")) for client in run.meta.get("clients") or []}
    missing = sorted(started - {path.stem for path in files})
    history.damaged += [f"history/{name}.bin is missing" for name in missing]
    if run.last_mark() not in STAGES_BEFORE_JUDGING:
        history.torn.append(f"the run ended early: its last finished stage is {run.last_mark()!r}")
    _producers(history, [worker for worker in workers if worker.meta["role"] == "produce"])
    _consumers(history, [worker for worker in workers if worker.meta["role"] == "consume"], own)
    _log(history, [worker for worker in workers if worker.meta["role"] == "read_log"])
    _harness(history, own)
    for path, worker in zip(files, workers, strict=True):
        if worker.torn:
            history.damaged.append(f"{path.name}: {worker.torn}")
    return history


def _run_info(run: RunDir, judging: dict[str, Any], workers: list[Recorded]) -> RunInfo:
    idempotent = any(event.data.get("idempotent") for worker in workers for event in worker.events("producer"))
    return RunInfo(
        run=str(run.meta["run"]),
        guarantee=judging.get("guarantee", "at_least_once"),
        partitions=int(judging.get("partitions", 0)),
        isolation=judging.get("isolation", "read_uncommitted"),
        reset=judging.get("reset", "earliest"),
        group=judging.get("group"),
        idempotent=idempotent,
    )


def _producers(history: History, workers: list[Recorded]) -> None:
    names = {int(worker.meta["producer"]): str(worker.meta["worker"]) for worker in workers}
    history.producers = [names.get(number, f"producer {number}") for number in range(max(names, default=-1) + 1)]
    columns = ((SEND, "sends"), (ACK, "acks"), (NACK, "nacks"), (UNKNOWN, "unknowns"))
    for kind, name in columns:
        setattr(history, name, _at_home(joined(worker.rows(kind) for worker in workers)))
    history.transactions = [transaction for worker in workers for transaction in _transactions(worker)]
    for worker in workers:
        history.acked_at += worker.arrivals.get(ACK, [])
        if not worker.events("producer_end"):
            history.torn.append(f"producer {worker.meta['worker']} did not end in an orderly way")


def _transactions(worker: Recorded) -> Iterator[Transaction]:
    """What was sent between a transaction's beginning and its end belongs to it; one without an end has only begun."""
    name, sends = None, []
    for kind, item in worker.items:
        if kind == SEND and isinstance(item, np.ndarray):
            sends.append(item)
        elif isinstance(item, Event) and item.type == "txn":
            if item.data["state"] == "begin":
                name, sends = str(item.data["txn"]), []
            elif name is not None:
                yield Transaction(name, str(item.data["state"]), joined(sends))
                name = None
    if name is not None:
        yield Transaction(name, "begin", joined(sends))


def _at_home(rows: Rows) -> Rows:
    """Answers by the partition that was asked for: an ack from another one tells no offset there."""
    away = rows["partition"] != rows["asked"]
    rows["offset"][away] = NO_OFFSET
    rows["partition"][away] = rows["asked"][away]
    return rows


def _consumers(history: History, workers: list[Recorded], own: list[Event]) -> None:
    ends = {event.data["member"]: event for event in own if event.type == "member"}
    for worker in workers:
        name = str(worker.meta["worker"])
        history.delivered_at += worker.arrivals.get(DELIVER, []) + worker.arrivals.get(DELIVER_KEYS, [])
        stream = Stream(name)
        stream.items = [item for kind, item in worker.items if kind in (EVENT, DELIVER, DELIVER_KEYS)]
        orderly = any(event.data["state"] == "leave" for event in worker.events("member"))
        if not orderly:
            end = ends.get(name)
            if end is not None:
                stream.items.append(end)
            if end is None or end.data.get("by") != "fault":
                state = end.data["state"] if end is not None else "gone, and nobody recorded how"
                history.torn.append(f"consumer {name} did not end in an orderly way: {state}")
        history.streams.append(stream)
        history.corrupt = joined((history.corrupt, worker.rows(CORRUPT)))


def _log(history: History, workers: list[Recorded]) -> None:
    for worker in workers:
        history.log = joined((history.log, worker.rows(LOG)))
        history.corrupt_log = joined((history.corrupt_log, worker.rows(CORRUPT)))
        for event in worker.events("log_end"):
            history.log_ends[event.data["partition"]] = (event.data["start"], event.data["end"])
    missing = set(range(history.run.partitions)) - set(history.log_ends)
    if missing:
        listed = ", ".join(str(partition) for partition in sorted(missing)[:10])
        history.torn.append(f"the independent reader did not read to the end of partition {listed}")


def _harness(history: History, own: list[Event]) -> None:
    history.stored = [event for event in own if event.type == "stored"]
    history.faults = [event for event in own if event.type == "fault"]
    history.torn += [str(event.data["why"]) for event in own if event.type == "torn"]
    drained = [event for event in own if event.type == "drained"]
    history.drained = drained[-1] if drained else None


def _own_events(path: Path) -> tuple[list[Event], list[str]]:
    """The harness's own events; a line that cannot be read is told, whichever it is."""
    if not path.is_file():
        return [], ["history/harness.jsonl is missing"]
    events, unread = [], []
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            data = json.loads(line)
            events.append(Event(int(data["t"]), str(data["type"]), data))
        except (ValueError, KeyError, TypeError):
            unread.append(f"{path.name}:{number}: cannot be read")
    return events, unread


def read_file(path: Path) -> Recorded:
    """One worker's history. Raises HarnessError where the file is none, or of another version."""
    data = path.read_bytes() if path.stat().st_size < 1 << 16 else _mapped(path)
    header = bytes(data[:4096])
    if header[:8] != MAGIC or len(header) < 4096:
        raise HarnessError("bad-recording", f"{path}: not a history of a worker", "The file was cut or replaced.")
    version, header_bytes = (int(number) for number in np.frombuffer(header, "<u4", 2, 8))
    if version != VERSION:
        raise HarnessError("bad-recording", f"{path}: format {version}, this harness reads {VERSION}")
    segment_bytes = int(np.frombuffer(header, "<u8", 1, 16)[0])
    meta_bytes = int(np.frombuffer(header, "<u4", 1, 24)[0])
    try:
        meta = json.loads(header[64 : 64 + meta_bytes])
    except ValueError as error:
        raise HarnessError("bad-recording", f"{path}: its description cannot be read ({error})") from error
    if segment_bytes < 1 or header_bytes < len(header) or not _describes_a_worker(meta):
        raise HarnessError("bad-recording", f"{path}: its description makes no sense", "The file was damaged.")
    recorded = Recorded(meta)
    block = _Block(recorded, int(meta["run_id"]))
    for frame, start in _frames(data, header_bytes, segment_bytes, recorded):
        block.take(frame, data, start)
    opened = _open_frame(data, header_bytes)
    if opened is not None:
        block.take(opened, data, len(header) + FRAME.itemsize)
    block.end()
    return recorded


def _describes_a_worker(meta: Any) -> bool:
    """Whether the header's description has what reading the file depends on."""
    if not isinstance(meta, dict) or not isinstance(meta.get("run_id"), int):
        return False
    if meta.get("role") not in ("produce", "consume", "read_log") or not isinstance(meta.get("worker"), str):
        return False
    return meta["role"] != "produce" or isinstance(meta.get("producer"), int)


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _frames(data: bytes | mmap.mmap, start: int, segment_bytes: int, recorded: Recorded) -> Iterator[tuple[Any, int]]:
    """Every frame's header and where its payload begins; stops at the first frame that cannot be one."""
    at, size = start, len(data)
    while at + FRAME.itemsize <= size:
        room = segment_bytes - at % segment_bytes
        frame = np.frombuffer(data, FRAME, 1, at)[0] if room >= FRAME.itemsize else None
        if frame is None or frame["kind"] == 0:
            at += room
            continue
        payload = int(frame["payload"])
        begins = at + FRAME.itemsize
        if frame["kind"] > CORRUPT or payload % 8 or FRAME.itemsize + payload > room:
            recorded.torn = f"frame at byte {at} cannot be read"
            return
        if begins + payload > size:
            recorded.torn = f"frame at byte {at} is cut short"
            return
        if not _holds(frame):
            recorded.torn = f"frame at byte {at} cannot be read"
            return
        yield frame, begins
        at = begins + payload
    if at < size and any(data[at:size]):
        recorded.torn = f"frame at byte {at} is cut short"


def _open_frame(data: bytes | mmap.mmap, header_bytes: int) -> Any:
    """The frame behind the header that stands in for one not written yet; once that is written, it is nothing."""
    if header_bytes < 4096 + FRAME.itemsize or len(data) < header_bytes:
        return None
    frame = np.frombuffer(data, FRAME, 1, 4096)[0]
    place = int(frame["done"])
    if frame["kind"] != DELIVER_KEYS or frame["flags"] != OPEN or any(data[place : place + 2]):
        return None
    return frame if 4096 + FRAME.itemsize + int(frame["payload"]) <= header_bytes and _holds(frame) else None


def _holds(frame: Any) -> bool:
    """Whether the payload has room for the columns or the text that the header tells of."""
    kind, count, capacity = int(frame["kind"]), int(frame["count"]), int(frame["capacity"])
    if kind == EVENT:
        return count <= int(frame["payload"])
    return count <= capacity and capacity * (24 if kind == DELIVER_KEYS else 36) <= int(frame["payload"])


@dataclass
class _Columns:
    """The columns of one frame, and when its messages were handed over."""

    keys: NDArray[np.uint64]  # n × 3
    offsets: NDArray[np.int64]
    partitions: NDArray[np.int32]
    t: int
    open: bool


class _Block:
    """Neighbouring frames of one kind, turned into stretches at once."""

    def __init__(self, recorded: Recorded, run_id: int) -> None:
        self.recorded = recorded
        self.run_id = run_id
        self.kind = 0
        self.frames: list[_Columns] = []
        self.messages = 0

    def take(self, frame: Any, data: bytes | mmap.mmap, start: int) -> None:
        kind, t = int(frame["kind"]), int(frame["t"])
        if kind == CORRUPT:
            # A note on messages before it: the application has not come back for more, so the block goes on.
            rows = self._rows([_columns(frame, data, start, kind, t)], NEVER)
            self.recorded.items.append((CORRUPT, rows))
            return
        if kind != self.kind or self.messages >= BLOCK_MESSAGES:
            self._flush(done=t)
            self.kind = kind
        if kind == EVENT:
            self._event(bytes(data[start : start + int(frame["count"])]), t, start)
        else:
            columns = _columns(frame, data, start, kind, t)
            self.frames.append(columns)
            until = max(t, int(frame["done"])) if kind == DELIVER_KEYS else t
            self.recorded.arrivals.setdefault(kind, []).append((t, until, len(columns.keys)))
            self.messages += len(columns.keys)

    def end(self) -> None:
        self._flush(done=NEVER)

    def _event(self, text: bytes, t: int, start: int) -> None:
        try:
            event = json.loads(text)
            self.recorded.items.append((EVENT, Event(t, str(event["type"]), event)))
        except (ValueError, KeyError, TypeError):
            self.recorded.torn = f"event at byte {start} cannot be read"

    def _flush(self, *, done: int) -> None:
        frames, self.frames, self.messages = self.frames, [], 0
        if not frames:
            return
        rows = self._rows(frames, done)
        if len(rows):
            self.recorded.items.append((self.kind, rows))

    def _rows(self, frames: list[_Columns], done: int) -> Rows:
        counts = [len(frame.keys) for frame in frames]
        keys = np.concatenate([frame.keys for frame in frames])
        if not len(keys):
            return np.empty(0, ROW)
        offsets = np.concatenate([frame.offsets for frame in frames])
        partitions = np.concatenate([frame.partitions for frame in frames])
        names, seqs = keys[:, 0], keys[:, 1].astype(np.int64)
        begins = (names[1:] != names[:-1]) | (seqs[1:] - seqs[:-1] != 1) | (partitions[1:] != partitions[:-1])
        told = offsets[:-1] != NO_OFFSET
        begins |= offsets[1:] != np.where(told, offsets[:-1] + 1, NO_OFFSET)
        unfinished = len(keys)
        if done == NEVER:
            # The last thing handed over, and only that, was perhaps never processed.
            unfinished -= min(1, counts[-1]) if frames[-1].open else counts[-1]
            if 0 < unfinished < len(keys):
                begins[unfinished - 1] = True
        first = np.flatnonzero(np.concatenate(([True], begins)))
        rows = np.zeros(len(first), ROW)
        ours = (names[first] & 0xFFFFFFFF) == self.run_id
        rows["partition"] = partitions[first]
        rows["producer"] = np.where(ours, ((names[first] >> 32) & 0xFFFF).astype(np.int64), NO_PRODUCER)
        rows["asked"] = np.where(ours, (names[first] >> 48).astype(np.int64), partitions[first])
        rows["seq"] = np.where(ours, seqs[first], 0)
        rows["offset"] = offsets[first]
        rows["length"] = np.diff(np.concatenate((first, [len(keys)])))
        times = np.repeat([frame.t for frame in frames], counts)
        nexts = np.repeat([frame.t for frame in frames[1:]] + [done], counts)
        if frames[-1].open and done == NEVER and len(nexts) > 1:
            nexts[len(keys) - counts[-1] : -1] = frames[-1].t
        rows["at"] = times[first]
        rows["done"] = nexts[np.concatenate((first[1:] - 1, [len(keys) - 1]))]
        return rows


def _columns(frame: Any, data: bytes | mmap.mmap, start: int, kind: int, t: int) -> _Columns:
    capacity, count = int(frame["capacity"]), int(frame["count"])
    is_open = bool(frame["flags"] & OPEN)
    rows = capacity if is_open else count
    keys = np.frombuffer(data, "<u8", rows * 3, start).reshape(-1, 3)
    if is_open:
        written = (keys[:, 0] & 0xFFFFFFFF) != 0
        rows = int(written.argmin()) if not written.all() else capacity
        keys = keys[:rows]
    if kind == DELIVER_KEYS:
        offsets = np.full(rows, NO_OFFSET, np.int64)
    else:
        offsets = np.frombuffer(data, "<i8", rows, start + 24 * capacity)
    if kind == DELIVER_KEYS or is_open:
        partitions = (keys[:, 0] >> 48).astype(np.int32)
    else:
        partitions = np.frombuffer(data, "<i4", rows, start + 32 * capacity)
    return _Columns(keys, offsets, partitions, t, is_open)
