"""Pure: how much a scenario writes, and limits to that, for brokers that others use as well."""

import re

from harness.errors import UsageError
from harness.scenario import Scenario

KEY_BYTES = 24
ASK_ABOVE_BYTES = 1_000_000_000
UNITS = {"": 1, "k": 1_000, "m": 1_000_000, "g": 1_000_000_000}
AMOUNT = re.compile(r"(\d+(?:\.\d+)?) ?([kmg]?)b(/s)?", re.IGNORECASE)


def message_bytes(scenario: Scenario) -> int:
    """Of one message, before compression and without the batch around it."""
    return KEY_BYTES + scenario.size_bytes


def written_bytes(scenario: Scenario) -> int:
    """Of all messages, each once: the broker keeps as many copies as its topics have replicas."""
    return scenario.messages * message_bytes(scenario)


def read_bytes(text: str) -> int:
    """`500MB`, as 500,000,000."""
    found = AMOUNT.fullmatch(text.strip())
    if found is None or found[3] or not float(found[1]):
        raise UsageError("bad-limit", f"--max-bytes {text}: no amount", "Such as 500MB or 2GB.")
    return int(float(found[1]) * UNITS[found[2].lower()])


def limited(scenario: Scenario, rate: str | None) -> Scenario:
    """The scenario with a producer that is no faster than `rate`: messages (`500`) or bytes (`2MB`) a second."""
    if rate is None:
        return scenario
    text = rate.strip().removesuffix("/s")
    found = AMOUNT.fullmatch(text)
    if text.isascii() and text.isdigit() and int(text):
        a_second = int(text)
    elif found is not None and float(found[1]):
        a_second = max(1, int(float(found[1]) * UNITS[found[2].lower()] / message_bytes(scenario)))
    else:
        raise UsageError("bad-limit", f"--max-rate {rate}: no rate", "Messages a second, such as 500, or 2MB/s.")
    producer = scenario.producer
    if producer.transactions or producer.planted:
        what = f"--max-rate: the producer of {scenario.name} cannot be slowed down"
        raise UsageError("bad-limit", what, "One that writes transactions, or is planted, sends at once; leave it out.")
    if producer.rate is None or producer.rate > a_second:
        scenario = scenario.model_copy(update={"producer": producer.model_copy(update={"rate": a_second})})
    return scenario


def in_words(count: float) -> str:
    """`204.8 MB`."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:,.1f} {unit}"
    return f"{count:,.0f} B"
