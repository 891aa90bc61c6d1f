"""What the independent reader has beside a consumer: a bound on waiting, and saying how far it read."""

import time

NO_PROGRESS_S = 30


class NoProgress(Exception):
    """The log's end was not reached, and nothing came any more."""


class LogProgress:
    """Raises NoProgress when nothing was read for NO_PROGRESS_S."""

    def __init__(self):
        self._read = -1
        self._at = 0.0

    def __call__(self, reading):
        # Awaited partitions are part of progress: the end may be a hole, which moves the position and delivers nothing.
        read = (reading.deliveries, len(reading.ends.awaited()))
        if read != self._read:
            self._read, self._at = read, time.monotonic()
        elif time.monotonic() - self._at > NO_PROGRESS_S:
            ends = {partition: reading.ends.next.get(partition, 0) for partition in reading.ends.awaited()}
            raise NoProgress("nothing read for %d s; stands at %s (offset by partition)" % (NO_PROGRESS_S, ends))


def write_log_ends(reading, bounds):
    """`log_end` for each partition that was read to its end, and for no other."""
    awaited = reading.ends.awaited() if reading.ends.known else list(bounds)
    for partition, (start, end) in sorted(bounds.items()):
        if partition not in awaited:
            read_to = reading.ends.next.get(partition, start)
            reading.event({"type": "log_end", "partition": partition, "start": start, "end": max(read_to, start)})
