"""Pure: released bugs with a scenario that shows them, and the releases that have them.

The ranges are those that were run: see the scenarios, and `python -m tests.e2e.truth.table`, which runs them again.
"""

from dataclasses import dataclass

from harness.clients.catalogue import release_of


@dataclass(frozen=True)
class KnownBug:
    """since: the first release that has it, None where no older one is known to be without. fixed: the first release
    that has it no more, None where there is none yet."""

    scenario: str
    library: str
    since: str | None
    fixed: str | None
    source: str
    what: str

    def is_in(self, library: str, version: str | None) -> bool:
        """Whether that release has it; unreleased code is not known to."""
        if library != self.library or version is None:
            return False
        release = release_of(version)
        return (self.since is None or release_of(self.since) <= release) and (
            self.fixed is None or release < release_of(self.fixed)
        )

    def __str__(self) -> str:
        return f"{self.what} ({self.source}; {self.releases()})"

    def releases(self) -> str:
        begins = "all releases" if self.since is None else f"{self.since} and later"
        return f"{begins}, {'not mended yet' if self.fixed is None else f'mended in {self.fixed}'}"


KNOWN_BUGS = (
    KnownBug(
        "known-bugs/K1_iterator_close", "kafka-python", "1.4.7", "2.1.2", "kafka-python issue 2555",
        "the iterator with auto-commit loses a fetched chunk at an orderly close",
    ),
    KnownBug(
        "known-bugs/K2_pause_resume", "kafka-python", "1.4.5", "2.1.2", "kafka-python issue 2011",
        "what was fetched before pause() never comes after resume()",
    ),
    KnownBug(
        "known-bugs/K5_short_poll", "kafka-python", "2.2.0", "2.2.9", "kafka-python issue 2628",
        "short polls fall back on the reset policy: everything is delivered again",
    ),
    KnownBug(
        "known-bugs/K5_short_poll_latest", "kafka-python", "2.2.0", "2.2.9", "kafka-python issue 2628",
        "short polls fall back on the reset policy: the backlog is skipped",
    ),
    KnownBug(
        "known-bugs/K6_listener_stall", "kafka-python", "3.0.0", "3.0.9", "kafka-python issue 3131",
        "with a rebalance listener, kept partitions never deliver again after a rebalance",
    ),
    KnownBug(
        "known-bugs/K9_compacted_tail", "kafka-python", None, "1.4.5", "kafka-python issue 1701",
        "stalls at a batch whose tail was compacted away",
    ),
    KnownBug(
        "known-bugs/K11_control_records", "kafka-python", None, "2.0.6", "kafka-python issue 2499",
        "the markers of transactions are handed to the application",
    ),
    KnownBug(
        "known-bugs/K13_tls_at_start", "kafka-python", None, "1.4.7", "kafka-python issue 1549",
        "cannot connect over TLS on Python 3.7 and newer",
    ),
    # Seen in 3.0.12 and not in 2.3.1: which release between them began it is not known, so all of them are named.
    KnownBug(
        "known-bugs/N1_short_poll_join", "kafka-python", "2.3.2", None, "found by this project",
        "with short polls a member joins and is never handed anything",
    ),
    KnownBug(
        "known-bugs/N2_short_poll_rejoin", "kafka-python", "2.1.0", None, "found by this project",
        "with short polls, messages of partitions come that the listener was never told of",
    ),
    # Run on 0.8.1 and 0.14.0.
    KnownBug(
        "textbook/leader_moved_uncommitted_aiokafka", "aiokafka", None, None, "found by this project",
        "where nothing was committed, a partition whose leader has moved is not read until the metadata are old",
    ),
    KnownBug(
        "known-bugs/C1_seek_paused", "confluent-kafka", None, "1.9.2", "librdkafka issue 3471",
        "a seek before pause() is forgotten: what it went back for never comes",
    ),
    KnownBug(
        "known-bugs/C3_resume_twice", "confluent-kafka", None, "2.4.0", "librdkafka issue 4637",
        "a second resume() goes back: messages come twice to one owner",
    ),
)  # fmt: skip


def known_bugs_of(library: str, version: str | None) -> list[KnownBug]:
    return [bug for bug in KNOWN_BUGS if bug.is_in(library, version)]
