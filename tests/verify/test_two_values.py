"""What is handed over as something else than the log holds there, against the same asked message by message."""

import random
from dataclasses import dataclass
from typing import Any

from harness.columns import NO_OFFSET, NO_PRODUCER, SEQ_BITS, Rows
from harness.verify.intervals import NOTHING, Intervals
from harness.verify.repeats import two_values
from tests.verify.test_placing import drawn, members, messages, rows_of
from tests.verify.test_producing import entries, produced_of


@dataclass
class Handed:
    """What `two_values` looks at. No offsets: nothing is asked of what the log does not hold."""

    deliveries: Rows
    offsets: Intervals = NOTHING


@drawn
def test_against_the_log(draw: random.Random) -> None:
    """Long deliveries over short entries of the log, and the reverse."""
    log, start, end = entries(draw)
    held = {offset: name for name, offset in messages(log)}
    stretches = []
    for _ in range(draw.randint(0, 5)):
        offset, length = draw.randint(0, 20), draw.randint(1, 6)
        name = held.get(offset, -1)
        if name >= 0 and draw.random() < 0.7:  # right where it begins, whatever follows
            stretches.append((name >> SEQ_BITS, name & ((1 << SEQ_BITS) - 1), offset, length))
        else:
            producer = draw.choice([NO_PRODUCER, 0, 1])
            stretches.append((producer, 0 if producer == NO_PRODUCER else draw.randint(0, 14), offset, length))
    rows = rows_of(stretches)
    identified = draw.random() < 0.5
    expected = {
        offset
        for name, offset in messages(rows)
        if offset != NO_OFFSET and offset in held and (identified or name >= 0) and name != held[offset]
    }
    handed: Any = Handed(rows)
    found = two_values(produced_of(rows[:0], log, start, end), handed, identified=identified)
    assert [members(one.offsets) for one in found] == ([expected] if expected else [])


def test_the_same_messages_in_other_pieces_are_no_contradiction() -> None:
    """Six were handed over, and the last three again; the log says nothing of them."""
    nothing = rows_of([])
    for seq, expected in ((3, set()), (2, {3, 4, 5})):
        handed: Any = Handed(rows_of([(0, 0, 0, 6), (0, seq, 3, 3)]), Intervals.span(0, 6))
        found = two_values(produced_of(nothing, nothing, 0, 0), handed, identified=True)
        assert [members(one.offsets) for one in found] == ([expected] if expected else [])
