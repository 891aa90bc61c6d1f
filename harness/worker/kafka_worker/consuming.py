"""What a consumer does with what the client hands over: record, check, and know when it is over.

`Consumption` is what every mode shares; `LossConsumption` writes every delivery before the application reads it,
`ThroughputConsumption` keeps joined keys in memory, `BareConsumption` records nothing. The *application* is the same in
all: it reads each value. The client's call decides the shape of the loop (`loops`); calls that hand over one message at
a time are recorded in blocks (`blocks`).

Everything here works on columns, by unbound accessors of the client's message class and `map`: a Python call for each
message would cost more than the budget that a fast client leaves.
"""

import resource
import time
from array import array

from kafka_worker.clock import now_ns
from kafka_worker.ends import Ends
from kafka_worker.payload import FOREIGN, KEY_BYTES, runs_of, split_keys
from kafka_worker.recorder import CORRUPT, DELIVER, DELIVER_KEYS, LOG_RUNS, OPEN_ROWS
from kafka_worker.speed import Speed

BLOCK_NS = 100 * 1000 * 1000
ASSIGNMENT_INTERVAL_NS = 100 * 1000 * 1000
KEYS_PER_FRAME = 1 << 16
FAILED_COMMITS_TOLD = 10
"""For the report; all of them are in the history."""
OF_A_MEMBER = ("commit", "assign", "revoke")


class Consumption:
    """The state of one consumer's loop. recorder is None when nothing is recorded."""

    notes_offsets = False
    attends = False  # its loops are those of `attentive`
    application = None  # what it does with messages beside reading them
    calling = None  # the client's call, where it is not that of the loop

    def __init__(self, config, control, recorder, payload, client):
        self.control = control
        self.recorder = recorder
        self.payload = payload
        self.client = client
        self.worker = config["worker"]
        self.stop_after = config.get("stop_after")
        self.timed = bool(config.get("timed"))  # whether the time of each message is of interest
        self._alone = not config.get("thread")
        self.ends = Ends(config.get("end_offsets"))
        self.deliveries = 0
        self.corrupt = 0
        self.first_ns = self.last_ns = None
        self.owned = ()
        self._speed = Speed(config)
        self._owned_at = -ASSIGNMENT_INTERVAL_NS
        self._check_at = 0
        self._room = 1
        self._failed_commits = 0
        self.joined = None  # as the client told when it was asked what it owns

    # ---- when it is over ---------------------------------------------------------------------------------------------

    def why_over(self):
        """Why the loop is to end now, or None. Every loop asks once a turn."""
        if self.recorder is not None:
            self.recorder.turn()
        if self.control.stopping:
            return "stop"
        if self.stop_after is not None and self.deliveries >= self.stop_after:
            return "stop_after"
        if self.control.end_offsets is not None:
            self.ends.learn(self.control.end_offsets)
            self.control.end_offsets = None
            self._check_at = 0
        if not self.notes_offsets and self.ends.known and self.deliveries >= self._check_at:
            # Where nothing notes the offsets of deliveries, the client is asked where it stands, but not before it can
            # be at the end.
            self._ask_positions(self.ends.awaited())
            self._check_at = self.deliveries + self.ends.remaining
        return "end_offsets" if self.ends.remaining <= 0 else None

    def idle(self):
        """The client returned nothing. Of partitions from which nothing came, ask where it stands: was nothing left?"""
        self.events_of_client()
        self._ask_positions([partition for partition in self.ends.awaited() if partition not in self.ends.next])
        self._check_at = 0

    def moved(self, partition, offset):
        """The client is sent to this offset, which may lie before what it has delivered."""
        self.ends.moved(partition, offset)
        self._check_at = 0

    def _ask_positions(self, partitions):
        if partitions:
            for partition, position in self.client.positions(partitions).items():
                if self.notes_offsets and self.ends.at_the_end(partition, position):
                    self.event({"type": "position", "member": self.worker, "partition": partition, "offset": position})
                self.ends.note_position(partition, position)

    def room(self):
        """How many messages the next block may take, so that the one that ends the loop is its last."""
        room = self._room
        if self.stop_after is not None:
            room = min(room, self.stop_after - self.deliveries)
        if self.ends.known:
            room = min(room, self.ends.remaining if self.notes_offsets else self._check_at - self.deliveries)
        return max(1, room)

    def block_took(self, rows, took_ns):
        """A block holds about a tenth of a second, so that slow consumers are watched message by message."""
        if took_ns > BLOCK_NS:
            self._room = max(1, self._room // 2)
        elif rows >= self._room:
            self._room = min(OPEN_ROWS, self._room * 2)

    # ---- what is counted ---------------------------------------------------------------------------------------------

    def counted(self, messages, first_ns, last_ns):
        """So many deliveries were processed, handed over between these times."""
        if self.recorder is not None:
            self.recorder.count(messages, last_ns)
        if self.first_ns is None:
            self.first_ns = first_ns
        self.deliveries += messages
        self.last_ns = self._speed.step(self.deliveries, last_ns)

    def figures(self, cpu_from, wall_from_ns):
        """What `ended` tells of deliveries and of speed.

        What a thread used cannot be told from what the others of its process did: there is no `cpu_s` of it.
        """
        figures = {
            "deliveries": self.deliveries,
            "corrupt": self.corrupt,
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
            "rss_max_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "process_cpu_s": time.process_time(),
        }
        if self._alone:
            figures.update(self._speed.figures(self.deliveries, cpu_from, wall_from_ns))
        return figures

    # ---- events ------------------------------------------------------------------------------------------------------

    def event(self, data, t_ns=None):
        if self.recorder is not None:
            self.recorder.event(data, t_ns)

    def events_of_client(self):
        """Write what the client reported by callbacks since the last time."""
        events = self.client.events
        while events:
            self.event_of_client(*events.popleft())

    def event_of_client(self, t_ns, data):
        if data["type"] in OF_A_MEMBER:
            data = dict(data, member=self.worker)
        self.event(data, t_ns)
        if data["type"] == "error":
            self.control.send(dict(data, fatal=False))
        elif data["type"] == "commit" and not data["ok"] and self._failed_commits < FAILED_COMMITS_TOLD:
            self._failed_commits += 1
            what = "partition %d, offset %d: %s" % (data["partition"], data["offset"], data.get("error"))
            self.control.send({"type": "error", "where": "commit", "error": what, "fatal": False})

    def due_to_observe(self):
        """Whether it is time to ask the client what it owns."""
        overdue = self.recorder is not None and now_ns() - self._owned_at >= ASSIGNMENT_INTERVAL_NS
        return overdue or (self.notes_offsets and self.has_rejoined())

    def has_rejoined(self):
        """Whether the client has joined its group anew since it was asked what it owns."""
        joined = self.client.joined()
        return joined is not None and joined != self.joined

    def observe(self):
        """Ask what the client owns, and write what has changed. No listener: one would change what the client does.

        A client that was taken for dead and has joined anew may own what it owned before, and begins where its group
        stands: that is another ownership.
        """
        anew = self.has_rejoined()
        owned = tuple(sorted(self.client.assignment()))
        self._owned_at, self.joined = now_ns(), self.client.joined()
        lost = [partition for partition in self.owned if anew or partition not in owned]
        gained = [partition for partition in owned if anew or partition not in self.owned]
        self.owned = owned
        if lost:
            self.event({"type": "revoke", "member": self.worker, "partitions": lost})
        if gained:
            self.event({"type": "assign", "member": self.worker, "partitions": gained, "observed": True})
            if self.client.waits_for_ever:
                # Such a call never comes back to say that nothing is left: what the group had read before is asked now.
                self._ask_positions([partition for partition in gained if partition not in self.ends.next])

    def client_error(self, where, error, fatal):
        self.event({"type": "error", "where": where, "error": error})
        self.control.send({"type": "error", "where": where, "error": error, "fatal": fatal})

    # ---- what every mode has in its own way --------------------------------------------------------------------------

    def batch(self, messages, groups):
        """Record what one call handed over, then let the application read it.

        groups: [(partition, how many)] in the order of `messages` where the client says so, else None.
        """
        raise NotImplementedError

    def finish(self):
        """Write what is still in memory."""

    def process(self, messages):
        """The application: it reads each value, and has them until its step is over."""
        return list(map(self.client.fields.value, messages))

    def keys_of(self, messages):
        """(deliveries, their keys joined). An error that was handed over in a delivery's place is told and left out."""
        key_of = self.client.fields.key
        try:
            keys = b"".join(list(map(key_of, messages)))
        except TypeError:
            keys = b""
        if len(keys) == KEY_BYTES * len(messages):
            return messages, keys
        deliveries = []
        for message in messages:
            error = self.client.error_of(message)
            if error is None:
                deliveries.append(message)
            elif error:
                self.client_error(self.client.call, error, fatal=False)
        return deliveries, b"".join([normal_key(key_of(message)) for message in deliveries])


class BareConsumption(Consumption):
    """Nothing is recorded: the application alone, for measuring what recording costs."""

    def batch(self, messages, groups):
        t_ns = now_ns()
        self.process(messages)
        self.counted(len(messages), t_ns, t_ns)


class ThroughputConsumption(Consumption):
    """Keys, joined, in memory until a frame of 64 K is full; of each step the first value is checked."""

    def __init__(self, *args):
        super().__init__(*args)
        self._keys = []
        self._kept = 0
        self._from_ns = 0

    def batch(self, messages, groups):
        t_ns = now_ns()
        if self.due_to_observe():
            self.observe()
        deliveries = self.keep(messages, t_ns)
        self.process(deliveries)
        self.counted(len(deliveries), t_ns, t_ns)

    def keep(self, messages, t_ns):
        """Keep the keys, and check the value of the first message; returns the deliveries among the messages."""
        messages, keys = self.keys_of(messages)
        if messages:
            if not self._keys:
                self._from_ns = t_ns
            self._keys.append(keys)
            self._kept += len(messages)
            if self._kept >= KEYS_PER_FRAME:
                self.finish()
            self._check(messages[0])
        return messages

    def _check(self, message):
        fields = self.client.fields
        key = fields.key(message)
        if not self.payload.is_right(key, fields.value(message)):
            self.finish()
            self.corrupt += 1
            offset, partition = array("q", [fields.offset(message)]), array("i", [fields.partition(message)])
            self.recorder.columns(CORRUPT, key, offset, partition, now_ns())

    def event(self, data, t_ns=None):
        self.finish()
        super().event(data, t_ns)

    def finish(self):
        """Write the keys in memory, before anything that comes after them."""
        keys, self._keys, self._kept = self._keys, [], 0
        if keys:
            self.recorder.keys_only(DELIVER_KEYS, b"".join(keys), self._from_ns, now_ns())


class LossConsumption(Consumption):
    """Every delivery with its offset, in the file before the application reads it; every value checked."""

    notes_offsets = True

    def batch(self, messages, groups):
        t_ns = now_ns()
        if self.due_to_observe():
            self.observe()
        deliveries, keys = self.keys_of(messages)
        if deliveries:
            self.record(deliveries, keys, groups if deliveries is messages else None, t_ns)
            self.counted(len(deliveries), t_ns, t_ns)

    def record(self, deliveries, keys, groups, t_ns, done_ns=None):
        """Write a frame of deliveries, then read and check their values."""
        runs = runs_of(keys)
        offsets = list(map(self.client.fields.offset, deliveries))
        if groups is None:
            partitions = self.partitions_of(deliveries, offsets, runs)
        else:
            partitions = self._partitions_of_groups(groups, offsets)
        column = array("q", offsets)
        self.write(keys, column, partitions, t_ns, done_ns)
        values = self.process(deliveries)
        wrong = self.payload.wrong_rows(keys, values, runs)
        if wrong:
            self.write_corrupt(wrong, keys, column, partitions, done_ns or t_ns)

    def write(self, keys, offsets, partitions, t_ns, done_ns):
        self.recorder.columns(DELIVER, keys, offsets, partitions, t_ns, done_ns)

    def _partitions_of_groups(self, groups, offsets):
        """The column of partitions, as the client sorted its messages; notes how far each has come."""
        column, at = array("i"), 0
        for partition, count in groups:
            column.extend(array("i", [partition]) * count)
            at += count
            self.ends.note(partition, offsets[at - 1])
        return column

    def partitions_of(self, messages, offsets, runs):
        """The column of partitions, as the client tells them; notes how far each has come.

        A run, neighbours whose keys name one partition, is asked at its two ends only: with offsets that count up from
        the one to the other, what lies between is of the same partition too.
        """
        partition_of = self.client.fields.partition
        column = array("i")
        for partition, first, last in runs or ():
            counts_up = offsets[last - 1] - offsets[first] == last - 1 - first
            if not counts_up or not partition_of(messages[first]) == partition == partition_of(messages[last - 1]):
                break
            column.extend(array("i", [partition]) * (last - first))
            self.ends.note(partition, offsets[last - 1])
        if len(column) == len(messages):
            return column
        partitions = list(map(partition_of, messages))
        for partition, offset in dict(zip(partitions, offsets)).items():
            self.ends.note(partition, offset)
        return array("i", partitions)

    def write_corrupt(self, rows, keys, offsets, partitions, t_ns):
        self.corrupt += len(rows)
        each = split_keys(keys)
        self.recorder.columns(
            CORRUPT,
            b"".join([each[row] for row in rows]),
            array("q", [offsets[row] for row in rows]),
            array("i", [partitions[row] for row in rows]),
            t_ns,
        )


class LogReading(LossConsumption):
    """The independent reader: the same, for what the log holds."""

    def write(self, keys, offsets, partitions, t_ns, done_ns):
        """As runs: nobody times this worker, and a log is mostly one run a partition."""
        self.recorder.runs(LOG_RUNS, keys, offsets, partitions, t_ns)

    def idle(self):
        """Nothing came: where the log ends with a transaction's marker, only the position comes to the end."""
        self._ask_positions(self.ends.awaited())

    def observe(self):
        """It assigns itself; what it owns is no ownership."""

    def due_to_observe(self):
        return False


def normal_key(key):
    """A key that is not ours counts as 0xFF."""
    return key if key is not None and len(key) == KEY_BYTES else FOREIGN


def consumption_of(config):
    """The class for a configuration's role and mode."""
    if config["role"] == "read_log":
        return LogReading
    return {"loss": LossConsumption, "throughput": ThroughputConsumption, "off": BareConsumption}[config["record"]]
