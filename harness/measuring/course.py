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
from numpy.typing import NDArray

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
READER_BATCH = {"consume": 5_000}

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Way:
    """A client's call, over a kind of connection. batch: messages a call; None: as the library does.

    wasted: a share of its own CPU time that the worker burns beside it, to see that this is found; planted: what the
    planted client does on purpose.
    """

    env: ClientEnv
    api: str
    security: str
    batch: int | None = None
    settings: dict[str, Any] | None = None
    wasted: float = 0.0
    planted: dict[str, Any] | None = None


@dataclass(frozen=True)
class Reading:
    """What one process did in its steady state: all but making the client, joining, and its first batch (or block).

    pace_ns: the CPU time that a fixed piece of work took in the same process meanwhile, on average; None unless asked.
    lost, repeated, corrupt, strange: of all its messages, how many never came, came again, came with a wrong value
    (looked at is the first of each call), or came under an identity that nobody sent.
    """

    messages: int
    throughput_msgs_per_s: float
    cpu_s_per_million: float
    pace_ns: float | None
    rss_max_bytes: int
    received_per_message: float | None
    lost: int
    repeated: int
    corrupt: int
    strange: int


class Course:
    """A context: leaving it ends the broker. folder: for logs and recordings; what is in it is the caller's.

    paced: whether the readers do a fixed piece of work now and then, which tells how fast the machine is; 1 % more.
    """

    def __init__(self, scenario: Scenario, folder: Path, progress: Progress, *, paced: bool = False) -> None:
        self.scenario = scenario
        self.folder = folder
        self.progress = progress
        self.paced = paced
        self.topic = TOPIC
        self.limit_s: float = LIMIT_S
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

    def turn_to(self, topic: str, messages: int, security: str) -> None:
        """Write another topic of so many messages, to be read from now on."""
        self.scenario = self.scenario.model_copy(update={"messages": messages})
        self.write(security, topic)
        self.topic = topic

    def read(self, way: Way) -> Reading:
        """Let a fresh process read the topic from its beginning to its end. Raises HarnessError where it did not."""
        ended, counts = self._deliver(way)
        count, wall_s, cpu_s = (ended.get(f"steady_{name}") or 0 for name in ("count", "wall_s", "cpu_s"))
        if not count or not wall_s or not cpu_s:
            raise HarnessError("too-few", f"{way.env.spec} read all in one call: nothing is left to be measured")
        wire, deliveries = ended.get("wire") or {}, int(ended["deliveries"])
        whole = wire.get("bytes_received", 0) >= deliveries * self.scenario.size_bytes
        return Reading(
            messages=deliveries,
            throughput_msgs_per_s=count / wall_s,
            cpu_s_per_million=cpu_s * 1e6 / count,
            pace_ns=ended.get("pace_ns"),
            rss_max_bytes=int(ended["rss_max_bytes"]),
            received_per_message=wire["bytes_received"] / deliveries if whole else None,
            lost=int((counts == 0).sum()),
            repeated=int((counts > 1).sum()),
            corrupt=int(ended["corrupt"]),
            strange=deliveries - int(counts.sum()),
        )

    def check(self, env: ClientEnv, security: str) -> None:
        """Let a client of another family read the topic, which must hold every message once: what a client then does
        not hand over was there to be handed over. Raises HarnessError `worker-failed`."""
        api = {"confluent-kafka": "consume", "aiokafka": "getmany"}.get(env.spec.library, env.spec.client.apis[-1])
        ended, counts = self._deliver(Way(env, api, security, READER_BATCH.get(api)))
        wrong = int((counts != 1).sum()) + int(ended["corrupt"]) + int(ended["deliveries"]) - int(counts.sum())
        if wrong:
            raise HarnessError("worker-failed", f"the log is not what was written: {env.spec} found {wrong:,} wrong")

    def _deliver(self, way: Way) -> tuple[dict[str, Any], Counts]:
        """One process reads the topic to its end: what it told, and by message how often it was handed over."""
        scenario = self.scenario
        group = f"measure-{next(self._number)}"
        defaults, extra = scenario.consumer.defaults, way.settings or {}
        settings = consumer_settings(way.env.spec, defaults=defaults, api=way.api, group=group, extra=extra)
        ended, history = self._run(
            way.env,
            way.security,
            role="consume",
            topic=self.topic,
            api=way.api,
            group=group,
            settings=settings,
            batch={"max_records": way.batch, "timeout_ms": scenario.consumer.batch.timeout_ms},
            end_offsets={str(partition): share for partition, share in self.ends().items()},
            ready_made=True,
            paced=self.paced,
            wasted=way.wasted,
            planted=way.planted,
        )
        if ended["why"] != "end_offsets":
            # A slow client is no losing client: what it would have read is not known.
            what = f"{way.env.spec} had read {ended['deliveries']:,} of {scenario.messages:,} messages"
            what += f" when it ended ({ended['why']})"
            raise HarnessError("worker-failed", what, "Give it more time, or fewer messages.")
        counts = self._counts(history, int(ended["deliveries"]))
        history.unlink()
        return ended, counts

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
        end = worker.wait(self.limit_s) or worker.stop()
        if end.status != "ended" or end.error or end.ended is None:
            raise HarnessError("worker-failed", end.describe(log_stays=False))
        log.unlink()
        return end.ended, history

    def _counts(self, history: Path, deliveries: int | None = None) -> Counts:
        """By message, how often it was delivered, as the recorded identities say.

        deliveries: so many must be recorded; raises HarnessError `bad-recording` where they are not.
        """
        messages, partitions = self.scenario.messages, self.scenario.partitions
        counts = np.zeros(messages, np.int64)
        tape, recorded = open_tape(history), 0
        for frame in tape.frames():
            if frame.kind == DELIVER_KEYS:
                keys = np.frombuffer(frame.data, "<u8", frame.length * 3, frame.start)
                numbers = keys[1::3].astype(np.int64) * partitions + (keys[0::3] >> np.uint64(48)).astype(np.int64)
                ours = (keys[0::3] & np.uint64(0xFFFFFFFF)) == self._run_id
                ours &= (numbers >= 0) & (numbers < messages)
                counts += np.bincount(numbers[ours], minlength=messages)
                recorded += frame.length
        if tape.torn or (deliveries is not None and recorded != deliveries):
            what = tape.torn or f"{recorded:,} of {deliveries:,} deliveries are recorded"
            raise HarnessError("bad-recording", f"{history.name}: {what}", "What was lost cannot be told from it.")
        return counts
