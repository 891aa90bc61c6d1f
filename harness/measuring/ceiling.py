"""The harness's own ceiling: the worker's loop with a client that costs nothing, for it hands over what it has ready.

A speed near it says more of the harness than of the client. It is measured behind the client under test, on the same
interpreter, with messages of the same size, the same recording, and batches of as many messages.
"""

from pathlib import Path
from typing import Any

from harness.bench import Bench, config
from harness.clients.pool import Worker
from harness.owner import signed_folder
from harness.scenario import Scenario

MESSAGES = 200_000
FEWEST = 100_000
"""With fewer messages a run's figures say little about speed, and less about how fast it could be."""
LIMIT_S = 60
BATCHES = {("kafka-python", "poll"): 500, ("kafka-python-ng", "poll"): 500, ("confluent-kafka", "consume"): 1}
"""How many messages a call hands over at most where nobody says; aiokafka's getmany(): as many as were fetched."""
GETMANY = 5_000


def measure(bench: Bench) -> dict[str, Any] | None:
    """{"messages", "throughput_msgs_per_s", "cpu_s_per_million"} of the null client; None where it told none."""
    with signed_folder("harness-ceiling-") as folder:
        ended = _run(bench, folder / "ceiling.bin")
    count, cpu_s, wall_s = (ended.get(f"steady_{name}") for name in ("count", "cpu_s", "wall_s"))
    if not count or not cpu_s or not wall_s:
        return None
    return {
        "messages": int(ended["deliveries"]),
        "throughput_msgs_per_s": count / wall_s,
        "cpu_s_per_million": cpu_s * 1e6 / count,
    }


def wanted(scenario: Scenario) -> bool:
    """Whether the run tells a speed."""
    one = scenario.members is None and (scenario.group is None or scenario.group.size in (None, 1))
    undisturbed = not scenario.faults and scenario.restarts is None and not scenario.while_produced
    return one and undisturbed and scenario.messages >= FEWEST


def _run(bench: Bench, history: Path) -> dict[str, Any]:
    scenario, env = bench.scenario, bench.clients.consumer
    adapter, count = env.spec.client.adapter, min(scenario.messages, MESSAGES)
    at_once = scenario.consumer.batch.max_records or BATCHES.get((adapter, scenario.api), GETMANY)
    batches = scenario.api in ("consume", "getmany") or (adapter, scenario.api) in BATCHES
    ends = {str(part): len(range(part, count, scenario.partitions)) for part in range(scenario.partitions)}
    made = config(bench, env, role="consume", worker="ceiling") | {
        "history": str(history),
        "client": "null",
        "api": "consume" if batches else "poll",
        "batch": {"max_records": min(at_once, count), "timeout_ms": 0},
        "end_offsets": ends,
        "ready_made": True,
    }
    worker: Worker = bench.pool.start(env.python, made, log=bench.run.log("ceiling"))
    end = worker.wait(LIMIT_S) or worker.stop()
    return end.ended or {}
