from typing import Any

import pytest

from harness.report.lanes import LANES_MAX, Flag, lanes
from harness.report.pictures import LEFT, RIGHT

OWNED = [
    {"member": member, "partition": 0, "start_ns": start, "end_ns": end, "first_offset": first, "last_offset": last}
    for member, start, end, first, last in (("a", 0, 10**9, 0, 99), ("b", 2 * 10**9, 4 * 10**9, 200, 399))
]


def flag_of(first_offset: int, kind: str = "skipped", owned: list[dict[str, Any]] = OWNED) -> Flag:
    span = {"kind": kind, "partition": 0, "first_offset": first_offset, "count": 3}
    picture = lanes(owned, [(span, "story-0")], within=(0.0, 4.0), width=LEFT + RIGHT + 400)
    assert picture is not None
    return picture.flags[0]


def test_members_have_tints_of_their_own() -> None:
    picture = lanes(OWNED, [], within=(0.0, 4.0), width=800)
    assert picture is not None
    assert [bar.tint for bar in picture.bars] == [0, 1]


def test_a_span_inside_an_ownership_is_flagged_inside_its_bar() -> None:
    assert flag_of(300).x - LEFT == pytest.approx(300, abs=2)


def test_a_span_between_ownerships_is_flagged_at_the_end_of_the_one_before() -> None:
    assert flag_of(150).x - LEFT == pytest.approx(100, abs=2)


def test_what_came_again_is_flagged_where_it_came_again() -> None:
    again = [*OWNED, OWNED[1] | {"start_ns": 3 * 10**9, "end_ns": 4 * 10**9, "first_offset": 50, "last_offset": 99}]
    assert flag_of(50, "legal_redelivery", again).x - LEFT == pytest.approx(300, abs=2)
    assert flag_of(50, "legal_redelivery", again).shape == "again"


def test_a_flag_says_what_and_leads_to_its_story() -> None:
    flag = flag_of(1300)
    assert (flag.shape, flag.link) == ("lost", "story-0")
    assert flag.title == "skipped: 3 in partition 0 from offset 1,300"


def test_lanes_and_bars_beyond_the_limit_are_counted() -> None:
    owned = [{"member": "a", "partition": p, "start_ns": 0, "end_ns": None} for p in range(100) for _ in range(20)]
    picture = lanes(owned, [], within=(0.0, 1.0), width=800, bars=5000)
    assert picture is not None
    assert len(picture.lanes) == LANES_MAX == 100 - picture.lanes_left_out
    assert len(picture.bars) + picture.bars_left_out == 2000


def test_where_not_all_fit_whole_lanes_with_flags_come_first() -> None:
    owned = [{"member": "a", "partition": p, "start_ns": 0, "end_ns": None} for p in range(1000) for _ in range(100)]
    span = {"kind": "skipped", "partition": 777, "first_offset": 4, "count": 1}
    picture = lanes(owned, [(span, "span-0")], within=(0.0, 1.0), width=800, bars=250)
    assert picture is not None
    assert [lane.label for lane in picture.lanes] == ["0", "777"]
    assert len(picture.bars) == 200
    assert len(picture.flags) == 1
