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
EVENT, DELIVER, DELIVER_KEYS, SEND, ACK, NACK, UNKNOWN, LOG, CORRUPT = range(1, 10)
OTHER_DELIVERIES = {DELIVER: DELIVER_KEYS, DELIVER_KEYS: DELIVER}
OPEN = 1

BLOCK_MESSAGES = 1 << 14
"""So many messages become rows at once: their columns fit into a core's own cache."""

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
    if frame.kind > CORRUPT or frame.payload % 8 or frame.payload > room:
        return "cannot be read"
    if frame.payload > there:
        return "is cut short"
    return "" if _holds(frame.kind, frame.length, frame.capacity, frame.payload) else "cannot be read"


def _holds(kind: int, count: int, capacity: int, payload: int) -> bool:
    """Whether the payload has room for the columns or the text that the header tells of."""
    if kind == EVENT:
        return count <= payload
    return count <= capacity and capacity * (24 if kind == DELIVER_KEYS else 36) <= payload


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


@dataclass
class _Columns:
    """The columns of one frame, and when its messages were handed over."""

    names: NDArray[np.uint64]  # run, producer and partition asked
    seqs: NDArray[np.int64]
    offsets: NDArray[np.int64]
    partitions: NDArray[np.int32]
    at: int
    until: int
    open: bool
    step: int
    txn: int
    done: int = NEVER  # when the application came back for more

    def __len__(self) -> int:
        return len(self.names)

    def stands_apart(self, before: "_Columns") -> bool:
        """Whether no row may reach from the frame before into this one."""
        return (
            self.step != before.step
            or self.txn != before.txn
            or self.at >> MERGE_BITS != before.at >> MERGE_BITS
            or (self.done == NEVER and not self.open)
        )


def _columns(frame: Frame, step: int, txn: int) -> _Columns:
    is_open = bool(frame.flags & OPEN)
    rows = frame.capacity if is_open else frame.length
    keys = np.frombuffer(frame.data, "<u8", rows * 3, frame.start).reshape(-1, 3)
    if is_open:
        written = (keys[:, 0] & 0xFFFFFFFF) != 0
        rows = int(written.argmin()) if not written.all() else frame.capacity
        keys = keys[:rows]
    names = keys[:, 0]
    if frame.kind == DELIVER_KEYS:
        offsets = np.full(rows, NO_OFFSET, np.int64)
    else:
        offsets = np.frombuffer(frame.data, "<i8", rows, frame.start + 24 * frame.capacity)
    if frame.kind == DELIVER_KEYS or is_open:
        partitions = (names >> 48).astype(np.int32)
    else:
        partitions = np.frombuffer(frame.data, "<i4", rows, frame.start + 32 * frame.capacity)
    until = max(frame.t, frame.done) if frame.kind == DELIVER_KEYS and not is_open else frame.t
    return _Columns(names, keys[:, 1].view(np.int64), offsets, partitions, frame.t, until, is_open, step, txn)


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
        self._blocks: dict[int, list[_Columns]] = defaultdict(list)
        self._filled: dict[int, int] = defaultdict(int)
        self._unfinished: _Columns | None = None
        self._step = self._transactions = self._txn = 0

    def items(self) -> Iterator[tuple[int, Event | Rows]]:
        """Everything on the tape. What cannot be read ends it, and stands in `tape.torn`."""
        for frame in self.tape.frames():
            self.began = min(self.began, frame.t)
            if frame.kind == CORRUPT:
                # A note on messages before it: the application has not come back for more.
                yield CORRUPT, self._rows([_columns(frame, self._step, 0)])
                continue
            if self._unfinished is not None:
                self._unfinished.done = frame.t
            if self._in_order and frame.kind not in self._blocks:
                yield from self._flushed()
            if frame.kind == EVENT:
                yield from self._event(frame)
            else:
                yield from self._messages(frame)
        yield from self._flushed()

    def _messages(self, frame: Frame) -> Iterator[tuple[int, Rows]]:
        kind = frame.kind
        if self._filled[kind] + frame.length > BLOCK_MESSAGES:
            yield from self._flushed(kind)
        if kind in OTHER_DELIVERIES:
            yield from self._flushed(OTHER_DELIVERIES[kind])
        columns = self._unfinished = _columns(frame, self._step, self._txn)
        self.arrivals[kind].add(columns.at, columns.until, len(columns))
        if len(columns):
            self._blocks[kind].append(columns)
            self._filled[kind] += len(columns)

    def _event(self, frame: Frame) -> Iterator[tuple[int, Event]]:
        self._unfinished = None
        text = bytes(frame.data[frame.start : frame.start + frame.length])
        try:
            data = json.loads(text)
            event = Event(frame.t, str(data["type"]), data)
        except (ValueError, KeyError, TypeError):
            self.tape.torn = f"event at byte {frame.start} cannot be read"
            return
        self._step += 1
        if event.type == "txn":
            begins = data.get("state") == "begin"
            self._transactions += begins
            self._txn = self._transactions if begins else 0
        yield EVENT, event

    def _flushed(self, *kinds: int) -> Iterator[tuple[int, Rows]]:
        """The blocks of these kinds, or all, as rows."""
        for kind in kinds or list(self._blocks):
            block = self._blocks.pop(kind, None)
            self._filled[kind] = 0
            if block:
                yield kind, self._rows(block)

    def _rows(self, frames: list[_Columns]) -> Rows:
        """The messages of neighbouring frames as rows."""
        total = sum(map(len, frames))
        if not total:
            return np.empty(0, ROW)
        names, seqs, offsets, partitions = (
            np.concatenate([getattr(frame, column) for frame in frames])
            for column in ("names", "seqs", "offsets", "partitions")
        )
        groups = _groups(frames, total)
        begins = _begins(names, seqs, offsets, partitions, groups)
        order = None
        if 4 * np.count_nonzero(begins) > total:
            # Messages of several partitions lie among each other: put side by side what belongs together.
            few = partitions.max() < 1 << 16  # numpy sorts small numbers by radix
            order = np.argsort(partitions.astype(np.uint16) if few else partitions, kind="stable")
            names, seqs, offsets, partitions = names[order], seqs[order], offsets[order], partitions[order]
            begins = _begins(names, seqs, offsets, partitions, groups[order] if groups is not None else None)
        first = np.flatnonzero(begins)
        last = np.concatenate((first[1:] - 1, [total - 1]))
        rows = np.zeros(len(first), ROW)
        ours = (names[first] & 0xFFFFFFFF) == int(self.tape.meta["run_id"])
        rows["partition"] = partitions[first]
        rows["producer"] = np.where(ours, ((names[first] >> 32) & 0xFFFF).astype(np.int64), NO_PRODUCER)
        rows["asked"] = np.where(ours, (names[first] >> 48).astype(np.int64), rows["partition"])
        rows["seq"] = np.where(ours, seqs[first], 0)
        rows["offset"] = offsets[first]
        rows["length"] = last - first + 1
        _add_times(rows, frames, first if order is None else order[first], last if order is None else order[last])
        return rows


def _groups(frames: list[_Columns], total: int) -> NDArray[np.int64] | None:
    """A number for each message, that of the group which rows may not leave; None where there is but one group."""
    numbers = np.cumsum([0] + [after.stands_apart(before) for before, after in pairwise(frames)])
    doubtful = frames[-1].open and frames[-1].done == NEVER
    if not numbers[-1] and not doubtful:
        return None
    groups = np.repeat(numbers, [len(frame) for frame in frames])
    # Of the messages of an open frame only the last one was perhaps never processed.
    groups[total - doubtful :] += 1
    return groups


def _begins(
    names: NDArray[np.uint64],
    seqs: NDArray[np.int64],
    offsets: NDArray[np.int64],
    partitions: NDArray[np.int32],
    groups: NDArray[np.int64] | None,
) -> NDArray[np.bool_]:
    """Where a row begins: where a message does not continue the one before."""
    begins = np.ones(len(names), bool)
    inside = begins[1:]
    np.not_equal(names[1:], names[:-1], out=inside)
    inside |= seqs[1:] - seqs[:-1] != 1
    inside |= partitions[1:] != partitions[:-1]
    if offsets.min() != NO_OFFSET:
        inside |= offsets[1:] - offsets[:-1] != 1
    else:
        inside |= offsets[1:] != np.where(offsets[:-1] != NO_OFFSET, offsets[:-1] + 1, NO_OFFSET)
    if groups is not None:
        inside |= groups[1:] != groups[:-1]
    return begins


def _add_times(rows: Rows, frames: list[_Columns], first: NDArray[np.int64], last: NDArray[np.int64]) -> None:
    """Times, steps and transactions of rows, whose first and last message have these places in the frames."""
    ends = np.cumsum([len(frame) for frame in frames])
    begin, end = np.searchsorted(ends, first, side="right"), np.searchsorted(ends, last, side="right")
    for name in ("at", "step", "txn"):
        rows[name] = np.array([getattr(frame, name) for frame in frames])[begin]
    for name in ("until", "done"):
        rows[name] = np.array([getattr(frame, name) for frame in frames])[end]
    if frames[-1].open and frames[-1].done == NEVER:
        # The application came back for each message of an open frame but the last.
        rows["done"][(end == len(frames) - 1) & (last < ends[-1] - 1)] = frames[-1].at
