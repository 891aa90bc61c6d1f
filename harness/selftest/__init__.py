"""The harness tested on itself: faults made on purpose that it must find, and clean runs in which it must find none.

`table` says which faults are planted where and what must be found; `cells` runs them on one warm broker; `marking`
compares a verdict with what was planted; `run` goes through it all; `show` prints it.
"""
