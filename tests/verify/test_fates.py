"""Every fate as a pair: the smallest history that shows it, and the same one fact short that does not."""

from tests.verify.facts import (
    Fact,
    ack,
    acked,
    assign,
    commit,
    deliver,
    drained,
    ended,
    entry,
    handled,
    log,
    log_end,
    nacked,
    processed,
    revoke,
    seen,
    sent,
    stored,
    unknown,
    verdict_of,
)


def test_all_delivered_is_a_pass() -> None:
    verdict = verdict_of(acked(0, 1, 2), assign("c1"), deliver("c1", 0, 1, 2), drained(), log(0, 1, 2))
    assert verdict["verdict"] == "PASS"
    assert verdict["fates"]["delivered"] == verdict["judged"] == verdict["deliveries"] == 3
    assert verdict["reasons"] == ["3 messages acked, every one delivered"]
    assert verdict["blamed"] == []
    assert seen(verdict) == {}


def test_skipped_when_the_same_owner_was_handed_a_later_one() -> None:
    begin = acked(0, 1, 2) + assign("c1")
    verdict = verdict_of(begin, deliver("c1", 0, 2), drained(), log(0, 1, 2))
    assert seen(verdict) == {"skipped": 1}
    assert verdict["verdict"] == "FAIL"
    assert verdict["blamed"] == ["consumer"]
    assert verdict["reasons"] == [
        "1 message skipped in partition 0: c1 started at 0 and was handed offset 2 without them"
    ]
    assert verdict["spans"][0]["first_offset"] == verdict["spans"][0]["last_offset"] == 1
    short = verdict_of(begin, deliver("c1", 0), drained(), log(0, 1, 2))
    assert seen(short) == {"stalled": 2}


def test_not_skipped_across_a_revocation() -> None:
    """The two offsets came to one member, but in two ownerships: the second began where nothing was committed."""
    begin = acked(0, 1, 2) + assign("c1") + deliver("c1", 0)
    one = verdict_of(begin, deliver("c1", 2), drained(), log(0, 1, 2))
    two = verdict_of(begin, revoke("c1"), assign("c1"), deliver("c1", 2), drained(), log(0, 1, 2))
    assert seen(one) == {"skipped": 1}
    assert seen(two) == {"illegal_start": 1}


def test_a_later_owner_heals_a_skip() -> None:
    begin = acked(0, 1, 2) + assign("c1") + deliver("c1", 0, 2) + ended("c1")
    healed = verdict_of(begin, assign("c2"), deliver("c2", 1, 2), drained(), log(0, 1, 2))
    assert healed["verdict"] == "PASS"
    assert seen(healed) == {"legal_redelivery": 1}
    assert seen(verdict_of(begin, assign("c2"), deliver("c2", 2), drained(), log(0, 1, 2))) == {
        "skipped": 1,
        "legal_redelivery": 1,
    }


def test_skipped_from_the_position_told_on() -> None:
    """Without a told position the first offset handed over is the start, and what lies before it was jumped."""
    rest = deliver("c1", 1) + drained() + log(0, 1)
    assert seen(verdict_of(acked(0, 1), assign("c1", at=0), rest)) == {"skipped": 1}
    assert seen(verdict_of(acked(0, 1), assign("c1"), rest)) == {"illegal_start": 1}


def test_committed_ahead_never_handed_over() -> None:
    begin = acked(0, 1, 2, 3) + assign("c1") + deliver("c1", 0, 1)
    rest = ended("c1") + assign("c2", at=3) + deliver("c2", 3) + drained() + log(0, 1, 2, 3)
    verdict = verdict_of(begin, commit("c1", 3), rest)
    assert seen(verdict) == {"committed_ahead": 1}
    assert verdict["committed_ahead_of"] == {"never_handed_over": 1, "in_flight": 0}
    assert verdict["verdict"] == "FAIL"
    assert verdict["blamed"] == ["client"]
    assert verdict["reasons"] == [
        "1 message in partition 0 never handed over to anybody, though c1 committed 3 when c2 took over at 3"
    ]
    assert seen(verdict_of(begin, commit("c1", 3, ok=False), rest)) == {"illegal_start": 1}
    assert seen(verdict_of(begin, commit("c1", 2), rest)) == {"illegal_start": 1}


def test_committed_ahead_told_by_the_stored_offset_alone() -> None:
    """A group restarted in an orderly way, which told of no commit itself: the world outside saw it."""
    begin = acked(*range(8)) + assign("c1") + deliver("c1", 0, 1, 2, 3) + ended("c1")
    rest = deliver("c2", 6, 7) + drained() + log(*range(8))
    verdict = verdict_of(begin, stored(6), assign("c2"), rest)
    assert seen(verdict) == {"committed_ahead": 2}
    assert verdict["committed_ahead_of"] == {"never_handed_over": 2, "in_flight": 0}
    assert verdict["blamed"] == ["client"]
    assert verdict["notes"] == ["2 messages lost behind a commit (case 2: committed > processed)."]
    assert seen(verdict_of(begin, stored(4), assign("c2"), rest)) == {"illegal_start": 2}


def test_committed_ahead_by_parts() -> None:
    """The commit covers one of two messages that were jumped: the other is the consumer's own doing."""
    verdict = verdict_of(
        acked(*range(6)),
        assign("c1"),
        deliver("c1", 0, 1),
        commit("c1", 3),
        ended("c1"),
        assign("c2"),
        deliver("c2", 4, 5),
        drained(),
        log(*range(6)),
    )
    assert seen(verdict) == {"committed_ahead": 1, "illegal_start": 1}
    assert verdict["blamed"] == ["client", "consumer"]


def test_committed_ahead_when_the_next_owner_is_handed_nothing() -> None:
    """At the very end of a partition the next owner starts at the commit and has nothing to show for it."""
    begin = acked(0, 1, 2) + assign("c1") + deliver("c1", 0, 1) + ended("c1")
    rest = assign("c2") + drained() + log(0, 1, 2)
    verdict = verdict_of(begin, stored(3), rest)
    assert seen(verdict) == {"committed_ahead": 1}
    assert verdict["blamed"] == ["client"]
    assert seen(verdict_of(begin, stored(2), rest)) == {"stalled": 1}


def test_committed_ahead_needs_a_next_owner() -> None:
    verdict = verdict_of(
        acked(0, 1, 2), assign("c1"), deliver("c1", 0, 1), commit("c1", 3), ended("c1"), drained(), log(0, 1, 2)
    )
    assert seen(verdict) == {"unread": 1, "committed_at_risk": 1}
    assert verdict["verdict"] == "UNKNOWN"


def test_committed_ahead_in_flight() -> None:
    begin = acked(0, 1, 2) + assign("c1") + handled("c1", 0) + deliver("c1", 1) + commit("c1", 2)
    rest = ended("c1", "killed") + assign("c2", at=2) + handled("c2", 2) + drained() + log(0, 1, 2)
    verdict = verdict_of(begin, rest)
    assert seen(verdict) == {"committed_ahead": 1}
    assert verdict["committed_ahead_of"] == {"never_handed_over": 0, "in_flight": 1}
    assert verdict["fates"]["delivered"] == 2
    assert verdict["blamed"] == ["commit mode"]
    assert verdict["reasons"] == [
        "1 message in partition 0 handed over and never processed, though c1 committed 2 when c2 took over at 2"
    ]
    done = verdict_of(begin, [{"type": "processed", "member": "c1", "partition": 0, "offset": 1}], rest)
    assert done["verdict"] == "PASS"
    assert done["anomalies"]["committed_at_risk"] == 1


def test_in_flight_and_never_handed_over_are_told_apart() -> None:
    verdict = verdict_of(
        acked(*range(5)),
        assign("c1"),
        handled("c1", 0),
        deliver("c1", 1),
        commit("c1", 4),
        ended("c1", "killed"),
        assign("c2", at=4),
        handled("c2", 4),
        drained(),
        log(*range(5)),
    )
    assert verdict["committed_ahead_of"] == {"never_handed_over": 2, "in_flight": 1}
    assert verdict["fates"]["delivered"] == 2
    assert verdict["blamed"] == ["client", "commit mode"]


def test_in_flight_but_not_committed_is_delivered_again() -> None:
    verdict = verdict_of(
        acked(0, 1),
        assign("c1"),
        handled("c1", 0),
        deliver("c1", 1),
        commit("c1", 1),
        ended("c1", "killed"),
        assign("c2", at=1),
        handled("c2", 1),
        drained(),
        log(0, 1),
    )
    assert verdict["verdict"] == "PASS"
    assert seen(verdict) == {"legal_redelivery": 1}


def test_in_flight_without_a_next_owner_counts_as_delivered() -> None:
    verdict = verdict_of(
        acked(0, 1),
        assign("c1"),
        handled("c1", 0),
        deliver("c1", 1),
        commit("c1", 2),
        ended("c1", "killed"),
        drained(),
        log(0, 1),
    )
    assert verdict["fates"]["delivered"] == 2
    assert seen(verdict) == {"committed_at_risk": 1}


def test_in_flight_of_an_owner_that_still_lives_is_delivered() -> None:
    """Nobody recorded the end of c1: it may still finish what it holds."""
    begin = acked(0, 1, 2) + assign("c1") + handled("c1", 0) + deliver("c1", 1) + commit("c1", 2)
    rest = assign("c2", at=2) + handled("c2", 2) + drained() + log(0, 1, 2)
    assert verdict_of(begin, rest)["fates"]["committed_ahead"] == 0
    assert verdict_of(begin, revoke("c1"), rest)["fates"]["committed_ahead"] == 1


def test_in_flight_below_a_commit_that_the_start_of_the_log_has_overtaken() -> None:
    """Records were deleted up to 9; wherever c2 begins, it is not before the commit. Behind the log's end it may be."""
    begin = acked(3) + assign("c1") + deliver("c1", 3)
    for group, start, end, lost in ((4, 9, 14, 1), (4, 4, 14, 1), (9, 3, 4, 0)):
        rest = commit("c1", group) + ended("c1") + assign("c2") + drained() + log_end(end, start=start)
        here = entry(3, 3) if start == 3 else []
        verdict = verdict_of(begin, processed("c1", 2), here, rest)
        assert verdict["committed_ahead_of"]["in_flight"] == lost, (group, start)


def test_illegal_start() -> None:
    begin = acked(0, 1, 2, 3) + assign("c1") + deliver("c1", 0, 1) + commit("c1", 2) + ended("c1")
    verdict = verdict_of(begin, assign("c2", at=3), deliver("c2", 3), drained(), log(0, 1, 2, 3))
    assert seen(verdict) == {"illegal_start": 1}
    assert verdict["verdict"] == "FAIL"
    assert verdict["blamed"] == ["consumer"]
    assert verdict["reasons"] == ["1 message in partition 0 jumped over: c2 started at 3, with c1 committed 2"]
    legal = verdict_of(begin, assign("c2", at=2), deliver("c2", 2, 3), drained(), log(0, 1, 2, 3))
    assert legal["verdict"] == "PASS"


def test_starting_behind_a_hole_is_legal() -> None:
    """Offset 2 holds no message (a transaction's marker): the commit says 2 and the first offset is 3."""
    verdict = verdict_of(
        acked(0, 1),
        sent(2),
        ack(2, 3),
        assign("c1"),
        deliver("c1", 0, 1),
        commit("c1", 2),
        ended("c1"),
        assign("c2"),
        deliver("c2", 3, below=1),
        drained(),
        entry(0, 0),
        entry(1, 1),
        entry(3, 2),
        log_end(4),
    )
    assert verdict["verdict"] == "PASS"
    assert seen(verdict) == {}


def test_reset_policy_latest_is_no_proof() -> None:
    begin = acked(0, 1, 2) + assign("c1", at=2) + deliver("c1", 2)
    latest = verdict_of(begin, drained(), log(0, 1, 2), reset="latest")
    assert latest["verdict"] == "UNKNOWN"
    assert seen(latest) == {"unread": 2}
    for reset in ("earliest", "none"):
        verdict = verdict_of(begin, drained(), log(0, 1, 2), reset=reset)
        assert seen(verdict) == {"illegal_start": 2}
        assert verdict["reasons"] == [
            f"2 messages in partition 0 jumped over: c1 started at 2, with no commit and reset policy {reset}"
        ]


def test_reset_policy_latest_does_not_excuse_a_start_behind_a_commit() -> None:
    rest = assign("c1", at=2) + deliver("c1", 2) + drained() + log(0, 1, 2)
    assert seen(verdict_of(acked(0, 1, 2), stored(1), rest, reset="latest")) == {
        "committed_ahead": 1,
        "illegal_start": 1,
    }
    assert seen(verdict_of(acked(0, 1, 2), stored(None), rest, reset="latest")) == {"unread": 2}


def test_a_commit_out_of_range_is_none_and_the_reset_policy_decides() -> None:
    """Log 0 to 2, group at 9. At 3, its end, the group believes everything done."""

    def found(group: int, *rest: Fact, reset: str = "earliest") -> dict[str, int]:
        verdict = verdict_of(acked(0, 1, 2), stored(group), *rest, drained(), log(0, 1, 2), reset=reset)
        return {kind: count for kind, count in seen(verdict).items() if kind != "committed_at_risk"}

    assert found(9, assign("c1"), deliver("c1", 0, 1, 2)) == {}
    assert found(9, assign("c1", at=9), reset="none") == {"unread": 3}, "it stands there, in vain"
    for reset, told in (("earliest", {"stalled": 3}), ("latest", {"unread": 3}), ("none", {"unread": 3})):
        assert found(9, assign("c1"), reset=reset) == told
        assert found(3, assign("c1"), reset=reset) == {"committed_ahead": 3}
    for reset, told in (("earliest", {"illegal_start": 2}), ("latest", {"unread": 2})):
        assert found(9, assign("c1", at=2), deliver("c1", 2), reset=reset) == told


def test_reset_policy_none_without_a_commit_awaits_nothing() -> None:
    """The client is to tell an error; with a commit it is to read."""
    rest = assign("c1") + drained() + log(0, 1)
    assert seen(verdict_of(acked(0, 1), rest, reset="none")) == {"unread": 2}
    assert seen(verdict_of(acked(0, 1), stored(0), rest, reset="none")) == {"stalled": 2}


def test_reset_policy_latest_with_nothing_handed_over_is_unread() -> None:
    """Where the owner began is not known, and behind everything would have been right."""
    verdict = verdict_of(
        acked(0, 1),
        acked(0, partition=1),
        assign("c1", 0, 1),
        deliver("c1", 0, partition=1),
        drained(),
        log(0, 1),
        log(0, partition=1),
        partitions=2,
        reset="latest",
    )
    assert seen(verdict) == {"unread": 2}
    assert verdict["verdict"] == "UNKNOWN"


def test_stalled_when_somebody_owned_it_at_the_end_of_the_drain() -> None:
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0)
    verdict = verdict_of(begin, drained(), log(0, 1))
    assert seen(verdict) == {"stalled": 1}
    assert verdict["verdict"] == "FAIL"
    assert verdict["blamed"] == ["consumer"]
    assert verdict["reasons"] == ["1 message in partition 0 not handed over within 10 s of waiting while c1 owned it"]
    left = verdict_of(begin, ended("c1"), drained(), log(0, 1))
    assert seen(left) == {"unread": 1}
    assert left["verdict"] == "UNKNOWN"
    assert left["reasons"][0] == "1 message not read, and not proven lost"


def test_stalled_when_nothing_at_all_came() -> None:
    """The whole partition hangs, while another one of the same member flows."""
    begin = acked(0, 1) + acked(0, partition=1) + assign("c1", 0, 1) + deliver("c1", 0, partition=1)
    rest = log(0, 1) + log(0, partition=1)
    assert seen(verdict_of(begin, drained(), rest, partitions=2)) == {"stalled": 2}
    assert seen(verdict_of(begin, revoke("c1", 0), drained(), rest, partitions=2)) == {"unread": 2}


def test_unread_while_it_still_came() -> None:
    """A slow client is not a losing client: deliveries still came when the wait ended."""
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0)
    assert seen(verdict_of(begin, drained(progressing=[0]), log(0, 1))) == {"unread": 1}
    assert seen(verdict_of(begin, drained(progressing=[1]), log(0, 1))) == {"stalled": 1}


def test_a_consumer_that_still_delivered_after_the_wait_is_slow_not_stalled() -> None:
    begin = acked(0, 1, 2) + assign("c1", 0) + deliver("c1", 0)
    late = begin + drained() + deliver("c1", 1) + log(0, 1, 2)
    assert seen(verdict_of(late)) == {"unread": 1}
    assert seen(verdict_of(begin, deliver("c1", 1), drained(), log(0, 1, 2))) == {"stalled": 1}


def test_unread_without_an_end_of_the_drain() -> None:
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0)
    verdict = verdict_of(begin, log(0, 1))
    assert seen(verdict) == {"unread": 1}
    assert verdict["verdict"] == "UNKNOWN"


def test_unread_without_an_independent_reader() -> None:
    """Even a skip cannot be called one: the missing offset may have been deleted or never written."""
    begin = acked(0, 1, 2) + assign("c1") + deliver("c1", 0, 2) + drained()
    verdict = verdict_of(begin)
    assert seen(verdict) == {"unread": 1}
    assert verdict["verdict"] == "UNKNOWN"
    assert verdict["notes"] == ["No independent reader: what is missing cannot be called lost."]
    assert seen(verdict_of(begin, log(0, 1, 2))) == {"skipped": 1}


def test_publish_loss_of_the_broker() -> None:
    begin = acked(0, 1, 2) + assign("c1") + deliver("c1", 0, 2) + drained()
    verdict = verdict_of(begin, log(0, 2))
    assert seen(verdict) == {"publish_loss": 1}
    assert verdict["verdict"] == "FAIL"
    assert verdict["blamed"] == ["broker"]
    assert verdict["reasons"] == [
        "1 message of partition 0 acked and not in the log "
        "(acked at offset 1; the log has something else or nothing there)"
    ]
    assert seen(verdict_of(begin, log(0, 1, 2))) == {"skipped": 1}


def test_publish_loss_behind_the_end_of_the_log() -> None:
    verdict = verdict_of(acked(0, 1, 2), assign("c1"), deliver("c1", 0), drained(), log(0))
    assert seen(verdict) == {"publish_loss": 2}
    assert verdict["reasons"] == [
        "2 messages of partition 0 acked and not in the log (acked at offset 1; the log ends before it)"
    ]


def test_publish_loss_of_a_producer_that_made_up_its_ack() -> None:
    rest = assign("c1") + deliver("c1", 0) + drained() + log(0)
    verdict = verdict_of(acked(0), sent(1), ack(1, None), rest)
    assert seen(verdict) == {"publish_loss": 1}
    assert verdict["blamed"] == ["producer"]
    assert verdict["reasons"] == [
        "1 message of partition 0 acked and not in the log "
        "(acked without an offset: no answer of the broker stands behind it)"
    ]
    assert verdict_of(acked(0), sent(1), rest)["verdict"] == "PASS"


def test_publish_loss_at_an_offset_given_to_another() -> None:
    """An ack after the rightful one was made up; before it, the broker gave the offset away again."""
    rest = assign("c1") + deliver("c1", 0) + drained() + log(0)
    after = verdict_of(acked(0), sent(1), ack(1, 0), rest)
    assert after["blamed"] == ["producer"]
    assert after["reasons"] == [
        "1 message of partition 0 acked and not in the log "
        "(acked at offset 0, which another message had been acked at before)"
    ]
    assert verdict_of(sent(1), ack(1, 0), acked(0), rest)["blamed"] == ["broker"]


def test_publish_loss_told_twice_counts_once() -> None:
    verdict = verdict_of(acked(0, 1), ack(1, 1), assign("c1"), deliver("c1", 0), drained(), log(0))
    assert seen(verdict) == {"publish_loss": 1}
    assert verdict["judged"] == 2


def test_handed_over_but_absent_from_the_log_was_delivered() -> None:
    """It had been in the log when it was read: compaction may have taken it since."""
    verdict = verdict_of(acked(0, 1), assign("c1"), deliver("c1", 0, 1), drained(), log(0, end=2))
    assert verdict["verdict"] == "PASS"


def test_gone_by_retention() -> None:
    begin = acked(0, 1, 2, 3) + assign("c1") + deliver("c1", 2, 3) + drained()
    verdict = verdict_of(begin, log(2, 3, start=2))
    assert seen(verdict) == {"gone": 2}
    assert verdict["verdict"] == "UNKNOWN"
    assert verdict["reasons"] == ["2 messages deleted from the log during the run, which voids it"]
    assert seen(verdict_of(begin, log(2, 3, start=1))) == {"gone": 1, "publish_loss": 1}
    assert seen(verdict_of(begin, log(2, 3, start=0))) == {"publish_loss": 2}


def test_unknown_sends_are_judged_when_the_log_holds_them() -> None:
    begin = acked(0) + unknown(1) + assign("c1")
    held = verdict_of(begin, deliver("c1", 0, 1), drained(), log(0, 1))
    assert (held["verdict"], held["judged"], held["unknown"]) == ("PASS", 2, 1)
    missed = verdict_of(begin, deliver("c1", 0), drained(), log(0, 1))
    assert seen(missed) == {"stalled": 1}
    absent = verdict_of(begin, deliver("c1", 0), drained(), log(0))
    assert (absent["verdict"], absent["judged"]) == ("PASS", 1)


def test_nacked_sends_are_not_judged() -> None:
    verdict = verdict_of(acked(0), nacked(1), assign("c1"), deliver("c1", 0), drained(), log(0))
    assert (verdict["verdict"], verdict["judged"], verdict["nacked"]) == ("PASS", 1, 1)


def test_several_producers_do_not_collide() -> None:
    """Both count from 0 in the same partition: one's message must not stand for the other's."""
    begin = acked(0, 1) + acked(0, 1, producer="p2", above=2) + assign("c1") + deliver("c1", 0, 1)
    held = entry(0, 0) + entry(1, 1) + entry(2, 0, producer="p2") + entry(3, 1, producer="p2") + log_end(4)
    all_there = verdict_of(begin, deliver("c1", 2, 3, producer="p2", below=2), drained(), held)
    assert all_there["verdict"] == "PASS"
    one_short = verdict_of(begin, deliver("c1", 3, producer="p2", below=2), drained(), held)
    assert seen(one_short) == {"skipped": 1}
    assert one_short["examples"][0]["producer"] == "p2"
    assert one_short["examples"][0]["seq"] == 0


def test_deliveries_without_identity_are_named_by_the_log() -> None:
    begin = acked(0, 1, 2) + assign("c1")
    assert verdict_of(begin, deliver("c1", 0, 1, 2, producer=None), drained(), log(0, 1, 2))["verdict"] == "PASS"
    short = verdict_of(begin, deliver("c1", 0, 2, producer=None), drained(), log(0, 1, 2))
    assert seen(short) == {"skipped": 1}


def test_self_assigned_members_need_no_assignment_told() -> None:
    verdict = verdict_of(acked(0, 1, 2), deliver("c1", 0, 2), drained(), log(0, 1, 2), group=None)
    assert seen(verdict) == {"skipped": 1}


def test_a_partition_that_came_later_is_judged_too() -> None:
    begin = acked(0) + acked(0, 1, partition=1) + assign("c1", 0, 1) + deliver("c1", 0)
    rest = drained() + log(0) + log(0, 1, partition=1)
    assert verdict_of(begin, deliver("c1", 0, 1, partition=1), rest)["verdict"] == "PASS"
    assert seen(verdict_of(begin, deliver("c1", 1, partition=1), rest)) == {"illegal_start": 1}


def test_in_flight_needs_both_the_commit_and_the_start_behind_it() -> None:
    """Handed to c1, which died over it. What the next owner began at or before, or no commit covers, is not gone."""
    begin = acked(*range(5)) + assign("c1") + handled("c1", 0) + deliver("c1", 1, 2) + commit("c1", 2)
    rest = ended("c1", "killed") + drained() + log(*range(5))
    for start, lost in ((2, 1), (3, 1), (1, 0)):
        tail = assign("c2", at=start) + handled("c2", *range(max(start, 2), 5))
        verdict = verdict_of(begin, rest[:1], tail, rest[1:])
        assert verdict["committed_ahead_of"]["in_flight"] == lost, start


def test_skipped_where_the_highest_offset_came_as_another_message() -> None:
    """Offset 2 was handed over as message 0 once more: message 2 never came, and its place is past."""
    verdict = verdict_of(
        acked(0, 1, 2), assign("c1"), deliver("c1", 0, 1), deliver("c1", 2, below=2), drained(), log(0, 1, 2)
    )
    assert seen(verdict) == {"skipped": 1, "two_values": 1}
