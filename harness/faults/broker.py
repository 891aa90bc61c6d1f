"""A node of the broker goes down: stopped in order or killed, and back after a while, or never; or it is paused.

It bit if the node refused connections (paused: answered nothing) while something was left to read or to commit, of
partitions that it had led or of the group that it had coordinated. Where there are other nodes, those that took over
are told as well; an orderly stop hands over before it ends, a kill or a pause is noticed some seconds later.
"""

from typing import TYPE_CHECKING, Any

from harness.broker.leaders import Led, coordinator, leaders
from harness.faults.base import Disturbance, Work, numbers

if TYPE_CHECKING:
    from harness.broker.outage import Outage
    from harness.members import Member


class BrokerFault(Disturbance[Work]):
    """A fault of the broker: what it is about is found out when it begins."""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.at_work = False
        self.until = 0.0  # the proof is looked for until then
        self.late: str | None = None  # the moment was over before it was done

    def holds(self, member: "Member") -> bool:
        return self.at_work

    def begun(self, work: Work) -> None:
        """Who stands still for it does so until it is done, which is later."""

    def start(self, work: Work, now: float) -> None:
        self.at_work, self.until = True, now + work.bench.scenario.drain.start_s
        work.disturbed()

    def end(self, work: Work) -> None:
        self.at_work = False
        work.disturbed()

    def in_vain(self, work: Work, why: str) -> None:
        """It is not done, and says so."""
        self.tell(work, "injected", why=why)
        self.let_go(work)

    def too_late(self, work: Work) -> str | None:
        """Why it would hit nobody."""
        one_thing = "one thing at a time is done to the broker"
        if outages := work.bench.broker.outages:
            return f"node {outages[0].node.number} was down already; {one_thing}"
        other = next((fault for fault in work.faults if isinstance(fault, BrokerFault) and fault.at_work), None)
        if other is not None:
            return f"{other.name} was still at work; {one_thing}"
        return self.missed(work) or work.in_vain()

    def partition(self, work: Work) -> int:
        """The one that it is about where none is named: the first that the member owns whose moment it is, or 0."""
        worker = self.process_about(work)
        owned = work.owned(worker) if worker is not None else None
        return min(owned) if owned else 0


class TakeDown(BrokerFault):
    """`restart_broker: leader`, `kill_broker: 2`, `pause_broker: coordinator`"""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.kills = plan["kind"] == "kill_broker"
        self.pauses = plan["kind"] == "pause_broker"
        self.outage: Outage | None = None
        self.node = 0
        self.led: dict[int, Led] = {}  # what it led with something left, as that was before
        self.coordinated = False
        self.seen_down = False
        self.unread = 0  # messages that were still to come when it was seen to be down
        self.proven = False  # or known to prove nothing

    def begin(self, work: Work, now: float) -> None:
        self.outage, self.seen_down, self.proven = None, False, False
        why = self.too_late(work) or self._choose(work)
        if why is not None:
            self.in_vain(work, why)
            return
        broker, for_s = work.bench.broker, self.plan["for_s"] or 0
        if self.pauses:
            self.outage = broker.pause(self.node, for_s=for_s)
        else:
            back_after_s = self.plan["restart_after_s"] if self.kills else for_s
            self.outage = broker.take_down(self.node, kill=self.kills, back_after_s=back_after_s)
        self.start(work, now)

    def _choose(self, work: Work) -> str | None:
        """Find the node and what it does for the group; or why there is none that matters."""
        bench, target = work.bench, self.plan["target"]
        led = leaders(bench.admin, bench.topic)
        coordinating = coordinator(bench.admin, bench.group) if work.members else None
        if target == "coordinator" and coordinating is None:
            return "nobody coordinated the group then"
        partition = self.partition(work) if target == "leader" else 0
        chosen = {"leader": led[partition].leader, "coordinator": coordinating}.get(str(target), target)
        self.node = int(chosen or 0)
        left = work.unfinished()
        self.led = {partition: one for partition, one in led.items() if one.leader == self.node and partition in left}
        self.coordinated = coordinating == self.node
        if self.led or self.coordinated:
            return None
        return f"node {self.node} led no partition in which anything was left, and did not coordinate the group"

    def go_on(self, work: Work, now: float) -> bool:
        outage = self.outage
        if outage is None:
            return True
        if outage.down_at is None:
            return False
        if not self.seen_down:
            self.seen_down, self.unread = True, work.bench.scenario.messages - work.reached
            self.late = self.missed(work)
            self.let_go(work)
        if not self.proven and self.may_ask(now):
            self._prove(work, outage, now)
        if not self.proven:
            return False
        if not outage.comes_back:
            self.end(work)
            return True
        return self._healed(work, outage, now)

    def _prove(self, work: Work, outage: "Outage", now: float) -> None:
        """Tell of the effect once others have taken over; where there are none, at once."""
        alone = work.bench.scenario.broker.nodes == 1
        took_over = [] if alone else self._took_over(work)
        if took_over is None and outage.lasts and now < self.until:
            return
        if self.late is not None:
            self.proven = True
            self.tell(work, "injected", why=self.late)
            return
        if self.unread <= 0:
            if alone and outage.lasts:
                return  # The only node cannot be asked now what is still to be committed.
            if not work.unfinished():
                self.proven = True
                self.tell(work, "injected", why="all was done before the node was down")
                return
        self.proven = True
        self.tell(work, "injected", "; ".join([self._down(work, outage), *(took_over or [])]))

    def _down(self, work: Work, outage: "Outage") -> str:
        did = [f"had led {numbers(set(self.led))}"] if self.led else []
        did += ["had coordinated the group"] if self.coordinated else []
        done = "handed over" if work.members else "acked"
        left = f"{self.unread:,} messages were not {done} then" if self.unread > 0 else "commits were left"
        silence = "answered nothing" if self.pauses else "refused connections"
        return f"node {self.node} {outage.ended} and {silence}; it {' and '.join(did)}; {left}"

    def _took_over(self, work: Work) -> list[str] | None:
        """Who leads and coordinates now in its place; None: not all is taken over yet."""
        bench = work.bench
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

    def _healed(self, work: Work, outage: "Outage", now: float) -> bool:
        """Whether the node is back and its copies are in sync again."""
        if outage.back_at is None or outage.down_at is None:
            return False
        if not self.may_ask(now):
            return False
        led = leaders(work.bench.admin, work.bench.topic).values()
        if now < self.until and any(self.node in one.replicas and self.node not in one.in_sync for one in led):
            return False
        self.tell(work, "healing")
        self.tell(
            work,
            "healed",
            f"node {self.node} was {'paused' if self.pauses else 'down'} for {outage.back_at - outage.down_at:.1f} s",
        )
        self.end(work)
        return True

    def give_up(self, work: Work) -> None:
        """The node comes back by itself; whoever asks the broker then has patience."""
        outage, self.outage = self.outage, None
        if outage is None:
            return
        if not self.proven and self.seen_down:  # while something was left: what came of it can still be asked
            self._prove(work, outage, self.until)
        if not self.proven:
            self.tell(work, "injected", why=f"{work.who} was done before it was seen what the node's end did")
        if outage.comes_back and outage.lasts:
            self.tell(work, "healing")
            outage.bring_back()
        self.end(work)


def moved(partition: int, before: Led, after: Led) -> str:
    """`the leader of partition 0 went from node 1 to node 2, epoch 4 to 5`"""
    return (
        f"the leader of partition {partition} went from node {before.leader} to node {after.leader}, "
        f"epoch {before.epoch} to {after.epoch}"
    )
