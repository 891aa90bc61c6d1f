"""Sets of stretches against Python's own sets."""

from operator import and_, or_, sub

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.verify.intervals import NOTHING, Intervals, more_than_once

STRETCHES = st.lists(st.tuples(st.integers(-20, 20), st.integers(1, 8)), max_size=6)


def made(stretches: list[tuple[int, int]]) -> Intervals:
    starts, lengths = np.array(stretches, np.int64).reshape(-1, 2).T
    return Intervals.of(starts, lengths)


def numbers(intervals: Intervals) -> set[int]:
    """Its numbers, once it is seen to be sorted, disjoint, and not touching."""
    assert (intervals.starts < intervals.ends).all()
    assert (intervals.starts[1:] > intervals.ends[:-1]).all()
    return {number for start, end in intervals for number in range(start, end)}


def plainly(stretches: list[tuple[int, int]]) -> list[int]:
    return [number for start, length in stretches for number in range(start, start + length)]


@given(STRETCHES, STRETCHES)
@pytest.mark.parametrize("operation", [and_, or_, sub])
def test_operations_are_those_of_sets(operation, one, other):
    assert numbers(operation(made(one), made(other))) == operation(set(plainly(one)), set(plainly(other)))


@given(STRETCHES, st.integers(-25, 30), st.integers(-25, 30))
def test_a_set_is_cut_and_moved(stretches, low, high):
    whole, intervals = set(plainly(stretches)), made(stretches)
    assert numbers(intervals.between(low, high)) == {number for number in whole if low <= number < high}
    assert numbers(intervals.below(low)) == {number for number in whole if number < low}
    assert numbers(intervals.from_(low)) == {number for number in whole if number >= low}
    assert numbers(intervals.shifted(low)) == {number + low for number in whole}
    assert intervals.total == len(whole)
    assert numbers(intervals) == whole, "cutting changed what was cut"


@given(STRETCHES)
def test_what_comes_more_than_once_is_counted_each_time(stretches):
    plain = plainly(stretches)
    starts, lengths = np.array(stretches, np.int64).reshape(-1, 2).T
    twice, extra = more_than_once(starts, lengths)
    assert numbers(twice) == {number for number in plain if plain.count(number) > 1}
    assert extra == len(plain) - len(set(plain))


def test_nothing_is_an_empty_set():
    assert numbers(NOTHING) == set()
    assert NOTHING.total == 0
    assert numbers(Intervals.span(3, 3)) == set()
