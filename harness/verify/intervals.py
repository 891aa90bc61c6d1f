"""Pure: sets of integers as sorted, disjoint, half-open intervals in numpy columns.

Offsets and identities come in long stretches, so a set of them is a handful of intervals whatever the number of
messages. Every operation is one sort and one pass over interval ends.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.int64]
EMPTY: Column = np.empty(0, np.int64)


@dataclass(frozen=True)
class Intervals:
    """Integers in [starts[i], ends[i]) for any i; sorted, disjoint, not touching."""

    starts: Column
    ends: Column

    @staticmethod
    def of(starts: Column, lengths: Column) -> "Intervals":
        """The union of stretches that may overlap and come in any order."""
        points, depth = _depths((starts, starts + lengths))
        return _where(points, depth[0] > 0)

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
        points, depth = _depths((self.starts, self.ends), (other.starts, other.ends))
        return _where(points, (depth[0] > 0) | (depth[1] > 0))

    def __and__(self, other: "Intervals") -> "Intervals":
        points, depth = _depths((self.starts, self.ends), (other.starts, other.ends))
        return _where(points, (depth[0] > 0) & (depth[1] > 0))

    def __sub__(self, other: "Intervals") -> "Intervals":
        if not len(self) or not len(other):
            return self
        points, depth = _depths((self.starts, self.ends), (other.starts, other.ends))
        return _where(points, (depth[0] > 0) & (depth[1] == 0))

    def below(self, limit: int) -> "Intervals":
        keep = self.starts < limit
        return Intervals(self.starts[keep], np.minimum(self.ends[keep], limit))

    def from_(self, limit: int) -> "Intervals":
        keep = self.ends > limit
        return Intervals(np.maximum(self.starts[keep], limit), self.ends[keep])


NOTHING = Intervals(EMPTY, EMPTY)


def more_than_once(starts: Column, lengths: Column) -> tuple[Intervals, int]:
    """What several stretches share, and how many times too many: each further one counts."""
    points, depth = _depths((starts, starts + lengths))
    widths = np.diff(points)
    extra = np.maximum(depth[0] - 1, 0)
    return _where(points, depth[0] > 1), int((widths * extra).sum())


def overlapping(starts: Column, ends: Column, base: Intervals) -> tuple[Column, Column]:
    """Index pairs (i, j): stretch i of any order shares something with interval j of `base`."""
    first = np.searchsorted(base.ends, starts, side="right")
    last = np.searchsorted(base.starts, ends, side="left")
    count = np.maximum(last - first, 0)
    i = np.repeat(np.arange(len(starts)), count)
    within = np.arange(len(i)) - np.repeat(np.cumsum(count) - count, count)
    return i, np.repeat(first, count) + within


def _depths(*sets: tuple[Column, Column]) -> tuple[Column, list[Column]]:
    """The sorted ends of all stretches, and for each set how many of its stretches cover each gap between them."""
    points = np.sort(np.concatenate([end for pair in sets for end in pair]), kind="stable")
    # Not np.unique, which hashes: what comes here is sorted already, or nearly.
    points = points[np.concatenate((np.ones(min(len(points), 1), bool), points[1:] != points[:-1]))]
    gaps = max(len(points) - 1, 0)
    depths = []
    for starts, ends in sets:
        opened = np.bincount(np.searchsorted(points, starts), minlength=len(points))
        closed = np.bincount(np.searchsorted(points, ends), minlength=len(points))
        depths.append(np.cumsum(opened - closed)[:gaps].astype(np.int64))
    return points, depths


def _where(points: Column, inside: NDArray[np.bool_]) -> Intervals:
    """The gaps between `points` marked in `inside`, neighbours merged."""
    edges = np.diff(np.concatenate(([False], inside, [False])).astype(np.int8))
    return Intervals(points[np.flatnonzero(edges == 1)], points[np.flatnonzero(edges == -1)])
