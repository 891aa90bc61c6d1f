"""Figures of a run, from what workers told and recorded."""

import pytest

from harness.history import Event, History, RunInfo, Stream
from harness.metrics import measure

S = 1_000_000_000
ENDED = {"deliveries": 1000, "first_ns": 2 * S, "last_ns": 4 * S, "cpu_s": 0.5, "rss_max_bytes": 7}
SCENARIO = {"size_bytes": 200, "record": "throughput"}


def history(**columns: list) -> History:
    streams = [Stream("c1", [Event(1 * S, "member", {"member": "c1", "state": "join"})])]
    return History(run=RunInfo("r", "at_least_once", 1), streams=streams, began=1 * S, **columns)


def meta(*ended: dict | None) -> dict:
    clients = [{"role": "consume", "worker": f"c{number}", "ended": end} for number, end in enumerate(ended, 1)]
    return {"clients": clients, "scenario_settings": SCENARIO, "stages": []}


def test_speed_of_one_consumer() -> None:
    figures = measure(history(), meta(ENDED))
    assert figures["throughput_msgs_per_s"] == 500
    assert figures["mb_per_s"] == pytest.approx(0.1)
    assert figures["cpu_s_per_million"] == 500
    assert figures["rss_max_bytes"] == 7


def test_restarts_have_no_speed() -> None:
    figures = measure(history(), meta(ENDED, ENDED))
    assert figures["throughput_msgs_per_s"] is None
    assert figures["speed_note"].startswith("speed is not measured")


@pytest.mark.parametrize("ended", [None, {"why": "error"}, {**ENDED, "last_ns": None}, {**ENDED, "deliveries": 0}])
def test_what_did_not_happen_is_not_measured(ended: dict | None) -> None:
    assert measure(history(), meta(ended))["throughput_msgs_per_s"] is None


def test_what_came_within_a_time_is_spread_over_it() -> None:
    timeline = measure(history(delivered_at=[(1 * S, 11 * S, 1000)]), meta(ENDED))["timeline"]
    inside = [rate for t, rate in zip(timeline["t_s"], timeline["delivered"], strict=True) if t < 9.9]
    assert inside == pytest.approx([100] * len(inside), rel=0.01)


def test_nothing_is_lost_in_the_bins() -> None:
    arrivals = [(1 * S + number * S // 7, 1 * S + number * S // 7, 10) for number in range(100)]
    timeline = measure(history(delivered_at=[*arrivals, (2 * S, 9 * S, 500)]), meta(ENDED))["timeline"]
    width_s = timeline["t_s"][1] - timeline["t_s"][0]
    assert sum(timeline["delivered"]) * width_s == pytest.approx(1500, rel=0.02)


def test_the_worst_stall_is_between_messages() -> None:
    spans = [(1 * S, 2 * S, 5), (4 * S, 9 * S, 5), (5 * S, 6 * S, 1), (10 * S, 10 * S, 1)]
    assert measure(history(delivered_at=spans), meta(ENDED))["worst_stall_s"] == 2
    assert measure(history(), meta(ENDED))["worst_stall_s"] is None


def test_a_run_without_a_group_has_no_rebalances() -> None:
    assert measure(history(), meta(ENDED))["group"] is None


def test_faults_are_marked_where_they_begin_and_are_undone() -> None:
    phases = ("injecting", "injected", "healing", "healed")
    faults = [Event((n + 2) * S, "fault", {"fault": "freeze a", "phase": phase}) for n, phase in enumerate(phases)]
    marks = measure(history(faults=faults), meta(ENDED))["marks"]
    assert [(mark["t_s"], mark["text"]) for mark in marks[1:]] == [(1, "freeze a"), (4, "freeze a healed")]


def test_faults_are_told_each_time_with_their_last_effect_or_why_they_had_none() -> None:
    told = [
        ("injecting", {"effect": None}),
        ("injected", {"effect": "5 bytes"}),
        ("healing", {"effect": "7 bytes"}),
        ("healed", {"effect": None}),
        ("injecting", {"effect": None}),
        ("injected", {"effect": None, "why": "all was done"}),
    ]
    events = [Event((n + 2) * S, "fault", {"fault": "hole", "phase": p, **more}) for n, (p, more) in enumerate(told)]
    assert measure(history(faults=events), meta(ENDED))["faults"] == [
        {"t_s": 1, "until_s": 4, "fault": "hole", "effect": "7 bytes", "why": None},
        {"t_s": 5, "until_s": None, "fault": "hole", "effect": None, "why": "all was done"},
    ]


def test_threads_of_one_process_are_counted_once():
    def client(worker, pid, cpu_s):
        ended = None if cpu_s is None else {"process_cpu_s": cpu_s}
        return {"worker": worker, "role": "consume", "pid": pid, "ended": ended}

    threads = [client("c1", 7, 1.5), client("c2", 7, 2.5)]
    measured = [
        measure(history(), {"clients": clients})["processes"]
        for clients in (threads, [*threads, client("c3", 8, 1.0)], [*threads, client("c3", 8, None)])
    ]
    assert measured == [{"count": 1, "cpu_s": 2.5}, {"count": 2, "cpu_s": 3.5}, {"count": 2, "cpu_s": None}]


def test_bytes_on_the_wire_are_told_where_they_can_hold_what_was_delivered() -> None:
    wire = {"connections": 2, "bytes_received": 250_000, "bytes_sent": 5_000}
    told = measure(history(), meta(ENDED | {"wire": wire}))["wire"]
    assert told == wire | {"received_per_message": 250.0, "sent_per_message": 5.0}
    fewer = wire | {"bytes_received": 199_999}
    assert measure(history(), meta(ENDED | {"wire": fewer}))["wire"] is None
    for odd in (None, "much", {"bytes_received": "much"}):
        assert measure(history(), meta(ENDED | {"wire": odd}))["wire"] is None


def test_at_a_fixed_rate_there_is_no_speed() -> None:
    made = meta(ENDED)
    made["scenario_settings"] = SCENARIO | {"consume": "while_produced"}
    figures = measure(history(), made)
    assert figures["throughput_msgs_per_s"] is None
    assert figures["cpu_s_per_million"] is None
    assert figures["speed_note"] == "speed is not measured at a fixed rate: latency is"


def test_the_ceiling_is_what_the_run_measured() -> None:
    ceiling = {"messages": 5, "throughput_msgs_per_s": 2e6, "cpu_s_per_million": 0.4}
    assert measure(history(), meta(ENDED) | {"ceiling": ceiling})["ceiling"] == ceiling
    assert measure(history(), meta(ENDED))["ceiling"] is None
