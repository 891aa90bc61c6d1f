"""What all faults share: waiting for what sets them off, telling of their phases, and going again.

A fault never blocks for long: the group gives it a turn every few milliseconds. Each phase is an event in the journal:
injecting, injected with what proves that it had an effect, and where it is undone, healing and healed. One that came to
nothing says so by an `injected` without effect, and the verdict is UNKNOWN.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from harness.bench import Bench
    from harness.clients.pool import Worker
    from harness.group import Group
    from harness.members import Member

ASK_S = 0.25
"""How often the broker is asked about the group while a proof is looked for."""

WORDS = ("injected", "healed")
"""The phases that are told as words: "kill a injected", "freeze a healed"."""


class Work(Protocol):
    """What a fault may ask of those that it disturbs, a group that reads or a producer that writes."""

    who: str  # `the group`, `the producer`
    silence: str  # in which they do not get on: `nobody was handed anything`
    bench: "Bench"
    words: list[str]
    began: float
    application_s: float  # so long they may be at work without asking for more, and without a sign

    @property
    def faults(self) -> "Sequence[Disturbance[Any]]":
        """All of this stage."""
        ...

    @property
    def reached(self) -> int:
        """Messages that they are through with: handed over to a group, acked to a producer."""
        ...

    @property
    def members(self) -> "Sequence[Member]":
        """Of the group; a producer has none."""
        ...

    def in_vain(self) -> str | None:
        """Why nothing matters to them any more: all is done."""
        ...

    def unfinished(self) -> set[int]:
        """Partitions in which something is left to do; asks the broker."""
        ...

    def owned(self, worker: "Worker") -> frozenset[int]:
        """Partitions that the broker has assigned to this process."""
        ...

    def tell(self, word: str) -> None: ...

    def disturbed(self) -> None:
        """It may be long until they get on."""
        ...


WorkT = TypeVar("WorkT", bound=Work, contravariant=True)


class Disturbance(Generic[WorkT]):
    """One fault of the schedule, all its times."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.plan = plan
        self.name = str(plan["fault"])
        self.left = int(plan["times"])
        self.due_at: float | None = None  # set off: when it begins
        self.acting = False
        self.asked_at = 0.0

    brings = ""
    """The member whose processes are not started before it."""

    # ---- what a kind of fault does ---------------------------------------------------------------------------------

    def prepare(self, work: WorkT) -> None:
        """Once it is set off, `after_s` before it begins: time to ask the broker what must be known of before."""

    def begin(self, work: WorkT, now: float) -> None:
        """Do it."""
        raise NotImplementedError

    def go_on(self, work: WorkT, now: float) -> bool:
        """Look for the proof, undo it; True when it is over."""
        raise NotImplementedError

    def give_up(self, work: WorkT) -> None:
        """The work is over while it lasts: undo it, and tell what is known."""
        raise NotImplementedError

    def holds(self, member: "Member") -> bool:
        """Whether it keeps this member from doing anything just now."""
        return False

    @property
    def restarts_soon(self) -> bool:
        """Whether a process is still to come from it, although none is left."""
        return False

    # ---- at a moment of a member's own -----------------------------------------------------------------------------

    @property
    def about(self) -> str | None:
        """The member that it is about, or whose moment sets it off."""
        member = self.plan["when"].get("member")
        return None if member is None else str(member)

    @property
    def moment(self) -> tuple[str, int] | None:
        """The moment in its process at which the member shall stand still for this; None: it is set off otherwise."""
        when = self.plan["when"]
        return (when["phase"], when.get("number", 1)) if "phase" in when else None

    def wants(self, member: "Member") -> bool:
        """Whether this member's process has to stand still at its moment."""
        return self.moment is not None and self.left > 0 and not self.acting and member.name == self.about

    def process_about(self, work: WorkT) -> "Worker | None":
        """The process of the member that it is about, if there is one."""
        return next((member.worker for member in work.members if member.name == self.about), None)

    def stands(self, work: WorkT) -> bool:
        worker = self.process_about(work)
        return worker is not None and worker.stands == self.moment

    def missed(self, work: WorkT) -> str | None:
        """Why it comes too late: its moment is over."""
        if self.moment is None or self.stands(work):
            return None
        return f"{self.about} stood still at {in_words(self.moment)}, and went on before this was done"

    def let_go(self, work: WorkT) -> None:
        """Who stands still for it goes on."""
        worker = self.process_about(work) if self.moment is not None else None
        if worker is not None and not worker.finished():
            worker.send({"cmd": "go_on"})

    # ---- when ------------------------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether the work should not be given up for it."""
        return self.acting or self.due_at is not None

    def turn(self, work: WorkT, now: float) -> None:
        if self.left > 0 and self.due_at is None and not self.acting and self.set_off(work, now):
            self.due_at = now + self.plan["after_s"]
            self.prepare(work)
        if self.due_at is not None and now >= self.due_at:
            self.due_at, self.acting = None, True
            self.tell(work, "injecting")
            self.begin(work, now)
            self.begun(work)
        if self.acting and self.go_on(work, now):
            self.acting = False
            self.left -= 1
            if self.left > 0:
                self.due_at = now + self.plan["every_s"]

    def begun(self, work: WorkT) -> None:
        """It was done; its proof is still to come."""
        self.let_go(work)

    def set_off(self, work: WorkT, now: float) -> bool:
        """Whether what it waits for has come."""
        if self.moment is not None:
            return self.stands(work)
        ((trigger, value),) = self.plan["when"].items()
        if trigger == "word":
            return value in work.words
        if trigger == "deliveries":
            return bool(self.deliveries(work) >= value)
        if trigger == "progress":
            return bool(work.reached * 100 >= value * work.bench.scenario.messages)
        return bool(now - work.began >= value)

    def deliveries(self, work: WorkT) -> int:
        """Of the member that it is about, or else of all."""
        return work.reached

    def finish(self, work: WorkT) -> None:
        """The work is over: tell of what lasts, and of what never came."""
        if self.acting:
            self.acting = False
            self.left -= 1
            self.give_up(work)
        if self.left > 0:
            self.tell(work, "injecting")
            self.tell(work, "injected", why=f"{work.who} was done before it came to that")
        self.left, self.due_at = 0, None

    def tell(self, work: WorkT, phase: str, effect: str | None = None, why: str | None = None) -> None:
        """One event, and the words that scripts may wait for; `why` says what kept it from having an effect."""
        reason = {} if why is None else {"why": why}
        work.bench.journal.write("fault", fault=self.name, phase=phase, effect=effect, **reason)
        if phase in WORDS:
            work.tell(f"{self.name} {phase}")

    def may_ask(self, now: float) -> bool:
        """Whether it is time to ask the broker again."""
        if now - self.asked_at < ASK_S:
            return False
        self.asked_at = now
        return True


class Fault(Disturbance["Group"]):
    """One that only a group can have."""


class MemberFault(Fault):
    """A fault about one member."""

    def member(self, group: "Group") -> "Member":
        return group.member(str(self.plan["target"]))

    def process(self, group: "Group") -> "Worker | None":
        """Its process, if it has one that runs; else the fault comes to nothing, and says so."""
        member = self.member(group)
        if member.worker is None or member.worker.finished():
            self.tell(group, "injected", why=f"{member.name} had no process then")
            return None
        return member.worker

    def deliveries(self, group: "Group") -> int:
        return self.member(group).deliveries

    @property
    def about(self) -> str:
        return str(self.plan["target"])


class Awaited(MemberFault):
    """A fault that the broker has to tell the effect of, in `drain.start_s`, while the member's process lives."""

    unseen = ""
    """What is told of the process where the proof never came."""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.awaited: Worker | None = None
        self.until = 0.0

    def proof(self, group: "Group", worker: "Worker") -> str | None:
        """What the broker tells of the process that proves the effect; None: nothing yet."""
        raise NotImplementedError

    def await_proof(self, group: "Group", worker: "Worker | None", now: float) -> None:
        """It was done to this process."""
        self.awaited, self.until = worker, now + group.bench.scenario.drain.start_s
        group.disturbed()

    def go_on(self, group: "Group", now: float) -> bool:
        worker = self.awaited
        if worker is None:
            return True
        if not self.may_ask(now):
            return False
        if (effect := self.proof(group, worker)) is not None:
            self.awaited = None
            self.tell(group, "injected", effect)
            return True
        if now < self.until and not worker.finished():
            return False
        self.give_up(group)
        return True

    def give_up(self, group: "Group") -> None:
        if self.awaited is not None:
            worker, self.awaited = self.awaited, None
            self.tell(group, "injected", why=f"{worker.name} {self.unseen}")


def all_done(group: "Group") -> str | None:
    """Why it comes too late for anybody: nothing is left to read or to commit."""
    if group.deliveries < group.bench.scenario.messages or group.lag():
        return None
    return "everything was read and committed already"


def in_words(moment: tuple[str, int]) -> str:
    return f"its {moment[0]} number {moment[1]}"


def empty_topic(group: "Group") -> str:
    """The name of a second topic of one partition, in which there is nothing; it is made when it is first needed."""
    bench, name = group.bench, f"{group.bench.topic}-empty"
    if name not in group.topics:
        bench.admin.create_topic(name, partitions=1)
        group.topics.append(name)
    return name


def assigns_itself(member: "Member") -> bool:
    """Whether its process takes partitions by itself, so that no group knows of it."""
    return any(step["do"] == "assign" for step in member.part.script or ())


def numbers(partitions: "set[int] | frozenset[int]") -> str:
    """`partitions 0, 2`, for a person."""
    if not partitions:
        return "no partition"
    return f"partition{'s' if len(partitions) > 1 else ''} {', '.join(map(str, sorted(partitions)))}"
