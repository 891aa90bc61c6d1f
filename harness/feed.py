"""Writes the topic while a group reads it: a producer that begins when the group owns the topic."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from harness.bench import Bench, Watch, note_end
from harness.clients.pool import Worker
from harness.clients.worker_end import WorkerEnd

if TYPE_CHECKING:
    from harness.group import Group

ASK_S = 0.2
"""How often the broker is asked whether the group owns all partitions."""


class Feed:
    """One producer, watched from the turns of the group.

    start: starts its worker. idle_s: so long it may be without an ack.
    """

    def __init__(self, bench: Bench, start: Callable[[], Worker], *, idle_s: float) -> None:
        self.bench = bench
        self.done = False
        self._start = start
        self._idle_s = idle_s
        self._watch: Watch | None = None
        self._asked_at = 0.0

    @property
    def writing(self) -> bool:
        return self._watch is not None and not self.done

    def turn(self, group: "Group", now: float) -> None:
        if self.done:
            return
        if self._watch is None:
            if self._owned(group, now):
                self._watch = Watch(self.bench, self._start(), idle_s=self._idle_s)
        elif (end := self._watch.turn()) is not None:
            self._ended(group, self._watch.worker, end)

    def _owned(self, group: "Group", now: float) -> bool:
        """Whether somebody owns each partition. Who takes too long is measured as late: the group may be slow."""
        if now - group.began > self.bench.scenario.drain.start_s:
            return True
        if now - self._asked_at < ASK_S:
            return False
        self._asked_at = now
        owned = frozenset[int]().union(*group.view().members.values())
        return len(owned) == self.bench.scenario.partitions

    def _ended(self, group: "Group", worker: Worker, end: WorkerEnd) -> None:
        """All is written: from now on it is known where the topic ends, and idleness counts."""
        self.done = True
        note_end(self.bench, worker, end, fatal=True)
        planned, group.ends = group.ends, self.bench.admin.end_offsets(self.bench.topic)
        if group.ends != planned:
            group.tell_ends()
        if any(group.ends[partition][1] > last for partition, (_, last) in planned.items()):
            why = f"the topic has more than was to be written, {group.ends} and not {planned}"
            self.bench.journal.write("torn", why=f"{why}: who had read what was planned has not waited for the rest")
        group.changed_at = time.monotonic()

    def finish(self) -> None:
        """The group is over."""
        if self._watch is None:
            self.bench.journal.write("torn", why="nothing was produced: the group was over before it owned the topic")
