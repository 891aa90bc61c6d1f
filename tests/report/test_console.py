import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from harness.report.console import print_verdict, summary

from . import runs


def printed(folder: Path, files: dict[str, dict[str, Any]], **options: Any) -> str:
    out = io.StringIO()
    summary(runs.write(folder, files), Console(file=out, **options))
    return out.getvalue()


def test_a_fail_in_a_dozen_lines(tmp_path: Path) -> None:
    lines = printed(tmp_path, runs.failed()).splitlines()
    assert len(lines) <= 20
    assert lines[0] == "FAIL  ssl_iter  at least once"
    assert lines[1].startswith("why        416 messages lost: a commit covered them before")
    assert "client     kafka-python==2.0.2, iterator, on Python 3.8.20" in lines
    assert "numbers    40,000 sent → 40,000 acked → 40,000 in the log → 39,584 delivered (39,584 deliveries)" in lines
    assert "           416 committed ahead (416 never handed over)" in lines
    assert any(line.startswith("lost       partition 1, offsets 2,192 – 2,399: committed ahead") for line in lines)
    assert "speed      1,834 messages/s, 121 CPU s per million, 84.3 MB" in lines
    assert lines[-1] == f"report     {tmp_path}/report.html"


def test_three_spans_and_how_many_more(tmp_path: Path) -> None:
    files = runs.failed()
    files["verdict.json"]["spans"] *= 5
    files["verdict.json"]["spans_left_out"] = 4
    text = printed(tmp_path, files)
    assert text.count("committed ahead, blame: consumer") == 3
    assert "… and 11 more spans in the report" in text


def test_colour_on_a_terminal_only(tmp_path: Path) -> None:
    assert "\x1b[" not in printed(tmp_path, runs.failed())
    assert "\x1b[1;31mFAIL" in printed(tmp_path, runs.failed(), force_terminal=True, color_system="standard")


@pytest.mark.parametrize("options", [{}, {"force_terminal": True, "color_system": None}])
def test_hostile_text_is_neither_markup_nor_escape_nor_a_line_of_its_own(tmp_path: Path, options: Any) -> None:
    files = runs.hostile()
    files["verdict.json"]["reasons"] = ["one\nPASS  ssl_iter\r\nPASS [bold]two[/bold] :smile: \x1b[31m\x9b1m"]
    text = printed(tmp_path, files, **options)
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "[bold red]PASS[/]" in text
    assert "one PASS ssl_iter\\x0d PASS [bold]two[/bold] :smile: \\x1b[31m\\x9b1m" in text
    assert not any(line.startswith("PASS") for line in text.splitlines())


def test_nothing_known_is_unknown_and_said(tmp_path: Path) -> None:
    text = printed(tmp_path, {})
    assert text.startswith("UNKNOWN\nwhy        This run has no verdict")
    assert "numbers    not measured" in text
    assert "speed      not measured" in text
    assert "23 checks not judged" in text


def test_a_part_of_the_numbers(tmp_path: Path) -> None:
    files = runs.passed()
    files["verdict.json"]["partitions"][2]["in_log"] = None
    del files["verdict.json"]["deliveries"]
    assert "40,000 acked → in the log not measured → 40,000 delivered\n" in printed(tmp_path, files)


def test_reports_are_imported_without_their_libraries() -> None:
    heavy = ["jinja2", "pandas", "numpy", "rich.progress", "rich.console", "pyarrow"]
    modules = ", ".join(f"harness.report.{name}" for name in ("page", "console", "junit", "parquet", "progress"))
    code = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_verdict_alone(tmp_path: Path) -> None:
    out = io.StringIO()
    print_verdict(runs.failed()["verdict.json"], Console(file=out))
    lines = out.getvalue().splitlines()
    assert lines[0] == "FAIL  at least once"
    assert [line.split()[0] for line in lines[1:]] == ["why", "They", "numbers", "416", "lost", "partition"]


def test_speed_that_is_not_measured_says_why(tmp_path: Path) -> None:
    files = runs.unknown()
    files["metrics.json"]["speed_note"] = "speed is not measured in a run with restarts: use a speed scenario"
    assert "speed      speed is not measured in a run with restarts" in printed(tmp_path, files)


def test_latency_and_the_ceiling_are_told_where_they_were_measured(tmp_path: Path) -> None:
    files = runs.passed()
    assert "\nlatency" not in printed(tmp_path, files)
    shares = {"p50_ms": 1.26, "p99_ms": 14.04, "p99_9_ms": 101.4, "max_ms": 310.0}
    files["metrics.json"]["latency"] = {"count": 18_000, "rate": 1000, **shares}
    files["metrics.json"]["ceiling"] = {"throughput_msgs_per_s": 2_500_000.0}
    files["metrics.json"]["wire"] = {"received_per_message": 236.4}
    told = " ".join(printed(tmp_path, files).split())
    assert "latency half within 1.26 ms, 99 % within 14.0 ms, 99.9 % within 101 ms, all within 310 ms, at 1,000" in told
    assert "236 B a message on the wire, the harness's own ceiling: 2,500,000 messages/s" in told


def test_what_the_rebalances_of_the_group_cost(tmp_path: Path) -> None:
    files = runs.passed()
    group = {"rebalances": [{}, {}, {}], "longest_s": 6.24, "legal_redelivery": 48, "excess_redelivery": 1}
    files["metrics.json"]["group"] = {**group, "idle": ["c4"]}
    assert (
        "group      3 rebalances, longest 6.24 s, 48 legal re-deliveries, 1 excess re-delivery, idle: c4\n"
        in printed(tmp_path, files)
    )
    files["metrics.json"]["group"] = {
        **group,
        "rebalances": [{}],
        "moved": 7,
        "needed": 5,
        "messages": {"a": 1200, "b": 3},
    }
    told = "1 rebalance, longest 6.24 s, 7 partitions moved, 5 had to, 3 to 1,200 messages each, 48 legal"
    assert told in " ".join(printed(tmp_path, files).split())


@pytest.mark.parametrize("group", [None, {"rebalances": [], "longest_s": None}])
def test_without_rebalances_there_is_no_line_of_the_group(tmp_path: Path, group: Any) -> None:
    files = runs.passed()
    files["metrics.json"]["group"] = group
    assert "group" not in printed(tmp_path, files)


def test_what_faults_did_and_which_did_nothing(tmp_path: Path) -> None:
    files = runs.passed()
    bit = {"fault": "network cut", "effect": "1 connection was reset", "why": None}
    files["metrics.json"]["faults"] = [bit, bit | {"effect": None, "why": "all was read"}]
    shown = printed(tmp_path, files)
    assert "faults     network cut: 1 connection was reset\n           network cut: no effect: all was read\n" in shown


WINDOW = {"would_be_lost": {"max": 1100, "p99": 100}, "would_be_repeated": {"max": 50, "p99": 0}}


def test_what_a_kill_would_have_cost(tmp_path: Path) -> None:
    files = runs.passed()
    assert "a kill" not in printed(tmp_path, files)
    files["metrics.json"]["commit_window"] = WINDOW
    line = "a kill     at the worst moment: 1,100 lost, 50 repeated; in 99 % of the time at most 100 and 0\n"
    assert line in printed(tmp_path, files)


@pytest.mark.parametrize("odd", [None, [], {"would_be_lost": {}}, {**WINDOW, "would_be_lost": {"max": "x"}}])
def test_a_window_that_was_not_measured_is_not_told(tmp_path: Path, odd: Any) -> None:
    files = runs.passed()
    files["metrics.json"]["commit_window"] = odd
    assert "a kill" not in printed(tmp_path, files)
