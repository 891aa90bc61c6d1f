"""Writes a history file: straight to the kernel, so that nothing written is lost when the worker is killed.

The format is README.md, History file. A frame's payload is written before its header: a header that is not there yet
hides what is half written. Segments are reserved before they are mapped: a full disk is an OSError here, not a SIGBUS
later. Whole frames are written by pwrite; the one frame that is filled message by message lies in a shared memory map,
always of the same few pages: the first touch of each mapped page costs as much as several messages.
"""

import ctypes
import errno
import json
import mmap
import os
import struct
import time
from array import array
from itertools import accumulate, count, groupby
from operator import sub

from kafka_worker.clock import now_ns
from kafka_worker.hiding import without_secrets
from kafka_worker.payload import KEY_BYTES

MAGIC = b"KHARNESS"
VERSION = 1
META_AT = 64
OPEN_AT = 4096
HEADER_BYTES = 3 * 4096
SEGMENT_BYTES = 4 << 20
ROW_BYTES = KEY_BYTES + 8 + 4
EVENT, DELIVER, DELIVER_KEYS, SEND, ACK, NACK, UNKNOWN, LOG, CORRUPT, LOG_RUNS, TIMES = range(1, 12)
OPEN = 1

FILE_HEADER = struct.Struct("<8sIIQII")
FRAME = struct.Struct("<HHIIIQQ")
OPEN_ROWS = 256  # With more, the messages that a block keeps leave the nearer caches: +25 ns each.


NO_ROWS = bytes(FRAME.size + OPEN_ROWS * KEY_BYTES)


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
        self.max_runs = (segment_bytes - HEADER_BYTES - FRAME.size) // (ROW_BYTES + 4)
        self._next_segment()
        text = json.dumps(
            dict(meta, pid=os.getpid(), wall_ns=int(time.time() * 1e9), monotonic_ns=now_ns()), sort_keys=True
        ).encode()
        if META_AT + len(text) > OPEN_AT:
            raise ValueError("the description of a history takes %d bytes, too many for its header" % len(text))
        self._map[META_AT : META_AT + len(text)] = text
        # The magic comes last: a file with it has its whole header.
        header = FILE_HEADER.pack(MAGIC, VERSION, HEADER_BYTES, segment_bytes, len(text), 0)
        self._map[8 : len(header)] = header[8:]
        self._map[0:8] = MAGIC
        self._at = HEADER_BYTES
        self._head = mmap.mmap(self._fd, HEADER_BYTES)
        self._live = memoryview(self._head)[32:56].cast("Q")
        # Setting `raw` is the fastest way to put a key in its place.
        self._rows = list((ctypes.c_char * KEY_BYTES * OPEN_ROWS).from_buffer(self._head, OPEN_AT + FRAME.size))

    def count(self, messages, t_ns):
        """Move the live counters, which are for watching only."""
        self._live[0] += messages
        self._live[1] = t_ns

    def turn(self):
        """The loop has come round once more: for the watchdog."""
        self._live[2] += 1

    def event(self, data, t_ns=None):
        text = json.dumps(without_secrets(data), default=str).encode()
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

    def runs(self, kind, keys, offsets, partitions, t_ns):
        """A frame of the same columns as runs: neighbours that count up in seq and offset are one row with a length."""
        words = memoryview(keys).cast("Q")
        # What is the same for all messages of a run: seq and offset less the place in the frame.
        marks = zip(words[0::3], map(sub, words[1::3], count()), map(sub, offsets, count()), partitions)
        lengths = array("I", [len(list(run)) for _, run in groupby(marks)])
        ends = list(accumulate(lengths))
        for first in range(0, len(ends), self.max_runs):
            some = [end - length for end, length in zip(ends, lengths)][first : first + self.max_runs]
            parts = [
                b"".join([keys[row * KEY_BYTES : (row + 1) * KEY_BYTES] for row in some]),
                array("q", [offsets[row] for row in some]).tobytes(),
                array("i", [partitions[row] for row in some]).tobytes(),
                lengths[first : first + self.max_runs].tobytes(),
            ]
            self._frame(kind, len(some), len(some), parts, t_ns, t_ns)

    def keys_only(self, kind, keys, t_ns, done_ns):
        rows = len(keys) // KEY_BYTES
        for first in range(0, rows, self.max_rows):
            part = keys[first * KEY_BYTES : min(rows, first + self.max_rows) * KEY_BYTES]
            self._frame(kind, len(part) // KEY_BYTES, len(part) // KEY_BYTES, [part], t_ns, done_ns)

    def times(self, times):
        """When each message of the frame before was handed over."""
        count = len(times)
        self._frame(TIMES, count, count, [array("Q", times).tobytes()], times[0], times[-1])

    def open(self, capacity, t_ns):
        """The rows of the open frame, empty, to be filled from the first on: `rows[0].raw = key`.

        Whatever is written next, the frame of these messages in its final form or an event, takes the place for which
        the open frame stands in, and so ends it.
        """
        at = self._reserve(FRAME.size + capacity * ROW_BYTES + 8)
        place = self._segment * self._segment_bytes + at
        header = FRAME.pack(DELIVER_KEYS, OPEN, 0, capacity, capacity * KEY_BYTES, t_ns, place)
        # Its kind goes first and comes last: it is no frame while it is made.
        self._head[OPEN_AT : OPEN_AT + 2] = b"\0\0"
        self._head[OPEN_AT + 2 : OPEN_AT + len(NO_ROWS)] = NO_ROWS[2:]
        self._head[OPEN_AT + 2 : OPEN_AT + FRAME.size] = header[2:]
        self._head[OPEN_AT : OPEN_AT + 2] = header[:2]
        return self._rows

    def opened(self, rows):
        """The joined keys of so many rows of the open frame."""
        at = OPEN_AT + FRAME.size
        return self._head[at : at + rows * KEY_BYTES]

    def close(self):
        """Cut the file to its used length. Files of workers that were killed stay as they are."""
        # The map of the header goes with the rows that lie in it.
        self._live.release()
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
