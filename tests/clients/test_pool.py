"""Workers from start to end, with the null client: no broker, no environment of their own."""

import os
import signal
import sys
import textwrap
import time
from pathlib import Path

import pytest

from harness import proc
from harness.clients import pool as pool_module
from harness.clients.pool import Pool
from harness.clients.worker_end import exit_words
from harness.errors import HarnessError
from tests.worker import plain_reader

PYTHON = Path(sys.executable)


def config(folder: Path, **given):
    ends = {str(partition): 500 for partition in range(4)}
    base = {
        "role": "consume", "worker": "c1", "run_id": 7, "history": str(folder / "c1.bin"), "record": "loss",
        "client": "null", "api": "poll", "connection": {}, "topic": "t", "partitions": 4, "group": "g", "settings": {},
        "batch": {"max_records": 100, "timeout_ms": 10}, "payload": {"seed": 1, "size_bytes": 40, "pool": 1024},
        "produce": {"producer": 1, "messages": 2000}, "end_offsets": ends, "stop_after": None, "planted": None,
    }  # fmt: skip
    return base | given


def end_of(folder: Path, **given):
    with Pool() as pool:
        worker = pool.start(PYTHON, config(folder, **given), log=folder / "c1.log")
        end = worker.wait(20)
        assert end is not None, proc.last_lines(folder / "c1.log")
        return worker, end


@pytest.fixture
def fake_worker(tmp_path, monkeypatch):
    """A worker program of the test's own in the real one's place."""

    def install(body: str) -> None:
        folder = tmp_path / "fake"
        folder.mkdir()
        start = """
            import json, os, signal, sys, time
            control_in, control_out = int(sys.argv[2]), int(sys.argv[4])
            def say(data): os.write(control_out, data)
        """
        (folder / "__main__.py").write_text(textwrap.dedent(start) + textwrap.dedent(body))
        monkeypatch.setattr(pool_module, "WORKER", folder)

    return install


@pytest.mark.parametrize("api", ["poll", "consume"])
@pytest.mark.parametrize(("record", "kind"), [("loss", 2), ("throughput", 3)])
def test_a_consumer_records_everything_and_ends(tmp_path, api, record, kind):
    worker, end = end_of(tmp_path, api=api, record=record)
    assert (end.status, end.exit_status, end.error) == ("ended", 0, None)
    assert end.ended["why"] == "end_offsets"
    assert end.ended["deliveries"] == 2000
    assert worker.hello["client_version"] == "1"
    assert worker.effective == {"batch": 100}
    assert worker.watch_count()[0] == 2000
    frames = plain_reader.read(tmp_path / "c1.bin")[1]
    assert sorted(row[2] for row in plain_reader.rows(frames, kind)) == sorted(list(range(500)) * 4)
    assert [event["type"] for event in plain_reader.events(frames)] == [
        "member", "assign", "processed", "revoke", "member",
    ]  # fmt: skip
    assert end.describe() == "c1 ended: end_offsets"


def test_a_call_for_one_message_stops_exactly(tmp_path):
    _, end = end_of(tmp_path, stop_after=777)
    assert (end.ended["why"], end.ended["deliveries"]) == ("stop_after", 777)
    frames = plain_reader.read(tmp_path / "c1.bin")[1]
    assert len(plain_reader.rows(frames, 2)) == 777


def test_a_call_for_many_messages_finishes_its_batch(tmp_path):
    _, end = end_of(tmp_path, api="consume", stop_after=777)
    assert (end.ended["why"], end.ended["deliveries"]) == ("stop_after", 800)


def test_a_producer_records_intents_and_acks(tmp_path):
    _, end = end_of(tmp_path, role="produce")
    assert (end.ended["sent"], end.ended["acked"], end.ended["unknown"]) == (2000, 2000, 0)
    frames = plain_reader.read(tmp_path / "c1.bin")[1]
    assert len(plain_reader.rows(frames, 4)) == len(plain_reader.rows(frames, 5)) == 2000
    assert plain_reader.events(frames) == [{"type": "producer", "idempotent": True}, {"type": "producer_end"}]


def test_a_reader_says_how_far_it_read(tmp_path):
    _, end = end_of(tmp_path, role="read_log")
    assert end.ended["why"] == "end_offsets"
    frames = plain_reader.read(tmp_path / "c1.bin")[1]
    assert len(plain_reader.rows(frames, 10)) == 2000
    told = [event for event in plain_reader.events(frames) if event["type"] == "log_end"]
    assert told == [{"type": "log_end", "partition": n, "start": 0, "end": 500} for n in range(4)]


def test_stop_ends_in_order(tmp_path):
    with Pool() as pool:
        ends = {str(partition): 600 for partition in range(4)}
        given = config(tmp_path, end_offsets=None, produce={"producer": 1, "messages": 40})
        worker = pool.start(PYTHON, given, log=tmp_path / "c1.log")
        assert proc.wait_until(lambda: worker.watch_count()[0] == 40, timeout_s=10)
        worker.send({"cmd": "end_offsets", "end_offsets": ends})
        end = worker.stop(timeout_s=5)
    assert (end.status, end.ended["why"], end.ended["deliveries"]) == ("ended", "stop", 40)


def test_a_killed_worker_is_named_with_its_signal(tmp_path):
    with Pool() as pool:
        worker = pool.start(PYTHON, config(tmp_path, end_offsets=None), log=tmp_path / "c1.log")
        assert proc.wait_until(lambda: worker.watch_count()[0] > 0, timeout_s=10)
        worker.signal(signal.SIGKILL)
        end = worker.wait(5)
    assert (end.status, end.exit_status, end.ended) == ("killed", -9, None)
    assert end.describe() == f"c1 was killed: signal SIGKILL\n(its log is empty)\nfull log: {tmp_path / 'c1.log'}"


def test_a_crash_is_told_with_the_end_of_its_log(tmp_path, fake_worker):
    fake_worker("print('about to fail', flush=True); sys.exit(3)")
    _, end = end_of(tmp_path)
    assert end.status == "crashed"
    assert end.describe() == f"c1 died: exit status 3\nabout to fail\nfull log: {tmp_path / 'c1.log'}"
    assert end.describe(log_stays=False) == "c1 died: exit status 3\nabout to fail"


def test_exit_status_0_without_a_last_line_is_a_crash(tmp_path, fake_worker):
    fake_worker("sys.exit(0)")
    assert end_of(tmp_path)[1].status == "crashed"


@pytest.mark.parametrize("line", [b'{"type": "ended"', b"garbage\\n", b"[1]\\n", b'{"type": "riddle"}\\n'])
def test_a_line_that_cannot_be_read_is_an_error(tmp_path, fake_worker, line):
    fake_worker(f"say(b'''{line.decode()}'''); sys.exit(0)")
    worker, end = end_of(tmp_path)
    assert end.status == "crashed"
    assert len(worker.errors) == 1
    assert end.error.startswith(
        "control: unreadable control line" if b"riddle" not in line else "control: control line"
    )


def test_a_worker_that_hangs_leaves_its_stack(tmp_path, fake_worker, monkeypatch):
    monkeypatch.setattr(pool_module, "TERMINATE_GRACE_S", 0.3)
    monkeypatch.setattr(pool_module, "STACK_S", 0.3)
    fake_worker("""
        import faulthandler
        faulthandler.register(signal.SIGUSR2)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        say(b'{"type": "hello"}\\n')
        def stuck_here():
            while True: time.sleep(1)
        stuck_here()
    """)
    with Pool() as pool:
        worker = pool.start(PYTHON, config(tmp_path), log=tmp_path / "c1.log")
        assert proc.wait_until(lambda: worker.poll() or worker.hello is not None, timeout_s=10)
        end = worker.stop(timeout_s=0.2)
    assert (end.status, end.exit_status) == ("hung", -9)
    assert "stuck_here" in end.last_lines
    assert end.describe().startswith("c1 no longer answered and was killed: signal SIGKILL\n")


def test_an_unknown_client_is_an_error_and_no_hang(tmp_path):
    _, end = end_of(tmp_path, client="rabbit")
    assert end.status == "crashed"
    assert "no adapter for client 'rabbit'" in end.last_lines


def test_a_pool_leaves_nobody_behind(tmp_path):
    pool = Pool(grace_s=2)
    worker = pool.start(PYTHON, config(tmp_path, end_offsets=None), log=tmp_path / "c1.log")

    def interrupted():
        with pool:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert worker.finished()
    with pytest.raises(ProcessLookupError):
        os.kill(worker.process.pid, 0)


def test_a_worker_ends_when_the_harness_is_gone(tmp_path):
    with Pool() as pool:
        worker = pool.start(PYTHON, config(tmp_path, end_offsets=None), log=tmp_path / "c1.log")
        assert proc.wait_until(lambda: worker.watch_count()[0] > 0, timeout_s=10)
        os.close(worker._out)
        worker._out = -1
        deadline = time.monotonic() + 5
        while not worker.finished() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert worker.process.returncode == 70


def test_an_environment_that_is_gone_is_told(tmp_path):
    with pytest.raises(HarnessError) as caught, Pool() as pool:
        pool.start(tmp_path / "python", config(tmp_path), log=tmp_path / "c1.log")
    assert caught.value.what == f"c1: {tmp_path / 'python'} cannot be started: No such file or directory"


def test_a_full_disk_ends_the_worker_in_order(tmp_path):
    if os.geteuid() != 0 or os.system(f"mount -t tmpfs -o size=5m tmpfs {tmp_path}") != 0:
        pytest.skip("needs root, to mount a small tmpfs")
    try:
        ends = {str(partition): 100_000 for partition in range(4)}
        worker, end = end_of(tmp_path, end_offsets=ends)
        frames = plain_reader.read(tmp_path / "c1.bin")[1]
    finally:
        os.system(f"umount {tmp_path}")
    assert end.exit_status == 74
    assert end.ended["why"] == "error"
    assert end.error == f"history: {tmp_path / 'c1.bin'}: the disk is full (ENOSPC)"
    assert worker.errors[-1]["fatal"] is True
    assert len(plain_reader.rows(frames, 2)) > 10_000


def test_exit_words():
    assert (exit_words(2), exit_words(-11), exit_words(-99)) == ("exit status 2", "signal SIGSEGV", "signal 99")
