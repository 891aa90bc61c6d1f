"""Percentiles and the histogram, beside plain counting."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.measuring.histogram import PERCENTILES, summary, uppers_us

MS = 1_000_000


def plain_upper(value_us: int) -> int:
    """The upper end of a value's bucket, by doubling the width until the bucket's number needs 8 bits."""
    width = 1
    while value_us // width >= 256:
        width *= 2
    return (value_us // width + 1) * width - 1


@given(st.lists(st.integers(0, 10**13), min_size=1, max_size=60))
def test_percentiles_are_those_of_the_sorted_values(latencies: list[int]) -> None:
    told = summary(np.array(latencies, np.int64))
    values = sorted(latency // 1000 for latency in latencies)
    assert told["count"] == len(values)
    for name, share in PERCENTILES.items():
        assert told[name] == values[max(0, math.ceil(round(len(values) * share / 100, 9)) - 1)] / 1000
    assert told["max_ms"] == values[-1] / 1000
    counts = Counter(plain_upper(value) / 1000 for value in values)
    assert told["histogram"] == [list(pair) for pair in sorted(counts.items())]


@pytest.mark.parametrize("value", [0, 1, 255, 256, 257, 511, 512, 10**12])
def test_a_bucket_is_a_hundredth_wide_at_most(value: int) -> None:
    (upper,) = uppers_us(np.array([value], np.int64)).tolist()
    assert upper == plain_upper(value)
    assert value <= upper <= value + max(0, value // 100)


def test_of_nothing_nothing_is_told() -> None:
    told = summary(np.empty(0, np.int64))
    assert (told["count"], told["p50_ms"], told["max_ms"], told["histogram"]) == (0, None, None, [])


def test_one_slow_message_in_a_thousand_is_the_last_tenth_of_a_per_cent() -> None:
    told = summary(np.array([1 * MS] * 998 + [300 * MS] * 2, np.int64))
    assert (told["p99_ms"], told["p99_9_ms"], told["max_ms"]) == (1.0, 300.0, 300.0)
