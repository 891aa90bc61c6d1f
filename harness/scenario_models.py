"""The blocks of keys of a scenario, from the client to the topic; `fault_models` has those of faults.

A field's description is its row in the table of scenarios/README.md.
"""

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from harness import script
from harness.broker.traps import Case

DEFAULT_KAFKA = "4.3.1"

ClientSpec = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Settings = dict[str, Any]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Messages = Annotated[int, Field(ge=1, le=10**10)]
Partition = Annotated[int, Field(ge=0, le=9_999)]
Milliseconds = Annotated[int, Field(ge=1, le=86_400_000)]
Pause = Annotated[float, Field(ge=0, le=86_400)]


class Keys(BaseModel):
    """A block of keys: nothing is converted, nothing unknown is let through, nothing changes later."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)


class Broker(Keys):
    """The Kafka that the clients talk to."""

    backend: Literal["auto", "embedded", "docker", "external"] = Field(
        default="auto",
        description="Where it runs: `embedded` on this machine's JVM, `docker` by docker-compose.ssl.yml, `external` "
        "your own cluster; `auto` is embedded.",
    )
    kafka: str = Field(
        default=DEFAULT_KAFKA,
        pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$",
        description="Release of Apache Kafka, in quotes. Old clients (librdkafka before 1.8.2, any told to speak "
        "0.10) need 3.9.1.",
    )
    nodes: Literal[1, 3] = Field(
        default=1,
        description="How many nodes. With 3, each partition is on all of them, and an acks=all answer stands for two "
        "(min.insync.replicas).",
    )
    heap_mb: int = Field(default=512, ge=64, le=1_048_576, description="The heap of each node (-Xmx), in MiB.")
    start_timeout_s: Seconds = Field(
        default=60, description="Until then it must be ready, or the run ends with exit code 4."
    )


class Deed(Keys):
    """How often and where a fault is planted."""

    count: Messages = Field(default=1, description="How many messages it does that to.")
    at: int | None = Field(
        default=None,
        ge=0,
        le=10**10,
        description="The first of them, by its number in its partition; null: drawn from the seed.",
    )
    partition: Partition | None = Field(
        default=None, description="The partition it happens in; null: drawn from the seed."
    )


class Planted(Deed):
    """A fault made on purpose by the client `planted`, to see that the verdict names it."""

    fault: Literal[
        "skip",
        "tail_loss",
        "stall",
        "repeat",
        "reorder",
        "corrupt",
        "phantom",
        "two_values",
        "misroute",
        "foreign",
        "commit_lost",
        "aborted_read",
        "commit_ahead",
        "in_flight",
        "illegal_start",
        "excess_redelivery",
        "legal_redelivery",
        "double_owner",
    ] = Field(
        description="What the planted consumer does: leave messages out, leave the partition's last ones out, stop "
        "delivering, hand messages over twice, in the wrong order, with a wrong value, under an identity never sent, "
        "under another message's identity, as of another partition, or after a revocation; tell a commit that it never "
        "made; claim read_committed and read all. At its (only) restart: commit more than it was handed, be killed "
        "with committed messages unprocessed, begin behind the commit or before it, commit less than it was handed "
        "(allowed), tell that two owned the partition at once (allowed)."
    )
    place: Literal["first", "middle", "last", "before", "after"] | None = Field(
        default=None,
        description="Where in its partition, in place of `at`: the first, middle or last messages, or the ones just "
        "before or after the change of owner that `restarts` makes.",
    )


class PlantedProducer(Deed):
    """The same for the producer's side."""

    fault: Literal[
        "publish_loss",
        "taken_offset",
        "invented_offset",
        "duplicate",
        "misroute",
        "corrupt",
        "nacked",
        "unsent",
        "silent",
        "abort",
        "torn_transaction",
        "torn_abort",
    ] = Field(
        description="What the planted producer does: report an ack for what it never sent, without an offset, with "
        "another message's, or with one behind the log's end; write twice, to another partition, or a wrong value; "
        "write what it tells as not written, what it never tells, or what it never answers (allowed); with one "
        "transaction for each 100 messages: abort one (allowed), commit one that is not whole, tell one as aborted of "
        "which it committed a part."
    )
    place: Literal["first", "middle", "last"] | None = Field(
        default=None, description="Where in its partition, in place of `at`: its first, middle or last messages."
    )


class Transactions(Keys):
    """Transactions of the producer, one after the other."""

    messages: int = Field(default=100, ge=1, le=1_000_000, description="So many messages each.")
    abort_every: int | None = Field(
        default=None, ge=1, le=1_000_000, description="Each so-many-th one is aborted, 3: every third; null: none."
    )


class Producer(Keys):
    """Who writes the messages. It is never in doubt what it should have written: every message is numbered."""

    client: ClientSpec = Field(
        default="confluent-kafka", description="Spec of the producing client, written like `client`."
    )
    settings: Settings = Field(
        default_factory=dict,
        description="Settings of that library, by its own names, over the harness's own (acks=all, idempotent).",
    )
    rate: Messages | None = Field(
        default=None,
        description="At most so many messages a second; null: as fast as it can. With `consume: while_produced`: each "
        "message has its time, and what was held up is sent at once.",
    )
    transactions: Transactions | None = Field(
        default=None, description="Write in transactions; only with the client `confluent-kafka`. null: without."
    )
    planted: PlantedProducer | None = Field(
        default=None, description="A fault made on purpose; only with the client `planted`."
    )


class Batch(Keys):
    """For the calls that hand over several messages at a time."""

    max_records: int | None = Field(
        default=None, ge=1, le=1_000_000, description="At most this many messages a call; null: the library's default."
    )
    timeout_ms: int = Field(default=1_000, ge=0, le=3_600_000, description="How long one call waits for messages.")


class Commit(Keys):
    """Who commits, and when. What the application commits is what it was handed, or has processed, and no more."""

    mode: Literal["auto", "sync", "async", "async_then_sync", "per_message", "in_revoke", "store_offsets", "none"] = (
        Field(
            description="`auto`: the library, every `interval_ms`. The application itself: `sync` or `async` after "
            "each batch, `async_then_sync` with a last sync commit before `close()`, `per_message`, `in_revoke` async "
            "and once more, sync, when partitions are taken from it. `store_offsets`: the library commits what the "
            "application has stored (librdkafka). `none`: nobody."
        )
    )
    where: Literal["after", "before"] = Field(
        default="after", description="Whether the application commits (or stores) after or before it processes."
    )
    interval_ms: Milliseconds | None = Field(
        default=None, description="How often the library commits; null: the library's default."
    )


class Slow(Keys):
    """One message that takes long."""

    at: Messages = Field(description="Which message of a process takes long: the first is 1.")
    ms: Milliseconds = Field(description='How long. When it begins, the word "<member> busy" is told.')


class Fails(Keys):
    """One message at which the application raises."""

    at: Messages = Field(description="Which message of a process it raises at: the first is 1.")
    where: Literal["handler", "deserializer"] = Field(
        default="handler",
        description="`deserializer`: the one that it gave to its client as `value_deserializer` (kafka-python, "
        "aiokafka), so that it comes out of the client's call.",
    )
    then: Literal["skip", "restart"] = Field(
        default="skip",
        description="What it does about it: `skip`: notes it and goes on, with the next message or the next call; "
        "`restart`: closes the client; a new process of the member, which does not raise, goes on.",
    )
    always: bool = Field(
        default=False, description="Whether a deserializer raises at that message each time it comes, or once."
    )


class Processing(Keys):
    """What the application does with messages before it comes back for more."""

    message_ms: int = Field(default=0, ge=0, le=3_600_000, description="So long each message takes.")
    batch_ms: int = Field(default=0, ge=0, le=3_600_000, description="So long each batch takes, beside its messages.")
    slow: Slow | None = Field(default=None, description="One message that takes long; null: none.")
    fails: Fails | None = Field(
        default=None,
        description='One message at which it raises; the word "<member> raised" is told then; null: none.',
    )


class Consumer(Keys):
    """The consumer under test."""

    defaults: Literal["as_shipped", "equal"] = Field(
        default="as_shipped",
        description="`as_shipped`: the library's own defaults, auto-commit included; `equal`: the same semantics for "
        "every library (isolation level, timeouts, reset policy, prefetch), for comparing them.",
    )
    settings: Settings = Field(
        default_factory=dict, description="Settings of that library, by its own names; they win over `defaults`."
    )
    batch: Batch = Field(default_factory=Batch, description="For the calls that hand over several messages at a time.")
    certificate: Literal["trusted", "foreign"] = Field(
        default="trusted",
        description="The certificate that the consumer shows under mutual TLS; `foreign`: of an authority that the "
        "broker does not trust, so that nothing may be delivered. `refused` judges that.",
    )
    refused: Case | None = Field(
        default=None,
        description="The consumer must not get through, which is then what is judged. Its own certificate: "
        "`no_certificate`, `foreign_certificate` (of an authority that the broker does not trust), "
        "`expired_certificate`; the broker's: `foreign_server`, `expired_server`, `wrong_host`; only TLS 1.2 against a "
        "broker that speaks only 1.3, and the reverse: `tls_1_2_client`, `tls_1_3_client`; `no_right`: the consumer is "
        "known, and may not read; `right_revoked`: it may, until a quarter was read. null: it gets through.",
    )
    commit: Commit | None = Field(
        default=None, description="Who commits, and when; null: as the library does by itself."
    )
    processing: Processing | None = Field(
        default=None, description="What the application does with a message; null: nothing."
    )


class Restarts(Keys):
    """Restarts as deployments do them."""

    count: int = Field(
        ge=1,
        le=1_000,
        description="The consumer is stopped in an orderly way (`close()`) and started again this many times; the last "
        "one reads to the end.",
    )
    after: tuple[int, int] = Field(
        strict=False,  # A list is how YAML writes a pair; its numbers stay strict.
        description="Each stop comes after a number of deliveries drawn from low..high by the seed.",
    )


class Drain(Keys):
    """The bounded wait at the end."""

    start_s: Seconds = Field(
        default=60,
        description="So long a consumer may take to its first delivery: a group gives up a dead member after 45 s.",
    )
    idle_s: Seconds = Field(default=10, description="A consumer that then delivers nothing for so long is stopped.")
    limit_s: Seconds = Field(default=3_600, description="In no case does consuming last longer.")


class Group(Keys):
    """The consumer group."""

    size: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="So many members run the plain loop, all at once: c1, c2, …; null: one, or `members`.",
    )
    workers: Literal["processes", "threads"] = Field(
        default="processes",
        description="With `size`: whether each member is a process, or a thread of one process, with a consumer of its "
        "own. A `kill` of one of the threads kills them all.",
    )
    protocol: Literal["classic", "consumer"] | None = Field(
        default=None,
        description="`consumer` is KIP-848: the broker assigns (confluent-kafka, Kafka 4); null: the library's "
        "default.",
    )
    assignor: Literal["range", "roundrobin", "sticky", "cooperative-sticky"] | None = Field(
        default=None, description="How partitions are shared out; null: the library's default."
    )
    static: bool = Field(default=False, description="Whether each member has a group.instance.id that outlives it.")
    session_timeout_ms: Milliseconds | None = Field(
        default=None, description="A member that is silent for so long is out; null: the library's default."
    )
    max_poll_interval_ms: Milliseconds | None = Field(
        default=None, description="A member that does not come back for so long leaves; null: the library's default."
    )
    committed: int | None = Field(
        default=None,
        ge=0,
        le=2**62,
        description="The group's committed offset in every partition before anybody joins, put there from outside; "
        "one behind the log's end is out of range. null: none.",
    )
    heartbeat_interval_ms: Milliseconds | None = Field(
        default=None, description="How often a member shows that it lives; null: the library's default."
    )


Api = Literal["iterator", "poll", "consume", "getone", "getmany"]


class Member(Keys):
    """One member of the group."""

    client: ClientSpec | None = Field(
        default=None, description="Spec of this member's client, written like `client`; null: the scenario's."
    )
    api: Api | None = Field(
        default=None, description="The call that it reads with, of those its library offers; null: the scenario's."
    )
    settings: Settings = Field(
        default_factory=dict,
        description="Settings of its library, over `consumer.settings` (which a member of another library does not "
        "take).",
    )
    steps: Annotated[list[Any], WithJsonSchema(script.schema())] | None = Field(
        default=None, description="Its script, see below; null: the plain loop, to the end of the topic."
    )


class Topic(Keys):
    """The topic that is written and read."""

    settings: Settings = Field(
        default_factory=dict, description="Kafka's own settings of a topic, such as `max.message.bytes: 2000000`."
    )
    replication: int | None = Field(
        default=None,
        ge=1,
        le=100,
        description="On how many nodes each partition is; null: as the broker's default says, all of embedded's.",
    )
    compacted: tuple[int, int] | None = Field(
        default=None,
        strict=False,
        description="The messages number low..high of each partition (from 0) are written twice, under the same keys, "
        "and nobody reads before compaction has removed their first copies: the log has holes there. null: no "
        "compaction.",
    )


def share(value: Any) -> Any:
    """`+10 %` as 0.1; a number stays what it is."""
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([+-]?\d+(?:\.\d+)?)\s*%", value.strip())
    if found is None:
        raise ValueError("not a share; write it as +10 % or -5 %")
    return float(found[1]) / 100


Share = Annotated[float, BeforeValidator(share), WithJsonSchema({"type": "string"})]


class Gate(Keys):
    """What `harness gate` lets pass, of a candidate beside a baseline."""

    loss: int = Field(
        default=0, ge=0, le=1_000_000_000, description="So many messages may be lost, of all that are read."
    )
    cpu: Share | None = Field(
        default=0.1, gt=0, le=10, description="CPU time per message may rise by this share, `+10 %`; null: not judged."
    )
    throughput: Share | None = Field(
        default=None,
        lt=0,
        gt=-1,
        description="Messages a second may fall by this share, `-10 %`; null: not judged, for on a machine that others "
        "use it is the less steady figure.",
    )
