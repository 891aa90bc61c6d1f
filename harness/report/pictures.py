"""Pure: the geometry of the page's two pictures, throughput over time and who owned which partition when.

Only numbers are worked out here; the template draws them, so that every text in a picture is escaped like the rest of
the page. Each picture is laid out for one width in pixels: the page holds a wide and a narrow one and shows what fits.
All times count from the first event of the run's histories, as in verdict.json and metrics.json.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.facts import integer, number, text

LEFT, RIGHT, TOP, BOTTOM = 52, 12, 30, 40
# Each line has a panel and a scale of its own: producers are often ten times as fast as the client under test.
PANELS = (("produced", 64), ("delivered", 170))
PANEL_GAP = 56
LANE_HEIGHT = 26
LANES_MAX = 48
BARS_MAX = 600
MARKS_MAX = 60
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
    top: float
    base: float
    lines: list[str]
    areas: list[str]
    ticks: list[Tick]
    peak: float


@dataclass(frozen=True)
class Throughput:
    width: int
    height: float
    left: float
    right: float
    base: float
    panels: list[Panel]
    x_ticks: list[Tick]
    marks: list[Mark]


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    width: float
    shade: int
    label: str
    title: str


@dataclass(frozen=True)
class Flag:
    x: float
    y: float
    title: str


@dataclass(frozen=True)
class Lanes:
    width: int
    height: int
    left: float
    right: float
    base: float
    lanes: list[Tick]
    bars: list[Bar]
    flags: list[Flag]
    x_ticks: list[Tick]
    lanes_left_out: int
    bars_left_out: int


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


def time_range(metrics: dict[str, Any], ownerships: Sequence[dict[str, Any]]) -> tuple[float, float] | None:
    """From when to when both pictures go, in seconds since the first event, so that one stands under the other."""
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
    """Delivered and produced messages a second. None where there are not two bins to draw."""
    seconds, bin_s = _bins(metrics)
    if not seconds or within is None:
        return None
    axis = Axis(*within, LEFT, width - RIGHT)
    panels: list[Panel] = []
    for name, height in PANELS:
        rates = _rates(metrics["timeline"].get(name), len(seconds))
        if any(rate is not None for rate in rates):
            top = panels[-1].base + PANEL_GAP if panels else TOP
            middles = [axis.x(start + bin_s / 2) for start in seconds]
            panels.append(_panel(name, rates, middles, top=top, height=height))
    if not panels:
        return None
    return Throughput(
        width=width,
        height=panels[-1].base + BOTTOM,
        left=LEFT,
        right=width - RIGHT,
        base=panels[-1].base,
        panels=panels,
        x_ticks=axis.ticks(),
        marks=_marks(metrics.get("marks"), axis),
    )


def _panel(name: str, rates: Sequence[float | None], xs: Sequence[float], *, top: float, height: float) -> Panel:
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


def lanes(
    ownerships: Sequence[dict[str, Any]],
    spans: Sequence[dict[str, Any]],
    *,
    within: tuple[float, float] | None,
    width: int,
) -> Lanes | None:
    """One row a partition, one bar an ownership, a flag where messages were lost. None where nobody owned anything."""
    known = [
        row
        for row in ownerships
        if integer(row.get("partition")) is not None and integer(row.get("start_ns")) is not None
    ]
    if not known or within is None:
        return None
    last_ns = round(within[1] * 1e9)
    axis = Axis(*within, LEFT, width - RIGHT)
    partitions = sorted({row["partition"] for row in known})
    rows: dict[int, float] = {partition: TOP + i * LANE_HEIGHT for i, partition in enumerate(partitions[:LANES_MAX])}
    members = list(dict.fromkeys(text(row.get("member")) for row in sorted(known, key=lambda row: row["start_ns"])))
    shown = [row for row in known if row["partition"] in rows][:BARS_MAX]
    base = TOP + len(rows) * LANE_HEIGHT
    return Lanes(
        width=width,
        height=base + BOTTOM,
        left=LEFT,
        right=width - RIGHT,
        base=base,
        lanes=[Tick(y + LANE_HEIGHT / 2, str(partition)) for partition, y in rows.items()],
        bars=[_bar(row, rows[row["partition"]], axis, last_ns, members) for row in shown],
        flags=[flag for span in spans if (flag := _flag(span, shown, rows, axis, last_ns)) is not None],
        x_ticks=axis.ticks(),
        lanes_left_out=len(partitions) - len(rows),
        bars_left_out=len([row for row in known if row["partition"] in rows]) - len(shown),
    )


def _bar(row: dict[str, Any], y: float, axis: Axis, last_ns: int, members: Sequence[str]) -> Bar:
    member = text(row.get("member"))
    end_ns = integer(row.get("end_ns"))
    begin_s = row["start_ns"] / 1e9
    end_s = (last_ns if end_ns is None else end_ns) / 1e9
    x = axis.x(begin_s)
    width = max(1.5, round(axis.x(end_s) - x - 1, 1))
    offsets = "nothing delivered"
    if integer(row.get("first_offset")) is not None and integer(row.get("last_offset")) is not None:
        offsets = f"offsets {row['first_offset']:,} to {row['last_offset']:,}"
    until = "to the end" if end_ns is None else f"to {end_s:.3f} s"
    return Bar(
        x=x,
        y=y + 3,
        width=width,
        shade=members.index(member) % 3,
        label=member if len(member) * LETTER_WIDTH + 6 <= width else "",
        title=f"{member}, partition {row['partition']}, from {begin_s:.3f} s {until}: {offsets}",
    )


def _flag(
    span: dict[str, Any],
    shown: Sequence[dict[str, Any]],
    rows: dict[int, float],
    axis: Axis,
    last_ns: int,
) -> Flag | None:
    """Where a lost span belongs: inside the ownership that passed over it, else at the end of the one before."""
    partition, first = integer(span.get("partition")), integer(span.get("first_offset"))
    if partition is None or partition not in rows or first is None:
        return None
    owned = [
        (row["first_offset"], row["last_offset"], row["start_ns"], integer(row.get("end_ns")) or last_ns)
        for row in shown
        if row["partition"] == partition
        and integer(row.get("first_offset")) is not None
        and integer(row.get("last_offset")) is not None
    ]
    around = [row for row in owned if row[0] <= first <= row[1]]
    before = [row for row in owned if row[1] < first]
    if around:
        low, high, begin_ns, end_ns = around[0]
        at_ns = begin_ns + (end_ns - begin_ns) * (first - low) / max(1, high - low)
    elif before:
        at_ns = max(before, key=lambda row: row[1])[3]
    else:
        at_ns = min((row[2] for row in owned), default=last_ns)
    title = f"{text(span.get('kind')).replace('_', ' ')}: {text(span.get('count')) or 'some'} from offset {first:,}"
    return Flag(axis.x(at_ns / 1e9), rows[partition], title)


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
