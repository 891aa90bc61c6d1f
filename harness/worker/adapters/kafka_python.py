"""kafka-python, from 1.4 on, and its fork kafka-python-ng: `for message in consumer` and `poll`."""

import itertools
import time
from operator import attrgetter

import kafka
from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.structs import OffsetAndMetadata

from adapters import connecting
from adapters.parts import ConsumerParts, Fields, ProducerParts, error_text, plain_settings, with_assignors

# Certainly not written, by the names of the exceptions (releases have moved them about).
DEFINITE = {"MessageSizeTooLargeError", "InvalidMessageError", "TopicAuthorizationFailedError", "InvalidTopicError"}
FLUSH_POLL_S = 0.02


def versions():
    return {"client_version": kafka.__version__}


def given_settings(settings):
    """JSON knows no tuples, and `api_version` must be one."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


class Consumer(ConsumerParts):
    fields = Fields(attrgetter("key"), attrgetter("offset"), attrgetter("partition"), attrgetter("value"))

    def __init__(self, config):
        super().__init__(config)
        if self.reads_log:
            self.api, self.max_records = "poll", None
        self.shape = "messages" if self.api == "iterator" else "batch"
        self.waits_for_ever = self.api == "iterator"
        self.call = self.api
        settings = connecting.kafka_python(config["connection"])
        settings["group_id"] = self.group
        if self.group is None:
            settings.update(enable_auto_commit=False, auto_offset_reset="earliest")
        if self.reads_log:
            settings["max_poll_records"] = 10000
        settings.update(with_assignors("kafka", given_settings(config["settings"])))
        settings.update(self.deserializing())
        # Only reports.
        settings["default_offset_commit_callback"] = self._on_commit
        # The topic goes to the constructor, as documented; a rebalance listener would change what the client does.
        topics = (self.topic,) if self.group is not None and self.documented else ()
        self._consumer = KafkaConsumer(*topics, **settings)
        self._coordinator = getattr(self._consumer, "_coordinator", None)
        self.effective = plain_settings(self._consumer.config)
        self.effective.pop("default_offset_commit_callback", None)

    def start(self):
        if self.group is None:
            parts = self._parts()
            self._consumer.assign(parts)
            self._consumer.seek_to_beginning(*parts)
        elif self.listens:
            self.subscribe(True)

    def _parts(self, partitions=None):
        partitions = self.partitions if partitions is None else partitions
        return [TopicPartition(self.topic, partition) for partition in partitions]

    # ---- steps of a script -------------------------------------------------------------------------------------------

    def subscribe(self, listener, topics=None):
        topics = [self.topic] if topics is None else topics
        if listener:
            self._consumer.subscribe(topics, listener=listener_of(self))
        else:
            self._consumer.subscribe(topics)

    def assign(self, partitions):
        self._consumer.assign(self._parts(partitions))

    def unsubscribe(self):
        self._consumer.unsubscribe()

    def pause(self, partitions):
        self._consumer.pause(*self._parts(partitions))

    def resume(self, partitions):
        self._consumer.resume(*self._parts(partitions))

    def seek(self, partitions, to):
        parts = self._parts(partitions)
        if to == "beginning":
            self._consumer.seek_to_beginning(*parts)
        elif to == "end":
            self._consumer.seek_to_end(*parts)
        else:
            for part in parts:
                self._consumer.seek(part, to)

    def call_once(self, timeout_ms, max_records):
        batches = self._consumer.poll(timeout_ms=timeout_ms, max_records=max_records)
        groups = [(part.partition, len(messages)) for part, messages in batches.items()]
        return list(itertools.chain.from_iterable(batches.values())), groups

    def commit(self, offsets, sync):
        given = self.offsets_of(offsets)
        # Only to tell of what the client commits by itself.
        asked = self._consumer._subscription.all_consumed_offsets() if given is None else given
        try:
            if sync:
                self._consumer.commit(given)
            else:
                # Answered by the callback, in one of the calls that follow.
                self._consumer.commit_async(given)
        except Exception as error:
            self._on_commit(asked, error)
        else:
            if sync:
                self._on_commit(asked, None)

    def offsets_of(self, offsets):
        """In the library's own form. The third field came with 2.1, its default with 3.0."""
        if offsets is None:
            return None
        rest = (-1,) * (len(OffsetAndMetadata._fields) - 2)
        return {
            TopicPartition(self.topic, partition): OffsetAndMetadata(offset, "", *rest)
            for partition, offset in offsets.items()
        }

    def commit_async(self, offsets, callback):
        """For a listener that runs in the client's own thread; returns what it awaits."""
        return self._consumer.commit_async(self.offsets_of(offsets), callback=callback)

    # ---- asking ------------------------------------------------------------------------------------------------------

    def batch(self):
        batches = self._consumer.poll(timeout_ms=self.timeout_ms, max_records=self.max_records)
        groups = [(part.partition, len(messages)) for part, messages in batches.items()]
        return list(itertools.chain.from_iterable(batches.values())), groups

    def messages(self):
        return iter(self._consumer)

    def assignment(self):
        return self.own(self._consumer.assignment())

    def joined(self):
        generation = self._coordinator and self._coordinator._generation.generation_id
        return generation if generation is not None and generation >= 0 else None

    def positions(self, partitions):
        owned = self._consumer.assignment()
        asked = [part for part in owned if part.topic == self.topic and part.partition in partitions]
        positions = {part.partition: self._consumer.position(part) for part in asked}
        return {partition: position for partition, position in positions.items() if position is not None}

    def bounds(self):
        """(first offset, end) of every partition."""
        starts = self._consumer.beginning_offsets(self._parts())
        ends = self._consumer.end_offsets(self._parts())
        return {part.partition: (starts[part], ends[part]) for part in starts}

    def close(self):
        self._consumer.close()

    def _on_commit(self, offsets, answer):
        error = error_text(answer) if isinstance(answer, Exception) else None
        told = {part.partition: at.offset for part, at in offsets.items() if part.topic == self.topic}
        self.committed(told, error)


def listener_of(consumer):
    """A listener that tells, and commits what the application wants committed before partitions go.

    From 3.0 on listeners run in the client's own thread, where its blocking calls raise; one that commits must be of
    the kind that awaits.
    """
    if consumer.commits_in_revoke and hasattr(kafka, "AsyncConsumerRebalanceListener"):
        from adapters.kafka_python_listener import Awaiting

        return Awaiting(consumer)
    return Listener(consumer)


class Listener(ConsumerRebalanceListener):
    def __init__(self, consumer):
        self._consumer = consumer

    def on_partitions_revoked(self, revoked):
        offsets = self._consumer.revoked(revoked)
        if offsets:
            self._consumer.commit(offsets, True)

    def on_partitions_assigned(self, assigned):
        self._consumer.assigned(assigned)

    def on_partitions_lost(self, lost):
        self._consumer.revoked(lost, lost=True)


class Producer(ProducerParts):
    call = "send"

    def __init__(self, config):
        super().__init__(config)
        settings = connecting.kafka_python(config["connection"])
        settings.update(given_settings(config["settings"]))
        self._producer = KafkaProducer(**settings)
        self.effective = plain_settings(self._producer.config)
        self.idempotent = bool(self._producer.config.get("enable_idempotence", False))
        self._open = []  # (key, partition, future), in the order of sending
        self._failures = []

    def start(self):
        """Nothing to be done: the constructor has connected."""

    def send(self, rows):
        for partition, key, value in rows:
            try:
                future = self._producer.send(self.topic, value=value, key=key, partition=partition)
            except Exception as error:
                # Raised before the message was put into a batch: certainly not written.
                self._failures.append((key, partition, True, "%s: %s" % (type(error).__name__, error)))
            else:
                self._open.append((key, partition, future))

    def answers(self):
        acked, failures, still_open = ([], [], []), self._failures, []
        for row in self._open:
            key, partition, future = row
            if not future.is_done:
                still_open.append(row)
            elif future.succeeded():
                acked[0].append(key)
                acked[1].append(future.value.offset)
                acked[2].append(future.value.partition)
            else:
                error = future.exception
                name = type(error).__name__
                failures.append((key, partition, name in DEFINITE, "%s: %s" % (name, error)))
        self._open, self._failures = still_open, []
        return acked, failures

    def flush(self, timeout_s):
        """The library's own flush() raises on a timeout in some releases; waiting for the futures does not."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not all(row[2].is_done for row in self._open):
            time.sleep(FLUSH_POLL_S)
        return sum(not row[2].is_done for row in self._open)

    def close(self):
        self._producer.close(timeout=10)
