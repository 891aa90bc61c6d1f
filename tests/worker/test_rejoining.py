"""A lone client without a listener that was taken for dead: what it is handed after it joined anew is told apart."""

from pathlib import Path
from typing import Any

import pytest

from tests.worker.scripted import Awaiting, Client, Play


class Rejoining:
    """Mixed into a client: before it hands over the message after number 6, it joins anew, and begins at offset 4."""

    generation: int | None = 1

    def joined(self) -> int | None:
        return self.generation

    def _batch(self: Any, count: int) -> Any:
        if self.generation == 1 and self._next[0] >= 6:
            self.generation, self._next[0] = 2, 4
        return super()._batch(count)  # type: ignore[misc]


class Blocking(Rejoining, Client):
    pass


class Asynchronous(Rejoining, Awaiting):
    pass


def play(path: Path, client: type[Client], api: str, **keys: Any) -> list[Any]:
    batch = {"max_records": 3, "timeout_ms": 1}
    given = {"partitions": 1, "end_offsets": {"0": 9}, "batch": batch, "api": api, **keys}
    played = Play(path, client=client, **given)
    played.run()
    return played.told()


def united(told: list[Any]) -> list[Any]:
    """Neighbouring rows of one partition as one."""
    whole: list[Any] = []
    for item in told:
        if whole and not isinstance(item, str) and not isinstance(whole[-1], str) and item[1] == sum(whole[-1][1:]):
            item = (item[0], whole[-1][1], whole.pop()[2] + item[2])
        whole.append(item)
    return whole


BOTH = ["assign 0", (0, 0, 6), "revoke 0", "assign 0", (0, 4, 5)]


@pytest.mark.parametrize(
    ("client", "api"),
    [(Blocking, "poll"), (Blocking, "consume"), (Asynchronous, "getone"), (Asynchronous, "getmany")],
)
def test_every_call_tells_both_ownerships(tmp_path: Path, client: type[Client], api: str) -> None:
    assert united(play(tmp_path, client, api)) == BOTH


@pytest.mark.parametrize("api", ["poll", "consume"])
def test_a_consumer_that_is_stopped_at_once_has_lost_nothing_of_it(tmp_path: Path, api: str) -> None:
    told = united(play(tmp_path, Blocking, api, stop_after=7))
    assert told[:4] == BOTH[:4]
    assert told[4][:2] == (0, 4)


@pytest.mark.parametrize("api", ["poll", "consume"])
def test_where_nothing_tells_there_is_one_ownership(tmp_path: Path, api: str) -> None:
    class Silent(Blocking):
        def joined(self) -> None:
            return None

    told = united(play(tmp_path, Silent, api))
    assert told == ["assign 0", (0, 0, 6), (0, 4, 5)]
