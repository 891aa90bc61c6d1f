"""Evidence that is thin, spoilt or contradicts itself: what it still proves, and what it never does. In pairs."""

import pytest

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
    fault,
    handled,
    log,
    log_end,
    nacked,
    processed,
    seen,
    sent,
    stored,
    txn,
    verdict_of,
)

TWO = acked(0, 1) + assign("c1") + deliver("c1", 0)


def corrupt(*facts: Fact) -> Fact:
    return [{**line, "corrupt": True} for fact in facts for line in fact]


def nameless(*offsets: int, member: str = "c1") -> Fact:
    return deliver(member, *offsets, producer=None)


# Deliveries without identity


def test_without_identity_and_reader_the_ack_says_what_it_was() -> None:
    begin = acked(0) + assign("c1") + nameless(0) + drained()
    assert verdict_of(begin, acked(1), nameless(1))["verdict"] == "PASS"
    untold = verdict_of(begin, sent(1), ack(1, None), nameless(1))
    assert seen(untold) == {"unread": 1}


def test_without_identity_at_an_acked_offset_that_the_log_no_longer_holds() -> None:
    """Compaction took it since: it is delivered, and no phantom."""
    rest = drained() + log(0, end=3)
    assert seen(verdict_of(acked(0, 1), assign("c1"), nameless(0, 1), rest)) == {}
    assert seen(verdict_of(acked(0, 1), assign("c1"), nameless(0, 2), rest)) == {"phantom": 1, "publish_loss": 1}


def test_without_identity_below_the_start_of_the_log_nothing_is_a_phantom() -> None:
    begin = acked(2) + sent(0) + assign("c1") + nameless(0, 2) + drained()
    assert verdict_of(begin, log(2, start=2))["anomalies"]["phantom"] == 0
    assert verdict_of(begin, log(2, start=0))["anomalies"]["phantom"] == 1


def test_two_acks_of_one_offset_name_nothing() -> None:
    begin = acked(0) + sent(1) + ack(1, 1) + sent(2, txn="t") + ack(2, 1) + txn("t", "abort") + assign("c1")
    verdict = verdict_of(begin, deliver("c1", 0), nameless(1), drained(), isolation="read_committed")
    assert seen(verdict) == {"unread": 1}


# Broken payloads


@pytest.mark.parametrize("spoilt", [deliver("c1", 1, below=1), deliver("c1", 1, producer="nobody"), nameless(1)])
def test_a_broken_payload_delivers_its_offset_and_says_nothing_else(spoilt: Fact) -> None:
    for reader in (log(0, 1), []):
        verdict = verdict_of(TWO, corrupt(spoilt), drained(), reader)
        assert seen(verdict) == {"corrupt": 1}
        assert verdict["fates"]["delivered"] == 2
    assert verdict_of(TWO, spoilt, drained(), log(0, 1))["anomalies"]["corrupt"] == 0


def test_a_broken_payload_makes_no_phantom_where_nothing_names_its_offset() -> None:
    begin = acked(0) + assign("c1") + deliver("c1", 0)
    unsent = deliver("c1", 1, below=-999)
    assert seen(verdict_of(begin, corrupt(unsent), drained())) == {"corrupt": 1}
    assert seen(verdict_of(begin, unsent, drained())) == {"phantom": 1}


def test_a_broken_payload_hides_no_contradiction_of_sound_ones() -> None:
    begin = acked(0) + sent(1) + assign("c1") + deliver("c1", 0)
    rest = ended("c1") + assign("c2", at=1) + deliver("c2", 1) + ended("c2") + assign("c3", at=1) + drained()
    other = deliver("c3", 1, below=1)
    for broken in ([], corrupt(deliver("c1", 1))):
        assert verdict_of(begin, broken, rest, other)["anomalies"]["two_values"] == 1
        assert verdict_of(begin, broken, rest, deliver("c3", 1))["anomalies"]["two_values"] == 0


# Holes


def test_two_values_at_an_offset_where_the_log_has_a_hole() -> None:
    begin = acked(0, 1, 2) + assign("c1") + deliver("c1", 0, 1, 2) + ended("c1") + assign("c2", at=1)
    rest = deliver("c2", 2) + drained() + entry(0, 0) + entry(2, 2) + log_end(3)
    assert verdict_of(begin, deliver("c2", 1, below=1), rest)["anomalies"]["two_values"] == 1
    assert verdict_of(begin, deliver("c2", 1), rest)["anomalies"]["two_values"] == 0


@pytest.mark.parametrize("offsets", [(0, 3), (0, 1, 3), (0, 3, 1)])
def test_handed_over_where_the_log_holds_nothing_is_never_a_pass(offsets: tuple[int, ...]) -> None:
    given = [line for offset in offsets for line in deliver("c1", offset, below=2 if offset == 3 else 0)]
    verdict = verdict_of(acked(0, 1), assign("c1", at=0), given, drained(), log(0, 1, end=5))
    assert verdict["verdict"] != "PASS"
    assert verdict_of(TWO, deliver("c1", 1), drained(), log(0, 1, end=5))["verdict"] == "PASS"


def test_a_commit_that_retention_overtook_leaves_the_start_to_the_reset_policy() -> None:
    begin = acked(*range(6)) + assign("c1") + deliver("c1", 0, 1) + commit("c1", 2) + ended("c1")
    rest = assign("c2", at=5) + deliver("c2", 5) + drained()
    assert seen(verdict_of(begin, rest, log(4, 5, start=4), reset="latest")) == {"gone": 2, "unread": 1}
    assert seen(verdict_of(begin, rest, log(4, 5, start=4))) == {"gone": 2, "illegal_start": 1}
    assert seen(verdict_of(begin, rest, log(2, 3, 4, 5, start=2), reset="latest")) == {"illegal_start": 3}


# What was in flight, and at risk


@pytest.mark.parametrize("reader", [[], log(0, 1, 2), entry(0, 0) + entry(2, 2) + log_end(3)])
def test_in_flight_whatever_the_reader_found(reader: Fact) -> None:
    begin = acked(0, 1, 2) + assign("c1") + handled("c1", 0) + deliver("c1", 1) + commit("c1", 2)
    rest = ended("c1", "killed") + assign("c2", at=2) + handled("c2", 2) + drained() + reader
    assert verdict_of(begin, rest)["committed_ahead_of"]["in_flight"] == 1
    assert verdict_of(begin, processed("c1", 1), rest)["committed_ahead_of"]["in_flight"] == 0


def test_in_flight_as_the_second_copy() -> None:
    begin = acked(0, 1) + stored(1) + assign("c1", at=1) + handled("c1", 1) + deliver("c1", 2, below=2)
    held = entry(0, 0) + entry(1, 1) + entry(2, 0) + entry(3, 3) + log_end(4)
    rest = commit("c1", 3) + ended("c1", "killed") + acked(3) + assign("c2", at=3) + handled("c2", 3) + drained() + held
    assert verdict_of(begin, rest)["committed_ahead_of"]["in_flight"] == 1
    finished = verdict_of(begin, processed("c1", 2), rest)
    assert seen(finished) == {"log_duplicate": 1, "committed_at_risk": 1}


@pytest.mark.parametrize("reader", [[], log(0, 1, 2), log(2, start=2), log(0, end=3)])
def test_at_risk_whatever_the_reader_found(reader: Fact) -> None:
    begin = acked(0) + sent(1) + ack(1, 1) + assign("c1", at=0) + deliver("c1", 0)
    early = verdict_of(begin, commit("c1", 2), deliver("c1", 1), drained(), reader)
    late = verdict_of(begin, deliver("c1", 1), commit("c1", 2), drained(), reader)
    assert early["anomalies"]["committed_at_risk"] == 1
    assert late["anomalies"]["committed_at_risk"] == 0


def test_at_risk_without_a_reader_is_what_an_ack_names() -> None:
    begin = acked(0, 1) + assign("c1", at=0) + deliver("c1", 0)
    assert seen(verdict_of(begin, commit("c1", 2), drained())) == {"unread": 1, "committed_at_risk": 1}
    assert seen(verdict_of(begin, commit("c1", 1), drained())) == {"unread": 1}


def test_at_risk_without_a_reader_a_message_stood_where_it_was_first_handed_over() -> None:
    """Without its name, too: the ack says which one it was. A later copy under its name says nothing of that."""
    begin = commit("c1", 2) + sent(1) + ack(1, 1)
    copies = deliver("c2", 1, producer=None) + deliver("c2", 2, below=1)
    assert verdict_of(begin, copies)["anomalies"]["committed_at_risk"] == 1
    assert verdict_of(begin, deliver("c2", 2, below=1))["anomalies"]["committed_at_risk"] == 0


def test_at_risk_is_what_may_still_come_not_what_latest_jumped() -> None:
    begin = acked(0, 1, 2) + assign("c1", at=0) + handled("c1", 0)
    assert seen(verdict_of(begin, commit("c1", 3), drained(), log(0, 1, 2))) == {"stalled": 2, "committed_at_risk": 2}
    assert seen(verdict_of(begin, commit("c1", 1), drained(), log(0, 1, 2))) == {"stalled": 2}
    jump = acked(0, 1, 2) + assign("c1", at=2) + deliver("c1", 2) + commit("c1", 3) + drained() + log(0, 1, 2)
    assert seen(verdict_of(jump, reset="latest")) == {"unread": 2}


# Members, commits, the wait, faults


def test_who_was_never_assigned_is_foreign_where_others_are() -> None:
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0)
    rest = deliver("c2", 1) + drained() + log(0, 1)
    assert seen(verdict_of(begin, rest)) == {"foreign": 1}
    assert seen(verdict_of(begin, rest, group=None)) == {"double_owner": 1}
    assert seen(verdict_of(acked(0, 1), deliver("c1", 0), rest)) == {"double_owner": 1}


def test_a_commit_that_vanishes_between_two_looks() -> None:
    begin = TWO + deliver("c1", 1) + commit("c1", 2) + stored(2)
    rest = drained() + log(0, 1)
    assert seen(verdict_of(begin, stored(None), rest)) == {"commit_lost": 1}
    assert seen(verdict_of(begin, stored(2), rest)) == {}
    failed = commit("c1", 1, ok=False)
    assert seen(verdict_of(begin, failed, stored(1), rest)) == {}
    assert seen(verdict_of(begin, failed, stored(0), rest)) == {"commit_lost": 1}


@pytest.mark.parametrize("late", [acked(1), sent(1)])
def test_what_came_after_the_wait_is_not_stalled(late: Fact) -> None:
    begin = acked(0) + assign("c1", at=0) + deliver("c1", 0)
    assert verdict_of(begin, drained(), late, log(0, 1))["fates"]["unread"] == 1
    assert verdict_of(begin, late, drained(), log(0, 1))["fates"]["stalled"] == 1


def test_what_was_sent_before_the_wait_ended_is_stalled_beside_what_came_later() -> None:
    begin = acked(0) + sent(1) + assign("c1", at=0) + deliver("c1", 0) + drained()
    fates = verdict_of(begin, sent(2), log(0, 1, 2))["fates"]
    assert (fates["stalled"], fates["unread"]) == (1, 1)


def test_nacked_and_handed_over_is_a_phantom_and_not_judged() -> None:
    verdict = verdict_of(acked(0), nacked(1), assign("c1"), deliver("c1", 0, 1), drained(), log(0, end=2))
    assert seen(verdict) == {"phantom": 1}
    assert verdict["judged"] == 1


def test_an_effect_told_after_the_injection_counts() -> None:
    rest = acked(0) + assign("c1") + deliver("c1", 0) + drained() + log(0)
    assert verdict_of(rest, fault("injected"), fault("healed", effect="c1 died"))["verdict"] == "PASS"
    assert verdict_of(rest, fault("injected"), fault("healed"))["verdict"] == "UNKNOWN"
