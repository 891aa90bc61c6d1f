"""A warm broker with one topic that was written once, for fresh processes to read again and again.

Nothing but reading is done there: no page, no folder for each reading. What a reading delivered is counted from the
identities that it recorded, so a fast client that loses a message is found out here, too.
"""

import contextlib
import itertools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from harness.bench import IDLE_APPLICATION
from harness.broker.admin import Admin
from harness.broker.base import open_broker
from harness.clients.envs import ClientEnv, prepare
from harness.clients.pool import Pool
from harness.clients.settings import consumer_settings, producer_settings
from harness.clients.spec import parse_spec
from harness.errors import HarnessError
from harness.frames import DELIVER_KEYS, open_tape
from harness.report.progress import Progress
from harness.scenario import Scenario

TOPIC = "measure"
LIMIT_S = 600


@dataclass(frozen=True)
class Way:
    """A client's call, over a kind of connection. batch: messages a call; None: as the library does."""

    env: ClientEnv
    api: str
    security: str
    batch: int | None = None
    settings: dict[str, Any] | None = None


@dataclass(frozen=True)
class Reading:
    """What one process did in its steady state: all but making the client, joining, and its first batch (or block)."""

    messages: int
    throughput_msgs_per_s: float
    cpu_s_per_million: float
    rss_max_bytes: int
    received_per_message: float | None
    lost: int
    repeated: int


class Course:
    """A context: leaving it ends the broker. folder: for logs and recordings; what is in it is the caller's."""

    def __init__(self, scenario: Scenario, folder: Path, progress: Progress) -> None:
        self.scenario = scenario
        self.folder = folder
        self.progress = progress
        self._number = itertools.count(1)
        self._run_id = int.from_bytes(os.urandom(4), "little") or 1
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            log = self.folder / "broker.log"
            self.broker = stack.enter_context(
                open_broker(self.scenario.broker, run_log=log, progress=self.progress.say, proxied=False)
            )
            self.admin = stack.enter_context(Admin(self.broker.own_connection()))
            self.pool = stack.enter_context(Pool())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def write(self, security: str, topic: str = TOPIC) -> dict[str, float]:
        """Write the scenario's messages into a new topic, all of them acked; the producer's speed and CPU."""
        scenario = self.scenario
        self.admin.create_topic(topic, partitions=scenario.partitions)
        env = prepare(parse_spec(scenario.producer.client).pinned(), progress=self.progress.say, security=security)
        settings = producer_settings(env.spec, defaults="equal", extra=scenario.producer.settings)
        produce = {"producer": 1, "messages": scenario.messages}
        ended, _ = self._run(env, security, role="produce", topic=topic, settings=settings, produce=produce)
        if ended["acked"] != scenario.messages:
            raise HarnessError("worker-failed", f"only {ended['acked']:,} of {scenario.messages:,} messages were acked")
        wall_s = (ended["last_ns"] - ended["first_ns"]) / 1e9
        return {
            "throughput_msgs_per_s": scenario.messages / wall_s,
            "cpu_s_per_million": ended["cpu_s"] * 1e6 / scenario.messages,
        }

    def read(self, way: Way) -> Reading:
        """Let a fresh process read the topic from its beginning to its end."""
        scenario = self.scenario
        group = f"measure-{next(self._number)}"
        defaults, extra = scenario.consumer.defaults, way.settings or {}
        settings = consumer_settings(way.env.spec, defaults=defaults, api=way.api, group=group, extra=extra)
        ended, history = self._run(
            way.env,
            way.security,
            role="consume",
            topic=TOPIC,
            api=way.api,
            group=group,
            settings=settings,
            batch={"max_records": way.batch, "timeout_ms": scenario.consumer.batch.timeout_ms},
            end_offsets={str(partition): share for partition, share in self.ends().items()},
            ready_made=True,
        )
        counts = self._counts(history)
        history.unlink()
        count, wall_s, cpu_s = (ended.get(f"steady_{name}") or 0 for name in ("count", "wall_s", "cpu_s"))
        if not count or not wall_s or not cpu_s:
            raise HarnessError("too-few", f"{way.env.spec} read all in one call: nothing is left to be measured")
        wire = ended.get("wire") or {}
        whole = wire.get("bytes_received", 0) >= int(ended["deliveries"]) * scenario.size_bytes
        return Reading(
            messages=int(ended["deliveries"]),
            throughput_msgs_per_s=count / wall_s,
            cpu_s_per_million=cpu_s * 1e6 / count,
            rss_max_bytes=int(ended["rss_max_bytes"]),
            received_per_message=wire["bytes_received"] / ended["deliveries"] if whole else None,
            lost=int((counts == 0).sum()),
            repeated=int((counts > 1).sum()),
        )

    def ends(self) -> dict[int, int]:
        messages, partitions = self.scenario.messages, self.scenario.partitions
        return {partition: len(range(partition, messages, partitions)) for partition in range(partitions)}

    def _run(self, env: ClientEnv, security: str, **given: Any) -> tuple[dict[str, Any], Path]:
        """One worker from start to end: what it told, and its recording. Raises HarnessError `worker-failed`."""
        scenario, name = self.scenario, f"w{next(self._number)}"
        history, log = self.folder / f"{name}.bin", self.folder / f"{name}.log"
        config = {
            "worker": name,
            "run_id": self._run_id,
            "history": str(history.absolute()),
            "record": "throughput",
            "client": env.spec.client.adapter,
            "connection": self.broker.connection(security),
            "partitions": scenario.partitions,
            "payload": {"seed": scenario.seed, "size_bytes": scenario.size_bytes, "pool": 1024},
            "application": IDLE_APPLICATION,
            **given,
        }
        worker = self.pool.start(env.python, config, log=log)
        end = worker.wait(LIMIT_S) or worker.stop()
        if end.status != "ended" or end.error or end.ended is None:
            raise HarnessError("worker-failed", end.describe(), f"Its log is {end.log}.")
        log.unlink()
        return end.ended, history

    def _counts(self, history: Path) -> np.ndarray[Any, np.dtype[np.int64]]:
        """By message, how often it was delivered, as the recorded identities say."""
        messages, partitions = self.scenario.messages, self.scenario.partitions
        counts = np.zeros(messages, np.int64)
        for frame in open_tape(history).frames():
            if frame.kind == DELIVER_KEYS:
                keys = np.frombuffer(frame.data, "<u8", frame.length * 3, frame.start)
                numbers = keys[1::3].astype(np.int64) * partitions + (keys[0::3] >> np.uint64(48)).astype(np.int64)
                ours = (keys[0::3] & np.uint64(0xFFFFFFFF)) == self._run_id
                ours &= (numbers >= 0) & (numbers < messages)
                counts += np.bincount(numbers[ours], minlength=messages)
        return counts
