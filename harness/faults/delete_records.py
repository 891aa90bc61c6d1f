"""The first records of the log are deleted while it is read, as retention would, by the administrator's DeleteRecords.

It bit if the broker tells that the log begins there now, and the group had committed nothing so far: what was deleted
could still be asked for. Whether anybody was really kept from a message by it, the judge tells: who had fetched it was
handed it all the same, and where everybody had, the run proves nothing.
"""

import time
from typing import TYPE_CHECKING, Any

from harness.faults.base import Fault

if TYPE_CHECKING:
    from harness.group import Group

Ends = dict[int, tuple[int, int]]


class DeleteRecords(Fault):
    """`delete_records: {partition: 0, before: 400}`"""

    def begin(self, group: "Group", now: float) -> None:
        bench = group.bench
        ends = bench.admin.end_offsets(bench.topic)
        wanted = first_kept(self.plan["target"], ends)
        short = {part: ends[part][1] for part, before in wanted.items() if before > ends[part][1]}
        if short:
            part, end = next(iter(short.items()))
            self.tell(group, "injected", why=f"nothing was deleted: the log of partition {part} ends at {end}")
            return
        stored = bench.admin.stored_offsets(bench.group, bench.topic, sorted(wanted), family=bench.witness)
        # Told as of the moment before the request: what was passed over after that may have been deleted already.
        asked_at = time.monotonic_ns()
        bench.admin.delete_records(bench.topic, wanted)
        for part, before in wanted.items():
            bench.journal.write("deleted", t=asked_at, partition=part, before=before)
        self.tell(group, "injected", *proof(bench.admin.end_offsets(bench.topic), ends, stored))

    def go_on(self, group: "Group", now: float) -> bool:
        return True

    def give_up(self, group: "Group") -> None:
        """It was over when it began."""


def first_kept(target: dict[str, Any], ends: Ends) -> dict[int, int]:
    """By partition, the first offset that is not deleted."""
    parts = sorted(ends) if target.get("partition") is None else [target["partition"]]
    before = target.get("before")
    return {
        part: ends[part][0] + int((ends[part][1] - ends[part][0]) * target["share"] / 100) if before is None else before
        for part in parts
    }


def proof(now: Ends, then: Ends, stored: dict[int, int | None]) -> tuple[str | None, str | None]:
    """(what proves that it bit, or None; why there is no proof): the log's start has overtaken the group's commit."""
    moved = {part: now[part][0] for part in stored if now[part][0] > then[part][0]}
    overtaken = [part for part, start in moved.items() if (stored[part] or 0) < start]
    if overtaken:
        told = [f"that of partition {part} begins at {now[part][0]}, {_committed(stored[part])}" for part in overtaken]
        return f"the log was cut: {'; '.join(told)}", None
    if not moved:
        return None, "the log begins where it began before"
    return None, "the group had committed all that was deleted: nothing unread was there"


def _committed(offset: int | None) -> str:
    return "where the group had committed nothing" if offset is None else f"where the group had committed {offset}"
