"""How fast the machine is meanwhile: a fixed piece of work, done again and again beside the client's.

The CPU time of one and the same work differs by half from second to second where the cores are shared with others, or
with the broker: a core whose twin is busy takes longer for everything. This work takes longer just then, too, so a
client's CPU time divided by this one's tells what the client needs, and hardly where it ran.
"""

import time

INTERVAL_NS = 10 * 1000 * 1000
WORK = tuple(range(200)) * 20
"""Small enough for the innermost cache, whatever the client has left there; some 100 us."""


class Pace:
    """spent_s: CPU time of all that this cost."""

    def __init__(self):
        self.spent_s = 0.0
        self._took_s = 0.0
        self._pieces = 0
        self._next_ns = 0

    @property
    def piece_ns(self):
        """CPU time of one piece, on average; None before the first."""
        return self._took_s * 1e9 / self._pieces if self._pieces else None

    def keep(self, now_ns):
        """Do a piece if it is time."""
        if now_ns < self._next_ns:
            return
        self._next_ns = now_ns + INTERVAL_NS
        began_s = time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)
        _work(WORK[:1000])  # so that the clock runs over what is in the cache already
        from_s = time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)
        _work(WORK)
        end_s = time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)
        self.spent_s += end_s - began_s
        self._took_s += end_s - from_s
        self._pieces += 1


def _work(numbers):
    found = 0
    for number in numbers:
        found ^= number
    return found
