"""Several workers as threads of one process, with the null client: each is watched, stopped and recorded by itself."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import proc
from harness.clients import pool as pool_module
from harness.clients.pool import Pool
from harness.clients.threads import Host, ThreadWorker
from tests.clients.test_pool import PYTHON, config
from tests.worker import plain_reader

ENDLESS = {"end_offsets": None, "produce": {"producer": 1, "messages": 40}}
NEVER_DONE = {"application": {"message_ms": 0, "batch_ms": 0, "slow": {"at": 1, "ms": 60_000}, "commit": None}}


@contextlib.contextmanager
def threads(folder: Path, **given: dict) -> Iterator[dict[str, ThreadWorker]]:
    """Workers by name, each with keys of its own over `config`; there is room for one more, which never comes."""
    with Pool(grace_s=2) as pool:
        host = Host(Path(sys.executable), len(given) + 1, log=folder / "threads.log")
        pool.hosts.append(host)
        started = {}
        for name, keys in given.items():
            own = config(folder, worker=name, history=str(folder / f"{name}.bin"), thread=True) | keys
            started[name] = pool.keep(host.start(own))
        yield started
    assert host.process.returncode is not None


def rows(folder: Path, name: str) -> int:
    return len(plain_reader.rows(plain_reader.read(folder / f"{name}.bin")[1], 2))


def handed(*workers: ThreadWorker) -> bool:
    return proc.wait_until(lambda: all(worker.watch_count()[0] > 0 for worker in workers), timeout_s=10)


def test_each_records_and_ends_by_itself_while_the_others_go_on(tmp_path: Path) -> None:
    with threads(tmp_path, c1={}, c2=ENDLESS) as by_name:
        first, second = by_name.values()
        end = first.wait(20)
        assert end is not None
        assert (end.status, end.exit_status, end.ended["why"]) == ("ended", 0, "end_offsets")
        assert handed(second)
        assert not second.finished()
        assert second.process.poll() is None
        other = second.stop(timeout_s=5)
    assert (other.status, other.ended["why"], other.ended["deliveries"]) == ("ended", "stop", 40)
    assert (rows(tmp_path, "c1"), rows(tmp_path, "c2")) == (2000, 40)
    assert first.hello["pid"] == second.hello["pid"]
    assert first.thread != second.thread
    # The process's CPU time is told as what it is, and of no thread.
    assert "cpu_s" not in end.ended
    assert end.ended["process_cpu_s"] > 0


def test_a_signal_ends_them_all_and_what_was_recorded_stays(tmp_path: Path) -> None:
    with threads(tmp_path, c1=ENDLESS, c2=ENDLESS) as by_name:
        first, second = by_name.values()
        assert handed(first, second)
        first.signal(signal.SIGKILL)
        ends = [worker.wait(5) for worker in (second, first)]
    told = [(end.name, end.status, end.exit_status) for end in ends if end is not None]
    assert told == [("c2", "killed", -9), ("c1", "killed", -9)]
    assert (rows(tmp_path, "c1"), rows(tmp_path, "c2")) == (40, 40)


def test_a_thread_that_ends_without_a_word_has_crashed(tmp_path: Path) -> None:
    with threads(tmp_path, c1=ENDLESS, c2={"client": "rabbit"}) as by_name:
        first, second = by_name.values()
        assert handed(first)
        end = second.wait(10)
        assert end is not None
        assert (end.status, end.exit_status) == ("crashed", 1)
        assert "no adapter for client 'rabbit'" in end.last_lines
        assert not first.finished()


def test_one_that_hangs_takes_the_others_with_it(tmp_path: Path) -> None:
    with threads(tmp_path, c1=ENDLESS, c2=NEVER_DONE) as by_name:
        first, second = by_name.values()
        assert handed(first, second)
        end = second.stop(timeout_s=0.3)
        other = first.wait(5)
    assert end.status == "hung"
    assert "application.py" in end.log.read_text()
    assert other is not None
    assert (other.status, other.ended) == ("killed", None)


def test_a_stack_is_told_while_the_threads_go_on(tmp_path: Path) -> None:
    """Asked 30 times while they run: a stack that is read as it changes ends the process, about one time in ten."""
    with threads(tmp_path, c1=ENDLESS, c2=ENDLESS) as by_name:
        first, second = by_name.values()
        assert handed(first, second)
        told = [first.stack() for _ in range(30)]
        assert not second.finished()
        ends = [worker.stop(timeout_s=5) for worker in (first, second)]
    assert all(f"hread 0x{first.thread:016x} " in text for text in told)
    assert [end.status for end in ends] == ["ended", "ended"]


def test_all_end_when_the_harness_is_gone(tmp_path: Path) -> None:
    with threads(tmp_path, c1=ENDLESS, c2=ENDLESS) as by_name:
        first, second = by_name.values()
        assert handed(first, second)
        first._close()
        assert proc.wait_until(lambda: second.process.poll() is not None, timeout_s=5)
        assert second.process.returncode == 70


def test_an_environment_that_is_gone_is_told(tmp_path: Path) -> None:
    with pytest.raises(pool_module.HarnessError) as caught:
        Host(tmp_path / "python", 2, log=tmp_path / "threads.log")
    assert caught.value.what == f"threads: {tmp_path / 'python'} cannot be started: No such file or directory"
    assert PYTHON.exists()
