"""The stand-alone scripts: what they do, and what is refused. `tests/e2e/test_shrink.py` runs some against a broker."""

import ast
from pathlib import Path
from typing import Any

import pytest

from harness.clients.spec import parse_spec
from harness.scenario import Scenario, load
from harness.shrinking.bare import bare
from harness.shrinking.goal import Goal
from harness.shrinking.reproduce import ELSEWHERE, NEVER_CAME, ONE_CONSUMER, SHOWN, TITLES, Unsayable, script_of

ALLOWED = {
    "kafka-python": {"kafka", "confluent_kafka"},
    "confluent-kafka": {"confluent_kafka"},
    "aiokafka": {"aiokafka"},
}
STANDARD = {"argparse", "asyncio", "collections", "concurrent", "ssl", "sys", "threading", "time", "traceback", "uuid"}


def written(scenario: Scenario, *kinds: str) -> str:
    return script_of(scenario, Goal(kinds, ("client",)), source=scenario.name, python="3.11.7")


def with_changes(name: str, **changes: Any) -> Scenario:
    return Scenario.model_validate({**bare(load(name)), **changes})


def imported(text: str) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(str(node.module).partition(".")[0])
    return names


KNOWN = [
    ("K1_iterator_close", "committed_ahead:never_handed_over"),
    ("K2_pause_resume", "stalled"),
    ("K5_short_poll", "excess_redelivery"),
    ("K5_short_poll_latest", "illegal_start"),
    ("K6_listener_stall", "stalled"),
    ("K11_control_records", "phantom"),
    ("C1_seek_paused", "skipped"),
    ("C3_resume_twice", "repeat"),
]


@pytest.mark.parametrize(("name", "kind"), KNOWN)
def test_a_known_bug_as_a_script(name: str, kind: str) -> None:
    scenario = load(f"known-bugs/{name}")
    text = written(scenario, kind)
    spec = parse_spec(scenario.client)
    ast.parse(text, feature_version=(3, 6))
    assert imported(text) <= STANDARD | ALLOWED[spec.library]
    assert "harness" not in text.partition('"""')[2].partition('"""')[2], "only its heading says where it is from"
    assert f"pip install {spec.library}=={spec.version}" in text
    assert f"scenario {name};" in text
    assert max(map(len, text.splitlines())) <= 120
    compile(text, name, "exec")


def test_the_steps_are_plain_calls_in_their_order() -> None:
    text = written(load("known-bugs/K1_iterator_close"), "committed_ahead:never_handed_over")
    steps = text.partition("def consume(connection):\n")[2].partition("\n\n\n")[0]
    made = "KafkaConsumer(group_id=GROUP, consumer_timeout_ms=IDLE_S * 1000, **SETTINGS, **connection)"
    assert steps.splitlines() == [
        f"    consumer = {made}",
        "    consumer.subscribe([TOPIC])",
        "    read(consumer, 550)",
        "    consumer.close()",
        "",
        "    # A new consumer of the same group, as in a process that was started again.",
        f"    consumer = {made}",
        "    consumer.subscribe([TOPIC])",
        "    read(consumer)",
        "    consumer.close()",
    ]


@pytest.mark.parametrize(
    ("library", "api"),
    [
        ("kafka-python", "iterator"),
        ("kafka-python", "poll"),
        ("confluent-kafka", "poll"),
        ("confluent-kafka", "consume"),
        ("aiokafka", "iterator"),
        ("aiokafka", "getone"),
        ("aiokafka", "getmany"),
    ],
)
@pytest.mark.parametrize("kind", [*NEVER_CAME, *ONE_CONSUMER, *ELSEWHERE])
def test_every_step_by_every_call(library: str, api: str, kind: str, write: Any) -> None:
    steps = """
      - subscribe: {listener: true}
      - take: 10
      - pause: all
      - poll: {times: 2, timeout_ms: 10, max_records: 5}
      - resume: [0]
      - seek: {to: beginning, partitions: [1]}
      - commit: async
      - commit
      - sleep: 0.5
      - tell: a went
      - wait: a went
      - read: {until: a went}
      - unsubscribe
      - assign: all
      - restart
      - assign: [0, 1]
      - drain
"""
    text = f"""\
about: All steps.
client: {library}
api: {api}
messages: 1000
size_bytes: 50
topic: {{settings: {{retention.ms: 100000}}}}
consumer:
  processing: {{message_ms: 1, batch_ms: 2}}
members:
  a:
    steps:{steps}"""
    made = written(load(write(text)), kind)
    compile(made, "script", "exec")
    assert imported(made) <= STANDARD | ALLOWED[library]
    assert max(map(len, made.splitlines())) <= 120


def test_several_members_are_several_functions() -> None:
    text = written(load("known-bugs/K6_listener_stall"), "stalled")
    assert "def member_a(connection):" in text
    assert 'told["b closed"].set()' in text
    assert '"max_poll_records": 10' in text
    with pytest.raises(Unsayable, match="with several members a script cannot tell what comes again"):
        written(load("known-bugs/K6_listener_stall"), "repeat")


def test_restarts_of_the_plain_loop_are_steps() -> None:
    text = written(with_changes("ssl_iter", restarts={"count": 2, "after": [100, 100]}), "skipped")
    assert text.count("read(consumer, 100)") == 2
    assert text.count("read(consumer)\n") == 1
    assert "the bug was seen over TLS only" in text


@pytest.mark.parametrize(
    ("name", "changes", "kind", "told"),
    [
        ("planted/skip", {}, "skipped", "none for planted"),
        ("known-bugs/N2_short_poll_rejoin", {}, "foreign", "cannot see foreign; a script cannot do the fault add part"),
        ("known-bugs/S1_confluent_poll", {}, "committed_ahead:in_flight", "what a process had at work when it died"),
        ("known-bugs/K9_compacted_tail", {}, "stalled", "a topic that is compacted first"),
        ("known-bugs/C1_seek_paused", {"guarantee": "at_most_once"}, "legal_redelivery", "cannot see legal redelivery"),
        (
            "known-bugs/C1_seek_paused",
            {"consumer": {"commit": {"mode": "sync"}}},
            "skipped",
            "of the application's own",
        ),
        ("known-bugs/C1_seek_paused", {"broker": {"nodes": 3}}, "skipped", "three nodes"),
        ("known-bugs/C1_seek_paused", {"members": {"a": {"steps": [{"seek": "end"}]}}}, "skipped", "a seeks to end"),
        ("known-bugs/K1_iterator_close", {"group": {"assignor": "sticky"}}, "skipped", "an assignor's class"),
    ],
)
def test_what_a_script_cannot_do_is_told(name: str, changes: dict[str, Any], kind: str, told: str) -> None:
    with pytest.raises(Unsayable) as refused:
        written(with_changes(name, **changes), kind)
    assert told in str(refused.value)


def test_every_kind_that_a_script_sees_has_its_words() -> None:
    assert set(SHOWN) == set(TITLES) == {*NEVER_CAME, *ONE_CONSUMER, *ELSEWHERE}


def test_the_templates_come_with_the_package() -> None:
    folder = Path(__file__).parent.parent.parent / "harness" / "shrinking" / "templates"
    assert len(list(folder.glob("*.py.j2"))) == 4
