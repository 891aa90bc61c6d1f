"""Blocks of messages that the client hands over one at a time, one class for each mode of recording.

A block takes up to `room` messages. `fill` takes them from an iterator, with all it does in the loop's own body; `push`
takes one, for asynchronous clients, whose own cost a message is far higher. `end` must be called in any case.
"""

from array import array
from itertools import chain, islice

from kafka_worker.clock import now_ns
from kafka_worker.consuming import LossConsumption, ThroughputConsumption
from kafka_worker.payload import KEY_BYTES, runs_of


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
    """Throughput: the messages are kept until the block ends, then their keys are."""

    def __init__(self, consumption):
        super().__init__(consumption)
        self._messages = []

    def fill(self, source):
        value_of, append = self._value_of, self._messages.append
        first = next(source, None)
        if first is None:
            return
        self.begin()
        for message in chain((first,), islice(source, self.room - 1)):
            append(message)
            value_of(message)

    def push(self, message):
        self._messages.append(message)
        return super().push(message)

    def end(self):
        self.rows = len(self.consumption.keep(self._messages, self.t_ns))
        super().end()
        self.rows = len(self._messages)


class OpenBlock(Block):
    """Loss: each message's offset and key are in the file before the application reads its value."""

    def __init__(self, consumption):
        super().__init__(consumption)
        self._fields = consumption.client.fields
        self._messages = []
        self._odd = None
        self._frame = consumption.recorder.open(self.room)

    def fill(self, source):
        value_of, key_of, offset_of = self._value_of, self._fields.key, self._fields.offset
        append = self._messages.append
        first = next(source, None)
        if first is None:
            return
        self.begin()
        offsets, write = self._frame.offsets, self._frame.write
        for row, message in enumerate(chain((first,), islice(source, self.room - 1))):
            try:
                offsets[row] = offset_of(message)
                if write(key_of(message)) != KEY_BYTES:
                    self._odd = message
                    break
            except (TypeError, ValueError):
                self._odd = message
                break
            append(message)
            value_of(message)

    def push(self, message):
        if self.t_ns is None:
            self.begin()
        frame = self._frame
        try:
            frame.offsets[len(self._messages)] = self._fields.offset(message)
            if frame.write(self._fields.key(message)) != KEY_BYTES:
                self._odd = message
        except (TypeError, ValueError):
            self._odd = message
        if self._odd is not None:
            return False
        self._messages.append(message)
        self._value_of(message)
        return len(self._messages) < self.room

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
        messages, frame, odd = self._messages, self._frame, self._odd
        if odd is not None:
            frame.undo(list(map(self._fields.offset, messages)))
        offsets = frame.offsets[: len(messages)].tolist()
        keys = frame.keys(len(messages))
        partitions = array("i")
        if messages:
            runs = runs_of(keys)
            partitions = self.consumption.partitions_of(messages, offsets, runs)
        done_ns = now_ns()
        frame.close(partitions, done_ns)
        self.consumption.recorder.closed(frame)
        if messages:
            wrong = self.consumption.payload.wrong_rows(keys, list(map(self._value_of, messages)), runs)
            if wrong:
                self.consumption.write_corrupt(wrong, keys, offsets, partitions, done_ns)
            self.consumption.block_took(len(messages), done_ns - self.t_ns)
            self.consumption.counted(len(messages), self.t_ns, done_ns)
        if odd is not None:
            # An error in a message's place, or a key that is not ours.
            self.consumption.batch([odd], None)
        self.rows = len(messages) + (odd is not None)


def block_of(consumption):
    """The class for a consumption's mode."""
    if isinstance(consumption, LossConsumption):
        return OpenBlock
    if isinstance(consumption, ThroughputConsumption):
        return KeysBlock
    return Block
