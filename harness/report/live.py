"""The moving picture on a terminal, drawn anew some times a second by a thread of rich's.

A run is shown as `view` makes it of what its files tell. Where no run is watched (a matrix, a search, the selftest)
there is one moving line for each thing that tells how far it is.
"""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich import progress as rich_progress
from rich.console import Console, RenderableType
from rich.live import Live as Screen

from harness.report.progress import harmless
from harness.report.view import Stage, View
from harness.report.watching import Watch

LOOKS_PER_S = 4


class Live:
    """A context: leaving it, however, gives the terminal its cursor and its lines back.

    Stages may be told of from several threads. clock: seconds, on the clock of the workers' histories.
    """

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self.clock = clock
        self.lock = threading.RLock()
        self.bars = _bars(console)
        self.tasks: dict[str, Any] = {}
        self.stages: list[Stage] = []
        self.run: Watch | None = None
        self.title, self.messages = "", 0
        self.screen = Screen(
            console=console,
            get_renderable=self._drawn,
            refresh_per_second=LOOKS_PER_S,
            transient=True,
            redirect_stdout=False,  # stdout is for what was asked for
        )

    def __enter__(self) -> "Live":
        try:
            self.screen.start()
        except BaseException:  # an interrupt too
            self.screen.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.screen.stop()
        if self.run is not None:
            self.run.close()

    def say(self, text: str) -> None:
        with self.lock:
            if self.run is not None and self.stages:
                self.stages[-1].said = harmless(text)
                return
        self.console.print(harmless(text), markup=False, highlight=False, emoji=False, soft_wrap=True)

    def watch(self, run: Path, *, title: str, messages: int) -> None:
        with self.lock:
            self.run, self.title, self.messages = Watch(run), harmless(title), messages

    def stage(self, name: str) -> None:
        with self.lock:
            now = self.clock()
            if self.stages:
                self.stages[-1].ended = now
            self.stages.append(Stage(harmless(name), now))

    def update(self, stage: str, done: float = 0, total: float | None = None, detail: str = "") -> None:
        name, told = harmless(stage), harmless(detail)
        with self.lock:
            if self.run is not None and self.stages:
                now = self.stages[-1]
                if now.name.endswith(name):  # of "produce and consume" the latter
                    now.done, now.total, now.detail = done, total, told
                return
            if name not in self.tasks:
                self.tasks[name] = self.bars.add_task(name, total=total, detail="")
            self.bars.update(self.tasks[name], completed=done, total=total, detail=told)

    def _drawn(self) -> RenderableType:
        with self.lock:
            if self.run is None:
                return self.bars.get_renderable()
            self.run.look()
            now = self.clock()
            if self.stages:
                self.stages[-1].rate.add(now, self.stages[-1].done)
            return View(self.title, self.messages, list(self.stages), self.run, now)


def _bars(console: Console) -> rich_progress.Progress:
    return rich_progress.Progress(
        rich_progress.SpinnerColumn(),
        # markup=False: a stage's name or detail may carry what a client or broker said.
        rich_progress.TextColumn("{task.description}", markup=False),
        rich_progress.BarColumn(bar_width=24),
        rich_progress.TaskProgressColumn(),
        rich_progress.TimeElapsedColumn(),
        rich_progress.TextColumn("{task.fields[detail]}", markup=False, style="dim"),
        console=console,
    )
