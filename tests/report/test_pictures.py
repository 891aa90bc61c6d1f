from typing import Any

import pytest

from harness.report import pictures
from harness.report.lanes import lanes

from . import runs


def timeline(**keys: Any) -> dict[str, Any]:
    return {"timeline": {"t_s": [10.0, 10.5, 11.0, 11.5], **keys}}


def test_a_bin_is_drawn_at_its_rate_and_a_gap_is_no_zero() -> None:
    picture = pictures.throughput(timeline(delivered=[100, None, 200, 0]), within=(10.0, 12.0), width=800)
    assert picture is not None
    (panel,) = picture.panels
    assert panel.peak == 200
    assert len(panel.lines) == 2
    assert panel.lines[0] == "M144 121", "half of the peak, a quarter second from the left"
    assert panel.lines[1].endswith(f"{panel.base:g}")


def test_axis_labels_are_in_the_range() -> None:
    picture = pictures.throughput(timeline(produced=[1, 2, 3, 4]), within=(10.0, 12.0), width=800)
    assert picture is not None
    assert len(picture.axis.ticks()) > 2
    assert all(picture.axis.left <= tick.at <= picture.axis.right for tick in picture.axis.ticks())


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
    below = lanes(ownerships, [], within=within, width=800)
    assert above is not None
    assert below is not None
    assert above.axis == below.axis


def test_an_empty_producer_and_an_unknown_lag_are_left_out() -> None:
    picture = pictures.throughput(
        timeline(delivered=[1, 2, 3, 4], produced=[0] * 4, lag=[]), within=(10, 12), width=800
    )
    assert picture is not None
    assert [panel.name for panel in picture.panels] == ["delivered"]


def test_lag_has_a_panel_below_the_others() -> None:
    rates = {"delivered": [1, 2, 3, 4], "produced": [9, 0, 0, 0], "lag": [8, 6, 3, 0]}
    picture = pictures.throughput(timeline(**rates), within=(10, 12), width=800)
    assert picture is not None
    assert [(panel.name, panel.unit) for panel in picture.panels][2] == ("lag", "messages")
    assert picture.base == picture.panels[2].base


def test_faults_and_rebalances_are_bands_on_the_time_axis() -> None:
    metrics = timeline(delivered=[1, 1, 1, 1])
    metrics["faults"] = [
        {"fault": "freeze", "t_s": 10.5, "until_s": 11.0},
        {"fault": "kill", "t_s": 11, "until_s": None},
    ]
    metrics["group"] = {"rebalances": [{"t_s": 11.0, "duration_s": 0.5}, {"t_s": 99.0, "duration_s": 1}, {}]}
    axis = pictures.axis_of((10.0, 12.0), pictures.LEFT + pictures.RIGHT + 400)
    found = pictures.bands(metrics, axis)
    assert [(band.kind, band.x - pictures.LEFT, band.width) for band in found] == [
        ("fault", 100, 100),
        ("rebalance", 200, 100),
    ]
    assert found[0].text == "freeze, 10.50 s to 11.00 s"


def test_times_that_no_clock_can_tell_are_left_out() -> None:
    assert pictures.time_range({}, [{"start_ns": 10**400, "end_ns": None}]) is None
    assert pictures.time_range({}, [{"start_ns": 10**9, "end_ns": 10**400}]) == (1.0, 1.001)
