"""Pure: what of a group, of a way to commit and of a topic's settings a client or a broker cannot do, in words."""

from collections.abc import Iterator
from typing import Any

from harness.clients.catalogue import release_of
from harness.clients.spec import ClientSpec
from harness.scenario_file import KeyPath
from harness.scenario_findings import Finding, Lookup, spec_at

CONSUMER_PROTOCOL_FROM = (2, 4)
"""confluent-kafka: the first release with `group.protocol` (KIP-848)."""
CONSUMER_PROTOCOL_KAFKA = (4, 0)
AUTO = ("auto", "none")
"""The application itself commits nothing."""
WITH_INTERVAL = ("auto", "store_offsets")

# Seen in the released packages: assignors/sticky is in kafka-python 2.0.2 and not in 1.4.7, cooperative_sticky.py in
# 3.0.0 and not in 2.3.0, group_instance_id in 2.3.0 and not in 2.2.15. kafka-python-ng is a fork of 2.0.2.
KAFKA_PYTHON_ASSIGNORS = {"range": (0,), "roundrobin": (0,), "sticky": (2, 0, 2), "cooperative-sticky": (3, 0)}
KAFKA_PYTHON_STATIC = (2, 3)
ASSIGNORS = {
    "confluent-kafka": ("range", "roundrobin", "cooperative-sticky"),
    "planted": ("range", "roundrobin", "cooperative-sticky"),
    "kafka-python-ng": ("range", "roundrobin", "sticky"),
    "aiokafka": ("range", "roundrobin", "sticky"),
}
SESSION_BY_DEFAULT_MS = 45_000
TIMEOUTS = ("session_timeout_ms", "heartbeat_interval_ms")


def specs(get: Lookup) -> Iterator[tuple[KeyPath, ClientSpec]]:
    """Every client of the group with the key that names it."""
    if (spec := spec_at(get, ("client",))) is not None:
        yield ("client",), spec
    members = get("members")
    for name in members if isinstance(members, dict) else ():
        path = ("members", name, "client")
        if (own := spec_at(get, path)) is not None:
            yield path, own


def _release(spec: ClientSpec) -> tuple[int, ...] | None:
    """The numbers of its release; None for a checkout, which counts as new."""
    return None if spec.source is not None else release_of(str(spec.pinned().version or spec.client.current))


def _group(get: Lookup) -> Iterator[Finding]:
    if not isinstance(get("group"), dict):
        return
    size = get("group", "size")
    if size is not None:
        for other in ("members", "restarts", "planted"):
            if get(other):
                what = f"`{other}` and a group of plain loops exclude each other; leave one of them out"
                yield Finding(("group", "size"), what, also=((other,),))
    for path, spec in specs(get):
        if spec.library == "null":
            yield Finding(("group",), "the null client has no Kafka, and no group", also=(path,))
            continue
        yield from _assignor(get, path, spec)
        yield from _static(get, path, spec)
        yield from _protocol(get, path, spec)
    yield from _timeouts(get)


def _threads(get: Lookup) -> Iterator[Finding]:
    """What members cannot do that share a process."""
    if get("group", "workers") != "threads":
        return
    key = ("group", "workers")
    if get("group", "size") is None:
        yield Finding(key, "threads are members of the plain loop: set group.size")
    for path, spec in specs(get):
        if spec.client.family == "kafka-python" and spec.library != "aiokafka" and get("api") == "iterator":
            what = f"{spec.library}'s iterator waits for ever, and no signal gets a thread out of it; use poll"
            yield Finding(key, what, also=(path, ("api",)))
    if get("record") == "throughput":
        yield Finding(
            key, "threads share their CPU time: their speed is not measured; use record: loss", (("record",),)
        )
    if get("consumer", "processing", "fails", "then") == "restart":
        what = "a thread is not started again; use then: skip, or processes"
        yield Finding(("consumer", "processing", "fails", "then"), what, also=(key,))
    faults = get("faults")
    for at in range(len(faults)) if isinstance(faults, list) else ():
        yield from _fault_of_thread(get, ("faults", at))


def _fault_of_thread(get: Lookup, path: KeyPath) -> Iterator[Finding]:
    key = ("group", "workers")
    if get(*path, "freeze") is not None:
        yield Finding((*path, "freeze"), "no signal stops one thread alone; use processes", also=(key,))
    if get(*path, "leave") is not None and get(*path, "restart_after_s") is not None:
        what = "a thread is not started again; leave it out, or use processes"
        yield Finding((*path, "restart_after_s"), what, also=(key,))
    if get(*path, "when", "phase") is not None:
        what = "threads do not stand still for a fault: the others would go on; use processes, or another trigger"
        yield Finding((*path, "when", "phase"), what, also=(key,))


def _assignor(get: Lookup, path: KeyPath, spec: ClientSpec) -> Iterator[Finding]:
    wanted = get("group", "assignor")
    if wanted is None or get("group", "protocol") == "consumer":
        return
    key = ("group", "assignor")
    if spec.library == "kafka-python":
        since, release = KAFKA_PYTHON_ASSIGNORS[wanted], _release(spec)
        if release is not None and release < since:
            number = ".".join(map(str, since))
            yield Finding(key, f"{spec} has no {wanted}; kafka-python has it from {number} on", also=(path,))
    elif wanted not in ASSIGNORS[spec.library]:
        offered = ", ".join(ASSIGNORS[spec.library])
        yield Finding(key, f"{spec.library} has no {wanted}; it offers {offered}", also=(path,))


def _static(get: Lookup, path: KeyPath, spec: ClientSpec) -> Iterator[Finding]:
    if get("group", "static") is not True:
        return
    release = _release(spec)
    if spec.library == "kafka-python-ng":
        what = "kafka-python-ng has no static membership (group_instance_id); kafka-python has it from 2.3 on"
        yield Finding(("group", "static"), what, also=(path,))
    elif spec.library == "kafka-python" and release is not None and release < KAFKA_PYTHON_STATIC:
        what = f"{spec} has no static membership (group_instance_id); kafka-python has it from 2.3 on"
        yield Finding(("group", "static"), what, also=(path,))


def _protocol(get: Lookup, path: KeyPath, spec: ClientSpec) -> Iterator[Finding]:
    if get("group", "protocol") != "consumer":
        return
    key, kafka, release = ("group", "protocol"), get("broker", "kafka"), _release(spec)
    if spec.client.family != "librdkafka":
        yield Finding(key, f"{spec.library} has no consumer protocol (KIP-848); confluent-kafka has it", also=(path,))
    elif release is not None and release < CONSUMER_PROTOCOL_FROM:
        yield Finding(
            key, f"{spec} has no consumer protocol (KIP-848); confluent-kafka has it from 2.4 on", also=(path,)
        )
    if path == ("client",) and kafka is not None and release_of(kafka) < CONSUMER_PROTOCOL_KAFKA:
        what = f"Kafka {kafka} does not speak the consumer protocol (KIP-848); 4.0 and later do"
        yield Finding(key, what, also=(("broker", "kafka"),))


def _timeouts(get: Lookup) -> Iterator[Finding]:
    if get("group", "protocol") == "consumer":
        for name in TIMEOUTS:
            if get("group", name) is not None:
                yield Finding(("group", name), "in the consumer protocol the broker decides it; leave it out")
        if get("group", "assignor") not in (None, "range"):
            yield Finding(("group", "assignor"), "in the consumer protocol the broker assigns: range, or leave it out")
    session, heartbeat = get("group", "session_timeout_ms"), get("group", "heartbeat_interval_ms")
    if session is not None and heartbeat is not None and heartbeat >= session:
        what = f"{heartbeat} ms is not shorter than session_timeout_ms, {session} ms; a third of it is usual"
        yield Finding(("group", "heartbeat_interval_ms"), what, also=(("group", "session_timeout_ms"),))
    poll = get("group", "max_poll_interval_ms")
    if poll is not None and get("group", "protocol") != "consumer" and poll < (session or SESSION_BY_DEFAULT_MS):
        than = f"session_timeout_ms, {session} ms"
        if session is None:
            than = f"the session timeout, {SESSION_BY_DEFAULT_MS} ms where session_timeout_ms is not set"
        what = f"{poll} ms is shorter than {than}: clients refuse that"
        yield Finding(("group", "max_poll_interval_ms"), what, also=(("group", "session_timeout_ms"),))
    if session is not None and get("group", "protocol") != "consumer" and session < 6_000:
        what = f"{session} ms is shorter than a broker accepts (group.min.session.timeout.ms, 6000)"
        yield Finding(("group", "session_timeout_ms"), what)


def _commit(get: Lookup) -> Iterator[Finding]:
    mode = get("consumer", "commit", "mode")
    if mode is None:
        return
    if mode == "store_offsets":
        for path, spec in specs(get):
            if spec.client.family != "librdkafka":
                what = f"{spec.library} has no store_offsets(); only librdkafka has, in confluent-kafka"
                yield Finding(("consumer", "commit", "mode"), what, also=(path,))
    if mode in AUTO and get("consumer", "commit", "where") == "before":
        yield Finding(("consumer", "commit", "where"), f"with mode {mode} the application does not commit")
    if mode not in WITH_INTERVAL and get("consumer", "commit", "interval_ms") is not None:
        yield Finding(("consumer", "commit", "interval_ms"), f"mode {mode} has none; only auto and store_offsets have")
    yield from _settled_twice(get, ("consumer", "settings"))
    members = get("members")
    for name in members if isinstance(members, dict) else ():
        yield from _settled_twice(get, ("members", name, "settings"))


DESERIALIZES = ("kafka-python", "kafka-python-ng", "aiokafka")
"""Libraries whose consumer is given a `value_deserializer`."""


def _fails(get: Lookup) -> Iterator[Finding]:
    key = ("consumer", "processing", "fails")
    if not get(*key):
        return
    deserializer = get(*key, "where") == "deserializer"
    for path, spec in specs(get) if deserializer else ():
        if spec.library not in DESERIALIZES:
            yield Finding((*key, "where"), f"{spec.library} hands over bytes, and calls no deserializer", also=(path,))
    if get(*key, "always") is True and not deserializer:
        yield Finding((*key, "always"), "only with where: deserializer; a handler gets its message once")
    if get(*key, "always") is True and get(*key, "then") == "restart":
        yield Finding((*key, "always"), "with then: restart the new process does not raise; leave it out")
    if get("planted"):
        yield Finding(key, "the planted client makes its own faults; leave `planted` or this out", also=(("planted",),))


def _settled_twice(get: Lookup, path: KeyPath) -> Iterator[Finding]:
    settings = get(*path)
    for name in settings if isinstance(settings, dict) else ():
        if name.replace(".", "_") in ("enable_auto_commit", "enable_auto_offset_store"):
            yield Finding((*path, name), "consumer.commit.mode decides it; leave one of them out")


def _members_agree(get: Lookup) -> Iterator[Finding]:
    """The verdict asks where the group's members begin and what they may see; that is one answer for all."""
    members = get("members")
    for name in members if isinstance(members, dict) else ():
        settings = get("members", name, "settings")
        for setting in settings if isinstance(settings, dict) else ():
            if setting.replace(".", "_") in ("auto_offset_reset", "isolation_level"):
                what = "one for all members: set it under consumer.settings"
                yield Finding(("members", name, "settings", setting), what)


def _topic(get: Lookup) -> Iterator[Finding]:
    settings = get("topic", "settings")
    for name, value in (settings if isinstance(settings, dict) else {}).items():
        if not isinstance(value, bool | int | float | str) and not _texts(value):
            yield Finding(("topic", "settings", name), "expected text, a number, true, false, or a list of texts")


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


CHECKS = (_group, _threads, _commit, _fails, _members_agree, _topic)
