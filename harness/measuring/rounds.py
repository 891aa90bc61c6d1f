"""`harness measure`: clients side by side on one log, beside Kafka's own tools, in rounds of fresh processes.

Not a matrix: there each cell is a whole run, judged, with a page, and one after the other. Here the ways to read take
turns, forwards and backwards, so that a machine that slows down slows them all down, and each is measured several
times. Kafka's tools are no clients of the harness, and would be no cell.
"""

import statistics
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.broker.base import SECURITIES, refuse_unavailable
from harness.clients.envs import ClientEnv, prepare
from harness.clients.spec import parse_spec
from harness.errors import UsageError
from harness.measuring.course import TOPIC, Course, Way
from harness.measuring.table import WRONG
from harness.measuring.yardsticks import Yardsticks
from harness.owner import signed_folder
from harness.report.progress import Progress
from harness.scenario import Scenario

LIBRDKAFKA_BATCH = 5_000
FIGURES = ("throughput_msgs_per_s", "cpu_s_per_million", "rss_max_bytes", "received_per_message")


@dataclass
class Row:
    """One line of the table: what, over which connection, and its figures of each round."""

    what: str
    call: str
    security: str
    kind: str  # client, yardstick, producer, ceiling
    measure: Callable[[], dict[str, Any]]
    rounds: list[dict[str, Any]] = field(default_factory=list)

    def values(self, name: str) -> list[float]:
        return [told[name] for told in self.rounds if told.get(name) is not None]

    def median(self, name: str) -> float | None:
        values = self.values(name)
        return statistics.median(values) if values else None

    def sum(self, name: str) -> int:
        return int(sum(self.values(name)))

    def as_json(self) -> dict[str, Any]:
        medians = {name: self.median(name) for name in FIGURES}
        kept = {"what": self.what, "call": self.call, "security": self.security, "kind": self.kind}
        return kept | {
            "median": medians,
            **{name: self.sum(name) for name in WRONG},
            "rounds": self.rounds,
        }


def measure(
    scenario: Scenario,
    clients: Sequence[str],
    *,
    securities: Sequence[str],
    rounds: int,
    yardsticks: bool,
    progress: Progress,
) -> list[Row]:
    """All rows, in the order of the table. Raises HarnessError where one cannot be measured."""
    if "planted" in [parse_spec(text).library for text in clients]:
        what = "the client `planted` does what its scenario says, and has no speed of its own"
        raise UsageError("measure-usage", what, "`harness run planted/skip` runs it.")
    with signed_folder("harness-measure-") as folder, Course(scenario, folder, progress) as course:
        progress.say(f"writing {scenario.messages:,} messages")
        course.write(securities[0])
        rows = [*_clients(course, clients, securities), *_ceilings(course)]
        if yardsticks:
            rows += _yardsticks(course, securities, Yardsticks(scenario.broker.kafka, folder, progress=progress.say))
        for number in range(rounds):
            for row in rows if number % 2 == 0 else reversed(rows):
                progress.say(f"round {number + 1} of {rounds}: {row.what}, {row.call}, {row.security}")
                row.rounds.append(row.measure())
    return rows


def calls(scenario: Scenario, text: str) -> tuple[str, ...]:
    """The scenario's call where the client has it, else all of its own."""
    offered = parse_spec(text).pinned().client.apis
    return (scenario.api,) if scenario.api in offered else offered


def refuse(scenario: Scenario, securities: Sequence[str]) -> None:
    """Only plain reading is measured, over the connections that there are."""
    refuse_unavailable(scenario.broker)
    for name in securities:
        if name not in SECURITIES:
            what = f"--securities {name}: there is no such connection"
            raise UsageError("measure-usage", what, f"There are {' and '.join(SECURITIES)}.")
    odd = [name for name in ("members", "restarts", "planted") if getattr(scenario, name) is not None]
    odd += ["faults"] if scenario.faults else []
    odd += ["consume: while_produced"] if scenario.while_produced else []
    if odd:
        what = f"{scenario.name} has {', '.join(odd)}, and only plain reading is measured"
        raise UsageError("measure-usage", what, "Take a scenario of speed, such as ssl_iter_speed.")


def _clients(course: Course, clients: Sequence[str], securities: Sequence[str]) -> Iterator[Row]:
    scenario = course.scenario
    own = parse_spec(scenario.client).client.adapter
    for text in clients:
        spec = parse_spec(text).pinned()
        env = prepare(spec, progress=course.progress.say, security=securities[0])
        settings = scenario.consumer.settings if spec.client.adapter == own else {}
        for api in calls(scenario, text):
            batch = scenario.consumer.batch.max_records
            for security in securities:
                way = Way(env, api, security, batch if api in ("poll", "consume", "getmany") else None, settings)
                yield Row(str(spec), api, security, "client", _reading(course, way))


def _reading(course: Course, way: Way) -> Callable[[], dict[str, Any]]:
    return lambda: asdict(course.read(way))


def _ceilings(course: Course) -> Iterator[Row]:
    """The harness's own loops with a client that costs nothing: the fastest that a client could be here."""
    env = ClientEnv(parse_spec("null"), Path(sys.executable), sys.version.split()[0], None, {}, "null")
    for api, batch in (("consume", LIBRDKAFKA_BATCH), ("poll", LIBRDKAFKA_BATCH)):
        way = Way(env, api, "plaintext", batch)
        yield Row("null", "batches" if api == "consume" else "one by one", "none", "ceiling", _reading(course, way))


def _yardsticks(course: Course, securities: Sequence[str], tools: Yardsticks) -> Iterator[Row]:
    scenario = course.scenario
    spec = parse_spec("confluent-kafka").pinned()
    librdkafka = prepare(spec, progress=course.progress.say, security=securities[0])
    producer = parse_spec(scenario.producer.client).pinned()
    written = iter(range(10**6))

    def read(security: str) -> Callable[[], dict[str, Any]]:
        return lambda: tools.consumer(course.broker.connection(security), TOPIC, scenario.messages)

    def write(security: str) -> Callable[[], dict[str, Any]]:
        return lambda: course.write(security, f"written-{next(written)}")

    def perform(security: str) -> Callable[[], dict[str, Any]]:
        def go() -> dict[str, Any]:
            topic = f"written-{next(written)}"
            course.admin.create_topic(topic, partitions=scenario.partitions)
            connection = course.broker.connection(security)
            settings = {"acks": "all", "enable.idempotence": "true", "linger.ms": "5"}
            return tools.producer(connection, topic, scenario.messages, scenario.size_bytes, settings)

        return go

    for security in securities:
        way = Way(librdkafka, "consume", security, LIBRDKAFKA_BATCH)
        yield Row(str(spec), f"consume({LIBRDKAFKA_BATCH})", security, "yardstick", _reading(course, way))
        yield Row("Kafka", "ConsumerPerformance", security, "yardstick", read(security))
    for security in securities:
        yield Row(str(producer), "produce", security, "producer", write(security))
        yield Row("Kafka", "ProducerPerformance", security, "producer", perform(security))
