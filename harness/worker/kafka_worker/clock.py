"""The one clock of every history: the host's monotonic clock, in nanoseconds."""

import time

try:
    now_ns = time.monotonic_ns
except AttributeError:  # Python 3.6

    def now_ns():
        return int(time.monotonic() * 1e9)
