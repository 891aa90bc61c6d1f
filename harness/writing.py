"""The producing stage as its faults see it: the counterpart of `Group` while messages are written."""

import time
from collections.abc import Sequence
from typing import Any

from harness.bench import Bench
from harness.clients.pool import Worker
from harness.faults import Disturbance, Work
from harness.members import Member


class Writing:
    """One producer and the faults that are done meanwhile, from its start to its end."""

    who, silence = "the producer", "nothing was acked"
    application_s = 0.0

    def __init__(self, bench: Bench, worker: Worker, faults: Sequence[Disturbance[Work]]) -> None:
        self.bench = bench
        self.worker = worker
        self.faults: Sequence[Disturbance[Any]] = faults
        self.words: list[str] = []
        self.members: Sequence[Member] = ()
        self.began = self.settled_at = time.monotonic()

    @property
    def reached(self) -> int:
        return self.worker.watch_count()[0]

    def in_vain(self) -> str | None:
        if self.worker.finished():
            return "the producer had ended already"
        return "everything was acked already" if self.reached >= self.bench.scenario.messages else None

    def owned(self, worker: Worker) -> frozenset[int]:
        return frozenset()

    def unfinished(self) -> set[int]:
        return set(range(self.bench.scenario.partitions)) if self.in_vain() is None else set()

    def tell(self, word: str) -> None:
        self.words.append(word)

    def disturbed(self) -> None:
        self.settled_at = time.monotonic()

    def turn(self, now: float) -> None:
        for fault in self.faults:
            fault.turn(self, now)
            if fault.busy:
                self.settled_at = now

    def finish(self) -> None:
        for fault in self.faults:
            fault.finish(self)
