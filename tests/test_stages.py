"""How a worker's end is taken: a producer or reader that did not finish its work leaves no run to be judged."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness import bench as bench_module
from harness import stages
from harness.clients.spec import parse_spec
from harness.clients.worker_end import WorkerEnd
from harness.errors import HarnessError
from harness.stages import _note_end, isolation


def bench(written: list[tuple[str, dict]], role: str = "consume") -> Any:
    run = SimpleNamespace(meta={"clients": [{"worker": "p1", "role": role}]}, save=lambda: None, path=Path("run"))
    journal = SimpleNamespace(write=lambda kind, **keys: written.append((kind, keys)))
    return SimpleNamespace(run=run, journal=journal)


def note(why: str | None, *, fatal: bool, status: Any = "ended", role: str = "consume") -> list[tuple[str, dict]]:
    written: list[tuple[str, dict]] = []
    worker: Any = SimpleNamespace(name="p1", hello=None, effective=None, errors=[])
    ended = None if why is None else {"why": why}
    end = WorkerEnd("p1", status, 0, ended, None, "", Path("p1.log"))
    _note_end(bench(written, role), worker, end, fatal=fatal)
    return written


@pytest.mark.parametrize("why", ["done", "end_offsets"])
def test_work_that_was_finished(why: str) -> None:
    assert note(why, fatal=True) == []


@pytest.mark.parametrize(("why", "status"), [("stop", "ended"), ("error", "ended"), (None, "killed"), (None, "hung")])
def test_work_that_was_not_finished_ends_the_run(why: str | None, status: str) -> None:
    """One that was stopped for making no progress too: with half of the messages sent, half a scenario would pass."""
    with pytest.raises(HarnessError) as caught:
        note(why, fatal=True, status=status)
    assert caught.value.slug == "worker-failed"


@pytest.mark.parametrize("why", ["stop", "stop_after", "end_offsets"])
def test_a_consumer_may_be_stopped(why: str) -> None:
    assert note(why, fatal=False) == []


def test_a_consumer_that_dies_is_written_down() -> None:
    assert [kind for kind, _ in note(None, fatal=False, status="crashed")] == ["member", "torn"]
    assert [kind for kind, _ in note("error", fatal=False)] == ["torn"]


@pytest.mark.parametrize(("why", "status"), [("stop", "ended"), ("error", "ended"), (None, "killed"), (None, "hung")])
def test_a_second_reading_that_fails_leaves_the_run_in_doubt(why: str | None, status: Any) -> None:
    """One that made no progress and was stopped too; and it is no member of any group."""
    written = note(why, fatal=False, status=status, role="read_log")
    assert [kind for kind, _ in written] == ["torn"]
    assert note("end_offsets", fatal=False, role="read_log") == []


@pytest.mark.parametrize(
    ("settings", "readings"),
    [
        ({"enable.idempotence": True}, [("reader", "read_uncommitted", "read_uncommitted", {"0": 7}, True)]),
        (
            {"transactional.id": "t"},
            [
                ("reader", "read_uncommitted", "read_uncommitted", {"0": 7}, True),
                ("reader_committed", "read_committed", "read_committed", None, False),
            ],
        ),
    ],
)
def test_the_log_is_read_twice_where_transactions_were_written(
    monkeypatch: pytest.MonkeyPatch, settings: dict, readings: list
) -> None:
    """Each reading: its name, the level that it is told, that of its client, where it is to end, whether it must."""
    seen: list[tuple] = []

    def start(_: Any, env: Any, config: dict) -> Any:
        seen.append(
            (config["worker"], config["isolation"], config["settings"]["isolation_level"], config["end_offsets"])
        )
        assert config["role"] == "read_log"
        return None

    monkeypatch.setattr(stages, "_config", lambda *_, role, worker: {"role": role, "worker": worker})
    monkeypatch.setattr(stages, "_start", start)
    monkeypatch.setattr(stages, "_watch", lambda *_, **__: None)
    monkeypatch.setattr(stages, "_note_end", lambda *_, fatal: seen.append((*seen.pop(), fatal)))
    reader = SimpleNamespace(spec=parse_spec("kafka-python"))
    given: Any = SimpleNamespace(
        admin=SimpleNamespace(end_offsets=lambda topic: {0: (0, 7)}),
        topic="t",
        clients=SimpleNamespace(reader=reader),
        run=SimpleNamespace(meta={"clients": [{"role": "produce", "settings": settings}]}),
    )
    assert stages.read_log(given) == {0: (0, 7)}
    assert seen == readings


def test_a_consumer_killed_as_the_scenario_wanted_leaves_no_doubt() -> None:
    written: list[tuple[str, dict]] = []
    worker: Any = SimpleNamespace(name="p1", hello=None, effective=None, errors=[])
    end = WorkerEnd("p1", "killed", -9, None, None, "", Path("p1.log"))
    _note_end(bench(written), worker, end, fatal=False, planted=True)
    assert written == [("member", {"member": "p1", "state": "killed", "by": "fault"})]


@pytest.mark.parametrize(
    ("settings", "adapter", "level"),
    [
        ({}, "confluent-kafka", "read_committed"),
        ({}, "planted", "read_committed"),
        ({}, "kafka-python", "read_uncommitted"),
        ({}, "aiokafka", "read_uncommitted"),
        ({}, "null", "read_uncommitted"),
        ({"isolation.level": "read_uncommitted"}, "confluent-kafka", "read_uncommitted"),
        ({"isolation_level": "read_committed"}, "aiokafka", "read_committed"),
    ],
)
def test_isolation_is_what_the_consumer_was_made_with(settings: dict, adapter: str, level: str) -> None:
    assert isolation(settings, adapter) == level


@pytest.mark.parametrize(("took_s", "asked"), [([0.1], 1), ([4.0, 0.1], 2), ([4.0] * 9, 5)])
def test_an_old_answer_about_stored_offsets_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, took_s: list[float], asked: int
) -> None:
    """While a node is down an answer may be of any moment since the question, and a commit be dated too early."""
    written: list[int] = []
    clock, left = [0.0], list(took_s)

    def stored(*_: Any, **__: Any) -> dict[int, int]:
        clock[0] += left.pop(0)
        return {0: 7}

    monkeypatch.setattr(bench_module.time, "monotonic_ns", lambda: int(clock[0] * 1e9))
    made: Any = SimpleNamespace(
        scenario=SimpleNamespace(partitions=1),
        admin=SimpleNamespace(stored_offsets=stored),
        group="g",
        topic="t",
        witness="kafka-python",
        journal=SimpleNamespace(write=lambda _kind, t, **_: written.append(t)),
    )
    bench_module.note_stored(made)
    assert len(took_s) - len(left) == asked
    assert written == [int(sum(took_s[: asked - 1]) * 1e9)]
