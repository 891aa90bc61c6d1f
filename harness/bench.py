"""What all stages of a run work with, and what each of them does with a worker: configure, start, note how it ended."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.broker.admin import Admin
from harness.broker.base import Broker
from harness.clients.envs import ClientEnv
from harness.clients.pool import Pool, Worker
from harness.clients.threads import Host
from harness.clients.worker_end import WorkerEnd
from harness.errors import HarnessError
from harness.journal import Journal
from harness.report.progress import Progress
from harness.rundir import RunDir
from harness.scenario import Scenario

TOPIC = "harness"
GROUP = "harness"
POLL_S = 0.05
STOP_S = 30
CLOSE_S = 60
"""A consumer whose loop is over may take so long in its own close(), which commits and leaves the group."""
LIMIT_S = 3600
"""No worker is waited for longer."""
LATE_S = 0.5
"""An answer about stored offsets that takes longer is of an unknown moment."""
ASKED_AT_MOST = 5
EX_IOERR = 74
IDLE_APPLICATION = {"message_ms": 0, "batch_ms": 0, "slow": None, "commit": None, "fails": None}
"""An application that does nothing with a message, and commits nothing."""


@dataclass(frozen=True)
class Clients:
    """The environments that a run needs; `members`: of members with a client of their own, by name."""

    consumer: ClientEnv
    producer: ClientEnv
    reader: ClientEnv
    members: Mapping[str, ClientEnv] | None = None

    def of(self, member: str) -> ClientEnv:
        return (self.members or {}).get(member, self.consumer)


@dataclass(frozen=True)
class Bench:
    """Everything that is set up once a run."""

    scenario: Scenario
    run: RunDir
    broker: Broker
    admin: Admin
    pool: Pool
    journal: Journal
    clients: Clients
    progress: Progress
    topic: str = TOPIC
    group: str = GROUP

    @property
    def witness(self) -> str:
        """The library that reads the group's stored offsets: not the family of the client under test."""
        family = self.clients.consumer.spec.client.family
        return "kafka-python" if family == "librdkafka" else "confluent-kafka"


def config(bench: Bench, env: ClientEnv, *, role: str, worker: str) -> dict[str, Any]:
    """The part of a worker's configuration that all roles share."""
    scenario = bench.scenario
    return {
        "role": role,
        "worker": worker,
        "run_id": bench.run.meta["run_id"],
        "history": str(bench.run.history(worker).absolute()),
        "record": scenario.record,
        "client": env.spec.client.adapter,
        "api": env.spec.client.apis[0],
        "connection": bench.broker.connection(scenario.security),
        "topic": bench.topic,
        "partitions": scenario.partitions,
        "group": None,
        "settings": {},
        "batch": {"max_records": None, "timeout_ms": 1000},
        "payload": {"seed": scenario.seed, "size_bytes": scenario.size_bytes, "pool": 1024},
        "produce": {"producer": 1, "messages": scenario.messages},
        "end_offsets": None,
        "stop_after": None,
        "script": None,
        "application": IDLE_APPLICATION,
        "planted": None,
    }


def start(
    bench: Bench, env: ClientEnv, config: dict[str, Any], given: dict[str, Any] | None = None, host: Host | None = None
) -> Worker:
    """Start a worker, in a process of its own or in a host's, and note it in run.json."""
    name = str(config["worker"])
    if host is not None:
        worker = bench.pool.keep(host.start(config))
    else:
        worker = bench.pool.start(env.python, config, log=bench.run.log(name))
    noted = {
        "worker": name,
        "role": config["role"],
        "spec": str(env.spec),
        "client_version": env.client_version,
        "python": env.python_version,
        "packages": env.packages,
        "api": config["api"],
        "given": given or {},
        "settings": config["settings"],
    }
    if "member" in config:
        noted["member"] = config["member"]
    bench.run.meta["clients"].append(noted)
    return worker


def broker_alive(bench: Bench) -> None:
    trouble = bench.broker.alive()
    if trouble is not None:
        raise HarnessError(
            "broker-died",
            trouble,
            "Run again; if it dies again, raise broker.heap_mb or read the broker's log. What was recorded is kept.",
        )


class Watch:
    """Waits, a turn at a time, until a worker ends. One that makes no progress is stopped, in order, then by force."""

    def __init__(self, bench: Bench, worker: Worker, *, idle_s: float) -> None:
        self.bench = bench
        self.worker = worker
        self.idle_s = idle_s
        self.count = 0
        self.changed_at = time.monotonic()
        self.deadline = self.changed_at + LIMIT_S

    def turn(self) -> WorkerEnd | None:
        """How it ended; None: not yet."""
        worker = self.worker
        broker_alive(self.bench)
        if worker.finished():
            return worker.end()
        worker.poll()
        count, now = worker.watch_count()[0], time.monotonic()
        if count != self.count:
            self.count, self.changed_at = count, now
        patience_s = CLOSE_S if worker.closing else self.idle_s
        if now - self.changed_at > patience_s or now > self.deadline:
            return worker.stop(timeout_s=STOP_S)
        return None


def note_end(bench: Bench, worker: Worker, end: WorkerEnd, *, fatal: bool, planted: bool = False) -> None:
    """Write down how a worker ended: into run.json, and into the journal where it did not tell itself.

    planted: it was killed as the scenario wanted, which is no doubt about the evidence.
    """
    client = next(client for client in bench.run.meta["clients"] if client["worker"] == worker.name)
    client |= {"status": end.status, "exit_status": end.exit_status, "ended": end.ended}
    hello = worker.hello or {}
    client |= {key: hello[key] for key in ("client_version", "librdkafka", "pid") if hello.get(key)}
    if worker.effective:
        client["settings"] = worker.effective
    client["errors"] = worker.errors
    bench.run.save()
    if end.exit_status == EX_IOERR:
        raise HarnessError(
            "disk-full",
            f"{worker.name} could not record any more: {end.error or 'the disk is full'} ({bench.run.path})",
            "Free space there, or choose another folder with --out DIR. What was recorded so far is kept.",
        )
    why = (end.ended or {}).get("why")
    # A consumer may be stopped. A producer or reader that had to be did not do its work: half a scenario would pass.
    consumes = client.get("role") == "consume"
    given_up = (fatal or not consumes) and why == "stop"
    if end.status == "ended" and why != "error" and not given_up:
        return
    what = f"{end.describe()}; it made no progress and was given up" if given_up else end.describe()
    if fatal:
        raise HarnessError("worker-failed", what, f"Its log is {end.log}.")
    if end.status != "ended" and consumes:
        state = "killed" if end.status in ("killed", "hung") else "crashed"
        bench.journal.write("member", member=worker.name, state=state, by="fault" if planted else "nobody")
    if planted:
        return
    first, *more = what.splitlines()
    bench.journal.write("torn", why=f"{first} (more in logs/{end.log.name})" if more else first)


def note_stored(bench: Bench) -> None:
    """Read the group's stored offsets from outside, through the other family of clients.

    Told as of the moment before the question: a commit that another member makes meanwhile may be in the answer or not.
    So an answer that was long in coming, because a node was down, is asked for again.
    """
    partitions = range(bench.scenario.partitions)
    for _ in range(ASKED_AT_MOST):
        asked_at = time.monotonic_ns()
        stored = bench.admin.stored_offsets(bench.group, bench.topic, partitions, family=bench.witness)
        if time.monotonic_ns() - asked_at < LATE_S * 1e9:
            break
    for partition, offset in stored.items():
        bench.journal.write("stored", t=asked_at, partition=partition, offset=offset)


def lag(bench: Bench, ends: dict[int, tuple[int, int]]) -> dict[str, int]:
    """How far the group's stored offsets are behind the log's end, where they are."""
    stored = bench.admin.stored_offsets(bench.group, bench.topic, sorted(ends), family=bench.witness)
    behind = {partition: end - (stored[partition] or start) for partition, (start, end) in ends.items()}
    return {str(partition): lag for partition, lag in behind.items() if lag > 0}
