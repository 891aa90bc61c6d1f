"""What the harness is doing right now, on stderr.

On a terminal one moving line a stage; elsewhere (a CI log) plain lines, one when a stage begins and then at most one
every PLAIN_INTERVAL_S; nothing at all when quiet. stdout stays free for what was asked for.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from harness.report.facts import clean, one_line

if TYPE_CHECKING:
    from rich.console import Console

PLAIN_INTERVAL_S = 2.0


class Progress(Protocol):
    """What a stage tells of itself."""

    def say(self, text: str) -> None:
        """A line that stays."""

    def update(self, stage: str, done: float = 0, total: float | None = None, detail: str = "") -> None:
        """How far `stage` is; without a total it is merely under way."""


@contextlib.contextmanager
def progress(
    console: "Console | None" = None, *, quiet: bool = False, clock: Callable[[], float] = time.monotonic
) -> Iterator[Progress]:
    """Progress for the time of a with-block. `console` must write to stderr, as the default one does."""
    if quiet:
        yield Silent()
        return
    from rich.console import Console

    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield Plain(console, clock)
        return
    with _live(console) as bars:
        yield Live(bars)


class Silent:
    """Says nothing."""

    def say(self, text: str) -> None:
        pass

    def update(self, stage: str, done: float = 0, total: float | None = None, detail: str = "") -> None:
        pass


class Plain:
    """Lines for a log. Stages may be told of from several threads."""

    def __init__(self, console: "Console", clock: Callable[[], float]) -> None:
        self.console = console
        self.clock = clock
        self.lock = threading.Lock()
        self.told: dict[str, float] = {}

    def say(self, text: str) -> None:
        self._print(_harmless(text))

    def update(self, stage: str, done: float = 0, total: float | None = None, detail: str = "") -> None:
        with self.lock:
            now = self.clock()
            if stage in self.told and now - self.told[stage] < PLAIN_INTERVAL_S:
                return
            self.told[stage] = now
        amount = f" {done:,.0f} of {total:,.0f}" if total else f" {done:,.0f}" if done else ""
        self._print(_harmless(f"{stage}{amount}{f' ({detail})' if detail else ''}"))

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


class Live:
    """Moving lines for a terminal."""

    def __init__(self, bars: Any) -> None:
        self.bars = bars
        self.lock = threading.Lock()
        self.tasks: dict[str, Any] = {}

    def say(self, text: str) -> None:
        self.bars.console.print(_harmless(text), markup=False, highlight=False, emoji=False, soft_wrap=True)

    def update(self, stage: str, done: float = 0, total: float | None = None, detail: str = "") -> None:
        with self.lock:
            if stage not in self.tasks:
                self.tasks[stage] = self.bars.add_task(_harmless(stage), total=total, detail="")
            self.bars.update(self.tasks[stage], completed=done, total=total, detail=_harmless(detail))


def _live(console: "Console") -> Any:
    from rich import progress as rich_progress

    return rich_progress.Progress(
        rich_progress.SpinnerColumn(),
        # markup=False: a stage's name or detail may carry what a client or broker said.
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(bar_width=24),
        rich_progress.TaskProgressColumn(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("{task.fields[detail]}", markup=False, style="dim"),
        console=console,
        transient=True,
    )


def _harmless(value: str) -> str:
    return one_line(clean(value))
