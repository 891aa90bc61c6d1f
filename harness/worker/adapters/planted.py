"""confluent-kafka made to lose, repeat, reorder, corrupt and invent on purpose, to see that the verdict names it.

`planted: {"fault", "count", "at", "partition", "seed"}`: `at` is the first message's number in its partition (its
offset for consumers, its seq for producers), or `first`, `middle`, `last`, or null or `random`: drawn from the seed,
like the partition. Every deed is written into the history as a `planted` event: `fault`, `partition`, `seq` and, of
consumers, `offset`.

Consumers: `skip` leaves messages out; `tail_loss` leaves out the partition's last ones; `stall` leaves out all from
`at` on; `repeat` hands them over twice; `reorder` swaps each with its successor; `corrupt` flips a bit of the value;
`phantom` hands them over under an identity that was never sent. Producers: `publish_loss` acks without sending;
`duplicate` sends twice; `misroute` sends to the next partition; `corrupt` flips a bit of the value.
"""

import random
from operator import methodcaller

from adapters import confluent
from adapters.parts import Fields
from kafka_worker.clock import now_ns
from kafka_worker.payload import KEY

versions = confluent.versions

NEVER_SENT = 1 << 40
NO_OFFSET = -1


class Plan:
    """Which messages of which partition. `ends`: how many messages each partition has."""

    def __init__(self, planted, ends, seed):
        draw = random.Random("%s:%s" % (planted.get("seed", seed), planted["fault"]))
        self.fault = planted["fault"]
        self.count = planted.get("count", 1)
        partition = planted.get("partition")
        drawn = draw.choice(sorted(partition for partition, end in ends.items() if end) or [0])
        self.partition = drawn if partition is None else partition
        # A swap takes two messages; and after what is planted in the middle something must come that shows it.
        self.width = self.count * 2 if self.fault == "reorder" else self.count
        highest = max(1, ends.get(self.partition, 0) - self.width - 1)
        at = planted.get("at")
        if self.fault == "tail_loss":
            self.at = max(0, ends.get(self.partition, 0) - self.count)
        elif isinstance(at, int):
            self.at = at
        else:
            self.at = {"first": 0, "middle": highest // 2, "last": highest}.get(at, draw.randint(1, highest))

    def covers(self, partition, number):
        if partition != self.partition or number < self.at:
            return False
        return self.fault in ("tail_loss", "stall") or number < self.at + self.width


class Altered:
    """A message with another key or value."""

    def __init__(self, message, key=None, value=None):
        self._message = message
        self._key = key
        self._value = value

    def key(self):
        return self._message.key() if self._key is None else self._key

    def value(self):
        return self._message.value() if self._value is None else self._value

    def offset(self):
        return self._message.offset()

    def partition(self):
        return self._message.partition()

    def error(self):
        return None


class Consumer(confluent.Consumer):
    fields = Fields(*map(methodcaller, ("key", "offset", "partition", "value")))

    def __init__(self, config):
        super().__init__(config)
        ends = {int(partition): end for partition, end in (config.get("end_offsets") or {}).items()}
        self._plan = Plan(config["planted"], ends, config["payload"]["seed"])
        self._held = None

    def batch(self):
        messages, _ = super().batch()
        return [given for message in messages for given in self._given(message)], None

    def messages(self):
        for message in super().messages():
            for given in self._given(message):
                yield given

    def _given(self, message):
        """What is handed over in a message's place."""
        if message.error() is not None or not self._plan.covers(message.partition(), message.offset()):
            return [message]
        fault = self._plan.fault
        if fault == "reorder":
            if self._held is None:
                self._held = message
                return []
            first, self._held = self._held, None
            self._tell(first)
            return [message, first]
        self._tell(message)
        if fault in ("skip", "tail_loss", "stall"):
            return []
        if fault == "repeat":
            return [message, message]
        if fault == "corrupt":
            return [Altered(message, value=flipped(message.value()))]
        run, producer, partition, seq, intended_ns = KEY.unpack(message.key())
        return [Altered(message, key=KEY.pack(run, producer, partition, seq + NEVER_SENT, intended_ns))]

    def _tell(self, message):
        self.events.append(
            (
                now_ns(),
                {
                    "type": "planted",
                    "fault": self._plan.fault,
                    "partition": message.partition(),
                    "offset": message.offset(),
                    "seq": KEY.unpack(message.key())[3],
                },
            )
        )


class Producer(confluent.Producer):
    def __init__(self, config):
        super().__init__(config)
        messages, partitions = config["produce"]["messages"], config["partitions"]
        ends = {partition: len(range(partition, messages, partitions)) for partition in range(partitions)}
        self._plan = Plan(config["planted"], ends, config["payload"]["seed"])
        self._partitions = partitions
        self._invented = ([], [], [])
        self._repeated = {}

    def send(self, rows):
        super().send([given for row in rows for given in self._given(row)])

    def _given(self, row):
        """What is sent in a message's place."""
        partition, key, value = row
        seq = KEY.unpack(key)[3]
        if not self._plan.covers(partition, seq):
            return [row]
        fault = self._plan.fault
        self.events.append((now_ns(), {"type": "planted", "fault": fault, "partition": partition, "seq": seq}))
        if fault == "publish_loss":
            # Without an offset: no answer of the broker stands behind such an ack.
            for column, item in zip(self._invented, (key, NO_OFFSET, partition)):
                column.append(item)
            return []
        if fault == "duplicate":
            self._repeated[key] = 2
            return [row, row]
        if fault == "misroute":
            return [((partition + 1) % self._partitions, key, value)]
        return [(partition, key, flipped(value))]

    def answers(self):
        acked, failures = super().answers()
        # The ack of a copy is not the client's to tell: it does not know that it sent one.
        rows = [row for row in zip(*acked) if not self._is_copy(row[0])]
        acked = tuple(map(list, zip(*rows))) if rows else ([], [], [])
        invented, self._invented = self._invented, ([], [], [])
        return tuple(column + more for column, more in zip(acked, invented)), failures

    def _is_copy(self, key):
        if key not in self._repeated:
            return False
        self._repeated[key] -= 1
        return self._repeated[key] == 0


def flipped(value):
    """The value with one bit of its middle turned over."""
    middle = len(value) // 2
    return value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
