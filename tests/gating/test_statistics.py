"""Bounds that hold, on ratios as noisy as the design measured them; and what cannot be told is told as that."""

import math
import random

import pytest

from harness.gating.statistics import FAIL, PASS, STAGES, UNKNOWN, Bound, bound, decide, drifts, none_in, t_995

NOISE = 0.2
"""A fifth: what one and the same client's CPU time per message varies by on a shared machine."""


def logs(rng: random.Random, true: float, pairs: int) -> list[float]:
    """Pairs whose machine is now and then twice as slow for one of the two."""
    return [
        math.log(true) + rng.gauss(0, NOISE) + (rng.choice((-0.7, 0.7)) if rng.random() < 0.05 else 0)
        for _ in range(pairs)
    ]


def verdict(rng: random.Random, true: float, tolerance: float, most: int) -> str:
    """As a gate goes on: look after each stage, until it is decided."""
    taken = logs(rng, true, most)
    for pairs in (stage for stage in STAGES if stage <= most):
        if (found := decide(bound(taken[:pairs]), tolerance)) != UNKNOWN:
            return found
    return UNKNOWN


def test_the_same_client_is_never_called_slower() -> None:
    rng = random.Random(1)
    found = [verdict(rng, 1.0, 0.1, 30) for _ in range(1000)]
    assert found.count(FAIL) <= 5
    assert found.count(PASS) >= 300


def test_a_quarter_more_is_found_and_never_passed() -> None:
    rng = random.Random(2)
    found = [verdict(rng, 1.25, 0.1, 70) for _ in range(500)]
    assert found.count(FAIL) >= 475
    assert found.count(PASS) <= 2


def test_a_tenth_more_is_found_with_a_small_tolerance_and_many_pairs() -> None:
    rng = random.Random(3)
    found = [verdict(rng, 1.10, 0.03, 220) for _ in range(200)]
    assert found.count(FAIL) >= 160
    assert found.count(PASS) <= 2


def test_what_is_just_allowed_is_neither_passed_nor_failed_often() -> None:
    rng = random.Random(4)
    found = [verdict(rng, 1.1, 0.1, 30) for _ in range(1000)]
    assert found.count(FAIL) <= 30
    assert found.count(PASS) <= 30


def test_the_true_ratio_lies_within_the_bound() -> None:
    rng = random.Random(5)
    outside = 0
    for _ in range(2000):
        found = bound(logs(rng, 1.3, 12))
        assert found is not None
        assert found.low <= found.ratio <= found.high
        outside += not found.low <= 1.3 <= found.high
    assert outside <= 30


@pytest.mark.parametrize("few", [[], [0.1], [0.1, math.nan, 0.2], [math.inf] * 6])
def test_too_few_or_no_numbers_tell_nothing(few: list[float]) -> None:
    assert bound(few) is None
    assert decide(bound(few), 0.1) == UNKNOWN


def test_pairs_that_do_not_vary_at_all_are_certain() -> None:
    found = bound([math.log(1.2)] * 6)
    assert found is not None
    assert (round(found.low, 9), round(found.high, 9)) == (1.2, 1.2)
    assert decide(found, 0.1) == FAIL
    assert decide(found, 0.2) == PASS


def test_students_t_is_a_textbooks() -> None:
    assert [t_995(degrees) for degrees in (1, 5, 30, 35, 40, 100, 120, 10_000)] == [
        63.657, 4.032, 2.750, 2.750, 2.704, 2.660, 2.617, 2.617,
    ]  # fmt: skip


def test_a_machine_that_changes_meanwhile_drifts() -> None:
    assert drifts(Bound(1.3, 1.15, 1.5, 12), 0.1)
    assert drifts(Bound(0.7, 0.6, 0.85, 12), 0.1)
    assert not drifts(Bound(1.3, 1.05, 1.5, 12), 0.1)
    assert not drifts(None, 0.1)


def test_the_rule_of_three() -> None:
    assert none_in(3_000_000) == pytest.approx(1e-6)
    assert none_in(0) == 1.0
