"""Looks at the group's stored offsets from outside, while it reads, where a client does not tell of its own commits.

For `commit_window` alone: the judge does not read them, for an answer is a little younger than its question.
"""

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.group import Group

LOOK_S = 0.1
SILENT = "aiokafka"
"""The adapter of the library that tells nobody of its automatic commits."""


class Looks:
    """One for a group; it looks only where an application at work may be overtaken by such a commit."""

    def __init__(self, group: "Group") -> None:
        scenario = group.bench.scenario
        commit = scenario.consumer.commit
        automatic = commit is None or commit.mode == "auto"
        silent = any(member.env.spec.client.adapter == SILENT for member in group.members)
        self.wanted = silent and automatic and scenario.consumer.processing is not None
        self.looked_at = 0.0

    def turn(self, group: "Group", now: float) -> None:
        """Write what is stored, from before the question until after its answer."""
        if not self.wanted or now - self.looked_at < LOOK_S:
            return
        self.looked_at = now
        bench, asked_at = group.bench, time.monotonic_ns()
        stored = bench.admin.stored_offsets(bench.group, bench.topic, sorted(group.ends), family=bench.witness)
        bench.journal.write("seen", t=asked_at, until=time.monotonic_ns(), offsets=stored)
