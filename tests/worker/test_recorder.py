"""The history file: frames, segments, open frames, SIGKILL, a full disk."""

import os
import signal
import subprocess
import sys
from array import array
from pathlib import Path

import pytest
from kafka_worker import recorder as recording
from kafka_worker.payload import KEY, Payload
from kafka_worker.recorder import ACK, DELIVER, DELIVER_KEYS, LOG, LOG_RUNS, DiskError, Recorder

from tests.recorded import read_file
from tests.worker import plain_reader

WORKER = Path(recording.__file__).parent.parent
META = {"worker": "c1", "role": "consume", "run_id": 7}


def key(seq: int, partition: int = 0) -> bytes:
    return KEY.pack(7, 1, partition, seq, 5)


def columns(seqs: range) -> tuple[bytes, "array[int]", "array[int]"]:
    return b"".join(key(seq) for seq in seqs), array("q", seqs), array("i", [0]) * len(seqs)


def test_what_is_written_is_read(tmp_path):
    recorder = Recorder(str(tmp_path / "h.bin"), META)
    recorder.event({"type": "member", "member": "c1", "state": "join"}, t_ns=3)
    recorder.columns(DELIVER, *columns(range(3)), 10, 11)
    recorder.keys_only(DELIVER_KEYS, key(3) + key(4), 20, 21)
    recorder.count(5, 21)
    recorder.close()
    meta, frames = plain_reader.read(tmp_path / "h.bin")
    assert meta["worker"] == "c1"
    assert meta["pid"] == os.getpid()
    assert plain_reader.events(frames) == [{"type": "member", "member": "c1", "state": "join"}]
    assert plain_reader.rows(frames, DELIVER) == [(0, 0, 0), (0, 1, 1), (0, 2, 2)]
    assert plain_reader.rows(frames, DELIVER_KEYS) == [(-1, -1, 3), (-1, -1, 4)]
    assert [(frame.t_ns, frame.done_ns) for frame in frames] == [(3, 3), (10, 11), (20, 21)]
    assert (tmp_path / "h.bin").stat().st_size == 12288 + 32 * 3 + 56 + 112 + 48


def test_an_empty_history_is_its_header(tmp_path):
    Recorder(str(tmp_path / "h.bin"), META).close()
    assert (tmp_path / "h.bin").stat().st_size == 12288
    assert plain_reader.read(tmp_path / "h.bin")[1] == []


def test_a_history_is_never_overwritten(tmp_path):
    (tmp_path / "h.bin").write_bytes(b"evidence")
    with pytest.raises(DiskError, match=r"h.bin: File exists \(EEXIST\)"):
        Recorder(str(tmp_path / "h.bin"), META)


def test_no_frame_crosses_a_segment(tmp_path):
    recorder = Recorder(str(tmp_path / "h.bin"), META, segment_bytes=1 << 16)
    for first in range(0, 10_000, 500):
        recorder.columns(ACK, *columns(range(first, first + 500)), 1)
    recorder.close()
    assert (tmp_path / "h.bin").stat().st_size > 5 << 16
    assert [row[2] for row in plain_reader.rows(plain_reader.read(tmp_path / "h.bin")[1], ACK)] == list(range(10_000))


@pytest.mark.parametrize("rooms", [1 << 16, 1 << 22])
def test_runs_tell_what_columns_tell(tmp_path, rooms):
    """Every way in which a message can fail to continue the one before, and more runs than a segment holds."""
    rows = [(0, 5, 0), (0, 6, 1), (0, 8, 2), (0, 9, 4), (1, 10, 5), (1, 11, 6), (0, 12, 7)]  # partition, offset, seq
    rows += [(0, 100 + 2 * number, 100 + number) for number in range(3000)]
    recorder = Recorder(str(tmp_path / "h.bin"), META, segment_bytes=rooms)
    keys = b"".join(KEY.pack(7, 1, partition, seq, 0) for partition, _, seq in rows)
    offsets, partitions = array("q", [row[1] for row in rows]), array("i", [row[0] for row in rows])
    recorder.runs(LOG_RUNS, keys, offsets, partitions, 1)
    recorder.runs(LOG_RUNS, KEY.pack(7, 2, 0, 9, 0) + b"\xff" * 48, array("q", [1, 2, 3]), array("i", [0, 0, 0]), 1)
    recorder.close()
    told = plain_reader.rows(plain_reader.read(tmp_path / "h.bin")[1], LOG_RUNS)
    assert [(partition, offset, seq) for partition, offset, seq in told[: len(rows)]] == rows
    assert [(partition, offset) for partition, offset, _ in told[len(rows) :]] == [(0, 1), (0, 2), (0, 3)]
    found = read_file(tmp_path / "h.bin").rows(LOG)
    assert found["length"][:6].tolist() == [2, 1, 1, 2, 1, 1]
    assert found["length"].sum() == len(rows) + 3
    assert found["producer"][-3:].tolist() == [2, -1, -1]


def test_one_call_is_one_frame_unless_no_segment_holds_it(tmp_path):
    recorder = Recorder(str(tmp_path / "h.bin"), META, segment_bytes=recording.segment_bytes_for(200_000))
    recorder.columns(DELIVER, *columns(range(200_000)), 1)
    recorder.close()
    frames = plain_reader.read(tmp_path / "h.bin")[1]
    assert [len(frame.rows) for frame in frames] == [200_000]
    recorder = Recorder(str(tmp_path / "small.bin"), META, segment_bytes=1 << 16)
    recorder.columns(DELIVER, *columns(range(4000)), 1)
    recorder.close()
    frames = plain_reader.read(tmp_path / "small.bin")[1]
    assert sum(len(frame.rows) for frame in frames) == 4000
    assert len(frames) == 3


def test_what_is_written_next_takes_the_place_of_the_open_frame(tmp_path):
    recorder = Recorder(str(tmp_path / "h.bin"), META)
    rows = recorder.open(4, 50)
    for row in range(3):
        rows[row].raw = key(row)
    assert recorder.opened(3) == key(0) + key(1) + key(2)
    _, frames = plain_reader.read(tmp_path / "h.bin")
    assert [(frame.kind, frame.flags, frame.t_ns) for frame in frames] == [(DELIVER_KEYS, 1, 50)]
    assert plain_reader.rows(frames, DELIVER_KEYS) == [(0, -1, seq) for seq in range(3)]
    recorder.columns(DELIVER, recorder.opened(3), array("q", [100, 101, 102]), array("i", [2, 2, 3]), 50, 60)
    _, frames = plain_reader.read(tmp_path / "h.bin")
    assert [(frame.flags, frame.t_ns, frame.done_ns) for frame in frames] == [(0, 50, 60)]
    assert plain_reader.rows(frames, DELIVER) == [(2, 100, 0), (2, 101, 1), (3, 102, 2)]
    recorder.open(4, 70)
    _, frames = plain_reader.read(tmp_path / "h.bin")
    assert [(frame.flags, frame.rows) for frame in frames[1:]] == [(1, [])]
    recorder.event({"type": "processed"})
    recorder.close()
    _, frames = plain_reader.read(tmp_path / "h.bin")
    assert len(frames) == 2
    assert plain_reader.events(frames) == [{"type": "processed"}]


def test_an_open_frame_stands_in_for_one_in_the_next_segment(tmp_path):
    recorder = Recorder(str(tmp_path / "h.bin"), META, segment_bytes=1 << 16)
    for first in range(0, 40_000, 250):
        rows = recorder.open(250, 50)
        for row in range(250):
            rows[row].raw = key(first + row)
        frames = plain_reader.read(tmp_path / "h.bin")[1]
        assert (frames[-1].flags, len(frames[-1].rows)) == (1, 250)
        assert len(frames) == first // 250 + 1
        recorder.columns(DELIVER, recorder.opened(250), *columns(range(first, first + 250))[1:], 50, 60)
    recorder.close()
    frames = plain_reader.read(tmp_path / "h.bin")[1]
    assert [row[2] for row in plain_reader.rows(frames, DELIVER)] == list(range(40_000))
    assert all(frame.flags == 0 for frame in frames)


@pytest.mark.parametrize(("odd", "error"), [(None, TypeError), (b"x" * 25, ValueError)])
def test_a_key_that_no_row_can_hold_is_refused(tmp_path, odd, error):
    recorder = Recorder(str(tmp_path / "h.bin"), META)
    rows = recorder.open(4, 50)
    rows[0].raw = key(0)
    with pytest.raises(error):
        rows[1].raw = odd
    assert recorder.opened(2) == key(0) + bytes(24)


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from kafka_worker.payload import KEY
from kafka_worker.recorder import Recorder
recorder = Recorder(sys.argv[2], {"worker": "c1", "role": "consume", "run_id": 7})
recorder.event({"type": "member", "member": "c1", "state": "join"})
rows = recorder.open(256, 5)
for row in range(int(sys.argv[3])):
    rows[row].raw = KEY.pack(7, 1, 2, row, 5)
    os.write(1, b"processed %d\\n" % row)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("count", [0, 1, 57, 256])
def test_sigkill_in_an_open_frame_loses_nothing_that_was_begun(tmp_path, count):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, WORKER, tmp_path / "h.bin", str(count)], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    begun = len(done.stdout.splitlines())
    assert begun == count
    frames = plain_reader.read(tmp_path / "h.bin")[1]
    assert plain_reader.rows(frames, DELIVER_KEYS) == [(2, -1, row) for row in range(count)]
    assert frames[-1].flags == 1
    found = read_file(tmp_path / "h.bin").rows(DELIVER)
    assert sum(found["length"]) == count
    assert [int(row["seq"]) for row in found] == ([0, count - 1] if count > 1 else [0] * count)


def test_a_full_disk_is_told_by_name(tmp_path, monkeypatch):
    recorder = Recorder(str(tmp_path / "h.bin"), META, segment_bytes=1 << 16)

    def full(_fd, _start, _size):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(DiskError, match=r"h.bin: the disk is full \(ENOSPC\)"):
        recorder.columns(DELIVER, *columns(range(4000)), 1)


def test_values_are_checked_against_their_keys():
    payload = Payload(7, seed=1, size_bytes=40, pool=1024)
    keys = payload.keys(1, 4, 0, 2000, 99)
    values = [payload.value(number // 4) for number in range(2000)]
    assert payload.wrong_rows(keys, values) == []
    values[1003] = values[1002][:-1] + b"!"
    values[7] = payload.value(9)
    assert payload.wrong_rows(keys, values) == [7, 1003]


def test_runs_of_messages_are_checked_like_single_ones():
    from kafka_worker.payload import runs_of

    payload = Payload(7, seed=1, size_bytes=40, pool=1024)
    keys = payload.keys(1, 1, 65_000, 3000, 99) + KEY.pack(7, 1, 3, 12, 0)
    values = [payload.value(seq) for seq in (*range(65_000, 68_000), 12)]
    runs = runs_of(keys)
    assert runs == [(0, 0, 3000), (3, 3000, 3001)]
    assert payload.wrong_rows(keys, values, runs) == []
    values[2999] = payload.value(1)
    assert payload.wrong_rows(keys, values, runs) == [2999]
    # A message that is missing breaks the run, not the check.
    gap = keys[: 24 * 10] + keys[24 * 11 :]
    kept = values[:10] + values[11:]
    assert payload.wrong_rows(gap, kept, runs_of(gap)) == [2998]
