"""An application that raises at one message: in its handler, or in the deserializer that it gave to its client."""


class Raised(Exception):
    """Raised on purpose."""


class Fails:
    """What a scenario says of it (`at`, `where`, `then`, `always`); None: it never raises."""

    def __init__(self, told):
        told = told or {}
        self.at = told.get("at")
        self.ends = told.get("then") == "restart"  # the exception ends the process; else it goes on
        self.always = bool(told.get("always"))
        self.handler = bool(told) and told.get("where") == "handler"
        self.deserializer = bool(told) and told.get("where") == "deserializer"


class Deserializers:
    """A pair for a client, that lets bytes through but for one message: the so-many-th value that it is asked for.

    raised: how often it did. The message is known again by its key.
    """

    def __init__(self, fails):
        self._fails = fails
        self._count = 0
        self._key = self._bad = None
        self.raised = self._told = 0

    def key(self, data):
        self._key = data
        return data

    def value(self, data):
        self._count += 1
        first = self._count == self._fails.at
        if first:
            self._bad = self._key
        if first or (self._fails.always and self._bad is not None and self._key == self._bad):
            self.raised += 1
            raise Raised("the deserializer raises on purpose, at message %d" % self._fails.at)
        return data

    def has_raised(self):
        """Whether it has since this was asked last."""
        fresh, self._told = self.raised - self._told, self.raised
        return fresh > 0
