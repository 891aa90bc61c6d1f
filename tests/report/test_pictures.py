from typing import Any

import pytest

from harness.report import pictures

from . import runs


def timeline(**keys: Any) -> dict[str, Any]:
    return {"timeline": {"t_s": [10.0, 10.5, 11.0, 11.5], **keys}}


def test_a_bin_is_drawn_at_its_rate_and_a_gap_is_no_zero() -> None:
    picture = pictures.throughput(timeline(delivered=[100, None, 200, 0]), within=(10.0, 12.0), width=800)
    assert picture is not None
    (panel,) = picture.panels
    assert panel.peak == 200
    assert len(panel.lines) == 2
    assert panel.lines[0] == "M144 115", "half of the peak, a quarter second from the left"
    assert panel.lines[1].endswith(f"{panel.base:g}")


def test_axis_labels_are_in_the_range() -> None:
    picture = pictures.throughput(timeline(produced=[1, 2, 3, 4]), within=(10.0, 12.0), width=800)
    assert picture is not None
    assert [tick.label for tick in picture.x_ticks] == ["10", "10.5", "11", "11.5", "12"] or len(picture.x_ticks) > 2
    assert all(picture.left <= tick.at <= picture.right for tick in picture.x_ticks)


@pytest.mark.parametrize(
    "metrics",
    [
        {},
        {"timeline": None},
        {"timeline": {"t_s": [1]}},
        {"timeline": {"t_s": [1, 2], "delivered": None}},
        {"timeline": {"t_s": [2, 1], "delivered": [1, 1]}},
        {"timeline": {"t_s": [1, "x"], "delivered": [1, 1]}},
    ],
)
def test_what_cannot_be_drawn_is_not_drawn(metrics: dict[str, Any]) -> None:
    assert pictures.throughput(metrics, within=(0.0, 5.0), width=800) is None


def test_labels_of_marks_never_touch() -> None:
    metrics = timeline(delivered=[1, 1, 1, 1])
    metrics["marks"] = [{"t_s": 10 + i / 50, "text": f"c{i} started"} for i in range(100)]
    picture = pictures.throughput(metrics, within=(10.0, 12.0), width=800)
    assert picture is not None
    assert len(picture.marks) == pictures.MARKS_MAX
    labelled = [mark for mark in picture.marks if mark.label and mark.anchor == "start"]
    ends = [mark.x + len(mark.label) * pictures.LETTER_WIDTH for mark in labelled]
    assert all(end < mark.x for end, mark in zip(ends, labelled[1:], strict=False))


def test_both_pictures_share_their_time_axis() -> None:
    files = runs.failed()
    ownerships = files["verdict.json"]["ownerships"]
    within = pictures.time_range(files["metrics.json"], ownerships)
    assert within == (4.5, pytest.approx(31.5))
    above = pictures.throughput(files["metrics.json"], within=within, width=800)
    below = pictures.lanes(ownerships, [], within=within, width=800)
    assert above is not None
    assert below is not None
    assert above.x_ticks == below.x_ticks


def lanes_of(first_offset: int) -> pictures.Flag:
    owned = [
        {"member": m, "partition": 0, "start_ns": s, "end_ns": e, "first_offset": f, "last_offset": last}
        for m, s, e, f, last in (("a", 0, 10**9, 0, 99), ("b", 2 * 10**9, 4 * 10**9, 200, 399))
    ]
    span = {"kind": "skipped", "partition": 0, "first_offset": first_offset, "count": 3}
    picture = pictures.lanes(owned, [span], within=(0.0, 4.0), width=pictures.LEFT + pictures.RIGHT + 400)
    assert picture is not None
    assert [bar.shade for bar in picture.bars] == [0, 1]
    return picture.flags[0]


def test_a_span_inside_an_ownership_is_flagged_inside_its_bar() -> None:
    assert lanes_of(300).x - pictures.LEFT == pytest.approx(300, abs=2)


def test_a_span_between_ownerships_is_flagged_at_the_end_of_the_one_before() -> None:
    assert lanes_of(150).x - pictures.LEFT == pytest.approx(100, abs=2)


def test_lanes_and_bars_beyond_the_limit_are_counted() -> None:
    owned = [{"member": "a", "partition": p, "start_ns": 0, "end_ns": None} for p in range(100) for _ in range(20)]
    picture = pictures.lanes(owned, [], within=(0.0, 1.0), width=800)
    assert picture is not None
    assert len(picture.lanes) + picture.lanes_left_out == 100
    assert len(picture.bars) + picture.bars_left_out == 48 * 20
