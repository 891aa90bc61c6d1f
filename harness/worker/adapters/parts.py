"""What adapters share: the accessors of a message, the event queue, TLS material, settings as JSON."""

import importlib
import time
from collections import deque, namedtuple

from kafka_worker.clock import now_ns
from kafka_worker.moments import Moments
from kafka_worker.raising import Deserializers, Fails

Fields = namedtuple("Fields", "key offset partition value")
"""Functions of a message. Unbound accessors, so that `map` calls them without a Python frame for each message."""

SECRETS = ("password", "sasl", "secret", "token", "ssl_context", "ssl.key.pem")


class ConsumerParts:
    """What every Consumer has; see `kafka_worker.loops`.

    For scripts and for applications that commit (asynchronous clients: coroutine functions, but for `store`):
    - `subscribe(listener, topics=None)`, None for the run's topic alone; `assign(partitions)`, `unsubscribe()`,
      `pause(partitions)`, `resume(partitions)`, `seek(partitions, to)`, to a number, "beginning" or "end";
    - `call_once(timeout_ms, max_records)`: one call that hands over many, whatever the loop's call is;
    - `commit(offsets, sync)`: {partition: offset}, None for where the client itself stands. What comes of it is told as
      `commit` events, at once or by a callback; it raises nothing. `store(message)`: librdkafka's store_offsets().

    documented: it joins by `start()`, as the library's documentation shows it, without a listener.
    listens: it does so with a listener, for the application commits in it, or for there may be rebalances.
    commits_in_revoke: the former.
    moments: where its listener may have to stand still for a fault.
    giving_up: the application's answer to (partitions, lost): what to commit before they go.
    """

    asynchronous = False
    waits_for_ever = False  # the call comes back with a message or not at all

    def __init__(self, config):
        self.topic = config["topic"]
        self.partitions = list(range(config["partitions"]))
        self.api = config.get("api")
        self.group = config.get("group")
        self.reads_log = config["role"] == "read_log"
        batch = config.get("batch") or {}
        self.max_records = batch.get("max_records")
        self.timeout_ms = batch.get("timeout_ms", 1000)
        self.events = deque()
        self.effective = {}
        application = config.get("application") or {}
        self.commits_in_revoke = (application.get("commit") or {}).get("mode") == "in_revoke"
        self.listens = self.commits_in_revoke or bool(config.get("listen"))
        self.documented = not self.listens and not joins_by_itself(config.get("script"))
        self.giving_up = lambda partitions, lost: {}
        self.moments = Moments(None, None)
        fails = Fails(application.get("fails"))
        self.deserializers = Deserializers(fails) if fails.deserializer else None

    def joined(self):
        """Something that is another one whenever the client has joined its group anew. Here nothing tells: None."""

    def complete(self, result):
        """The result of one of the client's calls, when it is there."""
        return result

    def rest(self, seconds):
        """Let time pass without calling the client."""
        time.sleep(seconds)

    def deserializing(self):
        """Settings, of the libraries that take deserializers."""
        if self.deserializers is None:
            return {}
        return {"key_deserializer": self.deserializers.key, "value_deserializer": self.deserializers.value}

    def own(self, parts):
        """The numbers of those that are of the run's topic."""
        return [part.partition for part in parts if part.topic == self.topic]

    def assigned(self, partitions):
        """For a listener: told what it owns now, or owns beside what it had."""
        if self._owns("assign", partitions):
            self.moments.reached("assigned")

    def revoked(self, partitions, lost=False):
        """For a listener: told what it owns no longer. Returns the offsets to be committed first."""
        numbers = self._owns("revoke", partitions, **({"lost": True} if lost else {}))
        if numbers:
            self.moments.reached("revoked")
        return self.giving_up(numbers, lost)

    def _owns(self, kind, partitions, **keys):
        numbers = sorted(part.partition for part in partitions if part.topic == self.topic)
        if numbers:
            self.events.append((now_ns(), dict(keys, type=kind, partitions=numbers)))
        return numbers

    def committed(self, offsets, error=None, t_ns=None):
        """Tell what came of a commit of {partition: offset}."""
        for partition, offset in sorted(offsets.items()):
            event = {"type": "commit", "partition": partition, "offset": offset, "ok": error is None}
            if error is not None:
                event["error"] = error
            self.events.append((t_ns or now_ns(), event))

    @staticmethod
    def error_of(message):
        """None for a delivery, "" for what is neither delivery nor error, else the error that came in its place."""


class ProducerParts:
    """What every Producer has; see `kafka_worker.producing`."""

    idempotent = False
    chunk = 1000

    def __init__(self, config):
        self.topic = config["topic"]
        self.events = []
        self.effective = {}

    def prepare(self):
        """Called before the intents of the next `send` are written."""

    def rest(self, seconds):
        """Let time pass."""
        time.sleep(seconds)


BEFORE_JOINING = ("wait", "sleep", "tell")
JOINING = ("subscribe", "assign")


def joins_by_itself(script):
    """Whether a script says how the client comes to its partitions. One that does not joins as documented."""
    first = next((step["do"] for step in script or () if step["do"] not in BEFORE_JOINING), None)
    return first in JOINING


def error_text(error):
    """An exception in one line."""
    return "%s: %s" % (type(error).__name__, error)


ASSIGNORS = {
    "range": ("range", "RangePartitionAssignor"),
    "roundrobin": ("roundrobin", "RoundRobinPartitionAssignor"),
    "sticky": ("sticky.sticky_assignor", "StickyPartitionAssignor"),
    "cooperative-sticky": ("cooperative_sticky", "CooperativeStickyAssignor"),
}
"""Where kafka-python, and aiokafka after it, have each assignor: a module in `coordinator.assignors`, and its class."""


def with_assignors(library, settings):
    """Settings, in which assignors that are named become the library's classes."""
    names = settings.get("partition_assignment_strategy")
    if names is None:
        return settings
    classes = []
    for name in names:
        module, kind = ASSIGNORS[name]
        classes.append(getattr(importlib.import_module("%s.coordinator.assignors.%s" % (library, module)), kind))
    return dict(settings, partition_assignment_strategy=classes)


def plain_settings(settings):
    """Settings without secrets, as JSON can hold them."""
    return {
        name: value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)
        for name, value in sorted(settings.items())
        if not any(secret in name.lower() for secret in SECRETS)
    }
