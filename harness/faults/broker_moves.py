"""What a node leads goes to another one, which has a copy: a partition, or the coordination of the group. No node ends.

It bit if the broker tells of another leader (and epoch) or coordinator than before, and the new node's own log of
requests that a member then came to it: was handed data of that partition, or asked it about the group.
"""

from typing import TYPE_CHECKING, Any

from harness.broker.leaders import OFFSETS_TOPIC, Led, coordinator, leaders, move_leader, offsets_partition
from harness.broker.witness import Witness, about_group, fetched, kafkas
from harness.faults.broker import BrokerFault, moved

if TYPE_CHECKING:
    from harness.group import Group


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

    def begin(self, group: "Group", now: float) -> None:
        self.changed = None
        why = self.too_late(group) or self.choose(group)
        if why is not None:
            self.in_vain(group, why)
            return
        bench = group.bench
        before = self.before = leaders(bench.admin, self.topic)[self.moves]
        others = [node for node in before.replicas if node in before.in_sync and node != before.leader]
        if not others:
            self.in_vain(group, "no other node had all that the leader has")
            return
        self.to = others[0]
        self.witness = Witness(bench.admin, self.to, bench.broker.request_log(self.to))
        self.start(group, now)
        move_leader(bench.admin, self.topic, self.moves, to=self.to)

    def choose(self, group: "Group") -> str | None:
        """Find the topic and the partition whose leader is moved; or why that would not matter."""
        raise NotImplementedError

    def seen(self, group: "Group") -> str | None:
        """What the broker tells of the move; None: nothing yet."""
        raise NotImplementedError

    def came(self, request: dict[str, Any], group: "Group") -> tuple[str, str] | None:
        """Which client came to the new node with this request, and what for."""
        raise NotImplementedError

    nobody = ""
    """What is said where no member came."""

    def go_on(self, group: "Group", now: float) -> bool:
        if self.witness is None:
            return True
        if not self.may_ask(now):
            return False
        if self.changed is None:
            self.changed = self.seen(group)
            if self.changed is not None:
                self.let_go(group)
        came = self._came(group) if self.changed is not None else None
        if came is None and now < self.until and (self.changed is None or not self._settled(group)):
            return False
        self._tell(group, came)
        return True

    def _settled(self, group: "Group") -> bool:
        """Whether nobody will come any more."""
        return not group.lag()

    def _came(self, group: "Group") -> str | None:
        """The first member that came to the new node."""
        assert self.witness is not None
        names = {member.worker.name for member in group.members if member.worker is not None}
        for request in self.witness.requests():
            came = self.came(request, group)
            if came is not None and came[0] in names:
                return f"{came[0]} {came[1]}"
        return None

    def _tell(self, group: "Group", came: str | None) -> None:
        assert self.witness is not None
        self.witness.close()
        self.witness = None
        if self.changed is None:
            self.tell(group, "injected", why=f"node {self.to} was not seen to take over")
            self.let_go(group)
        elif came is None:
            self.tell(group, "injected", why=f"{self.changed}, but {self.nobody}")
        else:
            self.tell(group, "injected", f"{self.changed}; {came}")
        self.end(group)

    def give_up(self, group: "Group") -> None:
        if self.witness is not None:
            self._tell(group, self._came(group) if self.changed is not None else None)


class MoveLeader(Move):
    """`move_leader: true`"""

    nobody = "no member was handed anything of it by the new one"

    def __init__(self, plan: dict[str, Any]) -> None:
        super().__init__(plan)
        self.topic_id = ""

    def choose(self, group: "Group") -> str | None:
        bench, target = group.bench, self.plan["target"]
        self.topic, self.moves = bench.topic, self.partition(group) if target is True else int(target)
        if str(self.moves) not in group.lag():
            return f"partition {self.moves} was read and committed already"
        doing = f"asking for the id of {self.topic}"
        (told,) = bench.admin.ask_kafka_python(doing, lambda client: client.describe_topics([self.topic]))
        self.topic_id = kafkas(str(told["topic_id"]))
        return None

    def seen(self, group: "Group") -> str | None:
        assert self.before is not None
        after = leaders(group.bench.admin, self.topic)[self.moves]
        return moved(self.moves, self.before, after) if after.leader == self.to else None

    def came(self, request: dict[str, Any], group: "Group") -> tuple[str, str] | None:
        found = fetched(request, self.topic, self.topic_id, self.moves)
        return None if found is None else (found[0], f"was handed {found[1]:,} bytes of it by node {self.to}")


class MoveCoordinator(Move):
    """`move_coordinator: true`"""

    nobody = "no member asked the new one about the group"

    def choose(self, group: "Group") -> str | None:
        bench = group.bench
        self.topic = OFFSETS_TOPIC
        self.moves = offsets_partition(bench.group, len(leaders(bench.admin, OFFSETS_TOPIC)))
        if not group.view().members:
            return "nobody was in the group then"
        return None

    def seen(self, group: "Group") -> str | None:
        assert self.before is not None
        after = coordinator(group.bench.admin, group.bench.group)
        return f"the coordinator went from node {self.before.leader} to node {after}" if after == self.to else None

    def came(self, request: dict[str, Any], group: "Group") -> tuple[str, str] | None:
        found = about_group(request, group.bench.group)
        return None if found is None else (found[0], f"asked node {self.to} about the group ({found[1]})")
