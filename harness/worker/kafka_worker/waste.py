"""CPU time that is burnt on purpose, beside what a client needs itself: a slowdown of a known size."""

import time


class Waste:
    """share: of all that the process has used without this, 0.25: a quarter more."""

    def __init__(self, share):
        self._share = share
        self._from = time.process_time()
        self._burnt = 0.0

    def burn(self):
        """Catch up with what is to be burnt by now."""
        began = _thread_s()
        due = (time.process_time() - self._from - self._burnt) * self._share - self._burnt
        while _thread_s() - began < due:
            pass
        self._burnt += _thread_s() - began


def _thread_s():
    return time.clock_gettime(time.CLOCK_THREAD_CPUTIME_ID)
