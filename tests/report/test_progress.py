import io
from pathlib import Path

import pytest
from rich.console import Console

from harness.journal import Journal
from harness.report.console import progress
from harness.report.progress import speed


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_at_most_every_two_seconds_a_stage() -> None:
    out, clock = io.StringIO(), Clock()
    with progress(Console(file=out), clock=clock) as told:
        told.update("producing", 0, 1000)
        for step in range(20):
            clock.now += 0.25
            told.update("producing", step * 10, 1000, "p1")
        told.say("c1 [started]\x1b[2J\nPASS")
        told.update("consuming")
    assert out.getvalue().splitlines() == [
        "producing 0 of 1,000",
        "producing 70 of 1,000, 35/s, about 27 s left (p1)",
        "producing 150 of 1,000, 40/s, about 21 s left (p1)",
        "c1 [started]\\x1b[2J PASS",
        "consuming",
    ]


def test_plain_lines_tell_each_fault_once(tmp_path: Path) -> None:
    (tmp_path / "history").mkdir()
    out, clock = io.StringIO(), Clock()
    journal = Journal(tmp_path / "history" / "harness.jsonl")
    with journal, progress(Console(file=out), clock=clock) as told:
        told.watch(tmp_path, title="mine", messages=10)
        told.stage("consume")
        for phase, effect in (("injecting", None), ("injected", "it\x1b[2J died"), ("healed", None)):
            journal.write("fault", fault="kill c1", phase=phase, effect=effect)
            for _ in range(2):
                clock.now += 2
                told.update("consume")
        journal.write("fault", fault="freeze c2", phase="injected", effect=None, why="all was read")
    assert [line for line in out.getvalue().splitlines() if line != "consume"] == [
        "fault kill c1 begins",
        "fault kill c1: it\\x1b[2J died",
        "fault kill c1 (undone): it\\x1b[2J died",
        "fault freeze c2: all was read",
    ]


def test_a_log_with_colour_is_still_a_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    out = io.StringIO()
    with progress(Console(file=out)) as told:
        told.update("producing", 1, 4)
    assert out.getvalue() == "producing 1 of 4\n"


def test_quiet_is_silent() -> None:
    out = io.StringIO()
    with progress(Console(file=out), quiet=True) as told:
        told.say("x")
        told.update("producing", 1, 2)
    assert out.getvalue() == ""


def test_the_default_goes_to_stderr(capsys) -> None:  # type: ignore[no-untyped-def]
    with progress() as told:
        told.say("x")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "x\n")


def test_a_terminal_gets_moving_lines_without_markup() -> None:
    out = io.StringIO()
    with progress(Console(file=out, force_terminal=True, width=120)) as told:
        told.update("[bold]producing[/bold]", 1, 4, "[red]p1[/red]")
        told.update("[bold]producing[/bold]", 4, 4, "[red]p1[/red]\x1b[2J")
        told.say("[green]said[/green]")
    text = out.getvalue()
    assert "[bold]producing[/bold]" in text
    assert "[red]p1[/red]\\x1b[2J" in text
    assert "[green]said[/green]" in text
    assert "100%" in text


def test_what_takes_seconds_each_has_no_rate() -> None:
    assert speed(4, 12, 0.05) == "about 3 min left"
    assert speed(4, None, 0.05) == ""
    assert speed(500, 1_000, 100) == "100/s, about 5 s left"


def test_who_knows_what_is_left_is_not_contradicted() -> None:
    out, clock = io.StringIO(), Clock()
    with progress(Console(file=out), clock=clock) as told:
        told.update("matrix", 3, 104, "ssl_iter; about 14 min left")
        clock.now += 3
        told.update("matrix", 9, 104, "ssl_iter; about 13 min left")
    assert out.getvalue().splitlines() == [
        "matrix 3 of 104 (ssl_iter; about 14 min left)",
        "matrix 9 of 104 (ssl_iter; about 13 min left)",
    ]
