"""Pure: whether a candidate costs more than a baseline, from pairs of readings that were made side by side.

A pair gives the logarithm of a ratio: how many times as much the candidate costs. Of many the trimmed mean is taken
(the highest and the lowest fifth are left out: a machine that others use has bad moments, and those are not the
client's), and it is bounded as Tukey and McLaughlin do: by the spread of the winsorized ratios and Student's t, at
99.5 % on each side. The pairs are looked at a few times only, in stages, because each look may err: that the true ratio
lies beyond the same bound at any of the first four looks has a chance of 2 % at most, at any of all nine 4.5 %. So much
for a client that is slower by just the tolerance; one that is not slower at all is further away.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

STAGES = (6, 12, 20, 30, 45, 70, 100, 150, 220)
"""After so many pairs it is looked whether they suffice."""
TRIMMED = 0.2
"""So large a share is left out on each side."""
T_995 = (
    63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947,
    2.921, 2.898, 2.878, 2.861, 2.845, 2.831, 2.819, 2.807, 2.797, 2.787, 2.779, 2.771, 2.763, 2.756, 2.750,
)  # fmt: skip
"""Student's t, one-sided 99.5 %, for 1 to 30 degrees of freedom (any textbook's table)."""
T_BEYOND = ((40, 2.704), (60, 2.660), (120, 2.617))
"""The same for so many degrees and more; what lies between is rounded to the safe side."""
PASS, FAIL, UNKNOWN = "PASS", "FAIL", "UNKNOWN"


@dataclass(frozen=True)
class Bound:
    """How many times as much: the best guess, and what it is at least and at most, each with 99.5 % certainty."""

    ratio: float
    low: float
    high: float
    pairs: int


def bound(logs: Sequence[float]) -> Bound | None:
    """Of logarithms of ratios. None where there are too few to say anything, or one is not a number."""
    count = len(logs)
    cut = math.floor(TRIMMED * count)
    kept = count - 2 * cut
    if kept < 2 or not all(math.isfinite(one) for one in logs):
        return None
    ordered = sorted(logs)
    trimmed = ordered[cut : count - cut]
    middle = math.fsum(trimmed) / kept
    winsorized = [trimmed[0]] * cut + trimmed + [trimmed[-1]] * cut
    mean = math.fsum(winsorized) / count
    spread = math.sqrt(math.fsum((one - mean) ** 2 for one in winsorized) / (count - 1))
    away = t_995(kept - 1) * spread / ((1 - 2 * TRIMMED) * math.sqrt(count))
    return Bound(math.exp(middle), math.exp(middle - away), math.exp(middle + away), count)


def t_995(degrees: int) -> float:
    if degrees <= len(T_995):
        return T_995[degrees - 1]
    return min([T_995[-1], *(value for least, value in T_BEYOND if degrees >= least)])


def decide(found: Bound | None, tolerance: float) -> str:
    """FAIL: certainly more than the tolerance (0.1: a tenth more); PASS: certainly not more; else UNKNOWN.

    Before the first stage nothing is decided: of two or three pairs that happen to be alike the spread says nothing.
    """
    if found is None or found.pairs < STAGES[0]:
        return UNKNOWN
    if found.low > 1 + tolerance:
        return FAIL
    return PASS if found.high <= 1 + tolerance else UNKNOWN


def drifts(control: Bound | None, tolerance: float) -> bool:
    """Whether one and the same client differs from itself by more than the tolerance: then no pair tells anything."""
    return control is not None and (control.low > 1 + tolerance or control.high < 1 / (1 + tolerance))


def none_in(count: int) -> float:
    """None of `count` was hit: with 95 % certainty the true share is at most this one (the rule of three)."""
    return 3 / count if count else 1.0
