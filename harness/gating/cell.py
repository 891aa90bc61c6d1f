"""One scenario of a gate: baseline and candidate in turns, on one log, until it is decided or the time is up.

Both are fresh processes for each reading, one after the other: baseline, candidate, candidate, baseline, and so on. Two
neighbours make a pair; of each two pairs the inner neighbours are one and the same client, and show what the machine
alone makes of a ratio. CPU time is counted by that of a fixed piece of work, done beside the client's in its own
process: a second of a core that shares its hardware is not always worth the same. What a reading delivered is counted
from the identities that it recorded: loss needs no statistics.
"""

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.clients.envs import prepare
from harness.clients.spec import ClientSpec
from harness.errors import HarnessError
from harness.gating.limits import WORDS, Limit, limits
from harness.gating.statistics import FAIL, PASS, STAGES, UNKNOWN, Bound, bound, decide, drifts, none_in
from harness.measuring.course import Course, Way
from harness.report.progress import Progress
from harness.scenario import Scenario

CALIBRATION = 20_000
"""So many messages are read first, to see how fast the baseline is."""
STEADY_S = 1.0
"""A reading is to take about so long,"""
STEADY_CPU_S = 0.1
"""and on a busy machine, which gives it little of a second, until it has had so much: a clock tells less of less."""
PATIENCE_S = 60
"""One reading may take so long, whatever the gate may."""
BROKEN = {"corrupt": "messages with a wrong value were", "strange": "messages that nobody sent were"}
SIDES = ("baseline", "candidate")


@dataclass
class Side:
    """A client, and its readings, of both sides in the order in which they were made.

    first: the ones before, which showed how fast it is. Their speed counts for nothing; what they lost was lost.
    """

    client: str
    readings: list[dict[str, Any]] = field(default_factory=list)
    first: list[dict[str, Any]] = field(default_factory=list)

    def total(self, *names: str) -> int:
        return sum(int(reading.get(name) or 0) for reading in self.first + self.readings for name in names)


@dataclass
class Judged:
    """One limit: the candidate's cost beside the baseline's, and the client's beside its own."""

    limit: Limit
    found: Bound | None
    control: Bound | None

    @property
    def verdict(self) -> str:
        """No drift of the machine is taken for a client's."""
        return UNKNOWN if drifts(self.control, self.limit.tolerance) else decide(self.found, self.limit.tolerance)

    @property
    def words(self) -> str:
        name, most = WORDS[self.limit.figure], 1 + self.limit.tolerance
        if self.found is None:
            return f"{name}: too few pairs to say anything"
        told = f"{name}: {self.found.ratio:.3f} times the cost ({self.found.low:.3f} to {self.found.high:.3f})"
        told += f", {most:.3f} is allowed, {self.found.pairs} pairs"
        if drifts(self.control, self.limit.tolerance):
            return told + "; the machine changed meanwhile: the same client differed from itself by as much"
        return told + ("; cannot tell" if self.verdict == UNKNOWN else "")


@dataclass
class Cell:
    """What came of one scenario.

    one_python: whether both sides run on one Python, which does the fixed piece of work; on two its CPU time would tell
    their difference, too. error: why it could not be measured, and then it is UNKNOWN.
    """

    scenario: Scenario
    baseline: Side
    candidate: Side
    limits: list[Limit]
    messages: int = 0
    seconds: float = 0.0
    one_python: bool = True
    error: str | None = None

    @property
    def paced(self) -> bool:
        """Whether CPU time is counted by the machine's pace, not by the second."""
        return self.one_python and all(reading["pace_ns"] for _, side in self.sides() for reading in side.readings)

    def sides(self) -> Iterator[tuple[str, Side]]:
        yield from zip(SIDES, (self.baseline, self.candidate), strict=True)

    def judged(self) -> list[Judged]:
        return [Judged(limit, bound(self._ratios(limit)), bound(self._control(limit))) for limit in self.limits]

    def _ratios(self, limit: Limit) -> list[float]:
        """By pair, the logarithm of how many times as much the candidate costs."""
        both = zip(self.baseline.readings, self.candidate.readings, strict=False)
        return _log_ratios(limit, both, paced=self.paced)

    def _control(self, limit: Limit) -> list[float]:
        """Neighbours that are the same client: of the pairs 1 and 2 the candidates, of 2 and 3 the baselines, …"""
        pairs = min(len(self.baseline.readings), len(self.candidate.readings))
        sides = [(self.candidate if number % 2 == 0 else self.baseline).readings for number in range(pairs - 1)]
        neighbours = [(readings[number], readings[number + 1]) for number, readings in enumerate(sides)]
        return _log_ratios(limit, neighbours, paced=self.paced)

    @property
    def lost(self) -> int:
        return self.candidate.total("lost")

    @property
    def broken(self) -> bool:
        """Whether the candidate lost more than is allowed, or handed over what nobody sent: proof, whatever else is."""
        return self.lost > self.scenario.gate.loss or bool(self.candidate.total("corrupt", "strange"))

    @property
    def verdict(self) -> str:
        """FAIL > UNKNOWN > PASS."""
        if self.broken:
            return FAIL
        if self.error is not None or self.candidate.total("repeated") or not self.candidate.total("messages"):
            return UNKNOWN
        found = {judged.verdict for judged in self.judged()}
        return next((verdict for verdict in (FAIL, UNKNOWN) if verdict in found), PASS)

    def reasons(self) -> list[str]:
        """One line for each thing that was judged."""
        read, lost, repeated = (self.candidate.total(name) for name in ("messages", "lost", "repeated"))
        said = []
        if lost:
            said.append(f"{lost:,} of {read + lost:,} messages lost by {self.candidate.client}")
        elif read:
            said.append(f"none lost in {read:,}: the true share is below {none_in(read):.1g}, with 95 % certainty")
        if self.baseline.total("lost"):
            said.append(f"the baseline, {self.baseline.client}, lost {self.baseline.total('lost'):,}")
        for name, words in BROKEN.items():
            if count := self.candidate.total(name):
                said.append(f"{count:,} {words} handed over by {self.candidate.client}")
        if repeated:
            said.append(f"{repeated:,} were handed over twice; `harness run` can tell whether they may")
        if self.error is not None:
            said.append(f"not measured: {self.error}")
        return said + [judged.words for judged in self.judged() if judged.found is not None or self.error is None]

    def as_json(self) -> dict[str, Any]:
        return {
            "scenario": self.scenario.name,
            "verdict": self.verdict,
            "reasons": self.reasons(),
            "messages": self.messages,
            "seconds": round(self.seconds, 1),
            "paced": self.paced,
            "allowed": {"loss": self.scenario.gate.loss} | {limit.figure: limit.tolerance for limit in self.limits},
            "limits": [
                {
                    "figure": one.limit.figure,
                    "verdict": one.verdict,
                    "ratio": one.found and asdict(one.found),
                    "control": one.control and asdict(one.control),
                }
                for one in self.judged()
            ],
            "sides": {name: asdict(side) for name, side in self.sides()},
        }


def _log_ratios(limit: Limit, pairs: Iterable[tuple[dict[str, Any], dict[str, Any]]], *, paced: bool) -> list[float]:
    return [math.log(limit.cost(other, paced=paced) / limit.cost(one, paced=paced)) for one, other in pairs]


def measure(
    cell: Cell, ways: tuple[Way, Way], folder: Path, *, limit_s: float, progress: Progress, after: Callable[[], None]
) -> None:
    """Read in turns until every limit is decided, a message is lost beyond what is allowed, or the time is up.

    ways: of baseline and candidate; after: called after each pair. What goes wrong is the cell's `error`.
    """
    began = time.monotonic()
    cell.one_python = ways[0].env.python_version == ways[1].env.python_version
    try:
        with Course(cell.scenario, folder, progress, paced=True) as course:
            course.limit_s = max(PATIENCE_S, limit_s)
            cell.messages = _settle(cell, course, ways, progress)
            settled = time.monotonic()
            for number in range(0 if cell.broken else STAGES[-1]):
                _pair(cell, course, ways, number)
                after()
                now = time.monotonic()
                took_s, next_s = now - began, (now - settled) / (number + 1)
                told = f"{cell.scenario.name}: at most {max(0, limit_s - took_s):.0f} s left"
                progress.update("gate", number + 1, STAGES[-1], told)
                if _over(cell, number + 1) or took_s + next_s > limit_s:
                    break
    except HarnessError as error:
        cell.error = f"[{error.slug}] {error.what}"
    cell.seconds = time.monotonic() - began


def _settle(cell: Cell, course: Course, ways: tuple[Way, Way], progress: Progress) -> int:
    """Write as many messages as make a reading of the right length; a client of another family makes sure of them.

    Both sides have read once then, and what they delivered counts.
    """
    asked, security = course.scenario.messages, ways[0].security
    reader = prepare(ClientSpec(ways[1].env.spec.client.reader).pinned(), progress=progress.say, security=security)
    course.turn_to("calibration", min(asked, CALIBRATION), security)
    course.check(reader, security)
    for (_, side), way in zip(cell.sides(), ways, strict=True):
        side.first.append(asdict(course.read(way)))
    if cell.broken:
        return course.scenario.messages
    rate, cpu_s = (cell.baseline.first[0][name] for name in ("throughput_msgs_per_s", "cpu_s_per_million"))
    wanted = min(asked, max(CALIBRATION, int(rate * STEADY_S), int(STEADY_CPU_S * 1e6 / cpu_s)))
    if wanted > course.scenario.messages:
        progress.say(f"{rate:,.0f} messages a second: writing {wanted:,}")
        course.turn_to("measured", wanted, security)
        course.check(reader, security)
    return course.scenario.messages


def _pair(cell: Cell, course: Course, ways: tuple[Way, Way], number: int) -> None:
    sides = list(zip((cell.baseline, cell.candidate), ways, strict=True))
    for side, way in sides if number % 2 == 0 else reversed(sides):
        side.readings.append(asdict(course.read(way)))


def _over(cell: Cell, pairs: int) -> bool:
    if cell.broken:
        return True
    return pairs in STAGES and all(one.verdict != UNKNOWN for one in cell.judged())


def cell_of(scenario: Scenario, baseline: str, candidate: str, tolerance: float | None) -> Cell:
    return Cell(scenario, Side(baseline), Side(candidate), limits(scenario.gate, tolerance))
