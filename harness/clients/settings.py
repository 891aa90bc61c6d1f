"""Pure: the settings that a client is made with, by the library's own names.

Two ways to be fair. `as_shipped`: what the library's documented loop needs, and the library's defaults for all else:
this is what people run. `equal`: the same semantics for all, whatever each library calls them:

    meaning                     equal             where the defaults differ
    isolation level             read uncommitted  librdkafka: read committed
    session timeout             45 s              10 s in kafka-python before 3.0 and in aiokafka
    heartbeat                   3 s
    max poll interval           300 s
    auto-commit, its interval   on, 5 s
    reset policy                earliest          latest everywhere; both ways set it, or the backlog is never read
    CRC of records checked      yes               librdkafka: no
    a fetch: per partition      1 MiB
    a fetch: at most, at least  50 MiB, 1 B
    a fetch waits at most       500 ms
    prefetched at most          50 MiB            librdkafka: 64 MiB; the others: the last fetch of each partition
    acks                        all               1 in kafka-python before 3.0 and in aiokafka
    idempotence                 on                off everywhere but kafka-python from 3.0 on

Not equal, because no plain value says it: the assignor (range, except aiokafka: round-robin).

What the user sets wins and is passed on untouched. The connection is made by the worker's adapters, not here.
"""

from typing import Any, Literal

from harness.clients.catalogue import release_of
from harness.clients.spec import ClientSpec
from harness.errors import UsageError

Settings = dict[str, Any]
Defaults = Literal["as_shipped", "equal"]

SESSION_TIMEOUT_MS = 45_000
REQUEST_TIMEOUT_MS = 60_000
HEARTBEAT_MS = 3_000
MAX_POLL_INTERVAL_MS = 300_000
AUTO_COMMIT_INTERVAL_MS = 5_000
PARTITION_FETCH_BYTES = 1 << 20
FETCH_MAX_BYTES = 50 << 20
FETCH_WAIT_MS = 500
# Long enough to fill a batch under load, short beside every latency that is judged.
LINGER_MS = 5
# Without idempotence a retry may write twice; one request in flight keeps the order at least.
RETRIES = 10

DECIDED_BY_BROKER = ("session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy")


def consumer_settings(
    spec: ClientSpec, *, defaults: Defaults, api: str, group: str | None, extra: Settings
) -> Settings:
    """What the worker's consumer is made with; `group` None for one that assigns itself."""
    offered = spec.client.apis
    if api not in offered:
        raise UsageError("client-api", f"client '{spec}' has no api {api!r}", f"It offers {', '.join(offered)}.")
    equal = defaults == "equal"
    match spec.client.adapter:
        case "confluent-kafka" | "planted":
            made = _confluent_consumer(group, equal=equal)
        case "kafka-python" | "aiokafka":
            made = _python_consumer(group, equal=equal, isolation=_knows_transactions(spec))
            if equal and spec.client.adapter == "aiokafka":
                # A join may be held by the broker for the session timeout; aiokafka's 40 s would cut it off before.
                made["request_timeout_ms"] = REQUEST_TIMEOUT_MS
        case _:
            made = {}
    if extra.get("group.protocol") == "consumer":
        # The broker decides these then, and librdkafka refuses them.
        made = {name: value for name, value in made.items() if name not in DECIDED_BY_BROKER}
    return {**made, **extra}


def group_settings(
    spec: ClientSpec,
    *,
    protocol: str | None = None,
    assignor: str | None = None,
    instance: str | None = None,
    session_timeout_ms: int | None = None,
    max_poll_interval_ms: int | None = None,
    heartbeat_interval_ms: int | None = None,
) -> Settings:
    """What a scenario says of the group; `instance` is the group.instance.id of a static member.

    kafka-python and aiokafka want classes of assignors: they get names, of which the worker's adapter makes classes.
    """
    if spec.client.family == "librdkafka":
        strategy = "group.remote.assignor" if protocol == "consumer" else "partition.assignment.strategy"
        named: Settings = {
            "group.protocol": protocol,
            strategy: assignor,
            "group.instance.id": instance,
            "session.timeout.ms": session_timeout_ms,
            "max.poll.interval.ms": max_poll_interval_ms,
            "heartbeat.interval.ms": heartbeat_interval_ms,
        }
    else:
        named = {
            "partition_assignment_strategy": None if assignor is None else [assignor],
            "group_instance_id": instance,
            "session_timeout_ms": session_timeout_ms,
            "max_poll_interval_ms": max_poll_interval_ms,
            "heartbeat_interval_ms": heartbeat_interval_ms,
        }
    return {name: value for name, value in named.items() if value is not None}


def commit_settings(spec: ClientSpec, *, mode: str, interval_ms: int | None = None) -> Settings:
    """Who commits: the library by itself, or the application, which then gets no help."""
    library_commits = mode in ("auto", "store_offsets")
    interval = interval_ms if library_commits else None
    if spec.client.family == "librdkafka":
        made: Settings = {"enable.auto.commit": library_commits, "auto.commit.interval.ms": interval}
        if mode == "store_offsets":
            made["enable.auto.offset.store"] = False
    elif spec.client.family == "kafka-python":
        made = {"enable_auto_commit": library_commits, "auto_commit_interval_ms": interval}
    else:
        made = {}
    return {name: value for name, value in made.items() if value is not None}


def client_id_setting(spec: ClientSpec, name: str) -> Settings:
    """The name by which the broker tells of this client."""
    if spec.client.family == "null":
        return {}
    return {"client.id" if spec.client.family == "librdkafka" else "client_id": name}


def producer_settings(spec: ClientSpec, *, defaults: Defaults, extra: Settings) -> Settings:
    """What the worker's producer is made with."""
    if defaults == "as_shipped":
        return dict(extra)
    made: Settings
    match spec.client.adapter:
        case "confluent-kafka" | "planted":
            made = {"acks": "all", "enable.idempotence": True, "linger.ms": LINGER_MS}
        case "kafka-python" | "aiokafka" if _knows_transactions(spec):
            made = {"acks": "all", "enable_idempotence": True, "linger_ms": LINGER_MS}
        case "kafka-python":
            made = {
                "acks": "all",
                "retries": RETRIES,
                "max_in_flight_requests_per_connection": 1,
                "linger_ms": LINGER_MS,
            }
        case _:
            made = {}
    return {**made, **extra}


def isolation_setting(spec: ClientSpec, level: str) -> Settings:
    """The isolation level by the library's own name."""
    return {"isolation.level" if spec.client.family == "librdkafka" else "isolation_level": level}


def transactional(settings: Settings) -> bool:
    """Whether a producer that was made with these settings writes transactions."""
    return bool(settings.get("transactional.id") or settings.get("transactional_id"))


def refuse_mechanism(spec: ClientSpec, mechanism: str | None, *, kafka: str | None = None) -> None:
    """Raise UsageError for a release that cannot log in so. kafka: the broker's release, where it is known.

    kafka-python 1.4.7 has PLAIN alone, 2.0.0 SCRAM too. Before 2.6.1 librdkafka writes its nonce twice (its pull
    request 4895), which Kafka before 4.0 lets pass.
    """
    if mechanism is None or not mechanism.startswith("SCRAM") or spec.source:
        return
    release, why = release_of(str(spec.version)), None
    if spec.library == "kafka-python" and release < (2, 0):
        why = "kafka-python has SCRAM from 2.0.0 on"
    if spec.library == "confluent-kafka" and release < (2, 6, 1) and release_of(kafka or "0") >= (4, 0):
        why = "before 2.6.1 it writes its nonce twice, which Kafka 4 refuses"
    if why is not None:
        what = f"client '{spec}' cannot log in by {mechanism}: {why}"
        raise UsageError("client-login", what, "Take a newer release, or a user who logs in by PLAIN.")


def _knows_transactions(spec: ClientSpec) -> bool:
    """Whether the release has `enable_idempotence` and `isolation_level`; older ones refuse the names.

    Seen in DEFAULT_CONFIG: absent from kafka-python 2.1.6, there in 2.2.0; absent from kafka-python-ng 2.2.3. A
    checkout counts as new.
    """
    if spec.library == "kafka-python-ng":
        return False
    if spec.library != "kafka-python" or spec.source is not None:
        return True
    return release_of(str(spec.pinned().version)) >= (2, 2)


def _confluent_consumer(group: str | None, *, equal: bool) -> Settings:
    # librdkafka wants a group's name even of a member that assigns itself: the worker gives it one.
    made: Settings = {} if group is None else {"group.id": group}
    made["auto.offset.reset"] = "earliest"
    if equal:
        made |= {
            "isolation.level": "read_uncommitted",
            "session.timeout.ms": SESSION_TIMEOUT_MS,
            "heartbeat.interval.ms": HEARTBEAT_MS,
            "max.poll.interval.ms": MAX_POLL_INTERVAL_MS,
            "enable.auto.commit": True,
            "auto.commit.interval.ms": AUTO_COMMIT_INTERVAL_MS,
            "check.crcs": True,
            "max.partition.fetch.bytes": PARTITION_FETCH_BYTES,
            "fetch.max.bytes": FETCH_MAX_BYTES,
            "fetch.min.bytes": 1,
            "fetch.wait.max.ms": FETCH_WAIT_MS,
            "queued.max.messages.kbytes": FETCH_MAX_BYTES >> 10,
        }
    if group is None:
        made["enable.auto.commit"] = False
    return made


def _python_consumer(group: str | None, *, equal: bool, isolation: bool) -> Settings:
    """kafka-python and aiokafka, which took over its names."""
    made: Settings = {"group_id": group, "auto_offset_reset": "earliest"}
    if equal:
        made |= {
            "session_timeout_ms": SESSION_TIMEOUT_MS,
            "heartbeat_interval_ms": HEARTBEAT_MS,
            "max_poll_interval_ms": MAX_POLL_INTERVAL_MS,
            "enable_auto_commit": True,
            "auto_commit_interval_ms": AUTO_COMMIT_INTERVAL_MS,
            "check_crcs": True,
            "max_partition_fetch_bytes": PARTITION_FETCH_BYTES,
            "fetch_max_bytes": FETCH_MAX_BYTES,
            "fetch_min_bytes": 1,
            "fetch_max_wait_ms": FETCH_WAIT_MS,
        }
        if isolation:
            made["isolation_level"] = "read_uncommitted"
    if group is None:
        made["enable_auto_commit"] = False
    return made
