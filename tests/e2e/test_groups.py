"""Scripts, groups and faults on the embedded Kafka, as a user starts them. Each run is small."""

import json
from pathlib import Path

import pytest

from harness.errors import EXIT_FAIL, EXIT_PASS, EXIT_UNKNOWN
from tests.e2e.test_run import Ended, Start, start

__all__ = ["start"]

pytestmark = pytest.mark.e2e

K1 = """\
about: Take 550, close, restart.
client: kafka-python==2.0.2
api: iterator
security: plaintext
messages: 800
size_bytes: 200
members:
  a:
    steps: [{take: 550}, close, restart, drain]
"""
KILL = """\
about: One of three is killed while it works.
client: confluent-kafka
api: consume
security: plaintext
messages: 3000
size_bytes: 100
group: {size: 3, session_timeout_ms: 6000}
consumer:
  batch: {max_records: 50}
  commit: {mode: sync}
  processing: {message_ms: 3}
faults:
  - {kill: c2, when: {deliveries: 50}, restart_after_s: 1}
"""
FREEZE = """\
about: A member is frozen.
client: kafka-python
api: poll
security: plaintext
messages: 2000
size_bytes: 100
group: {size: 2, session_timeout_ms: 6000}
consumer:
  batch: {max_records: 50}
  processing: {message_ms: 3}
faults:
  - {freeze: c1, when: {deliveries: 100}, for_s: 12}
"""
ADD = """\
about: Partitions are added while a member reads.
client: confluent-kafka
api: poll
security: plaintext
messages: 400
size_bytes: 100
consumer:
  settings: {topic.metadata.refresh.interval.ms: 1000}
members:
  a:
    steps: [{take: 50}, {tell: more}, {read: {until: add_partitions 6 injected}}, drain]
faults:
  - {add_partitions: 6, when: {word: more}}
"""


@pytest.fixture
def play(start: Start, tmp_path: Path):
    def run(text: str) -> Ended:
        scenario = tmp_path / "mine.yaml"
        scenario.write_text(text)
        return start(str(scenario)).end()

    return run


def faults(ended: Ended) -> list[tuple[str, str | None]]:
    events = [json.loads(line) for line in (ended.run / "history" / "harness.jsonl").read_text().splitlines()]
    return [(event["phase"], event["effect"]) for event in events if event["type"] == "fault"]


def test_a_bug_report_as_a_script(play) -> None:
    """kafka-python issue 2555 in its smallest form: one chunk, committed and never handed over."""
    ended = play(K1)
    assert ended.exit_code == EXIT_FAIL, ended.out
    assert ended.verdict["committed_ahead_of"] == {"never_handed_over": 200, "in_flight": 0}


def test_a_group_outlives_a_kill(play) -> None:
    ended = play(KILL)
    assert ended.exit_code == EXIT_PASS, ended.out
    (injecting, injected, *_) = faults(ended)
    assert injecting == ("injecting", None)
    assert injected[1] is not None
    assert "ended by SIGKILL" in injected[1]
    assert json.loads((ended.run / "faults.json").read_text())[0]["fault"] == "kill c2"


@pytest.mark.parametrize(("for_s", "exit_code"), [(12, EXIT_PASS), (1, EXIT_UNKNOWN)])
def test_a_freeze_counts_only_beyond_the_session_timeout(play, for_s: int, exit_code: int) -> None:
    ended = play(FREEZE.replace("for_s: 12", f"for_s: {for_s}"))
    assert ended.exit_code == exit_code, ended.out
    (effect,) = (effect for phase, effect in faults(ended) if phase == "injected")
    assert (effect is not None) == (exit_code == EXIT_PASS)


def test_partitions_that_are_added_are_assigned(play) -> None:
    ended = play(ADD)
    assert ended.exit_code == EXIT_PASS, ended.out
    assert faults(ended)[1][1].startswith("a1 was assigned partition")


LEAVE = """\
about: One of two leaves, at a moment of its own, and another one joins.
client: confluent-kafka
api: consume
security: plaintext
messages: 2400
size_bytes: 100
group: {size: 3, session_timeout_ms: 6000}
consumer:
  batch: {max_records: 50}
  commit: {mode: sync}
  processing: {message_ms: 3}
faults:
  - {join: c3, when: {progress: 20}}
  - {leave: c1, when: {phase: committing, number: 4}}
"""
HANGS = """\
about: A deserializer raises once; kafka-python 3.0.12 never comes back from poll().
client: kafka-python==3.0.12
api: poll
security: plaintext
partitions: 1
messages: 200
size_bytes: 100
drain: {idle_s: 4}
consumer:
  batch: {max_records: 50}
  processing:
    fails: {at: 80, where: deserializer}
"""


def test_members_leave_and_come_where_the_scenario_says(play) -> None:
    ended = play(LEAVE)
    assert ended.exit_code == EXIT_PASS, ended.out
    effects = [effect for phase, effect in faults(ended) if phase == "injected"]
    assert len(effects) == 2
    assert any("at its committing number 4" in str(effect) for effect in effects)


def test_a_call_that_does_not_come_back_is_named_with_its_stack(play) -> None:
    ended = play(HANGS)
    assert ended.exit_code == EXIT_FAIL, ended.out
    assert ended.verdict["fates"]["stalled"] == 121
    events = [json.loads(line) for line in (ended.run / "history" / "harness.jsonl").read_text().splitlines()]
    (hang,) = [event for event in events if event["type"] == "hang"]
    assert hang["call"] == "poll()"
    assert any("fetcher.py" in frame for frame in hang["stack"])


THREADS = """\
about: Two threads of one process, which is killed; a new process goes on.
client: confluent-kafka
api: consume
security: plaintext
partitions: 2
messages: 4000
size_bytes: 100
drain: {idle_s: 2}
group: {size: 2, workers: threads, session_timeout_ms: 6000}
consumer:
  batch: {max_records: 50}
  commit: {mode: sync}
  processing: {message_ms: 2}
faults:
  - {kill: c1, when: {progress: 30}, restart_after_s: 0}
"""


def test_threads_of_one_process_die_together_and_their_histories_stay(play) -> None:
    ended = play(THREADS)
    assert ended.exit_code == EXIT_PASS, ended.out
    (effect,) = (effect for phase, effect in faults(ended) if phase == "injected")
    assert str(effect).endswith("; with it c2, threads of its process")
    clients = [client for client in json.loads((ended.run / "run.json").read_text())["clients"] if "member" in client]
    assert [client["worker"] for client in clients] == ["c1", "c2", "c1_2", "c2_2"]
    assert [client["status"] for client in clients] == ["killed", "killed", "ended", "ended"]
    assert len({client["pid"] for client in clients}) == 2
    assert {path.stem for path in (ended.run / "history").glob("c*.bin")} == {"c1", "c2", "c1_2", "c2_2"}
