"""The application: in which order it takes its time, tells how far it is, and commits."""

from pathlib import Path
from typing import Any

import pytest
from kafka_worker import application as applying
from kafka_worker.application import Application, member_of
from kafka_worker.clock import now_ns

from tests.worker.scripted import Awaiting, Client, Play, step


def app(mode: str | None = None, where: str = "after", **keys: Any) -> dict[str, Any]:
    commit = None if mode is None else {"mode": mode, "where": where}
    return {"message_ms": 0, "batch_ms": 0, "slow": None, "commit": commit, **keys}


def one_partition(path: Path, **config: Any) -> Play:
    return Play(
        path, **{"partitions": 1, "end_offsets": {"0": 4}, "batch": {"max_records": 2, "timeout_ms": 1}, **config}
    )


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []
    monkeypatch.setattr(applying.time, "sleep", taken.append)
    return taken


@pytest.mark.parametrize(
    ("told", "active"),
    [
        (None, False),
        (app(), False),
        (app("auto"), False),
        (app("none"), False),
        (app("sync"), True),
        (app("store_offsets"), True),
        (app(message_ms=1), True),
        (app(batch_ms=1), True),
        (app(slow={"at": 3, "ms": 5}), True),
    ],
)
def test_who_neither_commits_nor_takes_its_time_is_not_active(told: Any, active: bool) -> None:
    assert Application({"worker": "c1", "application": told}).active is active


BATCH = [(0, 0, 2), "processed 2"]
"""Handed over, then processed; what comes between and after is the mode's."""


@pytest.mark.parametrize(
    ("mode", "where", "first", "calls"),
    [
        ("sync", "after", [*BATCH, "commit 0:2 ok"], [({0: 2}, True), ({0: 4}, True)]),
        ("async", "after", [*BATCH, "commit 0:2 ok"], [({0: 2}, False), ({0: 4}, False)]),
        ("in_revoke", "after", [*BATCH, "commit 0:2 ok"], [({0: 2}, False), ({0: 4}, False)]),
        ("async_then_sync", "after", [*BATCH, "commit 0:2 ok"], [({0: 2}, False), ({0: 4}, False)]),
        (
            "sync",
            "before",
            [(0, 0, 2), "processed 0", "commit 0:2 ok", "processed 2"],
            [({0: 2}, True), ({0: 4}, True)],
        ),
        (
            "per_message",
            "after",
            [(0, 0, 2), "processed 1", "commit 0:1 ok", "processed 2", "commit 0:2 ok"],
            [({0: number}, True) for number in (1, 2, 3, 4)],
        ),
        (
            "per_message",
            "before",
            [(0, 0, 2), "processed 0", "commit 0:1 ok", "commit 0:2 ok", "processed 2"],
            [({0: number}, True) for number in (1, 2, 3, 4)],
        ),
    ],
)
@pytest.mark.parametrize(("client", "api"), [(Client, "consume"), (Awaiting, "getmany")])
def test_what_each_mode_commits_and_when(
    tmp_path: Path, client: type[Client], api: str, mode: str, where: str, first: list[Any], calls: list[Any]
) -> None:
    play = one_partition(tmp_path, client=client, api=api, application=app(mode, where)).run()
    assert play.why == "end_offsets"
    assert [call[1:] for call in play.client.calls] == calls
    told = [item for item in play.told() if item != "assign 0"]
    assert told[: len(first)] == first


@pytest.mark.parametrize(("client", "api"), [(Client, "poll"), (Awaiting, "getone")])
def test_a_call_for_one_message_is_a_batch_of_one(tmp_path: Path, client: type[Client], api: str) -> None:
    config = {"worker": "a1", "script": [step("take", count=2)]}
    play = one_partition(tmp_path, client=client, api=api, application=app("sync"), **config).run()
    told = [item for item in play.told() if item != "assign 0"]
    assert told == [(0, 0, 1), "processed 1", "commit 0:1 ok", (0, 1, 1), "processed 1", "commit 0:2 ok"]


@pytest.mark.parametrize("where", ["after", "before"])
def test_offsets_are_stored_message_by_message(tmp_path: Path, where: str) -> None:
    play = one_partition(tmp_path, application=app("store_offsets", where))
    stored: list[int] = []
    play.client.store = lambda message: stored.append(message.offset)  # type: ignore[method-assign]
    play.run()
    assert stored == [0, 1, 2, 3]
    assert play.client.calls == []


def test_the_slow_message_is_the_nth_of_this_worker_and_a_word_tells_of_it(tmp_path: Path, naps: list[float]) -> None:
    play = one_partition(tmp_path, application=app(slow={"at": 4, "ms": 2500}))
    play.run()
    assert naps == [2.5]
    assert play.control.of("told") == [{"type": "told", "word": "a busy"}]
    told = [item for item in play.told() if item != "assign 0"]
    assert told == [(0, 0, 2), "processed 2", (0, 2, 2), "processed 1", "processed 2"]


def test_time_of_messages_and_of_batches(tmp_path: Path, naps: list[float]) -> None:
    play = one_partition(tmp_path, application=app(message_ms=3, batch_ms=50, slow={"at": 2, "ms": 0})).run()
    assert naps == [0.05, 0.003, 0.0, 0.05, 0.003, 0.003]
    told = [item for item in play.told() if item != "assign 0"]
    assert told == [(0, 0, 2), "processed 1", "processed 2", (0, 2, 2), "processed 1", "processed 2"]


def test_only_commits_are_written_in_the_middle_of_a_batch(tmp_path: Path) -> None:
    play = one_partition(tmp_path, application=app("per_message"))
    commit = play.client.commit

    def with_a_rebalance(offsets: Any, sync: bool) -> None:
        play.client.events.append((now_ns(), {"type": "error", "where": "error_cb", "error": "one broker is gone"}))
        commit(offsets, sync)

    play.client.commit = with_a_rebalance  # type: ignore[method-assign]
    play.run()
    told = [item for item in play.told() if item != "assign 0"]
    assert told[:7] == [
        (0, 0, 2), "processed 1", "commit 0:1 ok", "processed 2", "commit 0:2 ok", "error", "error",
    ]  # fmt: skip


def test_an_answer_that_comes_while_the_application_awaits_is_written_at_once(tmp_path: Path) -> None:
    play = one_partition(tmp_path, client=Awaiting, api="getmany", application=app("async", "before", message_ms=120))
    client: Any = play.client

    async def later(offsets: dict[int, int], sync: bool) -> None:
        client.loop.call_later(0.01, client.committed, offsets)

    client.commit = later
    play.run()
    told = [item for item in play.told() if item != "assign 0"]
    assert told[:5] == [(0, 0, 2), "processed 0", "commit 0:2 ok", "processed 1", "processed 2"]


def test_how_far_it_is_is_told_of_frames_only(tmp_path: Path) -> None:
    play = one_partition(tmp_path, record="throughput", application=app("sync")).run()
    assert not [item for item in play.told() if str(item).startswith("processed")]


def test_the_last_commit_is_of_what_it_still_owns(tmp_path: Path) -> None:
    told = Application({"worker": "a1", "application": app("async_then_sync")})
    told.done = {0: 5, 1: 9}
    assert list(told.closing([1])) == [("commit", ({1: 9}, True))]
    assert list(told.closing([])) == []
    other = Application({"worker": "a1", "application": app("async")})
    other.done = {0: 5}
    assert list(other.closing([0])) == []


@pytest.mark.parametrize(
    ("mode", "lost", "offsets"), [("in_revoke", False, {0: 5}), ("in_revoke", True, {}), ("async", False, {})]
)
def test_what_is_revoked_is_committed_once_and_forgotten(mode: str, lost: bool, offsets: dict[int, int]) -> None:
    told = Application({"worker": "a1", "application": app(mode)})
    told.done = {0: 5, 1: 9}
    assert told.give_up([0, 2], lost) == offsets
    assert told.done == {1: 9}


@pytest.mark.parametrize(
    ("config", "name"), [({"worker": "a1"}, "a"), ({"worker": "c12"}, "c"), ({"worker": "n22", "member": "n2"}, "n2")]
)
def test_the_members_name(config: dict[str, str], name: str) -> None:
    assert member_of(config) == name
