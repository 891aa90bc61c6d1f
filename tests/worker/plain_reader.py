"""Reads a history file with struct alone, straight from the contract: a second opinion beside `harness.recording`."""

import json
import struct
from pathlib import Path
from typing import Any, NamedTuple

FRAME = struct.Struct("<HHIIIQQ")
KEY = struct.Struct("<IHHQQ")


class Frame(NamedTuple):
    kind: int
    flags: int
    rows: list[tuple[bytes, int, int]]  # key, offset, partition
    event: dict[str, Any] | None
    t_ns: int
    done_ns: int


def read(path: Path) -> tuple[dict[str, Any], list[Frame]]:
    data = path.read_bytes()
    magic, version, header_bytes, segment_bytes, meta_bytes, _ = struct.unpack_from("<8sIIQII", data)
    assert (magic, version) == (b"KHARNESS", 1)
    frames, at = [], header_bytes
    while at + FRAME.size <= len(data):
        room = segment_bytes - at % segment_bytes
        kind, flags, count, capacity, payload, t_ns, done_ns = FRAME.unpack_from(data, at)
        if room < FRAME.size or kind == 0:
            at += room
            continue
        assert payload % 8 == 0
        assert FRAME.size + payload <= room
        frames.append(_frame(data, at + FRAME.size, kind, flags, count, capacity, t_ns, done_ns))
        at += FRAME.size + payload
    if header_bytes > 4096:
        kind, flags, count, capacity, payload, t_ns, place = FRAME.unpack_from(data, 4096)
        if kind and data[place : place + 2] in (b"", b"\0\0"):
            assert FRAME.size + payload <= header_bytes - 4096
            frames.append(_frame(data, 4096 + FRAME.size, kind, flags, count, capacity, t_ns, 0))
    return json.loads(data[64 : 64 + meta_bytes]), frames


def _frame(data: bytes, at: int, kind: int, flags: int, count: int, capacity: int, t_ns: int, done_ns: int) -> Frame:
    if kind == 1:
        return Frame(kind, flags, [], json.loads(data[at : at + count]), t_ns, done_ns)
    rows = []
    if kind == 10:
        for row in range(count):
            run, producer, asked, seq, due = KEY.unpack_from(data, at + 24 * row)
            (offset,) = struct.unpack_from("<q", data, at + 24 * capacity + 8 * row)
            (partition,) = struct.unpack_from("<i", data, at + 32 * capacity + 4 * row)
            (length,) = struct.unpack_from("<I", data, at + 36 * capacity + 4 * row)
            rows += [
                (KEY.pack(run, producer, asked, seq + more, due), offset + more, partition) for more in range(length)
            ]
        return Frame(kind, flags, rows, None, t_ns, done_ns)
    for row in range(capacity if flags & 1 else count):
        key = data[at + 24 * row : at + 24 * row + 24]
        if flags & 1 and key[:4] == b"\0\0\0\0":
            break
        offset = partition = -1
        if kind != 3:
            (offset,) = struct.unpack_from("<q", data, at + 24 * capacity + 8 * row)
            (partition,) = struct.unpack_from("<i", data, at + 32 * capacity + 4 * row)
        if flags & 1:
            partition = KEY.unpack(key)[2]
        rows.append((key, offset, partition))
    return Frame(kind, flags, rows, None, t_ns, done_ns)


def rows(frames: list[Frame], kind: int) -> list[tuple[int, int, int]]:
    """(partition, offset, seq) of every row of one kind."""
    return [
        (partition, offset, KEY.unpack(key)[3])
        for frame in frames
        if frame.kind == kind
        for key, offset, partition in frame.rows
    ]


def events(frames: list[Frame]) -> list[dict[str, Any]]:
    return [frame.event for frame in frames if frame.event is not None]
