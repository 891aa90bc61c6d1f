"""One worker's binary history, from bytes to frames; the format is the contract in harness/worker/README.md.

A file is taken a segment at a time, so that its size does not matter. What cannot be read is told in `Tape.torn`, never
skipped in silence. What the frames hold is read by `harness.reader`.
"""

import json
import mmap
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from harness.errors import HarnessError

MAGIC = b"KHARNESS"
VERSION = 1
HEADER_BYTES = 4096
HEADER = struct.Struct("<8sIIQI")
FRAME = struct.Struct("<HHIIIqq")
EVENT, DELIVER, DELIVER_KEYS, SEND, ACK, NACK, UNKNOWN, LOG, CORRUPT, LOG_RUNS, TIMES = range(1, 12)
ROW_BYTES = {DELIVER_KEYS: 24, LOG_RUNS: 40, TIMES: 8}  # 36 for all others
OPEN = 1

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
    if frame.kind > TIMES or frame.payload % 8 or frame.payload > room:
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
    except (ValueError, RecursionError) as error:
        raise HarnessError("bad-recording", f"{path}: its description cannot be read ({error})") from error
    if segment_bytes < 1 or header_bytes < len(header) or not _describes_a_worker(meta):
        raise HarnessError("bad-recording", f"{path}: its description makes no sense", "The file was damaged.")
    return Tape(
        meta, header_bytes, segment_bytes, _segments(data, segment_bytes), lambda: _open_frame(data, header_bytes)
    )


def _describes_a_worker(meta: Any) -> bool:
    """Whether the header's description has what reading the file depends on."""
    if not isinstance(meta, dict) or not _below(meta.get("run_id"), 1 << 32):
        return False
    if meta.get("role") not in ("produce", "consume", "read_log") or not isinstance(meta.get("worker"), str):
        return False
    return meta["role"] != "produce" or _below(meta.get("producer"), 1 << 16)


def _below(value: Any, limit: int) -> bool:
    """Whether it is a number that an identity has room for."""
    return isinstance(value, int) and 0 <= value < limit


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


def until(frame: Frame) -> int:
    """When the last message of a frame was handed over; frames of keys are written when many batches have come."""
    return max(frame.t, frame.done) if frame.kind == DELIVER_KEYS and not frame.flags & OPEN else frame.t


def filled(frame: Frame) -> int:
    """How many messages a frame holds; in an open one those whose key is written."""
    if not frame.flags & OPEN:
        return frame.length
    names = np.frombuffer(frame.data, "<u8", frame.capacity * 3, frame.start)[0::3]
    written = (names & 0xFFFFFFFF) != 0
    return frame.capacity if written.all() else int(written.argmin())
