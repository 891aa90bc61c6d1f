"""One worker's binary history, from bytes to rows and events; the format is the contract in harness/worker/README.md.

A file is taken a segment at a time, so that its size does not matter, and no object is made per message: the frames of
a kind are gathered into blocks of columns, and a block becomes rows at once. What cannot be read is told in
`Tape.torn`, never skipped in silence.
"""

import json
import mmap
import struct
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.columns import MERGE_BITS, NEVER, NO_OFFSET, NO_PRODUCER, ROW, Rows
from harness.errors import HarnessError
from harness.history import Event

MAGIC = b"KHARNESS"
VERSION = 1
HEADER_BYTES = 4096
HEADER = struct.Struct("<8sIIQI")
FRAME = struct.Struct("<HHIIIqq")
EVENT, DELIVER, DELIVER_KEYS, SEND, ACK, NACK, UNKNOWN, LOG, CORRUPT, LOG_RUNS = range(1, 11)
ROW_BYTES = {DELIVER_KEYS: 24, LOG_RUNS: 40}  # 36 for all others
OPEN = 1

BLOCK_MESSAGES = 1 << 15
"""So many messages become rows at once: with fewer, the calls would cost more than the messages."""

SPANS_AT_MOST = 4096
"""Of when messages arrived no finer picture is kept."""

Buffer = bytes | mmap.mmap | memoryview


class Frame(NamedTuple):
    """A frame's header, and where its payload begins in `data`; `place` is where the frame begins in the file."""

    kind: int
    flags: int
    length: int  # messages, or bytes of an event
    capacity: int
    payload: int
    t: int
    done: int
    data: Buffer
    start: int
    place: int


@dataclass
class Tape:
    """A file being read: its description, its segments as (data, where they begin in the file), and what was wrong.

    The first segment begins with the file's header, `header_bytes` long.
    """

    meta: dict[str, Any]
    header_bytes: int
    segment_bytes: int
    segments: Iterable[tuple[Buffer, int]]
    open_frame: Callable[[], Frame | None] = lambda: None
    torn: str | None = None

    def frames(self) -> Iterator[Frame]:
        """Every frame in order; stops at the first that cannot be one."""
        for data, base in self.segments:
            at, size = self.header_bytes if base == 0 else 0, len(data)
            while at + FRAME.size <= size:
                head: tuple[int, int, int, int, int, int, int] = FRAME.unpack_from(data, at)
                frame = Frame(*head, data, at + FRAME.size, base + at)
                if frame.kind == 0:
                    at = size
                    break
                wrong = _wrong(frame, room=self.segment_bytes - frame.start, there=size - frame.start)
                if wrong:
                    self.torn = f"frame at byte {frame.place} {wrong}"
                    return
                yield frame
                at = frame.start + frame.payload
            if size < self.segment_bytes and any(data[at:size]):
                self.torn = f"frame at byte {base + at} is cut short"
        opened = self.open_frame()
        if opened is not None:
            yield opened


def _wrong(frame: Frame, *, room: int, there: int) -> str:
    """Why a frame cannot be read, "" where it can. room: bytes until its segment ends; there: until the file does."""
    if frame.kind > LOG_RUNS or frame.payload % 8 or frame.payload > room:
        return "cannot be read"
    if frame.payload > there:
        return "is cut short"
    return "" if _holds(frame.kind, frame.length, frame.capacity, frame.payload) else "cannot be read"


def _holds(kind: int, count: int, capacity: int, payload: int) -> bool:
    """Whether the payload has room for the columns or the text that the header tells of."""
    if kind == EVENT:
        return count <= payload
    return count <= capacity and capacity * ROW_BYTES.get(kind, 36) <= payload


def open_tape(path: Path) -> Tape:
    """Open a worker's file. Raises HarnessError where it is none, or of another version."""
    data = path.read_bytes() if path.stat().st_size < 1 << 16 else _mapped(path)
    header = bytes(data[:HEADER_BYTES])
    if header[:8] != MAGIC or len(header) < HEADER_BYTES:
        raise HarnessError("bad-recording", f"{path}: not a history of a worker", "The file was cut or replaced.")
    _, version, header_bytes, segment_bytes, meta_bytes = HEADER.unpack_from(header)
    if version != VERSION:
        raise HarnessError("bad-recording", f"{path}: format {version}, this harness reads {VERSION}")
    try:
        meta = json.loads(header[64 : 64 + meta_bytes])
    except ValueError as error:
        raise HarnessError("bad-recording", f"{path}: its description cannot be read ({error})") from error
    if segment_bytes < 1 or header_bytes < len(header) or not _describes_a_worker(meta):
        raise HarnessError("bad-recording", f"{path}: its description makes no sense", "The file was damaged.")
    return Tape(
        meta, header_bytes, segment_bytes, _segments(data, segment_bytes), lambda: _open_frame(data, header_bytes)
    )


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


def _segments(data: bytes | mmap.mmap, segment_bytes: int) -> Iterator[tuple[Buffer, int]]:
    """The file's segments. What was read is given back to the system, or it would count as memory of this process."""
    whole = memoryview(data)
    releases = isinstance(data, mmap.mmap) and segment_bytes % mmap.PAGESIZE == 0
    for base in range(0, len(data), segment_bytes):
        yield whole[base : base + segment_bytes], base
        if releases:
            assert isinstance(data, mmap.mmap)
            data.madvise(mmap.MADV_DONTNEED, base, min(segment_bytes, len(data) - base))


def _open_frame(data: bytes | mmap.mmap, header_bytes: int) -> Frame | None:
    """The frame behind the header that stands in for one not written yet; once that is written, it is nothing."""
    if header_bytes < HEADER_BYTES + FRAME.size or len(data) < header_bytes:
        return None
    kind, flags, count, capacity, payload, t, place = FRAME.unpack_from(data, HEADER_BYTES)
    if kind != DELIVER_KEYS or flags != OPEN or any(data[place : place + 2]):
        return None
    begins = HEADER_BYTES + FRAME.size
    if begins + payload > header_bytes or not _holds(kind, count, capacity, payload):
        return None
    return Frame(kind, flags, count, capacity, payload, t, place, data, begins, HEADER_BYTES)


class _Taken(NamedTuple):
    """One frame in a block: where it ends there, and when its messages were handed over."""

    end: int
    at: int
    until: int
    step: int
    txn: int
    open: bool

    def group(self) -> tuple[int, int, int]:
        """Rows reach from one frame into the next where these are the same."""
        return self.step, self.txn, self.at >> MERGE_BITS


class _Block:
    """Columns of the messages of neighbouring frames of one kind, in arrays that are used again and again."""

    def __init__(self, run_id: int) -> None:
        self.run_id = run_id
        self.frames: list[_Taken] = []
        self.dones: list[int] = []  # by frame: when the application came back for more
        self.used = 0
        self._make_room(BLOCK_MESSAGES)

    def _make_room(self, messages: int) -> None:
        self.names = np.empty(messages, np.uint64)  # run, producer and partition asked
        self.seqs = np.empty(messages, np.int64)
        self.offsets = np.empty(messages, np.int64)
        self.partitions = np.empty(messages, np.int32)
        # For what is computed on the way: fresh memory for each step would cost more than the step.
        self._begins_here, self._flags = np.empty(messages, bool), np.empty(messages, bool)
        self._steps = np.empty(messages, np.int64)

    def room(self) -> int:
        return len(self.names) - self.used

    def take(self, frame: Frame, count: int, *, step: int, txn: int) -> None:
        """The first `count` messages of a frame. What is larger than a block makes the block larger."""
        if count > len(self.names):
            self._make_room(count)
        low, high = self.used, self.used + count
        keys = np.frombuffer(frame.data, "<u8", count * 3, frame.start)
        self.names[low:high] = keys[0::3]
        self.seqs[low:high] = keys.view("<i8")[1::3]  # of the same type: converting would cost as much again
        if frame.kind == DELIVER_KEYS:
            self.offsets[low:high] = NO_OFFSET
        else:
            self.offsets[low:high] = np.frombuffer(frame.data, "<i8", count, frame.start + 24 * frame.capacity)
        if frame.kind == DELIVER_KEYS or frame.flags & OPEN:
            self.partitions[low:high] = self.names[low:high] >> 48
        else:
            self.partitions[low:high] = np.frombuffer(frame.data, "<i4", count, frame.start + 32 * frame.capacity)
        self.frames.append(_Taken(high, frame.t, _until(frame), step, txn, bool(frame.flags & OPEN)))
        self.dones.append(NEVER)
        self.used = high

    def rows(self) -> Rows:
        """All messages taken since the last call, as rows; several partitions may come in another order."""
        total, frames, dones = self.used, self.frames, self.dones
        groups = _groups(frames, dones, total)
        begins = self._begins(groups)
        turns = np.count_nonzero(self.partitions[1:total] != self.partitions[: total - 1])
        rounds = 4 * turns > total  # messages of several partitions lie among each other
        period = self._period() if rounds and groups is None else 0
        order = None
        if period:
            first = np.arange(period)
            length = (total - 1 - first) // period + 1
            last = first + (length - 1) * period
        else:
            if rounds:
                few = self.partitions[:total].max() < 1 << 16  # numpy sorts small numbers by radix
                order = np.argsort(self.partitions[:total].astype("u2" if few else "i4"), kind="stable")
                begins = self._begins(groups[order] if groups is not None else None, order)
            first = np.flatnonzero(begins)
            last = np.append(first[1:] - 1, total - 1)
            length = last - first + 1
        rows = np.zeros(len(first), ROW)
        rows["length"] = length
        if order is not None:
            first, last = order[first], order[last]
        rows["partition"] = self.partitions[first]
        rows["offset"] = self.offsets[first]
        _add_names(rows, self.names[first], self.seqs[first], self.run_id)
        _add_times(rows, frames, dones, first, last)
        self.used, self.frames, self.dones = 0, [], []
        return rows

    def _period(self) -> int:
        """After how many messages each one is continued, always: a producer goes round its partitions. 0: not so."""
        total, names, offsets = self.used, self.names[: self.used], self.offsets[: self.used]
        again = np.flatnonzero(names[1:] == names[0])[:1].tolist()
        period = again[0] + 1 if again else total
        if len(np.unique(names[:period])) < period:
            return 0
        same = (names[period:] == names[:-period]).all()
        same = same and (self.partitions[period:total] == self.partitions[: total - period]).all()
        same = same and (self.seqs[period:total] - self.seqs[: total - period] == 1).all()
        return period if same and offsets.max() == NO_OFFSET else 0

    def _begins(self, groups: NDArray[np.int64] | None, order: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
        """Where a row begins: where a message does not continue the one before. order: that of the messages."""
        total = self.used
        begins, flags, steps = self._begins_here[:total], self._flags[: total - 1], self._steps[: total - 1]
        begins[0] = True
        inside = begins[1:]

        def ordered(column: NDArray[Any]) -> NDArray[Any]:
            return column[:total] if order is None else column[order]

        names = ordered(self.names)
        np.not_equal(names[1:], names[:-1], out=inside)
        partitions = ordered(self.partitions)
        np.not_equal(partitions[1:], partitions[:-1], out=flags)
        inside |= flags
        seqs, offsets = ordered(self.seqs), ordered(self.offsets)
        untold = offsets.min() == NO_OFFSET
        for column in (seqs,) if untold and offsets.max() == NO_OFFSET else (seqs, offsets):
            np.subtract(column[1:], column[:-1], out=steps)
            np.not_equal(steps, 1, out=flags)
            inside |= flags
            if untold and column is offsets:
                inside |= offsets[:-1] == NO_OFFSET
        if groups is not None:
            inside |= groups[1:] != groups[:-1]
        return begins


def _groups(frames: list[_Taken], dones: list[int], total: int) -> NDArray[np.int64] | None:
    """A number for each message, that of the group which no row may leave; None where there is but one."""
    unsure = dones[-1] == NEVER and len(frames) > 0
    if not unsure and all(after.group() == before.group() for before, after in pairwise(frames)):
        return None
    numbers = np.cumsum([0] + [after.group() != before.group() for before, after in pairwise(frames)])
    groups = np.repeat(numbers, np.diff([0] + [frame.end for frame in frames]))
    if unsure:
        # What came last was perhaps never processed: a whole frame, but of an open one only the last message.
        begin = frames[-2].end if len(frames) > 1 else 0
        groups[total - 1 if frames[-1].open else begin :] += 1
    return groups


def _add_names(rows: Rows, names: NDArray[np.uint64], seqs: NDArray[np.int64], run_id: int) -> None:
    """Identities of rows; what is not of this run has none."""
    ours = (names & 0xFFFFFFFF) == run_id
    rows["producer"] = np.where(ours, ((names >> 32) & 0xFFFF).astype(np.int64), NO_PRODUCER)
    rows["asked"] = np.where(ours, (names >> 48).astype(np.int64), rows["partition"])
    rows["seq"] = np.where(ours, seqs, 0)


def _add_times(
    rows: Rows, frames: list[_Taken], dones: list[int], first: NDArray[np.int64], last: NDArray[np.int64]
) -> None:
    """Times, steps and transactions of rows, whose first and last message have these places in the block."""
    columns = np.array([(*frame, done) for frame, done in zip(frames, dones, strict=True)], np.int64)
    ends = columns[:, 0]
    begin, end = np.searchsorted(ends, first, side="right"), np.searchsorted(ends, last, side="right")
    for name, number, place in (("at", 1, begin), ("until", 2, end), ("step", 3, begin), ("txn", 4, begin)):
        rows[name] = columns[place, number]
    rows["done"] = columns[end, -1]
    if frames[-1].open and dones[-1] == NEVER:
        # The application came back for each message of an open frame but the last.
        rows["done"][(end == len(frames) - 1) & (last < ends[-1] - 1)] = frames[-1].at


@dataclass
class Arrivals:
    """When how many messages came, as (from ns, to ns, messages); neighbours are united when there are too many."""

    spans: list[tuple[int, int, int]] = field(default_factory=list)

    def add(self, since: int, until: int, messages: int) -> None:
        self.spans.append((since, until, messages))
        if len(self.spans) > SPANS_AT_MOST:
            pairs = zip(self.spans[::2], self.spans[1::2], strict=False)
            rest = self.spans[len(self.spans) // 2 * 2 :]
            self.spans = [(one[0], two[1], one[2] + two[2]) for one, two in pairs] + rest


class Reader:
    """Reads one tape: `items()` gives (kind, rows or event).

    Rows of one kind come in the order of the file within each partition. Between rows and events, and between kinds,
    order says nothing: a delivery's `step` tells how many events stand before it, a send's `txn` to which transaction
    of this tape it belongs. in_order: everything comes in the file's own order, which takes longer.
    """

    def __init__(self, tape: Tape, *, in_order: bool = False) -> None:
        self.tape = tape
        self.arrivals: dict[int, Arrivals] = defaultdict(Arrivals)
        self.began = NEVER
        self._in_order = in_order
        self._blocks: dict[int, _Block] = {}
        self._unfinished: _Block | None = None
        self._step = self._transactions = self._txn = 0

    def items(self) -> Iterator[tuple[int, Event | Rows]]:
        """Everything on the tape. What cannot be read ends it, and stands in `tape.torn`."""
        for frame in self.tape.frames():
            self.began = min(self.began, frame.t)
            if frame.kind != CORRUPT:
                # A further frame stands in the file, so the application has come back for more. A note on messages
                # before it says nothing of that.
                if self._unfinished is not None:
                    self._unfinished.dones[-1] = frame.t
                self._unfinished = None
            if frame.kind == EVENT:
                yield from self._event(frame)
            elif frame.kind == LOG_RUNS:
                yield from self._flushed(*(kind for kind in (LOG,) if kind in self._blocks))
                yield LOG, self._runs(frame)
            else:
                yield from self._messages(frame)
        yield from self._flushed(*self._blocks)

    def _messages(self, frame: Frame) -> Iterator[tuple[int, Rows]]:
        # Deliveries are one sequence, whatever was recorded of them.
        kind = DELIVER if frame.kind == DELIVER_KEYS else frame.kind
        block = self._blocks.get(kind)
        if block is None:
            block = self._blocks[kind] = _Block(int(self.tape.meta["run_id"]))
        if self._in_order and kind != CORRUPT:
            yield from self._flushed(*(other for other in self._blocks if other != kind))
        count = _filled(frame)
        self.arrivals[kind].add(frame.t, _until(frame), count)
        if not count:
            return
        if count > block.room():
            yield from self._flushed(kind)
        block.take(frame, count, step=self._step, txn=self._txn)
        if kind != CORRUPT:
            self._unfinished = block

    def _runs(self, frame: Frame) -> Rows:
        """A frame whose rows are runs already."""
        count, capacity = frame.length, frame.capacity
        keys = np.frombuffer(frame.data, "<u8", count * 3, frame.start)
        at = frame.start + 24 * capacity
        rows = np.zeros(count, ROW)
        rows["offset"] = np.frombuffer(frame.data, "<i8", count, at)
        rows["partition"] = np.frombuffer(frame.data, "<i4", count, at + 8 * capacity)
        rows["length"] = np.frombuffer(frame.data, "<u4", count, at + 12 * capacity)
        rows["at"] = rows["until"] = rows["done"] = frame.t
        _add_names(rows, keys[0::3], keys[1::3].view(np.int64), self.tape.meta["run_id"])
        self.arrivals[LOG].add(frame.t, frame.t, int(rows["length"].sum()))
        return rows

    def _event(self, frame: Frame) -> Iterator[tuple[int, Event | Rows]]:
        text = bytes(frame.data[frame.start : frame.start + frame.length])
        try:
            data = json.loads(text)
            event = Event(frame.t, str(data["type"]), data)
        except (ValueError, KeyError, TypeError):
            self.tape.torn = f"event at byte {frame.start} cannot be read"
            return
        if self._in_order:
            yield from self._flushed(*self._blocks)
        self._step += 1
        if event.type == "txn":
            begins = data.get("state") == "begin"
            self._transactions += begins
            self._txn = self._transactions if begins else 0
        yield EVENT, event

    def _flushed(self, *kinds: int) -> Iterator[tuple[int, Rows]]:
        for kind in kinds:
            if self._blocks[kind].used:
                yield kind, self._blocks[kind].rows()


def _until(frame: Frame) -> int:
    """When the last message of a frame was handed over; frames of keys are written when many batches have come."""
    return max(frame.t, frame.done) if frame.kind == DELIVER_KEYS and not frame.flags & OPEN else frame.t


def _filled(frame: Frame) -> int:
    """How many messages a frame holds; in an open one those whose key is written."""
    if not frame.flags & OPEN:
        return frame.length
    names = np.frombuffer(frame.data, "<u8", frame.capacity * 3, frame.start)[0::3]
    written = (names & 0xFFFFFFFF) != 0
    return frame.capacity if written.all() else int(written.argmin())
