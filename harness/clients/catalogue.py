"""Pure: what the harness knows about each client library before it tries anything.

Names, calls, the release that a bare name means, which other library reads the log for it, and the interpreters that a
range of releases is known to run on. The limits only order and word the choice: `envs` still tries, and believes what
it sees. Nothing here installs or starts anything.
"""

from dataclasses import dataclass

Minor = tuple[int, int]


@dataclass(frozen=True)
class Client:
    """One library.

    adapter: the worker's adapter that drives it.
    distribution: the package that is installed for it, None when there is none.
    module: what `import` calls it; imported once in a new environment as its check.
    current: the release that a spec without a version means.
    apis: the library's own ways to consume, in the order of its documentation.
    family: libraries of one family share code, so that none of them can testify about another.
    reader: the library that reads the log when this one is under test; never of the same family.
    """

    library: str
    adapter: str
    distribution: str | None
    module: str | None
    current: str | None
    apis: tuple[str, ...]
    family: str
    reader: str
    about: str


CLIENTS = {
    client.library: client
    for client in (
        Client(
            "kafka-python", "kafka-python", "kafka-python", "kafka", "3.0.12", ("iterator", "poll"),
            "kafka-python", "confluent-kafka", "pure Python",
        ),
        Client(
            "kafka-python-ng", "kafka-python", "kafka-python-ng", "kafka", "2.2.3", ("iterator", "poll"),
            "kafka-python", "confluent-kafka", "fork of kafka-python 2.0.2, made while that had no releases",
        ),
        # aiokafka reads for librdkafka: 5 to 10 times as fast as kafka-python, and it shares no code with librdkafka.
        Client(
            "confluent-kafka", "confluent-kafka", "confluent-kafka", "confluent_kafka", "2.16.1", ("poll", "consume"),
            "librdkafka", "aiokafka", "librdkafka, in C, with a Python face",
        ),
        # Its protocol code began as kafka-python's, and before 0.9 it imported it: so never read by kafka-python.
        Client(
            "aiokafka", "aiokafka", "aiokafka", "aiokafka", "0.14.0", ("iterator", "getone", "getmany"),
            "kafka-python", "confluent-kafka", "asyncio",
        ),
        Client(
            "planted", "planted", "confluent-kafka", "confluent_kafka", "2.16.1", ("poll", "consume"),
            "librdkafka", "aiokafka", "confluent-kafka made to lose, repeat, reorder and corrupt on purpose",
        ),
        Client(
            "null", "null", None, None, None, ("poll", "consume"),
            "null", "null", "no Kafka at all: the harness's own ceiling",
        ),
    )
}  # fmt: skip

# Built from source these need compilers and librdkafka itself: only their wheels are taken.
WHEELS_ONLY = ("confluent-kafka", "aiokafka", "crc32c", "cramjam", "lz4", "zstandard", "python-snappy", "xxhash")


@dataclass(frozen=True)
class Limit:
    """Releases of `library` from `since` on and before `before` run from Python `low` to Python `high`.

    tls: the limit holds for TLS connections only.
    why: the end of the sentence "kafka-python 2.0.2 needs Python 3.11 or older: …".
    """

    library: str
    since: str | None
    before: str | None
    low: Minor | None
    high: Minor | None
    why: str
    tls: bool = False

    def covers(self, library: str, version: str) -> bool:
        release = release_of(version)
        return (
            self.library == library
            and (self.since is None or release_of(self.since) <= release)
            and (self.before is None or release < release_of(self.before))
        )


# Each was seen on CPython 3.6 to 3.13, Linux x86-64, by installing and importing; wheel gaps shift a little elsewhere.
LIMITS = (
    # kp #1549 and #1741: 1.4.4 raises at start on 3.7 and later, 1.4.5 connects late or never; 1.4.7 is fine.
    Limit(
        "kafka-python", None, "1.4.6", None, (3, 6),
        'on a newer one its TLS fails with "attempt to connect already-connected SSLSocket"', tls=True,
    ),
    # 1.4.4, 1.4.5, 1.4.7, 2.0.2 on 3.12 and 3.13: No module named 'kafka.vendor.six.moves'. 2.0.3 imports.
    Limit("kafka-python", None, "2.0.3", None, (3, 11), "on a newer one it does not import (kafka.vendor.six.moves)"),
    Limit("kafka-python", "3.0.0", None, (3, 8), None, "its package demands that"),
    Limit("kafka-python-ng", "2.2.3", None, (3, 8), None, "its package demands that"),
    # 1.8.2 installs on 3.6 to 3.9, 1.9.2 on 3.6 to 3.10, 2.0.2 and 2.2.0 to 3.11, 2.3.0 to 3.12, 2.6.0 to 3.13;
    # 2.6.1 and 2.8.0 start at 3.7, 2.16.1 at 3.8.
    Limit("confluent-kafka", None, "1.9.0", (3, 6), (3, 9), "it has wheels for no other"),
    Limit("confluent-kafka", "1.9.0", "2.0.0", (3, 6), (3, 10), "it has wheels for no other"),
    Limit("confluent-kafka", "2.0.0", "2.3.0", (3, 6), (3, 11), "it has wheels for no other"),
    Limit("confluent-kafka", "2.3.0", "2.6.0", (3, 6), (3, 12), "it has wheels for no other"),
    Limit("confluent-kafka", "2.6.1", "2.16.1", (3, 7), None, "it has wheels for none older"),
    Limit("confluent-kafka", "2.16.1", None, (3, 8), None, "it has wheels for none older"),
    # 0.8.1 (with kafka-python 2.0.2 beside it) installs on 3.8 to 3.11, 0.9.0 to 0.11.0 on 3.8 to 3.12, 0.12.0 on 3.9
    # to 3.13, 0.13.0 not on 3.9, 0.14.0 on 3.10 to 3.13.
    Limit("aiokafka", None, "0.9.0", (3, 8), (3, 11), "it has wheels for no other"),
    Limit("aiokafka", "0.9.0", "0.12.0", (3, 8), (3, 12), "it has wheels for no other"),
    Limit("aiokafka", "0.12.0", "0.13.0", (3, 9), None, "it has wheels for none older"),
    Limit("aiokafka", "0.13.0", None, (3, 10), None, "it has wheels for none older"),
)  # fmt: skip


@dataclass(frozen=True)
class Supported:
    """The interpreters known to run a release, None where no bound is known, and why."""

    low: Minor | None
    high: Minor | None
    why: tuple[str, ...]

    def holds(self, minor: Minor) -> bool:
        return (self.low is None or self.low <= minor) and (self.high is None or minor <= self.high)

    def words(self) -> str:
        """`Python 3.6 to 3.9`, `Python 3.8 or newer`, `Python 3.6 or older`, `any Python`."""
        if self.low is None:
            return "any Python" if self.high is None else f"Python {dotted(self.high)} or older"
        if self.high is None:
            return f"Python {dotted(self.low)} or newer"
        if self.low == self.high:
            return f"Python {dotted(self.low)}"
        return f"Python {dotted(self.low)} to {dotted(self.high)}"


def supported(library: str, version: str | None, security: str) -> Supported:
    """Which interpreters run this release; a release without a number (a checkout) has no known limit."""
    if version is None:
        return Supported(None, None, ())
    found = [
        limit for limit in LIMITS if limit.covers(library, version) and not (limit.tls and security == "plaintext")
    ]
    lows = [limit.low for limit in found if limit.low is not None]
    highs = [limit.high for limit in found if limit.high is not None]
    high = min(highs, default=None)
    why = tuple(limit.why for limit in found if limit.high is None or limit.high == high)
    return Supported(max(lows, default=None), high, why)


DIGITS_MAX = 18
"""Of one number of a version. No release has as many, a lock file may; and Python refuses to read some thousands."""


def release_of(version: str) -> tuple[int, ...]:
    """The numbers of a version, for comparing: `2.0.2rc1` counts as 2.0.2."""
    numbers: list[int] = []
    for part in version.split("."):
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if digits:
            numbers.append(int(digits[:DIGITS_MAX]))
        if digits != part:
            break
    return tuple(numbers)


def dotted(minor: Minor) -> str:
    return f"{minor[0]}.{minor[1]}"
