"""What does not go with reading while messages are produced, and what does."""

from typing import Any

import pytest

from harness.matrix.models import changes_its_log
from harness.scenario import load
from tests.refusals import SMALL, refused

LIVE = "consume: while_produced\n"
PACED = LIVE + "producer: {rate: 100}\n"
ONLY = (
    "would hit the producer too; with consume: while_produced only kill, freeze, leave, join, rebalance, subscription"
)
WRONG = {
    LIVE: ["6:1: consume: latency counts from when a message was due: set producer.rate"],
    LIVE + "producer: {rate: 500}\n": [
        "6:1: consume: 1,000 messages at 500 a second are all due in the warm-up, the first 2 s, of which nothing is "
        "measured: more messages, or a lower producer.rate"
    ],
    PACED + "record: throughput\n": [
        "8:1: record: throughput records no time of a message, and latency needs it: leave `record` out"
    ],
    PACED + "topic: {compacted: [1, 2]}\n": [
        "8:9: topic.compacted: not with consume: while_produced: nobody may read before it is compacted"
    ],
    PACED + "group: {committed: 5}\n": [
        "8:9: group.committed: not with consume: while_produced: there is nothing in the topic yet that could be "
        "committed"
    ],
    PACED + "members: {a: {}}\n": [
        "8:1: members: not with consume: while_produced: scripts count on a topic that is whole"
    ],
    PACED + "consumer: {settings: {client_id: me}}\n": [
        "8:23: consumer.settings.client_id: with consume: while_produced the harness names the clients, to ask the "
        "broker about them; leave it out"
    ],
    PACED + "faults: [{network: {cut: true}, when: {s: 1}}]\n": [f"8:11: faults[0].network: network {ONLY}"],
    LIVE + "producer: {rate: 100, transactions: {}}\n": [
        "7:12: producer.rate: each transaction is sent at once; leave one of them out"
    ],
}


@pytest.mark.parametrize("lines", WRONG)
def test_what_does_not_fit_is_said(write: Any, lines: str) -> None:
    path = write(SMALL + lines)
    assert [line.removeprefix(f"{path}:") for line in refused(path)] == WRONG[lines]


def test_the_null_client_reads_no_topic(write: Any) -> None:
    path = write(SMALL.replace("kafka-python==2.0.2", '"null"') + PACED)
    assert refused(path) == [f"{path}:6:1: consume: the null client reads no topic"]


def test_a_group_may_be_disturbed_meanwhile_and_no_topic_be_shared(write: Any) -> None:
    faults = "faults: [{freeze: c, for_s: 1, when: {s: 1}}]\nrestarts: {count: 1, after: [10, 10]}\n"
    scenario = load(write(SMALL + PACED + faults))
    assert scenario.while_produced
    assert changes_its_log(scenario) == "it reads while the topic is written"
