"""Sends a run's messages: intents are written before the calls, answers as they come.

What has no answer at the end is left without one: the judge counts it as unknown, and tells it as a silent send.

A producer adapter has `send(rows)`, rows being (partition, key, value); `answers()`, what has come since: `(keys,
offsets, partitions)` as lists, and failures as [(key, partition, definite, error)]; `flush(timeout_s)`, which returns
how many are still unanswered; `rest(seconds)`, in which the client's own work goes on; `close()`; `events`,
`idempotent`, `effective`, `call`; `chunk`, how many messages one `send` takes, and `prepare()`, called before their
intents are written: a transaction begins there. A failure is *definite* when the message is certainly not written;
each adapter has its table of those. Anything else is unknown.
"""

import resource
import time
from array import array

from kafka_worker.clock import now_ns
from kafka_worker.pacing import Schedule
from kafka_worker.payload import split_keys
from kafka_worker.recorder import ACK, NACK, SEND, UNKNOWN

FLUSH_STEP_S = 0.5
FLUSH_NO_PROGRESS_S = 60
ERRORS_TOLD = 20


PIECES_A_SECOND = 20
"""A producer with a rate sends its messages in so many pieces."""
ROLL_S = 2.0
"""So long the producer rests before the last messages: behind it they begin a new segment (`segment.ms` is below)."""


class Production:
    """One producer's messages. Message i goes to partition i mod partitions, with seq i // partitions.

    compacted: (first seq, last seq) that are written a second time, under the same keys, before the last message of
    each partition. That one comes after a rest, so that all before it is in segments that the broker may compact.
    rate: messages a second at most, or None. Who was held up does not hurry to make up for it, but `on_schedule`: then
    every message has its own time at which it is due, whatever was held up before it.
    """

    def __init__(self, config, control, recorder, payload, client):
        self.control = control
        self.recorder = recorder
        self.payload = payload
        self.client = client
        self.number = config["produce"]["producer"]
        self.messages = config["produce"]["messages"]
        self.partitions = config["partitions"]
        self.compacted = config["produce"].get("compacted")
        self.rate = config["produce"].get("rate")
        self.on_schedule = config["produce"].get("on_schedule", False)
        self.chunk = client.chunk if self.rate is None else min(client.chunk, max(1, self.rate // PIECES_A_SECOND))
        self.sent = self.acked = self.nacked = self.unknown = 0
        self._answered = bytearray(self.messages)
        self._first_ns = self._last_ns = None
        self._told = set()

    def run(self):
        """Send everything and wait for the answers, in bounds. Returns why it ended."""
        if self.on_schedule:
            why = self._send_on_schedule(Schedule(self.rate, now_ns()))
        elif self.compacted is None:
            why = self._send(0, self.messages)
        else:
            first, last = self.compacted
            body = self.messages - self.partitions
            self._send(0, body)
            self._flush()
            self._send(first * self.partitions, (last + 1) * self.partitions)
            self._flush()
            time.sleep(ROLL_S)
            why = self._send(body, self.messages)
        self._flush()
        return why

    def _send(self, first, end):
        """Send the messages first..end - 1. Returns why it ended."""
        while first < end:
            if self.control.stopping:
                return "stop"
            count = min(self.chunk, end - first)
            begin = time.monotonic()
            self._send_chunk(first, count)
            first += count
            if self.rate is not None:
                self.client.rest(max(0, begin + count / self.rate - time.monotonic()))
            self._take_answers()
        return "done"

    def _send_on_schedule(self, schedule):
        """Send every message when it is due, or as soon as the client takes it. Returns why it ended."""
        first = 0
        while first < self.messages:
            if self.control.stopping:
                return "stop"
            last = min(self.messages, schedule.due_by(now_ns()), first + self.chunk)
            if last > first:
                self._send_chunk(first, last - first, schedule.times(first, last - first))
                first = last
            self._take_answers()
            self.client.rest(max(0, schedule.due_ns(first) - now_ns()) / 1e9)
        return "done"

    def finish(self):
        """Close the client; what has no answer by then is unknown."""
        try:
            self.client.close()
        except Exception as error:
            self._tell("close", "%s: %s" % (type(error).__name__, error))
        self._take_answers()
        self._write_events()
        self.unknown += sum(not self._answered[number] for number in range(self.sent))

    def figures(self, cpu_from, wall_from_ns):
        end_ns = self._last_ns or now_ns()
        return {
            "sent": self.sent,
            "acked": self.acked,
            "nacked": self.nacked,
            "unknown": self.unknown,
            "first_ns": self._first_ns,
            "last_ns": self._last_ns,
            "cpu_s": time.process_time() - cpu_from,
            "wall_s": (end_ns - wall_from_ns) / 1e9,
            "rss_max_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }

    def _send_chunk(self, first, count, intended_ns=None):
        """intended_ns: an array("Q") of when each message was due; None: now."""
        self.client.prepare()
        self._write_events()
        t_ns = now_ns()
        if intended_ns is None:
            # The time is in the key, and compaction goes by keys: what is written twice has one time.
            intended_ns = t_ns if self.compacted is None or self._first_ns is None else self._first_ns
        keys = self.payload.keys(self.number, self.partitions, first, count, intended_ns)
        numbers = range(first, first + count)
        partitions = [number % self.partitions for number in numbers]
        self.recorder.columns(SEND, keys, array("q", [-1]) * count, array("i", partitions), t_ns)
        self.sent = max(self.sent, first + count)
        values = [self.payload.value(number // self.partitions) for number in numbers]
        if self._first_ns is None:
            self._first_ns = t_ns
        self.client.send(list(zip(partitions, split_keys(keys), values)))
        self._write_events()

    def _write_events(self):
        """What the client told of itself, before anything that comes after it."""
        for at_ns, event in self.client.events:
            self.recorder.event(event, at_ns)
        del self.client.events[:]

    def _take_answers(self):
        (keys, offsets, partitions), failures = self.client.answers()
        t_ns = now_ns()
        if keys:
            self._write(ACK, keys, offsets, partitions, t_ns)
            self.acked += len(keys)
            self._last_ns = t_ns
            self.recorder.count(len(keys), t_ns)
        for kind, definite in ((NACK, True), (UNKNOWN, False)):
            failed = [failure for failure in failures if failure[2] is definite]
            if failed:
                keys = [failure[0] for failure in failed]
                self._write(kind, keys, [-1] * len(failed), [failure[1] for failure in failed], t_ns)
                self.nacked += len(failed) if definite else 0
                self.unknown += 0 if definite else len(failed)
        for _, _, _, error in failures:
            self._tell(self.client.call, error)
        return len(keys) + len(failures)

    def _write(self, kind, keys, offsets, partitions, t_ns):
        joined = b"".join(keys)
        self.recorder.columns(kind, joined, array("q", offsets), array("i", partitions), t_ns)
        columns = memoryview(joined).cast("Q")
        answered, count = self._answered, self.partitions
        for name, seq in zip(columns[0::3].tolist(), columns[1::3].tolist()):
            answered[seq * count + (name >> 48)] = 1

    def _tell(self, where, error):
        """Each kind of error once, and not endlessly many kinds."""
        if error not in self._told and len(self._told) < ERRORS_TOLD:
            self._told.add(error)
            self.recorder.event({"type": "error", "where": where, "error": error})
            self.control.send({"type": "error", "where": where, "error": error, "fatal": False})

    def _flush(self):
        """Wait for answers, as long as some come at least every FLUSH_NO_PROGRESS_S."""
        progress_at = time.monotonic()
        while True:
            open_answers = self.client.flush(FLUSH_STEP_S)
            if self._take_answers():
                progress_at = time.monotonic()
            if not open_answers:
                return
            if time.monotonic() - progress_at > FLUSH_NO_PROGRESS_S:
                self._tell("flush", "%d messages unanswered after %d s" % (open_answers, FLUSH_NO_PROGRESS_S))
                return
