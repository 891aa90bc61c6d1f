"""confluent-kafka: `poll` (one message a call) and `consume` (many)."""

import time
from functools import partial

import confluent_kafka
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from adapters import connecting
from adapters.parts import ConsumerParts, Fields, ProducerParts, error_text, plain_settings
from kafka_worker.clock import now_ns

READER_RECORDS = 10000
REQUEST_TIMEOUT_S = 30
COMMITTED_INTERVAL_S = 2

# Certainly not written: refused by the library or the broker before anything was appended. Everything else, timeouts
# above all, may have been written.
DEFINITE = {
    KafkaError.MSG_SIZE_TOO_LARGE,
    KafkaError.INVALID_MSG_SIZE,
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.TOPIC_EXCEPTION,
    KafkaError.RECORD_LIST_TOO_LARGE,
    KafkaError._UNKNOWN_PARTITION,
    KafkaError._UNKNOWN_TOPIC,
    KafkaError._PURGE_QUEUE,
    KafkaError._QUEUE_FULL,
}


def versions():
    return {"client_version": confluent_kafka.version()[0], "librdkafka": confluent_kafka.libversion()[0]}


class Consumer(ConsumerParts):
    fields = Fields(Message.key, Message.offset, Message.partition, Message.value)

    def __init__(self, config):
        super().__init__(config)
        if self.reads_log:
            self.api, self.max_records = "consume", READER_RECORDS
        self.shape = "messages" if self.api == "poll" else "batch"
        self.call = self.api
        settings = connecting.librdkafka(config["connection"])
        # librdkafka demands the name of a group even of a consumer that belongs to none. Who may use this topic's name
        # may use names that begin with it.
        settings["group.id"] = self.group or "%s-%s" % (self.topic, config["worker"])
        if self.group is None:
            settings.update({"enable.auto.commit": False, "auto.offset.reset": "earliest"})
        if self.reads_log:
            settings.update({"isolation.level": "read_uncommitted", "check.crcs": True})
        settings.update(config["settings"])
        self.effective = dict(plain_settings(settings), librdkafka=confluent_kafka.libversion()[0])
        # These two only report.
        settings.update({"on_commit": self._on_commit, "error_cb": self._on_error})
        self._consumer = confluent_kafka.Consumer(settings)
        self._committed_at = 0.0
        self._assignments = 0

    def start(self):
        if self.group is not None:
            self.subscribe(self.listens)
        else:
            beginning = confluent_kafka.OFFSET_BEGINNING
            self._consumer.assign([TopicPartition(self.topic, partition, beginning) for partition in self.partitions])

    # ---- steps of a script -------------------------------------------------------------------------------------------

    def subscribe(self, listener, topics=None):
        topics = [self.topic] if topics is None else topics
        if not listener:
            # This callback only counts: what librdkafka does with an assignment stays its own affair.
            self._consumer.subscribe(topics, on_assign=self._count_assignment)
            return
        told = {"on_assign": self._on_assign, "on_revoke": self._on_revoke}
        try:
            self._consumer.subscribe(topics, on_lost=self._on_lost, **told)
        except TypeError:
            # Releases before 1.6: what is lost is revoked.
            self._consumer.subscribe(topics, **told)

    def _count_assignment(self, _consumer, _parts):
        self._assignments += 1

    def joined(self):
        return self._assignments or None

    def _on_assign(self, _consumer, parts):
        self.assigned(parts)

    def _on_revoke(self, _consumer, parts):
        offsets = self.revoked(parts)
        if offsets:
            self.commit(offsets, True)

    def _on_lost(self, _consumer, parts):
        self.revoked(parts, lost=True)

    def assign(self, partitions):
        # Without an offset: from the group's committed one on, or as the reset policy says.
        self._consumer.assign(self._parts(partitions))

    def unsubscribe(self):
        self._consumer.unsubscribe()

    def pause(self, partitions):
        self._consumer.pause(self._parts(partitions))

    def resume(self, partitions):
        self._consumer.resume(self._parts(partitions))

    def seek(self, partitions, to):
        offset = {"beginning": confluent_kafka.OFFSET_BEGINNING, "end": confluent_kafka.OFFSET_END}.get(to, to)
        for partition in partitions:
            self._consumer.seek(TopicPartition(self.topic, partition, offset))

    def call_once(self, timeout_ms, max_records):
        if max_records is not None:
            return self._consumer.consume(max_records, timeout_ms / 1000.0), None
        if self.api == "poll":
            message = self._consumer.poll(timeout_ms / 1000.0)
            return [] if message is None else [message], None
        return self._consumer.consume(timeout=timeout_ms / 1000.0), None

    def commit(self, offsets, sync):
        given = {} if offsets is None else {"offsets": self._parts_at(offsets)}
        try:
            answer = self._consumer.commit(asynchronous=not sync, **given)
        except KafkaException as error:
            # Without offsets of ours: nothing was stored, and so nothing was committed.
            if offsets is not None or error.args[0].code() != KafkaError._NO_OFFSET:
                self.committed(self._stands_at() if offsets is None else offsets, error_text(error))
        else:
            if sync:
                self._on_commit(None, answer or [])

    def store(self, message):
        try:
            self._consumer.store_offsets(message=message)
        except KafkaException as error:
            # Its partition was taken away meanwhile: nothing of it is committed.
            self.events.append((now_ns(), {"type": "error", "where": "store_offsets", "error": str(error)}))

    def _parts(self, partitions):
        return [TopicPartition(self.topic, partition) for partition in partitions]

    def _parts_at(self, offsets):
        return [TopicPartition(self.topic, partition, offset) for partition, offset in sorted(offsets.items())]

    def _stands_at(self):
        found = self._consumer.position(self._parts(self.assignment()))
        return {part.partition: part.offset for part in found if part.offset >= 0}

    # ---- reading -----------------------------------------------------------------------------------------------------

    def batch(self):
        if self.max_records is None:
            return self._consumer.consume(timeout=self.timeout_ms / 1000.0), None
        return self._consumer.consume(self.max_records, self.timeout_ms / 1000.0), None

    def messages(self):
        return iter(partial(self._consumer.poll, self.timeout_ms / 1000.0), None)

    def assignment(self):
        return self.own(self._consumer.assignment())

    def positions(self, partitions):
        """Where the client stands; where it has delivered nothing yet, where its group stands."""
        owned = self.assignment()
        asked = [TopicPartition(self.topic, partition) for partition in partitions if partition in owned]
        if not asked:
            return {}
        found = {part.partition: part.offset for part in self._consumer.position(asked) if part.offset >= 0}
        unknown = [part for part in asked if part.partition not in found]
        if unknown and self.group and time.monotonic() - self._committed_at > COMMITTED_INTERVAL_S:
            for part in self._consumer.committed(unknown, timeout=REQUEST_TIMEOUT_S):
                if part.offset >= 0:
                    found[part.partition] = part.offset
            self._committed_at = time.monotonic()
        return found

    def bounds(self):
        """(first offset, end) of every partition."""
        return {
            partition: self._consumer.get_watermark_offsets(
                TopicPartition(self.topic, partition), timeout=REQUEST_TIMEOUT_S
            )
            for partition in self.partitions
        }

    @staticmethod
    def error_of(message):
        error = message.error()
        if error is None:
            return None
        return "" if error.code() == KafkaError._PARTITION_EOF else str(error)

    def close(self):
        self._consumer.close()

    def _on_commit(self, error, partitions):
        t_ns = now_ns()
        for part in partitions:
            failed = error or part.error
            if part.offset >= 0 and part.topic == self.topic:
                event = {"type": "commit", "partition": part.partition, "offset": part.offset, "ok": not failed}
                if failed:
                    event["error"] = str(failed)
                self.events.append((t_ns, event))

    def _on_error(self, error):
        self.events.append((now_ns(), {"type": "error", "where": "error_cb", "error": str(error)}))


class Producer(ProducerParts):
    """With `transactions`, every chunk is one."""

    call = "produce"

    def __init__(self, config):
        super().__init__(config)
        settings = connecting.librdkafka(config["connection"])
        settings.update(config["settings"])
        transactions = config["produce"].get("transactions")
        self.transactional = transactions is not None
        if self.transactional:
            self.chunk = transactions["messages"]
            self._abort_every = transactions.get("abort_every") or 0
            settings["transactional.id"] = "%s-%d-%s" % (self.topic, config["run_id"], config["worker"])
        self._name, self._begun = config["worker"], 0
        self.effective = dict(plain_settings(settings), librdkafka=confluent_kafka.libversion()[0])
        self.idempotent = str(settings.get("enable.idempotence", False)).lower() == "true"
        self._delivered = []
        self._failures = []
        self._producer = confluent_kafka.Producer(dict(settings, on_delivery=self._callback()))

    def _callback(self):
        delivered, failures = self._delivered, self._failures

        def on_delivery(error, message):
            if error is None:
                delivered.append(message)
            else:
                failures.append((message.key(), message.partition(), error.code() in DEFINITE, str(error)))

        return on_delivery

    def start(self):
        """librdkafka connects by itself."""
        if self.transactional:
            self._producer.init_transactions(REQUEST_TIMEOUT_S)

    def prepare(self):
        if self.transactional:
            self._begun += 1
            self._producer.begin_transaction()
            self.tell_transaction("begin")

    def send(self, rows):
        self.send_rows(rows)
        if self.transactional:
            self.end_transaction(commit=not self._abort_every or self._begun % self._abort_every > 0)

    def end_transaction(self, commit):
        """Every answer is waited for, or an abort would throw away what is still queued."""
        self._producer.flush(REQUEST_TIMEOUT_S)
        if commit:
            self._producer.commit_transaction(REQUEST_TIMEOUT_S)
        else:
            self._producer.abort_transaction(REQUEST_TIMEOUT_S)
        self.tell_transaction("commit" if commit else "abort")

    def tell_transaction(self, state):
        event = {"type": "txn", "producer": self._name, "txn": "t%d" % self._begun, "state": state}
        self.events.append((now_ns(), event))

    def send_rows(self, rows):
        produce, topic = self._producer.produce, self.topic
        for partition, key, value in rows:
            try:
                produce(topic, value, key, partition)
            except BufferError:
                self._send_when_room(partition, key, value)
            except KafkaException as error:
                self._refused(partition, key, error.args[0])
        self._producer.poll(0)

    def _send_when_room(self, partition, key, value):
        """The library's queue is full: answers make room, within its own delivery timeout."""
        while True:
            self._producer.poll(0.1)
            try:
                return self._producer.produce(self.topic, value, key, partition)
            except BufferError:
                continue
            except KafkaException as error:
                return self._refused(partition, key, error.args[0])

    def _refused(self, partition, key, error):
        self._failures.append((key, partition, error.code() in DEFINITE, str(error)))

    def answers(self):
        messages, failures = self._delivered[:], self._failures[:]
        del self._delivered[:]
        del self._failures[:]
        acked = (
            list(map(Message.key, messages)),
            list(map(Message.offset, messages)),
            list(map(Message.partition, messages)),
        )
        return acked, failures

    def rest(self, seconds):
        """Its answers come only when it is asked for them."""
        super().rest(seconds)
        self._producer.poll(0)

    def flush(self, timeout_s):
        return self._producer.flush(timeout_s)

    def close(self):
        """What is still queued is given up: it is unknown."""
