"""A member's subscription changes while it reads: to the topic and, as well, to a second one, which is empty.

It bit if the broker tells that the member was assigned the empty topic's partition.
"""

from typing import TYPE_CHECKING

from harness.faults.base import Awaited, empty_topic

if TYPE_CHECKING:
    from harness.clients.pool import Worker
    from harness.group import Group


class Subscription(Awaited):
    """`subscription: a`"""

    unseen = "was never assigned the second topic's partition"

    def begin(self, group: "Group", now: float) -> None:
        worker = self.process(group)
        if worker is None:
            return
        if worker.name not in group.view().members or self.member(group).is_closing():
            self.tell(group, "injected", why=f"{worker.name} was no member of the group then")
            return
        worker.send({"cmd": "subscribe", "topics": [group.bench.topic, empty_topic(group)]})
        self.await_proof(group, worker, now)

    def proof(self, group: "Group", worker: "Worker") -> str | None:
        topic = empty_topic(group)
        if not group.view(topic).members.get(worker.name):
            return None
        return f"{worker.name} was assigned the partition of {topic} beside its own"
