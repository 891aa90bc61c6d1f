"""Waiting for compaction: it is over when each key has one message left; a log of which that is unknown is no run."""

import pytest

from harness.compaction import await_holes, share
from harness.errors import HarnessError


def test_it_waits_until_the_first_copies_are_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.compaction.ASK_S", 0)
    seen = iter([{0: 12}, {0: 12}, {0: 10}])
    await_holes(lambda: next(seen), {0: 10})
    assert next(seen, None) is None


@pytest.mark.parametrize("held", [{0: 12}, {0: 9}])
def test_a_log_that_holds_something_else_is_no_run(held: dict[int, int]) -> None:
    with pytest.raises(HarnessError, match=r"held .* messages, and compaction should leave") as refused:
        await_holes(lambda: held, {0: 10}, timeout_s=0)
    assert refused.value.slug == "not-compacted"


def test_messages_are_shared_out_in_turn() -> None:
    assert share(7, 3) == {0: 3, 1: 2, 2: 2}
