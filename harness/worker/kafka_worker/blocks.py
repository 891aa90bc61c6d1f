"""Blocks of messages that the client hands over one at a time, one class for each mode of recording.

A block takes up to `room` messages. `fill` takes them from an iterator, with all it does in the loop's own body; `push`
takes one, for asynchronous clients, whose own cost a message is far higher. `end` must be called in any case.
"""

from array import array
from itertools import chain, islice

from kafka_worker.clock import now_ns
from kafka_worker.consuming import LossConsumption, ThroughputConsumption, normal_key
from kafka_worker.payload import KEY_BYTES, runs_of
from kafka_worker.recorder import PLACES


class Block:
    """Nothing is recorded: the application alone."""

    def __init__(self, consumption):
        self.consumption = consumption
        self.room = consumption.room()
        self.rows = 0
        self.t_ns = None
        self._value_of = consumption.client.fields.value

    def fill(self, source):
        """Take messages until the block is full or the iterator ends."""
        value_of = self._value_of
        first = next(source, None)
        if first is None:
            return
        self.begin()
        rows = 0
        try:
            for rows, message in enumerate(chain((first,), islice(source, self.room - 1)), 1):
                value_of(message)
        finally:
            self.rows = rows

    def begin(self):
        """The first message was handed over."""
        self.t_ns = now_ns()
        if self.consumption.due_to_observe():
            self.consumption.observe()

    def push(self, message):
        """Take one message; False when no more are to be taken."""
        if self.t_ns is None:
            self.begin()
        self._value_of(message)
        self.rows += 1
        return self.rows < self.room

    def end(self):
        if self.rows:
            done_ns = now_ns()
            self.consumption.block_took(self.rows, done_ns - self.t_ns)
            self.consumption.counted(self.rows, self.t_ns, done_ns)


class KeysBlock(Block):
    """Throughput: the keys are kept until the block ends. Of the messages only the first, to check its value."""

    def __init__(self, consumption):
        super().__init__(consumption)
        self._key_of = consumption.client.fields.key
        self._first = None
        self._odd = None
        self._keys = []

    def fill(self, source):
        value_of, key_of, append = self._value_of, self._key_of, self._keys.append
        first = next(source, None)
        if first is None:
            return
        self._first = first
        self.begin()
        for message in chain((first,), islice(source, self.room - 1)):
            key = key_of(message)
            if key is None:
                self._odd = message
                break
            append(key)
            value_of(message)

    def push(self, message):
        if self.t_ns is None:
            self.begin()
        if self._first is None:
            self._first = message
        key = self._key_of(message)
        if key is None:
            self._odd = message
            return False
        self._keys.append(key)
        self._value_of(message)
        return len(self._keys) < self.room

    def end(self):
        self.rows = len(self._keys)
        if self.rows:
            keys = b"".join(self._keys)
            if len(keys) != KEY_BYTES * self.rows:
                keys = b"".join(map(normal_key, self._keys))
            self.consumption.keep_keys(keys, self._first, self.t_ns)
            super().end()
        if self._odd is not None:
            # An error in a message's place, or no key at all.
            self.consumption.batch([self._odd], None)
            self.rows += 1


class OpenBlock(Block):
    """Loss: each message's offset and key are in the file before the application reads its value.

    Values and partitions are kept until the block ends, the messages are not: a client that can use the same memory for
    the next one is faster by more than all that is done here.
    """

    def __init__(self, consumption):
        super().__init__(consumption)
        self._fields = consumption.client.fields
        self._values = []
        self._partitions = []
        self._odd = None
        self._frame = consumption.recorder.open(self.room)

    def fill(self, source):
        key_of, offset_of, partition_of, value_of = self._fields
        keep_value, keep_partition = self._values.append, self._partitions.append
        first = next(source, None)
        if first is None:
            return
        self.begin()
        offsets, keys = self._frame.offsets, self._frame.keys
        # zip() ends with the places, before it would take one message too many.
        for row, place, message in zip(range(self.room), PLACES, chain((first,), source)):
            try:
                offsets[row] = offset_of(message)
                keys[place] = key_of(message)
            except (TypeError, ValueError):
                self._odd = message
                break
            keep_partition(partition_of(message))
            keep_value(value_of(message))

    def push(self, message):
        if self.t_ns is None:
            self.begin()
        row = len(self._values)
        try:
            self._frame.offsets[row] = self._fields.offset(message)
            self._frame.keys[PLACES[row]] = self._fields.key(message)
        except (TypeError, ValueError):
            self._odd = message
            return False
        self._partitions.append(self._fields.partition(message))
        self._values.append(self._value_of(message))
        return len(self._values) < self.room

    def begin(self):
        self.t_ns = now_ns()
        if self.consumption.due_to_observe():
            # What the client owns is written before the first delivery: the still empty frame moves behind it.
            self._frame.close(array("i"), 0)
            self.consumption.recorder.closed(self._frame)
            self.consumption.observe()
            self._frame = self.consumption.recorder.open(self.room)
        self._frame.stamp(self.t_ns)

    def end(self):
        frame, rows = self._frame, len(self._values)
        offsets = frame.offsets[:rows].tolist()
        keys = frame.keys[: rows * KEY_BYTES].tobytes()
        partitions = self.consumption.partitions_told(self._partitions, offsets)
        done_ns = now_ns()
        frame.close(partitions, done_ns)
        self.consumption.recorder.closed(frame)
        if rows:
            wrong = self.consumption.payload.wrong_rows(keys, self._values, runs_of(keys))
            if wrong:
                self.consumption.write_corrupt(wrong, keys, offsets, partitions, done_ns)
            self.consumption.block_took(rows, done_ns - self.t_ns)
            self.consumption.counted(rows, self.t_ns, done_ns)
        self.rows = rows
        if self._odd is not None:
            # An error in a message's place, or a key that is not ours.
            self.consumption.batch([self._odd], None)
            self.rows += 1


def block_of(consumption):
    """The class for a consumption's mode."""
    if isinstance(consumption, LossConsumption):
        return OpenBlock
    if isinstance(consumption, ThroughputConsumption):
        return KeysBlock
    return Block
