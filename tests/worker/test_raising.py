"""An application that raises, a process that stands still, and a loop that is counted."""

import threading
from pathlib import Path
from typing import Any

import pytest
from kafka_worker.control import Control
from kafka_worker.moments import Moments
from kafka_worker.raising import Deserializers, Fails, Raised

from tests.worker.scripted import Client, Play, step
from tests.worker.test_application import app, one_partition


def fails(**keys: Any) -> dict[str, Any]:
    return {"at": 3, "where": "handler", "then": "restart", "always": False, **keys}


def test_a_handler_that_raises_has_not_finished_with_the_rest(tmp_path: Path) -> None:
    play = one_partition(tmp_path, application=app("sync", fails=fails(at=2))).run()
    assert play.why == "raised"
    assert play.told()[1:] == [(0, 0, 2), "processed 1", "error"]
    assert play.control.of("told") == [{"type": "told", "word": "a raised"}]
    assert play.control.of("error")[0]["where"] == "handler"
    assert play.client.calls == []


def test_who_skips_it_goes_on(tmp_path: Path) -> None:
    play = one_partition(tmp_path, application=app(fails=fails(at=2, then="skip"))).run()
    assert play.why == "end_offsets"
    assert play.told()[1:] == [(0, 0, 2), "processed 1", "error", "processed 2", (0, 2, 2), "processed 2"]


class Deserializing(Client):
    """The null client, with a deserializer as real libraries have one."""

    def batch(self) -> Any:
        self.deserializers.value(b"one a call")
        return super().batch()


def test_what_comes_out_of_the_clients_call_is_the_applications_affair(tmp_path: Path) -> None:
    told = app(fails=fails(at=2, where="deserializer", then="skip"))
    play = one_partition(tmp_path, client=Deserializing, application=told).run()
    assert [line["where"] for line in play.control.of("error")] == ["deserializer"]
    assert play.control.of("told") == [{"type": "told", "word": "a raised"}]
    assert play.why == "end_offsets"


class Failing(Client):
    def batch(self) -> Any:
        raise OSError("the client's own")


def test_another_error_ends_it_as_ever(tmp_path: Path) -> None:
    told = app(fails=fails(where="deserializer", then="skip"))
    play = one_partition(tmp_path, client=Failing, application=told).run()
    assert play.why == "error"
    assert "the client's own" in play.control.of("error")[0]["error"]


@pytest.mark.parametrize(("always", "raised"), [(False, 1), (True, 2)])
def test_a_deserializer_knows_its_message_again(always: bool, raised: int) -> None:
    pair = Deserializers(Fails(fails(where="deserializer", always=always)))
    count = 0
    for number in (1, 2, 3, 3, 4):
        pair.key(b"%d" % number)
        try:
            pair.value(b"v")
        except Raised:
            count += 1
    assert count == pair.raised == raised
    assert pair.has_raised()
    assert not pair.has_raised()


class Standing:
    def __init__(self) -> None:
        self.stood: list[tuple[str, int]] = []

    def stand(self, phase: str, number: int) -> None:
        self.stood.append((phase, number))


def test_only_the_moments_that_are_asked_for_are_stood_at(tmp_path: Path) -> None:
    control = Standing()
    moments = Moments([{"phase": "polled", "number": 2}, {"phase": "committing", "number": 1}], control)
    for phase in ("revoked", "polled", "committing", "polled", "polled", "committing"):
        moments.reached(phase)
    assert control.stood == [("committing", 1), ("polled", 2)]


@pytest.mark.parametrize(
    ("config", "moment"),
    [
        ({"application": app("sync")}, "committing"),
        ({"script": [step("poll"), step("commit")]}, "committing"),
        ({"script": [step("poll")]}, "polled"),
        ({"listen": True}, "assigned"),
    ],
)
def test_a_process_comes_to_them(tmp_path: Path, config: dict[str, Any], moment: str) -> None:
    play = Play(tmp_path, stands=[{"phase": moment, "number": 1}], **config)
    stood: list[Any] = []
    play.control.stand = lambda *where: stood.append(where)
    play.client.subscribed = lambda: None
    if moment == "assigned":
        part = type("Part", (), {"topic": "t", "partition": 0})
        play.client.assigned([part])
    else:
        play.run()
    assert stood == [(moment, 1)]


def test_who_stands_goes_on_when_it_is_told() -> None:
    control = Control(-1, -1)
    said: list[Any] = []
    control.send = said.append
    timer = threading.Timer(0.1, control._command, [{"cmd": "go_on"}])
    timer.start()
    control.stand("polled", 1)
    timer.join()
    assert [line["stands"] for line in said] == [True, False]


def test_every_turn_of_a_loop_is_counted_for_the_watchdog(tmp_path: Path) -> None:
    play = Play(tmp_path, end_offsets={"0": 20, "1": 20})
    play.run()
    head = play.path.read_bytes()[:64]
    assert int.from_bytes(head[48:56], "little") >= 6
