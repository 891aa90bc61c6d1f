"""What the log lacks, and by whose fault, against the same asked message by message: long rows, acks told twice."""

import random

import numpy as np

from harness.columns import NO_OFFSET, NO_PRODUCER, SEQ_BITS, Rows, no_rows
from harness.history import PartitionRows
from harness.verify.intervals import NOTHING
from harness.verify.producing import Produced, deleted, not_in_the_log, read_produced
from tests.verify.test_placing import drawn, intervals, members, messages, numbers, rows_of, some_names

Ack = tuple[int, int, int]  # identity, offset or -1, time


def entries(draw: random.Random) -> tuple[Rows, int, int]:
    """The log in offset order, where it starts, and where it ends."""
    start = draw.choice([0, 0, draw.randint(1, 8)])
    stretches, offset = [], start + draw.choice([0, 0, 2])
    for _ in range(draw.randint(0, 5)):
        producer, length = draw.choice([NO_PRODUCER, 0, 0, 1]), draw.randint(1, 4)
        stretches.append((producer, 0 if producer == NO_PRODUCER else draw.randint(0, 14), offset, length))
        offset += length + draw.choice([0, 0, 2])
    return rows_of(stretches), start, offset + draw.choice([0, 1])


def acks_of(draw: random.Random, log: Rows) -> Rows:
    """In the order of their time: some for what the log holds, where it holds it, others for anything."""
    stretches = []
    for row in log:
        if row["producer"] != NO_PRODUCER and draw.random() < 0.6:
            stretches.append(tuple(int(row[name]) for name in ("producer", "seq", "offset", "length")))
    for _ in range(draw.randint(0, 5)):
        offset = draw.choice([NO_OFFSET, draw.randint(0, 24), draw.randint(0, 24)])
        stretches.append((draw.choice([0, 1]), draw.randint(0, 14), offset, draw.randint(1, 5)))
    draw.shuffle(stretches)
    if draw.random() < 0.3:  # as a producer tells them, mostly: each once, in order
        stretches.sort()
    return rows_of(stretches)


def produced_of(acks: Rows, log: Rows, start: int, end: int) -> Produced:
    nothing = no_rows()
    rows = PartitionRows(acks, acks, nothing, nothing, log, nothing, nothing)
    aborted = np.zeros(1, np.bool_)
    return read_produced(0, rows, aborted=aborted, elsewhere=NOTHING, log_end=(start, end), committed_to=None)


def told(acks: Rows) -> list[Ack]:
    each = []
    for row in acks:
        each += [(name, offset, int(row["at"])) for name, offset in messages(rows_of([as_stretch(row)]))]
    return each


def as_stretch(row: np.void) -> tuple[int, int, int, int]:
    return int(row["producer"]), int(row["seq"]), int(row["offset"]), int(row["length"])


WORDS = {
    "deleted: the log starts": "gone",
    "acked without an offset": "no offset",
    "which another message had been acked at before": "taken",
    "the log ends before it": "behind",
    "something else or nothing there": "elsewhere",
}


def fates(acks: Rows, log: Rows, start: int, end: int) -> dict[str, dict[int, int]]:
    """By why, the lost messages and what their first acks said."""
    held = {offset: name for name, offset in messages(log)}
    first: dict[int, Ack] = {}
    for ack in told(acks):
        first.setdefault(ack[0], ack)
    found: dict[str, dict[int, int]] = {}
    for name, offset, at in first.values():
        if name in held.values():
            continue
        owner = held.get(offset, -1)
        if (start > 0 and offset == NO_OFFSET) or NO_OFFSET < offset < start:
            why = "gone"
        elif offset == NO_OFFSET:
            why = "no offset"
        elif owner >= 0 and any(ack[:2] == (owner, offset) and ack[2] < at for ack in told(acks)):
            why = "taken"
        else:
            why = "behind" if offset >= end else "elsewhere"
        found.setdefault(why, {})[name] = offset
    return found


@drawn
def test_what_the_log_lacks(draw: random.Random) -> None:
    log, start, end = entries(draw)
    acks = acks_of(draw, log)
    expected = fates(acks, log, start, end)
    found = {}
    for finding in not_in_the_log(produced_of(acks, log, start, end), NOTHING):
        (why,) = (why for words, why in WORDS.items() if words in finding.text)
        found[why] = members(finding.identities)
        assert finding.count == len(found[why])
        assert finding.blame == {"gone": "void", "no offset": "producer", "taken": "producer"}.get(why, "broker")
        if why not in ("gone", "no offset"):
            assert f"acked at offset {min(expected[why].values())}" in finding.text
    assert found == {why: set(names) for why, names in expected.items()}


def test_an_offset_is_taken_by_an_ack_of_its_own_message_there_and_before() -> None:
    """The log holds four messages at 0 to 3, and four others were acked there."""
    log, others = rows_of([(0, 0, 0, 4)]), (1, 0, 0, 4)

    def blamed(own: tuple[int, int, int, int]) -> list[tuple[str, int]]:
        produced = produced_of(rows_of([own, others]), log, 0, 4)
        return [(finding.blame, finding.count) for finding in not_in_the_log(produced, NOTHING)]

    assert blamed((0, 0, 0, 4)) == [("producer", 4)]
    assert blamed((0, 0, 0, 2)) == [("producer", 2), ("broker", 2)], "nobody was told that the others are there"
    assert blamed((0, 0, 9, 4)) == [("broker", 4)], "they were told to be elsewhere"


@drawn
def test_what_may_have_been_deleted(draw: random.Random) -> None:
    log, start, end = entries(draw)
    acks, absent = acks_of(draw, log), some_names(draw)
    first: dict[int, int] = {}
    for name, offset, _ in told(acks):
        first.setdefault(name, offset)
    expected = {name for name in absent if first.get(name, NO_OFFSET) < start} if start else set()
    assert members(deleted(produced_of(acks, log, start, end), intervals(absent), start)) == expected


@drawn
def test_what_is_astray(draw: random.Random) -> None:
    """It names another partition, and the log does not hold it in this one."""
    log, start, end = entries(draw)
    log["asked"] = [draw.choice([0, 0, 1]) for _ in log]
    produced = produced_of(no_rows(), log, start, end)
    rows = rows_of(
        (draw.choice([NO_PRODUCER, 0, 1]), draw.randint(0, 14), draw.choice([NO_OFFSET, draw.randint(0, 24)]), 1)
        for _ in range(draw.randint(0, 8))
    )
    rows["asked"] = [draw.choice([0, 1, 2]) for _ in rows]
    strays = {offset for row in log for offset in range(int(row["offset"]), int(row["offset"] + row["length"]))
              if row["asked"] != 0}  # fmt: skip
    assert produced.astray(rows).tolist() == [
        bool(row["producer"] != NO_PRODUCER and row["asked"] != 0 and int(row["offset"]) not in strays) for row in rows
    ]
    assert members(produced.in_log) == {name for name, offset in messages(log) if name >= 0 and offset not in strays}


@drawn
def test_everything_that_was_told_of_was_sent(draw: random.Random) -> None:
    one, two, three, four = (rows_of([(0, seq, NO_OFFSET, 1) for seq in sorted(numbers(draw, 12))]) for _ in range(4))
    rows = PartitionRows(one, two, three, four, no_rows(), no_rows(), no_rows())
    made = read_produced(0, rows, aborted=np.zeros(1, np.bool_), elsewhere=NOTHING, log_end=None, committed_to=None)
    sent, acked, nacked, unknown = (set(part["seq"].tolist()) for part in (one, two, three, four))
    assert members(made.sent) == sent | acked | nacked | unknown
    assert members(made.nacked) == nacked - acked
    assert members(made.silent) == sent - acked - nacked - unknown
    assert members(made.unknown) == (unknown - acked - nacked) | (sent - acked - nacked - unknown)
    assert max(members(made.sent), default=0) < 1 << SEQ_BITS
