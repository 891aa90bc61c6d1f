"""What the scenario had deleted while it was read: gone, unless somebody had passed over it before. In pairs."""

import dataclasses
from typing import Any

import pytest

from harness.verify import judge
from tests.verify.facts import (
    Fact,
    acked,
    assign,
    commit,
    deliver,
    drained,
    ended,
    history,
    log,
    log_end,
    read,
    revoke,
    seek,
    seen,
    verdict_of,
    written,
)

ALL = acked(*range(6))
REST = drained() + log(*range(6))


def deleted(before: int, *, partition: int = 0) -> Fact:
    return [{"type": "deleted", "partition": partition, "before": before}]


def test_what_nobody_had_read_is_gone_and_voids_nothing() -> None:
    begin = ALL + assign("c1") + deliver("c1", 0, 1)
    verdict = verdict_of(begin, deleted(4), deliver("c1", 4, 5), REST)
    assert (verdict["verdict"], seen(verdict), verdict["fates"]["delivered"]) == ("PASS", {"gone": 2}, 4)
    assert verdict["reasons"] == [
        "6 messages acked, 2 of them deleted by the scenario before anybody read them, every other one delivered"
    ]
    assert seen(verdict_of(begin, deliver("c1", 4, 5), REST)) == {"skipped": 2}


def test_beside_what_the_guarantee_allows() -> None:
    ahead = ALL + assign("c1") + deliver("c1", 0) + commit("c1", 2) + ended("c1") + assign("c2", at=2)
    verdict = verdict_of(ahead, deleted(4), deliver("c2", 4, 5), REST, guarantee="at_most_once")
    assert (verdict["verdict"], seen(verdict)) == ("PASS", {"committed_ahead": 1, "gone": 2})
    assert verdict["reasons"] == [
        "6 messages acked, 2 of them deleted by the scenario before anybody read them; 1 committed ahead, "
        "which at most once allows"
    ]


def test_retention_that_nobody_asked_for_voids_the_run_all_the_same() -> None:
    begin = ALL + assign("c1") + deliver("c1", 3) + deleted(5) + deliver("c1", 5)
    verdict = verdict_of(begin, drained(), log(3, 4, 5, start=3, end=6))
    assert (verdict["verdict"], seen(verdict)) == ("UNKNOWN", {"gone": 4})
    assert verdict["reasons"] == ["3 messages deleted from the log during the run, which voids it"]


def test_what_was_passed_over_before_is_no_deletions_doing() -> None:
    begin = ALL + assign("c1") + deliver("c1", 0)
    early = verdict_of(begin, deliver("c1", 2), deleted(4), deliver("c1", 4, 5), REST)
    assert (early["verdict"], seen(early)) == ("FAIL", {"skipped": 1, "gone": 1})
    # 3 was below the log's start then: it had been fetched before, and what was not handed over with it was left out.
    late = verdict_of(begin, deleted(4), deliver("c1", 3, 4, 5), REST)
    assert seen(late) == {"skipped": 2}
    ahead = begin + commit("c1", 2) + ended("c1") + assign("c2", at=2) + deleted(4) + deliver("c2", 4, 5)
    assert seen(verdict_of(ahead, REST)) == {"committed_ahead": 1, "gone": 2}
    illegal = begin + commit("c1", 1) + ended("c1") + assign("c2", at=2) + deleted(4) + deliver("c2", 4, 5)
    assert seen(verdict_of(illegal, REST)) == {"illegal_start": 1, "gone": 2}


def test_behind_it_everything_must_still_come() -> None:
    begin = ALL + assign("c1") + deliver("c1", 0) + deleted(3)
    assert seen(verdict_of(begin, deliver("c1", 4, 5), REST)) == {"gone": 2, "skipped": 1}
    assert seen(verdict_of(begin, deliver("c1", 3), REST)) == {"gone": 2, "stalled": 2}
    assert seen(verdict_of(begin, ended("c1"), assign("c2"), deliver("c2", 4, 5), REST)) == {
        "gone": 2,
        "illegal_start": 1,
    }


@pytest.mark.parametrize(("reset", "found"), [("earliest", "stalled"), ("latest", "unread"), ("none", "unread")])
def test_the_reset_policy_decides_what_a_reader_out_of_range_awaits(reset: str, found: str) -> None:
    nothing_more = {"gone": 2, found: 3}
    under = ALL + assign("c1") + deliver("c1", 0) + deleted(3) + REST
    assert seen(verdict_of(under, reset=reset)) == nothing_more
    away = ALL + assign("c1") + deliver("c1", 0) + commit("c1", 1) + ended("c1") + deleted(3) + assign("c2") + REST
    assert seen(verdict_of(away, reset=reset)) == nothing_more


def test_latest_may_go_on_anywhere_and_none_nowhere() -> None:
    under = ALL + assign("c1") + deliver("c1", 0) + deleted(3) + deliver("c1", 5) + REST
    assert seen(verdict_of(under, reset="latest")) == {"gone": 2, "unread": 2}
    assert seen(verdict_of(under, reset="none")) == {"gone": 2, "skipped": 2}
    assert seen(verdict_of(under, reset="earliest")) == {"gone": 2, "skipped": 2}


def test_who_stood_behind_it_was_not_sent_anywhere() -> None:
    begin = ALL + assign("c1") + deliver("c1", 0, 1, 2) + deleted(3)
    assert seen(verdict_of(begin, deliver("c1", 5), REST, reset="latest")) == {"skipped": 2}
    begun = ALL + assign("c1", at=3) + deleted(3)
    assert seen(verdict_of(begun, deliver("c1", 5), REST, reset="latest"))["skipped"] == 2


def test_a_commit_that_was_overtaken_before_anything_came() -> None:
    """The owner began in range, and was out of it before its first message."""
    begin = ALL + assign("c1") + deliver("c1", 0) + commit("c1", 1) + ended("c1") + assign("c2")
    jumped = deliver("c2", 5) + REST
    assert seen(verdict_of(begin, deleted(3), jumped, reset="latest")) == {"gone": 2, "unread": 2}
    assert seen(verdict_of(begin, jumped, reset="latest")) == {"illegal_start": 4}
    assert seen(verdict_of(begin, deleted(3), jumped)) == {"gone": 2, "illegal_start": 2}


def test_one_deletion_after_the_other() -> None:
    """What the first one made its reader jump to may lie behind what the second one took."""
    begin = ALL + assign("c1") + deliver("c1", 0) + deleted(2) + deliver("c1", 2)
    assert seen(verdict_of(begin, deleted(4), deliver("c1", 4, 5), REST)) == {"gone": 2}
    sent = ALL + assign("c1") + deliver("c1", 0) + deleted(2) + deliver("c1", 4) + deleted(4) + deliver("c1", 5) + REST
    assert seen(verdict_of(sent, reset="latest")) == {"gone": 1, "unread": 2}
    assert seen(verdict_of(sent)) == {"gone": 1, "skipped": 2}


def test_what_was_asked_for_again_by_a_seek_and_deleted_then() -> None:
    begin = ALL + assign("c1") + deliver("c1", *range(6)) + seek("c1", 0)
    assert seen(verdict_of(begin, deleted(3), deliver("c1", 3, 4, 5), REST)) == {"gone": 3}
    assert seen(verdict_of(begin, deliver("c1", 3, 4, 5), REST)) == {"skipped": 3}


def test_a_deletion_of_what_had_been_handed_over_proves_nothing() -> None:
    begin = ALL + assign("c1") + deliver("c1", *range(6))
    verdict = verdict_of(begin, deleted(4), REST)
    assert (verdict["verdict"], seen(verdict)) == ("UNKNOWN", {})
    assert verdict["reasons"] == ["nothing unread was deleted from partition 0, so the run proves nothing about that"]


def test_another_partitions_deletion_excuses_nobody() -> None:
    begin = ALL + acked(0, partition=1) + assign("c1", 0, 1) + deliver("c1", 0) + deleted(1, partition=1)
    verdict = verdict_of(begin, deliver("c1", 4, 5), REST, log(0, partition=1), partitions=2)
    assert seen(verdict) == {"skipped": 3, "gone": 1}


def test_without_a_reader_nothing_is_gone() -> None:
    verdict = verdict_of(ALL, assign("c1"), deliver("c1", 0), deleted(3), deliver("c1", 3, 4, 5), drained())
    assert seen(verdict) == {"unread": 2}


def test_at_risk_is_not_what_was_deleted() -> None:
    begin = ALL + assign("c1") + deliver("c1", 0) + deleted(3) + deliver("c1", 3, 4, 5)
    assert seen(verdict_of(begin, commit("c1", 6), REST)) == {"gone": 2}


def approximate(*facts: Fact, **done: int) -> dict[str, Any]:
    """As a recording tells it: of a delivery it is only known that it came before its batch was done with."""
    story = dataclasses.replace(read(written(history(*facts))), exact_times=False)
    for stream in story.streams:
        rows = stream.deliveries.take(0)
        for offset, at in done.items():
            rows["done"][rows["offset"] == int(offset[1:])] = at * 1_000_000
        stream.deliveries.add(rows)
    return judge(story)


def test_where_nobody_knows_which_came_first_it_stays_open() -> None:
    """Offset 4 was handed over at line 16; the deletion is line 17."""
    told = ALL + assign("c1") + deliver("c1", 0, 4) + deleted(3) + deliver("c1", 5) + REST
    assert seen(approximate(told)) == {"skipped": 3}
    verdict = approximate(told, _4=20)
    assert seen(verdict) == {"unread": 2, "skipped": 1}
    assert seen(approximate(ALL + assign("c1") + deliver("c1", 0) + deleted(3) + deliver("c1", 4, 5) + REST)) == {
        "gone": 2,
        "skipped": 1,
    }


def test_who_gave_the_partition_up_before_is_not_asked() -> None:
    begin = ALL + assign("c1") + deliver("c1", 0) + commit("c1", 1) + revoke("c1") + deleted(3)
    assert seen(verdict_of(begin, assign("c2", at=3), deliver("c2", 3, 4, 5), drained(), log(*range(6)))) == {"gone": 2}
    assert seen(verdict_of(begin, log_end(6))) == {"publish_loss": 5}
