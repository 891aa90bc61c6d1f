"""Looks at the group's stored offsets, with workers that have no client and a broker that is a table."""

from typing import Any

import pytest

from tests.test_group import Admin, play

__all__ = ["play"]

AT_WORK: dict[str, Any] = {
    "consumer": {"processing": {"message_ms": 1}, "commit": {"mode": "auto"}},
    "members": {"a": {"steps": [{"sleep": 0.5}]}},
}
KILL = {"kill": "a", "when": {"deliveries": 50}}
CUT = {"network": {"cut": True}, "when": {"deliveries": 50}}


def seen(play: Any, **keys: Any) -> list[dict[str, Any]]:
    return play(AT_WORK | keys, Admin(stored=7)).of("seen")


def test_a_library_that_commits_by_itself_is_looked_after(play) -> None:
    looks = seen(play, faults=[KILL])
    assert len(looks) >= 2
    assert looks[0]["offsets"] == {"0": 7, "1": 7}
    assert all(look["until"] > 0 for look in looks)


@pytest.mark.parametrize(
    "keys",
    [
        {"faults": [CUT]},
        {"consumer": {"processing": {"message_ms": 1}, "commit": {"mode": "sync"}}},
        {"consumer": {"commit": {"mode": "auto"}}},
    ],
    ids=["the broker may not answer", "the application commits", "nothing is at work"],
)
def test_nobody_else_is(play, keys: dict[str, Any]) -> None:
    assert seen(play, **keys) == []
