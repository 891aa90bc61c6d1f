"""What adapters share: the accessors of a message, the event queue, TLS material, settings as JSON."""

from collections import deque, namedtuple

Fields = namedtuple("Fields", "key offset partition value")
"""Functions of a message. Unbound accessors, so that `map` calls them without a Python frame for each message."""

SECRETS = ("password", "sasl", "secret", "token", "ssl_context", "ssl.key.pem")


class ConsumerParts:
    """What every Consumer has; see `kafka_worker.loops`."""

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


def plain_settings(settings):
    """Settings without secrets, as JSON can hold them."""
    return {
        name: value if isinstance(value, (str, int, float, bool, type(None))) else repr(value)
        for name, value in sorted(settings.items())
        if not any(secret in name.lower() for secret in SECRETS)
    }
