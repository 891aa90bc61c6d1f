"""What the harness is doing right now, on stderr.

On a terminal a moving picture (`live`); elsewhere (a CI log) plain lines, one when a stage begins and then at most one
every PLAIN_INTERVAL_S; nothing at all when quiet. stdout stays free for what was asked for.
"""

import contextlib
import os
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.report.facts import clean, one_line

if TYPE_CHECKING:
    from rich.console import Console

    from harness.report.watching import Watch

PLAIN_INTERVAL_S = 2.0
RATE_S = 3.0
"""A rate is that of the last few seconds."""


class Progress(Protocol):
    """What a stage tells of itself."""

    def say(self, text: str) -> None:
        """A line of a log; on a terminal that shows a run it stays only as long as it is news."""

    def watch(self, run: Path, *, title: str, messages: int) -> None:
        """A run begins, and its folder may be looked into while it lasts; `messages` will be produced."""

    def stage(self, name: str) -> None:
        """A stage of a run begins, and the one before it is over."""

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
    if not _moves(console):
        plain = Plain(console, clock)
        try:
            yield plain
        finally:
            plain.close()
        return
    from harness.report.live import Live

    with Live(console, clock) as shown:
        yield shown


def _moves(console: "Console") -> bool:
    """Whether lines can be drawn anew. FORCE_COLOR, which CI systems set, asks a log for colour only."""
    if not console.is_terminal or console.is_dumb_terminal:
        return False
    return not os.environ.get("FORCE_COLOR") or console.file.isatty()


class Silent:
    """Says nothing."""

    def say(self, text: str) -> None:
        pass

    def watch(self, run: Path, *, title: str, messages: int) -> None:
        pass

    def stage(self, name: str) -> None:
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
        self.rates: dict[str, Rate] = defaultdict(Rate)
        self.run: Watch | None = None
        self.faults: dict[str, tuple[str, str]] = {}  # the last of each that was told

    def say(self, text: str) -> None:
        self._print(harmless(text))

    def watch(self, run: Path, *, title: str, messages: int) -> None:
        from harness.report.watching import Watch

        self.run = Watch(run)

    def stage(self, name: str) -> None:
        self._tell_faults()
        self.say(name)

    def update(self, stage: str, done: float = 0, total: float | None = None, detail: str = "") -> None:
        with self.lock:
            now = self.clock()
            self.rates[stage].add(now, done)
            if stage in self.told and now - self.told[stage] < PLAIN_INTERVAL_S:
                return
            self.told[stage] = now
            # Who knows better what is left says so itself.
            told = speed(done, total, self.rates[stage].per_s) if total and not detail.endswith(" left") else ""
        self._tell_faults()
        amount = f" {done:,.0f} of {total:,.0f}" if total else f" {done:,.0f}" if done else ""
        self._print(harmless(f"{stage}{amount}{f', {told}' if told else ''}{f' ({detail})' if detail else ''}"))

    def _tell_faults(self) -> None:
        """Each phase of a fault that there has been since; of two at once the last."""
        if self.run is None:
            return
        self.run.look()
        for fault in self.run.faults.values():
            seen = fault.phase, fault.said
            if self.faults.get(fault.name) != seen:
                self.faults[fault.name] = seen
                self._print(harmless(f"fault {in_words(fault.name, *seen)}"))

    def close(self) -> None:
        if self.run is not None:
            self._tell_faults()
            self.run.close()

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


class Rate:
    """How fast a count goes up, by what it was in the last seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, float]] = deque()

    def add(self, now: float, count: float) -> None:
        if self._seen and count < self._seen[-1][1]:
            self._seen.clear()
        self._seen.append((now, count))
        while len(self._seen) > 2 and now - self._seen[1][0] > RATE_S:
            self._seen.popleft()

    @property
    def per_s(self) -> float:
        """0 where it does not go up."""
        if len(self._seen) < 2:
            return 0.0
        (begin, before), (end, after) = self._seen[0], self._seen[-1]
        return (after - before) / (end - begin) if end > begin else 0.0


def speed(done: float, total: float | None, per_s: float) -> str:
    """`1,200/s, about 12 s left`, of what takes longer than a second each the second half; empty where nothing can be
    said."""
    told = [f"{per_s:,.0f}/s"] if per_s >= 1 else []
    if per_s > 0 and total and done < total:
        seconds = (total - done) / per_s
        told.append(f"about {seconds:.0f} s left" if seconds < 90 else f"about {seconds / 60:.0f} min left")
    return ", ".join(told)


def in_words(fault: str, phase: str, said: str) -> str:
    """A fault's last phase, `kill c1 (undone): it was killed`; said: what proves its effect, or why it had none."""
    done = {"injecting": " begins", "healing": " (being undone)", "healed": " (undone)"}.get(phase, "")
    return f"{fault}{done}" + (f": {said}" if said else "")


def harmless(value: str) -> str:
    """Text of whatever origin as one line without any control sequence."""
    return one_line(clean(value))
