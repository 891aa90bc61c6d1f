"""Pure: what one kill would have cost, moment by moment: messages lost by it, or repeated after it.

*Would be lost*: covered by the commit in force, and not yet processed. *Would be repeated*: processed, and not covered.
Both are counted for each consumer over the partitions that it owns, from its first message to the last one that it
processed (or to its death), and told as the most at any time and as what they did not exceed in 99 % of the time. They
are no findings: the judge says what did get lost. They say how near it was, and what a commit interval costs.

The workers' own tapes are read, not the judge's rows: these unite what was processed within a second. A tape is
precise enough where the application works on messages or commits by itself; elsewhere calls share a block, and nothing
is said. Commits are those that the client told of, which for those that a library makes by itself is late or never
(aiokafka). So the group's stored offsets count too, as seen from outside now and then. Where they had to be looked at,
both figures are the least that is proven; where nobody did, nothing is said.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.columns import Columns
from harness.frames import DELIVER, EVENT, OPEN, Frame, Tape
from harness.history import Event, History

QUANTILE = 0.99
BY_ITSELF = ("auto", "store_offsets", None)
"""Modes in which the library commits, whatever the application is at."""
Rank = Callable[[int, int], int]
"""Of a partition and an offset: how many messages the log holds below it."""

Step = tuple[int, str, dict[int, int]]
"""One thing that happened: when, what, and the offset of each partition that it is about."""


def precise(settings: Mapping[str, Any]) -> bool:
    """Whether a scenario's consumers record how far they have come in each call's messages."""
    consumer = settings.get("consumer") or {}
    commit = consumer.get("commit") or {}
    loss = settings.get("record", "loss") == "loss"
    return loss and (bool(consumer.get("processing")) or commit.get("mode") not in (*BY_ITSELF, "none"))


def needs_looks(settings: Mapping[str, Any]) -> bool:
    """Whether what the clients tell of commits is not enough."""
    return ((settings.get("consumer") or {}).get("commit") or {}).get("mode") in BY_ITSELF


def measure(history: History, tapes: Iterable[Tape], looks: list[Event]) -> dict[str, Any] | None:
    """The key `commit_window` of metrics.json; None where no consumer was handed and told anything.

    looks: `seen` events of the harness, from before until after each question for the group's stored offsets.
    """
    rank = _ranks(history.log)
    died = {stream.member: stream.events[-1].at for stream in history.streams if _died(stream.events)}
    lost, repeated = [], []
    for tape in tapes:
        steps, died_at = list(_steps(tape)), died.get(str(tape.meta["worker"]), 0)
        late = _Consumer(rank).play(steps + _looked(looks, early=False), died_at)
        early = _Consumer(rank).play(steps + _looked(looks, early=True), died_at) if looks else late
        lost.append(late[:, [0, 1]])
        repeated.append(early[:, [0, 2]])
    if not any(len(part) for part in lost):
        return None
    return {"would_be_lost": _figures(lost), "would_be_repeated": _figures(repeated)}


def _died(events: list[Event]) -> bool:
    return bool(events) and events[-1].type == "member" and events[-1].data["state"] in ("killed", "crashed")


def _figures(parts: list[NDArray[np.int64]]) -> dict[str, int]:
    """The most, and what was not exceeded in 99 % of the time; of all consumers, each by itself."""
    rows = np.concatenate(parts)
    rows = rows[np.argsort(rows[:, 1])]
    share = np.cumsum(rows[:, 0])
    place = int(np.searchsorted(share, share[-1] * QUANTILE))
    return {"max": int(rows[-1, 1]), "p99": int(rows[min(place, len(rows) - 1), 1])}


def _ranks(log: Columns) -> Rank:
    """Counted, not subtracted: between two offsets there may be holes."""
    known: dict[int, tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = {}
    for partition in log.partitions():
        rows = log.of(partition)
        rows = rows[np.argsort(rows["offset"])]
        length = rows["length"].astype(np.int64)
        known[partition] = rows["offset"].astype(np.int64), length, np.cumsum(length) - length

    def rank(partition: int, offset: int) -> int:
        if partition not in known:
            return offset
        starts, lengths, before = known[partition]
        at = int(np.searchsorted(starts, offset, side="right")) - 1
        return 0 if at < 0 else int(before[at]) + min(offset - int(starts[at]), int(lengths[at]))

    return rank


# ---- from a tape to steps --------------------------------------------------------------------------------------------


@dataclass
class _Batch:
    """One call's messages, and how many of them the application has finished with."""

    offsets: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    partitions: NDArray[np.int32] = field(default_factory=lambda: np.empty(0, np.int32))
    done: int = 0

    def finish(self, until: int) -> dict[int, int]:
        """By partition, the offset behind the last message that is finished by this, of those that were not before."""
        first, self.done = self.done, max(self.done, min(until, len(self.offsets)))
        pairs = zip(self.partitions[first : self.done].tolist(), self.offsets[first : self.done].tolist(), strict=True)
        return {partition: offset + 1 for partition, offset in pairs}


def _steps(tape: Tape) -> Iterator[Step]:
    """`revoke`, `handed`, `processed` and `commit`, in the order of the tape."""
    batch = _Batch()
    for frame in tape.frames():
        event = _event(frame) if frame.kind == EVENT else {}
        if event.get("type") == "processed" and event.get("within"):
            yield frame.t, "processed", batch.finish(int(event.get("messages") or 0))
            continue
        if not event.get("within") and frame.kind in (EVENT, DELIVER):
            # A further frame stands in the file: the application has come back for more.
            yield frame.t, "processed", batch.finish(len(batch.offsets))
        if frame.kind == DELIVER and not frame.flags & OPEN:
            batch = _batch(frame)
            first = dict(zip(batch.partitions[::-1].tolist(), batch.offsets[::-1].tolist(), strict=True))
            yield frame.t, "handed", first
        elif event.get("type") == "revoke":
            yield frame.t, "revoke", dict.fromkeys(event["partitions"], 0)
        elif event.get("type") == "commit" and event.get("ok"):
            yield frame.t, "commit", {int(event["partition"]): int(event["offset"])}


def _event(frame: Frame) -> dict[str, Any]:
    """An event that cannot be read is told by the judge."""
    try:
        data = json.loads(bytes(frame.data[frame.start : frame.start + frame.length]))
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _batch(frame: Frame) -> _Batch:
    offsets = np.frombuffer(frame.data, "<i8", frame.length, frame.start + 24 * frame.capacity)
    partitions = np.frombuffer(frame.data, "<i4", frame.length, frame.start + 32 * frame.capacity)
    return _Batch(offsets.copy(), partitions.copy())


# ---- from steps to what a kill would have cost -----------------------------------------------------------------------


class _Consumer:
    """Plays one consumer's steps in order of time."""

    def __init__(self, rank: Rank) -> None:
        self.rank = rank
        self.processed: dict[int, int] = {}  # by partition of which it was handed anything: the offset that comes next
        self.committed: dict[int, int] = {}
        self.seen: dict[int, int] = {}
        self.ahead: dict[int, int] = {}  # by partition: messages committed and not processed; below 0: the reverse
        self.lost = self.repeated = 0  # over all partitions

    def play(self, steps: list[Step], died_at: int) -> NDArray[np.int64]:
        """Rows of how long in ns, how many would be lost, how many repeated."""
        told: list[tuple[int, int, int]] = []
        done = [at for at, what, offsets in steps if what == "handed" or (what == "processed" and offsets)]
        since, ended = min(done, default=0), max([*done, died_at])
        for at, what, offsets in sorted(steps, key=lambda step: step[0]) if done else ():
            if at > ended:
                break
            told.append((max(at, since) - since, self.lost, self.repeated))
            since = max(at, since)
            for partition, offset in offsets.items():
                self._take(what, partition, offset)
                self._weigh(partition)
        told.append((ended - since, self.lost, self.repeated))
        return np.array(told, np.int64) if done else np.empty((0, 3), np.int64)

    def _take(self, what: str, partition: int, offset: int) -> None:
        if what == "revoke":
            self.processed.pop(partition, None)
            self.committed.pop(partition, None)
        elif what == "handed":
            self.processed.setdefault(partition, offset)
            self.committed.setdefault(partition, max(offset, self.seen.get(partition, 0)))
        elif what == "commit":
            self.committed[partition] = offset
        elif what == "seen":
            self.seen[partition] = offset
            if partition in self.committed:
                self.committed[partition] = max(self.committed[partition], offset)
        elif what == "processed" and partition in self.processed:
            self.processed[partition] = max(self.processed[partition], offset)

    def _weigh(self, partition: int) -> None:
        """Add up anew what has changed in one partition."""
        before, done = self.ahead.get(partition, 0), self.processed.get(partition)
        now = 0 if done is None else self.rank(partition, self.committed[partition]) - self.rank(partition, done)
        self.ahead[partition] = now
        self.lost += max(0, now) - max(0, before)
        self.repeated += max(0, -now) - max(0, -before)


def _looked(looks: list[Event], *, early: bool) -> list[Step]:
    """What was seen, as late as it may have been committed (its answer), or as early (the question before it)."""
    asked = [looks[0].at, *(look.at for look in looks)] if looks else []
    return [
        (asked[number] if early else int(look.data["until"]), "seen", _numbered(look.data["offsets"]))
        for number, look in enumerate(looks)
    ]


def _numbered(offsets: Mapping[str, int | None]) -> dict[int, int]:
    return {int(partition): offset for partition, offset in offsets.items() if offset is not None}
