"""Pure: what cannot be done to a producer, and while messages are produced, in words."""

from collections.abc import Iterator

from harness.fault_models import KINDS, WHILE_PRODUCING
from harness.scenario_file import KeyPath
from harness.scenario_findings import Finding, Lookup

OF_CONSUMERS = ("word", "deliveries", "phase")
"""Triggers that nothing sets off before anybody consumes."""
NOT_WITH = {
    ("producer", "planted"): "the planted producer makes its own faults",
    ("producer", "transactions"): "a producer whose transaction fails ends",
    ("topic", "compacted"): "what retries write again cannot be told from what compaction is to remove",
}


def _during(get: Lookup) -> Iterator[Finding]:
    faults = get("faults")
    for at in range(len(faults) if isinstance(faults, list) else 0):
        path: KeyPath = ("faults", at)
        if get(*path, "during") != "produce":
            continue
        for kind in KINDS:
            if kind not in WHILE_PRODUCING and get(*path, kind) is not None:
                what = f"{kind} is done to the group; while messages are produced only {', '.join(WHILE_PRODUCING)}"
                yield Finding((*path, "during"), what, also=((*path, kind),))
        for trigger in OF_CONSUMERS:
            if get(*path, "when", trigger) is not None:
                what = "nobody consumes yet; while messages are produced progress, s or random set off a fault"
                yield Finding((*path, "when", trigger), what, also=((*path, "during"),))
        for key, why in NOT_WITH.items():
            if get(*key):
                yield Finding((*path, "during"), f"not together with {'.'.join(key)}: {why}", also=(key,))


def _rate(get: Lookup) -> Iterator[Finding]:
    for key, why in (
        ("transactions", "each transaction is sent at once"),
        ("planted", "the planted producer has none"),
    ):
        if get("producer", "rate") is not None and get("producer", key):
            yield Finding(("producer", "rate"), f"{why}; leave one of them out", also=(("producer", key),))


CHECKS = (_during, _rate)
