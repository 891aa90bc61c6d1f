"""How much a scenario writes, and limits to that."""

from typing import Any

import pytest

from harness.errors import UsageError
from harness.scenario import load
from harness.volume import in_words, limited, read_bytes, written_bytes


def test_what_is_written() -> None:
    scenario = load("ssl_iter_speed", {"messages": 1000, "size_bytes": 976})
    assert written_bytes(scenario) == 1_000_000
    assert [in_words(count) for count in (1, 999, 1000, 1_500_000, 2e9)] == [
        "1 B",
        "999 B",
        "1.0 kB",
        "1.5 MB",
        "2.0 GB",
    ]


@pytest.mark.parametrize(("rate", "told"), [("500", 500), ("500/s", 500), ("1MB/s", 1000), ("10 kb", 10), ("1B", 1)])
def test_a_limit_slows_the_producer_down(rate: str, told: int) -> None:
    scenario = load("ssl_iter_speed", {"messages": 3000, "size_bytes": 976})
    made = limited(scenario, rate)
    assert (made.producer.rate, made.name) == (told, "ssl_iter_speed")
    assert limited(made, "2GB/s").producer.rate == told, "it is never made faster"
    assert limited(scenario, None) is scenario


def test_what_cannot_be_slowed_down_is_refused(write: Any) -> None:
    text = "about: x\nclient: confluent-kafka\napi: poll\nmessages: 200\nsize_bytes: 100\n"
    scenario = load(write(text + "producer: {transactions: {messages: 10}}\n"))
    with pytest.raises(UsageError) as refused:
        limited(scenario, "5")
    assert refused.value.what == f"--max-rate: the producer of {scenario.name} cannot be slowed down"


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "MB", "0MB", "five", "1TB", "²"])
def test_what_is_no_limit(text: str) -> None:
    with pytest.raises(UsageError, match="no rate"):
        limited(load("ssl_iter_speed"), text)
    with pytest.raises(UsageError, match="no amount"):
        read_bytes(text)


def test_amounts() -> None:
    assert [read_bytes(text) for text in ("500MB", "1.5 gb", "10B")] == [500_000_000, 1_500_000_000, 10]
