"""Records deleted under a group, with workers that have no client and a broker that is a table."""

from typing import Any

import pytest

from harness.faults.delete_records import first_kept, proof
from tests.test_group import Admin, play
from tests.test_member_faults import injected

__all__ = ["play"]


class Log(Admin):
    """Two partitions of 50 records each."""

    def __init__(self, stored: int = 0) -> None:
        super().__init__(stored)
        self.starts = {0: 0, 1: 0}
        self.deletes = True

    def end_offsets(self, topic: str) -> dict[int, tuple[int, int]]:
        return {part: (start, 50) for part, start in self.starts.items()}

    def delete_records(self, topic: str, before: dict[int, int]) -> None:
        if self.deletes:
            self.starts |= before


def fault(**target: Any) -> dict[str, Any]:
    steps = [{"take": 7}, {"sleep": 1}]
    return {"members": {"a": {"steps": steps}}, "faults": [{"delete_records": target, "when": {"deliveries": 7}}]}


def test_it_bit_if_the_log_begins_behind_the_groups_commit(play) -> None:
    ran = play(fault(partition=1, before=30), Log(stored=10))
    effect = "the log was cut: that of partition 1 begins at 30, where the group had committed 10"
    assert injected(ran) == [("delete_records", effect, None)]
    assert ran.of("deleted") == [{"partition": 1, "before": 30}]
    told = [event["type"] for event in sorted(ran.events, key=lambda event: event["t"])]
    assert told.index("deleted") < len(told) - 1 - told[::-1].index("fault")


def test_what_was_committed_is_missed_by_nobody(play) -> None:
    ran = play(fault(share=50), Log(stored=25))
    why = "the group had committed all that was deleted: nothing unread was there"
    assert injected(ran) == [("delete_records", None, why)]
    assert ran.of("deleted") == [{"partition": 0, "before": 25}, {"partition": 1, "before": 25}]


def test_a_log_that_stays_or_is_shorter_proves_nothing(play) -> None:
    log = Log()
    log.deletes = False
    assert injected(play(fault(before=10), log)) == [("delete_records", None, "the log begins where it began before")]
    ran = play(fault(before=60), Log())
    assert injected(ran) == [("delete_records", None, "nothing was deleted: the log of partition 0 ends at 50")]
    assert ran.of("deleted") == []


@pytest.mark.parametrize(
    ("target", "before"),
    [
        ({"before": 7}, {0: 7, 1: 7}),
        ({"partition": 1, "before": 7}, {1: 7}),
        ({"share": 50.0}, {0: 60, 1: 5}),
        ({"partition": 0, "share": 100.0}, {0: 100}),
    ],
)
def test_the_first_offset_that_is_kept(target: dict[str, Any], before: dict[int, int]) -> None:
    assert first_kept(target, {0: (20, 100), 1: (0, 10)}) == before


def test_a_group_that_had_committed_nothing() -> None:
    effect, why = proof({0: (5, 9)}, {0: (0, 9)}, {0: None})
    assert (effect, why) == (
        "the log was cut: that of partition 0 begins at 5, where the group had committed nothing",
        None,
    )
