"""The live view on a pseudo-terminal: a recorded run is shown as if it went on."""

import signal
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.ptys import Shown, run_on_pty

RECORDED = Path(__file__).resolve().parents[1] / "recordings" / "K1_iterator_close.tar.xz"
PROGRAM = """
import sys, time
from pathlib import Path
from harness import proc
from harness.report.progress import progress
from harness.report.terminal import Terminal

proc.answer_signals()
try:
    with progress(Terminal(stderr=True), quiet="--quiet" in sys.argv) as shown:
        if "--bars" not in sys.argv:
            shown.watch(Path(sys.argv[1]), title="K1: kafka-python==2.0.2", messages=800)
            shown.stage("broker start")
        shown.say("a line [bold]that[/bold] stays")
        time.sleep(0.4)
        shown.stage("consume")
        for step in range(15 if "--long" not in sys.argv else 400):
            shown.update("consume" if "--bars" not in sys.argv else "matrix", step * 50, 800, "c1")
            time.sleep(0.1)
except KeyboardInterrupt:
    sys.exit(130)
print("the end")
"""


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("live")
    with tarfile.open(RECORDED) as packed:
        packed.extractall(folder, filter="data")

    def show(*argv: str, **options: Any) -> Shown:
        command = [sys.executable, "-c", PROGRAM, folder / "K1_iterator_close", *argv]
        return run_on_pty(command, **options)

    return show


def test_a_run_is_drawn_and_wiped_away(show: Any) -> None:
    shown = show()
    assert (shown.exit_code, shown.stdout) == (0, "the end\n")
    assert (shown.strange, shown.sane, shown.cursor_is_back) == ([], True, True)
    pictures = [screen for screen in shown.screens if "consumed" in screen]
    assert len(pictures) > 2
    last = pictures[-1].splitlines()
    assert last[0].startswith("K1: kafka-python==2.0.2")
    assert any(line.startswith("consumed") and "600 of 800" in line and "/s" in line for line in last)
    assert "lag        at least 200   2 rebalances" in last
    assert "gone       a2 left after 50, a1 left after 550" in last
    assert any("broker start 0 s: a line [bold]that[/bold] stays" in screen for screen in shown.screens)
    assert shown.screens[-1] == "", "nothing is left of it"
    assert len(shown.raw) < 40_000, "a few pictures a second"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_leaves_the_terminal_as_it_was(show: Any, number: signal.Signals) -> None:
    sent = []

    def interrupt(process: subprocess.Popen[bytes], screen: str) -> None:
        if "consumed" in screen and not sent:
            sent.append(process.send_signal(number))

    shown = show("--long", act=interrupt, timeout_s=20)
    assert (shown.exit_code, shown.sane, shown.cursor_is_back) == (130, True, True)
    assert "consumed" not in shown.screens[-1]


def test_a_narrow_low_terminal(show: Any) -> None:
    shown = show(columns=30, lines=6)
    assert (shown.exit_code, shown.strange) == (0, [])
    pictures = [screen for screen in shown.screens if "consumed" in screen]
    assert pictures
    assert max(len(line) for screen in pictures for line in screen.splitlines()) <= 30


def test_without_colour_there_is_none(show: Any) -> None:
    coloured, plain = show(), show(env={"NO_COLOR": "1"})
    assert "\x1b[35m" in coloured.raw or "\x1b[1;36m" in coloured.raw
    assert "consumed" in plain.raw
    assert not any(f"\x1b[{code}" in plain.raw for code in ("3", "1;3", "38", "9"))


def test_a_terminal_that_cannot_move_gets_lines(show: Any) -> None:
    shown = show(env={"TERM": "dumb"})
    assert "\x1b" not in shown.raw
    assert "consume 0 of 800 (c1)" in shown.raw


def test_quiet_is_quiet_on_a_terminal_too(show: Any) -> None:
    assert (show("--quiet").raw, show("--quiet").stdout) == ("", "the end\n")


def test_without_a_run_there_is_a_line_for_each_thing(show: Any) -> None:
    shown = show("--bars")
    assert any("matrix" in screen and "c1" in screen and "%" in screen for screen in shown.screens)
    assert shown.screens[-1] == "a line [bold]that[/bold] stays", "only that is left"
    assert shown.cursor_is_back
