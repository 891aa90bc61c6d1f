"""Talking to a broker as its administrator: topics, end offsets, and what a group has stored.

A group's stored offsets are evidence about a client, so they are read by the other family of libraries: kafka-python's
and aiokafka's by confluent-kafka, and confluent-kafka's by kafka-python. Connections are opened when first needed and
kept, because a run asks after each of many restarts: a kept one answers in a few milliseconds.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from harness.connection import Connection, confluent_settings, hidden, kafka_python_settings
from harness.errors import HarnessError

TIMEOUT_S = 15.0
ATTEMPT_S = 3.0
"""So long one question may take where it can be asked again: an answer to an old one is of an unknown moment."""
AGAIN_S = 0.05
FAMILIES = ("confluent-kafka", "kafka-python")

Answer = TypeVar("Answer")


class _NotYet(HarnessError):
    """Nobody answers just now: a partition or a group is about to be served by somebody, or a node is down."""


class NotAllowed(HarnessError):
    """A right is missing."""


class TopicExists(HarnessError):
    """Somebody has made it before."""


class NoSuchTopic(HarnessError):
    """It is not there."""


@dataclass(frozen=True)
class GroupView:
    """A group as its broker tells of it; `members`: by client id, the partitions that each was assigned."""

    state: str
    members: dict[str, frozenset[int]]


class Admin:
    """One broker's administrator. A context: leaving it closes the connections.

    timeout_s: so long a question is asked again while nobody can answer it.
    """

    def __init__(self, connection: Connection, *, timeout_s: float = TIMEOUT_S) -> None:
        self.connection = connection
        self.timeout_s = timeout_s
        self.hint = self.rights_hint = "See the broker's log in the run's folder (logs/broker*.log)."
        self._confluent: Any = None
        self._readers: dict[str, Any] = {}
        self._kafka_python: Any = None
        self._coordinated: set[str] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._confluent = None  # librdkafka ends its threads when the object goes
        while self._readers:
            self._readers.popitem()[1].close()
        self._forget_kafka_python()

    # ---- topics ------------------------------------------------------------------------------------------------------

    def create_topic(
        self, name: str, *, partitions: int, config: Mapping[str, str] | None = None, replication: int = -1
    ) -> None:
        """Make a topic and wait until every partition is served, so that no client meets half a topic.

        replication: on how many nodes; -1: as the broker's own default says.
        """
        from confluent_kafka.admin import NewTopic

        topic = NewTopic(name, num_partitions=partitions, replication_factor=replication, config=dict(config or {}))
        doing = f"creating topic {name}"
        self._result(doing, lambda client: client.create_topics([topic], request_timeout=self.timeout_s)[name])
        deadline = time.monotonic() + self.timeout_s
        while True:
            try:
                if len(self._end_offsets(name)) == partitions:
                    return
                why = "not every partition was there"
            except HarnessError as error:  # a topic just made is unknown for a moment
                why = error.what
            if time.monotonic() > deadline:
                raise self._error(doing, f"after {self.timeout_s:g} s: {why}")
            time.sleep(0.02)

    def delete_topic(self, name: str) -> None:
        self._result(
            f"deleting topic {name}", lambda client: client.delete_topics([name], request_timeout=self.timeout_s)[name]
        )

    def allowed(self, topic: str) -> frozenset[str]:
        """What this user may do with a topic: `Read`, `Write`, …; nothing where there is no such topic."""
        from confluent_kafka import TopicCollection

        told = self._result(
            f"asking what may be done with {topic}",
            lambda client: client.describe_topics(
                TopicCollection([topic]), include_authorized_operations=True, request_timeout=self.timeout_s
            )[topic],
        )
        return frozenset(operation.name.title() for operation in told.authorized_operations or ())

    def end_offsets(self, topic: str) -> dict[int, tuple[int, int]]:
        """Per partition the first offset and the offset after the last one, transaction markers included."""
        return self._patiently(lambda: self._end_offsets(topic))

    def _end_offsets(self, topic: str) -> dict[int, tuple[int, int]]:
        from confluent_kafka import IsolationLevel, TopicPartition
        from confluent_kafka.admin import OffsetSpec

        doing = f"asking where {topic} ends"
        with self._errors(doing):
            found = self._client().list_topics(topic, timeout=self.timeout_s).topics[topic]
        if found.error:
            raise self._kafka_error(doing, found.error)
        offsets: list[dict[int, int]] = []
        for spec in (OffsetSpec.earliest(), OffsetSpec.latest()):
            with self._errors(doing):
                futures = self._client().list_offsets(
                    {TopicPartition(topic, partition): spec for partition in found.partitions},
                    isolation_level=IsolationLevel.READ_UNCOMMITTED,
                    request_timeout=self.timeout_s,
                )
                offsets.append({part.partition: self._wait(future).offset for part, future in futures.items()})
        start, end = offsets
        if min(*start.values(), *end.values(), 0, 0) < 0:
            # librdkafka's word for no answer, without an error: its leader went down just then.
            raise self._error(doing, "not every partition told where it is", _NotYet)
        return {partition: (start[partition], end[partition]) for partition in sorted(found.partitions)}

    def messages_held(self, topic: str) -> dict[int, int]:
        """Per partition how many messages it holds, counted by reading all of it: holes are none."""
        from confluent_kafka import Consumer, TopicPartition

        doing = f"counting the messages of {topic}"
        ends = self.end_offsets(topic)
        held, left = dict.fromkeys(ends, 0), {part for part, (start, end) in ends.items() if start < end}
        reader = Consumer(
            confluent_settings(self.connection)
            | {"group.id": topic, "enable.auto.commit": False, "enable.partition.eof": True, "log_level": 0}
        )
        deadline = time.monotonic() + self.timeout_s
        try:
            with self._errors(doing):
                reader.assign([TopicPartition(topic, part, ends[part][0]) for part in left])
                while left:
                    if time.monotonic() > deadline:
                        raise self._error(doing, f"after {self.timeout_s:g} s it had not come to the end")
                    for message in reader.consume(10_000, 0.2):
                        if message.error() is None:
                            held[message.partition()] += 1
                        else:  # the end of a partition; what else is wrong shows at the deadline
                            left.discard(message.partition())
        finally:
            reader.close()
        return held

    def add_partitions(self, topic: str, *, total: int) -> None:
        """Give a topic more partitions, `total` in all, and wait until each is served."""
        from confluent_kafka.admin import NewPartitions

        doing = f"adding partitions to {topic}"
        self._result(
            doing,
            lambda client: client.create_partitions([NewPartitions(topic, total)], request_timeout=self.timeout_s)[
                topic
            ],
        )
        deadline = time.monotonic() + self.timeout_s
        while len(self.end_offsets(topic)) < total:
            if time.monotonic() > deadline:
                raise self._error(doing, f"after {self.timeout_s:g} s not every partition was there")
            time.sleep(0.02)

    def delete_records(self, topic: str, before: Mapping[int, int]) -> None:
        """Delete by partition all records below an offset."""
        from confluent_kafka import TopicPartition

        doing = f"deleting records of {topic}"
        with self._errors(doing):
            told = self._client().delete_records(
                [TopicPartition(topic, partition, offset) for partition, offset in before.items()],
                request_timeout=self.timeout_s,
            )
            for future in told.values():
                self._wait(future)

    # ---- groups ------------------------------------------------------------------------------------------------------

    def stored_offsets(
        self, group: str, topic: str, partitions: Iterable[int], *, family: str
    ) -> dict[int, int | None]:
        """What the broker has stored for `group`, None where nothing is; read by the library named by `family`."""
        assert family in FAMILIES, family
        read = self._stored_by_confluent if family == "confluent-kafka" else self._stored_by_kafka_python
        wanted = list(partitions)
        stored = read(group, topic, wanted)
        if missing := set(wanted) - set(stored):
            raise self._error(f"reading the offsets of group {group}", f"no answer for partitions {sorted(missing)}")
        return {partition: None if stored[partition] < 0 else stored[partition] for partition in wanted}

    def _stored_by_confluent(self, group: str, topic: str, partitions: list[int]) -> dict[int, int]:
        from confluent_kafka import TopicPartition

        # Not AdminClient.list_consumer_group_offsets: where the group has no coordinator yet, it ended this process
        # with a segmentation fault on 4 of 20 fresh brokers, this way on none of 16 (librdkafka 2.16.1, issue 5040).
        doing = f"reading the offsets of group {group}"
        wanted = [TopicPartition(topic, partition) for partition in partitions]

        def ask() -> dict[int, int]:
            with self._errors(doing):
                answer = self._reader(group).committed(wanted, timeout=self._attempt_s)
            for part in answer:
                if part.error:
                    raise self._kafka_error(f"{doing}, partition {part.partition}", part.error)
            return {part.partition: part.offset for part in answer}

        return self._patiently(ask)

    def _stored_by_kafka_python(self, group: str, topic: str, partitions: list[int]) -> dict[int, int]:
        from kafka import TopicPartition

        wanted = [TopicPartition(topic, partition) for partition in partitions]
        doing = f"reading the offsets of group {group}"
        answer = self.ask_kafka_python(doing, lambda client: client.list_group_offsets({group: wanted})[group])
        return {part.partition: stored.offset for part, stored in answer.items()}

    def claim_group(self, group: str) -> None:
        """Told before clients join a group. On a broker of the harness's own it goes with it."""

    def delete_group(self, group: str) -> bool:
        """Delete a group; True where there is none any more, False while it has members."""
        doing = f"deleting group {group}"
        told = self.ask_kafka_python(doing, lambda client: client.delete_groups([group])[group])
        if told == "NonEmptyGroupError":
            return False
        if told not in ("OK", "GroupIdNotFoundError"):
            raise self._error(doing, told, NotAllowed if "AuthorizationFailed" in told else HarnessError)
        return True

    def store_offsets(self, group: str, topic: str, offsets: Mapping[int, int]) -> None:
        """Put a group's committed offsets where a scenario wants them; the group must have no members."""
        from confluent_kafka import TopicPartition

        doing = f"storing offsets of group {group}"
        with self._errors(doing):
            told = self._reader(group).commit(
                offsets=[TopicPartition(topic, part, offset) for part, offset in offsets.items()], asynchronous=False
            )
        for part in told:
            if part.error:
                raise self._kafka_error(f"{doing}, partition {part.partition}", part.error)

    def describe_group(self, group: str, topic: str, *, protocol: str = "classic") -> GroupView:
        """Who is in a group and owns what, as the broker tells. A group that it does not know has no members."""
        if protocol == "consumer":
            return self._described_by_confluent(group, topic)
        return self._described_by_kafka_python(group, topic)

    def _described_by_kafka_python(self, group: str, topic: str) -> GroupView:
        doing = f"asking who is in group {group}"
        told = self.ask_kafka_python(doing, lambda client: client.describe_groups([group])[group])
        owned = {}
        for member in told["members"]:
            assigned = member["member_assignment"]
            # While the group rebalances nothing is assigned: no bytes, and nothing to decode.
            topics = assigned["assigned_partitions"] if isinstance(assigned, dict) else ()
            owned[str(member["client_id"])] = frozenset(
                partition for part in topics if part["topic"] == topic for partition in part["partitions"]
            )
        return GroupView(str(told["group_state"]), owned)

    def _described_by_confluent(self, group: str, topic: str) -> GroupView:
        """For groups of the consumer protocol, which kafka-python's question does not find."""
        # Asked of a group without a coordinator, admin questions have ended this process (see _stored_by_confluent).
        self._await_coordinator(group, topic)
        told = self._result(
            f"asking who is in group {group}",
            lambda client: client.describe_consumer_groups([group], request_timeout=self.timeout_s)[group],
        )
        owned = {
            str(member.client_id): frozenset(
                part.partition for part in member.assignment.topic_partitions if part.topic == topic
            )
            for member in told.members
        }
        return GroupView(str(told.state.name), owned)

    def _await_coordinator(self, group: str, topic: str) -> None:
        """The first question ever about a group makes the broker find somebody to answer it, which takes a moment."""
        deadline = time.monotonic() + self.timeout_s
        while group not in self._coordinated:
            try:
                self._stored_by_confluent(group, topic, [0])
                self._coordinated.add(group)
            except HarnessError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    # ---- connections -------------------------------------------------------------------------------------------------

    def _client(self) -> Any:
        if self._confluent is None:
            from confluent_kafka.admin import AdminClient

            # librdkafka would write to the terminal; what matters arrives as an error. And where a broker makes topics
            # that somebody asks for, a question about one that was just deleted would make it again.
            quiet = {"log_level": 0, "allow.auto.create.topics": False}
            self._confluent = AdminClient(confluent_settings(self.connection) | quiet)
        return self._confluent

    def _reader(self, group: str) -> Any:
        """A consumer that never joins its group, commits nothing, and can ask what the group has stored."""
        if group not in self._readers:
            from confluent_kafka import Consumer

            self._readers[group] = Consumer(
                confluent_settings(self.connection)
                | {"group.id": group, "enable.auto.commit": False, "enable.auto.offset.store": False}
                # What is stored, also while a transaction of the group is open.
                | {"isolation.level": "read_uncommitted", "log_level": 0}
            )
        return self._readers[group]

    def _kafka_python_client(self) -> Any:
        if self._kafka_python is None:
            from kafka import KafkaAdminClient

            self._kafka_python = KafkaAdminClient(
                **kafka_python_settings(self.connection),
                request_timeout_ms=int(self._attempt_s * 1000),
                bootstrap_timeout_ms=int(self._attempt_s * 1000),
            )
        return self._kafka_python

    def _forget_kafka_python(self) -> None:
        if self._kafka_python is not None:
            self._kafka_python.close()
            self._kafka_python = None

    @property
    def _attempt_s(self) -> float:
        return min(ATTEMPT_S, self.timeout_s)

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """Ask again until somebody answers, for `timeout_s`."""
        deadline = time.monotonic() + self.timeout_s
        while True:
            try:
                return ask()
            except _NotYet:
                if time.monotonic() > deadline:
                    raise
            time.sleep(AGAIN_S)

    def ask_kafka_python(self, doing: str, question: Callable[[Any], Answer]) -> Answer:
        """What kafka-python's administrator is told, asked again while the broker cannot answer."""
        from kafka.errors import KafkaConnectionError, KafkaError, UnknownBrokerIdError

        def ask() -> Answer:
            try:
                return question(self._kafka_python_client())
            except KafkaError as error:
                # It never asks anew who coordinates a group (3.0.12): another one does.
                self._forget_kafka_python()
                # It does not know a node either that has come back since.
                passing = error.retriable or isinstance(error, KafkaConnectionError | UnknownBrokerIdError)
                kind = NotAllowed if "AuthorizationFailed" in type(error).__name__ else HarnessError
                raise self._error(doing, str(error) or type(error).__name__, _NotYet if passing else kind) from error

        return self._patiently(ask)

    def _result(self, doing: str, ask: Callable[[Any], "Future[Any]"]) -> Any:
        with self._errors(doing):
            return self._wait(ask(self._client()))

    def _wait(self, future: "Future[Any]") -> Any:
        return future.result(self.timeout_s + 1)

    @contextlib.contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        from confluent_kafka import KafkaException

        try:
            yield
        except KafkaException as error:
            raise self._kafka_error(doing, error.args[0]) from error
        except FutureTimeoutError as error:
            raise self._error(doing, f"no answer within {self.timeout_s:g} s") from error

    def _kafka_error(self, doing: str, reason: Any) -> HarnessError:
        from confluent_kafka import KafkaError

        # Before somebody leads a partition or coordinates a group, and while a node is down.
        not_yet = (
            KafkaError.NOT_LEADER_FOR_PARTITION,
            KafkaError.LEADER_NOT_AVAILABLE,
            KafkaError.NOT_COORDINATOR,
            KafkaError.COORDINATOR_NOT_AVAILABLE,
            KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
            KafkaError._TRANSPORT,
            KafkaError._TIMED_OUT,
            KafkaError._ALL_BROKERS_DOWN,
            KafkaError._WAIT_COORD,
        )
        kinds: dict[int, type[HarnessError]] = {
            KafkaError.TOPIC_AUTHORIZATION_FAILED: NotAllowed,
            KafkaError.GROUP_AUTHORIZATION_FAILED: NotAllowed,
            KafkaError.CLUSTER_AUTHORIZATION_FAILED: NotAllowed,
            KafkaError.TOPIC_ALREADY_EXISTS: TopicExists,
            KafkaError.UNKNOWN_TOPIC_OR_PART: NoSuchTopic,
        } | dict.fromkeys(not_yet, _NotYet)
        return self._error(doing, reason.str(), kinds.get(reason.code(), HarnessError))

    def _error(self, doing: str, why: str, kind: type[HarnessError] = HarnessError) -> HarnessError:
        what = f"{self.connection['bootstrap']}: {doing}: {hidden(why, self.connection)}"
        if kind is NotAllowed:
            return NotAllowed("broker-rights", what, self.rights_hint)
        return kind("broker-refused", what, self.hint)
