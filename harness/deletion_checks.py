"""Pure: what is wrong with a fault that deletes records."""

from collections.abc import Iterator

from harness.scenario_file import KeyPath
from harness.scenario_findings import Finding, Lookup

EXTENT = ("before", "share")


def deletion(get: Lookup, path: KeyPath) -> Iterator[Finding]:
    """path: that of the fault."""
    key = (*path, "delete_records")
    given = [name for name in EXTENT if get(*key, name) is not None]
    if len(given) != 1:
        yield Finding(key, f"exactly one of {', '.join(EXTENT)}, found {', '.join(given) or 'none'}")
    before, messages = get(*key, "before"), get("messages")
    if before is not None and messages is not None and before > messages:
        what = f"there is nothing behind offset {before:,}: {messages:,} messages are written, over all partitions"
        yield Finding((*key, "before"), what, also=(("messages",),))
    partition, partitions = get(*key, "partition"), get("partitions")
    if partition is not None and partitions is not None and partition >= partitions:
        what = f"there is no partition {partition}; there are {partitions}, from 0"
        yield Finding((*key, "partition"), what, also=(("partitions",),))
    if (get(*path, "times") or 1) > 1:
        yield Finding((*path, "times"), "records are deleted once; write a second fault for more")
    if get("topic", "compacted"):
        yield Finding(key, "Kafka deletes no records of a compacted topic", also=(("topic", "compacted"),))
    if get("record") == "throughput":
        what = "with record: throughput nobody knows what was handed over before it; use record: loss"
        yield Finding(key, what, also=(("record",),))
    if get("planted"):
        yield Finding(key, "the planted client makes its own faults; leave `planted` or this out")
