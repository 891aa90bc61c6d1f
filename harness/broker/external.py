"""A broker of the user's, which others use as well: the harness is a guest there.

It touches only topics and groups whose names are its prefix and the name of their run, and which that run has made; it
deletes these, and nothing else, however the run ends. It asks for nothing that needs a right over the cluster.
"""

import contextlib
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from harness.broker.admin import TIMEOUT_S, Admin, NoSuchTopic, NotAllowed, TopicExists
from harness.broker.base import ABILITIES, Broker, Progress
from harness.broker.embedded import FOLDER_PREFIX, remove_orphans
from harness.broker.rights import Right, commands, rights
from harness.clients.settings import refuse_mechanism
from harness.clients.spec import ClientSpec, parse_spec
from harness.connection import Connection, confluent_settings, hidden, kafka_python_settings
from harness.connection_options import Reach
from harness.errors import HarnessError
from harness.owner import sign
from harness.spare import free_handles

if TYPE_CHECKING:
    from harness.broker.outage import Outage
    from harness.broker.proxy import Proxy
    from harness.scenario import Scenario

PREFIX = "harness-"
NAME_LETTERS = 249
"""Of a topic, as Kafka allows."""
A_DAY_MS = "86400000"
CONNECT_S = 15
EMPTY_S = 60
"""A group keeps a member that was killed for its session timeout, 45 s by default, and cannot be deleted before."""
AGAIN_S = 0.2
REMOVE = "Delete it by hand: kafka-topics.sh --delete, kafka-consumer-groups.sh --delete."
TOPIC_SETTINGS = {"cleanup.policy": "delete", "retention.bytes": "-1", "retention.ms": A_DAY_MS}
"""What is judged may not be deleted meanwhile; and what a killed harness has left behind empties itself."""


@dataclass(frozen=True)
class External:
    """Where the broker is, and what may be done there. prefix: begins the names of all topics and groups."""

    reach: Reach
    prefix: str = PREFIX
    keep: bool = False

    def name(self, run: str) -> str:
        """The topic and the group of a run, by the run's own name."""
        return self.prefix + re.sub(r"[^A-Za-z0-9._-]", "_", run)[-(NAME_LETTERS - len(self.prefix) - 10) :]

    def adapted(self, scenario: "Scenario") -> "Scenario":
        """The scenario as it is run there: connected as this broker is reached. Raises UsageError where it cannot be.

        One for a broker of the harness's own stays as it is.
        """
        if scenario.broker.backend != "external":
            return scenario
        for spec in clients_of(scenario):
            refuse_mechanism(spec, self.reach.mechanism)
        return scenario.model_copy(update={"security": self.reach.security})


def clients_of(scenario: "Scenario") -> list[ClientSpec]:
    """All that are to log in, but for the reader, which is a current one."""
    members = (scenario.members or {}).values()
    named = (scenario.client, scenario.producer.client, *(member.client for member in members))
    return [parse_spec(client).pinned() for client in named if client is not None]


class ExternalBroker:
    """It runs already. A context: inside, its certificates are where clients can read them."""

    abilities = ABILITIES["external"]
    proxy: "Proxy | None" = None

    def __init__(self, external: External, *, progress: Progress) -> None:
        self.external = external
        self.progress = progress
        self._folder: Path | None = None
        self._connection: Connection | None = None
        self._told: dict[str, Any] = {}

    def __enter__(self) -> Self:
        try:
            reach = self.external.reach
            if reach.needs_folder():
                remove_orphans(Path(tempfile.gettempdir()))
                self._folder = Path(tempfile.mkdtemp(prefix=FOLDER_PREFIX))
                sign(self._folder)
            self._connection = reach.connection(self._folder)
            self.progress(f"connecting with {reach.bootstrap}, {reach.in_words()}")
            self._told = cluster(self._connection)
        except BaseException:
            self._forget()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._forget()

    def _forget(self) -> None:
        free_handles()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def connection(self, security: str) -> Connection:
        """The same for all, whatever a scenario says."""
        return self.own_connection()

    def own_connection(self) -> Connection:
        assert self._connection is not None, "not entered"
        return self._connection

    def description(self) -> Mapping[str, Any]:
        return {
            "backend": "external",
            "bootstrap": self.external.reach.bootstrap,
            "prefix": self.external.prefix,
            "kept": self.external.keep,
            **self._told,
        }

    def alive(self) -> str | None:
        """Its own administrators see to that; a question that gets no answer says so."""
        return None

    def restore(self) -> None:
        pass

    @property
    def outages(self) -> "list[Outage]":
        return []

    def wrong_connection(self) -> Connection:
        raise AssertionError("refused early")

    def take_down(self, number: int, *, kill: bool, back_after_s: float | None) -> "Outage":
        raise AssertionError("refused early")

    def pause(self, number: int, *, for_s: float) -> "Outage":
        raise AssertionError("refused early")

    def request_log(self, number: int) -> Path:
        raise AssertionError("refused early")

    def refuse(self, scenario: "Scenario") -> None:
        """Raise UsageError for clients that cannot log in here."""
        for spec in clients_of(scenario):
            refuse_mechanism(spec, self.external.reach.mechanism, kafka=self._told.get("kafka"))

    def guest(self, scenario: "Scenario", *, timeout_s: float = TIMEOUT_S) -> "Guest":
        self.refuse(scenario)
        return Guest(self, rights(scenario, keep=self.external.keep), timeout_s=timeout_s)


class Guest(Admin):
    """An administrator that notes what it makes. Leaving it deletes that, unless it is to be kept."""

    def __init__(self, broker: ExternalBroker, needed: list[Right], *, timeout_s: float) -> None:
        super().__init__(broker.own_connection(), timeout_s=timeout_s)
        self.external = broker.external
        self.say = broker.progress
        self.needed = needed
        self.topics: list[str] = []
        self.groups: list[str] = []
        self.hint = "The broker's own log says why."
        reach, prefix = self.external.reach, self.external.prefix
        told = commands(needed, bootstrap=reach.bootstrap, prefix=prefix, user=reach.username)
        self.rights_hint = f"These rights are needed, which the broker's administrator can give:\n{told}"

    def __exit__(self, *raised: object) -> None:
        try:
            left = self.clear()
        except KeyboardInterrupt:  # from now on no further one comes through
            self.clear()
            raise
        finally:
            self.close()
        if not left:
            return
        told = HarnessError("left-behind", f"still on {self.external.reach.bootstrap}: {'; '.join(left)}", REMOVE)
        error = raised[1] if len(raised) > 1 else None
        if error is None:
            raise told
        # What has ended the run is told first, and this in any case.
        if isinstance(error, HarnessError):
            error.what += f"\n{told.what}\n{told.hint}"
        else:
            print(f"{told.what}\n{told.hint}", file=sys.stderr)

    def create_topic(
        self, name: str, *, partitions: int, config: Mapping[str, str] | None = None, replication: int = -1
    ) -> None:
        assert name.startswith(self.external.prefix), name
        self.topics.append(name)  # An answer that is late, or an interrupt, leaves it there all the same.
        try:
            settings = TOPIC_SETTINGS | dict(config or {})
            super().create_topic(name, partitions=partitions, config=settings, replication=replication)
        except (NotAllowed, TopicExists):
            self.topics.remove(name)
            raise
        self._check_rights(name)

    def delete_topic(self, name: str) -> None:
        super().delete_topic(name)
        if name in self.topics:
            self.topics.remove(name)

    def claim_group(self, group: str) -> None:
        assert group.startswith(self.external.prefix), group
        if group not in self.groups:
            self.groups.append(group)

    def _check_rights(self, topic: str) -> None:
        """That what is missing is told before anything is written, not in the middle.

        Of a group that is not there yet only can be seen whether it may be asked about at all.
        """
        has = self.allowed(topic)
        needed = {name for right in self.needed if right.resource == "topic" for name in right.operations}
        missing = sorted(needed - has - {"Create"})
        if has and missing:
            what = f"{self.external.reach.bootstrap}: topic {topic}: not allowed to {', '.join(missing)}"
            raise NotAllowed("broker-rights", what, self.rights_hint)
        self.stored_offsets(topic, topic, [0], family="kafka-python")

    def clear(self) -> list[str]:
        """Delete what was made. Returns what is left, and why."""
        left: list[str] = []
        if self.external.keep:
            return left
        if self.topics or self.groups:
            self.say(f"deleting what this run has made on {self.external.reach.bootstrap}")
        for kind, names, delete in (
            ("group", list(self.groups), self._delete_group),
            ("topic", list(self.topics), self._delete_topic),
        ):
            for name in names:
                try:
                    delete(name)
                except HarnessError as error:
                    left.append(f"{kind} {name} ({error.what.splitlines()[0]})")
        return left

    def _delete_topic(self, name: str) -> None:
        """Until it is there no more: the broker answers before."""
        deadline = time.monotonic() + self.timeout_s
        with contextlib.suppress(NoSuchTopic):
            self._patiently(lambda: self.delete_topic(name))
            while self._patiently(lambda: self.allowed(name)):
                if time.monotonic() > deadline:
                    raise HarnessError("broker-refused", f"it is still there after {self.timeout_s:g} s")
                time.sleep(AGAIN_S)
        self.topics = [topic for topic in self.topics if topic != name]

    def _delete_group(self, name: str) -> None:
        deadline = time.monotonic() + EMPTY_S
        while not self.delete_group(name):
            if time.monotonic() > deadline:
                raise HarnessError("broker-refused", f"it still has members after {EMPTY_S} s")
            time.sleep(AGAIN_S)
        self.groups.remove(name)


def cluster(connection: Connection) -> dict[str, Any]:
    """Which cluster it is, and of how many nodes. Raises HarnessError where it cannot be reached, with the reason."""
    from confluent_kafka import KafkaError
    from confluent_kafka.admin import AdminClient

    told: list[Any] = []
    client = AdminClient(confluent_settings(connection) | {"log_level": 0, "error_cb": told.append})
    asked = client.describe_cluster(request_timeout=CONNECT_S)
    deadline = time.monotonic() + CONNECT_S
    # A name or a certificate that is refused would be tried again until the time is over.
    final = (KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError.SASL_AUTHENTICATION_FAILED)
    while not asked.done() and time.monotonic() < deadline and not any(error.code() in final for error in told):
        client.poll(0.1)
    if asked.done() and asked.exception() is None:
        answer = asked.result()
        return {
            "kafka": release(connection, answer.nodes[0].id),
            "cluster": answer.cluster_id,
            "nodes": len(answer.nodes),
        }
    reasons = [error.str() for error in told if error.code() in final] or [error.str() for error in told]
    why = reasons[-1] if reasons else f"no answer within {CONNECT_S} s"
    raise HarnessError(
        "broker-refused",
        f"{connection['bootstrap']}: connecting: {hidden(why, connection)}",
        "Check the address, the certificates, and the user's name and password.",
    )


def release(connection: Connection, node: int) -> str | None:
    """`4.3`, as what a node can do tells; None where it cannot be told."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    try:
        client = KafkaAdminClient(**kafka_python_settings(connection), bootstrap_timeout_ms=CONNECT_S * 1000)
    except KafkaError:
        return None
    try:
        return ".".join(map(str, client.get_broker_version_data(node).broker_version))
    except KafkaError:
        return None
    finally:
        client.close()


def administrator(broker: Broker, scenario: "Scenario", *, timeout_s: float) -> Admin:
    """Who makes a run's topic, and asks about it."""
    if isinstance(broker, ExternalBroker):
        return broker.guest(scenario, timeout_s=timeout_s)
    return Admin(broker.own_connection(), timeout_s=timeout_s)
