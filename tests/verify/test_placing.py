"""Placing, against the same done message by message: rows of many messages, copies, holes, any order."""

import functools
import random
from collections.abc import Callable, Iterable

import numpy as np

from harness.columns import NO_OFFSET, NO_PRODUCER, ROW, SEQ_BITS, Rows
from harness.verify import placing
from harness.verify.intervals import Intervals

CASES = 150


def drawn(test: Callable[[random.Random], None]) -> Callable[[], None]:
    """The test for each of so many seeds; one that fails names its seed."""

    @functools.wraps(test)
    def each() -> None:
        for seed in range(CASES):
            try:
                test(random.Random(seed))
            except AssertionError as error:
                raise AssertionError(f"seed {seed}: {error}") from error

    del each.__wrapped__  # pytest would ask for its argument
    return each


Message = tuple[int, int]  # identity, or -1 for none; offset


def rows_of(stretches: Iterable[tuple[int, int, int, int]]) -> Rows:
    """(producer, seq, offset, length) each; in `at`, their number."""
    made = np.array(
        [(seq, offset, 0, 0, 0, length, 0, 0, producer, 0, 0) for producer, seq, offset, length in stretches], ROW
    )
    made["at"] = np.arange(len(made))
    return made


def log(draw: random.Random) -> Rows:
    """In offset order, with holes, copies and messages without identity."""
    stretches, offset = [], draw.randint(0, 3)
    for _ in range(draw.randint(0, 6)):
        producer, length = draw.choice([NO_PRODUCER, 0, 0, 0, 1]), draw.randint(1, 5)
        stretches.append((producer, 0 if producer == NO_PRODUCER else draw.randint(0, 12), offset, length))
        offset += length + draw.choice([0, 0, 1, 3])
    return rows_of(stretches)


def deliveries(draw: random.Random) -> Rows:
    """In any order, some without a place, some without an identity."""
    stretches = []
    for _ in range(draw.randint(0, 6)):
        producer = draw.choice([NO_PRODUCER, 0, 0, 0, 1])
        offset = draw.choice([NO_OFFSET, draw.randint(0, 30)])
        stretches.append((producer, 0 if producer == NO_PRODUCER else draw.randint(0, 12), offset, draw.randint(1, 5)))
    return rows_of(stretches)


def messages(rows: Rows) -> list[Message]:
    """One by one, in the order of the rows."""
    each = []
    for row in rows:
        for number in range(int(row["length"])):
            named = row["producer"] != NO_PRODUCER
            name = (int(row["producer"]) << SEQ_BITS) + int(row["seq"]) + number if named else -1
            each.append((name, int(row["offset"]) + number if row["offset"] != NO_OFFSET else NO_OFFSET))
    return each


def numbers(draw: random.Random, top: int) -> set[int]:
    return {number for number in range(top) if draw.random() < 0.4}


def intervals(wanted: set[int]) -> Intervals:
    starts = np.array(sorted(wanted), np.int64)
    return Intervals.of(starts, np.ones(len(starts), np.int64))


def members(found: Intervals) -> set[int]:
    return {number for start, end in found for number in range(start, end)}


def some_names(draw: random.Random) -> set[int]:
    return {(producer << SEQ_BITS) + seq for producer in (0, 1) for seq in numbers(draw, 18)}


@drawn
def test_first_copies(draw: random.Random) -> None:
    entries = log(draw)
    places: dict[int, list[int]] = {}
    for name, offset in messages(entries):
        if name >= 0:
            places.setdefault(name, []).append(offset)
    first = messages(placing.first_copies(entries))
    assert first == sorted(((name, min(found)) for name, found in places.items()), key=lambda one: one[1])
    single = messages(placing.first_copies(entries, only_single=True))
    assert single == [(name, offset) for name, offset in first if len(places[name]) == 1]


@drawn
def test_sets(draw: random.Random) -> None:
    rows = draw.choice([log, deliveries])(draw)
    each = messages(rows)
    assert members(placing.offset_set(rows)) == {offset for _, offset in each if offset != NO_OFFSET}
    assert members(placing.identity_set(rows)) == {name for name, _ in each if name >= 0}


@drawn
def test_from_one_coordinate_to_the_other(draw: random.Random) -> None:
    entries, wanted, names = log(draw), numbers(draw, 40), some_names(draw)
    each = messages(entries)
    assert members(placing.identities_at(intervals(wanted), entries)) == {
        name for name, offset in each if name >= 0 and offset in wanted
    }
    named = entries[entries["producer"] != NO_PRODUCER]
    assert members(placing.offsets_of(intervals(names), named)) == {offset for name, offset in each if name in names}


@drawn
def test_parts(draw: random.Random) -> None:
    rows = deliveries(draw)
    wanted, names = numbers(draw, 40), some_names(draw)
    have = rows[rows["offset"] != NO_OFFSET]
    assert messages(placing.at_offsets(have, intervals(wanted))) == [one for one in messages(have) if one[1] in wanted]
    named = have[have["producer"] != NO_PRODUCER]
    assert messages(placing.within(named, intervals(names))) == [one for one in messages(named) if one[0] in names]


@drawn
def test_in_offset_order(draw: random.Random) -> None:
    rows = deliveries(draw)
    sorted_rows = placing.in_offset_order(rows)
    have = rows[rows["offset"] != NO_OFFSET]
    order = sorted(range(len(have)), key=lambda number: int(have["offset"][number]))
    assert [int(row["at"]) for row in sorted_rows] == [int(have["at"][number]) for number in order]


@drawn
def test_placed(draw: random.Random) -> None:
    """Each message keeps its turn; those without a place get the log's, those that the log lacks keep none."""
    rows, held = deliveries(draw), placing.first_copies(log(draw), only_single=True)
    places = dict(messages(held))
    expected = [
        (name, places.get(name, NO_OFFSET) if offset == NO_OFFSET and name >= 0 else offset)
        for name, offset in messages(rows)
    ]
    found = placing.placed(rows, held)
    by_row = [sorted(one) for one in per_row(rows, expected)]
    assert [sorted(messages(found[found["at"] == number])) for number in range(len(rows))] == by_row
    assert (np.diff(found["at"]) >= 0).all()


def per_row(rows: Rows, each: list[Message]) -> list[list[Message]]:
    parts, at = [], 0
    for row in rows:
        parts.append(each[at : at + int(row["length"])])
        at += int(row["length"])
    return parts
