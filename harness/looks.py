"""Looks at the group's stored offsets from outside, while it reads and its library commits by itself.

For `commit_window` alone: the judge does not read them, for an answer is a little younger than its question.
"""

import time
from typing import TYPE_CHECKING

from harness.commit_window import needs_looks, precise
from harness.faults.base import MemberFault

if TYPE_CHECKING:
    from harness.group import Group

LOOK_S = 0.1


class Looks:
    """One for a group. It looks only where that is of use, and where no fault may keep the broker from answering."""

    def __init__(self, group: "Group") -> None:
        settings = group.bench.scenario.model_dump(include={"consumer", "record"})
        answers = all(isinstance(fault, MemberFault) for fault in group.faults)
        # Where latency is measured, it would be disturbed.
        self.wanted = precise(settings) and needs_looks(settings) and answers and group.feed is None
        self.looked_at = 0.0

    def turn(self, group: "Group", now: float) -> None:
        """Write what is stored, from before the question until after its answer."""
        if not self.wanted or now - self.looked_at < LOOK_S:
            return
        self.looked_at = now
        bench, asked_at = group.bench, time.monotonic_ns()
        stored = bench.admin.stored_offsets(bench.group, bench.topic, sorted(group.ends), family=bench.witness)
        bench.journal.write("seen", t=asked_at, until=time.monotonic_ns(), offsets=stored)
