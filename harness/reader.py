"""A tape read: from the frames of one worker's file to rows and events."""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from harness.blocks import Block, add_names
from harness.columns import NEVER, ROW, Rows
from harness.frames import CORRUPT, DELIVER, DELIVER_KEYS, EVENT, LOG, LOG_RUNS, TIMES, Frame, Tape, filled, until
from harness.history import Event
from harness.portable_lines import lacks

LENGTH_AT_MOST = np.iinfo(ROW["length"]).max
"""Messages in a row. A run that says more is damage, and must not become a row of fewer than none."""

SPANS_AT_MOST = 4096
"""Of when messages arrived no finer picture is kept."""


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
        self._blocks: dict[int, Block] = {}
        self._unfinished: Block | None = None
        self._within: list[Event] = []  # written in the middle of a batch; in order, they come behind its messages
        self._step = self._transactions = self._txn = 0

    def items(self) -> Iterator[tuple[int, Event | Rows]]:
        """Everything on the tape. What cannot be read ends it, and stands in `tape.torn`."""
        for frame in self.tape.frames():
            if frame.kind == TIMES:
                continue  # for `measuring.latency`; it says nothing of what became of any message
            self.began = min(self.began, frame.t)
            event = self._parsed(frame) if frame.kind == EVENT else None
            if event is not None and event.data.get("within"):
                yield from self._in_the_middle(event)
                continue
            if frame.kind != CORRUPT:
                # A further frame stands in the file, so the application has come back for more. A note on messages
                # before it says nothing of that.
                if self._unfinished is not None:
                    self._unfinished.dones[-1] = frame.t
                self._unfinished = None
            if frame.kind == EVENT:
                yield from self._event(event)
            elif frame.kind == LOG_RUNS:
                yield from self._flushed(*(kind for kind in (LOG,) if kind in self._blocks))
                yield LOG, self._runs(frame)
            else:
                yield from self._messages(frame)
        yield from self._flushed(*self._blocks)
        yield from self._behind()

    def _messages(self, frame: Frame) -> Iterator[tuple[int, Event | Rows]]:
        # Deliveries are one sequence, whatever was recorded of them.
        kind = DELIVER if frame.kind == DELIVER_KEYS else frame.kind
        block = self._blocks.get(kind)
        if block is None:
            block = self._blocks[kind] = Block(int(self.tape.meta["run_id"]))
        if self._in_order and kind != CORRUPT:
            yield from self._flushed(*(other for other in self._blocks if other != kind or self._within))
            yield from self._behind()
        count = filled(frame)
        self.arrivals[kind].add(frame.t, until(frame), count)
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
        lengths = np.frombuffer(frame.data, "<u4", count, at + 12 * capacity)
        if lengths.max(initial=0) > LENGTH_AT_MOST:
            self.tape.torn = f"frame at byte {frame.place} cannot be read"
            return rows[:0]
        rows["length"] = lengths
        rows["at"] = rows["until"] = rows["done"] = frame.t
        add_names(rows, keys[0::3], keys[1::3].view(np.int64), self.tape.meta["run_id"])
        self.arrivals[LOG].add(frame.t, frame.t, int(rows["length"].sum()))
        return rows

    def _parsed(self, frame: Frame) -> Event | None:
        text = bytes(frame.data[frame.start : frame.start + frame.length])
        try:
            data = json.loads(text)
            event = Event(frame.t, str(data["type"]), data)
            if lacks(data):
                raise ValueError
            return event
        except (ValueError, KeyError, TypeError, RecursionError):
            self.tape.torn = f"event at byte {frame.start} cannot be read"
            return None

    def _in_the_middle(self, event: Event) -> Iterator[tuple[int, Event]]:
        """What a worker wrote while its application was at work on the last frame's messages: that it has not finished.

        How far it is, is no event of the history.
        """
        if event.type == "processed":
            if self._unfinished is not None and self._unfinished.used:
                self._unfinished.done_so_far(int(event.data.get("messages") or 0), event.at)
            return
        self._step += 1
        del event.data["within"]
        if self._in_order:
            self._within.append(event)
        else:
            yield EVENT, event

    def _behind(self) -> Iterator[tuple[int, Event]]:
        within, self._within = self._within, []
        yield from ((EVENT, event) for event in within)

    def _event(self, event: Event | None) -> Iterator[tuple[int, Event | Rows]]:
        if event is None:
            return
        if self._in_order:
            yield from self._flushed(*self._blocks)
            yield from self._behind()
        self._step += 1
        if event.type == "txn":
            begins = event.data.get("state") == "begin"
            self._transactions += begins
            self._txn = self._transactions if begins else 0
        yield EVENT, event

    def _flushed(self, *kinds: int) -> Iterator[tuple[int, Rows]]:
        for kind in kinds:
            if self._blocks[kind].used:
                yield kind, self._blocks[kind].rows()
