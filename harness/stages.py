"""The stages of a run that talk to processes: environments, producing, reading the log, consuming.

Each takes the `Bench` (everything that is set up once) and returns when it is over, with its evidence in files. A
worker that ends in any other way than it should is written into the journal, and so into the verdict; a broker that
ends is an error of the environment, not a verdict.
"""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.broker.admin import Admin
from harness.broker.base import Broker
from harness.clients.envs import ClientEnv, prepare
from harness.clients.pool import Pool, Worker, WorkerEnd
from harness.clients.settings import consumer_settings, isolation_setting, producer_settings, transactional
from harness.clients.spec import ClientSpec, parse_spec
from harness.errors import HarnessError
from harness.journal import Journal
from harness.report.progress import Progress
from harness.rundir import RunDir
from harness.scenario import Scenario

TOPIC = "harness"
GROUP = "harness"
POLL_S = 0.05
PRODUCE_IDLE_S = 60
"""A producer that acks nothing for so long is stopped, and so is a reader that finds nothing."""
READ_IDLE_S = 60
LIMIT_S = 3600
"""No stage lasts longer."""
STOP_S = 30
CLOSE_S = 60
"""A consumer whose loop is over may take so long in its own close(), which commits and leaves the group."""
EX_IOERR = 74
ISOLATION_BY_DEFAULT = {"confluent-kafka": "read_committed", "planted": "read_committed"}
"""librdkafka's default; kafka-python and aiokafka read uncommitted."""


@dataclass(frozen=True)
class Clients:
    """The environments that a run needs."""

    consumer: ClientEnv
    producer: ClientEnv
    reader: ClientEnv


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


def prepare_clients(scenario: Scenario, say: Callable[[str], None]) -> Clients:
    """Environments of the client under test, the producer, and the independent reader."""
    consumer = parse_spec(scenario.client).pinned()
    reader = ClientSpec(consumer.client.reader).pinned()
    producer = parse_spec(scenario.producer.client).pinned()
    return Clients(*(prepare(spec, progress=say, security=scenario.security) for spec in (consumer, producer, reader)))


def produce(bench: Bench, *, meanwhile: Callable[[], None]) -> None:
    """Create the topic and write the messages; the producer's history tells what was acked.

    `meanwhile` is called while the producer works, which nobody measures; it should take a second or two at most.
    """
    scenario = bench.scenario
    bench.admin.create_topic(bench.topic, partitions=scenario.partitions)
    env = bench.clients.producer
    config = _config(bench, env, role="produce", worker="p1") | {
        "settings": producer_settings(env.spec, defaults="equal", extra=scenario.producer.settings),
        "produce": {
            "producer": 1,
            "messages": scenario.messages,
            "transactions": scenario.producer.transactions and scenario.producer.transactions.model_dump(),
        },
        "planted": _planted(scenario.producer.planted, scenario.seed),
    }
    worker = _start(bench, env, config, given=scenario.producer.settings)
    meanwhile()
    end = _watch(bench, worker, "produce", scenario.messages, idle_s=PRODUCE_IDLE_S)
    _note_end(bench, worker, end, fatal=True)


def read_log(bench: Bench) -> dict[int, tuple[int, int]]:
    """Let the independent reader read every partition whole. Returns where each starts and ends.

    Where the producer writes transactions it reads a second time, what is committed: the log itself does not say which
    of its messages were aborted. If that reading fails, the run is in doubt.
    """
    ends = bench.admin.end_offsets(bench.topic)
    _read(bench, "reader", ends, isolation="read_uncommitted")
    producers = (client for client in bench.run.meta["clients"] if client["role"] == "produce")
    if any(transactional(client["settings"]) for client in producers):
        _read(bench, "reader_committed", ends, isolation="read_committed")
    return ends


def _read(bench: Bench, name: str, ends: dict[int, tuple[int, int]], *, isolation: str) -> None:
    env = bench.clients.reader
    all_of_it = isolation == "read_uncommitted"
    api = {"confluent-kafka": "consume", "aiokafka": "getmany"}.get(env.spec.library, env.spec.client.apis[-1])
    level = {} if all_of_it else isolation_setting(env.spec, isolation)
    config = _config(bench, env, role="read_log", worker=name) | {
        "api": api,
        "isolation": isolation,
        "settings": consumer_settings(env.spec, defaults="equal", api=api, group=None, extra=level),
        # What is committed ends at the last stable offset, for which the reader asks.
        "end_offsets": {str(partition): end for partition, (_, end) in ends.items()} if all_of_it else None,
    }
    worker = _start(bench, env, config)
    total = sum(end - start for start, end in ends.values())
    end = _watch(bench, worker, "read the log", total, idle_s=READ_IDLE_S)
    _note_end(bench, worker, end, fatal=all_of_it)


def consume(bench: Bench, ends: dict[int, tuple[int, int]]) -> None:
    """Run the client under test, restarted as the scenario says, until it has read everything or delivers no more."""
    scenario, env = bench.scenario, bench.clients.consumer
    extra = scenario.consumer.settings
    settings = consumer_settings(
        env.spec, defaults=scenario.consumer.defaults, api=scenario.api, group=bench.group, extra=extra
    )
    bench.run.meta["judging"]["reset"] = settings.get("auto.offset.reset") or settings.get("auto_offset_reset")
    bench.run.meta["judging"]["isolation"] = isolation(settings, env.spec.client.adapter)
    base = {
        "api": scenario.api,
        "group": bench.group,
        "settings": settings,
        "batch": scenario.consumer.batch.model_dump(),
        "end_offsets": {str(partition): end for partition, (_, end) in ends.items()},
        "planted": _planted(scenario.planted, scenario.seed),
    }
    if scenario.consumer.certificate == "foreign":
        base["connection"] = bench.broker.wrong_connection()
    stops: list[int | None] = [*_stops(scenario), None]
    deadline = time.monotonic() + scenario.drain.limit_s
    handed = 0
    for number, stop_after in enumerate(stops, 1):
        name = f"c{number}"
        config = _config(bench, env, role="consume", worker=name) | base | {"stop_after": stop_after}
        worker = _start(bench, env, config, given=extra)
        drain = _Drain(bench, ends, deadline)
        end = _watch(bench, worker, "consume", scenario.messages, drain=drain, before=handed)
        handed += worker.watch_count()[0]
        died_as_planted = end.status == "killed" and stop_after is not None and _dies(scenario)
        _note_end(bench, worker, end, fatal=False, planted=died_as_planted)
        _note_stored(bench)
        if drain.over or (end.status != "ended" and not died_as_planted):
            return
        if end.ended is not None and end.ended["why"] == "end_offsets":
            break  # Nothing is left for the restarts that were still to come.
    bench.journal.write("drained", waited_s=0, lag=_lag(bench, ends))


def check_log(bench: Bench, ends: dict[int, tuple[int, int]]) -> None:
    """The log was read before it was consumed: make sure that it has stayed what it was."""
    now = bench.admin.end_offsets(bench.topic)
    if now != ends:
        bench.journal.write("torn", why=f"the log changed after it was read independently: {ends} became {now}")


def _stops(scenario: Scenario) -> list[int]:
    """After how many deliveries each consumer is stopped, drawn from the seed."""
    if scenario.restarts is None:
        return []
    draw = random.Random(f"{scenario.seed}:restarts")
    low, high = scenario.restarts.after
    return [draw.randint(low, high) for _ in range(scenario.restarts.count)]


def isolation(settings: dict[str, Any], adapter: str) -> str:
    """The isolation level that a consumer was made with. Of those that know none, every message is read."""
    told = settings.get("isolation.level") or settings.get("isolation_level")
    return str(told or ISOLATION_BY_DEFAULT.get(adapter, "read_uncommitted"))


def _dies(scenario: Scenario) -> bool:
    """Whether the first planted client kills itself on purpose: the scenario's own fault, and no accident."""
    return scenario.planted is not None and scenario.planted.fault == "in_flight"


def _planted(block: Any, seed: int) -> dict[str, Any] | None:
    return None if block is None else {**block.model_dump(), "seed": seed}


def _config(bench: Bench, env: ClientEnv, *, role: str, worker: str) -> dict[str, Any]:
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
        "planted": None,
    }


def _start(bench: Bench, env: ClientEnv, config: dict[str, Any], given: dict[str, Any] | None = None) -> Worker:
    """Start a worker and note it in run.json."""
    name = str(config["worker"])
    worker = bench.pool.start(env.python, config, log=bench.run.log(name))
    bench.run.meta["clients"].append(
        {
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
    )
    return worker


class _Drain:
    """Decides when a consumer has had its chance, and notes that it had."""

    def __init__(self, bench: Bench, ends: dict[int, tuple[int, int]], deadline: float) -> None:
        self.bench = bench
        self.ends = ends
        self.start_s = bench.scenario.drain.start_s
        self.idle_s = bench.scenario.drain.idle_s
        self.deadline = deadline
        self.over = False

    def end(self, worker: Worker, waited_s: float, *, progressing: bool) -> None:
        """The wait is over: note who was still waiting for what, before the consumer is told to stop."""
        self.over = True
        if worker.watch_count()[0] == 0:
            said = f"; its last error: {worker.errors[-1]['error']}" if worker.errors else ", and it raised no error"
            self.bench.journal.write("torn", why=f"{worker.name} was handed nothing in {waited_s:.0f} s{said}")
        partitions = sorted(self.ends) if progressing else []
        lag = _lag(self.bench, self.ends)
        self.bench.journal.write("drained", waited_s=round(waited_s, 1), lag=lag, progressing=partitions)


def _watch(
    bench: Bench,
    worker: Worker,
    stage: str,
    total: int,
    *,
    idle_s: float = 0,
    drain: _Drain | None = None,
    before: int = 0,
) -> WorkerEnd:
    """Wait until a worker ends. One that makes no progress for too long is stopped, in order, then by force."""
    deadline = drain.deadline if drain is not None else time.monotonic() + LIMIT_S
    start_s, idle_s = (drain.start_s, drain.idle_s) if drain is not None else (idle_s, idle_s)
    seen, changed_at = 0, time.monotonic()
    while not worker.finished():
        worker.poll()
        count = worker.watch_count()[0]
        now = time.monotonic()
        if count != seen:
            seen, changed_at = count, now
        bench.progress.update(stage, before + count, total, worker.name)
        _broker_alive(bench)
        patience_s = CLOSE_S if worker.closing else idle_s if seen else start_s
        if now - changed_at > patience_s or now > deadline:
            if drain is not None and not worker.closing:
                drain.end(worker, now - changed_at, progressing=now - changed_at <= patience_s)
            return worker.stop(timeout_s=STOP_S)
        time.sleep(POLL_S)
    _broker_alive(bench)
    return worker.end()


def _broker_alive(bench: Bench) -> None:
    trouble = bench.broker.alive()
    if trouble is not None:
        raise HarnessError(
            "broker-died",
            trouble,
            "Run again; if it dies again, raise broker.heap_mb or read the broker's log. What was recorded is kept.",
        )


def _note_end(bench: Bench, worker: Worker, end: WorkerEnd, *, fatal: bool, planted: bool = False) -> None:
    """Write down how a worker ended: into run.json, and into the journal where it did not tell itself.

    planted: it was killed as the scenario wanted, which is no doubt about the evidence.
    """
    client = next(client for client in bench.run.meta["clients"] if client["worker"] == worker.name)
    client |= {"status": end.status, "exit_status": end.exit_status, "ended": end.ended}
    hello = worker.hello or {}
    client |= {key: hello[key] for key in ("client_version", "librdkafka") if hello.get(key)}
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
    reads = client.get("role") == "read_log"
    given_up = (fatal or reads) and why == "stop"
    if end.status == "ended" and why != "error" and not given_up:
        return
    what = f"{end.describe()}; it made no progress and was given up" if given_up else end.describe()
    if fatal:
        raise HarnessError("worker-failed", what, f"Its log is {end.log}.")
    if end.status != "ended" and not reads:
        state = "killed" if end.status in ("killed", "hung") else "crashed"
        bench.journal.write("member", member=worker.name, state=state, by="fault" if planted else "nobody")
    if planted:
        return
    bench.journal.write("torn", why=what)


def _note_stored(bench: Bench) -> None:
    """Read the group's stored offsets from outside, through the other family of clients."""
    partitions = range(bench.scenario.partitions)
    stored = bench.admin.stored_offsets(bench.group, bench.topic, partitions, family=bench.witness)
    for partition, offset in stored.items():
        bench.journal.write("stored", partition=partition, offset=offset)


def _lag(bench: Bench, ends: dict[int, tuple[int, int]]) -> dict[str, int]:
    """How far the group's stored offsets are behind the log's end, where they are."""
    stored = bench.admin.stored_offsets(bench.group, bench.topic, sorted(ends), family=bench.witness)
    behind = {partition: end - (stored[partition] or start) for partition, (start, end) in ends.items()}
    return {str(partition): lag for partition, lag in behind.items() if lag > 0}
