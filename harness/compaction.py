"""A topic with holes: the first copies of some messages are removed by compaction before anybody reads.

Compaction keeps the last record of each key. A message's key is its identity, so one that is written twice is kept at
its later offset, and the earlier offset becomes a hole: the message is not lost, and nothing in the hole is a message.
The broker compacts when it likes, and never the segment that it writes to (kafka_worker/producing.py closes it).
"""

import time
from collections.abc import Callable

from harness.errors import HarnessError

SETTINGS = {
    "cleanup.policy": "compact",
    "min.cleanable.dirty.ratio": "0.001",
    # Below the rest that the producer takes before its last messages.
    "segment.ms": "1000",
}
WAIT_S = 60.0
ASK_S = 0.5


def await_holes(held: Callable[[], dict[int, int]], wanted: dict[int, int], *, timeout_s: float = WAIT_S) -> None:
    """Wait until every partition holds as many messages as it has keys, so that compaction has nothing left to remove.

    held: counts the messages of each partition by reading them. Raises HarnessError when the time is over: a log of
    which it is not known what it holds proves nothing.
    """
    deadline = time.monotonic() + timeout_s
    while (seen := held()) != wanted:
        if time.monotonic() > deadline:
            raise HarnessError(
                "not-compacted",
                f"after {timeout_s:g} s the partitions held {seen} messages, and compaction should leave {wanted}",
                "Run again on a quieter machine; the broker's log in the run's folder (logs/broker.log) says what its "
                "log cleaner did.",
            )
        time.sleep(ASK_S)


def share(messages: int, partitions: int) -> dict[int, int]:
    """How many messages each partition gets: message i goes to partition i mod partitions."""
    return {partition: len(range(partition, messages, partitions)) for partition in range(partitions)}
