"""The stages of a run that talk to processes: environments, producing, reading the log, consuming.

Each takes the `Bench` (everything that is set up once) and returns when it is over, with its evidence in files. A
worker that ends in any other way than it should is written into the journal, and so into the verdict; a broker that
ends is an error of the environment, not a verdict.
"""

import time
from collections.abc import Callable
from typing import Any

from harness.bench import GROUP, POLL_S, Bench, Clients, Watch, note_stored
from harness.bench import config as _config
from harness.bench import note_end as _note_end
from harness.bench import start as _start
from harness.clients.envs import prepare
from harness.clients.pool import Worker
from harness.clients.settings import consumer_settings, isolation_setting, producer_settings, transactional
from harness.clients.spec import ClientSpec, parse_spec
from harness.clients.worker_end import WorkerEnd
from harness.compaction import SETTINGS as COMPACTION
from harness.compaction import await_holes, share
from harness.faults import faults_of, faults_of_producing, schedule
from harness.feed import Feed
from harness.group import Ends, Group
from harness.members import ISOLATION_BY_DEFAULT, members_of, planted
from harness.recording import own_events
from harness.refusal import Vigil
from harness.rundir import write_json
from harness.scenario import Scenario
from harness.writing import Writing

__all__ = [
    "GROUP",
    "Bench",
    "Clients",
    "check_log",
    "consume",
    "isolation",
    "prepare_clients",
    "produce",
    "produce_and_consume",
    "read_log",
]

PRODUCE_IDLE_S = 60
"""A producer that acks nothing for so long is stopped, and so is a reader that finds nothing."""
READ_IDLE_S = 60


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
    _create_topic(bench)
    faults = faults_of_producing(_schedule(bench))
    if faults:
        meanwhile()
    worker = _start_producer(bench)
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


def _create_topic(bench: Bench) -> None:
    topic = bench.scenario.topic
    settings = {name: _topic_setting(value) for name, value in topic.settings.items()}
    settings |= COMPACTION if topic.compacted else {}
    copies = topic.replication or -1
    bench.admin.create_topic(bench.topic, partitions=bench.scenario.partitions, config=settings, replication=copies)


def _schedule(bench: Bench) -> list[dict[str, Any]]:
    """The faults as drawn from the seed, and kept."""
    plans = schedule(bench.scenario)
    if plans:
        write_json(bench.run.path / "faults.json", plans)
    return plans


def _start_producer(bench: Bench) -> Worker:
    scenario, env = bench.scenario, bench.clients.producer
    config = _config(bench, env, role="produce", worker="p1") | {
        "settings": producer_settings(env.spec, defaults="equal", extra=scenario.producer.settings),
        "produce": {
            "producer": 1,
            "messages": scenario.messages,
            "transactions": scenario.producer.transactions and scenario.producer.transactions.model_dump(),
            "compacted": scenario.topic.compacted,
            "rate": scenario.producer.rate,
            "on_schedule": scenario.while_produced,
        },
        "planted": planted(scenario.producer.planted, scenario.seed),
    }
    return _start(bench, env, config, given=scenario.producer.settings)


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


def produce_and_consume(bench: Bench, *, meanwhile: Callable[[], None]) -> None:
    """Create the topic and let the clients under test join; once they own it, write while they read.

    They are told where the topic will end when all is written, and where it does end once it is.
    """
    _create_topic(bench)
    _schedule(bench)
    meanwhile()
    messages, partitions = bench.scenario.messages, bench.scenario.partitions
    planned = {partition: (0, len(range(partition, messages, partitions))) for partition in range(partitions)}
    feed = Feed(bench, lambda: _start_producer(bench), idle_s=PRODUCE_IDLE_S)
    consume(bench, planned, feed)


def consume(bench: Bench, ends: Ends, feed: Feed | None = None) -> None:
    """Run the clients under test, as the scenario says, until they have read everything or deliver no more.

    feed: writes the topic meanwhile; `ends` is then where it is to end.
    """
    bench.admin.claim_group(bench.group)
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
    vigil = None if case is None else Vigil(bench, case, members[0])
    group = Group(bench, members, ends, faults, feed, vigil)
    if faults or feed is not None:
        group.view()  # The first question opens a connection, and takes a second that no fault may lose.
    group.run()
    if vigil is not None:
        bench.journal.write("refusal", **vigil.evidence())


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
    watch = Watch(bench, worker, idle_s=idle_s)
    while (end := watch.turn()) is None:
        if writing is not None:
            writing.turn(time.monotonic())
            watch.changed_at = max(watch.changed_at, writing.settled_at)
        bench.progress.update(stage, watch.count, total, worker.name)
        time.sleep(POLL_S)
    return end
