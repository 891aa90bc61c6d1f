"""Scenarios: values, defaults, overrides, and the exact words of every refusal."""

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from harness.errors import UsageError
from harness.scenario import OPTIONS, Scenario, dump, find, json_schema, load, shipped
from tests.refusals import SMALL, refused


def test_defaults(write):
    scenario = load(write(SMALL))
    assert scenario.name == "mine"
    assert scenario.model_dump(exclude={"about"}) == {
        "guarantee": "at_least_once",
        "client": "kafka-python==2.0.2",
        "api": "poll",
        "security": "mutual_tls",
        "broker": {"backend": "auto", "kafka": "4.3.1", "nodes": 1, "heap_mb": 512, "start_timeout_s": 60},
        "partitions": 4,
        "messages": 1000,
        "size_bytes": 100,
        "producer": {"client": "confluent-kafka", "settings": {}, "rate": None, "transactions": None, "planted": None},
        "consumer": {
            "defaults": "as_shipped",
            "settings": {},
            "batch": {"max_records": None, "timeout_ms": 1000},
            "certificate": "trusted",
            "refused": None,
            "commit": None,
            "processing": None,
        },
        "group": None,
        "members": None,
        "gate": {"cpu": 0.1, "loss": 0, "throughput": None},
        "topic": {"settings": {}, "replication": None, "compacted": None},
        "faults": [],
        "restarts": None,
        "consume": "afterwards",
        "record": "loss",
        "drain": {"start_s": 60, "idle_s": 10, "limit_s": 3600},
        "planted": None,
        "seed": 1,
    }


def test_a_scenario_does_not_change(write):
    with pytest.raises(ValidationError, match="frozen"):
        load(write(SMALL)).messages = 5


def test_six_mistakes_are_told_in_one_go(write):
    text = """\
about: Six mistakes.
client: kafka-python==2.0.2
api: consume
guarantee: at_least_onc
securty: mutual_tls
broker: {kafka: 2.10}
messages: 1000
size_bytes: 5 kB
restarts: {count: 20, after: [100, 1200]}
"""
    assert refused(write(text)) == [
        "mine.yaml:3:1: api: kafka-python has no consume; it offers iterator, poll",
        'mine.yaml:4:1: guarantee: "at_least_onc" is none of at_least_once, at_most_once, exactly_once; '
        "did you mean at_least_once?",
        "mine.yaml:5:1: securty: unknown key; did you mean security?",
        'mine.yaml:6:10: broker.kafka: 2.10 is a number to YAML; quote it, with all three numbers, such as "4.3.1"',
        'mine.yaml:8:1: size_bytes: expected a whole number, found "5 kB"',
        "mine.yaml:9:12: restarts.count: 1,000 messages are too few for 20 restarts each after at least 100 deliveries "
        "(restarts.after): more than 2,000 messages, or fewer restarts",
    ]


WRONG = {
    "seed: -1": "6:1: seed: must be at least 0, found -1",
    "seed: true": "6:1: seed: expected a whole number, found true",
    "seed: 1.0": "6:1: seed: expected a whole number, found 1.0",
    "seed: 0x10": "6:7: seed: 0x10 is not a plain decimal number; quote it if it is text",
    "seed: 010": "6:7: seed: 010 is not a plain decimal number; quote it if it is text",
    "seed: 12:30:00": "6:7: seed: 12:30:00 is not a plain decimal number; quote it if it is text",
    "seed:": "6:1: seed: expected a whole number, found nothing",
    "partitions: 10001": "6:1: partitions: must be at most 10,000, found 10001",
    "broker: [1]": (
        "6:1: broker: expected a block of keys (backend, kafka, nodes, heap_mb, start_timeout_s), found a list of 1"
    ),
    "broker: {heap_mb: 63}": "6:10: broker.heap_mb: must be at least 64, found 63",
    'broker: {kafka: "4.3"}': '6:10: broker.kafka: "4.3" is no release of Kafka; all three numbers, such as "4.3.1"',
    "broker: {start_timeout_s: .inf}": "6:10: broker.start_timeout_s: expected a finite number, found .inf",
    "broker: {start_timeout_s: 0}": "6:10: broker.start_timeout_s: must be more than 0, found 0",
    "broker: {backend: dokcer}": '6:10: broker.backend: "dokcer" is none of auto, embedded, docker, external; '
    "did you mean docker?",
    "idle_s: 3": "6:1: idle_s: unknown key; did you mean drain.idle_s?",
    "drain: {zzz: 3}": "6:9: drain.zzz: unknown key; known here: start_s, idle_s, limit_s",
    "name: mine": None,  # A scenario's name is its file's; checked below, its list of known keys is long.
    "drain: {idle_s: 30, limit_s: 20}": (
        "6:9: drain.idle_s: 30 is longer than drain.limit_s, 20, and never comes to bear"
    ),
    "consumer: {settings: 5}": "6:12: consumer.settings: expected a block of `name: value` lines, found 5",
    "consumer: {settings: {a: {b: 1}}}": "6:23: consumer.settings.a: expected text, a number, true, false, null, "
    "or a list of them",
    "consumer: {settings: {group.id: x}}": (
        "6:23: consumer.settings.group.id: not a scenario's to set: the harness names a new group for each run"
    ),
    "consumer: {settings: {sasl.password: x}}": (
        "6:23: consumer.settings.sasl.password: not a scenario's to set: what a scenario says is kept with its "
        "results; see --properties"
    ),
    "producer: {settings: {bootstrap_servers: x}}": (
        "6:23: producer.settings.bootstrap_servers: not a scenario's to set: "
        "the harness connects the clients; see broker.backend"
    ),
    "restarts: {count: 2, after: 5}": "6:22: restarts.after: expected a pair such as [100, 1200], found 5",
    "restarts: {count: 2, after: [5]}": "6:22: restarts.after: expected a pair such as [100, 1200], found a list of 1",
    "restarts: {count: 2, after: [1, 2, 3]}": "6:22: restarts.after: expected a pair such as [100, 1200], "
    "found a list of 3",
    "restarts: {count: 2, after: [1, 2.5]}": "6:33: restarts.after[1]: expected a whole number, found 2.5",
    "restarts: {count: 2}": "6:1: restarts.after: required, and not there",
    "restarts: {count: 2, after: [9, 5]}": "6:22: restarts.after: [9, 5]: the lower number comes first",
    "restarts: {count: 2, after: [0, 5]}": (
        "6:22: restarts.after: [0, 5]: a restart needs at least 1 delivery before it"
    ),
    "planted: {fault: skip}": (
        "6:1: planted: only the client `planted` makes faults on purpose, and client is kafka-python"
    ),
    "producer: {planted: {fault: duplicate}}": (
        "6:12: producer.planted: only the client `planted` makes faults on purpose, "
        "and producer.client is confluent-kafka"
    ),
    "producer: {client: aiokafka, transactions: {messages: 10}}": (
        "6:30: producer.transactions: only confluent-kafka writes transactions here, and producer.client is aiokafka"
    ),
    "producer: {client: planted, planted: {fault: skip}}": (
        '6:39: producer.planted.fault: "skip" is none of publish_loss, taken_offset, invented_offset, duplicate, '
        "misroute, corrupt, nacked, unsent, silent, abort, torn_transaction, torn_abort"
    ),
    "producer: {client: planted, planted: {fault: corrupt, partition: 4}}": "6:55: producer.planted.partition: "
    "there is no partition 4; there are 4, from 0",
    "producer: {client: planted, planted: {fault: corrupt, at: 250}}": "6:29: producer.planted.count: "
    "1 from number 250 on, but a partition has 250 messages",
    "producer: {client: 5}": '6:12: producer.client: expected text, found 5; quote it: "5"',
    "messages: 7": "6:1: messages: written twice, first on line 4",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_values(write, line):
    lines = refused(write(SMALL + line + "\n"))
    if WRONG[line] is not None:
        assert lines == ["mine.yaml:" + WRONG[line]]
    else:
        assert lines[0].startswith("mine.yaml:6:1: name: unknown key; known here: about, guarantee, client, ")


def test_limits_are_inclusive(write):
    text = SMALL.replace("messages: 1000", "messages: 10000000000").replace("size_bytes: 100", "size_bytes: 10485760")
    scenario = load(write(text + "partitions: 10000\nbroker: {heap_mb: 64}\nrestarts: {count: 2, after: [1, 1]}\n"))
    assert (scenario.messages, scenario.size_bytes, scenario.partitions) == (10**10, 10 * 2**20, 10_000)


@pytest.mark.parametrize(("messages", "fits"), [(11, True), (10, False)])
def test_restarts_need_more_messages_than_they_take_at_least(write, messages, fits):
    path = write(SMALL.replace("1000", str(messages)) + "restarts: {count: 2, after: [5, 9]}\n")
    assert load(path) if fits else refused(path)


def test_a_limit_of_records_where_the_call_takes_none(write):
    text = SMALL.replace("api: poll", "api: iterator") + "consumer: {batch: {max_records: 5}}\n"
    assert refused(write(text)) == [
        "mine.yaml:6:20: consumer.batch.max_records: iterator of kafka-python takes no such limit; leave it out"
    ]
    assert load(write(SMALL + "consumer: {batch: {max_records: 5}}\n")).consumer.batch.max_records == 5


def test_a_client_that_is_none(write):
    assert refused(write(SMALL.replace("kafka-python==2.0.2", "kafka-pyhton")))[0].startswith(
        "mine.yaml:2:1: client: no client library is called 'kafka-pyhton'. Did you mean kafka-python?"
    )


def test_overrides_win(write):
    given = {"client": "aiokafka", "messages": 5, "size_bytes": 8, "partitions": 2, "seed": 9, "broker": "docker"}
    assert given.keys() == OPTIONS.keys()
    scenario = load(write(SMALL.replace("poll", "getone")), given)
    assert (scenario.client, scenario.messages, scenario.size_bytes) == ("aiokafka", 5, 8)
    assert (scenario.partitions, scenario.seed, scenario.broker.backend) == (2, 9, "docker")
    path = write(SMALL + 'broker: {kafka: "3.9.1"}\n')
    broker = load(path, {"broker": "embedded", "client": None}).broker
    assert (broker.backend, broker.kafka) == ("embedded", "3.9.1")


def test_wrong_overrides_name_the_option(write):
    path = write(SMALL + "restarts: {count: 20, after: [10, 20]}\n")
    assert refused(path, {"client": "confluent-kafka", "messages": 0, "size_bytes": 7, "broker": "dokcer"}) == [
        '--broker: "dokcer" is none of auto, embedded, docker, external; did you mean docker?',
        "--messages: must be at least 1, found 0",
        "--size: must be at least 8, found 7",
    ]
    assert refused(path, {"client": "aiokafka"}) == [
        "--client: aiokafka has no poll; it offers iterator, getone, getmany"
    ]
    assert refused(path, {"messages": 200}) == [
        "--messages: 200 messages are too few for 20 restarts each after at least 10 deliveries (restarts.after): more "
        "than 200 messages, or fewer restarts"
    ]


def test_an_override_mends_what_the_file_has_wrong(write):
    assert load(write(SMALL.replace("1000", "0x10")), {"messages": 5}).messages == 5
    assert load(write(SMALL + "seed: -1\n"), {"seed": 3}).seed == 3


def test_a_line_stays_one_line(write):
    assert refused(write(SMALL + '"a\\nb\\e[2J": 1\n'))[0].startswith("mine.yaml:6:1: a\\nb\\x1b[2J: unknown key")


def test_dump_is_loaded_again(write, tmp_path):
    text = (
        SMALL
        + "consumer: {settings: {api_version: [0, 10], x: yes, y: '010', z: 1.5e+20}}\nproducer: {settings: {a: ''}}\n"
    )
    scenario = load(write(text + "restarts: {count: 2, after: [3, 4]}\n"))
    again = tmp_path / "scenario.yaml"
    again.write_text(dump(scenario), encoding="utf-8")
    assert load(again, name="mine") == scenario
    assert load(again).name == "scenario"


@pytest.mark.parametrize("path", shipped(), ids=lambda path: path.stem)
def test_shipped_scenarios_load_and_survive_a_dump(path, tmp_path):
    scenario = load(path)
    again = tmp_path / path.name
    again.write_text(dump(scenario), encoding="utf-8")
    assert load(again) == scenario
    assert len(scenario.about) > 60


def test_shipped_files_write_no_default_and_stay_short():
    for path in shipped():
        assert len(path.read_text().splitlines()) < 35, path
        assert set(yaml.safe_load(path.read_text())) <= set(Scenario.model_fields), path


@pytest.mark.parametrize("name", ["ssl_iter", "ssl_iter.yaml", "scenarios/ssl_iter.yaml", "./scenarios/ssl_iter.yaml"])
def test_find_from_any_folder(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find(name) in shipped()
    assert load(name).name == "ssl_iter"


def test_find_by_folder_or_stem_and_ones_own_file_first(write):
    assert find("planted/skip") == find("skip")
    Path("scenarios").mkdir()
    Path("scenarios/ssl_iter.yaml").write_text(SMALL)
    assert load("scenarios/ssl_iter.yaml").about == "A small one."


MISSING = {
    "ssl_itr": "ssl_itr: no such scenario file; did you mean ssl_iter?",
    "min.yaml": "min.yaml: no such scenario file; did you mean mine.yaml?",
    "zzzzzzzz": "zzzzzzzz: no such scenario file",
    "../../etc/passwd": "../../etc/passwd: no such scenario file",
    "a\0b": "a\0b: no such scenario file",
    "x" * 5000: "x" * 5000 + ": no such scenario file",
    "": ": no such scenario file",
    ".": ".: no such scenario file",
}


@pytest.mark.parametrize("name", MISSING, ids=lambda name: name[:10])
def test_no_such_scenario(write, name):
    write(SMALL)
    with pytest.raises(UsageError) as caught:
        load(name)
    assert (caught.value.slug, caught.value.what) == ("no-scenario", MISSING[name])


def test_json_schema_describes_every_key_and_forbids_others():
    schema = json_schema()
    for block in (schema, *schema["$defs"].values()):
        assert block["additionalProperties"] is False
        assert all("description" in found or "$ref" in found for found in block["properties"].values())
    assert schema["required"] == ["about", "client", "api", "messages", "size_bytes"]


@pytest.mark.parametrize(
    ("planted", "wrong"),
    [
        (
            "{fault: skip, at: 3, place: last}",
            "mine.yaml:6:31: planted.place: `at` says where already; leave one of them out",
        ),
        (
            "{fault: skip, place: before}",
            "mine.yaml:6:11: planted.fault: before is at a change of owner: set restarts.count to 1",
        ),
        (
            "{fault: in_flight, place: last}",
            "mine.yaml:6:11: planted.fault: in_flight is at a change of owner: set restarts.count to 1",
        ),
        ("{fault: skip, place: last}", None),
        ("{fault: in_flight}\nrestarts: {count: 1, after: [9, 9]}", None),
    ],
)
def test_where_a_fault_is_planted(write, planted, wrong):
    path = write(SMALL.replace("kafka-python==2.0.2", "planted") + f"planted: {planted}\n")
    if wrong is None:
        load(path)
    else:
        assert refused(path) == [wrong]
