"""Members, scripts, groups, ways to commit and faults, as a scenario writes them, and every refusal's words."""

from typing import Any

import pytest

from harness import script
from harness.fault_models import KINDS
from harness.scenario import dump, json_schema, load
from harness.scenario_file import shipped_folder
from tests.refusals import SMALL, refused

KINDS_TOLD = ", ".join(KINDS)


def found(path: str, overrides: dict[str, Any] | None = None) -> list[str]:
    """What a refusal says, without the file's name."""
    return [line.removeprefix("mine.yaml:") for line in refused(path, overrides)]


WRONG = {
    "topic: {compacted: [5, 4]}": [
        "6:9: topic.compacted: [5, 4]: two numbers from 0 on, the lower one first",
    ],
    "topic: {compacted: [10, 249]}": [
        "6:9: topic.compacted: 1,000 messages are too few: each partition needs one more behind number 249",
    ],
    "topic: {compacted: [1, 2], settings: {segment.ms: 5}}": [
        "6:39: topic.settings.segment.ms: `topic.compacted` sets it; leave it out",
    ],
    "topic: {compacted: [1, 2]}\nproducer: {transactions: {}}": [
        "6:9: topic.compacted: not together with producer.transactions",
    ],
    "members: 5": [
        "6:1: members: expected blocks by name, such as `a: {}`, found 5",
    ],
    "members: {}": [
        "6:1: members: at least one member, such as `a:`",
    ],
    "members: {a: 5}": [
        "6:11: members.a: expected a block of keys (client, api, settings, steps), found 5",
    ],
    "members: {A: {}}": [
        "6:11: members.A: a member's name begins with a letter and has letters a-z, digits and _ (not at its end)",
    ],
    "members: {p: {}}": [
        "6:11: members.p: this name is the harness's own; another, such as pa",
    ],
    "members: {a: {stepz: []}}": [
        "6:15: members.a.stepz: unknown key; did you mean steps?",
    ],
    "members: {a: {steps: 5}}": [
        "6:15: members.a.steps: expected a list, found 5",
    ],
    "members: {a: {steps: [5]}}": [
        "6:23: members.a.steps[0]: expected a step, such as `drain` or `take: 100`, found 5",
    ],
    "members: {a: {steps: [dran]}}": [
        '6:23: members.a.steps[0]: no step is called "dran"; did you mean drain?',
    ],
    "members: {a: {steps: [take]}}": [
        "6:23: members.a.steps[0]: take needs a value: `100`",
    ],
    "members: {a: {steps: [{take: 0}]}}": [
        "6:24: members.a.steps[0].take: must be from 1 to 10,000,000,000, found 0",
    ],
    "members: {a: {steps: [{take: x}]}}": [
        '6:24: members.a.steps[0].take: expected a whole number, found "x"',
    ],
    "members: {a: {steps: [{take: 1, drain: }]}}": [
        "6:23: members.a.steps[0]: expected a step, such as `drain` or `take: 100`, found a block of 2 "
        "keys; each step begins with its own `- `",
    ],
    "members: {a: {steps: [{poll: {time: 3}}]}}": [
        "6:31: members.a.steps[0].poll.time: unknown key; did you mean times?",
    ],
    "members: {a: {steps: [{poll: {times: 0, timeout_ms: x}}]}}": [
        "6:31: members.a.steps[0].poll.times: must be from 1 to 1,000,000, found 0",
        '6:41: members.a.steps[0].poll.timeout_ms: expected a whole number, found "x"',
    ],
    "members: {a: {steps: [{pause: 5}]}}": [
        "6:24: members.a.steps[0].pause: expected `all` or partitions such as [0, 2], found 5",
    ],
    "members: {a: {steps: [{pause: [7]}]}}": [
        "6:23: members.a.steps[0]: there is no partition 7; there are 4, from 0",
    ],
    "members: {a: {steps: [{seek: start}]}}": [
        '6:24: members.a.steps[0].seek: expected an offset, beginning or end, found "start"',
    ],
    "members: {a: {steps: [{seek: {partitions: [0]}}]}}": [
        "6:24: members.a.steps[0].seek.to: expected an offset, beginning or end, found nothing",
    ],
    "members: {a: {steps: [{commit: snyc}]}}": [
        '6:24: members.a.steps[0].commit: "snyc" is none of sync, async',
    ],
    "members: {a: {steps: [{sleep: 0}]}}": [
        "6:24: members.a.steps[0].sleep: must be more than 0 and at most 3,600 seconds, found 0",
    ],
    "members: {a: {steps: [{sleep: .inf}]}}": [
        "6:24: members.a.steps[0].sleep: must be more than 0 and at most 3,600 seconds, found inf",
    ],
    "members: {a: {steps: [{tell: 5}]}}": [
        '6:24: members.a.steps[0].tell: expected a word to tell, such as "a ready", found 5',
    ],
    "members: {a: {steps: [{drain: 5}]}}": [
        "6:24: members.a.steps[0].drain: takes no value, found 5",
    ],
    "members: {a: {steps: [close, drain]}}": [
        "6:30: members.a.steps[1]: drain after close: only restart may follow it",
    ],
    "members: {a: {steps: [subscribe, {assign: all}]}}": [
        "6:34: members.a.steps[1]: assign after subscribe: unsubscribe comes between them, or restart",
    ],
    "members: {a: {steps: [unsubscribe, {take: 5}]}}": [
        "6:36: members.a.steps[1]: take after unsubscribe: subscribe or assign comes between them",
    ],
    "members: {a: {steps: [{read: until}]}}": [
        '6:24: members.a.steps[0].read: expected a block of keys (until), found "until"',
    ],
    "members: {a: {steps: [{read: {until: b joined}}]}}": [
        '6:24: members.a.steps[0].read: nobody tells "b joined"; told are a closed',
    ],
    'members: {a: {steps: [{wait: "b joned"}]}, b: {steps: [{tell: "b joined"}]}}': [
        '6:24: members.a.steps[0].wait: nobody tells "b joned"; did you mean b joined?',
    ],
    "members: {a: {steps: [{wait: x}, {tell: x}]}}": [
        '6:24: members.a.steps[0].wait: only a itself tells "x", and later than this',
    ],
    "members: {a: {client: aiokafka}}": [
        "6:15: members.a.client: aiokafka has no poll; it offers iterator, getone, getmany",
    ],
    "members: {a: {client: rabbit}}": [
        "6:15: members.a.client: client 'rabbit': no client library is called 'rabbit'. The libraries "
        "are kafka-python, kafka-python-ng, confluent-kafka, aiokafka, planted, null. For example: "
        "kafka-python==3.0.12, kafka-python[crc32c]==3.0.12, confluent-kafka==1.9.2 @ python3.9.",
    ],
    "members: {a: {settings: {group.id: x}}}": [
        "6:26: members.a.settings.group.id: not a scenario's to set: the harness names a new group for each run",
    ],
    "members: {a: {settings: {auto_offset_reset: latest}}}": [
        "6:26: members.a.settings.auto_offset_reset: one for all members: set it under consumer.settings",
    ],
    "members: {a: {}}\nrestarts: {count: 1, after: [1, 1]}": [
        "7:1: restarts: members restart by their own `restart` steps; leave it out",
    ],
    "group: {size: 2}\nmembers: {a: {}}": [
        "6:9: group.size: `members` and a group of plain loops exclude each other; leave one of them out",
    ],
    "group: {assignor: sticki}": [
        '6:9: group.assignor: "sticki" is none of range, roundrobin, sticky, cooperative-sticky; did you mean sticky?',
    ],
    "group: {assignor: cooperative-sticky}": [
        "6:9: group.assignor: kafka-python==2.0.2 has no cooperative-sticky; kafka-python has it from 3.0 on",
    ],
    "group: {static: true}": [
        "6:9: group.static: kafka-python==2.0.2 has no static membership (group_instance_id); "
        "kafka-python has it from 2.3 on",
    ],
    "group: {protocol: consumer}": [
        "6:9: group.protocol: kafka-python has no consumer protocol (KIP-848); confluent-kafka has it",
    ],
    "group: {session_timeout_ms: 100}": [
        "6:9: group.session_timeout_ms: 100 ms is shorter than a broker accepts (group.min.session.timeout.ms, 6000)",
    ],
    "group: {session_timeout_ms: 9000, heartbeat_interval_ms: 9000}": [
        "6:35: group.heartbeat_interval_ms: 9000 ms is not shorter than session_timeout_ms, 9000 ms; a "
        "third of it is usual",
    ],
    "group: {sise: 3}": [
        "6:9: group.sise: unknown key; did you mean size?",
    ],
    "consumer: {commit: {mode: store_offsets}}": [
        "6:21: consumer.commit.mode: kafka-python has no store_offsets(); only librdkafka has, in confluent-kafka",
    ],
    "consumer: {commit: {mode: none, where: before}}": [
        "6:33: consumer.commit.where: with mode none the application does not commit",
    ],
    "consumer: {commit: {mode: sync, interval_ms: 5}}": [
        "6:33: consumer.commit.interval_ms: mode sync has none; only auto and store_offsets have",
    ],
    "consumer: {commit: {mode: auto}, settings: {enable_auto_commit: false}}": [
        "6:45: consumer.settings.enable_auto_commit: consumer.commit.mode decides it; leave one of them out",
    ],
    "consumer: {commit: {mode: in_revoke}}\nmembers: {a: {steps: [subscribe, drain]}}": [
        "7:23: members.a.steps[0]: consumer.commit.mode in_revoke commits in the listener: subscribe: {listener: true}",
    ],
    "consumer: {processing: {slow: {at: 5}}}": [
        "6:25: consumer.processing.slow.ms: required, and not there",
    ],
    "faults: 5": [
        "6:1: faults: expected a list, found 5",
    ],
    "faults: [5]": [
        f"6:10: faults[0]: expected a block of keys ({KINDS_TOLD}, during, when, after_s, "
        "restart_after_s, for_s, times, every_s), found 5",
    ],
    "faults: [{join: c, when: {s: 1}}]": [
        "6:11: faults[0].join: nobody else is there whom it could join: `members`, or a `group.size` above 1",
    ],
    "faults: [{leave: x, when: {s: 1}}]": [
        '6:11: faults[0].leave: there is no member "x"; there is c',
    ],
    "faults: [{rebalance: false, when: {s: 1}}]": ["6:11: faults[0].rebalance: true, or another kind of fault"],
    "faults: [{subscription: c, when: {s: 1}, times: 2, every_s: 1}]": [
        "6:42: faults[0].times: subscription is done once; write a second fault for more",
    ],
    "faults: [{leave: c, when: {s: 1}, times: 2, every_s: 1}]": [
        "6:35: faults[0].times: needs `restart_after_s`: a process that has gone is not there a second time",
    ],
    "faults: [{freeze: c, when: {s: 1}, for_s: 1, restart_after_s: 1}]": [
        "6:46: faults[0].restart_after_s: only kill, leave and kill_broker have it",
    ],
    "faults: [{subscription: c, when: {phase: polled}}]": [
        "6:35: faults[0].when.phase: only kill, freeze, leave, restart_broker, kill_broker, pause_broker, move_leader, "
        "move_coordinator can be done at a moment of a member",
    ],
    "faults: [{kill: c, when: {phase: committing}}]": [
        "6:27: faults[0].when.phase: the application never commits: set consumer.commit.mode, or write a step `commit`",
    ],
    "faults: [{kill: c, when: {phase: polled}, after_s: 10}]": [
        "6:43: faults[0].after_s: a process stands still at a moment for less than 10 s",
    ],
    "faults: [{kill: c, when: {phase: polled}, restart_after_s: 1, times: 2, every_s: 1}]": [
        "6:63: faults[0].times: a moment comes once; write a second fault for another",
    ],
    "faults: [{kill: c, when: {s: 1, number: 2}}]": [
        "6:33: faults[0].when.number: only with `phase`",
    ],
    "members: {passing: {}}\nfaults: [{rebalance: true, when: {s: 1}}]": [
        "6:11: members.passing: this name is the harness's own in a run with `rebalance`; another",
    ],
    "members: {a: {api: consume}}": [
        "6:15: members.a.api: kafka-python has no consume; it offers iterator, poll",
    ],
    "members: {a: {client: aiokafka}, b: {client: aiokafka, api: getmany}}": [
        "6:15: members.a.client: aiokafka has no poll; it offers iterator, getone, getmany",
    ],
    "consumer: {processing: {fails: {at: 5, always: true}}}": [
        "6:40: consumer.processing.fails.always: only with where: deserializer; a handler gets its message once",
    ],
    "consumer: {processing: {fails: {at: 5, where: deserializer, always: true, then: restart}}}": [
        "6:61: consumer.processing.fails.always: with then: restart the new process does not raise; leave it out",
    ],
    "members: {a: {client: confluent-kafka}}\nconsumer: {processing: {fails: {at: 5, where: deserializer}}}": [
        "7:40: consumer.processing.fails.where: confluent-kafka hands over bytes, and calls no deserializer",
    ],
    "faults: [{kill: c}]": [
        "6:10: faults[0].when: required, and not there",
    ],
    "faults: [{when: {s: 5}}]": [
        f"6:10: faults[0]: exactly one of {KINDS_TOLD}, found none",
    ],
    "faults: [{kill: b, when: {s: 5}}]": [
        '6:11: faults[0].kill: there is no member "b"; there is c',
    ],
    "faults: [{kill: c, freeze: c, when: {s: 5}}]": [
        f"6:10: faults[0]: exactly one of {KINDS_TOLD}, found kill, freeze",
    ],
    "faults: [{kill: c, when: {s: 5, deliveries: 1}}]": [
        "6:20: faults[0].when: exactly one of word, deliveries, progress, phase, s, random, found deliveries, s",
    ],
    "faults: [{kill: c, when: {}}]": [
        "6:20: faults[0].when: exactly one of word, deliveries, progress, phase, s, random, found none",
    ],
    "faults: [{kill: c, when: {word: x}}]": [
        '6:27: faults[0].when.word: nobody tells "x"; told are c closed, kill c healed, kill c injected',
    ],
    "faults: [{kill: c, when: {random: [5, 2]}}]": [
        "6:27: faults[0].when.random: [5, 2]: seconds, the lower number first",
    ],
    "faults: [{kill: c, when: {deliveries: 5000}}]": [
        "6:27: faults[0].when.deliveries: 5,000 deliveries never come: there are 1,000 messages",
    ],
    "faults: [{kill: c, when: {s: 1}, for_s: 5}]": [
        "6:34: faults[0].for_s: only freeze, network, restart_broker and pause_broker have it",
    ],
    "faults: [{network: {}, when: {s: 1}}]": [
        "6:11: faults[0].network: exactly one of latency_ms, bandwidth_kb_s, blackhole, cut, cut_after_bytes, "
        "found none",
    ],
    "faults: [{network: {cut: true, latency_ms: 5}, when: {s: 1}, for_s: 1}]": [
        "6:11: faults[0].network: exactly one of latency_ms, bandwidth_kb_s, blackhole, cut, cut_after_bytes, "
        "found latency_ms, cut",
    ],
    "faults: [{network: {cut: true, blackhole: both}, when: {s: 1}}]": [
        "6:10: faults[0]: network: blackhole needs `for_s`: how long it lasts",
    ],
    "faults: [{network: {cut: true, jitter_ms: 5}, when: {s: 1}}]": [
        "6:32: faults[0].network.jitter_ms: only with `latency_ms`",
    ],
    "faults: [{network: {cut: false}, when: {s: 1}}]": [
        "6:21: faults[0].network.cut: true, or another fault of the network",
    ],
    "faults: [{network: {cut: true}, when: {s: 1}, for_s: 5}]": [
        "6:47: faults[0].for_s: a cut is over at once; leave it out",
    ],
    "faults: [{network: {blackhole: both}, when: {s: 1}}]": [
        "6:10: faults[0]: network: blackhole needs `for_s`: how long it lasts",
    ],
    "faults: [{network: {cut: true}, when: {phase: polled}}]": [
        "6:40: faults[0].when.phase: only kill, freeze, leave, restart_broker, kill_broker, pause_broker, move_leader, "
        "move_coordinator can be done at a moment of a member",
    ],
    "faults: [{freeze: c, when: {s: 1}}]": [
        "6:10: faults[0]: a freeze needs `for_s`: how long it lasts",
    ],
    "faults: [{freeze: c, when: {s: 1}, for_s: 2, times: 2}]": [
        "6:46: faults[0].times: needs `every_s`: how long after the one before",
    ],
    "faults: [{kill: c, when: {s: 1}, times: 2, every_s: 1}]": [
        "6:34: faults[0].times: needs `restart_after_s`: a process that has gone is not there a second time",
    ],
    "faults: [{add_partitions: 4, when: {s: 1}}]": [
        "6:11: faults[0].add_partitions: 4 in all, but there are 4 already; a number above that",
    ],
    "faults: [{kill: c, when: {s: 1}}]\nrecord: throughput": [
        "6:11: faults[0].kill: kill with record: throughput would lose the recording, which is in "
        "memory; use record: loss",
    ],
    "faults: [{kil: c, when: {s: 1}}]": [
        "6:11: faults[0].kil: unknown key; did you mean kill?",
    ],
    "topic: {settings: {a: {b: 1}}}": [
        "6:20: topic.settings.a: expected text, a number, true, false, or a list of texts",
    ],
    "topic: {seting: 5}": [
        "6:9: topic.seting: unknown key; did you mean settings?",
    ],
    "faults: [{kill: c, when: {s: 1}}]\nconsumer: {settings: {client_id: x}}": [
        "7:23: consumer.settings.client_id: with faults the harness names the clients, to ask the broker "
        "about them; leave it out",
    ],
    "group: {max_poll_interval_ms: 6000}": [
        "6:9: group.max_poll_interval_ms: 6000 ms is shorter than the session timeout, 45000 ms where "
        "session_timeout_ms is not set: clients refuse that",
    ],
    "group: {max_poll_interval_ms: 6000, session_timeout_ms: 7000}": [
        "6:9: group.max_poll_interval_ms: 6000 ms is shorter than session_timeout_ms, 7000 ms: clients refuse that",
    ],
}


@pytest.mark.parametrize("lines", WRONG)
def test_what_is_wrong_is_said(write, lines):
    assert found(write(SMALL + lines + "\n")) == WRONG[lines]


CLIENTS = {
    ("confluent-kafka==2.3.0", "group: {protocol: consumer}"): "7:9: group.protocol: confluent-kafka==2.3.0 has no "
    "consumer protocol (KIP-848); confluent-kafka has it from 2.4 on",
    (
        "confluent-kafka",
        'broker: {kafka: "3.9.1"}\ngroup: {protocol: consumer}',
    ): "8:9: group.protocol: Kafka 3.9.1 does not speak the consumer protocol (KIP-848); 4.0 and later do",
    (
        "confluent-kafka",
        "group: {protocol: consumer, session_timeout_ms: 6000}",
    ): "7:29: group.session_timeout_ms: in the consumer protocol the broker decides it; leave it out",
    ("confluent-kafka", "group: {protocol: consumer, assignor: roundrobin}"): "7:29: group.assignor: in the consumer "
    "protocol the broker assigns: range, or leave it out",
    ("confluent-kafka", "group: {assignor: sticky}"): "7:9: group.assignor: confluent-kafka has no sticky; it offers "
    "range, roundrobin, cooperative-sticky",
    ("kafka-python-ng", "group: {static: true}"): "7:9: group.static: kafka-python-ng has no static membership "
    "(group_instance_id); kafka-python has it from 2.3 on",
    ('"null"', "group: {size: 2}"): "7:1: group: the null client has no Kafka, and no group",
    ("kafka-python", "group: {protocol: consumer}"): "7:9: group.protocol: kafka-python has no consumer protocol "
    "(KIP-848); confluent-kafka has it",
}


@pytest.mark.parametrize(("client", "lines"), CLIENTS)
def test_what_a_client_or_a_broker_cannot_do_is_found(write, client, lines):
    text = SMALL.replace("client: kafka-python==2.0.2", f"client: {client}\nseed: 1")
    assert found(write(text + lines + "\n")) == [CLIENTS[client, lines]]


@pytest.mark.parametrize(
    ("client", "lines"),
    [
        ("confluent-kafka", "group: {protocol: consumer, assignor: range, static: true}"),
        ("confluent-kafka==2.4.0", "group: {protocol: consumer}"),
        ("confluent-kafka", "group: {assignor: cooperative-sticky}"),
        ("kafka-python", "group: {assignor: cooperative-sticky, static: true}"),
        ("kafka-python @ /checkout", "group: {assignor: cooperative-sticky, static: true}"),
        ("kafka-python==2.3.0", "group: {static: true}"),
        ("kafka-python==2.0.2", "group: {assignor: sticky}"),
        ("confluent-kafka", "consumer: {commit: {mode: store_offsets, interval_ms: 300}}"),
        ("confluent-kafka", "members: {a: {steps: [unsubscribe, subscribe, drain, close, restart, close]}}"),
        ("confluent-kafka", "faults: [{add_partitions: 6, when: {s: 0}}]\nmembers: {a: {steps: [{assign: [5]}]}}"),
    ],
)
def test_what_they_can_is_not(write, client, lines):
    assert load(write(SMALL + lines + "\n"), {"client": client})


def test_an_option_that_does_not_fit_is_named(write):
    path = write(SMALL.replace("kafka-python==2.0.2", "kafka-python") + "group: {static: true}\n")
    assert found(path, {"client": "kafka-python==2.0.2"}) == [
        "--client: kafka-python==2.0.2 has no static membership (group_instance_id); kafka-python has it from 2.3 on"
    ]


WHOLE = """\
about: All of it.
client: kafka-python
api: poll
messages: 1000
size_bytes: 100
consumer:
  commit: {mode: in_revoke}
  processing: {message_ms: 1, slow: {at: 50, ms: 2500}}
group: {assignor: sticky, session_timeout_ms: 6000}
topic: {settings: {cleanup.policy: compact, max.message.bytes: 2000}}
members:
  a:
    settings: {metadata_max_age_ms: 1000}
    steps:
      - subscribe: {listener: true}
      - take: 100
      - poll: {times: 3, timeout_ms: 10, max_records: 10}
      - poll
      - read: {until: "b joined"}
      - pause: all
      - resume: [0]
      - seek: 0
      - seek: {to: beginning, partitions: [1]}
      - commit
      - commit: async
      - unsubscribe
      - subscribe: {listener: true}
      - sleep: 0.5
      - tell: a ready
      - wait: b closed
      - drain
      - close
      - restart
      - drain
  b: {client: "kafka-python==2.3.0", steps: [{tell: b joined}]}
  c: {}
faults:
  - {kill: a, when: {word: a busy}, after_s: 1, restart_after_s: 0}
  - {freeze: b, when: {progress: 30}, for_s: 12}
  - {add_partitions: 6, when: {random: [2, 8]}}
"""


def test_all_of_it_survives_a_dump(write, tmp_path):
    scenario = load(write(WHOLE))
    again = tmp_path / "scenario.yaml"
    again.write_text(dump(scenario), encoding="utf-8")
    assert load(again, name="mine") == scenario


def test_steps_as_a_worker_takes_them(write):
    scenario = load(write(WHOLE))
    first, second = script.parts(scenario.members["a"].steps, listener=True)
    assert second == [{"do": "subscribe", "listener": True}, {"do": "drain"}, {"do": "close"}]
    assert first == [
        {"do": "subscribe", "listener": True},
        {"do": "take", "count": 100},
        {"do": "poll", "times": 3, "timeout_ms": 10, "max_records": 10},
        {"do": "poll", "times": 1, "timeout_ms": None, "max_records": None},
        {"do": "read", "until": "b joined"},
        {"do": "pause", "partitions": None},
        {"do": "resume", "partitions": [0]},
        {"do": "seek", "to": 0, "partitions": None},
        {"do": "seek", "to": "beginning", "partitions": [1]},
        {"do": "commit", "mode": "sync"},
        {"do": "commit", "mode": "async"},
        {"do": "unsubscribe"},
        {"do": "subscribe", "listener": True},
        {"do": "sleep", "s": 0.5},
        {"do": "tell", "word": "a ready"},
        {"do": "wait", "word": "b closed"},
        {"do": "drain"},
        {"do": "close"},
    ]
    assert set(script.STEPS) - {"assign", "restart"} == {step["do"] for step in first}


def test_a_list_that_begins_beside_the_client_subscribes_after_that():
    (part,) = script.parts([{"wait": "x"}, {"sleep": 1}, "drain"])
    assert [step["do"] for step in part] == ["wait", "sleep", "subscribe", "drain", "close"]
    (part,) = script.parts([{"wait": "x"}, {"assign": [0]}, "close"])
    assert [step["do"] for step in part] == ["wait", "assign", "close"]


def test_the_schema_knows_every_step():
    steps = json_schema()["$defs"]["Member"]["properties"]["steps"]["anyOf"][0]
    words, block = steps["items"]["anyOf"]
    assert set(block["properties"]) == set(script.STEPS)
    assert set(words["enum"]) == {kind.word for kind in script.STEPS.values() if kind.bare}


def test_every_step_is_explained():
    readme = (shipped_folder() / "README.md").read_text(encoding="utf-8")
    for word in script.STEPS:
        assert f"| `{word}` |" in readme, word
