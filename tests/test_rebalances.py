"""What rebalances cost, each figure from a history made by hand. Times are in seconds."""

from typing import Any

from harness.rebalances import group_costs
from tests.verify.facts import acked, assign, commit, deliver, ended, history, log, read, revoke, written

Timed = tuple[float, list[dict[str, Any]]]


def joined(member: str) -> list[dict[str, Any]]:
    return ended(member, "join")


def costs(*facts: Timed, **run: Any) -> Any:
    lines = history(*(lines for _, lines in facts), **run)
    times = [0.0, *(at for at, lines in facts for _ in lines)]
    for line, at in zip(lines, times, strict=True):
        line["t"] = round(at * 1e9)
    return group_costs(read(written(lines)))


def taken_over(*more: Timed) -> Any:
    """Two partitions: a has both from 1 on and is handed 0 and 1 of partition 1; b comes at 3 and has it from 5 on."""
    return costs(
        (0, acked(0, 1, 2, partition=1) + log(0, 1, 2, partition=1)),
        (0.5, joined("a")),
        (1, assign("a", 0, 1)),
        (1.25, deliver("a", 0, 1, partition=1)),
        (2, commit("a", 1, partition=1)),
        (3, joined("b")),
        (4, revoke("a", 0, 1)),
        (5, assign("b", 1)),
        (5.5, assign("a", 0)),
        (5.75, deliver("b", 1, 2, partition=1)),
        *more,
        partitions=2,
    )


def test_from_the_first_event_to_the_last_assignment() -> None:
    first, second = taken_over()["rebalances"]
    assert (first["t_s"], first["duration_s"], first["members"]) == (0.5, 0.5, ["a"])
    assert (second["t_s"], second["duration_s"], second["members"]) == (3, 2.5, ["a", "b"])
    assert taken_over()["longest_s"] == 2.5


def test_who_owned_nothing_for_how_long_and_when_the_first_message_came() -> None:
    first, second = taken_over()["rebalances"]
    assert first["stopped_s"] == {"a": 0.5}
    assert first["first_message_s"] == {"a": 0.25}
    assert second["stopped_s"] == {"a": 1.5, "b": 2}
    assert second["first_message_s"] == {"a": None, "b": 0.75}


def test_owners_and_shares() -> None:
    told = taken_over()
    first, second = told["rebalances"]
    assert (first["changed_owner"], first["partitions"]) == ([], {"a": 2})
    assert (second["changed_owner"], second["partitions"]) == ([1], {"a": 1, "b": 1})
    assert (second["most"], second["fewest"]) == (1, 1)
    assert ([row["needed"] for row in told["rebalances"]], told["moved"], told["needed"]) == ([0, 1], 1, 1)
    assert told["messages"] == {"a": 2, "b": 2}
    assert told["idle"] == []


def test_what_came_again_belongs_to_its_rebalance() -> None:
    told = taken_over()
    assert [row["legal_redelivery"] for row in told["rebalances"]] == [0, 1]
    assert (told["legal_redelivery"], told["excess_redelivery"]) == (1, 0)


def test_below_the_commit_it_is_excess() -> None:
    told = costs(
        (0, acked(0, 1) + log(0, 1)),
        (1, joined("a") + assign("a")),
        (2, deliver("a", 0, 1) + commit("a", 1) + ended("a")),
        (3, joined("b") + assign("b") + deliver("b", 0, 1)),
    )
    assert [(row["legal_redelivery"], row["excess_redelivery"]) for row in told["rebalances"]] == [(0, 0), (1, 1)]


def test_a_dead_member_counts_from_its_death() -> None:
    """It is not noticed for six seconds; then b, which goes on with what it has, is given the rest."""
    told = costs(
        (0, acked(0)),
        (1, joined("a") + joined("b") + assign("a", 0) + assign("b", 1)),
        (2, ended("a", "killed")),
        (8, assign("b", 0)),
        partitions=2,
    )
    dead = told["rebalances"][1]
    assert (dead["t_s"], dead["duration_s"], dead["changed_owner"]) == (2, 6, [0])
    assert (dead["stopped_s"], dead["partitions"], dead["needed"]) == ({}, {"b": 2}, 1)


def test_more_moves_than_equal_shares_need() -> None:
    """a and b share seven, c comes and a goes: a stretch each, as range gives them."""
    told = costs(
        (1, joined("a") + joined("b") + assign("a", 0, 1, 2, 3) + assign("b", 4, 5, 6)),
        (2, joined("c") + revoke("a", 0, 1, 2, 3) + revoke("b", 4, 5, 6)),
        (3, assign("a", 0, 1, 2) + assign("b", 3, 4) + assign("c", 5, 6)),
        (4, ended("a") + revoke("b", 3, 4) + revoke("c", 5, 6)),
        (5, assign("b", 0, 1, 2, 3) + assign("c", 4, 5, 6)),
        partitions=7,
    )
    assert [(row["changed_owner"], row["needed"]) for row in told["rebalances"]] == [
        ([], 0),
        ([3, 5, 6], 2),
        ([0, 1, 2, 4], 3),
    ]
    assert (told["moved"], told["needed"]) == (7, 5)


def test_two_owners_at_once() -> None:
    told = costs(
        (1, joined("a") + assign("a")),
        (2, joined("b")),
        (3, assign("b")),
        (3.02, revoke("a")),
        (3.5, ended("a") + revoke("b")),
        (4, assign("b")),
    )
    assert [row["overlap_ms"] for row in told["rebalances"]] == [{}, {"0": 20}, {}]
    assert [row["changed_owner"] for row in told["rebalances"]] == [[], [0], []]


def test_one_owner_after_the_other_is_no_overlap() -> None:
    assert all(row["overlap_ms"] == {} for row in taken_over()["rebalances"])


def test_more_members_than_partitions() -> None:
    told = costs(
        (0, acked(0)),
        (1, joined("a") + joined("b")),
        (2, assign("a")),
        (7, ended("a")),
        (9, assign("b")),
    )
    first, second = told["rebalances"]
    assert (first["duration_s"], first["partitions"], first["fewest"]) == (1, {"a": 1, "b": 0}, 0)
    assert first["stopped_s"] == {"a": 1, "b": 1}
    assert (second["t_s"], second["duration_s"], second["stopped_s"]) == (7, 2, {"b": 2})
    assert told["idle"] == []


def test_who_is_left_without_partitions_is_idle() -> None:
    told = costs((1, joined("a") + joined("b")), (2, assign("a")), (3, revoke("a")), (4, assign("a")))
    assert told["idle"] == ["b"]


def test_the_end_of_a_group_is_no_rebalance() -> None:
    told = taken_over((8, revoke("b", 1) + ended("b") + revoke("a", 0) + ended("a")))
    assert len(told["rebalances"]) == 2


def test_a_partition_more_belongs_to_the_rebalance_before_if_it_comes_at_once() -> None:
    soon, late = (taken_over((at, assign("a", 2)))["rebalances"] for at in (6, 9))
    assert [row["duration_s"] for row in soon] == [0.5, 3]
    assert [row["duration_s"] for row in late] == [0.5, 2.5, 0]
    assert late[-1]["partitions"] == {"a": 2, "b": 1}


def test_without_a_group_there_are_none() -> None:
    facts = ((1, joined("a") + assign("a", 0)), (2, revoke("a", 0) + assign("a", 0)))
    assert costs(*facts, group=None) is None
    assert costs(facts[0]) is None
    assert costs(*facts) is not None
