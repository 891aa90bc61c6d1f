"""The independent reader comes to the end of a log that ends in a transaction's marker, which no message stands at."""

from types import SimpleNamespace
from typing import Any

from kafka_worker.consuming import LogReading


def test_where_nothing_more_comes_the_position_is_asked() -> None:
    asked: list[list[int]] = []

    def positions(partitions: list[int]) -> dict[int, int]:
        asked.append(partitions)
        return {0: 5}

    client: Any = SimpleNamespace(positions=positions, events=[])
    config = {"worker": "reader", "end_offsets": {"0": 5, "1": 3}}
    reading = LogReading(config, SimpleNamespace(stopping=False, end_offsets=None), None, None, client)
    reading.ends.note(0, 3)
    reading.ends.note(1, 2)
    reading.idle()
    assert asked == [[0]], "partition 1 has come to its end by itself"
    assert reading.why_over() == "end_offsets"
