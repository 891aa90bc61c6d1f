"""Pure: when messages are due that are sent at a fixed rate, whatever has held up those before them."""

from array import array

SECOND_NS = 10**9


class Schedule:
    """Message i is due at `begin_ns` + i / rate. The times never slide: who was held up sends what is overdue at once.

    So a message's latency, counted from when it was due, includes every wait that a user would have had; counted from
    when it was sent, it would leave out just the waits for what is slow (coordinated omission).
    """

    def __init__(self, rate, begin_ns):
        self.rate = rate
        self.begin_ns = begin_ns

    def due_ns(self, number):
        return self.begin_ns + number * SECOND_NS // self.rate

    def due_by(self, t_ns):
        """How many messages are due at this time."""
        if t_ns < self.begin_ns:
            return 0
        # The greatest i + 1 with due_ns(i) <= t_ns.
        return ((t_ns - self.begin_ns + 1) * self.rate - 1) // SECOND_NS + 1

    def times(self, first, count):
        return array("Q", [self.due_ns(number) for number in range(first, first + count)])
