"""A member's subscription changes while it reads: to the topic and, as well, to a second one, which is empty.

It bit if the broker tells that the member was assigned the empty topic's partition.
"""

from typing import TYPE_CHECKING, Any

from harness.faults.base import MemberFault, empty_topic

if TYPE_CHECKING:
    from harness.clients.pool import Worker
    from harness.group import Group


class Subscription(MemberFault):
    """`subscription: a`"""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.asked: Worker | None = None
        self.until = 0.0

    def begin(self, group: "Group", now: float) -> None:
        member = self.member(group)
        worker = self.process(group)
        if worker is None:
            return
        if worker.name not in group.view().members or member.is_closing():
            self.tell(group, "injected", why=f"{worker.name} was no member of the group then")
            return
        topic = empty_topic(group)
        self.asked, self.until = worker, now + group.bench.scenario.drain.start_s
        worker.send({"cmd": "subscribe", "topics": [group.bench.topic, topic]})
        group.disturbed()

    def go_on(self, group: "Group", now: float) -> bool:
        worker = self.asked
        if worker is None:
            return True
        if not self.may_ask(now):
            return False
        topic = empty_topic(group)
        if group.view(topic).members.get(worker.name):
            self.asked = None
            self.tell(group, "injected", f"{worker.name} was assigned the partition of {topic} beside its own")
            return True
        if now < self.until and not worker.finished():
            return False
        self.give_up(group)
        return True

    def give_up(self, group: "Group") -> None:
        if self.asked is not None:
            worker, self.asked = self.asked, None
            self.tell(group, "injected", why=f"{worker.name} was never assigned the second topic's partition")
