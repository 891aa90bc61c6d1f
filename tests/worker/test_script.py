"""Scripts of steps: what is asked of the client, what is recorded, and when each step is over."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka_worker.consuming import BareConsumption, LossConsumption, ThroughputConsumption
from kafka_worker.control import ASKS_FOR_POSITIONS, LISTENS, Control, Interrupter, StopLoop, only_waits
from kafka_worker.ends import Ends
from kafka_worker.main import consumer_of
from kafka_worker.script import Scripted

from tests.worker.scripted import Awaiting, Client, Play, step

ALL: Any = None
EVERY_CALL = pytest.mark.parametrize(
    ("client", "api"), [(Client, "consume"), (Client, "poll"), (Awaiting, "getmany"), (Awaiting, "getone")]
)


@EVERY_CALL
def test_every_call_of_every_kind_of_client(tmp_path: Path, client: type[Client], api: str) -> None:
    script = [
        step("subscribe", listener=True), step("take", count=7), step("pause", partitions=ALL),
        step("poll", times=3, timeout_ms=1, max_records=5), step("resume", partitions=ALL),
        step("seek", to=2, partitions=[0]), step("drain"), step("commit", mode="sync"), step("close"),
    ]  # fmt: skip
    play = Play(tmp_path, client=client, api=api, script=script).run()
    assert play.why == "end_offsets"
    assert [line["number"] for line in play.control.of("step")] == list(range(1, 9))
    assert [line["do"] for line in play.control.of("step")][:2] == ["subscribe", "take"]
    told = play.told()
    assert told[0] == "assign 0 1"
    at = told.index("pause 0 1")
    assert sum(row[2] for row in told[1:at]) == 7
    assert told[at : at + 3] == ["pause 0 1", "resume 0 1", "seek 0:2"]
    assert sum(row[2] for row in told[at + 3 : -2]) == 18 + 20
    assert told[-2:] == ["commit 0:20 ok", "commit 1:20 ok"]
    assert play.client.calls == [("commit", None, True)]


@pytest.mark.parametrize("record", ["loss", "throughput", "off"])
def test_a_take_of_single_messages_is_exact_and_the_next_goes_on(tmp_path: Path, record: str) -> None:
    script = [step("take", count=3), step("take", count=4), step("seek", to="beginning"), step("drain")]
    play = Play(tmp_path, api="poll", record=record, script=script, partitions=1, end_offsets={"0": 20}).run()
    assert play.why == "end_offsets"
    assert play.consumption.deliveries == 7 + 20


def test_a_take_of_more_than_there_is_ends_with_the_topic(tmp_path: Path) -> None:
    play = Play(tmp_path, script=[step("take", count=1000), step("tell", word="a came to the end")]).run()
    assert play.why == "script"
    assert play.consumption.deliveries == 40
    assert "a came to the end" in play.control.words


def test_polls_are_counted_whatever_they_bring(tmp_path: Path) -> None:
    play = Play(tmp_path, script=[step("assign", partitions=[1]), step("poll", times=3, max_records=9)]).run()
    assert play.told() == ["assign 1", (1, 0, 18), (1, 18, 2)]
    assert play.consumption.deliveries == 20, "9, 9 and 2"
    assert play.why == "script"


def test_who_assigns_itself_drains_no_more_than_that(tmp_path: Path) -> None:
    play = Play(tmp_path, script=[step("assign", partitions=[1]), step("drain")]).run()
    assert play.why == "end_offsets"
    assert play.told() == ["assign 1", (1, 0, 14), (1, 14, 6)]


def test_assigning_anew_gives_up_the_rest(tmp_path: Path) -> None:
    script = [step("assign", partitions=[1]), step("assign", partitions=ALL), step("drain"), step("unsubscribe")]
    play = Play(tmp_path, script=script).run()
    assert play.told() == ["assign 1", "assign 0", (0, 0, 20), (1, 0, 20), "revoke 0 1"]


def test_what_comes_before_joining_is_done_before_it(tmp_path: Path) -> None:
    script = [step("tell", word="here"), step("sleep", s=0.1), step("take", count=1)]
    play = Play(tmp_path, script=script)
    play.run()
    assert play.client.calls == ["start"]
    assert play.client.naps, "without calling the client"
    assert Play(tmp_path / "..", history=str(tmp_path / "other.bin"), script=[step("close")]).run().client.calls == [
        "start"
    ], "an empty list still joins"


def test_a_script_that_joins_by_itself_is_not_joined_for(tmp_path: Path) -> None:
    assert Play(tmp_path, script=[step("wait", word="go"), step("assign", partitions=[0])]).client.documented is False
    play = Play(tmp_path, history=str(tmp_path / "b.bin"), script=[step("assign", partitions=[0])]).run()
    assert play.client.calls == []


@EVERY_CALL
def test_reading_goes_on_behind_the_end_until_the_word(tmp_path: Path, client: type[Client], api: str) -> None:
    play = Play(tmp_path, client=client, api=api, script=[step("read", until="go"), step("drain")])
    consumption, polls = play.consumption, []
    why_over = consumption.why_over

    def told_later() -> str | None:
        polls.append(consumption.deliveries)
        if len(polls) == 9 or (polls[-1] == 40 and client is Awaiting and api == "getone"):
            play.control.words.add("go")
        return why_over()

    consumption.why_over = told_later
    play.run()
    assert play.why == "end_offsets"
    assert consumption.deliveries == 40
    assert play.control.awaited is None


def test_a_word_told_before_is_not_waited_for(tmp_path: Path) -> None:
    play = Play(tmp_path, script=[step("wait", word="go"), step("read", until="go")])
    play.control.words.add("go")
    assert play.run().why == "script"
    assert (play.client.naps, play.consumption.deliveries) == ([], 0)


@pytest.mark.parametrize("waiting", [step("wait", word="never"), step("sleep", s=3600), step("read", until="never")])
def test_a_stop_ends_every_step(tmp_path: Path, waiting: dict[str, Any]) -> None:
    play = Play(tmp_path, script=[step("subscribe", listener=False), waiting, step("commit", mode="sync")])

    def stop(_seconds: float = 0) -> None:
        play.control.stopping = True

    play.client.rest = stop  # type: ignore[method-assign]
    play.consumption.idle = stop
    assert play.run().why == "stop"
    assert play.client.calls == []


def test_the_end_counts_only_while_the_consumer_stays_there(tmp_path: Path) -> None:
    assert Play(tmp_path, script=[step("drain"), step("sleep", s=0)]).run().why == "end_offsets"
    other = Play(tmp_path, history=str(tmp_path / "b.bin"), script=[step("drain"), step("seek", to=0)]).run()
    assert other.why == "script"


def test_where_nobody_listens_the_client_is_asked_what_it_owns(tmp_path: Path) -> None:
    play = Play(tmp_path, script=[step("subscribe", listener=False), step("take", count=7)]).run()
    assert play.told() == ["assign 0 1", (0, 0, 7)]
    assert play.consumption.attends is False, "the fast loops will do"


def test_what_a_callback_told_stands_before_the_messages_that_came_after_it(tmp_path: Path) -> None:
    play = Play(tmp_path, api="poll", script=[step("subscribe", listener=True), step("drain")])
    handed = play.client.messages

    def with_a_rebalance() -> Any:
        for number, message in enumerate(handed()):
            if number == 10:
                play.client.revoked([SimpleNamespace(topic="t", partition=1)], lost=True)
            yield message

    play.client.messages = with_a_rebalance  # type: ignore[method-assign]
    play.run()
    assert play.consumption.owned == (0,)
    told = play.told()
    assert told.index("revoke 1") == 1 + told[1:].index("revoke 1")
    assert sum(row[2] for row in told[1 : told.index("revoke 1")]) == 10


def test_what_the_client_raises_is_told_of_its_step(tmp_path: Path) -> None:
    play = Play(tmp_path, script=[step("subscribe", listener=False), step("seek", to=9), step("drain")])

    def refuse(_partitions: list[int], _to: Any) -> None:
        raise ValueError("no such place")

    play.client.seek = refuse  # type: ignore[method-assign]
    assert play.run().why == "error"
    assert [(line["where"], line["error"]) for line in play.control.of("error")] == [
        ("seek", "ValueError: no such place")
    ]


@pytest.mark.parametrize(
    ("to", "ends", "offset"), [(3, None, 3), ("beginning", None, 0), ("end", {"0": 20, "1": 8}, 8), ("end", None, 20)]
)
def test_the_offset_that_a_seek_means(tmp_path: Path, to: Any, ends: Any, offset: int) -> None:
    script = [step("assign", partitions=[1]), step("seek", to=to, partitions=[1])]
    play = Play(tmp_path, script=script, end_offsets=ends, produce={"messages": 40}).run()
    assert play.told() == ["assign 1", f"seek 1:{offset}"]


def test_classes_are_chosen_once() -> None:
    def chosen(record: str = "loss", **config: Any) -> Any:
        return consumer_of({"role": "consume", "worker": "c1", "record": record, **config})

    assert chosen() is LossConsumption
    assert chosen("throughput", script=None, application=None) is ThroughputConsumption
    auto = {"message_ms": 0, "batch_ms": 0, "slow": None, "commit": {"mode": "auto", "where": "after"}}
    assert chosen("off", application=auto) is BareConsumption
    assert issubclass(chosen(script=[]), Scripted)
    assert chosen(application={**auto, "message_ms": 1}) is not LossConsumption


def test_ends_that_are_moved_are_awaited_again() -> None:
    ends = Ends({"0": 10, "1": 5})
    ends.note(0, 9)
    ends.note(1, 4)
    assert ends.remaining == 0
    ends.moved(0, 4)
    assert (ends.remaining, ends.awaited()) == (6, [0])
    ends.only([1])
    assert (ends.remaining, ends.awaited()) == (0, [])
    ends.learn({"0": 10, "1": 7})
    assert (ends.remaining, ends.end(0)) == (2, 10)
    ends.moved(1, 9)
    assert ends.remaining == 0


def test_a_word_only_breaks_off_a_wait_for_messages() -> None:
    def frames(*named: tuple[str, str]) -> Any:
        frame = None
        for folder, name in named:
            code = SimpleNamespace(co_filename=f"/env/kafka/{folder}/file.py", co_name=name)
            frame = SimpleNamespace(f_code=code, f_back=frame)
        return frame

    word = LISTENS + ASKS_FOR_POSITIONS
    assert only_waits(frames(("consumer", "_message_generator"), ("lib", "select")), word, False)
    assert not only_waits(frames(("coordinator", "ensure_active_group"), ("lib", "select")), word, False)
    assert not only_waits(frames(("consumer", "_update_fetch_positions"), ("lib", "select")), word, False)
    assert only_waits(frames(("coordinator", "ensure_active_group"), ("lib", "select")), LISTENS, True)
    assert not only_waits(frames(("adapters", "on_partitions_revoked"), ("lib", "select")), LISTENS, True)


def test_the_interrupter_raises_at_a_word_and_not_outside_of_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "signal", lambda number, handler: None)
    control: Any = SimpleNamespace(
        stopping=False, quiet=False, interruptible=True, awaited="go", words={"go"}, wake=None, leaving=True
    )
    interrupter = Interrupter(control)
    code = SimpleNamespace(co_filename="/lib/selectors.py", co_name="select")
    asleep = SimpleNamespace(f_code=code, f_locals={"timeout": 1}, f_back=None)
    with pytest.raises(StopLoop):
        interrupter._on_signal(10, asleep)
    for name, value in (("interruptible", False), ("leaving", False), ("quiet", True)):
        before = getattr(control, name)
        setattr(control, name, value)
        interrupter._on_signal(10, asleep)
        setattr(control, name, before)
    interrupter._on_signal(10, sys._getframe())


def test_words_come_over_the_control_channel() -> None:
    control = Control(0, 1)
    control._command({"cmd": "word", "word": "go"})
    assert not control.leaving
    control.awaited = "go"
    assert control.leaving


def test_words_that_come_together_with_the_first_line_are_heard() -> None:
    there, here = os.pipe()
    os.write(here, b'{"role": "consume"}\n{"cmd": "word", "word": "go"}\n')
    control = Control(there, 1)
    assert control.read_config() == {"role": "consume"}
    threading.Thread(target=control._listen, daemon=True).start()
    deadline = time.monotonic() + 5
    while "go" not in control.words and time.monotonic() < deadline:
        time.sleep(0.01)
    assert control.words == {"go"}
