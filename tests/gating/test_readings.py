"""What one reading is worth: only a log that was read to its end, and recorded whole, tells of losses."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from kafka_worker.payload import KEY
from kafka_worker.recorder import DELIVER_KEYS, Recorder

from harness.clients.envs import ClientEnv
from harness.clients.spec import parse_spec
from harness.errors import HarnessError
from harness.gating.cell import Cell, cell_of
from harness.gating.statistics import FAIL, PASS, UNKNOWN, bound, decide
from harness.measuring.course import Course, Reading, Way
from harness.report.progress import Silent
from harness.scenario import Scenario, load

MESSAGES = 6
SCENARIO = {"about": "x", "client": "kafka-python", "api": "poll", "size_bytes": 8, "partitions": 2}
ENV = ClientEnv(parse_spec("confluent-kafka==2.16.1"), Path("python"), "3.11", "2.16.1", {}, "key")
WAY = Way(ENV, "poll", "plaintext")
ALL = [(seq, partition) for partition in (0, 1) for seq in range(3)]
ENDED = {"why": "end_offsets", "corrupt": 0, "steady_count": 5, "steady_wall_s": 1.0, "steady_cpu_s": 0.5}

Given = Callable[..., Course]


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Given:
    """A course whose next process delivers these messages, and ends so."""

    def made(delivered: list[tuple[int, int]], *, cut: int = 0, **told: Any) -> Course:
        course = Course(Scenario.model_validate(SCENARIO | {"messages": MESSAGES}), tmp_path, Silent())
        history = tmp_path / "w1.bin"
        history.unlink(missing_ok=True)
        recorder = Recorder(str(history), {"worker": "w1", "role": "consume", "run_id": course._run_id})
        for seq, partition in delivered:
            key = KEY.pack(course._run_id, 1, partition, seq, 5)
            recorder.keys_only(DELIVER_KEYS, key, 1, 2)
        recorder.close()
        if cut:
            history.write_bytes(history.read_bytes()[:-cut])
        ended = ENDED | {"deliveries": len(delivered), "rss_max_bytes": 1} | told
        monkeypatch.setattr(course, "_run", lambda *_, **__: (ended, history))
        return course

    return made


def counted(reading: Reading) -> list[int]:
    return [reading.lost, reading.repeated, reading.corrupt, reading.strange]


def test_what_was_delivered_is_counted(given: Given) -> None:
    assert counted(given(ALL).read(WAY)) == [0, 0, 0, 0]
    assert counted(given(ALL[1:]).read(WAY)) == [1, 0, 0, 0]
    assert counted(given([*ALL, ALL[0]]).read(WAY)) == [0, 1, 0, 0]
    assert counted(given([*ALL, (77, 0)], corrupt=2).read(WAY)) == [0, 0, 2, 1]


def test_a_client_that_was_stopped_before_the_end_has_lost_nothing(given: Given) -> None:
    with pytest.raises(HarnessError, match=r"confluent-kafka==2.16.1 had read 4 of 6 messages when it ended \(stop\)"):
        given(ALL[:4], why="stop").read(WAY)


def test_a_recording_that_is_not_whole_tells_of_no_loss(given: Given) -> None:
    with pytest.raises(HarnessError, match=r"w1.bin: 5 of 6 deliveries are recorded"):
        given(ALL[1:], deliveries=6).read(WAY)
    with pytest.raises(HarnessError, match=r"cut short"):
        given(ALL, cut=20).read(WAY)


@pytest.mark.parametrize(
    ("delivered", "told"),
    [(ALL[1:], {}), ([*ALL, ALL[0]], {}), ([*ALL, (77, 1)], {}), (ALL, {"corrupt": 1})],
    ids=["missing", "twice", "strange", "corrupt"],
)
def test_a_log_that_is_not_what_was_written_is_no_clients_fault(
    given: Given, delivered: list[tuple[int, int]], told: dict[str, Any]
) -> None:
    with pytest.raises(HarnessError, match=r"the log is not what was written: confluent-kafka==2.16.1 found 1 wrong"):
        given(delivered, **told).check(ENV, "plaintext")


def test_a_log_that_is_right_is_right(given: Given) -> None:
    given(ALL).check(ENV, "plaintext")


def read(**changes: int) -> Cell:
    """A gate whose candidate is as fast as its baseline, with this in its first reading, whose speed does not count."""
    made = cell_of(load("ssl_confluent_batch_speed", {}), "a", "b", None)
    plain = Reading(100, 1e5, 2.0, 1e5, 1, None, 0, 0, 0, 0)
    for _, side in made.sides():
        side.first.append(asdict(plain))
        side.readings += [asdict(plain)] * 6
    made.candidate.first[0] |= changes
    return made


def test_what_the_first_readings_show_counts() -> None:
    assert read().verdict == PASS
    for broken in ("lost", "corrupt", "strange"):
        assert read(**{broken: 1}).verdict == FAIL
    assert read(repeated=1).verdict == UNKNOWN
    assert "1 messages that nobody sent were handed over by b" in read(strange=1).reasons()


def test_a_few_pairs_that_happen_to_be_alike_decide_nothing() -> None:
    assert decide(bound([0.3] * 5), 0.1) == UNKNOWN
    assert decide(bound([0.3] * 6), 0.1) == FAIL
