"""The network between the consumers and the broker: slow, silent, or cut. The harness's own questions go another way.

It bit if something was left to read or to commit when it began, and the proxy counted bytes that were late or held
back, or connections that it reset, among those of the consumers. Two at one time would share the proxy's one rule and
its counts, so that one would prove the other: the second is not done.
"""

from typing import TYPE_CHECKING, Any

from harness.broker.proxy import Count, Rule
from harness.faults.base import Fault, all_done

if TYPE_CHECKING:
    from harness.group import Group
    from harness.members import Member


class Network(Fault):
    """`network: {blackhole: both}`"""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.target: dict[str, Any] = plan["target"]
        self.until = 0.0
        self.at_work = False
        self.proven = False

    def holds(self, member: "Member") -> bool:
        return self.at_work

    def begin(self, group: "Group", now: float) -> None:
        proxy = group.bench.broker.proxy
        self.proven = False
        why = "there is no proxy before this broker" if proxy is None else occupied(group) or in_vain(group)
        if proxy is None or why is not None:
            self.tell(group, "injected", why=why)
            return
        self.at_work, self.until = True, now + (self.plan["for_s"] or 0)
        group.disturbed()
        if "cut" in self.target:
            proxy.cut()
        else:
            proxy.set_rule(Rule(**self.target))

    def go_on(self, group: "Group", now: float) -> bool:
        if not self.at_work:
            return True
        if not self.proven and self.may_ask(now):
            self._look(group)
        if now < self.until:
            return False
        self._heal(group)
        return True

    def _look(self, group: "Group") -> Count:
        proxy = group.bench.broker.proxy
        assert proxy is not None
        count = proxy.count()
        if not self.proven and count.connections:
            self.proven = True
            self.tell(group, "injected", in_words(count))
        return count

    def _heal(self, group: "Group") -> None:
        proxy = group.bench.broker.proxy
        assert proxy is not None
        count = self._look(group)
        if not self.proven:
            self.tell(group, "injected", why="it has met no connection: nothing was late, held back or reset")
        self.tell(group, "healing", in_words(count) if count.connections else None)
        proxy.set_rule(Rule())
        self.at_work = False
        self.tell(group, "healed")
        group.disturbed()

    def give_up(self, group: "Group") -> None:
        if self.at_work:
            self._heal(group)


def occupied(group: "Group") -> str | None:
    """Why the proxy cannot be told anything else now."""
    other = next((fault for fault in group.faults if isinstance(fault, Network) and fault.at_work), None)
    return None if other is None else f"{other.name} was still at work; only one fault of the network acts at a time"


def in_vain(group: "Group") -> str | None:
    """Why the network does not matter any more: nothing is left to read, nor to commit."""
    scenario = group.bench.scenario
    if group.deliveries < scenario.messages:
        return None
    commit = scenario.consumer.commit
    if commit is not None and commit.mode == "none" and not scenario.members:
        return "everything was read already, and nobody commits"
    return all_done(group)


def in_words(count: Count) -> str:
    """`12,345 bytes were held back, on 3 connections`, for a person."""
    told = []
    if count.late_bytes:
        told.append(f"{count.late_bytes:,} bytes came late")
    if count.held_bytes:
        told.append(f"{count.held_bytes:,} bytes were held back")
    if count.cut:
        told.append("1 connection was reset" if count.cut == 1 else f"{count.cut} connections were reset")
    number = len(count.connections)
    where = "" if count.cut == number else f", on {number} connection{'s' if number > 1 else ''}"
    return " and ".join(told) + where
