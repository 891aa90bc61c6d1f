"""Rows of many messages are judged like as many rows of one: every message of a history made three, all counts times 3.

Histories in lines have rows of one message; recordings have long ones, which the judge cuts wherever something else
begins. So every message of a history of the model becomes a row of three, every offset and seq the third part of what
it was: whatever counts messages must come out three times, and everything else as it was.
"""

import copy
import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings

from harness.columns import Columns
from harness.history import Event, History, Stream
from harness.verify import judge
from tests.verify.facts import read, written
from tests.verify.model import wild
from tests.verify.test_model import EXAMPLES, NUMBERS, trial

TIMES = 3
NOT_OF_MESSAGES = ("double_owner", "commit_lost")


def bulky(columns: Columns, *, merging: bool = False) -> Columns:
    made = Columns(merging=merging)
    for rows in columns:
        rows = rows.copy()
        for name in ("seq", "offset"):
            rows[name][rows[name] > 0] *= TIMES
        rows["length"] *= TIMES
        made.add(rows)
    return made


def bulky_event(event: Event) -> Event:
    data: dict[str, Any] = dict(event.data)
    for name in ("offset", "before"):
        if data.get(name) is not None:
            data[name] *= TIMES
    if data.get("positions"):
        data["positions"] = {partition: offset * TIMES for partition, offset in data["positions"].items()}
    return replace(event, data=data)


def three_for_one(history: History) -> History:
    made = copy.copy(history)
    for name in ("sends", "acks", "nacks", "unknowns", "corrupt", "corrupt_log"):
        setattr(made, name, bulky(getattr(history, name)))
    made.log = bulky(history.log, merging=True)
    made.streams = [
        Stream(stream.member, list(map(bulky_event, stream.events)), bulky(stream.deliveries))
        for stream in history.streams
    ]
    made.stored = list(map(bulky_event, history.stored))
    made.deleted = list(map(bulky_event, history.deleted))
    made.log_ends = {partition: (start * TIMES, end * TIMES) for partition, (start, end) in history.log_ends.items()}
    made.committed_to = {partition: offset * TIMES for partition, offset in history.committed_to.items()}
    return made


def counted(verdict: dict[str, Any], times: int) -> dict[str, Any]:
    """What a verdict counts; that of messages so many times."""
    counts = {key: verdict[key] for key in ("sent", "acked", "nacked", "unknown", "aborted", "judged", "deliveries")}
    counts |= verdict["fates"] | verdict["committed_ahead_of"]
    counts = {key: count * times for key, count in counts.items()}
    for key, count in verdict["anomalies"].items():
        counts[key] = count * (1 if key in NOT_OF_MESSAGES else times)
    return {**counts, "verdict": verdict["verdict"], "blamed": verdict["blamed"]}


@settings(trial, max_examples=EXAMPLES)
@given(NUMBERS)
def test_three_messages_for_one_are_judged_like_one(number: int) -> None:
    history = read(written(wild(random.Random(number))))
    assert counted(judge(three_for_one(history)), 1) == counted(judge(history), TIMES)
