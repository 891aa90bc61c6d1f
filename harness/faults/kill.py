"""SIGKILL to a member's process, and perhaps a new process in its place. Members that are threads of it die with it.

It bit if the process ended by that signal while the broker counted it among the group's members (or it had taken its
partitions by itself), and while there was something left to read, to process or to commit.
"""

import signal
from typing import TYPE_CHECKING, Any

from harness import proc
from harness.faults.base import MemberFault, all_done, assigns_itself, in_words, numbers

if TYPE_CHECKING:
    from harness.clients.pool import Worker
    from harness.group import Group
    from harness.members import Member

END_S = 5
"""A process that was killed is gone at once; the kernel may take a moment to give back its memory."""


class Kill(MemberFault):
    """`kill: a`"""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.restart_at: float | None = None
        self.asked: tuple[Worker, frozenset[int] | None] | None = None  # who owned what, when it was set off
        self.owned: frozenset[int] = frozenset()
        self.hit: list[Member] = []  # whose process it was

    def prepare(self, group: "Group") -> None:
        worker = self.member(group).worker
        if worker is not None and self.plan["after_s"]:
            self.asked = worker, group.view().members.get(worker.name)

    @property
    def restarts_soon(self) -> bool:
        return self.restart_at is not None

    def begin(self, group: "Group", now: float) -> None:
        member = self.member(group)
        worker = self.process(group)
        if worker is None:
            return
        what, why = self.hits(group, member, worker)
        effect = what and f"{worker.name} ended by SIGKILL, {what}"
        self.hit = group.in_process_of(worker)
        for one in self.hit:
            one.killed = one.worker
        if effect and len(self.hit) > 1:
            others = ", ".join(one.name for one in self.hit if one is not member)
            effect += f"; with it {others}, threads of its process"
        worker.signal(signal.SIGKILL)
        gone = proc.wait_until(worker.finished, timeout_s=END_S, poll_s=0.005)
        if not gone or worker.process.returncode != -signal.SIGKILL:
            effect, why = None, f"{worker.name} did not end by SIGKILL"
        self.tell(group, "injected", effect, why)
        group.disturbed()
        if self.plan["restart_after_s"] is not None and gone:
            self.restart_at = now + self.plan["restart_after_s"]

    def hits(self, group: "Group", member: "Member", worker: "Worker") -> tuple[str | None, str | None]:
        """What it will have hit, or why it will hit nothing: asked of the broker just before."""
        if (why := self.missed(group)) is not None:
            return None, why
        if member.is_closing():
            return None, f"{worker.name} was closing already"
        # A slow application may be at work on what was read and committed.
        if group.bench.scenario.consumer.processing is None and (why := all_done(group)) is not None:
            return None, why
        what = f"after {member.deliveries:,} deliveries"
        if self.moment is not None:
            what += f", at {in_words(self.moment)}"
        if assigns_itself(member):
            return f"{what}, with partitions that it had taken by itself", None
        asked, self.asked = self.asked, None
        # What was asked of another process of this member says nothing of this one.
        owned = asked[1] if asked is not None and asked[0] is worker else None
        if not owned:
            owned = group.view().members.get(worker.name)
        if owned is None:
            return None, f"{worker.name} was no member of the group then"
        self.owned = owned
        return f"{what}, as a member of the group that owned {numbers(owned)}", None

    def go_on(self, group: "Group", now: float) -> bool:
        if self.restart_at is None:
            return True
        if now < self.restart_at or any(member.worker is not None for member in self.hit):
            return False
        self.restart_at = None
        self.tell(group, "healing")
        from harness.members import next_part

        for member in self.hit:
            group.start(member, next_part(member))
        self.tell(group, "healed")
        return True

    def give_up(self, group: "Group") -> None:
        self.restart_at = None
