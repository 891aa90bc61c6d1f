"""A further member is started while others read.

It bit if somebody else was in the group and something was left to read, and the broker tells that the one who came was
assigned a partition. Until then none of its processes is started.
"""

from typing import TYPE_CHECKING, Any

from harness.faults.base import Awaited, all_done, numbers

if TYPE_CHECKING:
    from harness.clients.pool import Worker
    from harness.group import Group


class Join(Awaited):
    """`join: b`"""

    unseen = "was started, and was never assigned a partition"

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.brings = str(plan["target"])

    @property
    def restarts_soon(self) -> bool:
        return self.due_at is not None

    def deliveries(self, group: "Group") -> int:
        """Of all: it has none before."""
        return group.deliveries

    def begin(self, group: "Group", now: float) -> None:
        self.brings = ""
        member = self.member(group)
        why = all_done(group) if group.view().members else "nobody else was in the group then"
        if why is not None:
            member.parts.clear()
            self.tell(group, "injected", why=why)
            return
        group.start(member, member.parts.pop(0))
        self.await_proof(group, member.worker, now)

    def proof(self, group: "Group", worker: "Worker") -> str | None:
        owned = group.view().members.get(worker.name)
        return f"{worker.name} joined, and was assigned {numbers(owned)}" if owned else None
