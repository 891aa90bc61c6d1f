"""Blocks of messages that the client hands over one at a time, one class for each mode of recording.

A block takes up to `room` messages. The application reads each value when the message comes; everything else is done
with all messages of the block when it ends, but for what must be in the file before a value is read (`OpenBlock`).
`fill` takes messages from an iterator; `push` takes one, for asynchronous clients, whose own cost a message is far
higher. `end` must be called in any case.
"""

from itertools import chain, islice, tee
from operator import itemgetter, length_hint

from kafka_worker.clock import now_ns
from kafka_worker.consuming import LossConsumption, ThroughputConsumption
from kafka_worker.payload import KEY_BYTES


class Block:
    """Nothing is recorded: the application alone."""

    def __init__(self, consumption):
        self.consumption = consumption
        self.room = consumption.room()
        self.t_ns = None
        self.messages = []
        self._value_of = consumption.client.fields.value

    @property
    def rows(self):
        """How many messages were handed over."""
        return len(self.messages)

    @property
    def ran_dry(self):
        """Whether its iterator had no more to give."""
        return self.rows < self.room

    def fill(self, source):
        """Take messages until the block is full or the iterator ends."""
        first = next(source, None)
        if first is None:
            return
        self.begin()
        # tee() keeps the messages at less than an append() for each. Once islice() has ended, or its source has raised,
        # it never asks the source again: what `kept` gives has all been handed over.
        mine, kept = tee(chain((first,), islice(source, self.room - 1)))
        self.read(mine, kept)

    def read(self, mine, kept):
        """The application reads each value."""
        value_of = self._value_of
        try:
            for message in mine:
                value_of(message)
        finally:
            self.messages = list(kept)

    def begin(self):
        """The first message was handed over."""
        self.t_ns = now_ns()
        if self.consumption.due_to_observe():
            self.consumption.observe()

    def push(self, message):
        """Take one message; False when no more are to be taken."""
        if self.t_ns is None:
            self.begin()
        self.messages.append(message)
        self._value_of(message)
        return len(self.messages) < self.room

    def end(self):
        if self.messages:
            done_ns = now_ns()
            rows = self.record(done_ns)
            if rows:
                self.consumption.block_took(rows, done_ns - self.t_ns)
                self.consumption.counted(rows, self.t_ns, done_ns)

    def record(self, done_ns):
        """Record the block's messages; returns how many deliveries are among them."""
        return len(self.messages)


class KeysBlock(Block):
    """Throughput: the keys are asked when the block ends."""

    def record(self, done_ns):
        return len(self.consumption.keep(self.messages, self.t_ns))


class OpenBlock(Block):
    """Loss: each message's key is in the file, in the open frame, before the application reads its value.

    When the block ends, a frame with offsets and partitions takes the open frame's place. A message that came after the
    client had joined its group anew ends it: it belongs to another ownership, and so behind this block's messages.
    """

    _late = None

    def __init__(self, consumption):
        super().__init__(consumption)
        self._key_of = consumption.client.fields.key
        self._odd = False
        self._joined = consumption.client.joined
        self._rows = consumption.recorder.open(self.room, now_ns())

    @property
    def ran_dry(self):
        return self._late is None and super().ran_dry

    def begin(self):
        # What the client owns is written before the first delivery.
        super().begin()
        self._rows = self.consumption.recorder.open(self.room, self.t_ns)

    def stamped(self, rows):
        """The same rows; each is asked for when its message was handed over."""
        return rows

    def read(self, mine, kept):
        key_of, value_of, rows = self._key_of, self._value_of, iter(self._rows)
        joined, known = self._joined, self.consumption.joined
        try:
            for message, row in zip(mine, self.stamped(rows)):
                if joined() is not known and self.consumption.has_rejoined():
                    self._late = message
                    break
                row.raw = key_of(message)
                value_of(message)
        except (TypeError, ValueError):
            if is_key(key_of(message)):
                # It was not a row that refused a key: the client itself raised.
                raise
            self._odd = True
        finally:
            self.messages = list(islice(kept, len(self._rows) - length_hint(rows) - (self._late is not None)))

    def push(self, message):
        if self.t_ns is None:
            self.begin()
        if self.messages and self.consumption.has_rejoined():
            self._late = message
            return False
        key = self._key_of(message)
        self.messages.append(message)
        if not is_key(key):
            self._odd = True
            return False
        self._rows[len(self.messages) - 1].raw = key
        self._value_of(message)
        return len(self.messages) < self.room

    def record(self, done_ns):
        recorded = self.messages[:-1] if self._odd else self.messages
        if recorded:
            keys = self.consumption.recorder.opened(len(recorded))
            self.consumption.record(recorded, keys, None, self.t_ns, done_ns)
        return len(recorded)

    def end(self):
        super().end()
        if self._odd:
            # An error in a message's place, or a key that is not ours.
            self.consumption.batch(self.messages[-1:], None)
        if self._late is not None:
            self.consumption.batch([self._late], None)


class TimedBlock(OpenBlock):
    """Loss, and when each message was handed over, in a frame behind the block's own."""

    def __init__(self, consumption):
        super().__init__(consumption)
        self._times = []

    def stamped(self, rows):
        # A generator would cost as much again as the clock.
        return map(itemgetter(0), zip(rows, map(self._times.append, iter(now_ns, None))))

    def push(self, message):
        self._times.append(now_ns())
        return super().push(message)

    def record(self, done_ns):
        rows = super().record(done_ns)
        if rows:
            # The first message came before the block began, which may have asked the client what it owns.
            self.consumption.recorder.times([self.t_ns] + self._times[1:rows])
        return rows


def is_key(key):
    """Whether a row of the open frame can hold it."""
    return key is not None and len(key) <= KEY_BYTES


def block_of(consumption):
    """The class for a consumption's mode."""
    if isinstance(consumption, LossConsumption):
        return TimedBlock if consumption.timed else OpenBlock
    if isinstance(consumption, ThroughputConsumption):
        return KeysBlock
    return Block
