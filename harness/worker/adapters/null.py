"""No client and no network: the harness's own ceiling, and whole runs that need no broker.

The producer's messages are acked as soon as they are sent, offset = seq. The consumer and the reader are handed the log
that such a producer would have left, computed from the configuration: `end_offsets` (or, where these are not known yet,
`partitions` and the messages of `produce`) and the run's payload. The producer's number is that of `produce`. With
`ready_made` all is computed before the first call: what a loop then takes is its own.
"""

from collections import namedtuple
from itertools import chain
from operator import attrgetter

from adapters.parts import ConsumerParts, Fields, ProducerParts
from kafka_worker.clock import now_ns
from kafka_worker.payload import KEY, Payload

BATCH = 500
DEFAULT_PRODUCER = 1

Message = namedtuple("Message", "partition offset key value")


def versions():
    return {"client_version": "1"}


class Consumer(ConsumerParts):
    fields = Fields(attrgetter("key"), attrgetter("offset"), attrgetter("partition"), attrgetter("value"))

    def __init__(self, config):
        super().__init__(config)
        self.shape = "messages" if self.api in ("poll", "iterator", "getone") and not self.reads_log else "batch"
        self.call = self.api or "consume"
        produce = config.get("produce") or {}
        payload = config["payload"]
        self._payload = Payload(config["run_id"], payload["seed"], payload["size_bytes"], payload["pool"])
        self._run_id = config["run_id"]
        self._producer = produce.get("producer", DEFAULT_PRODUCER)
        count, partitions = produce.get("messages", 0), config["partitions"]
        ends = config.get("end_offsets") or {
            partition: len(range(partition, count, partitions)) for partition in range(partitions)
        }
        self._ends = {int(partition): end for partition, end in ends.items()}
        self._next = dict.fromkeys(self._ends, 0)
        # What a script leaves in its hands at the end of a step would be lost.
        self._at_once = 1 if config.get("script") is not None else self.max_records or BATCH
        self._owned, self._paused = list(self._ends) if self.documented else [], set()
        self.effective = {"batch": self.max_records or BATCH}
        self._ready = None
        if config.get("ready_made"):
            self._ready = iter(list(iter(self.batch, ([], []))))
            self._next = dict.fromkeys(self._ends, 0)

    def start(self):
        if self.listens:
            self.subscribe(True)

    # ---- steps of a script; a group of one, whose commits always stand -----------------------------------------------

    def subscribe(self, listener, topics=None):
        self._take(self._ends)
        if listener:
            self.events.append((now_ns(), {"type": "assign", "partitions": self.assignment()}))

    def assign(self, partitions):
        self._take(partitions)

    def unsubscribe(self):
        self._take(())

    def _take(self, partitions):
        self._owned = sorted(partitions)
        self._paused.clear()

    def pause(self, partitions):
        self._paused.update(partitions)

    def resume(self, partitions):
        self._paused.difference_update(partitions)

    def seek(self, partitions, to):
        for partition in partitions:
            self._next[partition] = {"beginning": 0, "end": self._ends[partition]}.get(to, to)

    def call_once(self, timeout_ms, max_records):
        return self._batch(max_records or BATCH)

    def commit(self, offsets, sync):
        self.committed({part: self._next[part] for part in self._owned} if offsets is None else offsets)

    def store(self, message):
        """Committed by nobody."""

    # ---- reading -----------------------------------------------------------------------------------------------------

    def _message(self, partition, offset, t_ns):
        key = KEY.pack(self._run_id, self._producer, partition, offset, t_ns)
        return Message(partition, offset, key, self._payload.value(offset))

    def batch(self):
        if self._ready is not None:
            batch = next(self._ready, ([], []))
            return self._hand_over(batch), batch[1]
        return self._batch(self.max_records or BATCH)

    def _batch(self, count):
        t_ns = now_ns()
        for partition in self._owned:
            if partition in self._paused:
                continue
            end, first = self._ends[partition], self._next[partition]
            last = min(end, first + count)
            if first < last:
                self._next[partition] = last
                messages = [self._message(partition, offset, t_ns) for offset in range(first, last)]
                return messages, [(partition, last - first)]
        return [], []

    def messages(self):
        if self._ready is not None:
            return chain.from_iterable(map(self._hand_over, self._ready))
        return self._one_by_one()

    def _hand_over(self, batch):
        messages, groups = batch
        for partition, count in groups:
            self._next[partition] += count
        return messages

    def _one_by_one(self):
        while True:
            messages, _ = self._batch(self._at_once)
            if not messages:
                return
            for message in messages:
                yield message

    def assignment(self):
        return list(self._owned)

    def positions(self, partitions):
        return {partition: self._next[partition] for partition in partitions}

    def bounds(self):
        return {partition: (0, end) for partition, end in self._ends.items()}

    def close(self):
        """Nothing to be done."""


class Producer(ProducerParts):
    call = "send"
    idempotent = True

    def __init__(self, config):
        super().__init__(config)
        self.effective = {}
        self._acked = ([], [], [])

    def start(self):
        """Nothing to be done."""

    def send(self, rows):
        keys, offsets, partitions = self._acked
        for partition, key, _ in rows:
            keys.append(key)
            offsets.append(KEY.unpack(key)[3])
            partitions.append(partition)

    def answers(self):
        acked, self._acked = self._acked, ([], [], [])
        return acked, []

    def flush(self, timeout_s):
        return 0

    def close(self):
        """Nothing to be done."""
