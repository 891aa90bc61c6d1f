"""The independent reader: it comes to the end of a log that ends in a marker, and its file says what it reads."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kafka_worker.consuming import LogReading
from kafka_worker.main import make_recorder

from tests.recorded import read_file


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


@pytest.mark.parametrize(
    ("role", "told", "level"),
    [
        ("read_log", "read_committed", "read_committed"),
        ("read_log", None, "read_uncommitted"),
        ("consume", "read_committed", None),
    ],
)
def test_the_file_says_which_reading_it_is(tmp_path: Path, role: str, told: str | None, level: str | None) -> None:
    path = tmp_path / "reader.bin"
    config = {"role": role, "worker": "reader", "run_id": 7, "history": str(path), "record": "loss", "isolation": told}
    make_recorder(config).close()
    assert read_file(path).meta.get("isolation") == level
