"""Rebalances: a partition that moves while others go on, owners that overlap, and owners that come back. In pairs."""

from tests.verify.facts import (
    acked,
    assign,
    commit,
    deliver,
    drained,
    ended,
    handled,
    log,
    revoke,
    seen,
    stored,
    verdict_of,
)

BOTH = acked(*range(4)) + acked(*range(4), partition=1) + assign("c1", 0, 1)
READ = drained() + log(*range(4)) + log(*range(4), partition=1)


def test_a_partition_moves_while_the_other_goes_on() -> None:
    begin = BOTH + deliver("c1", 0, 1) + deliver("c1", 0, 1, partition=1) + commit("c1", 2, partition=1)
    moved = begin + revoke("c1", 1) + deliver("c1", 2) + assign("c2", 1)
    rest = deliver("c1", 3) + READ
    assert seen(verdict_of(moved, deliver("c2", 2, 3, partition=1), rest, partitions=2)) == {}
    jumped = verdict_of(moved, deliver("c2", 3, partition=1), rest, partitions=2)
    assert seen(jumped) == {"illegal_start": 1}
    assert jumped["spans"][0]["partition"] == 1


def test_a_revocation_of_one_partition_excuses_no_repeat_in_the_other() -> None:
    begin = BOTH + deliver("c1", 0, 1, 2, 3) + deliver("c1", 0, partition=1) + revoke("c1", 1)
    rest = assign("c1", 1) + deliver("c1", 0, 1, 2, 3, partition=1)
    assert seen(verdict_of(begin, rest, READ, partitions=2)) == {"legal_redelivery": 1}
    assert seen(verdict_of(begin, rest, deliver("c1", 3), READ, partitions=2)) == {"legal_redelivery": 1, "repeat": 1}


def test_the_same_member_gets_back_what_it_gave_away() -> None:
    """Between revoke and assign it owns nothing; afterwards what it had is delivered again, not repeated."""
    begin = acked(0, 1, 2) + assign("c1") + deliver("c1", 0, 1) + commit("c1", 1) + revoke("c1")
    rest = drained() + log(0, 1, 2)
    assert seen(verdict_of(begin, assign("c1", at=1), deliver("c1", 1, 2), rest)) == {"legal_redelivery": 1}
    assert seen(verdict_of(begin, deliver("c1", 1), assign("c1", at=2), deliver("c1", 2), rest)) == {"foreign": 1}


def test_what_a_foreign_owner_had_comes_again_to_the_rightful_one() -> None:
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0) + commit("c1", 1) + revoke("c1") + assign("c2", at=1)
    rest = drained() + log(0, 1)
    late = deliver("c1", 1)
    assert seen(verdict_of(begin, late, deliver("c2", 1), rest)) == {"foreign": 1, "legal_redelivery": 1}
    assert seen(verdict_of(begin, deliver("c2", 1), late, rest)) == {"foreign": 1}
    assert seen(verdict_of(begin, deliver("c2", 1), rest)) == {}


def test_between_overlapping_owners_time_says_which_delivery_is_the_second() -> None:
    """c2 began behind a commit that covers message 1; whether that makes 1 excess depends on who had it first."""
    begin = acked(0, 1, 2) + assign("c1", at=0) + deliver("c1", 0) + commit("c1", 2) + assign("c2", at=1)
    rest = drained() + log(0, 1, 2)
    first, second = deliver("c1", 1, 2), deliver("c2", 1, 2)
    late = verdict_of(begin, first, second, rest)["anomalies"]
    early = verdict_of(begin, second, first, rest)["anomalies"]
    assert (late["legal_redelivery"], late["excess_redelivery"]) == (1, 1)
    assert (early["legal_redelivery"], early["excess_redelivery"]) == (2, 0)


def test_a_commit_of_a_member_that_no_longer_owns_the_partition() -> None:
    """Refused, it is in force for nobody; taken by the group all the same, the next owner begins at it."""
    begin = acked(*range(4)) + assign("c1") + deliver("c1", 0, 1) + commit("c1", 2) + revoke("c1")
    rest = deliver("c2", 3) + drained() + log(*range(4))
    assert seen(verdict_of(begin, commit("c1", 3, ok=False), assign("c2"), rest)) == {"illegal_start": 1}
    assert seen(verdict_of(begin, commit("c1", 3), assign("c2"), rest)) == {"committed_ahead": 1}
    assert seen(verdict_of(begin, commit("c1", 3, ok=False), stored(3), assign("c2"), rest)) == {"committed_ahead": 1}


def test_in_flight_although_the_old_owner_let_go_only_afterwards() -> None:
    begin = acked(0, 1) + assign("c1") + handled("c1", 0) + commit("c1", 2) + deliver("c1", 1) + assign("c2", at=2)
    rest = drained() + log(0, 1)
    assert verdict_of(begin, revoke("c1"), rest)["committed_ahead_of"]["in_flight"] == 1
    assert verdict_of(begin, rest)["committed_ahead_of"]["in_flight"] == 0


def test_in_flight_is_healed_by_a_later_owner_that_has_it_in_hand() -> None:
    begin = (
        acked(0, 1, 2) + assign("c1") + handled("c1", 0) + deliver("c1", 1) + commit("c1", 2) + ended("c1", "killed")
    )
    lost = begin + ended("c1", "killed") + assign("c2", at=2) + handled("c2", 2)
    rest = drained() + log(0, 1, 2)
    assert verdict_of(lost, rest)["fates"]["committed_ahead"] == 1
    healed = verdict_of(lost, ended("c2"), assign("c3", at=1), handled("c3", 1, 2), rest)
    assert healed["fates"]["committed_ahead"] == 0
    assert healed["fates"]["delivered"] == 3


def test_a_seek_back_and_a_lower_commit_are_no_lost_commit() -> None:
    begin = acked(0, 1, 2) + assign("c1") + deliver("c1", 0, 1, 2) + commit("c1", 3) + stored(3)
    rest = drained() + log(0, 1, 2)
    assert seen(verdict_of(begin, commit("c1", 1), stored(1), rest)) == {}
    assert seen(verdict_of(begin, stored(1), rest)) == {"commit_lost": 1}


def test_what_latest_jumped_is_owed_by_nobody_who_began_behind_it() -> None:
    begin = acked(*range(4)) + assign("c1", at=2) + deliver("c1", 2) + commit("c1", 3) + ended("c1")
    rest = drained() + log(*range(4))
    behind = verdict_of(begin, assign("c2", at=3), deliver("c2", 3), rest, reset="latest")
    assert seen(behind) == {"unread": 2}
    before = verdict_of(begin, assign("c2", at=1), deliver("c2", 2, 3), rest, reset="latest")
    assert before["fates"]["skipped"] == 1
    assert before["fates"]["unread"] == 1
