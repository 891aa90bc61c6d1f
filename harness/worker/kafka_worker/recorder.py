"""Writes a history file: straight to the kernel, so that nothing written is lost when the worker is killed.

The format is README.md, History file. A frame's payload is written before its header: a header that is not there yet
hides what is half written. Segments are reserved before they are mapped: a full disk is an OSError here, not a SIGBUS
later. Whole frames are written by pwrite; a frame that is filled one message at a time lies in a shared memory map.
"""

import errno
import json
import mmap
import os
import struct
import time

from kafka_worker.clock import now_ns
from kafka_worker.payload import KEY_BYTES

MAGIC = b"KHARNESS"
VERSION = 1
HEADER_BYTES = 4096
META_AT = 64
SEGMENT_BYTES = 4 << 20
ROW_BYTES = KEY_BYTES + 8 + 4
EVENT, DELIVER, DELIVER_KEYS, SEND, ACK, NACK, UNKNOWN, LOG, CORRUPT = range(1, 10)
OPEN = 1

FILE_HEADER = struct.Struct("<8sIIQII")
FRAME = struct.Struct("<HHIIIQQ")
COUNT_AND_FLAGS = struct.Struct("<HHI")


PLACES = tuple(slice(at, at + KEY_BYTES) for at in range(0, KEY_BYTES * 4096, KEY_BYTES))
"""Where the key of each row stands in an open frame; an open frame has at most so many rows."""


def segment_bytes_for(rows):
    """The size of segment that holds a frame of so many rows."""
    size = SEGMENT_BYTES
    while size - HEADER_BYTES - FRAME.size < rows * ROW_BYTES + 8:
        size *= 2
    return size


class DiskError(Exception):
    """The history cannot be written: the disk is full, or worse. What was written is kept."""

    def __init__(self, path, error):
        code = errno.errorcode.get(error.errno, error.errno)
        super().__init__("%s: %s (%s)" % (path, "the disk is full" if code == "ENOSPC" else error.strerror, code))


class Recorder:
    """One history file, written by one thread."""

    def __init__(self, path, meta, segment_bytes=SEGMENT_BYTES):
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        except OSError as error:
            raise DiskError(path, error)
        self._segment_bytes = segment_bytes
        self._segment = -1
        self._map = None
        self._at = 0
        self.max_rows = (segment_bytes - HEADER_BYTES - FRAME.size - 8) // ROW_BYTES
        self._next_segment()
        text = json.dumps(
            dict(meta, pid=os.getpid(), wall_ns=int(time.time() * 1e9), monotonic_ns=now_ns()), sort_keys=True
        ).encode()
        if META_AT + len(text) > HEADER_BYTES:
            raise ValueError("the description of a history takes %d bytes, too many for its header" % len(text))
        self._map[META_AT : META_AT + len(text)] = text
        # The magic comes last: a file with it has its whole header.
        header = FILE_HEADER.pack(MAGIC, VERSION, HEADER_BYTES, segment_bytes, len(text), 0)
        self._map[8 : len(header)] = header[8:]
        self._map[0:8] = MAGIC
        self._at = HEADER_BYTES
        self._head = mmap.mmap(self._fd, HEADER_BYTES)
        self._live = memoryview(self._head)[32:48].cast("Q")

    def count(self, messages, t_ns):
        """Move the live counters, which are for watching only."""
        self._live[0] += messages
        self._live[1] = t_ns

    def event(self, data, t_ns=None):
        text = json.dumps(data, default=str).encode()
        if len(text) > self._segment_bytes // 2:
            text = json.dumps({"type": data["type"], "error": "event too large to be recorded"}).encode()
        t_ns = t_ns or now_ns()
        self._frame(EVENT, len(text), len(text), [text + b" " * (-len(text) % 8)], t_ns, t_ns)

    def columns(self, kind, keys, offsets, partitions, t_ns, done_ns=None):
        """A frame of messages: joined keys, array('q') of offsets, array('i') of partitions."""
        rows = len(offsets)
        # One call's messages stay one frame, for they are one step of the application; only what no segment can hold
        # is split.
        for first in range(0, rows, self.max_rows):
            last = min(rows, first + self.max_rows)
            part = partitions[first:last].tobytes()
            self._frame(
                kind,
                last - first,
                last - first,
                [
                    keys[first * KEY_BYTES : last * KEY_BYTES],
                    offsets[first:last].tobytes(),
                    part + b"\0" * (-len(part) % 8),
                ],
                t_ns,
                done_ns or t_ns,
            )

    def keys_only(self, kind, keys, t_ns, done_ns):
        rows = len(keys) // KEY_BYTES
        for first in range(0, rows, self.max_rows):
            part = keys[first * KEY_BYTES : min(rows, first + self.max_rows) * KEY_BYTES]
            self._frame(kind, len(part) // KEY_BYTES, len(part) // KEY_BYTES, [part], t_ns, done_ns)

    def open(self, capacity):
        """Begin a frame that is filled one message at a time; at most one is open, and nothing else is written then."""
        size = capacity * ROW_BYTES
        at = self._reserve(FRAME.size + size + -size % 8)
        return OpenFrame(self._map, at, capacity)

    def closed(self, frame):
        """Go on behind a frame that was closed."""
        self._at = frame.end if frame.kept else frame.at

    def close(self):
        """Cut the file to its used length. Files of workers that were killed stay as they are."""
        self._live.release()
        self._head.close()
        self._map.close()
        os.ftruncate(self._fd, self._segment * self._segment_bytes + self._at)
        os.close(self._fd)

    def _frame(self, kind, count, capacity, parts, t_ns, done_ns):
        payload = b"".join(parts)
        at = self._reserve(FRAME.size + len(payload))
        start = self._segment * self._segment_bytes + at
        # Written, not stored into the map: the first touch of each mapped page costs 5 us, more than all else here.
        self._pwrite(payload, start + FRAME.size)
        self._pwrite(FRAME.pack(kind, 0, count, capacity, len(payload), t_ns, done_ns), start)
        self._at = at + FRAME.size + len(payload)

    def _pwrite(self, data, at):
        view = memoryview(data)
        while view:
            try:
                written = os.pwrite(self._fd, view, at)
            except OSError as error:
                raise DiskError(self._path, error)
            view, at = view[written:], at + written

    def _reserve(self, size):
        if self._at + size > self._segment_bytes:
            self._next_segment()
        return self._at

    def _next_segment(self):
        start = (self._segment + 1) * self._segment_bytes
        try:
            reserve(self._fd, start, self._segment_bytes)
        except OSError as error:
            raise DiskError(self._path, error)
        if self._map is not None:
            self._map.close()
        self._map = mmap.mmap(self._fd, self._segment_bytes, offset=start)
        self._segment += 1
        self._at = 0


class OpenFrame:
    """A block of deliveries that is being filled.

    Per message the loop sets `offsets[row]` and then `keys[PLACES[row]]`: the row exists with its key. Both go straight
    to the map, which refuses (ValueError) a key of another length; a method of this class around them would cost more
    than the two together.
    """

    def __init__(self, segment, at, capacity):
        self._map = segment
        self.at = at
        self.capacity = capacity
        self.kept = False
        self._keys_at = at + FRAME.size
        offsets_at = self._keys_at + capacity * KEY_BYTES
        self._partitions_at = offsets_at + capacity * 8
        payload = capacity * ROW_BYTES
        payload += -payload % 8
        self.end = self._keys_at + payload
        self.offsets = memoryview(segment)[offsets_at : self._partitions_at].cast("q")
        self.keys = memoryview(segment)[self._keys_at : offsets_at]
        header = FRAME.pack(DELIVER, OPEN, 0, capacity, payload, now_ns(), 0)
        segment[at + 2 : self._keys_at] = header[2:]
        segment[at : at + 2] = header[:2]

    def stamp(self, t_ns):
        """The first message was handed over now; until then the frame said when the application began to wait."""
        self._map[self.at + 16 : self.at + 24] = struct.pack("<Q", t_ns)

    def close(self, partitions, done_ns):
        """End the frame with one row for each of `partitions` (array('i')); a frame without rows vanishes."""
        self.offsets.release()
        self.keys.release()
        rows = len(partitions)
        self.kept = rows > 0
        if not self.kept:
            self._map[self.at : self._keys_at] = bytes(FRAME.size)
            return
        data = partitions.tobytes()
        self._map[self._partitions_at : self._partitions_at + len(data)] = data
        self._map[self.at + 24 : self._keys_at] = struct.pack("<Q", done_ns)
        # One assignment for flags and count: a reader sees the frame open or closed, never between.
        self._map[self.at : self.at + 8] = COUNT_AND_FLAGS.pack(DELIVER, 0, rows)


def reserve(fd, start, size):
    """Take disk space now, so that a full disk is an error here and not a lost page."""
    try:
        os.posix_fallocate(fd, start, size)
    except AttributeError:
        _fill(fd, start, size)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise
        _fill(fd, start, size)


def _fill(fd, start, size):
    zeros = bytes(1 << 20)
    for at in range(start, start + size, len(zeros)):
        if os.pwrite(fd, zeros, at) != len(zeros):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
