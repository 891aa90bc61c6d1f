"""The stages of a run that talk to processes: environments, producing, reading the log, consuming.

Each takes the `Bench` (everything that is set up once) and returns when it is over, with its evidence in files. A
worker that ends in any other way than it should is written into the journal, and so into the verdict; a broker that
ends is an error of the environment, not a verdict.
"""

import time
from collections.abc import Callable
from typing import Any

from harness.bench import CLOSE_S, GROUP, POLL_S, STOP_S, Bench, Clients, broker_alive, note_stored
from harness.bench import config as _config
from harness.bench import note_end as _note_end
from harness.bench import start as _start
from harness.clients.envs import prepare
from harness.clients.pool import Worker, WorkerEnd
from harness.clients.settings import consumer_settings, isolation_setting, producer_settings, transactional
from harness.clients.spec import ClientSpec, parse_spec
from harness.compaction import SETTINGS as COMPACTION
from harness.compaction import await_holes, share
from harness.faults import faults_of, faults_of_producing, schedule
from harness.group import Group
from harness.members import ISOLATION_BY_DEFAULT, members_of, planted
from harness.recording import own_events
from harness.refusal import Watch
from harness.rundir import write_json
from harness.scenario import Scenario
from harness.writing import Writing

__all__ = ["GROUP", "Bench", "Clients", "check_log", "consume", "isolation", "prepare_clients", "produce", "read_log"]

PRODUCE_IDLE_S = 60
"""A producer that acks nothing for so long is stopped, and so is a reader that finds nothing."""
READ_IDLE_S = 60
LIMIT_S = 3600
"""No stage lasts longer."""


def prepare_clients(scenario: Scenario, say: Callable[[str], None]) -> Clients:
    """Environments of the client under test, the producer, and the independent reader."""
    consumer = parse_spec(scenario.client).pinned()
    reader = ClientSpec(consumer.client.reader).pinned()
    producer = parse_spec(scenario.producer.client).pinned()
    own = {name: parse_spec(one.client).pinned() for name, one in (scenario.members or {}).items() if one.client}
    made = {
        text: prepare(spec, progress=say, security=scenario.security)
        for text, spec in {str(spec): spec for spec in (consumer, producer, reader, *own.values())}.items()
    }
    return Clients(
        made[str(consumer)],
        made[str(producer)],
        made[str(reader)],
        {name: made[str(spec)] for name, spec in own.items()},
    )


def produce(bench: Bench, *, meanwhile: Callable[[], None]) -> None:
    """Create the topic and write the messages; the producer's history tells what was acked.

    `meanwhile` is called while the producer works, which nobody measures; it should take a second or two at most. Where
    faults need their turns meanwhile it is called before. A producer that then fails leaves the run in doubt; without a
    fault there is no run.
    """
    scenario = bench.scenario
    compacted = scenario.topic.compacted
    settings = {name: _topic_setting(value) for name, value in scenario.topic.settings.items()}
    settings |= COMPACTION if compacted else {}
    bench.admin.create_topic(bench.topic, partitions=scenario.partitions, config=settings)
    env = bench.clients.producer
    config = _config(bench, env, role="produce", worker="p1") | {
        "settings": producer_settings(env.spec, defaults="equal", extra=scenario.producer.settings),
        "produce": {
            "producer": 1,
            "messages": scenario.messages,
            "transactions": scenario.producer.transactions and scenario.producer.transactions.model_dump(),
            "compacted": compacted,
            "rate": scenario.producer.rate,
        },
        "planted": planted(scenario.producer.planted, scenario.seed),
    }
    plans = schedule(scenario)
    if plans:
        write_json(bench.run.path / "faults.json", plans)
    faults = faults_of_producing(plans)
    if faults:
        meanwhile()
    worker = _start(bench, env, config, given=scenario.producer.settings)
    if not faults:
        meanwhile()
    writing = Writing(bench, worker, faults)
    try:
        end = _watch(bench, worker, "produce", scenario.messages, idle_s=PRODUCE_IDLE_S, writing=writing)
    finally:
        writing.finish()
    _note_end(bench, worker, end, fatal=not faults)
    if compacted:
        await_holes(lambda: bench.admin.messages_held(bench.topic), share(scenario.messages, scenario.partitions))


def _topic_setting(value: Any) -> str:
    """Kafka takes text."""
    if isinstance(value, list):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


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
    """Run the clients under test, as the scenario says, until they have read everything or deliver no more."""
    members = members_of(bench, ends)
    judging = bench.run.meta["judging"]
    first = members[0].base["settings"]
    reset = first.get("auto.offset.reset") or first.get("auto_offset_reset")
    judging["reset"] = "none" if reset == "error" else reset  # librdkafka's word for it
    levels = {isolation(member.base["settings"], member.env.spec.client.adapter) for member in members}
    judging["isolation"] = "read_uncommitted" if "read_uncommitted" in levels else "read_committed"
    if bench.scenario.group is not None and bench.scenario.group.committed is not None:
        bench.admin.store_offsets(bench.group, bench.topic, dict.fromkeys(ends, bench.scenario.group.committed))
        note_stored(bench)
    faults = faults_of(schedule(bench.scenario))
    case = bench.scenario.consumer.refused
    watch = None if case is None else Watch(bench, case, members[0])
    group = Group(bench, members, ends, faults)
    if faults:
        group.view()  # The first question opens a connection, and takes a second that no fault may lose.
    group.run()
    if watch is not None:
        bench.journal.write("refusal", **watch.evidence())


def check_log(bench: Bench, ends: dict[int, tuple[int, int]]) -> None:
    """The log was read before it was consumed: make sure that it has stayed what it was."""
    now = bench.admin.end_offsets(bench.topic)
    added = max((fault.add_partitions or 0 for fault in bench.scenario.faults), default=0)
    # Partitions that a fault has added are empty: nothing is produced any more.
    new = {partition: (0, 0) for partition in range(len(ends), max(added, len(ends))) if partition in now}
    for event in own_events(bench.run.events)[0]:
        if event.type == "deleted":
            start, end = ends[event.data["partition"]]
            new[event.data["partition"]] = max(start, event.data["before"]), end
    if now != ends | new:
        bench.journal.write("torn", why=f"the log changed after it was read independently: {ends} became {now}")


def isolation(settings: dict[str, Any], adapter: str) -> str:
    """The isolation level that a consumer was made with. Of those that know none, every message is read."""
    told = settings.get("isolation.level") or settings.get("isolation_level")
    return str(told or ISOLATION_BY_DEFAULT.get(adapter, "read_uncommitted"))


def _watch(
    bench: Bench, worker: Worker, stage: str, total: int, *, idle_s: float, writing: Writing | None = None
) -> WorkerEnd:
    """Wait until a worker ends. One that makes no progress for too long is stopped, in order, then by force.

    writing: its faults get their turns, and no silence counts that they may have made.
    """
    deadline = time.monotonic() + LIMIT_S
    seen, changed_at = 0, time.monotonic()
    while not worker.finished():
        worker.poll()
        count = worker.watch_count()[0]
        now = time.monotonic()
        if count != seen:
            seen, changed_at = count, now
        if writing is not None:
            writing.turn(now)
            changed_at = max(changed_at, writing.settled_at)
        bench.progress.update(stage, count, total, worker.name)
        broker_alive(bench)
        patience_s = CLOSE_S if worker.closing else idle_s
        if now - changed_at > patience_s or now > deadline:
            return worker.stop(timeout_s=STOP_S)
        time.sleep(POLL_S)
    broker_alive(bench)
    return worker.end()
