"""Pure: the geometry of the page's pictures over time; this one is throughput and lag, `lanes` who owned what.

Only numbers are worked out here; the template draws them, so that every text in a picture is escaped like the rest of
the page. Each picture is laid out for one width in pixels: the page holds a wide and a narrow one and shows what fits.
The page's script zooms: it moves what has a place on the time axis, and knows no more of it than that place. All times
count from the first event of the run's histories, as in verdict.json and metrics.json.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.facts import integer, number, text

LEFT, RIGHT, TOP, BOTTOM = 52, 12, 46, 40
# Each line has a panel and a scale of its own: producers are often ten times as fast as the client under test.
PANELS = (("produced", "messages/s", 56), ("delivered", "messages/s", 150), ("lag", "messages", 90))
PANEL_GAP = 46
MARKS_MAX = 60
BANDS_MAX = 200
LETTER_WIDTH = 6.6
TIME_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A moment on the time axis. `label` is empty where it would cover its neighbour; `text` always stands."""

    x: float
    text: str
    label: str
    anchor: str


@dataclass(frozen=True)
class Panel:
    """One line over time; it has gaps where bins have no number."""

    name: str
    unit: str
    top: float
    base: float
    lines: list[str]
    areas: list[str]
    ticks: list[Tick]
    peak: float


@dataclass(frozen=True)
class Band:
    """A stretch of time in which a fault or a rebalance was under way. `kind`: fault or rebalance."""

    x: float
    width: float
    kind: str
    text: str


@dataclass(frozen=True)
class Axis:
    """A linear scale from seconds to pixels."""

    start: float
    end: float
    left: float
    right: float

    def x(self, value: float) -> float:
        share = (value - self.start) / (self.end - self.start)
        return round(self.left + min(1.0, max(0.0, share)) * (self.right - self.left), 1)

    def ticks(self) -> list[Tick]:
        room = max(2, int((self.right - self.left) / 80))
        step = next((s for s in TIME_STEPS if (self.end - self.start) / s <= room), (self.end - self.start) / room)
        first = math.ceil(round(self.start / step, 6))
        last = math.floor(round(self.end / step, 6))
        return [Tick(self.x(i * step), f"{i * step:.10g}") for i in range(first, last + 1)]


@dataclass(frozen=True)
class Throughput:
    width: int
    height: float
    axis: Axis
    base: float
    panels: list[Panel]
    marks: list[Mark]
    bands: list[Band]


def axis_of(within: tuple[float, float], width: int) -> Axis:
    """The time axis of every picture of that width."""
    return Axis(*within, LEFT, width - RIGHT)


def time_range(metrics: dict[str, Any], ownerships: Sequence[dict[str, Any]]) -> tuple[float, float] | None:
    """From when to when all pictures go, in seconds since the first event, so that one stands under the other."""
    seconds, bin_s = _bins(metrics)
    moments = [value / 1e9 for value in _moments(ownerships)]
    moments += [seconds[0], seconds[-1] + bin_s] if seconds else []
    if not moments:
        return None
    return min(moments), max(max(moments), min(moments) + 0.001)


def _moments(ownerships: Sequence[dict[str, Any]]) -> list[int]:
    values = (integer(row.get(key)) for row in ownerships for key in ("start_ns", "end_ns"))
    return [value for value in values if value is not None]


def _bins(metrics: dict[str, Any]) -> tuple[list[float], float]:
    """When each bin begins and how long it is; nothing where there are not two bins, or they make no sense."""
    timeline = metrics.get("timeline")
    times = [number(value) for value in _list(timeline.get("t_s"))] if isinstance(timeline, dict) else []
    seconds = [value for value in times if value is not None]
    rising = all(a < b for a, b in itertools.pairwise(seconds))
    if len(seconds) < 2 or len(seconds) != len(times) or not rising:
        return [], 0.0
    return seconds, (seconds[-1] - seconds[0]) / (len(seconds) - 1)


def throughput(metrics: dict[str, Any], *, within: tuple[float, float] | None, width: int) -> Throughput | None:
    """Produced and delivered messages a second, and the lag. None where there are not two bins to draw."""
    seconds, bin_s = _bins(metrics)
    if not seconds or within is None:
        return None
    axis = axis_of(within, width)
    panels: list[Panel] = []
    for name, unit, height in PANELS:
        rates = _rates(metrics["timeline"].get(name), len(seconds))
        # Nothing is produced in a run that reads a log which was there before: an empty panel would say nothing.
        if any(rates) or (name == "delivered" and any(rate is not None for rate in rates)):
            top = panels[-1].base + PANEL_GAP if panels else TOP
            middles = [axis.x(start + bin_s / 2) for start in seconds]
            panels.append(_panel(name, unit, rates, middles, top=top, height=height))
    if not panels:
        return None
    return Throughput(
        width=width,
        height=panels[-1].base + BOTTOM,
        axis=axis,
        base=panels[-1].base,
        panels=panels,
        marks=_marks(metrics.get("marks"), axis),
        bands=bands(metrics, axis),
    )


def bands(metrics: dict[str, Any], axis: Axis) -> list[Band]:
    """When faults and rebalances were under way; a fault that was not undone has no end, and no band."""
    group = metrics.get("group")
    told = [("fault", row, row.get("until_s"), text(row.get("fault"))) for row in _objects(metrics.get("faults"))]
    for row in _objects(group.get("rebalances") if isinstance(group, dict) else None):
        begin, lasted = number(row.get("t_s")), number(row.get("duration_s"))
        end = begin + lasted if begin is not None and lasted is not None else None
        told.append(("rebalance", row, end, "rebalance"))
    found = []
    for kind, row, until, words in told[:BANDS_MAX]:
        begin, end = number(row.get("t_s")), number(until)
        if begin is None or end is None or end < axis.start or begin > axis.end:
            continue
        x = axis.x(begin)
        found.append(Band(x, max(1.5, round(axis.x(end) - x, 1)), kind, f"{words}, {begin:.2f} s to {end:.2f} s"))
    return found


def _panel(
    name: str, unit: str, rates: Sequence[float | None], xs: Sequence[float], *, top: float, height: float
) -> Panel:
    peak = max(rate for rate in rates if rate is not None)
    step = _nice(max(peak, 1) / max(1, round(height / 45)))
    ceiling = step * max(1, math.ceil(round(peak / step, 6)))
    base = top + height
    stretches: list[list[tuple[float, float]]] = [[]]
    for rate, x in zip(rates, xs, strict=True):
        if rate is None:
            stretches.append([])
        else:
            stretches[-1].append((x, round(base - rate / ceiling * height, 1)))
    drawn = [points for points in stretches if points]
    return Panel(
        name=name,
        unit=unit,
        top=top,
        base=base,
        lines=[_path(points) for points in drawn],
        areas=[f"{_path(points)} L{points[-1][0]:g} {base:g} L{points[0][0]:g} {base:g} Z" for points in drawn],
        ticks=[Tick(base - i * step / ceiling * height, _short(i * step)) for i in range(round(ceiling / step) + 1)],
        peak=peak,
    )


def _rates(values: Any, bins: int) -> list[float | None]:
    """Messages a second by bin; a bin without a number is a gap, never a zero."""
    found = [number(value) for value in _list(values)][:bins]
    return found + [None] * (bins - len(found))


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in points)


def _marks(marks: Any, axis: Axis) -> list[Mark]:
    """Restarts and their like, in order of time, labelled as far as their labels do not touch."""
    placed: list[Mark] = []
    free_from = 0.0
    moments = [(number(m.get("t_s")), text(m.get("text"))) for m in _list(marks) if isinstance(m, dict)]
    for t_s, words in sorted((t, w) for t, w in moments if t is not None)[:MARKS_MAX]:
        if not axis.start <= t_s <= axis.end:
            continue
        x = axis.x(t_s)
        room = len(words) * LETTER_WIDTH
        anchor = "end" if x + room > axis.right else "start"
        begins = x - room if anchor == "end" else x
        fits = begins >= free_from and begins >= 0
        placed.append(Mark(x, words, words if fits else "", anchor))
        if fits:
            free_from = begins + room + 10
    return placed


def _nice(value: float) -> float:
    """The next of 1, 2, 2.5, 5 × a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= value * (1 - 1e-9))


def _short(value: float) -> str:
    if value >= 1_000_000:
        return f"{value / 1e6:g} M"
    return f"{value / 1000:g} k" if value >= 1000 else f"{value:g}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _objects(value: Any) -> list[dict[str, Any]]:
    return [row for row in _list(value) if isinstance(row, dict)]
