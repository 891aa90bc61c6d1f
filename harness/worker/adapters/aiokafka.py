"""aiokafka: `async for message in consumer`, `getone` and `getmany`."""

from __future__ import absolute_import

import asyncio
import itertools
from operator import attrgetter

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.abc import ConsumerRebalanceListener

from adapters import connecting
from adapters.parts import ConsumerParts, Fields, ProducerParts, error_text, plain_settings, with_assignors

# Certainly not written, by the names of the exceptions.
DEFINITE = {"MessageSizeTooLargeError", "InvalidMessageError", "TopicAuthorizationFailedError", "InvalidTopicError"}


OPEN_COMMITS_S = 1


def versions():
    return {"client_version": aiokafka.__version__}


def given_settings(settings):
    return {name: tuple(value) if isinstance(value, list) else value for name, value in settings.items()}


def effective_settings(client, given):
    """What was given, over what the object keeps of its arguments and defaults."""
    kept = {
        name[1:]: value
        for name, value in vars(client).items()
        if name.startswith("_") and isinstance(value, (str, int, float, bool, type(None))) and name != "_closed"
    }
    return plain_settings(dict(kept, **given))


class Consumer(ConsumerParts):
    asynchronous = True
    fields = Fields(attrgetter("key"), attrgetter("offset"), attrgetter("partition"), attrgetter("value"))

    def __init__(self, config):
        super().__init__(config)
        if self.reads_log:
            self.api, self.max_records = "getmany", None
        self.shape = "batch" if self.api == "getmany" else "messages"
        self.waits_for_ever = self.shape == "messages"
        self.call = self.api
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self._started = False
        self._open_commits = set()
        settings = connecting.aiokafka(config["connection"])
        settings["group_id"] = self.group
        if self.group is None:
            settings.update(enable_auto_commit=False, auto_offset_reset="earliest")
        settings.update(with_assignors("aiokafka", given_settings(config["settings"])))
        settings.update(self.deserializing())
        self._consumer = self.loop.run_until_complete(self._make(settings))
        self.effective = effective_settings(self._consumer, settings)

    async def _make(self, settings):
        topics = (self.topic,) if self.group is not None and self.documented else ()
        return AIOKafkaConsumer(*topics, **settings)

    def start(self):
        self.loop.run_until_complete(self._start())

    async def _start(self):
        await self._connect()
        if self.group is None:
            parts = self._parts()
            self._consumer.assign(parts)
            await self._consumer.seek_to_beginning(*parts)
        elif self.listens:
            await self.subscribe(True)

    async def _connect(self):
        if not self._started:
            self._started = True
            await self._consumer.start()

    def _parts(self, partitions=None):
        partitions = self.partitions if partitions is None else partitions
        return [TopicPartition(self.topic, partition) for partition in partitions]

    def complete(self, result):
        return self.loop.run_until_complete(result)

    def rest(self, seconds):
        """The application awaits: the client's own tasks go on."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    # ---- steps of a script -------------------------------------------------------------------------------------------

    async def subscribe(self, listener, topics=None):
        await self._connect()
        topics = [self.topic] if topics is None else topics
        if listener:
            self._consumer.subscribe(topics, listener=Listener(self))
        else:
            self._consumer.subscribe(topics)

    async def assign(self, partitions):
        await self._connect()
        self._consumer.assign(self._parts(partitions))

    async def unsubscribe(self):
        self._consumer.unsubscribe()

    async def pause(self, partitions):
        self._consumer.pause(*self._parts(partitions))

    async def resume(self, partitions):
        self._consumer.resume(*self._parts(partitions))

    async def seek(self, partitions, to):
        parts = self._parts(partitions)
        if to == "beginning":
            await self._consumer.seek_to_beginning(*parts)
        elif to == "end":
            await self._consumer.seek_to_end(*parts)
        else:
            for part in parts:
                self._consumer.seek(part, to)

    async def call_once(self, timeout_ms, max_records):
        batches = await self._consumer.getmany(timeout_ms=timeout_ms, max_records=max_records)
        groups = [(part.partition, len(messages)) for part, messages in batches.items()]
        return list(itertools.chain.from_iterable(batches.values())), groups

    async def commit(self, offsets, sync):
        if sync:
            await self._commit(offsets)
        else:
            # As its documentation shows it: the library has no other call.
            task = asyncio.ensure_future(self._commit(offsets))
            self._open_commits.add(task)
            task.add_done_callback(self._open_commits.discard)

    async def _commit(self, offsets):
        # Only to tell of what the client commits by itself.
        asked = self.positions(self.assignment()) if offsets is None else offsets
        given = () if offsets is None else ({part: offsets[part.partition] for part in self._parts(sorted(offsets))},)
        try:
            await self._consumer.commit(*given)
        except Exception as error:
            self.committed(asked, error_text(error))
        else:
            self.committed(asked)

    # ---- reading -----------------------------------------------------------------------------------------------------

    async def batch(self):
        batches = await self._consumer.getmany(timeout_ms=self.timeout_ms, max_records=self.max_records)
        groups = [(part.partition, len(messages)) for part, messages in batches.items()]
        return list(itertools.chain.from_iterable(batches.values())), groups

    @property
    def one(self):
        # `async for` calls __anext__().
        return self._consumer.__anext__ if self.api == "iterator" else self._consumer.getone

    def assignment(self):
        return self.own(self._consumer.assignment())

    def joined(self):
        """The object that holds its positions: another one for each assignment."""
        subscription = self._consumer._subscription.subscription
        return None if subscription is None else subscription.assignment

    def positions(self, partitions):
        """position() is a coroutine that may wait for the broker; what the object knows by now is read instead."""
        subscription = self._consumer._subscription.subscription
        if subscription is None or subscription.assignment is None:
            return {}
        found = {}
        for part in subscription.assignment.tps:
            state = subscription.assignment.state_value(part)
            if (
                part.topic == self.topic
                and part.partition in partitions
                and state is not None
                and state.has_valid_position
            ):
                found[part.partition] = state.position
        return found

    def bounds(self):
        """(first offset, end) of every partition."""
        return self.loop.run_until_complete(self._bounds())

    async def _bounds(self):
        starts = await self._consumer.beginning_offsets(self._parts())
        ends = await self._consumer.end_offsets(self._parts())
        return {part.partition: (starts[part], ends[part]) for part in starts}

    def close(self):
        self.loop.run_until_complete(self._stop())

    async def _stop(self):
        await self._consumer.stop()
        if self._open_commits:
            # Nobody awaited them, and a client that is closed answers none: what became of them is not known.
            for task in self._open_commits:
                task.cancel()
            await asyncio.wait(list(self._open_commits), timeout=OPEN_COMMITS_S)


class Listener(ConsumerRebalanceListener):
    """Tells, and commits what the application wants committed before partitions go."""

    def __init__(self, consumer):
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked):
        offsets = self._consumer.revoked(revoked)
        if offsets:
            await self._consumer.commit(offsets, True)

    async def on_partitions_assigned(self, assigned):
        self._consumer.assigned(assigned)


class Producer(ProducerParts):
    call = "send"

    def __init__(self, config):
        super().__init__(config)
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        settings = connecting.aiokafka(config["connection"])
        settings.update(given_settings(config["settings"]))
        self.idempotent = bool(settings.get("enable_idempotence", False))
        self._producer = self.loop.run_until_complete(self._make(settings))
        self.effective = effective_settings(self._producer, settings)
        self._open = []  # (key, partition, future), in the order of sending
        self._failures = []

    async def _make(self, settings):
        return AIOKafkaProducer(**settings)

    def start(self):
        self.loop.run_until_complete(self._producer.start())

    def send(self, rows):
        self.loop.run_until_complete(self._send(rows))

    async def _send(self, rows):
        for partition, key, value in rows:
            try:
                future = await self._producer.send(self.topic, value=value, key=key, partition=partition)
            except Exception as error:
                # Raised before the message was put into a batch: certainly not written.
                self._failures.append((key, partition, True, "%s: %s" % (type(error).__name__, error)))
            else:
                self._open.append((key, partition, future))

    def answers(self):
        acked, failures, still_open = ([], [], []), self._failures, []
        for row in self._open:
            key, partition, future = row
            if not future.done():
                still_open.append(row)
                continue
            error = asyncio.CancelledError() if future.cancelled() else future.exception()
            if error is None:
                acked[0].append(key)
                acked[1].append(future.result().offset)
                acked[2].append(future.result().partition)
            else:
                name = type(error).__name__
                failures.append((key, partition, name in DEFINITE, "%s: %s" % (name, error)))
        self._open, self._failures = still_open, []
        return acked, failures

    def flush(self, timeout_s):
        futures = [row[2] for row in self._open]
        if futures:
            self.loop.run_until_complete(asyncio.wait(futures, timeout=timeout_s))
        return sum(not future.done() for future in futures)

    def rest(self, seconds):
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def close(self):
        self.loop.run_until_complete(asyncio.wait_for(self._producer.stop(), 10))
