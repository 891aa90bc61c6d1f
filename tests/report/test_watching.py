"""What a look into the files of a run that still goes on tells, with files that the workers' own recorder writes."""

import json
from array import array
from pathlib import Path
from typing import Any

import pytest
from kafka_worker.recorder import DELIVER, TIMES, Recorder

from harness.journal import Journal
from harness.report import watching
from harness.report.watching import Watch

SEGMENT = 1 << 15


class Going:
    """A run that goes on while it is looked at."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "history").mkdir()
        self.journal = Journal(path / "history" / "harness.jsonl")
        self.recorders: dict[str, Any] = {}

    def worker(self, name: str, role: str = "consume") -> Any:
        meta = {"worker": name, "role": role, "run_id": 7}
        self.recorders[name] = Recorder(str(self.path / "history" / f"{name}.bin"), meta, segment_bytes=SEGMENT)
        return self.recorders[name]

    def times(self, name: str) -> None:
        """A frame that says nothing of whom it watches, but has to be passed over."""
        self.recorders[name]._frame(TIMES, 1, 1, [bytes(8)], 5, 5)

    def deliver(self, name: str, count: int, t_ns: int = 5) -> None:
        recorder = self.recorders[name]
        recorder.columns(DELIVER, bytes(24 * count), array("q", range(count)), array("i", [0] * count), t_ns)
        recorder.count(count, t_ns)


@pytest.fixture
def going(tmp_path: Path) -> Any:
    made = Going(tmp_path)
    yield made
    made.journal.__exit__()
    for recorder in made.recorders.values():
        recorder.close()


def test_counts_and_owners_move_with_the_files(going: Going) -> None:
    watch = Watch(going.path)
    watch.look()
    assert (watch.members, watch.produced, watch.consumed) == ({}, 0, 0)
    going.worker("p1", "produce").count(40, 3)
    c1 = going.worker("c1")
    c1.event({"type": "member", "state": "join"})
    c1.event({"type": "assign", "partitions": [0, 1]}, 10)
    watch.look()
    assert (watch.produced, watch.consumed, watch.members["c1"].owned) == (40, 0, {0, 1})
    going.deliver("c1", 25, t_ns=77)
    c1.event({"type": "revoke", "partitions": [1]}, 12)
    watch.look()
    seen = watch.members["c1"]
    assert (seen.owned, seen.count, seen.last_ns, watch.consumed) == ({0}, 25, 77, 25)
    c1.event({"type": "member", "state": "leave"})
    watch.look()
    assert (seen.owned, seen.ended, [member.name for member in watch.consumers]) == (set(), "left", ["c1"])
    watch.close()


def test_it_follows_over_segments_and_a_few_frames_at_a_time(going: Going, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "FRAMES_AT_ONCE", 10)
    watch, c1 = Watch(going.path), going.worker("c1")
    for number in range(100):
        going.deliver("c1", 100)
        going.times("c1")
        c1.event({"type": "assign", "partitions": [number]})
    assert (going.path / "history" / "c1.bin").stat().st_size > 5 * SEGMENT
    looks = 0
    while len(watch.consumers[0].owned if watch.consumers else ()) < 100:
        watch.look()
        looks += 1
        assert looks < 40
    assert looks > 15
    assert watch.consumed == 10_000


def test_assignments_close_together_are_one_rebalance(going: Going) -> None:
    for name, seconds in (("c1", (1, 5)), ("c2", (1.3, 5.2))):
        recorder = going.worker(name)
        for at in seconds:
            recorder.event({"type": "assign", "partitions": [0]}, int(at * 1e9))
    watch = Watch(going.path)
    watch.look()
    assert watch.rebalances == 2


def test_what_the_harness_saw_faults_deaths_and_doubts(going: Going) -> None:
    watch = Watch(going.path)
    going.worker("c1").event({"type": "assign", "partitions": [3]})
    going.journal.write("fault", fault="kill c1", phase="injecting", effect=None)
    watch.look()
    assert (watch.faults["kill c1"].phase, watch.faults["kill c1"].said) == ("injecting", "")
    going.journal.write("member", member="c1", state="killed", by="fault")
    going.journal.write("fault", fault="kill c1", phase="injected", effect="it died by SIGKILL")
    going.journal.write("fault", fault="kill c1", phase="healed", effect=None)
    going.journal.write("torn", why="c2 hung")
    watch.look()
    seen = watch.faults["kill c1"]
    assert (seen.phase, seen.said, watch.doubts) == ("healed", "it died by SIGKILL", ["c2 hung"])
    assert (watch.members["c1"].ended, watch.members["c1"].owned) == ("killed", set())


def test_half_of_a_line_is_taken_when_it_is_whole(tmp_path: Path) -> None:
    (tmp_path / "history").mkdir()
    file, watch = tmp_path / "history" / "harness.jsonl", Watch(tmp_path)
    line = json.dumps({"t": 1, "type": "torn", "why": "x"}) + "\n"
    file.write_text(line[:9])
    watch.look()
    assert watch.doubts == []
    file.write_text(line + "no json\n[1]\n")
    watch.look()
    assert watch.doubts == ["x"]


@pytest.mark.parametrize("content", [b"", b"KHARNESS", b"x" * 9000, b"KHARNESS" + bytes(9000)])
def test_what_is_no_history_is_nothing_new(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "c1.bin").write_bytes(content)
    watch = Watch(tmp_path)
    watch.look()
    watch.look()
    assert watch.consumed == 0


def test_a_folder_that_has_gone_is_nothing_new(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "gone")
    watch.look()
    assert watch.members == {}


def test_events_that_make_no_sense_end_nothing(going: Going) -> None:
    c1 = going.worker("c1")
    c1.event({"type": "assign", "partitions": [[1]]})
    c1.event({"type": "assign", "partitions": 7})
    going.journal.write("fault", fault=["x"], phase=None, effect={"a": 1})
    watch = Watch(going.path)
    watch.look()
    c1.event({"type": "assign", "partitions": [4]})
    going.deliver("c1", 3)
    watch.look()
    assert (watch.consumed, watch.consumers[0].owned) == (3, {4})
