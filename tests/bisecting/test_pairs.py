"""Pairs of runs: what their order alone can tell, and what it cannot."""

import math
import random

import pytest

from harness.bisecting.pairs import LOOKS, bound, looks, noise, risk_of_one, slower


def test_too_few_pairs_tell_nothing() -> None:
    """Four of four on one side happen by chance once in 16 times."""
    found = bound([2.0, 2.1, 2.2, 2.3], risk=0.05)
    assert (found.low, found.high) == (None, None)
    assert found.median == pytest.approx(2.15)
    assert slower([2.0, 2.1, 2.2, 2.3], threshold=1.2, risk=0.05) is None


def test_five_on_one_side_do() -> None:
    ratios = [2.0, 2.1, 2.2, 2.3, 2.4]
    assert bound(ratios, risk=0.05).low == 2.0
    assert slower(ratios, threshold=1.2, risk=0.05) is True
    assert slower([1 / ratio for ratio in ratios], threshold=1.2, risk=0.05) is False


def test_one_that_is_not_slower_leaves_it_open() -> None:
    assert slower([1.1, 2.1, 2.2, 2.3, 2.4], threshold=1.2, risk=0.05) is None


def test_more_pairs_bear_an_outlier() -> None:
    """Of 8 ratios the second lowest is a bound too: 9 of 256 are less than 5 %."""
    assert bound([0.1, *[2.0] * 7], risk=0.05).low == 2.0


def test_the_bound_holds_as_often_as_it_says() -> None:
    draw, beyond, trials = random.Random(5), 0, 2000
    for _ in range(trials):
        low = bound([draw.lognormvariate(0, 0.4) for _ in range(11)], risk=0.05).low
        beyond += low is not None and low > 1.0
    assert beyond / trials <= 0.05


def test_the_control_is_how_one_release_varies() -> None:
    assert noise([10.0] * 5) == (1.0, 1.0)
    assert noise([10.0, 12.0, 10.0, 12.0]) is None
    low, high = noise([10.0, 12.0] * 5) or (0, 0)
    assert low < 0.9 < 1.1 < high


def test_the_first_look_can_decide() -> None:
    for risk in (0.05, 0.01, 0.001):
        first, *more = looks(risk)
        assert 2.0**-first <= risk / LOOKS < 2.0 ** -(first - 1)
        assert slower([2.0] * first, threshold=1.2, risk=risk / LOOKS) is True
        assert more == [2 * first, 3 * first]


def test_the_risk_is_shared_by_all_that_are_asked_about() -> None:
    assert risk_of_one(0.95, 2) == pytest.approx(0.05)
    assert risk_of_one(0.95, 9) == pytest.approx(0.05 / 4)
    assert math.isclose(risk_of_one(0.9, 50) * 7, 0.1)
