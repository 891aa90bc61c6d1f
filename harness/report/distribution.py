"""Pure: the geometry of a latency distribution, from the histogram in metrics.json, on a logarithmic axis."""

import math
from dataclasses import dataclass
from typing import Any

from harness.report.facts import integer, number
from harness.report.pictures import LEFT, RIGHT, Tick

PERCENTILES = (
    ("p50_ms", "50 %"),
    ("p90_ms", "90 %"),
    ("p99_ms", "99 %"),
    ("p99_9_ms", "99.9 %"),
    ("p99_99_ms", "99.99 %"),
    ("max_ms", "all"),
)
HEIGHT, TOP, BOTTOM = 110, 22, 40
COLUMN = 7
"""Width of a column in pixels, its gap included."""


@dataclass(frozen=True)
class Column:
    x: float
    y: float
    height: float
    text: str


@dataclass(frozen=True)
class Distribution:
    width: int
    height: float
    left: float
    right: float
    base: float
    columns: list[Column]
    ticks: list[Tick]
    marks: list[Tick]


def percentiles(told: dict[str, Any]) -> list[tuple[str, float]]:
    """So many of the messages had come after so many ms."""
    known = [(name, number(told.get(key))) for key, name in PERCENTILES]
    return [(name, value) for name, value in known if value is not None]


def picture(told: dict[str, Any], width: int) -> Distribution | None:
    """`told` has "histogram": [[upper_ms, count], …]. None where that makes no sense."""
    buckets = _buckets(told.get("histogram"))
    if not buckets:
        return None
    low = 10 ** math.floor(math.log10(buckets[0][0]) - 1e-9)
    high = max(10 ** math.ceil(math.log10(buckets[-1][0])), low * 10)
    left, right, base = LEFT, width - RIGHT, TOP + HEIGHT

    def x(ms: float) -> float:
        share = math.log(max(ms, low) / low) / math.log(high / low)
        return round(left + min(1.0, share) * (right - left), 1)

    heights: dict[int, int] = {}
    last = max(0, int((right - left) / COLUMN) - 1)
    for upper_ms, count in buckets:
        place = min(last, int((x(upper_ms) - left) / COLUMN))
        heights[place] = heights.get(place, 0) + count
    most = max(heights.values())
    decades = [low * 10**i for i in range(round(math.log10(high / low)) + 1)]
    return Distribution(
        width=width,
        height=base + BOTTOM,
        left=left,
        right=right,
        base=base,
        columns=[_column(left, base, place, count, most) for place, count in sorted(heights.items())],
        ticks=[Tick(x(ms), f"{ms:g}") for ms in decades],
        marks=_marks(told, x),
    )


def _column(left: float, base: float, place: int, count: int, most: int) -> Column:
    height = max(1.0, round(count / most * HEIGHT, 1))
    return Column(left + place * COLUMN, round(base - height, 1), height, f"{count:,} messages")


def _marks(told: dict[str, Any], x: Any) -> list[Tick]:
    marks: list[Tick] = []
    for key, label in (("p50_ms", "p50"), ("p99_ms", "p99"), ("p99_99_ms", "p99.99")):
        value = number(told.get(key))
        if value is not None and value > 0 and (not marks or x(value) - marks[-1].at > 40):
            marks.append(Tick(x(value), label))
    return marks


def _buckets(histogram: Any) -> list[tuple[float, int]]:
    rows = histogram if isinstance(histogram, list) else []
    found = []
    for row in rows:
        if isinstance(row, list) and len(row) == 2:
            upper_ms, count = number(row[0]), integer(row[1])
            if upper_ms is not None and upper_ms > 0 and count is not None and count > 0:
                found.append((upper_ms, count))
    return sorted(found)
