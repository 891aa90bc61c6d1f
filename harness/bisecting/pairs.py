"""Pure: whether one release is slower than another, from pairs of runs that were made side by side.

Each pair gives a ratio, how many times as much the release costs as the one it is compared with. The median of all
ratios is bounded by their order alone, without any guess at how they are spread: of N ratios the k-th lowest lies above
the true median with the chance that at most k - 1 of N tosses of a coin fall one way.

Not the bound of `harness.gating.statistics`, which is narrower and fixed at 99.5 %: a search divides its risk among the
releases that it asks about, and the order of ratios bounds at any risk.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

LOOKS = 3
"""How often, at most, the ratios are looked at before they are given up: each look costs its share of the risk."""


@dataclass(frozen=True)
class Bound:
    """median of the ratios, and what the true one is at least and at most; None: too few pairs to say."""

    median: float
    low: float | None
    high: float | None


def bound(ratios: Sequence[float], risk: float) -> Bound:
    """risk: the chance, for each of the two bounds by itself, that the true median lies beyond it."""
    ordered = sorted(ratios)
    count = len(ordered)
    chance, index = 0.0, -1
    while (chance := chance + math.comb(count, index + 1) / 2**count) <= risk:
        index += 1
    median = statistics.median(ordered)
    return Bound(median, ordered[index], ordered[-1 - index]) if index >= 0 else Bound(median, None, None)


def slower(ratios: Sequence[float], *, threshold: float, risk: float) -> bool | None:
    """Whether the true median is above `threshold`; None as long as that is open."""
    found = bound(ratios, risk)
    if found.low is not None and found.low > threshold:
        return True
    if found.high is not None and found.high < threshold:
        return False
    return None


def noise(figures: Sequence[float]) -> tuple[float, float] | None:
    """What one release alone comes to: the middle half of the ratios of each run to the one before; None for too few.

    A control: what differs by no more than this differs by the machine.
    """
    ratios = [after / before for before, after in pairwise(figures) if before]
    if len(ratios) < 4:
        return None
    low, _, high = statistics.quantiles(ratios, n=4)
    return low, high


def looks(risk: float) -> list[int]:
    """After how many pairs to look: the fewest that can decide at all, then twice and three times as many.

    risk: of all looks at one release together.
    """
    fewest = math.ceil(math.log2(LOOKS / risk))
    return [fewest * (number + 1) for number in range(LOOKS)]


def risk_of_one(confidence: float, releases: int) -> float:
    """What one release may risk where halving the row asks about so many of them, the bad end among them."""
    return (1 - confidence) / (math.ceil(math.log2(max(releases - 1, 1))) + 1)
