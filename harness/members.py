"""Who consumes in a run, and what each of their processes is told to do: a scenario's members as configurations.

A member is one place in the group. It has one process at a time, and one after the other where it restarts; each is a
worker with a name and a history of its own. Without `members` there is one, c, whose processes are c1, c2, …; with
`group.size` there are c1, c2, … at once, which may be threads of one process.
"""

import random
from dataclasses import dataclass, field
from typing import Any

from harness import script
from harness.bench import Bench, config
from harness.broker.base import trapped
from harness.clients.envs import ClientEnv
from harness.clients.pool import Worker
from harness.clients.settings import client_id_setting, commit_settings, consumer_settings, group_settings
from harness.scenario import Scenario
from harness.script import Step

ISOLATION_BY_DEFAULT = {"confluent-kafka": "read_committed", "planted": "read_committed"}
"""librdkafka's default; kafka-python and aiokafka read uncommitted."""
POLL_AT_MOST = 500
"""What kafka-python's poll() hands over at most where nothing is said; other libraries' calls hand over fewer."""


@dataclass(frozen=True)
class Part:
    """What one process of a member does: a script, or the plain loop, to an end or until so many deliveries."""

    script: list[Step] | None = None
    stop_after: int | None = None


@dataclass
class Member:
    """One member. `base`: what the configurations of all its processes share. `parts`: those still to come."""

    name: str
    env: ClientEnv
    base: dict[str, Any]
    given: dict[str, Any]
    parts: list[Part]
    numbered: bool = True  # whether its first process is called c1, and not c
    named: bool = False  # whether the broker knows each of its processes by the worker's name
    part: Part = field(default_factory=Part)  # what its last process does, or did
    worker: Worker | None = None
    started: int = 0  # processes so far
    handed: int = 0  # messages handed over to those that have ended
    killed: Worker | None = None  # by a fault
    closing_at: float | None = None  # since when its process is closing
    counted: int = 0  # messages handed over to the running process

    @property
    def deliveries(self) -> int:
        return self.handed + self.counted

    def next_name(self) -> str:
        """The name of the next process: a1, a2; c1 and then c1_2 for a member whose own name ends in a number."""
        number = self.started + 1
        if not self.numbered:
            return self.name if number == 1 else f"{self.name}_{number}"
        return f"{self.name}_{number}" if self.name[-1].isdigit() else f"{self.name}{number}"

    def config(self, bench: Bench, worker: str, part: Part) -> dict[str, Any]:
        made = config(bench, self.env, role="consume", worker=worker) | self.base
        if self.named:
            # Last come, first served: a scenario's own setting of that name was refused.
            made["settings"] = {**made["settings"], **client_id_setting(self.env.spec, worker)}
        return made | {"member": self.name, "stop_after": part.stop_after, "script": part.script}

    def doing(self) -> tuple[int, Step] | None:
        """The step that its process is in, counted from 1; None in the plain loop or before the first."""
        told = self.worker.step if self.worker is not None else None
        if told is None or self.part.script is None:
            return None
        number = told.get("number")
        if isinstance(number, int) and 1 <= number <= len(self.part.script):
            return number, self.part.script[number - 1]
        return None

    def waits(self) -> bool:
        """Whether it waits for a word, without calling its client."""
        doing = self.doing()
        return doing is not None and doing[1]["do"] == "wait"

    def sleeps(self) -> bool:
        doing = self.doing()
        return doing is not None and doing[1]["do"] == "sleep"

    def is_closing(self) -> bool:
        doing = self.doing()
        asked = doing is not None and doing[1]["do"] == "close"
        return self.worker is not None and (self.worker.closing or asked)


def members_of(bench: Bench, ends: dict[int, tuple[int, int]]) -> list[Member]:
    """Everybody who will consume, with their processes to come; nothing is started yet."""
    scenario = bench.scenario
    # Faults ask the broker about members, and it knows them by their clients' names.
    named = scenario.disturbed_while("consume") or scenario.while_produced
    shared = {
        "group": bench.group,
        "batch": scenario.consumer.batch.model_dump(),
        "end_offsets": {str(partition): end for partition, (_, end) in ends.items()},
        "application": application(scenario),
        "planted": planted(scenario.planted, scenario.seed),
        "listen": listens(scenario),
        "timed": scenario.while_produced,
        "thread": scenario.group is not None and scenario.group.workers == "threads",
    }
    if scenario.consumer.certificate == "foreign":
        shared["connection"] = bench.broker.wrong_connection()
    if scenario.consumer.refused is not None:
        shared["connection"] = trapped(bench.broker).trap(scenario.consumer.refused)
    made = []
    for name, parts, numbered in processes_of(scenario):
        env = bench.clients.of(name)
        given = given_settings(scenario, name, env)
        settings = settings_of(scenario, name, env, group=bench.group, given=given)
        own = {"api": api_of(scenario, name), "settings": settings}
        made.append(Member(name, env, shared | own, given, parts, numbered, named))
    return made


def next_part(member: Member) -> Part:
    """What a process does that takes the place of one that is gone: it subscribes as that did, and reads to the end."""
    return Part() if member.part.script is None else Part(script.again(member.part.script))


def listens(scenario: Scenario) -> bool:
    """Whether clients have a rebalance listener where the scenario does not say: wherever there may be rebalances.

    One that gives a member back what it had cannot be seen by asking what it owns, and what comes again after it would
    look like the client's own repeat.
    """
    size = scenario.group.size if scenario.group is not None else None
    commits_in_it = scenario.consumer.commit is not None and scenario.consumer.commit.mode == "in_revoke"
    # Whoever works for too long is taken for dead, and joins anew.
    works = scenario.consumer.processing is not None
    return (
        commits_in_it or works or scenario.disturbed_while("consume") or max(len(scenario.members or ()), size or 1) > 1
    )


def processes_of(scenario: Scenario) -> list[tuple[str, list[Part], bool]]:
    """Of each member: its name, its processes to come, and whether the first one is numbered."""
    if scenario.members:
        return [
            (
                name,
                [Part()]
                if member.steps is None
                else [Part(steps) for steps in script.parts(member.steps, listener=listens(scenario))],
                True,
            )
            for name, member in scenario.members.items()
        ]
    if scenario.group is not None and scenario.group.size is not None:
        return [(f"c{number}", [Part()], False) for number in range(1, scenario.group.size + 1)]
    return [("c", [*(Part(stop_after=count) for count in _stops(scenario)), Part()], True)]


def _stops(scenario: Scenario) -> list[int]:
    """After how many deliveries each consumer is stopped, drawn from the seed."""
    if scenario.restarts is None:
        return []
    draw = random.Random(f"{scenario.seed}:restarts")
    low, high = scenario.restarts.after
    return [draw.randint(low, high) for _ in range(scenario.restarts.count)]


def planted(block: Any, seed: int) -> dict[str, Any] | None:
    return None if block is None else {**block.model_dump(), "seed": seed}


def given_settings(scenario: Scenario, name: str, env: ClientEnv) -> dict[str, Any]:
    """What the scenario says of a member's settings; those of another library than the scenario's are its own only."""
    member = (scenario.members or {}).get(name)
    if member is None:
        return dict(scenario.consumer.settings)
    common = scenario.consumer.settings if member.client is None or _same_library(scenario, env) else {}
    return {**common, **member.settings}


def api_of(scenario: Scenario, name: str) -> str:
    """The call that a member reads with."""
    member = (scenario.members or {}).get(name)
    return scenario.api if member is None or member.api is None else member.api


def _same_library(scenario: Scenario, env: ClientEnv) -> bool:
    from harness.clients.spec import parse_spec

    return parse_spec(scenario.client).client.adapter == env.spec.client.adapter


def settings_of(
    scenario: Scenario, name: str, env: ClientEnv, *, group: str | None, given: dict[str, Any]
) -> dict[str, Any]:
    """What a member's client is made with; the scenario's own words for it win over the library's settings."""
    extra: dict[str, Any] = {}
    if scenario.group is not None:
        told = scenario.group.model_dump(exclude={"size", "workers", "static", "committed"})
        extra |= group_settings(env.spec, instance=name if scenario.group.static else None, **told)
    if scenario.consumer.commit is not None:
        commit = scenario.consumer.commit
        extra |= commit_settings(env.spec, mode=commit.mode, interval_ms=commit.interval_ms)
    defaults, api = scenario.consumer.defaults, api_of(scenario, name)
    return consumer_settings(env.spec, defaults=defaults, api=api, group=group, extra={**extra, **given})


def application(scenario: Scenario) -> dict[str, Any]:
    """What the application does with a message, as a worker is told."""
    processing, commit = scenario.consumer.processing, scenario.consumer.commit
    return {
        "message_ms": processing.message_ms if processing else 0,
        "batch_ms": processing.batch_ms if processing else 0,
        "slow": processing.slow.model_dump() if processing and processing.slow else None,
        "commit": commit.model_dump(include={"mode", "where"}) if commit else None,
        "fails": processing.fails.model_dump() if processing and processing.fails else None,
    }


def longest_batch_s(scenario: Scenario) -> float:
    """How long the application may be at work with what one call handed over, before it comes back for more."""
    processing = scenario.consumer.processing
    if processing is None:
        return 0
    slow_ms = processing.slow.ms if processing.slow else 0
    return (slow_ms + processing.batch_ms + processing.message_ms * _batch_at_most(scenario)) / 1000


def _batch_at_most(scenario: Scenario) -> int:
    limit = scenario.consumer.batch.max_records
    if limit is not None:
        return min(limit, scenario.messages)
    # Without a limit getmany() may hand over all that was fetched.
    apis = {scenario.api, *(member.api for member in (scenario.members or {}).values())}
    return scenario.messages if "getmany" in apis else min(POLL_AT_MOST, scenario.messages)
