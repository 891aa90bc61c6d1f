"""Pure: which keys of a scenario do not fit together, in words.

Each check looks only at keys that are right by themselves (a wrong or missing one reads as None), so that errors of
both sorts in one file can be told at once.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from harness import group_checks, latency_checks, member_checks, produce_checks, refusal_checks
from harness.clients.catalogue import CLIENTS
from harness.clients.spec import parse_spec
from harness.compaction import SETTINGS as COMPACTION
from harness.errors import UsageError
from harness.scenario_file import KeyPath, dotted
from harness.scenario_findings import Finding, Lookup, spec_at

CLIENT_KEYS = (("client",), ("producer", "client"))

# Calls that hand `batch.max_records` on to the library; everywhere else it would be silently ignored.
TAKES_MAX_RECORDS = {
    ("kafka-python", "poll"),
    ("kafka-python-ng", "poll"),
    ("confluent-kafka", "consume"),
    ("aiokafka", "getmany"),
    ("planted", "poll"),
    ("planted", "consume"),
    ("null", "poll"),
    ("null", "consume"),
}

# Planted faults that one owner of a partition prepares for the next one.
AT_A_CHANGE_OF_OWNER = (
    "commit_ahead",
    "in_flight",
    "illegal_start",
    "excess_redelivery",
    "legal_redelivery",
    "double_owner",
)

# What a connection and a group are made of belongs to the harness: a scenario that set it would judge another cluster's
# messages, or another group's commits.
OWN_SETTINGS: Mapping[str, str] = {
    "bootstrap_servers": "the harness connects the clients; see broker.backend",
    "metadata_broker_list": "the harness connects the clients; see broker.backend",
    "group_id": "the harness names a new group for each run",
    "security_protocol": "the key `security` decides it",
    **dict.fromkeys(
        (
            "plugin_library_paths",
            "ssl_engine_location",
            "ssl_engine_id",
            "ssl_providers",
            "sasl_kerberos_kinit_cmd",
        ),
        "a file runs no code that it names",
    ),
}
SECRETS = ("password", "sasl", "secret", "token", "ssl_key_pem", "ssl_context")
"""In the names of settings that log a client in."""


def conflicts(get: Lookup) -> list[Finding]:
    """Everything that does not fit together."""
    return [finding for check in CHECKS for finding in check(get)]


def _clients(get: Lookup) -> Iterator[Finding]:
    for path in CLIENT_KEYS:
        if (text := get(*path)) is not None:
            try:
                parse_spec(text)
            except UsageError as error:
                yield Finding(path, f"{error.what.removeprefix(f'client {text!r}: ')}. {error.hint}")


def _api(get: Lookup) -> Iterator[Finding]:
    library, api = _library(get, ("client",)), get("api")
    if library is None or api is None:
        return
    offered = CLIENTS[library].apis
    if api not in offered:
        yield Finding(("api",), f"{library} has no {api}; it offers {', '.join(offered)}", also=(("client",),))
    elif get("consumer", "batch", "max_records") is not None and (library, api) not in TAKES_MAX_RECORDS:
        what = f"{api} of {library} takes no such limit; leave it out"
        yield Finding(("consumer", "batch", "max_records"), what, also=(("client",),))


def _library(get: Lookup, path: KeyPath) -> str | None:
    """The library that a client's spec names; None where there is no right one."""
    spec = spec_at(get, path)
    return None if spec is None else spec.library


def _restarts(get: Lookup) -> Iterator[Finding]:
    count, after, messages = get("restarts", "count"), get("restarts", "after"), get("messages")
    if after is None:
        return
    low, high = after
    if low < 1:
        yield Finding(("restarts", "after"), f"[{low}, {high}]: a restart needs at least 1 delivery before it")
    elif low > high:
        yield Finding(("restarts", "after"), f"[{low}, {high}]: the lower number comes first")
    elif count is not None and messages is not None and count * low >= messages:
        what = (
            f"{messages:,} messages are too few for {count:,} restarts each after at least {low:,} deliveries "
            f"(restarts.after): more than {count * low:,} messages, or fewer restarts"
        )
        yield Finding(("restarts", "count"), what, also=(("messages",),))


def _planted(get: Lookup) -> Iterator[Finding]:
    for client in CLIENT_KEYS:
        block = (*client[:-1], "planted")
        library = _library(get, client)
        if not get(*block) or library is None:
            continue
        if library != "planted":
            what = f"only the client `planted` makes faults on purpose, and {dotted(client)} is {library}"
            yield Finding(block, what, also=(client,))
            continue
        partitions, messages = get("partitions"), get("messages")
        partition, at, count = get(*block, "partition"), get(*block, "at"), get(*block, "count")
        yield from _placed(get, block)
        if partitions is None or messages is None:
            continue
        if partition is not None and partition >= partitions:
            what = f"there is no partition {partition}; there are {partitions}, from 0"
            yield Finding((*block, "partition"), what, also=(("partitions",),))
        # Message i goes to partition i mod partitions.
        share = -(-(messages - (partition or 0)) // partitions)
        if count is not None and (at or 0) + count > share:
            what = f"{count:,} from number {at or 0:,} on, but a partition has {share:,} messages"
            yield Finding((*block, "count"), what, also=(("messages",), ("partitions",)))


def _placed(get: Lookup, block: KeyPath) -> Iterator[Finding]:
    """Where a fault is planted; what happens at a change of owner needs one."""
    place, restarts = get(*block, "place"), get("restarts", "count")
    if place is not None and get(*block, "at") is not None:
        yield Finding((*block, "place"), "`at` says where already; leave one of them out", also=((*block, "at"),))
    fault = get(*block, "fault")
    needs_owners = block == ("planted",) and (place in ("before", "after") or fault in AT_A_CHANGE_OF_OWNER)
    if needs_owners and restarts != 1:
        what = f"{fault if fault in AT_A_CHANGE_OF_OWNER else place} is at a change of owner: set restarts.count to 1"
        yield Finding((*block, "fault"), what, also=((*block, "place"), ("restarts",)))


def _transactions(get: Lookup) -> Iterator[Finding]:
    library = _library(get, ("producer", "client"))
    if get("producer", "transactions") and library not in (None, "confluent-kafka"):
        what = f"only confluent-kafka writes transactions here, and producer.client is {library}"
        yield Finding(("producer", "transactions"), what, also=(("producer", "client"),))


def _compacted(get: Lookup) -> Iterator[Finding]:
    """Which messages may be written twice: the last one of a partition is needed to close the segment before it."""
    compacted, partitions, messages = get("topic", "compacted"), get("partitions"), get("messages")
    if compacted is None:
        return
    path: KeyPath = ("topic", "compacted")
    low, high = compacted
    if not 0 <= low <= high:
        yield Finding(path, f"[{low}, {high}]: two numbers from 0 on, the lower one first")
    elif partitions is not None and messages is not None and (high + 2) * partitions > messages:
        what = f"{messages:,} messages are too few: each partition needs one more behind number {high:,}"
        yield Finding(path, what, also=(("messages",), ("partitions",)))
    for key in ("transactions", "planted"):
        if get("producer", key):
            yield Finding(path, f"not together with producer.{key}", also=(("producer", key),))
    settings = get("topic", "settings")
    for name in settings if isinstance(settings, dict) else {}:
        if name in COMPACTION:
            yield Finding(("topic", "settings", name), "`topic.compacted` sets it; leave it out", also=(path,))


def _drain(get: Lookup) -> Iterator[Finding]:
    idle_s, limit_s = get("drain", "idle_s"), get("drain", "limit_s")
    if idle_s is not None and limit_s is not None and idle_s > limit_s:
        yield Finding(
            ("drain", "idle_s"), f"{idle_s:g} is longer than drain.limit_s, {limit_s:g}, and never comes to bear"
        )


def _settings(get: Lookup) -> Iterator[Finding]:
    members = get("members")
    named = [("members", name) for name in members] if isinstance(members, dict) else []
    for side in (("producer",), ("consumer",), *named):
        settings = get(*side, "settings")
        for name, value in (settings if isinstance(settings, dict) else {}).items():
            path: KeyPath = (*side, "settings", name)
            plain = name.replace(".", "_")
            if plain in OWN_SETTINGS:
                yield Finding(path, f"not a scenario's to set: {OWN_SETTINGS[plain]}")
            elif any(word in plain for word in SECRETS):
                what = "not a scenario's to set: what a scenario says is kept with its results; see --properties"
                yield Finding(path, what)
            elif not _is_setting(value):
                yield Finding(path, "expected text, a number, true, false, null, or a list of them")


def _is_setting(value: Any) -> bool:
    if isinstance(value, list):
        return all(_is_setting(item) and not isinstance(item, list) for item in value)
    if isinstance(value, float):
        return abs(value) < float("inf")  # NaN fails this too.
    return value is None or isinstance(value, bool | int | str)


CHECKS = (
    _clients,
    _api,
    _restarts,
    _planted,
    _transactions,
    _compacted,
    _drain,
    _settings,
    *member_checks.CHECKS,
    *group_checks.CHECKS,
    *produce_checks.CHECKS,
    *latency_checks.CHECKS,
    *refusal_checks.CHECKS,
)
