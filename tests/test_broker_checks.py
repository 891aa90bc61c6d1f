"""Nodes and faults of the broker, as a scenario writes them, and every refusal's words."""

from typing import Any

import pytest

from harness.faults import schedule
from harness.run import patience_s
from harness.scenario import load
from tests.refusals import SMALL, refused

THREE = "broker: {nodes: 3}\n"

WRONG = {
    "broker: {nodes: 2}": ["6:10: broker.nodes: 2 is none of 1, 3"],
    "broker: {nodes: 3, backend: external}": [
        "6:10: broker.nodes: a broker of the backend external has the nodes that it has; leave it out, or use embedded",
    ],
    "security: plaintext\nbroker: {backend: docker}\nfaults: [{network: {cut: true}, when: {s: 1}}]": [
        "8:11: faults[0].network: a proxy stands before the TLS port alone of a broker of the backend docker: "
        "security: mutual_tls, or embedded",
    ],
    "faults: [{restart_broker: 2, when: {s: 1}}]": [
        "6:11: faults[0].restart_broker: there is no node 2; there is 1",
    ],
    THREE + "faults: [{restart_broker: 0, when: {s: 1}}]": [
        "7:11: faults[0].restart_broker: there is no node 0; there are 3, from 1",
    ],
    "faults: [{restart_broker: leder, when: {s: 1}}]": [
        "6:11: faults[0].restart_broker: expected the number of a node, leader or coordinator, found "
        '"leder"; did you mean leader?',
    ],
    "faults: [{restart_broker: true, when: {s: 1}}]": [
        "6:11: faults[0].restart_broker: expected the number of a node, leader or coordinator, found true",
    ],
    "faults: [{kill_broker: leader, when: {s: 1}}]": [
        "6:11: faults[0].kill_broker: the only node would never come back: set `restart_after_s`, or broker.nodes: 3",
    ],
    THREE + "faults: [{kill_broker: leader, when: {s: 1}, times: 2, every_s: 5}]": [
        "7:46: faults[0].times: needs `restart_after_s`: a node that has gone is not there a second time",
    ],
    THREE + "faults: [{kill_broker: leader, when: {s: 1}, for_s: 2}]": [
        "7:46: faults[0].for_s: only freeze, network, restart_broker and pause_broker have it",
    ],
    "broker: {backend: external}\nfaults: [{restart_broker: 1, when: {s: 1}}]": [
        "7:11: faults[0].restart_broker: a broker of the backend external cannot restart a node; embedded can",
    ],
    "broker: {nodes: 3, backend: docker, kafka: '3.9.1'}\nfaults: [{move_leader: true, when: {s: 1}}]": [
        "7:11: faults[0].move_leader: before Kafka 4.0 a broker of the backend docker does not tell what clients ask "
        "of a node; embedded does",
    ],
    THREE + "faults: [{pause_broker: leader, when: {s: 1}}]": [
        "7:10: faults[0]: pause_broker needs `for_s`: how long it lasts",
    ],
    "broker: {backend: external}\nfaults: [{pause_broker: 1, for_s: 2, when: {s: 1}}]": [
        "7:11: faults[0].pause_broker: a broker of the backend external cannot pause a node; embedded can",
    ],
    "broker: {backend: external}\nfaults: [{network: {cut: true}, when: {s: 1}}]": [
        "7:11: faults[0].network: a broker of the backend external has no proxy before it; embedded has one",
    ],
    "broker: {backend: external}\ntopic: {compacted: [0, 9]}": [
        "7:9: topic.compacted: a broker of the backend external cannot be told to compact at once; embedded can",
    ],
    "broker: {backend: external}\nconsumer: {certificate: foreign}": [
        "7:12: consumer.certificate: a broker of the backend external cannot be expected to refuse a client; embedded "
        "can",
    ],
    "security: sasl_tls": [
        "6:1: security: only a broker of the backend external is reached so; mutual_tls or plaintext",
    ],
    "topic: {replication: 3}": [
        "6:9: topic.replication: there are no 3 nodes; broker.nodes is 1",
    ],
    "faults: [{move_leader: true, when: {s: 1}}]": [
        "6:11: faults[0].move_leader: there is no other node; broker.nodes: 3",
    ],
    THREE + "faults: [{move_leader: 4, when: {s: 1}}]": [
        "7:11: faults[0].move_leader: there is no partition 4; there are 4, from 0",
    ],
    THREE + "faults: [{move_leader: first, when: {s: 1}}]": [
        '7:11: faults[0].move_leader: expected true, or the number of a partition, found "first"',
    ],
    THREE + "faults: [{move_leader: false, when: {s: 1}}]": [
        "7:11: faults[0].move_leader: true, or the number of a partition",
    ],
    THREE + "faults: [{move_coordinator: false, when: {s: 1}}]": [
        "7:11: faults[0].move_coordinator: true, or another kind of fault",
    ],
    THREE + "faults: [{kill_broker: coordinator, when: {s: 1}, during: produce}]": [
        "7:11: faults[0].kill_broker: there is no group while messages are produced; leader, or the number of a node",
    ],
    THREE + "faults: [{move_leader: true, when: {s: 1, member: c}}]": [
        "7:43: faults[0].when.member: only with `phase`",
    ],
    THREE + "faults: [{move_leader: true, when: {phase: polled, member: b}}]": [
        '7:52: faults[0].when.member: there is no member "b"; there is c',
    ],
    "faults: [{kill: c, when: {phase: polled, member: c}}]": [
        "6:42: faults[0].when.member: the moment is that of the member which kill names; leave it out",
    ],
    THREE + "faults: [{move_leader: true, when: {word: x}}]": [
        '7:37: faults[0].when.word: nobody tells "x"; told are c closed, move_leader injected',
    ],
}


@pytest.mark.parametrize("lines", WRONG)
def test_what_is_wrong_is_said(write: Any, lines: str) -> None:
    path = write(SMALL + lines + "\n")
    assert [line.removeprefix(f"{path}:") for line in refused(path)] == WRONG[lines]


def loaded(write: Any, lines: str) -> Any:
    return load(write(SMALL + lines + "\n"))


def test_a_moment_is_the_first_members_where_none_is_named(write: Any) -> None:
    text = THREE + "faults: [{move_coordinator: true, when: {phase: polled}}]"
    for members, first in (
        ("", "c"),
        ("\ngroup: {size: 2}", "c1"),
        ("\nmembers: {a: {}, b: {}}", "a"),
    ):
        (plan,) = schedule(loaded(write, text + members))
        assert plan["when"] == {"phase": "polled", "member": first}


def test_faults_have_names_to_wait_for(write: Any) -> None:
    text = (
        THREE + "faults: [{restart_broker: coordinator, when: {s: 1}}, {kill_broker: 3, when: {s: 2}}, "
        "{move_leader: 0, when: {word: restart_broker coordinator healed}}, {move_leader: true, when: {s: 9}}]"
    )
    names = [plan["fault"] for plan in schedule(loaded(write, text))]
    assert names == ["restart_broker coordinator", "kill_broker 3", "move_leader 0", "move_leader"]


def test_the_harness_asks_for_longer_than_a_node_is_down(write: Any) -> None:
    assert patience_s(loaded(write, "faults: [{kill: c, when: {s: 1}}]")) == 15
    for kind in ("restart_broker", "pause_broker"):
        assert patience_s(loaded(write, f"faults: [{{{kind}: 1, when: {{s: 1}}, for_s: 30}}]")) == 15 + 60 + 30
