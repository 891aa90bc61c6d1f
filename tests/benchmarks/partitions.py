"""What the number of partitions costs: speed, the first assignment, a rebalance, and memory, of three libraries.

Run by hand: `python tests/benchmarks/partitions.py [--rounds N] [--partitions N,N]`. For each number of partitions it
starts an embedded broker with one topic, and the libraries in turn, forwards and backwards: a member reads the whole
topic; then a second one joins a first one that has read on. README.md beside this file says how to read the table.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import frames
from harness.broker.admin import Admin
from harness.broker.embedded import EmbeddedBroker
from harness.clients.envs import ClientEnv, prepare
from harness.clients.pool import Pool, Worker
from harness.clients.settings import consumer_settings, producer_settings
from harness.clients.spec import parse_spec
from harness.history import Event
from harness.reader import Reader

NUMBERS = (1, 10, 100, 500, 1000, 2000)
CLIENTS = {
    "confluent-kafka==2.16.1": ("consume", 5000, {"enable.auto.commit": False}),
    "kafka-python[crc32c]==3.0.12": ("poll", None, {"enable_auto_commit": False}),
    "aiokafka==0.14.0": ("getmany", None, {"enable_auto_commit": False}),
}
"""The call, how many messages it is asked for at most, and settings."""
TOPIC = "partitions"
SMALL_INDEXES = {"segment.index.bytes": "102400"}
"""A broker sets aside 20 MB for the indexes of each partition otherwise."""
LIMIT_S = 300
SUBSCRIBE = {"do": "subscribe", "listener": True}
FIRST = [SUBSCRIBE, {"do": "take", "count": 1}, {"do": "tell", "word": "reads"}, {"do": "read", "until": "over"}]
FIGURES = {"messages/s": 0, "first assignment s": 2, "rebalance s": 2, "client MB": 0, "broker MB": 0}
"""Each with its decimals."""
STALLED = "stalled"


@dataclass(frozen=True)
class Bench:
    """One broker whose topic has so many partitions."""

    folder: Path
    broker: EmbeddedBroker
    pool: Pool
    envs: dict[str, ClientEnv]
    partitions: int
    messages: int
    numbers: "itertools.count[int]"

    def start(self, spec: str, **given: Any) -> Worker:
        name = f"w{next(self.numbers)}"
        env = self.envs[spec]
        config = {
            "worker": name,
            "run_id": 1,
            "history": str(self.folder / f"{name}.bin"),
            "record": "throughput",
            "client": env.spec.client.adapter,
            "connection": self.broker.connection("plaintext"),
            "topic": TOPIC,
            "partitions": self.partitions,
            "payload": {"seed": 1, "size_bytes": 200, "pool": 1024},
            "listen": True,
            **given,
        }
        return self.pool.start(env.python, config, log=self.folder / f"{name}.log")

    def produce(self) -> None:
        spec = next(iter(CLIENTS))
        settings = producer_settings(self.envs[spec].spec, defaults="equal", extra={})
        written = {"producer": 1, "messages": self.messages}
        ended = self.ended(self.start(spec, role="produce", settings=settings, produce=written))
        if ended["acked"] != self.messages:
            sys.exit(f"only {ended['acked']} of {self.messages} messages were acked")

    def member(self, spec: str, group: str, **given: Any) -> Worker:
        """A consumer that begins at the log's start and commits nothing."""
        api, at_most, own = CLIENTS[spec]
        env = self.envs[spec].spec
        settings = consumer_settings(env, defaults="equal", api=api, group=group, extra=own)
        batch = {"max_records": at_most, "timeout_ms": 100}
        return self.start(spec, role="consume", api=api, group=group, settings=settings, batch=batch, **given)

    def ended(self, worker: Worker) -> dict[str, Any]:
        end = worker.wait(LIMIT_S) or worker.stop()
        if end.status != "ended" or end.error or end.ended is None:
            sys.exit(end.describe())
        return end.ended

    def events(self, worker: Worker) -> list[Event]:
        items = Reader(frames.open_tape(worker.history)).items()
        return [item for _, item in items if isinstance(item, Event)]

    def alone(self, spec: str) -> dict[str, float]:
        """One member reads the whole topic."""
        share, more = divmod(self.messages, self.partitions)
        ends = {str(number): share + (number < more) for number in range(self.partitions)}
        worker = self.member(spec, f"alone{next(self.numbers)}", end_offsets=ends)
        ended = self.ended(worker)
        if ended["deliveries"] != self.messages:
            print(f"{spec}: {ended['deliveries']} of {self.messages} messages in {LIMIT_S} s", file=sys.stderr)
            return {STALLED: 1}
        events = self.events(worker)
        began, assigned = told(events, "member")[0], told(events, "assign")[0]
        return {
            "messages/s": ended["deliveries"] / (ended["last_ns"] - assigned) * 1e9,
            "first assignment s": (assigned - began) / 1e9,
            "client MB": ended["rss_max_bytes"] / 1e6,
        }

    def joined(self, spec: str) -> dict[str, float]:
        """A second member joins: from its first request to the last assignment of either."""
        group = f"joined{next(self.numbers)}"
        first = self.member(spec, group, script=FIRST)
        self.hear("reads", first)
        second = self.member(spec, group, script=FIRST)
        self.hear("reads", second, first)
        for worker in (first, second):
            worker.send({"cmd": "word", "word": "over"})
        for worker in (first, second):
            self.ended(worker)
        began = told(self.events(second), "member")[0]
        over = told(self.events(second), "revoke") or [sys.maxsize]
        answers = [at for one in (first, second) for at in told(self.events(one), "assign") if began < at < over[-1]]
        return {"rebalance s": (max(answers) - began) / 1e9}

    def hear(self, word: str, worker: Worker, *others: Worker) -> None:
        """Wait until a worker has told this word."""
        deadline = time.monotonic() + LIMIT_S
        while word not in worker.told():
            if worker.finished() or time.monotonic() > deadline:
                sys.exit(f"never came to tell {word}: {worker.stop().describe()}")
            for one in (worker, *others):
                one.poll()
            time.sleep(0.01)


def told(events: list[Event], kind: str) -> list[int]:
    """When a member told of this."""
    return [event.at for event in events if event.type == kind]


def resident_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in status if line.startswith("VmRSS:")).split()[1]) / 1000


Measured = dict[tuple[int, str], dict[str, list[float]]]


def measure(bench: Bench, specs: list[str], measured: Measured) -> None:
    bench.produce()
    for spec in specs:
        figures = bench.alone(spec)
        if bench.partitions > 1:
            figures |= bench.joined(spec)
        for name, value in {**figures, "broker MB": resident_mb(bench.broker.pid)}.items():
            measured[bench.partitions, spec][name].append(value)
        print(f"{bench.partitions:5} {spec:30} {figures}", file=sys.stderr, flush=True)


def table(measured: Measured) -> str:
    lines = [f"| partitions | client | {' | '.join(FIGURES)} |", f"|{' --- |' * (len(FIGURES) + 2)}"]
    for (partitions, spec), figures in sorted(measured.items()):
        cells = [spread(figures.get(name, []), digits) for name, digits in FIGURES.items()]
        cells[0] += f"; {len(figures[STALLED])} stalled" if STALLED in figures else ""
        lines.append(f"| {partitions:,} | {spec} | {' | '.join(cells)} |")
    return "\n".join(lines)


def spread(values: list[float], digits: int) -> str:
    """`median (least … most)`."""
    if not values:
        return "–"
    least, middle, most = (f"{value:,.{digits}f}" for value in (min(values), statistics.median(values), max(values)))
    return f"{middle} ({least} … {most})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="interleaved repeats (3)")
    parser.add_argument("--messages", type=int, default=100_000, help="messages in the topic, of 200 bytes (100,000)")
    parser.add_argument("--partitions", default=",".join(map(str, NUMBERS)), help="numbers of partitions")
    parser.add_argument("--heap", type=int, default=2048, help="the broker's heap in MiB (2048)")
    args = parser.parse_args()
    envs = {spec: prepare(parse_spec(spec), progress=print, security="plaintext") for spec in CLIENTS}
    measured: Measured = defaultdict(lambda: defaultdict(list))
    for number in range(args.rounds):
        for partitions in map(int, args.partitions.split(",")):
            with tempfile.TemporaryDirectory(prefix="harness-partitions-") as name:
                folder = Path(name)
                broker = EmbeddedBroker(
                    kafka="4.3.1",
                    heap_mb=args.heap,
                    start_timeout_s=120,
                    run_log=folder / "log",
                    progress=lambda _: None,
                )
                with broker, Pool() as pool:
                    with Admin(broker.connection("plaintext"), timeout_s=120) as admin:
                        admin.create_topic(TOPIC, partitions=partitions, config=SMALL_INDEXES)
                        # Nobody shall pay for the broker's first group.
                        admin.stored_offsets("nobody", TOPIC, [0], family="kafka-python")
                    bench = Bench(folder, broker, pool, envs, partitions, args.messages, itertools.count(1))
                    measure(bench, list(CLIENTS)[:: 1 if number % 2 == 0 else -1], measured)
    print(table(measured))


if __name__ == "__main__":
    main()
