"""Rows of messages: what continues what, and what becomes of too many of them."""

import numpy as np
import pytest

from harness.columns import ABORTED, NEVER, NO_OFFSET, NO_PRODUCER, PILE_ROWS, ROW, Columns, Rows, Spill, stretches


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


@pytest.mark.parametrize(
    ("name", "value"),
    [("step", 1), ("txn", 1), ("partition", 1), ("asked", 1), ("txn", ABORTED), ("done", NEVER), ("at", 1 << 31)],
)
def test_stretches_end_where_anything_but_the_numbers_changes(name: str, value: int) -> None:
    given = rows((0, 0, 5, 2), (0, 2, 7, 3), (0, 5, 10, 1))
    assert stretches(given)["length"].tolist() == [6]
    given[name][1:] = value
    assert stretches(given)["length"].tolist() == [2, 4]


def test_a_merged_row_tells_when_it_began_and_ended() -> None:
    given = rows((0, 0, 5, 2), (0, 2, 7, 3))
    given["at"], given["until"], given["done"] = [1, 3], [2, 4], [5, 6]
    (row,) = stretches(given)
    assert (row["at"], row["until"], row["done"]) == (1, 4, 6)


def of_partition(partition: int, count: int, *, apart: int = 1) -> Rows:
    """Rows of one message each, that continue each other unless they are `apart`."""
    made = np.zeros(count, ROW)
    made["partition"] = made["asked"] = partition
    made["seq"] = made["offset"] = np.arange(count) * apart
    made["length"] = 1
    return made


def test_columns_keep_rows_by_partition_in_their_order() -> None:
    columns = Columns()
    for number in range(0, 10, 2):
        for partition in (3, 1):
            columns.add(of_partition(partition, 10, apart=2)[number : number + 2])
    assert columns.partitions() == {1, 3}
    assert columns.of(3)["offset"].tolist() == list(range(0, 20, 2))
    assert columns.of(2)["offset"].tolist() == []
    assert [int(part["partition"][0]) for part in columns] == [1, 3]


def test_rows_are_merged_over_piles() -> None:
    columns, given = Columns(), of_partition(0, 3 * PILE_ROWS)
    for number in range(0, len(given), 100):
        columns.add(given[number : number + 100])
    assert columns.of(0)["length"].tolist() == [len(given)]
    assert len(Columns(given, merging=False).of(0)) == len(given)


def test_what_does_not_fit_into_memory_comes_back_as_it_was() -> None:
    spill = Spill(limit_bytes=100 * ROW.itemsize)
    columns, others = Columns(spill=spill), Columns(spill=spill)
    given = of_partition(7, 4 * PILE_ROWS, apart=2)
    for number in range(0, len(given), 1000):
        columns.add(given[number : number + 1000])
        others.add(of_partition(number // 5000, 1))
    assert spill.held_bytes <= PILE_ROWS * ROW.itemsize
    assert (columns.of(7) == given).all()
    assert columns.partitions() == {7}
    assert sum(int(part["length"].sum()) for part in others) == len(range(0, len(given), 1000))


@pytest.mark.parametrize("limit_bytes", [100 * ROW.itemsize, 1 << 30])
def test_what_is_taken_is_forgotten_and_may_come_back(limit_bytes: int) -> None:
    spill = Spill(limit_bytes=limit_bytes)
    columns, given = Columns(spill=spill), of_partition(7, 2 * PILE_ROWS, apart=2)
    columns.add(given)
    columns.add(of_partition(8, 3))
    assert (columns.take(7) == given).all()
    assert columns.partitions() == {8}
    assert len(columns.take(7)) == 0
    columns.add(given[:10])
    assert (columns.of(7) == given[:10]).all()
    assert columns.take(8)["length"].tolist() == [3]
    columns.take(7)
    assert spill.held_bytes == 0


def test_empty_columns_are_false() -> None:
    columns = Columns()
    assert not columns
    columns.add(of_partition(0, 0))
    assert not columns
    columns.add(of_partition(0, 1))
    assert columns
