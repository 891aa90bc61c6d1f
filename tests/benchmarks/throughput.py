"""How much of a client's speed is left through the harness: the same loop written bare, in interleaved rounds.

Run by hand: `python tests/benchmarks/throughput.py [--rounds N] [--messages N]`. It starts the embedded broker, writes
one topic, and lets fresh processes read it over mutual TLS: bare, through a worker with `record: throughput`, and
Kafka's own ConsumerPerformance. README.md beside this file says how to read the table.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.clients.envs import prepare
from harness.clients.settings import consumer_settings
from harness.clients.spec import parse_spec
from harness.measuring.course import TOPIC, Course, Way
from harness.measuring.yardsticks import Yardsticks
from harness.report.progress import Silent
from harness.scenario import Scenario

BARE = Path(__file__).with_name("bare.py")
SECURITY = "mutual_tls"
RATE, CPU = "throughput_msgs_per_s", "cpu_s_per_million"


@dataclass(frozen=True)
class Case:
    """One loop, and how much of its bare throughput the harness must leave, in per cent."""

    name: str
    spec: str
    api: str
    batch: int | None
    share_min: float


CASES = (
    Case("confluent consume", "confluent-kafka==2.16.1", "consume", 5000, 90),
    Case("kafka-python poll", "kafka-python[crc32c]==3.0.12", "poll", None, 95),
)


def scenario(messages: int, size_bytes: int) -> Scenario:
    keys = {"about": "x", "client": "kafka-python", "api": "poll", "messages": messages, "size_bytes": size_bytes}
    return Scenario.model_validate(keys | {"record": "throughput"})


class Bench:
    """Both ways to run a case on one course."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.runs = 0
        self.envs = {case.spec: prepare(parse_spec(case.spec), progress=print, security=SECURITY) for case in CASES}

    def through_harness(self, case: Case) -> dict[str, float]:
        reading = self.course.read(Way(self.envs[case.spec], case.api, SECURITY, case.batch))
        if reading.lost or reading.repeated:
            sys.exit(f"{case.name}: {reading.lost} lost, {reading.repeated} repeated")
        return {RATE: reading.throughput_msgs_per_s, CPU: reading.cpu_s_per_million}

    def bare(self, case: Case) -> dict[str, float]:
        env = self.envs[case.spec]
        self.runs += 1
        settings = consumer_settings(
            env.spec, defaults="as_shipped", api=case.api, group=f"bare-{self.runs}", extra=self._connection(env.spec)
        )
        config = {
            "client": env.spec.client.adapter, "settings": settings, "topic": TOPIC, "batch": case.batch,
            "messages": self.course.scenario.messages,
        }  # fmt: skip
        command = [str(env.python), "-I", str(BARE), json.dumps(config)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        if ran.returncode:
            sys.exit(ran.stderr)
        told: dict[str, float] = json.loads(ran.stdout)
        return told

    def _connection(self, spec: Any) -> dict[str, Any]:
        to = self.course.broker.connection(SECURITY)
        if spec.client.family == "librdkafka":
            return {
                "bootstrap.servers": to["bootstrap"], "security.protocol": "SSL", "ssl.ca.location": to["ca"],
                "ssl.certificate.location": to["cert"], "ssl.key.location": to["key"],
            }  # fmt: skip
        return {
            "bootstrap_servers": to["bootstrap"], "security_protocol": "SSL", "ssl_cafile": to["ca"],
            "ssl_certfile": to["cert"], "ssl_keyfile": to["key"],
        }  # fmt: skip


HEAD = f"{'':20} {'messages/s':>11} {'CPU s/million':>14} {'of bare':>8} {'middle half':>16} {'CPU':>8} {'target':>7}"


def row(name: str, rounds: list[dict[str, float]], more: str = "") -> str:
    rate, cpu = (statistics.median(told[key] for told in rounds) for key in (RATE, CPU))
    return f"{name:20} {rate:11,.0f} {cpu:14.2f} {more}"


def compare(bench: Bench, case: Case, rounds: int) -> tuple[list[str], bool]:
    """The lines of one case, and whether enough is left: the median of the rounds' ratios, each of neighbours."""
    bare: list[dict[str, float]] = []
    through: list[dict[str, float]] = []
    ways: list[tuple[Callable[[Case], dict[str, float]], list[dict[str, float]]]] = [
        (bench.bare, bare), (bench.through_harness, through)
    ]  # fmt: skip
    for number in range(rounds):
        for measure, kept in ways if number % 2 == 0 else reversed(ways):
            kept.append(measure(case))
    shares = sorted(100 * mine[RATE] / plain[RATE] for mine, plain in zip(through, bare, strict=True))
    costs = [100 * mine[CPU] / plain[CPU] for mine, plain in zip(through, bare, strict=True)]
    share = statistics.median(shares)
    half = f"{shares[len(shares) // 4]:.0f} … {shares[-1 - len(shares) // 4]:.0f} %"
    ok = share >= case.share_min
    told = (
        f"{share:7.1f}% {half:>16} {statistics.median(costs):7.1f}% {case.share_min:6.0f}% {'ok' if ok else 'TOO SLOW'}"
    )
    return [row(f"{case.name}, bare", bare), row("  through the harness", through, told)], ok


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10, help="interleaved repeats of each case (10)")
    parser.add_argument("--messages", type=int, default=500_000, help="messages in the topic (500,000)")
    parser.add_argument("--size", type=int, default=200, help="bytes of each value (200)")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="harness-throughput-") as name:
        folder, oks = Path(name), []
        with Course(scenario(args.messages, args.size), folder, Silent()) as course:
            course.write(SECURITY)
            bench = Bench(course)
            print(HEAD)
            for case in CASES:
                if args.only in case.name:
                    lines, ok = compare(bench, case, args.rounds)
                    print("\n".join(lines), flush=True)
                    oks.append(ok)
            tools = Yardsticks(course.scenario.broker.kafka, folder, progress=lambda text: None)
            to = course.broker.connection(SECURITY)
            told = [tools.consumer(to, TOPIC, args.messages) for _ in range(max(1, args.rounds // 3))]
            print(row("ConsumerPerformance", told))
    sys.exit(0 if all(oks) else 1)


if __name__ == "__main__":
    main()
