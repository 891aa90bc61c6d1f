"""What recording costs the measured client: its CPU time per message with and without, in interleaved pairs.

Run by hand: `python tests/benchmarks/recording_cost.py [--pairs N] [--only NAME]`. It starts the embedded broker,
writes a topic over mutual TLS, and lets fresh workers read it again and again: `off` (the application merely reads each
value), `throughput`, `loss`, `latency` (loss, with the time of each message), and the same backwards. A fixed piece of
work beside each tells how fast the machine is just then. README.md beside this file says how to read the table.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.broker.admin import Admin
from harness.broker.embedded import EmbeddedBroker
from harness.clients.envs import prepare
from harness.clients.pool import Pool
from harness.clients.spec import parse_spec

TOPIC = "cost"
PARTITIONS = 4
LIMIT_S = 300


@dataclass(frozen=True)
class Case:
    """One call of one client, and what recording may cost of its own CPU per message, in per cent."""

    name: str
    spec: str
    api: str
    max_records: int | None
    settings: dict[str, Any]
    throughput_max: float
    loss_max: float


CONFLUENT = {"auto.offset.reset": "earliest"}
OTHERS = {"auto_offset_reset": "earliest"}
CASES = (
    Case("confluent consume", "confluent-kafka==2.16.1", "consume", 5000, CONFLUENT, 3, 10),
    Case("confluent poll", "confluent-kafka==2.16.1", "poll", None, CONFLUENT, 3, 5),
    Case("aiokafka getmany", "aiokafka==0.14.0", "getmany", None, OTHERS, 3, 5),
    Case("kafka-python poll", "kafka-python[crc32c]==3.0.12", "poll", None, OTHERS, 3, 5),
)


class Bench:
    """A broker with a topic to read, and workers that read it."""

    def __init__(self, folder: Path, connection: dict[str, Any], pool: Pool, messages: int, size_bytes: int) -> None:
        self.folder = folder
        self.connection = connection
        self.pool = pool
        self.messages = messages
        self.size_bytes = size_bytes
        self.number = itertools.count(1)
        self.python = {
            spec: prepare(parse_spec(spec), progress=print, security="mutual_tls").python
            for spec in {case.spec for case in CASES}
        }

    def run(self, spec: str, client: str, **given: Any) -> dict[str, Any]:
        """One worker from start to end; its `ended` line."""
        name = f"w{next(self.number)}"
        history = self.folder / f"{name}.bin"
        config = {
            "worker": name,
            "run_id": 1,
            "history": str(history),
            "client": client,
            "connection": self.connection,
            "topic": TOPIC,
            "partitions": PARTITIONS,
            "payload": {"seed": 1, "size_bytes": self.size_bytes, "pool": 1024},
            **given,
        }
        worker = self.pool.start(self.python[spec], config, log=self.folder / f"{name}.log")
        end = worker.wait(LIMIT_S) or worker.stop()
        history.unlink(missing_ok=True)
        if end.status != "ended" or end.error or end.ended is None:
            sys.exit(end.describe())
        return end.ended

    def produce(self) -> None:
        ended = self.run(
            CASES[0].spec,
            "confluent-kafka",
            role="produce",
            record="loss",
            settings={"acks": "all", "enable.idempotence": True, "linger.ms": 50},
            produce={"producer": 1, "messages": self.messages},
        )
        if ended["acked"] != self.messages:
            sys.exit(f"only {ended['acked']} of {self.messages} messages were acked")

    def cpu_ns(self, case: Case, record: str) -> tuple[float, float]:
        """The worker's CPU nanoseconds per message in its steady state, and per fixed piece of work meanwhile."""
        share, more = divmod(self.messages, PARTITIONS)
        ends = {str(number): share + (number < more) for number in range(PARTITIONS)}
        ended = self.run(
            case.spec,
            parse_spec(case.spec).client.adapter,
            role="consume",
            record="loss" if record == "latency" else record,
            timed=record == "latency",
            api=case.api,
            group=f"g{time.monotonic_ns()}",
            settings=case.settings,
            batch={"max_records": case.max_records, "timeout_ms": 1000},
            end_offsets=ends,
            paced=True,
        )
        if ended["deliveries"] != self.messages:
            sys.exit(f"{case.name}, {record}: {ended['deliveries']} of {self.messages} messages delivered")
        return float(ended["steady_cpu_s"]) / int(ended["steady_count"]) * 1e9, float(ended["pace_ns"])


@dataclass(frozen=True)
class Cost:
    """What one mode of recording adds to one case, in per cent of the worker's CPU per message without it."""

    case: Case
    record: str
    off_ns: float
    median: float
    low: float  # the middle half of the rounds lies between these two
    high: float
    by_clock: float  # the median, CPU time not counted by that of the fixed piece of work
    target: float

    @property
    def ok(self) -> bool:
        return self.median <= self.target

    def __str__(self) -> str:
        spread = f"{self.low:+.1f} … {self.high:+.1f}"
        return (
            f"{self.case.name:18} {self.off_ns:6.0f} {self.record:10} {self.median:+6.1f}% {spread:>17} "
            f"{self.by_clock:+7.1f}% {self.target:6.0f}% {'ok' if self.ok else 'TOO DEAR'}"
        )


HEAD = f"{'client':18} {'off ns':>6} {'mode':10} {'median':>7} {'middle half':>17} {'by clock':>8} {'target':>7}"


def measure(bench: Bench, case: Case, pairs: int) -> list[Cost]:
    """The cost of each mode, from interleaved rounds of fresh processes."""
    orders = (("off", "throughput", "loss", "latency"), ("latency", "loss", "throughput", "off"))
    found: dict[str, list[tuple[float, float]]] = {record: [] for record in orders[0]}
    for number in range(pairs):
        for record in orders[number % 2]:
            found[record].append(bench.cpu_ns(case, record))
    off = found["off"]
    costs = []
    for record, target in (
        ("throughput", case.throughput_max),
        ("loss", case.loss_max),
        ("latency", case.loss_max),
    ):
        rounds = list(zip(found[record], off, strict=True))
        shares = sorted((one / pace / (other / other_pace) - 1) * 100 for (one, pace), (other, other_pace) in rounds)
        by_clock = statistics.median((one / other - 1) * 100 for (one, _), (other, _) in rounds)
        costs.append(
            Cost(
                case,
                record,
                off_ns=statistics.median(cpu for cpu, _ in off),
                median=statistics.median(shares),
                low=shares[len(shares) // 4],
                high=shares[-1 - len(shares) // 4],
                by_clock=by_clock,
                target=target,
            )
        )
        print(costs[-1], flush=True)
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=10, help="interleaved repeats of each case (10)")
    parser.add_argument("--messages", type=int, default=200_000, help="messages in the topic (200,000)")
    parser.add_argument("--size", type=int, default=200, help="bytes of each value (200)")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--kafka", default="4.3.1", help="release of the broker (4.3.1)")
    args = parser.parse_args()
    cases = [case for case in CASES if args.only in case.name]
    with tempfile.TemporaryDirectory(prefix="harness-cost-") as name:
        folder = Path(name)
        broker = EmbeddedBroker(
            kafka=args.kafka, heap_mb=512, start_timeout_s=60, run_log=folder / "broker.log", progress=print
        )
        with broker, Pool() as pool:
            with Admin(broker.connection("plaintext")) as admin:
                admin.create_topic(TOPIC, partitions=PARTITIONS)
            bench = Bench(folder, broker.connection("mutual_tls"), pool, args.messages, args.size)
            bench.produce()
            print(HEAD)
            costs = [cost for case in cases for cost in measure(bench, case, args.pairs)]
    sys.exit(0 if all(cost.ok for cost in costs) else 1)


if __name__ == "__main__":
    main()
