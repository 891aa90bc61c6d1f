"""More partitions for the topic, while it is read.

It bit if the topic has them and the broker tells that a member was assigned one. A client learns of them only when it
asks for the topic anew, by default every five minutes: the scenario sets that lower by the library's own setting
(`topic.metadata.refresh.interval.ms`, `metadata_max_age_ms`).
"""

from typing import TYPE_CHECKING, Any

from harness.faults.base import Fault, numbers

if TYPE_CHECKING:
    from harness.group import Group


class AddPartitions(Fault):
    """`add_partitions: 6`"""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.until = 0.0

    def begin(self, group: "Group", now: float) -> None:
        bench = group.bench
        bench.admin.add_partitions(bench.topic, total=int(self.plan["target"]))
        self.until = now + bench.scenario.drain.start_s
        group.disturbed()

    def go_on(self, group: "Group", now: float) -> bool:
        if not self.may_ask(now):
            return False
        had = group.bench.scenario.partitions
        for name, owned in group.view().members.items():
            new = frozenset(partition for partition in owned if partition >= had)
            if new:
                self.tell(group, "injected", f"{name} was assigned {numbers(new)}")
                return True
        if now < self.until:
            return False
        self.give_up(group)
        return True

    def give_up(self, group: "Group") -> None:
        self.tell(group, "injected", why="the topic has them, and no member was assigned one")
