"""Pure: the search over releases, where a release that has the fault need not show it in every run.

Releases stand in a row from the one told to be good to the one told to be bad. It is taken that something changed once
in between: all before it are without the fault, all from it on have it and show it in each run with one and the same
chance, which is not known. A run that shows the fault is proof of it; one that does not is evidence, the weaker the
rarer the fault shows. With F runs that showed it, and S runs that did not from release b on, averaging over every
chance makes b, as the first bad release, as likely as the Beta function says:

    likelihood(b) = B(1 + F, 1 + S(b)),  0 where a release before b has shown it

Where a fault shows in one run of ten or less, that average is too hopeful: ask for more confidence then.
The next run goes where it is expected to tell most, and the search ends when one place is as likely as was asked.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Tally:
    """What the runs of one release were. unclear: neither: UNKNOWN, or a failure of another kind."""

    good: int = 0
    bad: int = 0
    unclear: int = 0


@dataclass(frozen=True)
class Answer:
    """Places in the row. Between them stand only releases that told nothing. confidence: of these two, 0 to 1."""

    last_good: int
    first_bad: int
    confidence: float


@dataclass
class Search:
    """count: how many releases there are in the row. skipped: places that tell nothing. confidence: what is asked for.

    repeat: instead of the confidence, a release is good after so many runs without the fault, and bad after one with.
    """

    count: int
    confidence: float = 0.95
    repeat: int | None = None
    tallies: list[Tally] = field(default_factory=list)
    skipped: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.tallies = self.tallies or [Tally() for _ in range(self.count)]

    @property
    def places(self) -> list[int]:
        """Those that can tell something, from the good end to the bad one."""
        return [place for place in range(self.count) if place not in self.skipped]

    def next(self) -> int | None:
        """Where the next run is worth most; None when the answer is there."""
        places = self.places
        if self.repeat is not None:
            return self._next_by_halves(places, self.repeat)
        weights = self._weights(places)
        if max(weights) >= self.confidence:
            return None
        gains = [_gain(weights, self._shows(places, place)) for place in range(len(places))]
        return places[max(range(len(places)), key=gains.__getitem__)]

    def answer(self) -> Answer:
        """The best one so far."""
        places, weights = self.places, self._weights(self.places)
        if self.repeat is not None:
            first = next(index for index in range(1, len(places)) if places[index] == self._ends(places)[1])
        else:
            first = max(range(len(weights)), key=weights.__getitem__) + 1
        return Answer(places[first - 1], places[first], weights[first - 1])

    def _ends(self, places: list[int]) -> tuple[int, int]:
        """The last place that is good and the first that is bad, where `repeat` runs decide."""
        bad = next((place for place in places[1:] if self.tallies[place].bad), places[-1])
        good = [place for place in places if place < bad and self.tallies[place].good >= (self.repeat or 1)]
        return max(good, default=places[0]), bad

    def _next_by_halves(self, places: list[int], repeat: int) -> int | None:
        good, bad = self._ends(places)
        between = [place for place in places if good < place < bad]
        begun = [place for place in between if 0 < self.tallies[place].good < repeat]
        return next(iter(begun or between[(len(between) - 1) // 2 :]), None)

    def _weights(self, places: list[int]) -> list[float]:
        """How likely it is that the fault began at places[1], places[2], …: they sum up to 1."""
        shown = sum(tally.bad for tally in self.tallies)
        logs, hidden = [], 0
        for place in reversed(places[1:]):
            hidden += self.tallies[place].good
            logs.append(_log_beta(1 + shown, 1 + hidden))
        logs.reverse()
        limit = next((index for index, place in enumerate(places[1:]) if self.tallies[place].bad), len(logs) - 1)
        highest = max(logs[: limit + 1])
        weights = [math.exp(log - highest) if index <= limit else 0.0 for index, log in enumerate(logs)]
        total = sum(weights)
        return [weight / total for weight in weights]

    def _shows(self, places: list[int], index: int) -> list[float]:
        """For each place where it may have begun: how likely one more run of places[index] is to show the fault."""
        shown = sum(tally.bad for tally in self.tallies)
        chances = []
        for first in range(1, len(places)):
            hidden = sum(self.tallies[place].good for place in places[first:])
            chances.append((1 + shown) / (2 + shown + hidden) if first <= index else 0.0)
        return chances


def _gain(weights: Sequence[float], shows: Sequence[float]) -> float:
    """By how much one more run is expected to lower the doubt (entropy, in nats) about where it began."""
    seen = [weight * chance for weight, chance in zip(weights, shows, strict=True)]
    hidden = [weight * (1 - chance) for weight, chance in zip(weights, shows, strict=True)]
    return _entropy(weights) - sum(sum(part) * _entropy(part) for part in (seen, hidden))


def _entropy(weights: Sequence[float]) -> float:
    total = sum(weights)
    return -sum(weight / total * math.log(weight / total) for weight in weights if weight > 0) if total else 0.0


def _log_beta(one: float, other: float) -> float:
    return math.lgamma(one) + math.lgamma(other) - math.lgamma(one + other)
