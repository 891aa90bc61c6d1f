"""What the application does with messages beside reading them: it takes its time, and it commits.

`work` is told what one call handed over, and gives the things that it would do in their order; `perform` and
`perform_async` do them, as a program of either kind would: the one sleeps and blocks, the other lets its client's own
tasks run meanwhile. An application that neither commits nor takes its time is not `active`: its loops are the fast
ones.
"""

import asyncio
import time

from kafka_worker.raising import Fails, Raised

SLEEP, COMMIT, STORE, TOLD, PROCESSED, RAISE = "sleep", "commit", "store", "told", "processed", "raise"

SLICE_S = 0.05

EACH_BATCH = {"sync": True, "async": False, "async_then_sync": False, "in_revoke": False}
"""Modes that commit once a batch, and whether that waits for the answer."""

NONE = ("auto", "none", None)
"""Modes in which the application commits nothing."""


class Application:
    """done: by partition, the offset behind the last message that was processed (or, with `before`, handed over)."""

    def __init__(self, config):
        told = config.get("application") or {}
        commit = told.get("commit") or {}
        slow = told.get("slow") or {}
        self.mode = commit.get("mode")
        self.before = commit.get("where") == "before"
        self.done = {}
        self._message_s = (told.get("message_ms") or 0) / 1000.0
        self._batch_s = (told.get("batch_ms") or 0) / 1000.0
        self._slow_at = slow.get("at")
        self._slow_s = (slow.get("ms") or 0) / 1000.0
        self._busy = "%s busy" % member_of(config)
        self.raised = "%s raised" % member_of(config)
        self.fails = Fails(told.get("fails"))
        self._count = 0
        self.commits = self.mode not in NONE
        self.active = bool(self.commits or self._message_s or self._batch_s or self._slow_at or self.fails.at)

    def work(self, messages, fields):
        """Everything that is done with one call's messages, as (what, with what)."""
        if not messages:
            return
        places = list(zip(map(fields.partition, messages), map(fields.offset, messages)))
        if self.before:
            # Said first, so that a commit is not taken for the application's coming back.
            yield PROCESSED, 0
            for action in self._commit_of_batch(messages, places):
                yield action
        if self._batch_s:
            yield SLEEP, self._batch_s
        told = 0
        for number, (message, place) in enumerate(zip(messages, places), 1):
            if self.before and self.mode == "per_message":
                yield COMMIT, (offsets_behind([place]), True)
            seconds = self._message_s
            self._count += 1
            slow = self._count == self._slow_at
            if slow or seconds:
                if told < number - 1:
                    yield PROCESSED, number - 1
                if slow:
                    seconds = self._slow_s
                    yield TOLD, self._busy
                yield SLEEP, seconds
                told = number
                yield PROCESSED, number
            if self.fails.handler and self._count == self.fails.at:
                if told < number - 1:
                    told = number - 1
                    yield PROCESSED, told
                yield TOLD, self.raised
                yield RAISE, self.fails
            self.done[place[0]] = place[1] + 1
            if not self.before and self.mode == "per_message":
                if told < number:
                    told = number
                    yield PROCESSED, number
                yield COMMIT, (offsets_behind([place]), True)
        if told < len(messages):
            yield PROCESSED, len(messages)
        if not self.before:
            for action in self._commit_of_batch(messages, places):
                yield action

    def _commit_of_batch(self, messages, places):
        if self.mode in EACH_BATCH:
            yield COMMIT, (offsets_behind(places), EACH_BATCH[self.mode])
        elif self.mode == "store_offsets":
            for message in messages:
                yield STORE, message

    def closing(self, assignment):
        """What is done when the loop is over, before the client's close()."""
        if self.mode == "async_then_sync":
            offsets = {partition: offset for partition, offset in self.done.items() if partition in assignment}
            if offsets:
                yield COMMIT, (offsets, True)

    def give_up(self, partitions, lost):
        """The offsets to commit before these partitions go to another member; they are forgotten."""
        offsets = {partition: self.done.pop(partition) for partition in partitions if partition in self.done}
        return offsets if self.mode == "in_revoke" and not lost else {}


def offsets_behind(places):
    """By partition, the offset behind its last message."""
    return {partition: offset + 1 for partition, offset in places}


def member_of(config):
    """The scenario's name of this worker's member: worker a2 is the second process of member a."""
    return config.get("member") or config["worker"].rstrip("0123456789") or config["worker"]


def perform(consumption, actions):
    """Do them as a program does that blocks."""
    for what, value in actions:
        if what == SLEEP:
            time.sleep(value)
        elif what == COMMIT:
            consumption.moments.reached("committing")
            consumption.client.commit(*value)
            consumption.commits_of_client()
        else:
            tell(consumption, what, value)


async def perform_async(consumption, actions):
    """Do them as a program does that awaits."""
    for what, value in actions:
        if what == SLEEP:
            until = time.monotonic() + value
            while time.monotonic() < until:
                # An answer that comes meanwhile is written before the worker may be killed.
                await asyncio.sleep(min(SLICE_S, max(0, until - time.monotonic())))
                consumption.commits_of_client()
        elif what == COMMIT:
            consumption.moments.reached("committing")
            await consumption.client.commit(*value)
            consumption.commits_of_client()
        else:
            tell(consumption, what, value)


def perform_now(consumption, actions):
    """Do them where no loop is running."""
    if consumption.client.asynchronous:
        consumption.client.complete(perform_async(consumption, actions))
    else:
        perform(consumption, actions)


def raised(consumption, fails, error, where):
    """What the application does about an exception: it ends, or it notes it and goes on with the next message."""
    consumption.control.send({"type": "error", "where": where, "error": str(error), "fatal": False})
    consumption.event({"type": "error", "where": where, "error": str(error), "within": True})
    if fails.ends:
        raise error


def tell(consumption, what, value):
    if what == STORE:
        consumption.client.store(value)
    elif what == RAISE:
        raised(consumption, value, Raised("the handler raises on purpose, at message %d" % value.at), "handler")
    elif what == TOLD:
        consumption.control.send({"type": "told", "word": value})
    elif what == PROCESSED and consumption.notes_offsets:
        consumption.event({"type": "processed", "member": consumption.worker, "messages": value, "within": True})
