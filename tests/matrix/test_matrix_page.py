"""matrix.html, its table in Markdown, and what is told of repetitions, speeds and settings."""

from typing import Any

import pytest

from harness.matrix.rows import COLUMNS, worst
from harness.report.matrix_page import render
from harness.report.matrix_table import SHADES, markdown, square, table, tally
from tests.report.runs import HOSTILE


def row(client: str = "kafka-python==2.0.2", api: str = "poll", **told: Any) -> dict[str, Any]:
    made = dict.fromkeys(COLUMNS) | {
        "scenario": "ssl_iter",
        "client": client,
        "api": api,
        "security": "mutual_tls",
        "number": 0,
        "state": "done",
        "verdict": "PASS",
        "why": "every one delivered",
        "run": "runs/a",
        "beside": False,
    }
    return made | told


def data(*rows: dict[str, Any], **told: Any) -> dict[str, Any]:
    return {
        "name": "m", "matrix": "2026-matrix-m", "started": "2026-11-26 16:32:25 UTC", "finished": True, "seconds": 90,
        "command": ["harness", "matrix", "m.yaml"], "asked": {"replay": "own_log"}, "cells": list(rows), "settings": {},
    } | told  # fmt: skip


def test_the_worst_repetition_is_shown_and_linked() -> None:
    found = square([row(), row(number=1, verdict="FAIL", lost=1200, run="runs/b"), row(number=2, verdict="UNKNOWN")], 0)
    assert (found.word, found.note, found.link) == ("FAIL", "1 of 3 times, 1,200 lost", "runs/b/report.html")


def test_an_error_counts_as_unknown_and_what_was_left_out_does_not() -> None:
    failed = row(state="error", verdict="UNKNOWN", run=None, why="[client-version] there is none")
    left_out = row(state="refused", verdict=None, run=None, why="its settings are another library's")
    assert (square([failed], 0).word, square([failed], 0).note) == ("UNKNOWN", "error")
    assert square([left_out], 0).word == "not run"
    assert worst([row(), left_out]) == "PASS"
    assert worst([row(), left_out, failed]) == "UNKNOWN"
    assert worst([row(verdict="FAIL"), failed]) == "FAIL"
    assert worst([]) == worst([left_out]) == "UNKNOWN", "nothing run is nothing proven"
    assert tally([row(), left_out, failed]) == (
        "1 PASS; 1 ended in an error; 1 left out, for the scenario has what the client has not"
    )


def test_speeds_compare_in_their_column_and_not_where_others_ran_beside() -> None:
    fast, half, slow = (
        row(f"kafka-python==1.{number}", throughput_msgs_per_s=speed, cpu_s_per_million=1.5)
        for number, speed in enumerate((64_000.0, 32_000.0, 100.0))
    )
    beside = row("aiokafka==0.14.0", throughput_msgs_per_s=99_000.0, beside=True)
    other = row("aiokafka==0.14.0", scenario="ssl_poll")
    made = table([fast, half, slow, beside, other]).speeds()
    assert made is not None
    assert made.columns == [("ssl_iter", "")]
    assert [(client, squares[0] and squares[0].shade) for client, _, squares in made.lines] == [
        ("kafka-python==1.0", SHADES - 1),
        ("kafka-python==1.1", SHADES - 2),
        ("kafka-python==1.2", 0),
    ]
    assert table([beside, other]).speeds() is None


def test_the_table_in_markdown() -> None:
    rows = [
        row(verdict="FAIL", lost=7),
        row(security="plaintext", throughput_msgs_per_s=1234.5, cpu_s_per_million=12.34),
        row("aiokafka==0.14.0", "getone", security="plaintext"),
    ]
    assert markdown(table(rows)).splitlines() == [
        "| client | call | ssl_iter mutual tls | ssl_iter plaintext |",
        "| --- | --- | --- | --- |",
        "| kafka-python==2.0.2 | poll | FAIL (7 lost) | PASS, 1,234/s, 12.3 CPU s |",
        "| aiokafka==0.14.0 | getone |  | PASS |",
    ]


def test_a_page_leads_to_its_reports_and_tells_what_is_missing() -> None:
    failed = row("kafka-python==9.9.9", state="error", verdict="UNKNOWN", run=None, why="there is none")
    page = render(data(row(verdict="FAIL", lost=7), failed, finished=False), "FAIL")
    assert 'href="runs/a/report.html"' in page
    assert "<small>7 lost</small>" in page
    assert "Not finished." in page
    assert "could not be asked: kafka-python==2.0.2, kafka-python==9.9.9" in page
    assert "Not finished." not in render(data(row()), "PASS")
    assert "no cell has been run" in render(data(), "UNKNOWN")


def test_settings_are_compared_between_neighbours_of_one_library() -> None:
    old, new = {"acks": 1, "idle": 5}, {"acks": "all", "fresh": None}
    clients = ["kafka-python==2.0.2", "aiokafka==0.14.0", "kafka-python==3.0.12"]
    told = {clients[0]: old, clients[1]: old, clients[2]: new}
    page = render(
        data(*(row(c) for c in clients), settings={c: {"consumer": s, "producer": s} for c, s in told.items()}), "PASS"
    )
    assert "kafka-python==2.0.2 → kafka-python==3.0.12" in page
    assert "1 changed, 1 gone, 1 new" in page
    assert "acks: 1 became &#34;all&#34;" in page
    assert "aiokafka==0.14.0 →" not in page


@pytest.mark.parametrize("key", ["scenario", "why", "api"])
def test_nothing_in_a_row_becomes_markup(key: str) -> None:
    page = render(data(row(verdict="FAIL") | {key: HOSTILE}), "FAIL")
    assert "<script" not in page
    assert "\x1b" not in page
