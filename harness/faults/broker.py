"""A node of the broker goes down: stopped in order or killed, and back after a while, or never.

It bit if the node refused connections while something was left to read or to commit, of partitions that it had led or
of the group that it had coordinated. Where there are other nodes, those that took over are told as well; an orderly
stop hands over before it ends, a kill is noticed some seconds later.
"""

from typing import TYPE_CHECKING, Any

from harness.broker.leaders import Led, coordinator, leaders
from harness.faults.base import Fault, numbers
from harness.faults.network import in_vain

if TYPE_CHECKING:
    from harness.broker.outage import Outage
    from harness.group import Group
    from harness.members import Member


class BrokerFault(Fault):
    """A fault of the broker: what it is about is found out when it begins."""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.at_work = False
        self.until = 0.0  # the proof is looked for until then

    def holds(self, member: "Member") -> bool:
        return self.at_work

    def begun(self, group: "Group") -> None:
        """Who stands still for it does so until it is done, which is later."""

    def start(self, group: "Group", now: float) -> None:
        self.at_work, self.until = True, now + group.bench.scenario.drain.start_s
        group.disturbed()

    def end(self, group: "Group") -> None:
        self.at_work = False
        group.disturbed()

    def in_vain(self, group: "Group", why: str) -> None:
        """It is not done, and says so."""
        self.tell(group, "injected", why=why)
        self.let_go(group)

    def too_late(self, group: "Group") -> str | None:
        """Why it would hit nobody."""
        if outages := group.bench.broker.outages:
            return f"node {outages[0].node.number} was down already; one thing at a time is done to the broker"
        return self.missed(group) or in_vain(group)

    def partition(self, group: "Group") -> int:
        """The one that it is about where none is named: the first that the member owns whose moment it is, or 0."""
        worker = group.member(self.about).worker if self.about is not None else None
        owned = group.view().members.get(worker.name) if worker is not None else None
        return min(owned) if owned else 0


class TakeDown(BrokerFault):
    """`restart_broker: leader`, `kill_broker: 2`"""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.kills = plan["kind"] == "kill_broker"
        self.outage: Outage | None = None
        self.node = 0
        self.led: dict[int, Led] = {}  # what it led with something left, as that was before
        self.coordinated = False
        self.seen_down = False
        self.unread = 0  # messages not handed over when it was seen to be down
        self.proven = False

    def begin(self, group: "Group", now: float) -> None:
        self.outage, self.seen_down, self.proven = None, False, False
        why = self.too_late(group) or self._choose(group)
        if why is not None:
            self.in_vain(group, why)
            return
        back_after_s = self.plan["restart_after_s"] if self.kills else self.plan["for_s"] or 0
        self.outage = group.bench.broker.take_down(self.node, kill=self.kills, back_after_s=back_after_s)
        self.start(group, now)

    def _choose(self, group: "Group") -> str | None:
        """Find the node and what it does for the group; or why there is none that matters."""
        bench, target = group.bench, self.plan["target"]
        led, coordinating = leaders(bench.admin, bench.topic), coordinator(bench.admin, bench.group)
        if target == "coordinator" and coordinating is None:
            return "nobody coordinated the group then"
        partition = self.partition(group) if target == "leader" else 0
        chosen = {"leader": led[partition].leader, "coordinator": coordinating}.get(str(target), target)
        self.node = int(chosen or 0)
        left = {int(partition) for partition in group.lag()}
        self.led = {partition: one for partition, one in led.items() if one.leader == self.node and partition in left}
        self.coordinated = coordinating == self.node
        if self.led or self.coordinated:
            return None
        return f"node {self.node} led no partition in which anything was left, and did not coordinate the group"

    def go_on(self, group: "Group", now: float) -> bool:
        outage = self.outage
        if outage is None:
            return True
        if outage.down_at is None:
            return False
        if not self.seen_down:
            self.seen_down, self.unread = True, group.bench.scenario.messages - group.deliveries
            self.let_go(group)
        if not self.proven and self.may_ask(now):
            self._prove(group, outage, now)
        if not self.proven:
            return False
        if not outage.comes_back:
            self.end(group)
            return True
        return self._healed(group, outage, now)

    def _prove(self, group: "Group", outage: "Outage", now: float) -> None:
        """Tell of the effect once others have taken over; where there are none, at once."""
        alone = group.bench.scenario.broker.nodes == 1
        took_over = [] if alone else self._took_over(group)
        if took_over is None and outage.lasts and now < self.until:
            return
        if self.unread <= 0:
            if alone and outage.lasts:
                return  # The only node cannot be asked now what is still to be committed.
            if not group.lag():
                self.proven = True
                self.tell(group, "injected", why="everything was read and committed before the node was down")
                return
        self.proven = True
        self.tell(group, "injected", "; ".join([self._down(group, outage), *(took_over or [])]))

    def _down(self, group: "Group", outage: "Outage") -> str:
        did = [f"had led {numbers(set(self.led))}"] if self.led else []
        did += ["had coordinated the group"] if self.coordinated else []
        left = f"{self.unread:,} messages were not handed over then" if self.unread > 0 else "commits were left"
        return f"node {self.node} {outage.ended} and refused connections; it {' and '.join(did)}; {left}"

    def _took_over(self, group: "Group") -> list[str] | None:
        """Who leads and coordinates now in its place; None: not all is taken over yet."""
        bench = group.bench
        told, now = [], leaders(bench.admin, bench.topic)
        for partition, before in self.led.items():
            after = now[partition]
            if after.leader in (self.node, -1):
                return None
            told.append(moved(partition, before, after))
        if self.coordinated:
            after_it = coordinator(bench.admin, bench.group)
            if after_it in (self.node, None):
                return None
            told.append(f"the coordinator went from node {self.node} to node {after_it}")
        return told

    def _healed(self, group: "Group", outage: "Outage", now: float) -> bool:
        """Whether the node is back and its copies are in sync again."""
        if outage.back_at is None or outage.down_at is None:
            return False
        if not self.may_ask(now):
            return False
        led = leaders(group.bench.admin, group.bench.topic).values()
        if now < self.until and any(self.node in one.replicas and self.node not in one.in_sync for one in led):
            return False
        self.tell(group, "healing")
        self.tell(group, "healed", f"node {self.node} was down for {outage.back_at - outage.down_at:.1f} s")
        self.end(group)
        return True

    def give_up(self, group: "Group") -> None:
        """The node comes back by itself; whoever asks the broker then has patience."""
        outage, self.outage = self.outage, None
        if outage is None:
            return
        if not self.proven:
            self.tell(group, "injected", why="the group was over before it was seen what the node's end did")
        if outage.comes_back and outage.lasts:
            self.tell(group, "healing")
            outage.bring_back()
        self.end(group)


def moved(partition: int, before: Led, after: Led) -> str:
    """`the leader of partition 0 went from node 1 to node 2, epoch 4 to 5`"""
    return (
        f"the leader of partition {partition} went from node {before.leader} to node {after.leader}, "
        f"epoch {before.epoch} to {after.epoch}"
    )
