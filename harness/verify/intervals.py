"""Pure: sets of integers as sorted, disjoint, half-open intervals in numpy columns.

Offsets and identities come in long stretches, so a set of them is a handful of intervals whatever the number of
messages. Every operation is one pass over sorted ends; what does not come in order is sorted once.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]
EMPTY: Column = np.empty(0, np.int64)
LEAST, MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


@dataclass(frozen=True)
class Intervals:
    """Integers in [starts[i], ends[i]) for any i; sorted, disjoint, not touching."""

    starts: Column
    ends: Column

    @staticmethod
    def of(starts: Column, lengths: Column) -> "Intervals":
        """The union of stretches that may overlap and come in any order."""
        starts = np.ascontiguousarray(starts)
        ends = starts + lengths
        if not (starts[1:] >= ends[:-1]).all():
            order = np.argsort(starts, kind="stable")
            starts, ends = starts[order], np.maximum.accumulate(ends[order])
        if not len(starts):
            return NOTHING
        apart = starts[1:] > ends[:-1]
        return Intervals(starts[np.append(True, apart)], ends[np.append(apart, True)])

    @staticmethod
    def span(start: int, end: int) -> "Intervals":
        if end <= start:
            return NOTHING
        return Intervals(np.array([start], np.int64), np.array([end], np.int64))

    @property
    def total(self) -> int:
        """How many integers."""
        return int((self.ends - self.starts).sum())

    @property
    def lengths(self) -> Column:
        return self.ends - self.starts

    def __len__(self) -> int:
        return len(self.starts)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.starts.tolist(), self.ends.tolist(), strict=True)

    def __or__(self, other: "Intervals") -> "Intervals":
        if not len(self) or not len(other):
            return self if len(self) else other
        for one, rest in ((self, other), (other, self)):
            if one.covers(rest):
                return one
        both = (self.starts, other.starts), (self.lengths, other.lengths)
        return Intervals.of(*map(np.concatenate, both))

    def __and__(self, other: "Intervals") -> "Intervals":
        if not len(self) or not len(other):
            return NOTHING
        for one, rest in ((self, other), (other, self)):
            if len(one) == 1:  # most of all, and much quicker so
                return rest.between(int(one.starts[0]), int(one.ends[0]))
        i, j = overlapping(self.starts, self.ends, other)
        return Intervals(np.maximum(self.starts[i], other.starts[j]), np.minimum(self.ends[i], other.ends[j]))

    def __sub__(self, other: "Intervals") -> "Intervals":
        if not len(self) or not len(other):
            return self
        if other.covers(self):
            return NOTHING
        if len(self) == len(other) and (self.starts == other.starts).all() and (self.ends == other.ends).all():
            return NOTHING
        others = Intervals(np.concatenate(([LEAST], other.ends)), np.concatenate((other.starts, [MOST])))
        return self & others

    def covers(self, other: "Intervals") -> bool:
        """Whether the first interval has all of another set in it, as it mostly has. Neither is empty."""
        return bool(self.starts[0] <= other.starts[0] and other.ends[-1] <= self.ends[0])

    def between(self, low: int, high: int) -> "Intervals":
        """What lies in [low, high): the same columns but for the ends, where nothing is cut."""
        first, last = np.searchsorted(self.ends, low, side="right"), np.searchsorted(self.starts, high)
        if first >= last or low >= high:
            return NOTHING
        starts, ends = self.starts[first:last], self.ends[first:last]
        if starts[0] < low:
            starts = np.concatenate(([low], starts[1:]))
        if ends[-1] > high:
            ends = np.concatenate((ends[:-1], [high]))
        return Intervals(starts, ends)

    def below(self, limit: int) -> "Intervals":
        return self.between(LEAST, limit)

    def from_(self, limit: int) -> "Intervals":
        return self.between(limit, MOST)

    def shifted(self, by: int) -> "Intervals":
        return Intervals(self.starts + by, self.ends + by)


NOTHING = Intervals(EMPTY, EMPTY)
EVERYTHING = Intervals.span(LEAST, MOST)


def more_than_once(starts: Column, lengths: Column) -> tuple[Intervals, int]:
    """What several stretches share, and how many times too many: each further one counts."""
    starts = np.ascontiguousarray(starts)
    ends = starts + lengths
    if (starts[1:] < ends[:-1]).any():
        order = np.argsort(starts, kind="stable")
        starts, ends = starts[order], ends[order]
    behind = starts[1:] < np.maximum.accumulate(ends)[:-1]
    if not behind.any():
        return NOTHING, 0
    # Whoever shares anything shares it with a neighbour in this order; the others, mostly all, need not be counted.
    sharing = np.append(False, behind) | np.append(behind, False)
    points, depth = _depths(starts[sharing], ends[sharing])
    extra = np.maximum(depth - 1, 0)
    return _where(points, depth > 1), int((np.diff(points) * extra).sum())


def overlapping(starts: Column, ends: Column, base: Intervals) -> tuple[Column, Column]:
    """Index pairs (i, j): stretch i of any order shares something with interval j of `base`."""
    first = np.searchsorted(base.ends, starts, side="right")
    last = np.searchsorted(base.starts, ends, side="left")
    count = np.maximum(last - first, 0)
    if count.max(initial=0) < 2:  # as a rule, and much quicker so
        i = np.flatnonzero(count)
        return i, first[i]
    i = np.repeat(np.arange(len(starts)), count)
    within = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
    return i, np.repeat(first, count) + within


def _depths(starts: Column, ends: Column) -> tuple[Column, Column]:
    """The sorted ends of all stretches, and how many stretches cover each gap between two of them."""
    points = np.sort(np.concatenate((starts, ends)), kind="stable")
    points = points[np.append(True, points[1:] != points[:-1])]
    opened = np.bincount(np.searchsorted(points, starts), minlength=len(points))
    closed = np.bincount(np.searchsorted(points, ends), minlength=len(points))
    return points, np.cumsum(opened - closed)[:-1]


def _where(points: Column, inside: NDArray[np.bool_]) -> Intervals:
    """The gaps between `points` marked in `inside`, neighbours merged."""
    edges = np.diff(np.concatenate(([False], inside, [False])).astype(np.int8))
    return Intervals(points[np.flatnonzero(edges == 1)], points[np.flatnonzero(edges == -1)])
