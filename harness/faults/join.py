"""A further member is started while others read.

It bit if somebody else was in the group and something was left to read, and the broker tells that the one who came was
assigned a partition. Until then none of its processes is started.
"""

from typing import TYPE_CHECKING, Any

from harness.faults.base import MemberFault, numbers

if TYPE_CHECKING:
    from harness.clients.pool import Worker
    from harness.group import Group


class Join(MemberFault):
    """`join: b`"""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.joined: Worker | None = None
        self.until = 0.0
        self.brings = str(plan["target"])

    @property
    def restarts_soon(self) -> bool:
        return self.due_at is not None

    def deliveries(self, group: "Group") -> int:
        """Of all: it has none before."""
        return group.deliveries

    def begin(self, group: "Group", now: float) -> None:
        self.brings = ""
        member, why = self.member(group), self._in_vain(group)
        if why is not None:
            member.parts.clear()
            self.tell(group, "injected", why=why)
            return
        group.start(member, member.parts.pop(0))
        self.joined, self.until = member.worker, now + group.bench.scenario.drain.start_s
        group.disturbed()

    def _in_vain(self, group: "Group") -> str | None:
        if not group.view().members:
            return "nobody else was in the group then"
        if group.deliveries >= group.bench.scenario.messages and not group.lag():
            return "everything was read and committed already"
        return None

    def go_on(self, group: "Group", now: float) -> bool:
        worker = self.joined
        if worker is None:
            return True
        if not self.may_ask(now):
            return False
        owned = group.view().members.get(worker.name)
        if owned:
            self.tell(group, "injected", f"{worker.name} joined, and was assigned {numbers(owned)}")
            return True
        if now < self.until and not worker.finished():
            return False
        self.give_up(group)
        return True

    def give_up(self, group: "Group") -> None:
        if self.joined is not None:
            self.tell(group, "injected", why=f"{self.joined.name} was started, and was never assigned a partition")
