"""Binary histories of any size, made up: what a producer, the independent reader and a consumer would have recorded.

`Made` makes the segments of the four recordings one by one, to be written to files or read while they are made, for
sizes that no disk holds. Frames have the shapes of real ones: intents go round the partitions a thousand at a time, all
else comes by partition, as fetches and batches of acks do. The consumer leaves out messages and is handed others twice,
each drawn by itself; the last message of a partition always comes, so that what is missing was skipped.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from harness.columns import ROW, Rows
from harness.frames import ACK, DELIVER, EVENT, FRAME, HEADER, HEADER_BYTES, LOG_RUNS, MAGIC, SEND, VERSION, Tape
from harness.history import Event

RUN_ID = 7
SEGMENT_BYTES = 4 << 20
BATCH = 1000
"""Messages of one partition that come together; a producer's chunk is as large, over all partitions."""


@dataclass
class Made:
    """messages: of each partition. lost, twice: the share of deliveries left out and handed over again.

    `truth` is counted, and `making_s` measured, while segments are made.
    """

    partitions: int
    messages: int
    lost: float = 0.0
    twice: float = 0.0
    truth: dict[str, int] = field(default_factory=dict)
    making_s: float = 0.0

    def __post_init__(self) -> None:
        assert self.messages % BATCH == 0
        self._draw = np.random.default_rng(self.messages)
        self.truth = {"delivered": 0, "skipped": 0, "repeat": 0}

    def tape(self, name: str) -> Tape:
        """Read while it is made."""
        meta = self._meta(name)
        return Tape(meta, HEADER_BYTES, SEGMENT_BYTES, self._timed(name))

    def write(self, name: str, folder: Path) -> Path:
        path = folder / f"{name}.bin"
        with path.open("wb") as file:
            for segment, base in self._timed(name):
                file.seek(base)
                file.write(segment)
        return path

    def all_rows(self) -> Rows:
        """What the producer was acked, as one row a partition."""
        rows = np.zeros(self.partitions, ROW)
        rows["partition"] = rows["asked"] = np.arange(self.partitions)
        rows["producer"], rows["length"] = 1, self.messages
        return rows

    def own_events(self) -> list[Event]:
        """The harness's own: the bounded wait is over, while the consumer is still there."""
        return [Event(1 << 61, "drained", {"waited_s": 0, "lag": {}})]

    def _meta(self, name: str) -> dict[str, object]:
        role = {"p1": "produce", "reader": "read_log", "c1": "consume"}[name]
        return {"worker": name, "role": role, "run_id": RUN_ID, "producer": 1}

    def _timed(self, name: str) -> Iterator[tuple[bytes, int]]:
        segments = self._segments(name)
        while True:
            begin = time.perf_counter()
            segment = next(segments, None)
            self.making_s += time.perf_counter() - begin
            if segment is None:
                return
            yield segment

    def _segments(self, name: str) -> Iterator[tuple[bytes, int]]:
        text = json.dumps(self._meta(name)).encode()
        head = HEADER.pack(MAGIC, VERSION, HEADER_BYTES, SEGMENT_BYTES, len(text)).ljust(64, b"\0") + text
        parts, used, base = [head.ljust(HEADER_BYTES, b"\0")], HEADER_BYTES, 0
        makers: dict[str, Callable[[], Iterator[bytes]]] = {
            "p1": self._produced, "reader": self._read, "c1": self._consumed,
        }  # fmt: skip
        for frame in makers[name]():
            if used + len(frame) > SEGMENT_BYTES:
                yield b"".join(parts).ljust(SEGMENT_BYTES, b"\0"), base
                parts, used, base = [], 0, base + SEGMENT_BYTES
            parts.append(frame)
            used += len(frame)
        yield b"".join(parts), base

    def _produced(self) -> Iterator[bytes]:
        """Rounds of one batch a partition: its intents, going round the partitions, then its acks by partition."""
        yield _event(1, type="producer", idempotent=True)
        t = 2
        for first in range(0, self.messages, BATCH):
            partition, seq = np.tile(np.arange(self.partitions), BATCH), np.repeat(np.arange(BATCH), self.partitions)
            for at in range(0, len(partition), BATCH):
                part, number = partition[at : at + BATCH], first + seq[at : at + BATCH]
                t += 1
                yield _frame(SEND, t, number, np.full(BATCH, -1), part)
            yield from self._batches(ACK, 5, t, first)
        yield _event(t + self.partitions + 1, type="producer_end")

    def _read(self) -> Iterator[bytes]:
        for first in range(0, self.messages, BATCH):
            for low in range(0, self.partitions, 10):
                parts = np.arange(low, min(low + 10, self.partitions))
                yield _runs(first + low, parts, first)
        for partition in range(self.partitions):
            yield _event(self.messages, type="log_end", partition=partition, start=0, end=self.messages)

    def _consumed(self) -> Iterator[bytes]:
        yield _event(1, type="member", member="c1", state="join")
        partitions = list(range(self.partitions))
        positions = {str(partition): 0 for partition in partitions}
        yield _event(2, type="assign", member="c1", partitions=partitions, positions=positions)
        for first in range(0, self.messages, BATCH):
            yield from self._batches(DELIVER, 5, first + 3, first)
        yield _event(self.messages + 4, type="member", member="c1", state="leave")

    def _batches(self, kind: int, together: int, t: int, first: int) -> Iterator[bytes]:
        """Frames of one batch each of several partitions."""
        for low in range(0, self.partitions, together):
            parts = np.arange(low, min(low + together, self.partitions))
            partition, seq = np.repeat(parts, BATCH), np.tile(np.arange(first, first + BATCH), len(parts))
            if kind == DELIVER:
                times = self._times(seq)
                partition, seq = np.repeat(partition, times), np.repeat(seq, times)
            yield _frame(kind, t + low, seq, seq, partition)

    def _times(self, seq: np.ndarray) -> np.ndarray:
        """How often each message is handed over."""
        drawn = self._draw.random(len(seq))
        times = np.ones(len(seq), np.int64)
        times[drawn < self.lost] = 0
        times[drawn > 1 - self.twice] = 2
        times[seq == self.messages - 1] = 1
        self.truth["delivered"] += int(np.count_nonzero(times))
        self.truth["skipped"] += int(np.count_nonzero(times == 0))
        self.truth["repeat"] += int(np.count_nonzero(times == 2))
        return times


def _frame(kind: int, t: int, seq: np.ndarray, offset: np.ndarray, partition: np.ndarray) -> bytes:
    body = _keys(t, seq, partition) + offset.astype("<i8").tobytes() + partition.astype("<i4").tobytes()
    body += b"\0" * (-len(body) % 8)
    return FRAME.pack(kind, 0, len(seq), len(seq), len(body), t, t) + body


def _keys(t: int, seq: np.ndarray, partition: np.ndarray) -> bytes:
    keys = np.empty((len(seq), 3), "<u8")
    keys[:, 0] = RUN_ID | 1 << 32
    keys[:, 0] |= partition.astype("<u8") << 48
    keys[:, 1] = seq
    keys[:, 2] = t
    return keys.tobytes()


def _runs(t: int, partitions: np.ndarray, first: int) -> bytes:
    """One batch of each of these partitions, as the independent reader writes it."""
    count = len(partitions)
    seq = np.full(count, first)
    body = _keys(t, seq, partitions) + seq.astype("<i8").tobytes() + partitions.astype("<i4").tobytes()
    body += np.full(count, BATCH, "<u4").tobytes()
    return FRAME.pack(LOG_RUNS, 0, count, count, len(body), t, t) + body


def _event(t: int, **data: object) -> bytes:
    text = json.dumps(data).encode()
    body = text + b" " * (-len(text) % 8)
    return FRAME.pack(EVENT, 0, len(text), 0, len(body), t, t) + body
