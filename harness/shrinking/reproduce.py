"""A scenario as a stand-alone script in the client's own API, for a bug report.

The script imports the client and nothing else, and does the scenario's steps in plain calls. What such a script cannot
do is refused in words (`Unsayable`): then there is only the scenario.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.clients.settings import commit_settings, consumer_settings, group_settings
from harness.clients.spec import ClientSpec, parse_spec
from harness.members import listens, processes_of
from harness.report.templating import environment
from harness.scenario import DEFAULT_KAFKA, Scenario
from harness.script import Step
from harness.shrinking.goal import Goal

LINE_MAX = 110
TEMPLATES = Path(__file__).resolve().parent / "templates"
SCRIPTS = {"kafka-python": "kafka_python", "confluent-kafka": "confluent_kafka", "aiokafka": "aiokafka"}
"""The template of each library."""

NEVER_CAME = ("committed_ahead", "skipped", "illegal_start", "stalled")
"""Kinds that a script sees by messages which nobody was handed."""
ONE_CONSUMER = ("repeat", "reordered", "excess_redelivery")
"""Kinds that it sees only where no rebalance may explain them."""
ELSEWHERE = ("phantom", "corrupt")

SHOWN = {
    "committed_ahead": "messages are committed that were never handed over to the application, and are never read",
    "skipped": "messages are passed over: later ones of their partition are handed over, and they never are",
    "illegal_start": "a consumer begins behind the group's committed offset, and the messages before are never read",
    "stalled": "messages that are there are never handed over, and no error is raised",
    "repeat": "messages are handed over twice to one consumer, without a seek or a rebalance",
    "reordered": "messages of one partition are handed over in the wrong order",
    "excess_redelivery": "messages are handed over again that the group had committed before",
    "phantom": "something is handed over that nobody has sent",
    "corrupt": "messages are handed over with values that were not sent",
}
"""What a script shows, in the words of somebody who has never heard of this project."""
TITLES = {
    "committed_ahead": "messages lost behind a commit",
    "skipped": "messages skipped",
    "illegal_start": "messages skipped at the start",
    "stalled": "partitions that never deliver again",
    "repeat": "messages handed over twice",
    "reordered": "messages out of order",
    "excess_redelivery": "committed messages handed over again",
    "phantom": "records handed over that nobody sent",
    "corrupt": "messages with wrong values",
}


class Unsayable(Exception):
    """Why there can be no script."""


def script_of(scenario: Scenario, goal: Goal, *, source: str, python: str) -> str:
    """The text of reproduce.py. source: the scenario's name; python: the interpreter's version where it was seen.

    Raises Unsayable with everything that stands against it.
    """
    reasons = list(_against(scenario, goal))
    if reasons:
        raise Unsayable("; ".join(reasons))
    spec = parse_spec(scenario.client).pinned()
    members = [(name, [_steps(scenario, part) for part in parts]) for name, parts, _ in processes_of(scenario)]
    given = _settings(scenario, spec)
    told = _told(scenario, goal, spec, members, source, python)
    return _rendered(SCRIPTS[spec.library], told | _calls(scenario, goal, members) | {"settings": given})


def _rendered(name: str, told: dict[str, Any]) -> str:
    text = environment(TEMPLATES, escaped=False).get_template(f"{name}.py.j2").render(told).rstrip() + "\n"
    return re.sub(r"\n{4,}", "\n\n\n", text)


# ---- what cannot be said -------------------------------------------------------------------------------------------


def _against(scenario: Scenario, goal: Goal) -> Iterator[str]:
    spec = parse_spec(scenario.client)
    if spec.library not in SCRIPTS:
        yield f"there are scripts for {', '.join(SCRIPTS)}, and none for {spec.library}"
        return
    for kind in goal.plain:
        if kind not in SHOWN:
            yield f"a script cannot see {kind.replace('_', ' ')}"
    if any("in_flight" in kind for kind in goal.kinds):
        yield "what a process had at work when it died cannot be shown from inside of it"
    if len(processes_of(scenario)) > 1 and set(goal.plain) & set(ONE_CONSUMER):
        yield "with several members a script cannot tell what comes again from what a rebalance explains"
    for fault in scenario.faults:
        told = fault.model_dump(exclude_defaults=True, exclude={"when"})
        yield f"a script cannot do the fault {next(iter(told))}".replace("_", " ")
    yield from _blocks_against(scenario)
    yield from _settings_against(scenario, spec)
    yield from _steps_against(scenario)


def _blocks_against(scenario: Scenario) -> Iterator[str]:
    consumer, group, producer = scenario.consumer, scenario.group, scenario.producer
    commit, processing = consumer.commit, consumer.processing
    for there, what in (
        (scenario.broker.nodes > 1, "three nodes"),
        (scenario.topic.compacted, "a topic that is compacted first"),
        (scenario.record == "throughput", "record: throughput"),
        (consumer.certificate == "foreign", "a certificate that the broker does not trust"),
        (consumer.refused, "a consumer that must not get through"),
        (commit and commit.mode not in ("auto", "none"), "commits of the application's own (consumer.commit)"),
        (processing and (processing.slow or processing.fails), "one message that takes long, or at which it raises"),
        (group and group.static, "static members"),
        (group and group.committed is not None, "offsets that the group had before (group.committed)"),
        (producer.transactions and producer.transactions.abort_every, "transactions that are aborted"),
        (producer.settings or producer.rate or producer.planted, "a producer's own settings or rate"),
    ):
        if there:
            yield f"a script cannot do {what}"


def _settings_against(scenario: Scenario, spec: ClientSpec) -> Iterator[str]:
    for name, member in (scenario.members or {}).items():
        if member.client or member.api or member.settings:
            yield f"member {name} has a client, a call or settings of its own"
    if scenario.group and scenario.group.assignor and spec.client.family != "librdkafka":
        yield "an assignor's class is not a plain setting (group.assignor)"


def _steps_against(scenario: Scenario) -> Iterator[str]:
    for name, parts, _ in processes_of(scenario):
        for step in (step for part in parts for step in part.script or ()):
            if step["do"] == "seek" and step["to"] not in (0, "beginning"):
                yield f"{name} seeks to {step['to']}, so that a script cannot know what is to come"


# ---- what is said --------------------------------------------------------------------------------------------------


def _steps(scenario: Scenario, part: Any) -> list[Step]:
    """What one process does. The plain loop reads to the end, or until it is stopped."""
    if part.script is not None:
        return list(part.script)
    reads = {"do": "drain"} if part.stop_after is None else {"do": "take", "count": part.stop_after}
    return [{"do": "subscribe", "listener": listens(scenario)}, reads, {"do": "close"}]


def _settings(scenario: Scenario, spec: ClientSpec) -> str:
    """The assignment of SETTINGS, by the library's own names; the group's name is the script's own."""
    extra: dict[str, Any] = {}
    if scenario.group is not None:
        told = scenario.group.model_dump(exclude={"size", "workers", "static", "committed"})
        extra |= group_settings(spec, **told)
    if scenario.consumer.commit is not None:
        commit = scenario.consumer.commit
        extra |= commit_settings(spec, mode=commit.mode, interval_ms=commit.interval_ms)
    made = consumer_settings(
        spec,
        defaults=scenario.consumer.defaults,
        api=scenario.api,
        group="its own",
        extra={**extra, **scenario.consumer.settings},
    )
    kept = {name: value for name, value in made.items() if name not in ("group.id", "group_id")}
    pairs = [f"{json.dumps(name)}: {_literal(value)}" for name, value in kept.items()]
    line = f"SETTINGS = {{{', '.join(pairs)}}}"
    return line if len(line) <= LINE_MAX else "SETTINGS = {\n" + "".join(f"    {pair},\n" for pair in pairs) + "}"


def _literal(value: Any) -> str:
    """As Python writes it; kafka-python's `api_version` must be a tuple, which YAML has not."""
    if isinstance(value, list):
        return f"({', '.join(map(_literal, value))},)"
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _told(
    scenario: Scenario, goal: Goal, spec: ClientSpec, members: list[Any], source: str, python: str
) -> dict[str, Any]:
    """What the script says of itself, and the sizes."""
    tls = scenario.security == "mutual_tls"
    options = "--ca CA.pem --cert CLIENT.pem --key CLIENT.key"
    needs = [*spec.requirements, *(["confluent-kafka"] if _foreign_transactions(scenario, spec) else [])]
    names = " and ".join(f"member_{name}()" for name, _ in members) if len(members) > 1 else "consume()"
    asynchronous = spec.library == "aiokafka"
    old = "" if scenario.broker.kafka == DEFAULT_KAFKA else " (a newer one may be too new for this client)"
    return {
        "title": f"{spec.name} {spec.version or ''}".strip() + f": {', '.join(TITLES[kind] for kind in goal.plain)}",
        "shows": f"What it shows: {'; '.join(SHOWN[kind] for kind in goal.plain)}.",
        "install": f"pip install {' '.join(needs)}",
        "tls": tls,
        "tls_options": options if tls else f"[{options}]",
        "starts_at": names,
        "seen": f"Seen with Python {python} on Apache Kafka {scenario.broker.kafka}{old}.",
        "scenario": source,
        "partitions": scenario.partitions,
        "messages": scenario.messages,
        "size": scenario.size_bytes,
        "topic_settings": _topic_settings(scenario, spec),
        "run": "asyncio.run(run(arguments))" if asynchronous else "run(arguments)",
        "event": "asyncio.Event" if asynchronous else "threading.Event",
    }


def _foreign_transactions(scenario: Scenario, spec: ClientSpec) -> bool:
    return scenario.producer.transactions is not None and spec.client.family != "librdkafka"


def _topic_settings(scenario: Scenario, spec: ClientSpec) -> str:
    settings = {name: str(value).lower() for name, value in scenario.topic.settings.items()}
    keyword = "config" if spec.client.family == "librdkafka" else "topic_configs"
    return f", {keyword}={settings!r}" if settings else ""


def _calls(scenario: Scenario, goal: Goal, members: list[Any]) -> dict[str, Any]:
    """The members with their steps, and which pieces of a script these need."""
    steps = [step for _, processes in members for process in processes for step in process]
    awaited = [step.get("until") or step["word"] for step in steps if step["do"] in ("read", "wait")]
    transactions, processing = scenario.producer.transactions, scenario.consumer.processing
    does = {step["do"] for step in steps}
    return {
        "members": members,
        "kinds": goal.plain,
        "missing": bool(set(goal.plain) & set(NEVER_CAME)),
        "api": scenario.api,
        "timeout_ms": scenario.consumer.batch.timeout_ms,
        "max_records": scenario.consumer.batch.max_records,
        "transactions": transactions.messages if transactions else 0,
        "message_s": processing.message_ms / 1000 if processing else 0,
        "batch_s": processing.batch_ms / 1000 if processing else 0,
        "words": bool(does & {"tell", "wait", "read"}),
        "waits": "wait" in does,
        "awaited": awaited,
        "listener": any(step["do"] == "subscribe" and step["listener"] for step in steps),
        "seeks": "seek" in does,
        "polls": "poll" in does,
        "reads": bool(does & {"take", "drain", "read"}),
        "many": any(step["do"] == "poll" and step["max_records"] for step in steps),
        # Whether partitions are named one by one.
        "parts": "assign" in does
        or "excess_redelivery" in goal.plain
        or any(step.get("partitions") is not None for step in steps),
    }
