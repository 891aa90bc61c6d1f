"""What a reading of the course delivered is counted from the identities that it recorded."""

from pathlib import Path

from kafka_worker.payload import KEY
from kafka_worker.recorder import DELIVER_KEYS, Recorder

from harness.measuring.course import Course
from harness.report.progress import Silent
from harness.scenario import Scenario

SCENARIO = {"about": "x", "client": "kafka-python", "api": "poll", "messages": 7, "size_bytes": 8, "partitions": 2}


def test_every_message_is_counted_and_nobody_elses(tmp_path: Path) -> None:
    course = Course(Scenario.model_validate(SCENARIO), tmp_path, Silent())
    meta = {"worker": "w1", "role": "consume", "run_id": course._run_id}
    recorder = Recorder(str(tmp_path / "w1.bin"), meta)
    delivered = [(0, 0), (0, 1), (0, 1), (0, 3), (1, 0), (1, 2), (1, 9)]
    keys = [KEY.pack(course._run_id, 1, partition, seq, 5) for partition, seq in delivered]
    recorder.keys_only(DELIVER_KEYS, b"".join([*keys, KEY.pack(course._run_id ^ 1, 1, 0, 2, 5), b"\xff" * 24]), 1, 2)
    recorder.close()
    # By number: partition 0 has 0, 2, 4, 6 and partition 1 has 1, 3, 5. Lost are 4 and 3; 2 came twice.
    assert course._counts(tmp_path / "w1.bin").tolist() == [1, 1, 2, 0, 0, 1, 1]
    assert course.ends() == {0: 4, 1: 3}
