"""SIGSTOP to a member's process, and SIGCONT after a while: it cannot know that time has passed.

It bit if, before it was continued, the broker had removed it from the group or another member had been assigned one of
its partitions. A freeze shorter than the session timeout proves nothing.
"""

import time
from typing import TYPE_CHECKING, Any

from harness.faults.base import MemberFault, numbers

if TYPE_CHECKING:
    from harness.clients.pool import Worker
    from harness.group import Group
    from harness.members import Member


class Freeze(MemberFault):
    """`freeze: a`"""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.frozen: Worker | None = None
        self.until = 0.0
        self.owned: frozenset[int] = frozenset()
        self.why: str | None = None
        self.proven = False

    def holds(self, member: "Member") -> bool:
        return self.frozen is not None and member.worker is self.frozen

    def begin(self, group: "Group", now: float) -> None:
        self.proven, self.why, self.frozen = False, None, None
        worker = self.process(group)
        if worker is None:
            return
        owned = group.view().members.get(worker.name)
        self.why = self.missed(group)
        if owned is None and self.why is None:
            self.why = f"{worker.name} was no member of the group then"
        self.owned = owned or frozenset()
        worker.freeze()
        self.frozen, self.until = worker, time.monotonic() + self.plan["for_s"]

    def go_on(self, group: "Group", now: float) -> bool:
        worker = self.frozen
        if worker is None:
            return True
        if worker.finished():
            self._tell_once(group, why=f"{worker.name} ended while it was frozen")
            self.frozen = None
            return True
        if not self.proven and self.why is None and self.may_ask(now) and (effect := self._proof(group, worker)):
            self.proven = True
            self.tell(group, "injected", effect)
        if now < self.until:
            return False
        self._thaw(group, worker)
        return True

    def _proof(self, group: "Group", worker: "Worker") -> str | None:
        members = group.view().members
        if worker.name not in members:
            return f"the broker had removed {worker.name}, which owned {numbers(self.owned)}, from the group"
        for name, owned in members.items():
            if name != worker.name and (taken := owned & self.owned):
                return f"{name} was assigned {numbers(taken)} of {worker.name}"
        return None

    def _tell_once(self, group: "Group", why: str) -> None:
        if not self.proven:
            self.proven = True
            self.tell(group, "injected", why=self.why or why)

    def _thaw(self, group: "Group", worker: "Worker") -> None:
        self._tell_once(group, why=f"{worker.name} was in the group all the time: frozen for too short a time")
        self.tell(group, "healing")
        worker.thaw()
        self.frozen = None
        self.tell(group, "healed")
        group.disturbed()

    def give_up(self, group: "Group") -> None:
        if self.frozen is not None:
            self._thaw(group, self.frozen)
