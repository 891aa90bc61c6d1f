"""A member closes in an orderly way in the middle of its work, and perhaps a new process comes in its place.

It bit if the broker counted the process among the group's members, as the owner of partitions, with something left to
read or to commit, and tells after its close that it is no member any more; where others are there, that one of them was
assigned its partitions. In the middle of a rebalance, at a moment of its own, it may own none.
"""

from typing import TYPE_CHECKING, Any

from harness.bench import CLOSE_S
from harness.faults.base import assigns_itself, numbers
from harness.faults.kill import Kill

if TYPE_CHECKING:
    from harness.clients.pool import Worker
    from harness.group import Group


class Leave(Kill):
    """`leave: a`"""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.leaving: Worker | None = None
        self.what = ""
        self.alone = False  # whether nobody was there to take its partitions
        self.until = 0.0

    def begin(self, group: "Group", now: float) -> None:
        member = self.member(group)
        worker = self.process(group)
        if worker is None:
            return
        self.owned, self.hit = frozenset(), [member]
        what, why = self.hits(group, member, worker)
        if what is not None and not self.owned and self.moment is None and not assigns_itself(member):
            what, why = None, f"{worker.name} owned no partition then"
        if what is None:
            self.tell(group, "injected", why=why)
            return
        self.alone = not any(one.worker is not None for one in group.members if one is not member)
        self.what, self.leaving, self.until = what, worker, now + CLOSE_S
        member.parts.clear()
        worker.send({"cmd": "stop"})
        group.disturbed()

    def go_on(self, group: "Group", now: float) -> bool:
        if self.leaving is None:
            return super().go_on(group, now)
        effect = self._proof(group, self.leaving) if self.may_ask(now) else None
        if effect is None and now < self.until:
            return False
        left, self.leaving = self.leaving, None
        why = None if effect else f"{left.name} was not seen to leave the group, or nobody took its partitions"
        self.tell(group, "injected", effect, why)
        if effect is not None and self.plan["restart_after_s"] is not None:
            self.restart_at = now + self.plan["restart_after_s"]
        return super().go_on(group, now)

    def _proof(self, group: "Group", worker: "Worker") -> str | None:
        if not worker.finished():
            return None
        members = group.view().members
        if worker.name in members:
            return None
        gone = f"{worker.name} closed, {self.what}, and is no member any more"
        taken = {name: owned & self.owned for name, owned in members.items()}
        for name, partitions in taken.items():
            if partitions:
                return f"{gone}; {name} was assigned {numbers(partitions)} of it"
        return gone if self.alone or not self.owned else None

    def give_up(self, group: "Group") -> None:
        super().give_up(group)
        if self.leaving is not None:
            worker, self.leaving = self.leaving, None
            effect = self._proof(group, worker)
            self.tell(group, "injected", effect, None if effect else "the group was over before it was seen")
