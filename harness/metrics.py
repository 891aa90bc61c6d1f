"""Pure: how fast, at what cost, and how long each stage took, from what the workers told and recorded.

Throughput and CPU are the consumer's. A run with restarts gets none: most of its time is starting and stopping, so its
figures would say nothing about the client. Nor does one that reads while messages are produced: it is as fast as they.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.history import History
from harness.lag import lag
from harness.rebalances import group_costs

BINS = 300
FAULT_MARKS = {"injecting": "", "healed": " healed"}
"""The phases of a fault that stand on the time axis, and what is said of them behind its name."""


def measure(history: History, meta: dict[str, Any]) -> dict[str, Any]:
    """metrics.json. `meta` is the content of run.json; times in seconds, sizes in bytes, CPU in seconds."""
    consumers = [client for client in meta.get("clients", []) if client["role"] == "consume"]
    producers = [client for client in meta.get("clients", []) if client["role"] == "produce"]
    scenario = meta.get("scenario_settings", {})
    size_bytes = scenario.get("size_bytes")
    live = scenario.get("consume") == "while_produced"
    one = consumers[0]["ended"] if len(consumers) == 1 and consumers[0].get("ended") else None
    speed = _speed(one, size_bytes) if one and not live else {}
    made = _speed(producers[0]["ended"], size_bytes) if producers and producers[0].get("ended") else {}
    several = "speed is not measured in a run with restarts or several members: use a speed scenario"
    paced = "speed is not measured at a fixed rate: latency is"
    note = paced if live else "" if len(consumers) < 2 else several
    # A client that could not be made ends without figures.
    sizes = [client["ended"].get("rss_max_bytes") for client in consumers if client.get("ended")]
    return {
        "throughput_msgs_per_s": speed.get("throughput_msgs_per_s"),
        "mb_per_s": speed.get("mb_per_s"),
        "cpu_s_per_million": speed.get("cpu_s_per_million"),
        "wall_s": speed.get("wall_s"),
        "wire": _wire(one, size_bytes) if one else None,
        "ceiling": meta.get("ceiling"),
        "rss_max_bytes": max((size for size in sizes if size is not None), default=None),
        "processes": _processes(consumers),
        "speed_note": note,
        "stages": meta.get("stages", []),
        "producer": made,
        "recording": {"mode": scenario.get("record"), "note": _recording_note(scenario.get("record"))},
        "group": group_costs(history),
        "faults": _faults(history),
        "worst_stall_s": _worst_stall_s(history),
        "timeline": _timeline(history),
        "marks": _marks(history),
    }


def _speed(ended: dict[str, Any], size_bytes: int | None) -> dict[str, Any]:
    """One worker's speed: messages between its first and its last one, CPU from making the client to the last one."""
    count = int(ended.get("deliveries") or ended.get("acked") or 0)
    first, last = ended.get("first_ns"), ended.get("last_ns")
    wall_s = (last - first) / 1e9 if first and last and last > first else None
    rate = count / wall_s if wall_s and count else None
    cpu_s = ended.get("cpu_s")
    return {
        "messages": count,
        "wall_s": wall_s,
        "throughput_msgs_per_s": rate,
        "mb_per_s": rate * size_bytes / 1e6 if rate and size_bytes else None,
        "cpu_s_per_million": cpu_s * 1e6 / count if cpu_s is not None and count else None,
    }


def _wire(ended: dict[str, Any], size_bytes: int | None) -> dict[str, Any] | None:
    """Bytes on the connections that a worker had at its end; None where it cannot tell.

    Fewer than its messages hold: then it had others before, and what those carried is not known.
    """
    wire = ended.get("wire")
    if not isinstance(wire, dict) or not all(isinstance(wire.get(f"bytes_{way}"), int) for way in ("received", "sent")):
        return None
    count = int(ended.get("deliveries") or ended.get("acked") or 0)
    if not count or not size_bytes or wire["bytes_received"] < count * size_bytes:
        return None
    each = {way: round(wire[f"bytes_{way}"] / count, 1) for way in ("received", "sent")}
    return wire | {"received_per_message": each["received"], "sent_per_message": each["sent"]}


def _processes(consumers: list[dict[str, Any]]) -> dict[str, Any]:
    """The consumers' processes, each counted once, however many of the members are its threads.

    cpu_s: of all of them, from start to end; None where one of them did not live to tell.
    """
    used: dict[Any, float | None] = {}
    for client in consumers:
        pid, cpu_s = client.get("pid") or client.get("worker"), (client.get("ended") or {}).get("process_cpu_s")
        so_far = used.get(pid, 0.0)
        used[pid] = None if cpu_s is None or so_far is None else max(so_far, cpu_s)
    known = [cpu_s for cpu_s in used.values() if cpu_s is not None]
    return {"count": len(used), "cpu_s": round(sum(known), 3) if len(known) == len(used) else None}


def _recording_note(mode: str | None) -> str:
    if mode == "throughput":
        return "identities only, kept in memory; see tests/benchmarks for what it costs"
    return "every delivery with its offset, written before it is processed; see tests/benchmarks for what it costs"


def _worst_stall_s(history: History) -> float | None:
    """The longest time in which nobody was handed anything, from the first message to the last; None without any."""
    spans = sorted(history.delivered_at)
    if not spans:
        return None
    reached, worst = spans[0][1], 0
    for since, until, _ in spans:
        worst, reached = max(worst, since - reached), max(reached, until)
    return round(worst / 1e9, 3)


def _timeline(history: History) -> dict[str, Any]:
    """Messages per second over time, delivered and acked, in at most BINS equal bins from the first event on.

    lag: at the end of each bin; empty where it is not known.
    """
    streams = {"delivered": history.delivered_at, "produced": history.acked_at}
    times = [until for arrivals in streams.values() for _, until, _ in arrivals]
    if not times:
        return {"t_s": [], "delivered": [], "produced": [], "lag": []}
    began = history.began
    length_s = max((max(times) - began) / 1e9, 1e-3)
    width_s = max(length_s / BINS, 0.05)
    edges = np.arange(0, length_s + 2 * width_s, width_s)
    rates = {
        name: [round(rate, 1) for rate in (_per_bin(arrivals, began, edges) / width_s).tolist()]
        for name, arrivals in streams.items()
    }
    return {"t_s": [round(t, 3) for t in edges[:-1].tolist()], **rates, "lag": lag(history, edges[1:])}


def _per_bin(arrivals: list[tuple[int, int, int]], began: int, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """Messages by bin; what is known only to have come between two moments is spread evenly over them."""
    if not arrivals:
        return np.zeros(len(edges) - 1)
    columns = np.array(arrivals, np.float64)
    since, until, counts = (columns[:, 0] - began) / 1e9, (columns[:, 1] - began) / 1e9, columns[:, 2]
    long = until - since > edges[1] - edges[0]
    bins: NDArray[np.float64] = np.histogram(since[~long], edges, weights=counts[~long])[0]
    for start, end, count in zip(since[long], until[long], counts[long], strict=True):
        bins += np.diff(np.clip((edges - start) / (end - start), 0, 1)) * count
    return bins


def _faults(history: History) -> list[dict[str, Any]]:
    """What was done on purpose, each time: when it began and was undone, its last proved effect, or why it had none."""
    rows: list[dict[str, Any]] = []
    running: dict[str, dict[str, Any]] = {}
    for event in history.faults:
        name, phase, at_s = str(event.data["fault"]), event.data["phase"], round((event.at - history.began) / 1e9, 3)
        if phase == "injecting" or name not in running:
            running[name] = {"t_s": at_s, "until_s": None, "fault": name, "effect": None, "why": None}
            rows.append(running[name])
        row = running[name]
        row["effect"] = event.data.get("effect") or row["effect"]
        row["why"] = event.data.get("why") or row["why"]
        row["until_s"] = at_s if phase == "healed" else row["until_s"]
    return rows


def _marks(history: History) -> list[dict[str, Any]]:
    """When consumers started, when faults began and were undone, and what else belongs on the time axis."""
    began = history.began
    marks = [
        {"t_s": round((stream.events[0].at - began) / 1e9, 3), "text": f"{stream.member} started"}
        for stream in history.streams
        if stream.events
    ]
    marks += [
        {"t_s": round((event.at - began) / 1e9, 3), "text": str(event.data["fault"]) + FAULT_MARKS[event.data["phase"]]}
        for event in history.faults
        if event.data["phase"] in FAULT_MARKS
    ]
    if history.drained is not None:
        marks.append({"t_s": round((history.drained.at - began) / 1e9, 3), "text": "drain over"})
    return sorted(marks, key=lambda mark: float(str(mark["t_s"])))
