"""What a node leads goes to another one, which has a copy: a partition, or the coordination of the group. No node ends.

It bit if the broker tells of another leader (and epoch) or coordinator than before, and the new node's own log of
requests that somebody then came to it: fetched data of that partition (or produced some), or asked about the group.
"""

from typing import Any

from harness.broker.leaders import OFFSETS_TOPIC, Led, coordinator, leaders, move_leader, offsets_partition
from harness.broker.witness import Witness, about_group, fetched, kafkas, produced
from harness.faults.base import Work
from harness.faults.broker import BrokerFault, moved


class Move(BrokerFault):
    """What both have in common."""

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.topic = ""
        self.moves = 0  # the partition whose leader is moved
        self.before: Led | None = None
        self.to = 0
        self.witness: Witness | None = None
        self.changed: str | None = None  # what the broker told of the move

    def begin(self, work: Work, now: float) -> None:
        self.changed = None
        why = self.too_late(work) or self.choose(work)
        if why is not None:
            self.in_vain(work, why)
            return
        bench = work.bench
        before = self.before = leaders(bench.admin, self.topic)[self.moves]
        others = [node for node in before.replicas if node in before.in_sync and node != before.leader]
        if not others:
            self.in_vain(work, "no other node had all that the leader has")
            return
        self.to = others[0]
        self.witness = Witness(bench.admin, self.to, bench.broker.request_log(self.to))
        self.start(work, now)
        move_leader(bench.admin, self.topic, self.moves, to=self.to)

    def choose(self, work: Work) -> str | None:
        """Find the topic and the partition whose leader is moved; or why that would not matter."""
        raise NotImplementedError

    def seen(self, work: Work) -> str | None:
        """What the broker tells of the move; None: nothing yet."""
        raise NotImplementedError

    def came(self, request: dict[str, Any], work: Work) -> tuple[str, str] | None:
        """Which client came to the new node with this request, and what for."""
        raise NotImplementedError

    nobody = ""
    """What is said where no member came."""

    def go_on(self, work: Work, now: float) -> bool:
        if self.witness is None:
            return True
        if not self.may_ask(now):
            return False
        if self.changed is None:
            self.changed = self.seen(work)
            if self.changed is not None:
                self.late = self.missed(work)
                self.let_go(work)
        came = self._came(work) if self.changed is not None else None
        if came is None and now < self.until and (self.changed is None or not self._settled(work)):
            return False
        self._tell(work, came)
        return True

    def _settled(self, work: Work) -> bool:
        """Whether nobody will come any more."""
        return not work.unfinished()

    def _came(self, work: Work) -> str | None:
        """The first member that came to the new node."""
        assert self.witness is not None
        # A producer has no name of its own, and nobody else produces.
        names = {member.worker.name for member in work.members if member.worker is not None}
        for request in self.witness.requests():
            came = self.came(request, work)
            if came is not None and (came[0] in names or not names):
                return f"{came[0]} {came[1]}"
        return None

    def _tell(self, work: Work, came: str | None) -> None:
        assert self.witness is not None
        self.witness.close()
        self.witness = None
        if self.changed is None:
            self.tell(work, "injected", why=f"node {self.to} was not seen to take over")
            self.let_go(work)
        elif self.late is not None:
            self.tell(work, "injected", why=self.late)
        elif came is None:
            self.tell(work, "injected", why=f"{self.changed}, but {self.nobody}")
        else:
            self.tell(work, "injected", f"{self.changed}; {came}")
        self.end(work)

    def give_up(self, work: Work) -> None:
        if self.witness is not None:
            self._tell(work, self._came(work) if self.changed is not None else None)


class MoveLeader(Move):
    """`move_leader: true`"""

    nobody = "nobody fetched or produced any of it at the new one"

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.topic_id = ""

    def choose(self, work: Work) -> str | None:
        bench, target = work.bench, self.plan["target"]
        self.topic, self.moves = bench.topic, self.partition(work) if target is True else int(target)
        if self.moves not in work.unfinished():
            return f"partition {self.moves} was read and committed already"
        doing = f"asking for the id of {self.topic}"
        (told,) = bench.admin.ask_kafka_python(doing, lambda client: client.describe_topics([self.topic]))
        self.topic_id = kafkas(str(told["topic_id"]))
        return None

    def seen(self, work: Work) -> str | None:
        assert self.before is not None
        after = leaders(work.bench.admin, self.topic)[self.moves]
        return moved(self.moves, self.before, after) if after.leader == self.to else None

    def came(self, request: dict[str, Any], work: Work) -> tuple[str, str] | None:
        find, did = (fetched, "fetched") if work.members else (produced, "produced")
        found = find(request, self.topic, self.topic_id, self.moves)
        return None if found is None else (found[0], f"{did} {found[1]:,} bytes of it at node {self.to}")


class MoveCoordinator(Move):
    """`move_coordinator: true`"""

    nobody = "no member asked the new one about the group"

    def choose(self, work: Work) -> str | None:
        bench = work.bench
        self.topic = OFFSETS_TOPIC
        led = leaders(bench.admin, OFFSETS_TOPIC)
        self.moves = offsets_partition(bench.group, len(led))
        if led[self.moves].leader != coordinator(bench.admin, bench.group):
            return "nobody coordinated the group then"
        if not any(member.worker is not None and work.owned(member.worker) for member in work.members):
            return "nobody of the group owned a partition then"
        return None

    def seen(self, work: Work) -> str | None:
        assert self.before is not None
        after = coordinator(work.bench.admin, work.bench.group)
        return f"the coordinator went from node {self.before.leader} to node {after}" if after == self.to else None

    def came(self, request: dict[str, Any], work: Work) -> tuple[str, str] | None:
        found = about_group(request, work.bench.group)
        return None if found is None else (found[0], f"asked node {self.to} about the group ({found[1]})")
