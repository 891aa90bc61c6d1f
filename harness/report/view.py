"""A run that is under way, as a few lines of a terminal: from what is known of it to texts, and nothing else."""

from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, ConsoleOptions
from rich.text import Text

from harness.report.progress import Rate, harmless, in_words, speed
from harness.report.watching import Member, Watch

QUIET_S = 2.0
"""Who was handed nothing for so long is said to wait."""
MEMBERS_SHOWN, FAULTS_SHOWN, PARTITIONS_SHOWN, STAGES_SHOWN = 6, 4, 12, 3
BAR, BAR_FROM = 24, 72
"""How long a bar is, and how many columns a terminal must have for one."""
LABEL = 11


@dataclass
class Stage:
    """One stage of a run. total: None where nobody knows how much it is; said: its last news; detail: who does what."""

    name: str
    began: float
    ended: float | None = None
    done: float = 0
    total: float | None = None
    detail: str = ""
    said: str = ""
    rate: Rate = field(default_factory=Rate)


@dataclass(frozen=True)
class View:
    """The lines, cut where the terminal ends. messages: how many the scenario produces; now: on the clock of stages."""

    title: str
    messages: int
    stages: list[Stage]
    run: Watch
    now: float

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Any:
        bars = options.max_width >= BAR_FROM
        lines = [
            self._heading(options.max_width),
            self._stages(),
            *self._amounts("━" if not options.ascii_only else "=", bars=bars),
            *self._members(),
            *self._faults(),
        ]
        # One line less than there is, or the terminal scrolls at each drawing.
        for line in lines[: max(1, (options.height or options.size.height) - 1)]:
            line.no_wrap, line.overflow = True, "ellipsis"
            yield line

    def _heading(self, width: int) -> Text:
        seconds = int(self.now - self.stages[0].began) if self.stages else 0
        clock = f" {seconds // 60}:{seconds % 60:02}"
        title = Text(self.title, style="bold")
        title.truncate(max(1, width - len(clock)), overflow="ellipsis", pad=True)
        return title.append(clock, style="dim")

    def _stages(self) -> Text:
        """What is under way, and how long the last ones took."""
        line = Text()
        if self.stages:
            last = self.stages[-1]
            line.append(last.name, style="bold cyan").append(f" {self.now - last.began:.0f} s", style="bold")
            line.append(f": {last.said}" if last.said else "")
        for one in reversed(self.stages[-1 - STAGES_SHOWN : -1]):
            line.append(f" · {one.name} {(one.ended or self.now) - one.began:.1f} s", style="dim")
        return line

    def _amounts(self, stroke: str, *, bars: bool) -> list[Text]:
        run, stage = self.run, self.stages[-1] if self.stages else Stage("", self.now)
        rows: list[tuple[str, float, float]] = []
        if run.produced:
            rows.append(("produced", run.produced, self.messages))
        if stage.name == "read the log" and stage.total:
            rows.append(("read", stage.done, stage.total))
        if run.consumers:
            rows.append(("consumed", run.consumed, self.messages))
        lines = [_amount(*row, stroke if bars else "") for row in rows]
        if lines and stage.total:
            told = speed(stage.done, stage.total, stage.rate.per_s)
            lines[-1].append(f"  {told}" if told else "", style="cyan")
        if run.consumers:
            lines.append(_labelled("lag", self._lag()))
        lines += [_labelled("doubt", harmless(doubt), "yellow") for doubt in run.doubts[-1:]]
        return lines

    def _lag(self) -> str:
        """What was not handed over yet. What was handed over again, after a restart say, hides as much of it."""
        behind = max(0, (self.run.produced or self.messages) - self.run.consumed)
        sure = "" if len(self.run.consumers) == 1 else "at least "
        count = self.run.rebalances
        return f"{sure}{behind:,}   {count} rebalance{'' if count == 1 else 's'}"

    def _members(self) -> list[Text]:
        there = sorted(
            (member for member in self.run.consumers if not member.ended), key=lambda one: (len(one.name), one.name)
        )
        gone = [member for member in self.run.consumers if member.ended]
        lines = [self._member(member) for member in there[:MEMBERS_SHOWN]]
        if len(there) > MEMBERS_SHOWN:
            lines.append(_labelled("", f"… and {len(there) - MEMBERS_SHOWN} more", "dim"))
        if gone:
            told = ", ".join(f"{member.name} {member.ended} after {member.count:,}" for member in reversed(gone[-3:]))
            more = f", and {len(gone) - 3} before" if len(gone) > 3 else ""
            lines.append(_labelled("gone", told + more, "dim"))
        return lines

    def _member(self, member: Member) -> Text:
        owned = sorted(member.owned)
        told = f"owns {ranges(owned)}" if owned else "owns nothing"
        line = _labelled(harmless(member.name), f"{told}  {member.count:,}")
        step = self._steps().get(member.name, "")
        line.append(f"  {step}" if step else "", style="cyan")
        quiet_s = self.now - member.last_ns / 1e9
        if member.last_ns and quiet_s > QUIET_S:
            line.append(f"  nothing for {quiet_s:.0f} s", style="yellow")
        return line

    def _steps(self) -> dict[str, str]:
        """The step that each member is in, by name, of those that follow a script: `a1: take 100; b1: drain`."""
        parts = self.stages[-1].detail.split("; ") if self.stages else []
        return dict(part.split(": ", 1) for part in parts if ": " in part)

    def _faults(self) -> list[Text]:
        lines = []
        for fault in list(self.run.faults.values())[-FAULTS_SHOWN:]:
            lines.append(_labelled("fault", harmless(in_words(fault.name, fault.phase, fault.said)), "magenta"))
        return lines


def ranges(numbers: list[int]) -> str:
    """`0–3, 7`, the first few of them."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    told = [str(first) if first == last else f"{first}–{last}" for first, last in runs[:PARTITIONS_SHOWN]]
    return ", ".join(told) + (", …" if len(runs) > PARTITIONS_SHOWN else "")


def _labelled(label: str, text: str, style: str = "") -> Text:
    return Text().append(f"{label:<{LABEL}}", style="dim").append(text, style=style)


def _amount(name: str, done: float, total: float, stroke: str) -> Text:
    line = _labelled(name, "")
    if stroke:
        filled = int(BAR * min(1.0, done / total)) if total else 0
        line.append(stroke * filled, style="green").append(stroke * (BAR - filled), style="dim").append("  ")
    return line.append(f"{done:,.0f} of {total:,.0f}")
