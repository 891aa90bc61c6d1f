"""Records deleted under a group on the embedded Kafka, and the broker's own record of what the group committed."""

import struct
import time
from collections import defaultdict
from pathlib import Path

import pytest

from harness import outcome, recording
from harness.bed import Bed
from harness.broker.admin import Admin, confluent_settings
from harness.broker.base import Connection
from harness.report.progress import Silent
from harness.rundir import RunDir
from harness.scenario import load

pytestmark = pytest.mark.e2e

OFFSETS = "__consumer_offsets"
Commits = dict[int, list[int]]


def test_what_is_deleted_is_gone_and_what_is_committed_is_written(tmp_path: Path) -> None:
    with Bed(tmp_path, Silent(), name="deleted") as bed:
        lost, kept = (
            bed.record(load(f"textbook/deleted_{name}")) for name in ("earliest_kafka_python", "in_vain_confluent")
        )
        written = commits_written(bed.running(load("textbook/deleted_in_vain_confluent")).own_connection())
    verdict = outcome.judge_run(lost)
    assert (verdict["verdict"], verdict["fates"]["delivered"], verdict["fates"]["gone"]) == ("PASS", 300, 200)
    assert {(span["kind"], span["first_offset"], span["last_offset"]) for span in verdict["spans"]} == {
        ("gone", 100, 299)
    }
    in_vain = outcome.judge_run(kept)
    assert (in_vain["verdict"], in_vain["fates"]["delivered"]) == ("UNKNOWN", 500)
    assert "fault delete_records had no effect, so the run proves nothing about it" in in_vain["reasons"]
    for run in (lost, kept):
        # The first one is the scenario's own, before anybody joins.
        assert commits_told(run) == {part: offsets[1:] for part, offsets in written[str(group(run))].items()}


def group(run: RunDir) -> str | None:
    return recording.read(run).run.group


def commits_told(run: RunDir) -> Commits:
    """By partition, every offset of which a member was told that its commit stands, in order of time."""
    told = [event for stream in recording.read(run).streams for event in stream.events if event.type == "commit"]
    commits: Commits = defaultdict(list)
    for event in sorted(told, key=lambda event: event.at):
        assert event.data["ok"]
        commits[event.data["partition"]].append(event.data["offset"])
    return commits


def commits_written(connection: Connection) -> dict[str, Commits]:
    """By group and partition, every offset that the broker has written down, as its own topic holds them."""
    from confluent_kafka import Consumer, TopicPartition

    with Admin(connection) as admin:
        ends = admin.end_offsets(OFFSETS)
    reader = Consumer(confluent_settings(connection) | {"group.id": "none", "enable.auto.commit": False})
    reader.assign([TopicPartition(OFFSETS, partition, 0) for partition in ends])
    left, written = sum(end for _, end in ends.values()), defaultdict[str, Commits](lambda: defaultdict(list))
    deadline = time.monotonic() + 20
    while left > 0 and time.monotonic() < deadline:
        for message in reader.consume(1000, 0.5):
            left -= 1
            key, value = message.key(), message.value()
            (version,) = struct.unpack_from(">h", key)
            if version <= 1 and value is not None:  # of the others one is a group's, and no value takes back a commit
                of, rest = text(key, 2)
                _, rest = text(key, rest)
                (partition,), (offset,) = struct.unpack_from(">i", key, rest), struct.unpack_from(">q", value, 2)
                written[of][partition].append(offset)
    reader.close()
    assert left <= 0
    return written


def text(data: bytes, at: int) -> tuple[str, int]:
    """A Kafka string, and where it ends."""
    (length,) = struct.unpack_from(">h", data, at)
    return data[at + 2 : at + 2 + length].decode(), at + 2 + length
