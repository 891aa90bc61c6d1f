"""The live view as a picture: what stands in it, and that it fits."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from harness.report.view import Stage, View, ranges
from harness.report.watching import FaultSeen, Member, Watch


def watched() -> Watch:
    watch = Watch(Path("/nowhere"))
    members = [
        Member("p1", "produce", 40_000, 1),
        Member("c1", "consume", 5_120, 1, ended="killed"),
        Member("c2", "consume", 17_190, int(100e9), {0, 1, 2, 5}),
        Member("c3", "consume", 0, int(93e9)),
    ]
    watch.members = {member.name: member for member in members}
    watch.faults = {"kill c1": FaultSeen("kill c1", "injected", "its process died by SIGKILL")}
    watch.rebalances = 2
    return watch


def stages() -> list[Stage]:
    made = [Stage("broker start", 77.0, 82.0), Stage("produce", 82.0, 85.5), Stage("consume", 85.5)]
    made[-1].done, made[-1].total = 22_310, 40_000
    for at, count in ((98.0, 16_000), (99.0, 19_000), (100.0, 22_310)):
        made[-1].rate.add(at, count)
    return made


def drawn(
    width: int, height: int = 25, watch: Watch | None = None, title: str = "ssl_iter: kafka-python==2.0.2"
) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, width=width, height=height)
    console.print(View(title, 40_000, stages(), watch or watched(), 100.5), end="")
    return out.getvalue()


def test_everything_that_matters_is_there() -> None:
    lines = [line.rstrip() for line in drawn(100).splitlines()]
    assert lines[0].startswith("ssl_iter: kafka-python==2.0.2")
    assert lines[0].endswith(" 0:23")
    assert lines[1:] == [
        "consume 15 s · produce 3.5 s · broker start 5.0 s",
        f"produced   {'━' * 24}  40,000 of 40,000",
        f"consumed   {'━' * 24}  22,310 of 40,000  3,155/s, about 6 s left",
        "lag        at least 17,690   2 rebalances",
        "c2         owns 0–2, 5  17,190",
        "c3         owns nothing  0  nothing for 8 s",
        "gone       c1 killed after 5,120",
        "fault      kill c1: its process died by SIGKILL",
    ]


def test_news_and_steps_are_shown() -> None:
    going = stages()
    going[-1].said, going[-1].detail = "starting Kafka", "c2: take 100; c3"
    out = io.StringIO()
    Console(file=out, width=100).print(View("x", 40_000, going, watched(), 100.5))
    assert "consume 15 s: starting Kafka · produce 3.5 s" in out.getvalue()
    assert "c2         owns 0–2, 5  17,190  take 100" in out.getvalue()


@pytest.mark.parametrize("width", [10, 20, 40, 60, 80, 200])
@pytest.mark.parametrize("height", [3, 8, 25])
def test_it_fits_every_terminal(width: int, height: int) -> None:
    lines = drawn(width, height).splitlines()
    assert all(len(line) <= width for line in lines)
    assert len(lines) < height


def test_a_narrow_terminal_has_no_bars() -> None:
    assert "━" not in drawn(60)
    assert "consumed   22,310 of 40,000  3,155/s, about 6 s left" in drawn(60)


def test_many_members_are_counted_not_listed() -> None:
    watch = watched()
    for number in range(50):
        watch.members[f"m{number}"] = Member(f"m{number}", "consume", owned={number})
        watch.members[f"x{number}"] = Member(f"x{number}", "consume", 9, ended="left")
    text = drawn(80, 50, watch)
    assert "… and 46 more" in text
    assert "x49 left after 9, x48 left after 9, x47 left after 9, and 48 before" in text


def test_hostile_text_is_only_text() -> None:
    watch = watched()
    watch.faults = {"x": FaultSeen("[red]x\x1b[2J", "injected", "[bold]PASS\n\x9b31m")}
    watch.doubts = ["one\n\x1b]0;two\x07"]
    text = drawn(120, 25, watch)
    assert "\x1b" not in text
    assert "\x9b" not in text
    assert "[red]x\\x1b[2J: [bold]PASS \\x9b31m" in text
    assert "doubt      one \\x1b]0;two\\x07" in text


def test_partitions_as_ranges() -> None:
    assert ranges([0, 1, 2, 5]) == "0–2, 5"
    assert ranges(list(range(1000))) == "0–999"
    assert ranges(list(range(0, 40, 2))).endswith("22, …")
