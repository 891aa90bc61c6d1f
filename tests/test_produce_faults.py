"""Faults while messages are produced: what is refused early, what is drawn, and how the stage lets them act."""

from types import SimpleNamespace
from typing import Any

import pytest

from harness.faults import faults_of, faults_of_producing, schedule
from harness.scenario import load
from harness.writing import Writing
from tests.refusals import SMALL, refused

HOLE = "network: {blackhole: both}, for_s: 1, during: produce"

WRONG = {
    "faults: [{kill: c, when: {s: 1}, during: produce}]": [
        "6:34: faults[0].during: kill is done to the group; while messages are produced only network, "
        "restart_broker, kill_broker, pause_broker, move_leader",
    ],
    f"faults: [{{{HOLE}, when: {{deliveries: 5}}}}]": [
        "6:73: faults[0].when.deliveries: nobody consumes yet; while messages are produced progress, s or random set "
        "off a fault",
    ],
    f"faults: [{{{HOLE}, when: {{s: 1}}}}]\ntopic: {{compacted: [1, 2]}}": [
        "6:49: faults[0].during: not together with topic.compacted: what retries write again cannot be told from what "
        "compaction is to remove",
    ],
    f"faults: [{{{HOLE}, when: {{s: 1}}}}]\nproducer: {{transactions: {{}}}}": [
        "6:49: faults[0].during: not together with producer.transactions: a producer whose transaction fails ends",
    ],
    f"faults: [{{{HOLE}, when: {{s: 1}}}}, {{kill: c, when: {{word: network blackhole healed}}}}]": [
        '6:98: faults[1].when.word: nobody tells "network blackhole healed"; told are c closed, kill c healed, kill c '
        "injected",
    ],
    "producer: {rate: 5, transactions: {}}": [
        "6:12: producer.rate: each transaction is sent at once; leave one of them out",
    ],
    "producer: {client: planted, rate: 5, planted: {fault: silent}}": [
        "6:29: producer.rate: the planted producer has none; leave one of them out",
    ],
}


@pytest.mark.parametrize("lines", WRONG)
def test_what_does_not_fit_is_said(write: Any, lines: str) -> None:
    path = write(SMALL + lines + "\n")
    assert [line.removeprefix(f"{path}:") for line in refused(path)] == WRONG[lines]


def test_each_stage_has_its_own_faults_and_jitter_its_seed(write: Any) -> None:
    text = (
        f"faults: [{{{HOLE}, when: {{s: 1}}}}, {{network: {{latency_ms: 5, jitter_ms: 5}}, for_s: 1, when: {{s: 1}}}}]"
    )
    plans = schedule(load(write(SMALL + text + "\nseed: 7\n")))
    assert [plan["during"] for plan in plans] == ["produce", "consume"]
    assert plans[1]["target"] == {"latency_ms": 5, "jitter_ms": 5, "seed": "7:jitter:1"}
    assert [fault.name for fault in faults_of_producing(plans)] == ["network blackhole"]
    assert [fault.name for fault in faults_of(plans)] == ["network latency_ms"]


class Fault:
    """Notes its turns; busy as it is told."""

    def __init__(self) -> None:
        self.turns: list[float] = []
        self.busy = False

    def turn(self, work: Any, now: float) -> None:
        self.turns.append(now)

    def finish(self, work: Any) -> None:
        self.turns.append(-1)


def test_silence_counts_from_the_end_of_a_fault_on() -> None:
    fault: Any = Fault()
    worker: Any = SimpleNamespace(watch_count=lambda: (5, 0), finished=lambda: False)
    bench: Any = SimpleNamespace(scenario=SimpleNamespace(messages=10))
    writing = Writing(bench, worker, [fault])
    writing.turn(writing.began + 50)
    assert writing.settled_at == writing.began
    fault.busy = True
    writing.turn(writing.began + 60)
    fault.busy = False
    writing.turn(writing.began + 70)
    writing.finish()
    assert writing.settled_at == writing.began + 60
    assert [turn - writing.began for turn in fault.turns[:-1]] == pytest.approx([50, 60, 70])
    assert fault.turns[-1] == -1


@pytest.mark.parametrize(
    ("acked", "ended", "why"),
    [(9, False, None), (10, False, "everything was acked already"), (9, True, "the producer had ended already")],
)
def test_a_fault_comes_in_vain_once_all_is_acked(acked: int, why: str | None, *, ended: bool) -> None:
    worker: Any = SimpleNamespace(watch_count=lambda: (acked, 0), finished=lambda: ended)
    bench: Any = SimpleNamespace(scenario=SimpleNamespace(messages=10))
    assert Writing(bench, worker, []).in_vain() == why
