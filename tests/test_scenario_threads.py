"""Members that are threads of one process: what a scenario may not ask of them, and every refusal's words."""

import pytest

from harness.scenario import load
from tests.refusals import SMALL, refused

THREADS = "group: {size: 2, workers: threads}\n"
WRONG = {
    "group: {workers: threads}": [
        "6:9: group.workers: threads are members of the plain loop: set group.size",
    ],
    THREADS + "record: throughput\nconsumer: {processing: {fails: {at: 5, then: restart}}}": [
        "6:18: group.workers: threads share their CPU time: their speed is not measured; use record: loss",
        "8:40: consumer.processing.fails.then: a thread is not started again; use then: skip, or processes",
    ],
    THREADS + "faults: [{freeze: c1, for_s: 9, when: {phase: polled}}]": [
        "7:11: faults[0].freeze: no signal stops one thread alone; use processes",
        "7:40: faults[0].when.phase: threads do not stand still for a fault: the others would go on; use processes, or "
        "another trigger",
    ],
    THREADS + "faults: [{leave: c1, restart_after_s: 9, when: {s: 1}}]": [
        "7:22: faults[0].restart_after_s: a thread is not started again; leave it out, or use processes",
    ],
}


@pytest.mark.parametrize("lines", WRONG)
def test_what_is_wrong_is_said(write, lines: str) -> None:
    said = refused(write(SMALL + lines + "\n"))
    assert [line.removeprefix("mine.yaml:") for line in said] == WRONG[lines]


def test_an_iterator_that_waits_for_ever_is_none_for_threads(write) -> None:
    (said,) = refused(write(SMALL.replace("api: poll", "api: iterator") + THREADS))
    assert said.endswith("kafka-python's iterator waits for ever, and no signal gets a thread out of it; use poll")


def test_what_threads_can_do_is_let_through(write) -> None:
    faults = "faults: [{kill: c1, restart_after_s: 1, when: {s: 1}}, {leave: c2, when: {s: 2}}]\n"
    assert load(write(SMALL + THREADS + faults)).group.workers == "threads"
