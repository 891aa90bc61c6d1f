"""What a worker's stack tells of where it stands, and when a process that does not move is asked for it."""

from types import SimpleNamespace
from typing import Any

import pytest

from harness import watchdog
from harness.watchdog import Watchdog, call_of, in_words, thread_of

SITE = "/envs/x/lib/python3.11/site-packages"
CONTROL = """\
Thread 0x01 (most recent call first):
  File "/h/worker/kafka_worker/control.py", line 89 in _listen
"""
HUNG = f"""\
Current thread 0x02 (most recent call first):
  File "{SITE}/kafka/consumer/fetcher.py", line 645 in _append
  File "{SITE}/kafka/consumer/group.py", line 827 in poll
  File "/h/worker/adapters/kafka_python.py", line 147 in batch
  File "/h/worker/kafka_worker/attentive.py", line 135 in attentive_loop
  File "/h/worker/kafka_worker/main.py", line 45 in main
"""
AT_WORK = """\
Current thread 0x02 (most recent call first):
  File "/h/worker/kafka_worker/application.py", line 9 in perform
  File "/h/worker/kafka_worker/main.py", line 45 in main
"""


def test_the_worker_thread_is_found_among_others() -> None:
    assert thread_of(CONTROL + "\n" + HUNG)[0].endswith("line 645 in _append")
    assert thread_of(HUNG + "\n" + CONTROL)[0].endswith("line 645 in _append")
    assert thread_of(CONTROL) == thread_of("") == []


@pytest.mark.parametrize(
    ("text", "call"),
    [(HUNG, "poll()"), (HUNG.replace("in batch", "in close"), "close()"), (AT_WORK, None), (CONTROL, None)],
)
def test_the_call_is_what_the_adapter_has_called(text: str, call: str | None) -> None:
    assert call_of(thread_of(text), "poll") == call


def test_of_several_threads_one_is_meant() -> None:
    mine, other = (HUNG.replace("0x02", f"0x{ident:016x}") for ident in (2, 3))
    other = other.replace("645", "646")
    for text in (other + "\n" + mine, mine + "\n" + other):
        assert thread_of(text, 2)[0].endswith("line 645 in _append")
        assert thread_of(text, 4) == []


def test_a_stack_in_words() -> None:
    assert in_words(thread_of(HUNG)).startswith("consumer/fetcher.py:645 in _append, called from consumer/group.py:827")


class Journal(list[Any]):
    def write(self, kind: str, **keys: Any) -> None:
        self.append((kind, keys))


class Watched:
    """A group of one member, whose process does what a test says."""

    def __init__(self, stack: str = HUNG, api: str = "poll") -> None:
        self.worker: Any = SimpleNamespace(
            name="c1", finished=lambda: False, watch_turns=lambda: self.turns, step=None, stands=None, closing=False,
            errors=[], stack=lambda: stack, log=SimpleNamespace(name="c1.log"), thread=None,
        )  # fmt: skip
        self.turns, self.waiting, self.now = 0, False, 0.0
        member = SimpleNamespace(
            worker=self.worker, counted=0, waits=lambda: self.waiting, sleeps=lambda: False, doing=lambda: None,
            is_closing=lambda: self.worker.closing, base={"api": api},
            env=SimpleNamespace(spec=SimpleNamespace(client=SimpleNamespace(adapter="kafka-python"))),
        )  # fmt: skip
        self.journal = Journal()
        scenario = SimpleNamespace(
            consumer=SimpleNamespace(batch=SimpleNamespace(timeout_ms=1000)), drain=SimpleNamespace(idle_s=8)
        )
        bench = SimpleNamespace(scenario=scenario, journal=self.journal)
        group: Any = SimpleNamespace(bench=bench, members=[member], faults=[], application_s=0)
        self.dog = Watchdog(group)

    def after(self, seconds: float) -> "Watched":
        self.now += seconds
        self.dog.turn(self.now)
        return self


def test_a_call_that_does_not_come_back_is_named_once_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched().after(2).after(9).after(9)
    ((kind, told),) = watched.journal
    assert (kind, told["member"], told["call"], told["s"]) == ("hang", "c1", "poll()", 9.0)
    assert watched.worker.errors[0]["where"] == "poll()"
    assert watched.worker.errors[0]["error"].startswith("has not come back for 9 s: consumer/fetcher.py:645 in _append")
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: watched.now)
    watched.dog.at_the_end(something_left=False)
    assert watched.journal[1:] == []
    watched.dog.at_the_end(something_left=True)
    assert watched.dog.hangs(watched.worker)
    why = "c1 did not come back from its client's poll() for 18 s (its stack is in logs/c1.log)"
    assert watched.journal[1:] == [("torn", {"why": why})]


def test_who_turns_waits_or_works_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    turning = Watched()
    for turns in range(20):
        turning.turns = turns
        turning.after(5)
    waiting = Watched()
    waiting.waiting = True
    for watched in (turning, waiting.after(20).after(20), Watched(AT_WORK).after(2).after(20)):
        monkeypatch.setattr(watchdog.time, "monotonic", lambda now=watched.now: now)
        watched.dog.at_the_end(something_left=True)
        assert watched.journal == []


def test_a_call_that_is_to_wait_for_ever_may_but_close_may_not() -> None:
    watched = Watched(HUNG.replace("in batch", "in close"), api="iterator").after(2).after(20)
    assert watched.journal == []
    watched.worker.closing = True
    watched.after(2).after(20)
    assert watched.journal[0][1]["call"] == "close()"
