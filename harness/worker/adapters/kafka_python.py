"""kafka-python, from 1.4 on, and its fork kafka-python-ng: `for message in consumer` and `poll`."""

import itertools
import time
from operator import attrgetter

import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from adapters.parts import ConsumerParts, Fields, ProducerParts, plain_settings
from kafka_worker.clock import now_ns

# Certainly not written, by the names of the exceptions (releases have moved them about).
DEFINITE = {"MessageSizeTooLargeError", "InvalidMessageError", "TopicAuthorizationFailedError", "InvalidTopicError"}
FLUSH_POLL_S = 0.02


def versions():
    return {"client_version": kafka.__version__}


def connection_settings(connection):
    settings = {"bootstrap_servers": connection["bootstrap"]}
    if connection["security"] == "mutual_tls":
        settings.update(
            security_protocol="SSL",
            ssl_check_hostname=True,
            ssl_cafile=connection["ca"],
            ssl_certfile=connection["cert"],
            ssl_keyfile=connection["key"],
        )
    return settings


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
        settings = connection_settings(config["connection"])
        settings["group_id"] = self.group
        if self.group is None:
            settings.update(enable_auto_commit=False, auto_offset_reset="earliest")
        if self.reads_log:
            settings["max_poll_records"] = 10000
        settings.update(given_settings(config["settings"]))
        # Only reports.
        settings["default_offset_commit_callback"] = self._on_commit
        # The topic goes to the constructor, as documented; a rebalance listener would change what the client does.
        topics = (self.topic,) if self.group is not None else ()
        self._consumer = KafkaConsumer(*topics, **settings)
        self.effective = plain_settings(self._consumer.config)
        self.effective.pop("default_offset_commit_callback", None)

    def start(self):
        if self.group is None:
            parts = self._parts()
            self._consumer.assign(parts)
            self._consumer.seek_to_beginning(*parts)

    def _parts(self):
        return [TopicPartition(self.topic, partition) for partition in self.partitions]

    def batch(self):
        batches = self._consumer.poll(timeout_ms=self.timeout_ms, max_records=self.max_records)
        groups = [(part.partition, len(messages)) for part, messages in batches.items()]
        return list(itertools.chain.from_iterable(batches.values())), groups

    def messages(self):
        return iter(self._consumer)

    def assignment(self):
        return [part.partition for part in self._consumer.assignment()]

    def positions(self, partitions):
        owned = self._consumer.assignment()
        asked = [part for part in owned if part.partition in partitions]
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
        t_ns = now_ns()
        failed = isinstance(answer, Exception)
        for part, committed in offsets.items():
            event = {"type": "commit", "partition": part.partition, "offset": committed.offset, "ok": not failed}
            if failed:
                event["error"] = "%s: %s" % (type(answer).__name__, answer)
            self.events.append((t_ns, event))


class Producer(ProducerParts):
    call = "send"

    def __init__(self, config):
        super().__init__(config)
        settings = connection_settings(config["connection"])
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
