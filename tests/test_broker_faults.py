"""Faults of the broker in turns of a group that is a stand-in, with nodes, leaders and a coordinator that are told."""

from types import SimpleNamespace
from typing import Any

import pytest

from harness.broker.leaders import Led
from harness.faults import broker, broker_moves
from harness.faults.broker import BrokerFault, TakeDown
from harness.faults.broker_moves import MoveCoordinator, MoveLeader

START_S = 20


class World:
    """A broker of three nodes and a group of one member, c1; what the test changes is a plain attribute."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, nodes: int = 3) -> None:
        self.events: list[dict[str, Any]] = []
        self.leaders = {0: led(1, 4), 1: led(2, 0)}
        self.coordinator: int | None = 3
        self.unfinished: set[int] = {0, 1}
        self.outage: Any = None
        self.taken: list[tuple[int, bool, float | None]] = []
        self.moved: list[tuple[str, int, int]] = []
        self.came: list[tuple[str, str]] = []
        self.vain: str | None = None
        self.sent: list[str] = []
        worker = SimpleNamespace(
            name="c1", stands=None, finished=lambda: False, send=lambda what: self.sent.append(what["cmd"])
        )
        self.worker = worker
        self.work: Any = SimpleNamespace(
            bench=SimpleNamespace(
                broker=self,
                admin=SimpleNamespace(ask_kafka_python=lambda _doing, _ask: [{"topic_id": "0" * 32}]),
                topic="t",
                group="g",
                scenario=SimpleNamespace(
                    messages=100, drain=SimpleNamespace(start_s=START_S), broker=SimpleNamespace(nodes=nodes)
                ),
                journal=SimpleNamespace(write=lambda _, **event: self.events.append(event)),
            ),
            members=[SimpleNamespace(name="c1", worker=worker)],
            reached=10,
            words=[],
            faults=[],
            began=0.0,
            who="the group",
            tell=lambda _word: None,
            disturbed=lambda: None,
            in_vain=lambda: self.vain,
            unfinished=lambda: self.unfinished,
            owned=lambda _worker: frozenset({1}),
        )
        for module in (broker, broker_moves):
            monkeypatch.setattr(module, "leaders", lambda _admin, _topic: dict(self.leaders))
            monkeypatch.setattr(module, "coordinator", lambda _admin, _group: self.coordinator)
        monkeypatch.setattr(broker_moves, "move_leader", self._move)
        monkeypatch.setattr(broker_moves, "Witness", lambda *_: self)
        monkeypatch.setattr(broker_moves, "offsets_partition", lambda _group, _count: 1)
        for find in ("fetched", "produced", "about_group"):
            monkeypatch.setattr(broker_moves, find, lambda request, *_: request)
        monkeypatch.setattr(broker_moves, "kafkas", lambda topic_id: topic_id)

    # ---- the broker

    @property
    def outages(self) -> list[Any]:
        return [self.outage] if self.outage is not None and self.outage.lasts else []

    def take_down(self, number: int, *, kill: bool, back_after_s: float | None) -> Any:
        self.taken.append((number, kill, back_after_s))
        self.outage = SimpleNamespace(
            node=SimpleNamespace(number=number),
            down_at=None,
            back_at=None,
            lasts=True,
            comes_back=back_after_s is not None,
            ended="was killed by SIGKILL" if kill else "ended with exit status 143",
            bring_back=lambda: self.sent.append("bring back"),
        )
        return self.outage

    def pause(self, number: int, *, for_s: float) -> Any:
        outage = self.take_down(number, kill=False, back_after_s=for_s)
        outage.ended = "was paused"
        return outage

    def request_log(self, number: int) -> str:
        return f"{number}.log"

    def _move(self, _admin: Any, topic: str, partition: int, *, to: int) -> None:
        self.moved.append((topic, partition, to))

    # ---- the witness

    def requests(self) -> list[tuple[str, str]]:
        return self.came

    def close(self) -> None:
        self.sent.append("witness closed")

    # ---- time

    def turns(self, fault: BrokerFault, begin_s: float, end_s: float) -> None:
        for tenth in range(round(begin_s * 10), round(end_s * 10)):
            fault.turn(self.work, tenth / 10)

    def told(self, phase: str = "injected") -> list[tuple[str | None, str | None]]:
        return [(one["effect"], one.get("why")) for one in self.events if one["phase"] == phase]


def led(leader: int, epoch: int, in_sync: tuple[int, ...] = (1, 2, 3)) -> Led:
    return Led(leader, epoch, (1, 2, 3), frozenset(in_sync))


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


def plan(kind: str, target: Any, **keys: Any) -> dict[str, Any]:
    made = {"fault": kind, "kind": kind, "target": target, "when": {"s": 0}, "after_s": 0, "restart_after_s": None}
    return made | {"for_s": None, "times": 1, "every_s": None} | keys


LEFT = "90 messages were not handed over then"
TOOK_OVER = "the leader of partition 0 went from node 1 to node 3, epoch 4 to 5"


# ---- a node that goes down -------------------------------------------------------------------------------------------


def test_a_kill_is_proved_once_others_have_taken_over(world: World) -> None:
    fault = TakeDown(plan("kill_broker", "leader"))
    world.turns(fault, 0, 1)
    assert world.taken == [(1, True, None)]
    assert world.told() == []  # it is not down yet
    world.outage.down_at = 1.0
    world.turns(fault, 1, 3)
    assert world.told() == []  # nobody has taken over
    world.leaders[0] = led(3, 5)
    world.turns(fault, 3, 4)
    down = f"node 1 was killed by SIGKILL and refused connections; it had led partition 0; {LEFT}"
    assert world.told() == [(f"{down}; {TOOK_OVER}", None)]
    assert not fault.busy


def test_a_node_that_comes_back_heals_it_once_its_copies_are_in_sync(world: World) -> None:
    fault = TakeDown(plan("restart_broker", "coordinator", for_s=2))
    world.turns(fault, 0, 1)
    assert world.taken == [(3, False, 2)]
    world.outage.down_at, world.coordinator = 1.0, 2
    world.leaders = {0: led(1, 4, (1, 2)), 1: led(2, 0)}
    world.turns(fault, 1, 2)
    assert "had coordinated the group" in str(world.told()[0][0])
    assert str(world.told()[0][0]).endswith("; the coordinator went from node 3 to node 2")
    world.outage.back_at, world.outage.lasts = 6.5, False
    world.turns(fault, 2, 3)
    assert world.told("healed") == []
    world.leaders[0] = led(1, 4)
    world.turns(fault, 3, 4)
    assert world.told("healed") == [("node 3 was down for 5.5 s", None)]


def test_a_pause_is_proved_by_its_silence(world: World) -> None:
    fault = TakeDown(plan("pause_broker", "leader", for_s=12))
    world.turns(fault, 0, 1)
    assert world.taken == [(1, False, 12)]
    world.outage.down_at, world.leaders[0] = 1.0, led(3, 5)
    world.turns(fault, 1, 3)
    silent = f"node 1 was paused and answered nothing; it had led partition 0; {LEFT}"
    assert world.told() == [(f"{silent}; {TOOK_OVER}", None)]
    world.outage.back_at, world.outage.lasts = 13.0, False
    world.turns(fault, 3, 4)
    assert world.told("healed") == [("node 1 was paused for 12.0 s", None)]


def test_where_nobody_can_take_over_being_down_is_the_effect(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, nodes=1)
    fault = TakeDown(plan("restart_broker", 1))
    world.turns(fault, 0, 1)
    world.outage.down_at = 1.0
    world.turns(fault, 1, 2)
    assert world.told()[0][1] is None
    assert fault.holds(world.work.members[0])


@pytest.mark.parametrize(("unfinished", "proven"), [({0}, True), (set(), False)])
def test_an_only_node_is_asked_later_what_was_left_when_all_was_read(
    monkeypatch: pytest.MonkeyPatch, unfinished: set[int], proven: bool
) -> None:
    world = World(monkeypatch, nodes=1)
    fault = TakeDown(plan("restart_broker", 1))
    world.turns(fault, 0, 1)
    world.work.reached, world.outage.down_at, world.unfinished = 100, 1.0, unfinished
    world.turns(fault, 1, 3)
    assert world.told() == []
    world.outage.back_at, world.outage.lasts = 3.0, False
    world.turns(fault, 3, 5)
    ((effect, why),) = world.told()
    assert (effect is not None) == proven
    assert why == (None if proven else "all was done before the node was down")


def in_vain_by(world: World, why: str) -> None:
    match why:
        case "done":
            world.vain = "everything was read and committed already"
        case "nothing led":
            world.unfinished, world.coordinator = {1}, 3
        case "nobody coordinates":
            world.coordinator = None
        case "down already":
            world.take_down(2, kill=True, back_after_s=None)


@pytest.mark.parametrize(
    ("why", "target", "told"),
    [
        ("done", "leader", "everything was read and committed already"),
        (
            "nothing led",
            "leader",
            "node 1 led no partition in which anything was left, and did not coordinate the group",
        ),
        ("nobody coordinates", "coordinator", "nobody coordinated the group then"),
        ("down already", "leader", "node 2 was down already; one thing at a time is done to the broker"),
    ],
)
def test_a_node_that_matters_to_nobody_is_left_alone(world: World, why: str, target: str, told: str) -> None:
    in_vain_by(world, why)
    before = len(world.taken)
    fault = TakeDown(plan("kill_broker", target))
    world.turns(fault, 0, 2)
    assert world.told() == [(None, told)]
    assert len(world.taken) == before
    assert not fault.busy


def test_one_thing_at_a_time_is_done_to_the_broker(world: World) -> None:
    """The node that goes down would be the reason for what the move is to prove."""
    first, second = MoveLeader(plan("move_leader", 0)), TakeDown(plan("kill_broker", "leader"))
    world.work.faults = [first, second]
    first.turn(world.work, 0.0)
    second.turn(world.work, 0.1)
    assert world.told() == [(None, "move_leader was still at work; one thing at a time is done to the broker")]
    assert world.taken == []


def test_a_group_that_is_over_gets_its_node_back(world: World) -> None:
    fault = TakeDown(plan("kill_broker", "leader", restart_after_s=60))
    world.turns(fault, 0, 1)
    fault.finish(world.work)
    assert world.told() == [(None, "the group was done before it was seen what the node's end did")]
    assert world.sent == ["bring back"]


def test_work_that_is_over_before_it_is_asked_who_took_over_was_hit_all_the_same(world: World) -> None:
    """Something was left when the node was seen to be down; the rest came faster than the next question."""
    fault = TakeDown(plan("kill_broker", "leader"))
    world.turns(fault, 0, 1)
    world.outage.down_at = 1.0
    world.turns(fault, 1, 1.1)
    assert world.told() == []
    world.leaders[0], world.work.reached = led(2, 5), 100
    fault.finish(world.work)
    ((effect, why),) = world.told()
    assert why is None
    assert effect is not None
    assert "90 messages were not handed over then; the leader of partition 0 went from node 1 to node 2" in effect


def test_who_stands_still_goes_on_when_the_node_is_down(world: World) -> None:
    when = {"phase": "committing", "member": "c1"}
    fault = TakeDown(plan("kill_broker", "leader", when=when))
    assert fault.wants(world.work.members[0])
    world.turns(fault, 0, 1)
    assert world.taken == []
    world.worker.stands = ("committing", 1)
    world.turns(fault, 1, 2)
    assert world.taken == [(2, True, None)]  # the leader of what c1 owns
    assert world.sent == []
    world.outage.down_at = 2.0
    world.turns(fault, 2, 3)
    assert world.sent == ["go_on"]


def test_who_went_on_before_the_node_was_down_was_not_hit_at_its_moment(world: World) -> None:
    fault = TakeDown(plan("kill_broker", "leader", when={"phase": "committing", "member": "c1"}))
    world.worker.stands = ("committing", 1)
    world.turns(fault, 0, 1)
    world.worker.stands, world.outage.down_at = None, 1.0
    world.leaders[1] = led(3, 1)
    world.turns(fault, 1, 2)
    why = "c1 stood still at its committing number 1, and went on before this was done"
    assert world.told() == [(None, why)]


# ---- what is moved ---------------------------------------------------------------------------------------------------


def test_a_moved_leader_is_proved_by_who_fetches_from_the_new_one(world: World) -> None:
    fault = MoveLeader(plan("move_leader", True))
    world.turns(fault, 0, 1)
    assert world.moved == [("t", 0, 2)]
    world.leaders[0] = led(2, 5)
    world.came = [("reader", 5)]  # nobody of the group
    world.turns(fault, 1, 2)
    assert world.told() == []
    world.came = [("c1", 4000)]
    world.turns(fault, 2, 3)
    moved = "the leader of partition 0 went from node 1 to node 2, epoch 4 to 5"
    assert world.told() == [(f"{moved}; c1 fetched 4,000 bytes of it at node 2", None)]
    assert world.sent == ["witness closed"]
    assert not fault.busy


def test_a_leader_that_nobody_follows_proves_nothing(world: World) -> None:
    fault = MoveLeader(plan("move_leader", 0))
    world.turns(fault, 0, 1)
    world.leaders[0], world.unfinished = led(2, 5), set()
    world.turns(fault, 1, 2)
    moved = "the leader of partition 0 went from node 1 to node 2, epoch 4 to 5"
    assert world.told() == [(None, f"{moved}, but nobody fetched or produced any of it at the new one")]


def test_a_leader_that_stays_proves_nothing(world: World) -> None:
    fault = MoveLeader(plan("move_leader", 0))
    world.turns(fault, 0, START_S + 1)
    assert world.told() == [(None, "node 2 was not seen to take over")]


def test_a_partition_without_anything_left_is_left_alone(world: World) -> None:
    world.unfinished = {1}
    world.turns(MoveLeader(plan("move_leader", 0)), 0, 1)
    assert world.told() == [(None, "partition 0 was read and committed already")]
    assert world.moved == []


def test_a_lone_copy_cannot_be_moved(world: World) -> None:
    world.leaders[0] = led(1, 4, (1,))
    world.turns(MoveLeader(plan("move_leader", 0)), 0, 1)
    assert world.told() == [(None, "no other node had all that the leader has")]


def test_a_moved_coordinator_is_proved_by_who_asks_the_new_one(world: World) -> None:
    world.coordinator = 2  # the leader of partition 1 of the offsets' topic, as of the stand-in's every topic
    fault = MoveCoordinator(plan("move_coordinator", True))
    world.turns(fault, 0, 1)
    assert world.moved == [("__consumer_offsets", 1, 1)]
    world.coordinator, world.came = 1, [("c1", "OFFSET_COMMIT")]
    world.turns(fault, 1, 2)
    moved = "the coordinator went from node 2 to node 1"
    assert world.told() == [(f"{moved}; c1 asked node 1 about the group (OFFSET_COMMIT)", None)]


def test_a_group_without_members_has_nothing_to_move(world: World) -> None:
    world.coordinator, world.work.owned = 2, lambda _worker: frozenset()
    world.turns(MoveCoordinator(plan("move_coordinator", True)), 0, 1)
    assert world.told() == [(None, "nobody of the group owned a partition then")]
