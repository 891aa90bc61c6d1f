"""Every anomaly as a pair: the smallest history that shows it, and the same one fact short that does not."""

import pytest

from harness.columns import Columns, joined
from harness.verify import judge
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
    history,
    log,
    log_end,
    nacked,
    processed,
    read,
    revoke,
    seen,
    sent,
    stored,
    txn,
    unknown,
    verdict_of,
    written,
)


def test_log_duplicate() -> None:
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0, 1)
    twice = deliver("c1", 2, below=2) + drained() + entry(0, 0) + entry(1, 1) + entry(2, 0) + log_end(3)
    verdict = verdict_of(begin, twice, idempotent=True)
    assert seen(verdict) == {"log_duplicate": 1}
    assert verdict["verdict"] == "FAIL"
    assert verdict["blamed"] == ["producer"]
    assert verdict["reasons"] == ["1 message of partition 0 written to the log again"]
    retried = verdict_of(begin, twice)
    assert seen(retried) == {"log_duplicate": 1}
    assert retried["verdict"] == "PASS"
    assert seen(verdict_of(begin, drained(), log(0, 1), idempotent=True)) == {}


def test_log_duplicate_counts_every_further_copy() -> None:
    begin = acked(0) + assign("c1") + deliver("c1", 0)
    copies = deliver("c1", 1, below=1) + deliver("c1", 2, below=2) + entry(0, 0) + entry(1, 0) + entry(2, 0)
    assert seen(verdict_of(begin, copies, log_end(3), drained())) == {"log_duplicate": 2}


def test_a_duplicate_that_was_not_handed_over_is_no_loss() -> None:
    """The identity was: whether its second copy came is nothing that the application could tell."""
    verdict = verdict_of(
        acked(0, 1), assign("c1"), deliver("c1", 0, 1), drained(), entry(0, 0), entry(1, 1), entry(2, 0), log_end(3)
    )
    assert verdict["fates"]["delivered"] == 2
    assert seen(verdict) == {"log_duplicate": 1}


def test_legal_redelivery() -> None:
    begin = acked(0, 1, 2) + assign("c1") + deliver("c1", 0, 1) + commit("c1", 1) + ended("c1")
    verdict = verdict_of(begin, assign("c2"), deliver("c2", 1, 2), drained(), log(0, 1, 2))
    assert seen(verdict) == {"legal_redelivery": 1}
    assert verdict["verdict"] == "PASS"
    assert verdict["notes"] == [
        "1 message delivered again after a change of owner (case 1: committed < processed), which at-least-once allows."
    ]
    assert seen(verdict_of(begin, assign("c2", at=1), deliver("c2", 2), drained(), log(0, 1, 2))) == {}


def test_excess_redelivery() -> None:
    begin = acked(0, 1, 2) + assign("c1") + deliver("c1", 0, 1)
    rest = ended("c1") + assign("c2") + deliver("c2", 0, 1, 2) + drained() + log(0, 1, 2)
    verdict = verdict_of(begin, commit("c1", 1), rest)
    assert seen(verdict) == {"excess_redelivery": 1, "legal_redelivery": 1}
    assert verdict["verdict"] == "FAIL"
    assert verdict["blamed"] == ["consumer"]
    assert verdict["reasons"] == ["1 message of partition 0 handed over again to c2; when it took over, c1 committed 1"]
    assert seen(verdict_of(begin, rest)) == {"legal_redelivery": 2}
    assert seen(verdict_of(begin, stored(2), rest)) == {"excess_redelivery": 2}


def test_redelivery_is_counted_per_owner() -> None:
    begin = acked(0) + assign("c1") + deliver("c1", 0) + ended("c1") + assign("c2") + deliver("c2", 0)
    rest = drained() + log(0)
    assert seen(verdict_of(begin, rest)) == {"legal_redelivery": 1}
    assert seen(verdict_of(begin, ended("c2"), assign("c3"), deliver("c3", 0), rest)) == {"legal_redelivery": 2}


def test_a_commit_after_the_start_does_not_make_excess() -> None:
    """In force is what stood when the owner started."""
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0)
    late = assign("c2") + commit("c1", 1) + ended("c1") + deliver("c2", 0, 1) + drained() + log(0, 1)
    early = commit("c1", 1) + assign("c2") + ended("c1") + deliver("c2", 0, 1) + drained() + log(0, 1)
    assert seen(verdict_of(begin, late)) == {"legal_redelivery": 1, "double_owner": 1}
    assert seen(verdict_of(begin, early)) == {"excess_redelivery": 1, "double_owner": 1}


def test_repeat() -> None:
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0)
    verdict = verdict_of(begin, deliver("c1", 0, 1), drained(), log(0, 1))
    assert seen(verdict) == {"repeat": 1}
    assert verdict["verdict"] == "FAIL"
    assert verdict["blamed"] == ["consumer"]
    assert verdict["reasons"] == ["1 message handed to c1 again in one ownership of partition 0"]
    assert seen(verdict_of(begin, deliver("c1", 1), drained(), log(0, 1))) == {}
    assert seen(verdict_of(begin, revoke("c1"), assign("c1"), deliver("c1", 0, 1), drained(), log(0, 1))) == {
        "legal_redelivery": 1
    }


def test_repeat_counts_every_further_delivery() -> None:
    verdict = verdict_of(acked(0, 1), assign("c1"), deliver("c1", 0, 0, 0, 1), drained(), log(0, 1))
    assert seen(verdict) == {"repeat": 2}


def test_reordered() -> None:
    begin = acked(0, 1, 2) + assign("c1") + deliver("c1", 0)
    verdict = verdict_of(begin, deliver("c1", 2, 1), drained(), log(0, 1, 2))
    assert seen(verdict) == {"reordered": 1}
    assert verdict["verdict"] == "FAIL"
    assert verdict["blamed"] == ["consumer"]
    assert verdict["reasons"] == ["1 message handed to c1 after later ones in one ownership of partition 0"]
    assert seen(verdict_of(begin, deliver("c1", 1, 2), drained(), log(0, 1, 2))) == {}


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ((0, 1, 2, 1, 2), {"repeat": 2}),
        ((0, 2, 1, 2), {"repeat": 1, "reordered": 1}),
        ((0, 2, 1, 1), {"repeat": 1, "reordered": 1}),
        ((2, 1, 0), {"reordered": 2}),
    ],
)
def test_repeat_and_reordered_are_told_apart(offsets: tuple[int, ...], expected: dict[str, int]) -> None:
    assert seen(verdict_of(acked(0, 1, 2), assign("c1"), deliver("c1", *offsets), drained(), log(0, 1, 2))) == expected


def test_disorder_between_partitions_is_none() -> None:
    verdict = verdict_of(
        acked(0, 1),
        acked(0, 1, partition=1),
        assign("c1", 0, 1),
        deliver("c1", 0),
        deliver("c1", 0, partition=1),
        deliver("c1", 1),
        deliver("c1", 1, partition=1),
        drained(),
        log(0, 1),
        log(0, 1, partition=1),
        partitions=2,
    )
    assert verdict["verdict"] == "PASS"


def test_foreign() -> None:
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0) + revoke("c1")
    verdict = verdict_of(begin, deliver("c1", 1), drained(), log(0, 1))
    assert seen(verdict) == {"foreign": 1}
    assert verdict["verdict"] == "FAIL"
    assert verdict["blamed"] == ["consumer"]
    assert verdict["fates"]["delivered"] == 2
    assert verdict["reasons"] == ["1 message of partition 0 handed to c1, which did not own it"]
    assert seen(verdict_of(begin, assign("c1"), deliver("c1", 1), drained(), log(0, 1))) == {}


def test_foreign_counts_messages() -> None:
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0) + revoke("c1") + assign("c2", 1) + drained() + log(0, 1)
    assert seen(verdict_of(begin, deliver("c1", 1, 1), deliver("c2", 1))) == {"foreign": 1}


def test_foreign_after_a_revocation_of_some_partitions_only() -> None:
    """Cooperative rebalancing: partition 1 goes, partition 0 stays."""
    begin = acked(0, 1) + acked(0, 1, partition=1) + assign("c1", 0, 1) + deliver("c1", 0, partition=1)
    kept = revoke("c1", 1) + deliver("c1", 0, 1)
    rest = drained() + log(0, 1) + log(0, 1, partition=1)
    taken = assign("c2", 1, at=1) + deliver("c2", 1, partition=1)
    assert verdict_of(begin, kept, taken, rest, partitions=2)["verdict"] == "PASS"
    held_on = seen(verdict_of(begin, kept, deliver("c1", 1, partition=1), taken, rest, partitions=2))
    assert held_on == {"foreign": 1, "legal_redelivery": 1}


def test_observed_assignments_make_nothing_foreign() -> None:
    """Who was merely seen to own something may have owned it a little before."""
    lines = deliver("c1", 0) + assign("c1", observed=True) + deliver("c1", 1) + drained() + log(0, 1)
    assert seen(verdict_of(acked(0, 1), lines)) == {}
    assert seen(verdict_of(acked(0, 1), deliver("c1", 0), assign("c1"), deliver("c1", 1), drained(), log(0, 1))) == {
        "foreign": 1
    }


def test_double_owner() -> None:
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0) + commit("c1", 1)
    rest = assign("c2", at=1) + deliver("c2", 1) + ended("c1") + drained() + log(0, 1)
    verdict = verdict_of(begin, rest)
    assert seen(verdict) == {"double_owner": 1}
    assert verdict["verdict"] == "PASS"
    example = next(example for example in verdict["examples"] if example["kind"] == "double_owner")
    assert example["text"] == "c1 and c2 both owned partition 0 for 2.0 ms"
    assert seen(verdict_of(begin, revoke("c1"), rest)) == {}


def test_double_owner_to_the_end() -> None:
    verdict = verdict_of(acked(0), assign("c1"), deliver("c1", 0), commit("c1", 1), assign("c2"), drained(), log(0))
    assert seen(verdict) == {"double_owner": 1}
    assert verdict["examples"][0]["text"] == "c1 and c2 both owned partition 0 to the end"


def test_phantom_in_the_log() -> None:
    begin = acked(0) + assign("c1") + deliver("c1", 0) + drained()
    verdict = verdict_of(begin, log(0, 1))
    assert seen(verdict) == {"phantom": 1}
    assert verdict["verdict"] == "FAIL"
    assert verdict["blamed"] == ["producer"]
    assert verdict["reasons"] == ["1 message of partition 0 in the log, never sent"]
    assert seen(verdict_of(sent(1), begin, log(0, 1))) == {"silent_send": 1, "stalled": 1}


def test_phantom_handed_over() -> None:
    begin = acked(0) + assign("c1")
    verdict = verdict_of(begin, deliver("c1", 0, 1), drained(), log(0))
    assert seen(verdict) == {"phantom": 1}
    assert verdict["blamed"] == ["consumer"]
    assert verdict["reasons"] == ["1 message of partition 0 handed over, never sent and not in the log"]
    assert seen(verdict_of(begin, deliver("c1", 0), drained(), log(0))) == {}


def test_phantom_handed_over_and_in_the_log_counts_once() -> None:
    verdict = verdict_of(acked(0), assign("c1"), deliver("c1", 0, 1), drained(), log(0, 1))
    assert seen(verdict) == {"phantom": 1}
    assert verdict["blamed"] == ["producer"]


def test_phantom_without_identity() -> None:
    """A control record handed over as if it were a message."""
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0, 1)
    verdict = verdict_of(begin, deliver("c1", 2, producer=None), drained(), log(0, 1, end=3))
    assert seen(verdict) == {"phantom": 1}
    assert verdict["reasons"] == ["1 message handed over from partition 0 that the log does not hold"]
    assert seen(verdict_of(begin, drained(), log(0, 1, end=3))) == {}


@pytest.mark.parametrize("found", [log(0, 1) + deliver("c1", 0), log(0) + deliver("c1", 0, 1)])
def test_phantom_is_what_the_client_said_was_not_written(found: Fact) -> None:
    begin = assign("c1") + drained() + found
    refused = verdict_of(acked(0), nacked(1), begin)
    assert refused["anomalies"]["phantom"] == 1
    assert refused["verdict"] == "FAIL"
    assert verdict_of(acked(0), unknown(1), begin)["anomalies"]["phantom"] == 0


def test_nacked_and_found_is_blamed_on_the_producer() -> None:
    verdict = verdict_of(acked(0), nacked(1), assign("c1"), deliver("c1", 0, 1), drained(), log(0, 1))
    assert seen(verdict) == {"phantom": 1}
    assert verdict["blamed"] == ["producer"]
    assert verdict["reasons"] == ["1 message of partition 0 told as not written, found in the log"]


def test_corrupt() -> None:
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0)
    broken = deliver("c1", 1)
    verdict = verdict_of(begin, [{**broken[0], "corrupt": True}], drained(), log(0, 1))
    assert seen(verdict) == {"corrupt": 1}
    assert verdict["verdict"] == "FAIL"
    assert verdict["blamed"] == ["consumer"]
    assert verdict["fates"]["delivered"] == 2
    assert verdict["reasons"] == ["1 message of partition 0 handed over with a value that was not sent"]
    assert seen(verdict_of(begin, broken, drained(), log(0, 1))) == {}


def test_misrouted() -> None:
    """Asked to go to partition 0, found in partition 1: its ack for partition 0 is the producer's publish loss."""
    begin = acked(0, 1) + acked(0, partition=1) + assign("c1", 0, 1)
    verdict = verdict_of(
        begin,
        deliver("c1", 0),
        deliver("c1", 0, partition=1),
        drained(),
        log(0),
        log(0, 1, partition=1),
        partitions=2,
    )
    assert seen(verdict) == {"misrouted": 1, "publish_loss": 1}
    assert verdict["verdict"] == "FAIL"
    assert verdict["blamed"] == ["producer"]
    assert verdict["reasons"] == [
        "1 message of partition 0 acked and not in the log (it went to another partition than asked)",
        "1 message found in partition 1, sent to another one",
    ]
    home = verdict_of(
        begin,
        deliver("c1", 0, 1),
        deliver("c1", 0, partition=1),
        drained(),
        log(0, 1),
        log(0, partition=1),
        partitions=2,
    )
    assert home["verdict"] == "PASS"


def test_misrouted_and_handed_over_from_there() -> None:
    """Counted once: the log held it there, so the consumer did no more than read it."""
    verdict = verdict_of(
        acked(0, 1),
        acked(0, partition=1),
        assign("c1", 0, 1),
        deliver("c1", 0),
        deliver("c1", 0, 1, partition=1),
        drained(),
        log(0),
        log(0, 1, partition=1),
        partitions=2,
    )
    assert seen(verdict) == {"misrouted": 1, "publish_loss": 1}
    assert verdict["blamed"] == ["producer"]


def test_a_name_that_is_at_home_too_is_a_phantom_elsewhere() -> None:
    """Every partition counts from 0, so the seq alone does not say that a message went astray."""
    verdict = verdict_of(
        acked(0, 1),
        acked(0, partition=1),
        assign("c1", 0, 1),
        deliver("c1", 0, 1),
        deliver("c1", 0, 1, partition=1),
        drained(),
        log(0, 1),
        log(0, 1, partition=1),
        partitions=2,
    )
    assert seen(verdict) == {"phantom": 1}
    assert verdict["blamed"] == ["producer"]


def test_misrouted_by_the_consumer() -> None:
    """Handed over from partition 1 with an identity that names partition 0, where alone the log holds it."""
    given = read(
        written(
            history(
                acked(0, 1),
                acked(0, partition=1),
                assign("c1", 0, 1),
                deliver("c1", 0, 1),
                deliver("c1", 0, 1, partition=1),
                drained(),
                log(0, 1),
                log(0, partition=1),
                partitions=2,
            )
        )
    )
    rows = given.streams[0].deliveries.of(1)
    rows["asked"][-1] = 0
    given.streams[0].deliveries = Columns(joined([given.streams[0].deliveries.of(0), rows]))
    verdict = judge(given)
    assert seen(verdict) == {"misrouted": 1}
    assert verdict["blamed"] == ["consumer"]
    assert verdict["reasons"] == ["1 message handed over from partition 1, sent to another one"]


def test_misrouted_by_the_ack_told() -> None:
    """Sent to partition 0, acked and written in partition 1."""
    verdict = verdict_of(
        acked(0),
        sent(1),
        acked(0, partition=1),
        [{"type": "ack", "producer": "p1", "partition": 1, "seq": 1}],
        assign("c1", 0, 1),
        deliver("c1", 0),
        deliver("c1", 0, 1, partition=1),
        drained(),
        log(0),
        log(0, 1, partition=1),
        partitions=2,
    )
    assert seen(verdict) == {"misrouted": 1, "publish_loss": 1}
    assert verdict["blamed"] == ["producer"]


def test_two_values() -> None:
    begin = acked(0, 1, 2) + assign("c1") + deliver("c1", 0)
    verdict = verdict_of(begin, deliver("c1", 1, below=1), deliver("c1", 2), drained(), log(0, 1, 2))
    assert seen(verdict) == {"two_values": 1, "skipped": 1}
    assert verdict["blamed"] == ["consumer"]
    assert verdict["reasons"][1] == "1 message of partition 0 handed over as other than the log holds there"
    assert seen(verdict_of(begin, deliver("c1", 1, 2), drained(), log(0, 1, 2))) == {}


def test_two_values_of_two_deliveries() -> None:
    """No independent reader is needed to see that one offset was read as two messages."""
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0, 1) + ended("c1") + assign("c2") + deliver("c2", 0)
    verdict = verdict_of(begin, deliver("c2", 1, below=1), drained())
    assert seen(verdict) == {"two_values": 1, "legal_redelivery": 2}
    assert verdict["verdict"] == "FAIL"
    assert verdict["reasons"] == ["1 message of partition 0 handed over as one and as another"]
    assert seen(verdict_of(begin, deliver("c2", 1), drained())) == {"legal_redelivery": 2}


def _aborted(state: str, *, isolation: str, read: tuple[int, ...] = (0, 1)) -> dict[str, int]:
    return seen(
        verdict_of(
            acked(0),
            acked(1, txn="a"),
            txn("a", state),
            assign("c1"),
            deliver("c1", *read),
            drained(),
            log(0, 1),
            isolation=isolation,
        )
    )


def test_aborted_read() -> None:
    assert _aborted("abort", isolation="read_committed") == {"aborted_read": 1}
    assert _aborted("abort", isolation="read_uncommitted") == {}
    assert _aborted("commit", isolation="read_committed") == {}
    assert _aborted("abort", isolation="read_committed", read=(0,)) == {}
    assert _aborted("commit", isolation="read_committed", read=(0,)) == {"stalled": 1}


def test_aborted_as_the_log_tells_it() -> None:
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0, 1) + drained() + entry(0, 0)
    verdict = verdict_of(begin, entry(1, 1, aborted=True), log_end(2), isolation="read_committed")
    assert seen(verdict) == {"aborted_read": 1}
    assert (verdict["verdict"], verdict["aborted"], verdict["judged"]) == ("FAIL", 1, 1)
    assert verdict["blamed"] == ["consumer"]
    assert seen(verdict_of(begin, entry(1, 1), log_end(2), isolation="read_committed")) == {}


def test_commit_lost() -> None:
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0, 1) + commit("c1", 2)
    for later, said in ((1, "the group's stored offset was 1"), (None, "the group had no stored offset")):
        verdict = verdict_of(begin, stored(later), drained(), log(0, 1))
        assert seen(verdict) == {"commit_lost": 1}
        assert verdict["verdict"] == "FAIL"
        assert verdict["blamed"] == ["broker"]
        assert verdict["reasons"] == [f"commit 2 of c1 for partition 0 was acked; later {said}"]
    assert seen(verdict_of(begin, stored(2), drained(), log(0, 1))) == {}


def test_commit_is_not_lost_where_another_attempt_came_between() -> None:
    begin = acked(0, 1) + assign("c1") + deliver("c1", 0, 1) + commit("c1", 2)
    rest = stored(1) + drained() + log(0, 1)
    assert seen(verdict_of(begin, commit("c1", 1, ok=False), rest)) == {}
    assert seen(verdict_of(begin, commit("c1", 1), rest)) == {}
    assert seen(verdict_of(commit("c1", 1, ok=False), begin, rest)) == {"commit_lost": 1}


def test_silent_send() -> None:
    begin = acked(0) + assign("c1") + deliver("c1", 0) + drained()
    verdict = verdict_of(sent(1), begin, log(0))
    assert seen(verdict) == {"silent_send": 1}
    assert (verdict["verdict"], verdict["unknown"], verdict["judged"]) == ("PASS", 1, 1)
    assert verdict["notes"] == ["1 message sent and never answered."]
    assert seen(verdict_of(unknown(1), begin, log(0))) == {}


def test_committed_at_risk() -> None:
    begin = acked(0, 1, 2) + assign("c1") + handled("c1", 0) + deliver("c1", 1)
    rest = handled("c1", 2) + drained() + log(0, 1, 2)
    verdict = verdict_of(begin, commit("c1", 2), processed("c1", 1), rest)
    assert seen(verdict) == {"committed_at_risk": 1}
    assert verdict["verdict"] == "PASS"
    assert seen(verdict_of(begin, processed("c1", 1), commit("c1", 2), rest)) == {}


def test_what_was_lost_was_not_merely_at_risk() -> None:
    verdict = verdict_of(
        acked(0, 1, 2),
        assign("c1"),
        handled("c1", 0),
        deliver("c1", 1),
        commit("c1", 2),
        ended("c1", "killed"),
        assign("c2", at=2),
        handled("c2", 2),
        drained(),
        log(0, 1, 2),
    )
    assert seen(verdict) == {"committed_ahead": 1}


def test_stretches_of_duplicates_are_cut_where_they_overlap() -> None:
    """The log holds 0-3, then 2-5, then 1-2 again: every message stands at its first place."""
    held = [entry(offset, seq) for offset, seq in enumerate((0, 1, 2, 3, 2, 3, 4, 5, 1, 2))]
    begin = acked(*range(6)) + assign("c1", at=0)
    rest = drained() + [line for lines in held for line in lines] + log_end(10)
    seqs = [(0, 0), (1, 1), (2, 2), (3, 3), (6, 4), (7, 5)]
    given = [line for offset, seq in seqs for line in deliver("c1", offset, below=offset - seq)]
    assert seen(verdict_of(begin, given, rest)) == {"log_duplicate": 4}
    short = [line for line in given if line["seq"] != 3]
    verdict = verdict_of(begin, short, rest)
    assert seen(verdict) == {"log_duplicate": 4, "skipped": 1}
    assert next(one["offset"] for one in verdict["examples"] if one["kind"] == "skipped") == 3


def test_misrouted_to_two_partitions() -> None:
    """Messages of partition 0 went astray to two others: each is missed once, and known not to be gone."""
    away = [line for number in (1, 2) for line in entry(0, number, partition=number)]
    facts = acked(0) + sent(1, 2) + ack(1, None) + ack(2, None) + away + assign("c1", 0) + deliver("c1", 0) + drained()
    verdict = verdict_of(facts, log(0), log_end(1, partition=1), log_end(1, partition=2), partitions=3)
    assert seen(verdict) == {"misrouted": 2, "publish_loss": 2}
    assert [one["text"] for one in verdict["spans"] if one["kind"] == "publish_loss"] == [
        "2 messages of partition 0 acked and not in the log (it went to another partition than asked)"
    ]


def test_the_aborted_one_of_two_copies_may_not_be_handed_over() -> None:
    begin = acked(0, 1) + assign("c1", at=0)
    rest = drained() + entry(0, 0) + entry(1, 1) + entry(2, 0, aborted=True) + log_end(3)
    both = verdict_of(begin, deliver("c1", 0, 1), deliver("c1", 2, below=2), rest, isolation="read_committed")
    assert seen(both) == {"aborted_read": 1}
    assert verdict_of(begin, deliver("c1", 0, 1), rest, isolation="read_committed")["verdict"] == "PASS"
