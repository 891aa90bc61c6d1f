"""The verdict: what each guarantee forbids, what leaves doubt, and that the same history gives the same bytes."""

import json

import pytest

from harness.columns import NEVER
from harness.verify import EXIT_CODES, SEVERITY, evidence, judge
from harness.verify.findings import ANOMALIES, FATES
from harness.verify.judge import _doubts
from tests.verify.facts import (
    Fact,
    acked,
    assign,
    commit,
    deliver,
    drained,
    ended,
    entry,
    fault,
    handled,
    history,
    log,
    log_end,
    nacked,
    read,
    revoke,
    seen,
    sent,
    stored,
    txn,
    verdict_of,
    written,
)

AT_LEAST, AT_MOST, EXACTLY = "at_least_once", "at_most_once", "exactly_once"
ALL = {AT_LEAST, AT_MOST, EXACTLY}

CLEAN = acked(0, 1, 2) + assign("c1") + deliver("c1", 0, 1, 2) + drained() + log(0, 1, 2)
BEGIN = acked(0, 1, 2) + assign("c1")

FORBIDDEN: dict[str, tuple[Fact, set[str]]] = {
    "publish_loss": (BEGIN + deliver("c1", 0, 1) + drained() + log(0, 1), ALL),
    "skipped": (BEGIN + deliver("c1", 0, 2) + drained() + log(0, 1, 2), ALL),
    "illegal_start": (BEGIN + deliver("c1", 1, 2) + drained() + log(0, 1, 2), ALL),
    "stalled": (BEGIN + deliver("c1", 0, 1) + drained() + log(0, 1, 2), ALL),
    "committed_ahead": (stored(1) + BEGIN + deliver("c1", 1, 2) + drained() + log(0, 1, 2), {AT_LEAST, EXACTLY}),
    "phantom": (CLEAN + entry(3, 3), ALL),
    "corrupt": ([{**line, "corrupt": True} if line["type"] == "deliver" else line for line in CLEAN], ALL),
    "two_values": (BEGIN + deliver("c1", 0, 1, 2) + deliver("c1", 3, below=3) + drained() + log(0, 1, 2, 3), ALL),
    "repeat": (BEGIN + deliver("c1", 0, 1, 2, 2) + drained() + log(0, 1, 2), ALL),
    "reordered": (BEGIN + deliver("c1", 0, 2, 1) + drained() + log(0, 1, 2), ALL),
    "foreign": (BEGIN + deliver("c1", 0, 1) + revoke("c1") + deliver("c1", 2) + drained() + log(0, 1, 2), ALL),
    "commit_lost": (CLEAN + commit("c1", 3) + stored(2), ALL),
    "legal_redelivery": (CLEAN + ended("c1") + assign("c2") + deliver("c2", 0), {AT_MOST, EXACTLY}),
    "excess_redelivery": (CLEAN + ended("c1") + stored(3) + assign("c2") + deliver("c2", 0), ALL),
    "log_duplicate": (
        BEGIN + deliver("c1", 0, 1, 2) + drained() + log(0, 1, 2) + entry(3, 0) + log_end(4),
        {AT_MOST, EXACTLY},
    ),
    "double_owner": (CLEAN + assign("c2"), set()),
    "silent_send": (CLEAN + sent(3), set()),
    "committed_at_risk": (BEGIN + handled("c1", 0, 1) + commit("c1", 3) + handled("c1", 2) + log(0, 1, 2), set()),
}


@pytest.mark.parametrize("kind", FORBIDDEN)
@pytest.mark.parametrize("guarantee", sorted(ALL))
def test_what_a_guarantee_forbids(kind: str, guarantee: str) -> None:
    facts, forbidding = FORBIDDEN[kind]
    verdict = verdict_of(facts, guarantee=guarantee)
    assert kind in seen(verdict)
    assert verdict["guarantee"] == guarantee
    others = set(seen(verdict)) - {kind}
    if kind in ("two_values", "phantom"):
        return  # these come with others, whose column says FAIL too
    assert not others
    assert verdict["verdict"] == ("FAIL" if guarantee in forbidding else "PASS")


@pytest.mark.parametrize("guarantee", sorted(ALL))
def test_an_aborted_read_is_forbidden(guarantee: str) -> None:
    facts = acked(0) + acked(1, txn="a") + txn("a", "abort") + assign("c1") + deliver("c1", 0, 1) + log(0, 1)
    assert verdict_of(facts, guarantee=guarantee, isolation="read_committed")["verdict"] == "FAIL"


@pytest.mark.parametrize("guarantee", sorted(ALL))
@pytest.mark.parametrize(
    ("kind", "facts", "partitions"),
    [
        ("two_values", acked(0) + assign("c1") + deliver("c1", 0) + deliver("c1", 1, below=1) + log(0, 1) + sent(1), 1),
        ("phantom", acked(0) + assign("c1") + deliver("c1", 0, 1) + log(0), 1),
        ("phantom", acked(0) + nacked(1) + assign("c1") + deliver("c1", 0, 1) + log(0, 1), 1),
        ("misrouted", acked(0, 1) + assign("c1") + deliver("c1", 0) + log(0) + log(1, partition=1), 2),
    ],
)
def test_forbidden_in_company(guarantee: str, kind: str, facts: Fact, partitions: int) -> None:
    verdict = verdict_of(facts, guarantee=guarantee, partitions=partitions)
    assert verdict["anomalies"][kind] == 1
    assert verdict["verdict"] == "FAIL"


def test_log_duplicates_of_an_idempotent_producer_are_forbidden_by_at_least_once() -> None:
    facts, _ = FORBIDDEN["log_duplicate"]
    assert verdict_of(facts, idempotent=True)["verdict"] == "FAIL"


def test_every_fate_and_anomaly_stands_in_the_verdict() -> None:
    verdict = verdict_of(CLEAN)
    assert tuple(verdict["fates"]) == FATES
    assert tuple(verdict["anomalies"]) == ANOMALIES
    assert SEVERITY == ("PASS", "UNKNOWN", "FAIL")
    assert EXIT_CODES == {"PASS": 0, "FAIL": 1, "UNKNOWN": 3}


def test_the_same_history_gives_the_same_bytes() -> None:
    raw = written(history(FORBIDDEN["committed_ahead"][0]))
    assert json.dumps(judge(read(raw))) == json.dumps(judge(read(raw)))


def test_members_in_another_order_give_the_same_verdict() -> None:
    given = read(written(history(CLEAN, ended("c1"), assign("c2"), deliver("c2", 1), ended("c2"), assign("c3"))))
    first = judge(given)
    given.streams.reverse()
    assert judge(given) == first


# Doubts


def test_nothing_at_all() -> None:
    verdict = verdict_of()
    assert verdict["verdict"] == "UNKNOWN"
    assert verdict["reasons"] == [
        "nothing was acked, so nothing is proven",
        "nothing was delivered, so nothing is proven",
    ]


def test_nothing_acked() -> None:
    facts = sent(0) + assign("c1") + deliver("c1", 0) + drained() + log(0)
    verdict = verdict_of(facts)
    assert verdict["verdict"] == "UNKNOWN"
    assert verdict["reasons"] == ["nothing was acked, so nothing is proven"]
    assert verdict_of(acked(0), facts[1:])["verdict"] == "PASS"


def test_nothing_delivered() -> None:
    verdict = verdict_of(acked(0), drained(), log(0))
    assert verdict["verdict"] == "UNKNOWN"
    assert verdict["reasons"] == [
        "nothing was delivered, so nothing is proven",
        "1 message not read, and not proven lost",
    ]


def test_a_fault_without_effect_proves_nothing() -> None:
    for phase in (fault("injected", effect=None), fault("injected"), fault("injecting")):
        verdict = verdict_of(CLEAN, phase)
        assert verdict["verdict"] == "UNKNOWN"
        assert verdict["reasons"] == ["fault kill had no effect, so the run proves nothing about it"]
    bit = fault("injecting") + fault("injected", effect="c1 died") + fault("healing") + fault("healed")
    assert verdict_of(CLEAN, bit)["verdict"] == "PASS"


def test_a_failure_outranks_a_doubt() -> None:
    verdict = verdict_of(FORBIDDEN["skipped"][0], fault("injected", effect=None))
    assert verdict["verdict"] == "FAIL"
    assert len(verdict["reasons"]) == 2


def test_a_loss_is_unproven_where_evidence_is_gone() -> None:
    """Skipped, it seems; but the part of a recording that is missing may have it delivered."""
    lines = history(acked(0, 1, 2) + assign("c1", 0) + deliver("c1", 0, 2) + drained() + log(0, 1, 2))
    found = read(written(lines))
    assert judge(found)["verdict"] == "FAIL"
    found.damaged.append("c2.bin: frame at byte 4096 cannot be read")
    verdict = judge(found)
    assert verdict["verdict"] == "UNKNOWN"
    assert verdict["blamed"] == []
    assert verdict["reasons"][0] == "evidence is gone: c2.bin: frame at byte 4096 cannot be read"
    assert verdict["reasons"][-1].startswith("unproven: 1 message skipped")


def test_a_torn_recording_is_never_a_pass() -> None:
    given = read(written(history(CLEAN)))
    given.torn.append("c1.bin: frame at byte 4096 is cut short")
    verdict = judge(given)
    assert verdict["verdict"] == "UNKNOWN"
    assert verdict["reasons"] == ["c1.bin: frame at byte 4096 is cut short"]


def test_many_partitions_are_told_in_short() -> None:
    facts = [line for part in range(5) for line in acked(0, 1, partition=part)]
    facts += assign("c1", 0, 1, 2, 3, 4)
    facts += [line for part in range(5) for line in deliver("c1", 1, partition=part) + log(0, 1, partition=part)]
    verdict = verdict_of(facts, partitions=5)
    assert seen(verdict) == {"illegal_start": 5}
    assert len(verdict["reasons"]) == 5
    assert verdict["reasons"][0] == "5 messages illegal start, in 5 partitions; blame: consumer"
    assert verdict["reasons"][4] == "… and 2 messages more"
    assert len([example for example in verdict["examples"] if example["kind"] == "illegal_start"]) == 3


def test_accounting_adds_up_by_partition() -> None:
    verdict = verdict_of(
        acked(0, 1, 2), acked(0, 1, partition=1), assign("c1", 0, 1), deliver("c1", 0, 2),
        deliver("c1", 0, 1, partition=1), commit("c1", 3), drained(), log(0, 1, 2), log(0, 1, partition=1),
        partitions=2,
    )  # fmt: skip
    first, second = verdict["partitions"]
    assert (first["judged"], first["delivered"], first["lost"], first["stored"]) == (3, 2, 1, 3)
    assert (first["in_log"], first["deliveries"], first["log_start"], first["log_end"]) == (3, 2, 0, 3)
    assert (second["judged"], second["delivered"], second["lost"], second["stored"]) == (2, 2, 0, None)


def test_a_timeline_in_order() -> None:
    verdict = verdict_of(
        acked(*range(3)), assign("c1"), deliver("c1", 0), commit("c1", 2), ended("c1"), assign("c2", at=2),
        deliver("c2", 2), drained(), log(*range(3)),
    )  # fmt: skip
    example = verdict["examples"][0]
    assert (example["kind"], example["offset"], example["producer"], example["seq"]) == ("committed_ahead", 1, "p1", 1)
    assert [line["text"] for line in example["timeline"]] == [
        "sent by p1",
        "acked to p1 at offset 1",
        "c1 took over at offset 0",
        "c1 committed 2, which covers it",
        "c1 ended (leave); its last offset was 0",
        "c2 took over at offset 2",
        "the independent reader found it in the log at offset 1",
        "1 message in partition 0 never handed over to anybody, though c1 committed 2 when c2 took over at 2",
    ]
    times = [line["t_ns"] for line in example["timeline"] if line["t_ns"] is not None]
    assert times == sorted(times)


def test_ownerships_are_listed() -> None:
    owner = verdict_of(CLEAN, revoke("c1", lost=True))["ownerships"][0]
    assert (owner["member"], owner["partition"], owner["end"]) == ("c1", 0, "lost")
    assert (owner["first_offset"], owner["last_offset"], owner["deliveries"]) == (0, 2, 3)


def test_who_is_blamed_for_a_legal_redelivery_where_none_is_allowed() -> None:
    assert verdict_of(FORBIDDEN["legal_redelivery"][0], guarantee=EXACTLY)["blamed"] == ["commit mode"]


def test_a_certain_answer_outweighs_an_uncertain_one() -> None:
    """A client that could not tell, and then could: the send is refused, or acked, and no longer unknown."""
    uncertain = [{"type": "unknown", "producer": "p1", "partition": 0, "seq": 3, "error": "timeout"}]
    refused = verdict_of(CLEAN, nacked(3), uncertain)
    assert (refused["nacked"], refused["unknown"], refused["judged"]) == (1, 0, 3)
    answered = verdict_of(CLEAN, acked(3), uncertain)
    assert (answered["acked"], answered["unknown"], answered["judged"]) == (4, 0, 4)


def test_examples_are_the_first_messages_of_different_spans() -> None:
    """Three stories of neighbours would tell the same thing three times."""
    handed = [offset for offset in range(30) if offset % 6 < 3]
    verdict = verdict_of(acked(*range(30)), assign("c1"), deliver("c1", *handed, 29), drained(), log(*range(30)))
    assert [(example["kind"], example["offset"]) for example in verdict["examples"]] == [
        ("skipped", 3),
        ("skipped", 9),
        ("skipped", 15),
    ]


def test_a_timeline_does_not_go_on_after_the_fate_was_settled() -> None:
    begin = acked(*range(6)) + assign("c1", at=0) + deliver("c1", 0) + ended("c1")
    later = [fact for name in ("c3", "c4") for fact in assign(name, at=5) + deliver(name, 5) + ended(name)]
    verdict = verdict_of(begin, commit("c1", 4), assign("c2", at=4), deliver("c2", 4, 5), ended("c2"), later,
                         drained(), log(*range(6)))  # fmt: skip
    (example,) = [one for one in verdict["examples"] if one["kind"] == "committed_ahead"]
    texts = [line["text"] for line in example["timeline"]]
    assert "2 later owners began, and were not handed it" in texts
    assert not any("c3" in text or "c4" in text for text in texts)


def test_each_time_of_a_fault_has_to_have_an_effect() -> None:
    """Lines of one time go together: from one `injecting`, or one further `injected`, to the next."""
    told = "fault kill had no effect, so the run proves nothing about it"
    bit, missed = fault("injected", effect="c1 died"), fault("injected", effect=None)
    begins, heals = fault("injecting"), fault("healed", effect="c1 came back")
    for lines, doubts in (
        (bit + bit, []),
        (bit + missed, [told]),
        (missed + bit, [told]),
        (bit + fault("injected"), [told]),  # of the second time nothing was ever seen
        (begins + bit + begins + missed, [told]),
        (begins + bit + begins, [told]),
        (begins + bit + begins + bit, []),
        (begins + fault("injected") + heals, []),  # what it did was seen later on
        (begins + fault("injected") + heals + begins + fault("injected"), [told]),
        (begins + missed + heals, [told]),  # it was looked for, and nothing was found
        (begins + heals, [told]),  # never injected
        (bit + fault("healing") + fault("healed"), []),
        ([*bit, {**missed[0], "fault": "freeze"}], [told.replace("kill", "freeze")]),
    ):
        verdict = verdict_of(CLEAN, lines)
        assert (verdict["verdict"], [text for text in verdict["reasons"] if text.startswith("fault")]) == (
            "UNKNOWN" if doubts else "PASS",
            doubts,
        ), lines


def test_sums_over_partitions() -> None:
    begin = acked(0, 1) + acked(0, 1, partition=1) + assign("c1", 0, 1, at=0)
    ahead = [line for partition in (0, 1) for line in commit("c1", 2, partition=partition)]
    rest = ended("c1") + assign("c2", 0, 1, at=2) + drained() + log(0, 1) + log(0, 1, partition=1)
    found = verdict_of(begin, ahead, rest, partitions=2)
    assert found["committed_ahead_of"] == {"never_handed_over": 4, "in_flight": 0}
    strange = deliver("c1", 9, below=8) + deliver("c1", 9, below=8, partition=1)
    doubts = verdict_of(begin, deliver("c1", 0), deliver("c1", 0, partition=1), strange, rest, partitions=2)["reasons"]
    assert [
        text for text in doubts if "at offsets where the log holds nothing" in text and text.startswith("2 messages")
    ]


def test_two_ways_of_one_fate_are_told_in_one_name() -> None:
    begin = (
        acked(*range(4)) + assign("c1") + handled("c1", 0) + deliver("c1", 1) + commit("c1", 3) + ended("c1", "killed")
    )
    found = verdict_of(begin, assign("c2", at=3), handled("c2", 3), drained(), log(*range(4)))
    assert found["committed_ahead_of"] == {"never_handed_over": 1, "in_flight": 1}
    assert found["reasons"][0] == (
        "2 messages committed ahead, in flight, never handed over, in partition 0; blame: client and commit mode"
    )


def test_an_accounting_that_does_not_add_up_is_told() -> None:
    fates = dict.fromkeys(FATES, 0) | {"delivered": 3}
    total = {"judged": 4, "acked": 4, "deliveries": 3}
    assert _doubts(read(written(history(CLEAN))), total, fates, 0) == [
        f"the accounting does not add up: {fates} of 4 (a fault of the harness)"
    ]


def test_what_is_told_is_limited_and_what_is_left_out_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "SPANS_AT_MOST", 2)
    monkeypatch.setattr(evidence, "OWNERSHIPS_AT_MOST", 1)
    begin = acked(*range(6)) + acked(*range(6), partition=1) + assign("c1", 0, 1, at=0)
    gaps = deliver("c1", 1, 3, 5) + deliver("c1", 1, 3, 5, partition=1)
    found = verdict_of(begin, gaps, drained(), log(*range(6)), log(*range(6), partition=1), partitions=2)
    assert (len(found["spans"]), found["spans_left_out"], len(found["ownerships"])) == (2, 4, 1)


def test_times_that_nobody_knows_are_none() -> None:
    made = read(written(history(CLEAN)))
    witnesses = evidence.Witnesses(made, made.rows_of(0), None)  # type: ignore[arg-type]
    assert [witnesses.time(at) for at in (0, NEVER, made.began + 5, 1)] == [None, None, 5, 1 - made.began]


def test_a_wrong_value_in_the_log_is_the_producers() -> None:
    begin = acked(0, 1) + assign("c1", at=0) + deliver("c1", 0, 1) + drained()
    found = verdict_of(begin, entry(0, 0), entry(1, 1, corrupt=True), log_end(2))
    assert (seen(found), found["blamed"]) == ({"corrupt": 1}, ["producer"])
    assert found["reasons"] == ["1 message of partition 0 in the log with a value that was not sent"]


def test_what_is_astray_in_the_log_is_told_by_its_place() -> None:
    begin = [*acked(0), {"type": "send", "producer": "p1", "partition": 1, "seq": 7}, *assign("c1", at=0)]
    found = verdict_of(
        begin, deliver("c1", 0), drained(), entry(0, 0), entry(1, 7), log_end(2), log_end(0, partition=1), partitions=2
    )
    spans = [span for span in found["spans"] if span["kind"] == "misrouted"]
    assert [(span["partition"], span["first_offset"]) for span in spans] == [(0, 1)]
