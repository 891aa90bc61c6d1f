"""Faults as a scenario writes them: which kinds there are, what they are called, and what sets them off.

A field's description is its row in the table of scenarios/README.md.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, WithJsonSchema

from harness import script
from harness.scenario_models import Keys, Messages, Milliseconds, Pause, Seconds

OF_THE_BROKER = ("restart_broker", "kill_broker", "pause_broker", "move_leader", "move_coordinator")
"""The kinds that are done to a node of the broker, or to what it leads."""
NODES = ("leader", "coordinator")
"""A node by what it is just then; else by its number."""
KINDS = (
    "kill",
    "freeze",
    "leave",
    "join",
    "rebalance",
    "subscription",
    "add_partitions",
    "network",
    "delete_records",
    *OF_THE_BROKER,
)
NETWORK = ("latency_ms", "bandwidth_kb_s", "blackhole", "cut", "cut_after_bytes")
"""The kinds of a fault of the network."""
WHILE_PRODUCING = ("network", "restart_broker", "kill_broker", "pause_broker", "move_leader")
"""Kinds that can be done while messages are produced."""


def name_of(kind: str, target: Any) -> str:
    """What a fault is called in events and words: `kill a`, `rebalance`, `network blackhole`."""
    if isinstance(target, dict):
        return " ".join([kind, *[name for name in NETWORK if name in target][:1]])
    return kind if target is True else f"{kind} {target}"


class When(Keys):
    """What sets off a fault: exactly one of these."""

    word: Annotated[str, StringConstraints(min_length=1, max_length=script.WORD_LENGTH_MAX)] | None = Field(
        default=None, description="When this word was told."
    )
    deliveries: Messages | None = Field(
        default=None,
        description="When so many messages were handed over: to the member that the fault is about (`join`: to "
        "all), or else to all.",
    )
    progress: Annotated[float, Field(gt=0, le=100)] | None = Field(
        default=None,
        description="When so many per cent of all messages were handed over, to all members together; while they are "
        "produced: were acked.",
    )
    phase: Literal["polled", "committing", "revoked", "assigned"] | None = Field(
        default=None,
        description="When the member that the fault is about comes to this moment; it stands still there until the "
        "fault is done: a call has handed messages over (`polled`), the application is about to commit "
        "(`committing`), its rebalance listener was told of partitions that go or come (`revoked`, `assigned`).",
    )
    number: Annotated[int, Field(ge=1, le=1_000_000)] | None = Field(
        default=None, description="With `phase`: the so-many-th time in a process; null: the first."
    )
    member: str | None = Field(
        default=None,
        max_length=100,
        description="With `phase`, where the fault is about no member: whose moment it is; null: the first one's.",
    )
    s: Pause | None = Field(
        default=None, description="So many seconds after the consumers (or the producer) were started."
    )
    random: tuple[Pause, Pause] | None = Field(
        default=None, strict=False, description="As `s`, the second drawn from low..high by the seed."
    )


class Network(Keys):
    """What happens to the clients' connections: exactly one of these, and what may stand beside it."""

    latency_ms: Milliseconds | None = Field(default=None, description="Bytes come so much later, each way.")
    jitter_ms: Milliseconds | None = Field(
        default=None, description="With `latency_ms`: up to so much later still, drawn from the seed."
    )
    bandwidth_kb_s: Annotated[float, Field(gt=0, le=10_000_000)] | None = Field(
        default=None, description="At most so many kB (1000 bytes) a second, each connection, each way."
    )
    blackhole: Literal["both", "to_client", "to_broker"] | None = Field(
        default=None, description="Bytes that way are held back; connections stay open, and get them when it is over."
    )
    cut: bool | None = Field(
        default=None,
        description="`true`: all connections are reset, once. With `blackhole`: at its end, so that what was held "
        "never comes.",
    )
    cut_after_bytes: Messages | None = Field(
        default=None, description="Each connection is reset once so many bytes went to its client, new ones too."
    )


class Deletion(Keys):
    """Which records are deleted: exactly one of `before` and `share`."""

    partition: Annotated[int, Field(ge=0, le=9_999)] | None = Field(
        default=None, description="Of this partition; null: of all."
    )
    before: Messages | None = Field(default=None, description="All below this offset.")
    share: Annotated[float, Field(gt=0, le=100)] | None = Field(
        default=None, description="So many per cent of the log, from its beginning."
    )


# What may stand there is a check's business (`broker_checks`), in its own words.
Node = Annotated[
    Any,
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 3}, {"type": "string", "enum": list(NODES)}]}
    ),
]
Led = Annotated[
    Any, WithJsonSchema({"anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 0, "maximum": 9_999}]})
]


class Fault(Keys):
    """Something done to the group, the producer or the broker: exactly one of the kinds of fault, when `when` says."""

    kill: str | None = Field(
        default=None, max_length=100, description="SIGKILL to this member's process. Without `members` it is called c."
    )
    freeze: str | None = Field(
        default=None, max_length=100, description="SIGSTOP to this member's process, and after `for_s` SIGCONT."
    )
    leave: str | None = Field(
        default=None, max_length=100, description="This member closes in an orderly way, in the middle of its work."
    )
    join: str | None = Field(
        default=None, max_length=100, description="This member is started only then, while others read."
    )
    rebalance: bool | None = Field(
        default=None, description="`true`: a passing member joins and leaves, which reads another, empty topic."
    )
    subscription: str | None = Field(
        default=None,
        max_length=100,
        description="This member subscribes anew while it reads: to the topic and to a second, empty one.",
    )
    add_partitions: Annotated[int, Field(ge=2, le=10_000)] | None = Field(
        default=None, description="The topic gets more partitions, so many in all."
    )
    network: Network | None = Field(default=None, description="The network between the clients and the broker.")
    delete_records: Deletion | None = Field(
        default=None, description="The first records of the topic are deleted, as retention would."
    )
    restart_broker: Node | None = Field(
        default=None,
        description="A node of the broker is stopped in an orderly way and started again: this one, or the one that "
        "then is the `leader` of partition 0 (or of the first one of the member that `when` names), or the group's "
        "`coordinator`.",
    )
    kill_broker: Node | None = Field(
        default=None, description="SIGKILL to such a node; with `restart_after_s` it is started again."
    )
    pause_broker: Node | None = Field(
        default=None,
        description="Such a node stands still for `for_s`, at least a second, as in a long collection of garbage, and "
        "then goes on; its connections stay open.",
    )
    move_leader: Led | None = Field(
        default=None,
        description="Another node becomes the leader of this partition; `true`: of partition 0 (or of the first one "
        "of the member that `when` names).",
    )
    move_coordinator: bool | None = Field(
        default=None, description="`true`: another node becomes the group's coordinator."
    )
    during: Literal["produce", "consume"] = Field(
        default="consume",
        description="Whether it is done while the messages are produced (only `network`, `restart_broker`, "
        "`kill_broker`, `pause_broker`, `move_leader`), or while they are consumed.",
    )
    when: When = Field(description="What sets it off.")
    after_s: Pause = Field(default=0, description="So long it waits then.")
    restart_after_s: Pause | None = Field(
        default=None,
        description="After a kill or a leave: so long until a new process of the member subscribes as the old one "
        "did and reads to the end; null: there is none. After `kill_broker`: so long until the node is started again; "
        "null: it stays down.",
    )
    for_s: Seconds | None = Field(
        default=None,
        description="How long it lasts: a freeze, a pause, a fault of the network; how long a node is down, beside its "
        "own stop and start, in `restart_broker`.",
    )
    times: int = Field(default=1, ge=1, le=1_000, description="How often it happens.")
    every_s: Seconds | None = Field(default=None, description="With `times`: so long after the one before has ended.")
