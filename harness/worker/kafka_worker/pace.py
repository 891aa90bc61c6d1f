"""How fast the machine is meanwhile: a fixed piece of work, done again and again beside the client's.

The CPU time of one and the same work differs by half from second to second where the cores are shared with others, or
with the broker: a core whose twin is busy takes longer for everything. This work takes longer just then, too, so a
client's CPU time divided by this one's tells what the client needs, and hardly where it ran.

The kernel sets a piece off whenever the process has used another 10 ms of CPU time (SIGPROF), wherever it is then. At
the end of each batch, say, the broker would be busy or idle more often than on average, and differently so for a client
that takes longer: pieces there made a planted quarter look like a third.
"""

import signal
import time

INTERVAL_S = 0.01
WORK = tuple(range(200)) * 20
"""Small enough for the innermost cache, whatever the client has left there; some 100 us."""


class Pace:
    """From now on until `stop`, in the main thread. spent_s: CPU time of all that this cost."""

    def __init__(self):
        self.spent_s = 0.0
        self._took_s = 0.0
        self._pieces = 0
        signal.signal(signal.SIGPROF, self._on_signal)
        signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)

    @property
    def piece_ns(self):
        """CPU time of one piece, on average; None before the first."""
        return self._took_s * 1e9 / self._pieces if self._pieces else None

    def stop(self):
        signal.setitimer(signal.ITIMER_PROF, 0)

    def _on_signal(self, _number, _frame):
        began_s = _cpu_s()
        _work(WORK[:1000])  # so that the clock runs over what is in the cache already
        from_s = _cpu_s()
        _work(WORK)
        end_s = _cpu_s()
        self.spent_s += end_s - began_s
        self._took_s += end_s - from_s
        self._pieces += 1


def _work(numbers):
    found = 0
    for number in numbers:
        found ^= number
    return found


def _cpu_s():
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)
