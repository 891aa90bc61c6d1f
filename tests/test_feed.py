"""When the producer of a group that reads meanwhile begins, what the group is told, and what is never proven."""

from types import SimpleNamespace
from typing import Any

import pytest

from harness import feed as feeding
from harness.broker.admin import GroupView
from harness.clients.worker_end import WorkerEnd
from harness.feed import Feed


class Group:
    """Two partitions of 50 messages are planned; `owned` is what the broker tells of each member."""

    def __init__(self) -> None:
        self.began, self.changed_at = 100.0, 0.0
        self.ends = {0: (0, 50), 1: (0, 50)}
        self.owned: dict[str, set[int]] = {}
        self.told = 0

    def view(self) -> GroupView:
        return GroupView("Stable", {name: frozenset(owned) for name, owned in self.owned.items()})

    def tell_ends(self) -> None:
        self.told += 1


class Table:
    """The harness's side: where the topic ends, what is written into the journal, and a producer that can end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ends = {0: (0, 50), 1: (0, 50)}
        self.torn: list[str] = []
        self.started = 0
        self.over = False
        journal = SimpleNamespace(write=lambda kind, why: self.torn.append(why))
        admin = SimpleNamespace(end_offsets=lambda topic: self.ends)
        drain = SimpleNamespace(start_s=60)
        scenario = SimpleNamespace(partitions=2, drain=drain)
        bench: Any = SimpleNamespace(
            scenario=scenario, admin=admin, journal=journal, topic="t", broker=SimpleNamespace(alive=lambda: None)
        )
        monkeypatch.setattr(feeding, "note_end", lambda *_, **__: None)
        self.feed, self.group = Feed(bench, self.start, idle_s=60), Group()

    def start(self) -> Any:
        self.started += 1
        end = WorkerEnd("p1", "ended", 0, {}, None, "", None)  # type: ignore[arg-type]
        return SimpleNamespace(
            finished=lambda: self.over, end=lambda: end, poll=lambda: None, watch_count=lambda: (0, 0), closing=False
        )

    def turn(self, now: float) -> None:
        self.feed.turn(self.group, now)  # type: ignore[arg-type]


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Table:
    return Table(monkeypatch)


def test_it_begins_when_everything_is_owned(table: Table) -> None:
    table.turn(101)
    table.group.owned = {"c1": {0}}
    table.turn(102)
    assert (table.started, table.feed.writing, table.feed.done) == (0, False, False)
    table.group.owned = {"c1": {0}, "c2": {1}}
    table.turn(103)
    table.turn(104)
    assert (table.started, table.feed.writing, table.feed.done) == (1, True, False)


def test_a_group_that_does_not_come_is_not_waited_for_endlessly(table: Table) -> None:
    table.turn(161)
    assert table.started == 1


def test_when_all_is_written_as_planned_nobody_need_be_told(table: Table) -> None:
    table.turn(161)
    table.over = True
    table.turn(162)
    table.feed.finish()
    assert (table.feed.done, table.feed.writing, table.group.told, table.torn) == (True, False, 0, [])
    assert table.group.changed_at > 0


def test_less_than_planned_is_told(table: Table) -> None:
    table.turn(161)
    table.over, table.ends = True, {0: (0, 49), 1: (0, 50)}
    table.turn(162)
    assert (table.group.ends, table.group.told, table.torn) == (table.ends, 1, [])


def test_more_than_planned_proves_nothing(table: Table) -> None:
    table.turn(161)
    table.over, table.ends = True, {0: (0, 51), 1: (0, 50)}
    table.turn(162)
    assert table.group.told == 1
    assert "the topic has more than was to be written" in table.torn[0]


def test_a_group_that_is_over_before_it_owned_the_topic_proves_nothing(table: Table) -> None:
    table.turn(101)
    table.feed.finish()
    assert table.torn == ["nothing was produced: the group was over before it owned the topic"]
