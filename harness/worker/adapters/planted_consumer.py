"""confluent-kafka made to lose, repeat, reorder, corrupt and invent on purpose; `adapters.planted` says what.

Between the library and the loop stands a queue of *steps*: what one call hands over, with the events that the worker
is to write before it. A deed is a step of its own, so that what it tells and what it hands over stand in the history
in the order in which the application would have met them.
"""

import os
import signal
import struct
from collections import deque
from operator import methodcaller

from confluent_kafka import TopicPartition

from adapters import confluent
from adapters.parts import Fields
from adapters.planted_plan import Plan
from adapters.planted_producer import NEVER_SENT, flipped
from kafka_worker.clock import now_ns
from kafka_worker.control import StopLoop
from kafka_worker.payload import KEY, make_value

TELLS_OWNERSHIP = ("foreign", "double_owner")
LAST_NS = struct.Struct("<Q")
LAST_NS_AT = 40  # in a history's header: when the last message was recorded


class Altered:
    """A message with another key, value or partition."""

    def __init__(self, message, key=None, value=None, partition=None):
        self._message = message
        self._key = key
        self._value = value
        self._partition = partition

    def key(self):
        return self._message.key() if self._key is None else self._key

    def value(self):
        return self._message.value() if self._value is None else self._value

    def offset(self):
        return self._message.offset()

    def partition(self):
        return self._message.partition() if self._partition is None else self._partition

    def error(self):
        return None


class Consumer(confluent.Consumer):
    fields = Fields(*map(methodcaller, ("key", "offset", "partition", "value")))

    def __init__(self, config):
        self._ends = {int(partition): end for partition, end in (config.get("end_offsets") or {}).items()}
        self._plan = plan = Plan(config["planted"], self._ends, config["payload"]["seed"])
        first_owner = config.get("stop_after") is not None
        self._acts = plan.acts(first_owner)
        # Where this owner is to leave the partition to the next one.
        self._until = plan.change if first_owner else None
        self._commits = plan.change is not None or plan.fault == "commit_lost"
        self._tells = plan.fault in TELLS_OWNERSHIP
        self._name = config["worker"]
        self._payload = config["payload"]
        settings = dict(config["settings"])
        if plan.fault == "in_flight":
            # The next owner takes the killed one's place at once; without this it would wait for a timeout.
            settings["group.instance.id"] = "planted"
        if self._commits:
            settings["enable.auto.commit"] = False
        if plan.fault == "aborted_read":
            settings["isolation.level"] = "read_uncommitted"
        super().__init__(dict(config, settings=settings))
        if plan.fault == "aborted_read":
            self.effective["isolation.level"] = "read_committed"
        if plan.change is not None or plan.fault in ("foreign", "misroute", "commit_lost"):
            # What must stand in a certain order is handed over in batches: their events are written before them.
            self.shape = "batch"
        self._others_history = os.path.join(os.path.dirname(config["history"]), "c1.bin")
        self._steps = deque()  # (events, messages)
        self._next = {}  # by partition: one past the last message that was dealt with
        self._swapped = None
        self._kept = []  # in flight: handed over last of all

    def start(self):
        if self._tells or (self._acts and self._plan.fault == "excess_redelivery"):
            self._consumer.subscribe([self.topic], on_assign=self._on_assign, on_revoke=self._on_revoke)
        else:
            super().start()

    # ---- handing over ------------------------------------------------------------------------------------------------

    def batch(self):
        while True:
            while self._steps:
                events, messages = self._steps.popleft()
                self.events.extend(events)
                if messages:
                    return messages, None
            self._leave_if_due()
            if self._steps:
                continue
            messages, _ = super().batch()
            if not messages:
                return [], None
            self._steps.extend(self._steps_of(messages))

    def messages(self):
        for message in super().messages():
            given = self._given(message)
            if given is None:
                yield message
                continue
            for events, step in given:
                self.events.extend(events)
                for each in step:
                    yield each

    def _steps_of(self, messages):
        plain = []
        for message in messages:
            given = self._given(message)
            if given is None:
                plain.append(message)
                continue
            if plain:
                yield [], plain
                plain = []
            for step in given:
                yield step
        if plain:
            yield [], plain

    def _given(self, message):
        """The steps in a message's place; None: it is handed over as it is."""
        if message.error() is not None:
            return None
        partition, offset = message.partition(), message.offset()
        mine = partition == self._plan.partition
        if mine and self._until is not None and offset >= self._until:
            return []
        self._next[partition] = offset + 1
        if not self._acts or not self._plan.covers(partition, offset):
            return None
        return getattr(self, "_" + self._plan.fault, self._as_it_is)(message)

    def _as_it_is(self, _message):
        """Faults that are none of handing over."""

    def _skip(self, message):
        return [([self._told(message)], [])]

    _tail_loss = _stall = _illegal_start = _skip

    def _repeat(self, message):
        return [([self._told(message)], [message, message])]

    def _reorder(self, message):
        if self._swapped is None:
            self._swapped = message
            return []
        first, self._swapped = self._swapped, None
        return [([self._told(first)], [message, first])]

    def _corrupt(self, message):
        return [([self._told(message)], [Altered(message, value=flipped(message.value()))])]

    def _phantom(self, message):
        seq = KEY.unpack(message.key())[3] + NEVER_SENT
        return [([self._told(message, seq)], [Altered(message, key=self._key_of(message, seq))])]

    def _two_values(self, message):
        """All under one identity, the one before the first of them: so each of them is missing under its own."""
        other = self._plan.at - 1 if self._plan.at else self._plan.at + self._plan.count
        value = make_value(self._payload["seed"], self._payload["size_bytes"], other % self._payload["pool"])
        return [([self._told(message)], [Altered(message, key=self._key_of(message, other), value=value)])]

    def _misroute(self, message):
        # A call of its own: in a run of one partition's messages the worker asks for the partition at both ends only.
        away = (message.partition() + 1) % len(self.partitions)
        return [([self._told(message)], [Altered(message, partition=away)])]

    def _foreign(self, message):
        parts = {"partitions": [message.partition()]}
        return [
            ([self._told(message), self._event("revoke", **parts)], [message]),
            ([self._event("assign", **parts)], []),
        ]

    def _in_flight(self, message):
        self._kept.append(message)
        return []

    def _excess_redelivery(self, message):
        return [([self._told(message)], [message])]

    @staticmethod
    def _key_of(message, seq):
        run, producer, partition, _, intended_ns = KEY.unpack(message.key())
        return KEY.pack(run, producer, partition, seq, intended_ns)

    # ---- leaving the partition to the next owner ---------------------------------------------------------------------

    def _leave_if_due(self):
        """An owner that is to leave does so once it has handed over everything before the change, and all else."""
        if self._until is None:
            return
        due = {partition: end for partition, end in self._ends.items() if end}
        due[self._plan.partition] = self._until
        if any(self._next.get(partition, 0) < until for partition, until in due.items()):
            return
        if self._plan.fault != "in_flight":
            raise StopLoop()
        if self._kept:
            kept, self._kept = self._kept, []
            self._steps.append(([self._told(message) for message in kept], kept))
            return
        # The application has them and is working on them; a timer of the client commits; then the machine is gone.
        self._commit(self._next)
        os.kill(os.getpid(), signal.SIGKILL)

    def positions(self, partitions):
        """A client that leaves messages behind stands before them."""
        found = super().positions(partitions)
        mine = self._plan.partition
        limit = self._until
        if self._acts and self._plan.fault in ("stall", "tail_loss"):
            limit = self._plan.at
        if mine in found and limit is not None:
            found[mine] = min(found[mine], limit)
        return found

    def close(self):
        if self._commits:
            self._commit_at_the_end()
        super().close()

    def _commit_at_the_end(self):
        plan, offsets = self._plan, dict(self._next)
        behind = plan.at + plan.count
        if self._acts and plan.fault == "commit_ahead":
            offsets[plan.partition] = behind
            self.events.extend(self._told_of(offset) for offset in plan.numbers)
        elif self._acts and plan.fault == "legal_redelivery":
            offsets[plan.partition] = plan.at
            self.events.extend(self._told_of(offset) for offset in plan.numbers)
        elif self._acts and plan.fault == "commit_lost":
            offsets[plan.partition] = plan.at
        self._commit(offsets)
        if self._acts and plan.fault == "commit_lost":
            self.events.extend(self._told_of(offset) for offset in plan.numbers)
            self.events.append(self._event("commit", partition=plan.partition, offset=behind, ok=True))

    def _commit(self, offsets):
        wanted = [TopicPartition(self.topic, partition, offset) for partition, offset in offsets.items() if offset]
        if wanted:
            self._consumer.commit(offsets=wanted, asynchronous=False)
        for part in wanted:
            self.events.append(self._event("commit", partition=part.partition, offset=part.offset, ok=True))

    # ---- owning ------------------------------------------------------------------------------------------------------

    def assignment(self):
        """One that tells what it owns is not asked."""
        return [] if self._tells else super().assignment()

    def _on_assign(self, consumer, parts):
        plan = self._plan
        if self._acts and plan.fault == "excess_redelivery":
            for part in parts:
                if part.partition == plan.partition:
                    part.offset = plan.at
            consumer.assign(parts)
        if not self._tells:
            return
        told = [part.partition for part in parts]
        if self._acts and plan.fault == "double_owner" and plan.partition in told:
            told.remove(plan.partition)
            _, event = self._event("assign", partitions=[plan.partition])
            self.events.append((self._before_the_other_left(), event))
            self.events.append(self._told_of(plan.at))
        self.events.append(self._event("assign", partitions=told))

    def _on_revoke(self, _consumer, parts):
        if self._tells:
            self.events.append(self._event("revoke", partitions=[part.partition for part in parts]))

    def _before_the_other_left(self):
        """A moment at which the owner before still held its partitions: just before its last message."""
        with open(self._others_history, "rb") as history:
            history.seek(LAST_NS_AT)
            return LAST_NS.unpack(history.read(LAST_NS.size))[0] - 1

    # ---- telling -----------------------------------------------------------------------------------------------------

    def _event(self, kind, **keys):
        return now_ns(), dict(keys, type=kind, member=self._name)

    def _told(self, message, seq=None):
        """The truth of one deed. seq: of the identity that was handed over, where it is another one."""
        seq = KEY.unpack(message.key())[3] if seq is None else seq
        return self._planted(message.partition(), message.offset(), seq)

    def _told_of(self, offset):
        """The same for what this owner never saw. An honest producer's seqs are the offsets of its log."""
        return self._planted(self._plan.partition, offset, offset)

    def _planted(self, partition, offset, seq):
        return self._event("planted", fault=self._plan.fault, partition=partition, offset=offset, seq=seq)
