"""Rows of messages: what continues what."""

import numpy as np
import pytest

from harness.history import NO_OFFSET, NO_PRODUCER, ROW, Rows, stretches


def rows(*parts: tuple[int, int, int, int]) -> Rows:
    """(producer, seq, offset, length) each."""
    made = np.zeros(len(parts), ROW)
    for number, part in enumerate(parts):
        for name, value in zip(("producer", "seq", "offset", "length"), part, strict=True):
            made[name][number] = value
        made["at"][number] = made["done"][number] = number
    return made


@pytest.mark.parametrize(
    ("parts", "lengths"),
    [
        ([(0, 0, 5, 2), (0, 2, 7, 3)], [5]),
        ([(0, 0, 5, 2), (0, 2, 6, 3)], [2, 3]),
        ([(0, 0, 5, 2), (0, 1, 7, 3)], [2, 3]),
        ([(0, 0, 5, 2), (1, 2, 7, 3)], [2, 3]),
        ([(0, 0, NO_OFFSET, 2), (0, 2, NO_OFFSET, 1)], [3]),
        ([(0, 0, NO_OFFSET, 2), (0, 2, 7, 1)], [2, 1]),
        ([(NO_PRODUCER, 0, 5, 2), (NO_PRODUCER, 0, 7, 1)], [3]),
        ([(NO_PRODUCER, 0, NO_OFFSET, 1), (NO_PRODUCER, 0, NO_OFFSET, 1)], [1, 1]),
    ],
)
def test_stretches(parts: list[tuple[int, int, int, int]], lengths: list[int]) -> None:
    merged = stretches(rows(*parts))
    assert merged["length"].tolist() == lengths
    assert (merged["at"][0], merged["done"][-1]) == (0, len(parts) - 1)


def test_stretches_begin_where_they_must() -> None:
    given = rows((0, 0, 5, 2), (0, 2, 7, 3))
    assert stretches(given, np.array([False, True]))["length"].tolist() == [2, 3]
