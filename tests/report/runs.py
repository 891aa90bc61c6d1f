"""Folders of runs, as the reports find them: a PASS, the FAIL of the founding story, an UNKNOWN, a hostile one."""

import copy
import json
from pathlib import Path
from typing import Any

from harness.matrix.rows import COLUMNS

START_NS = 81_000_000_000_000
WALL_NS = 1_763_900_000_000_000_000
FATES = ("delivered", "publish_loss", "skipped", "committed_ahead", "illegal_start", "stalled", "unread", "gone")
ANOMALIES = (
    "log_duplicate",
    "legal_redelivery",
    "excess_redelivery",
    "repeat",
    "reordered",
    "foreign",
    "double_owner",
    "phantom",
    "corrupt",
    "misrouted",
    "two_values",
    "aborted_read",
    "torn_transaction",
    "commit_lost",
    "silent_send",
    "committed_at_risk",
)
HOSTILE = '<script>alert("x")</script>]]></system-out>[bold red]PASS[/]\x00\x1b[2J\x07\ud800\u202e\ufffe" onload="x'


def at(seconds: float) -> int:
    """ns since the first event, as the judge tells times."""
    return int(seconds * 1e9)


def passed() -> dict[str, dict[str, Any]]:
    """ssl_iter with a release that loses nothing: 40,000 messages, ten restarts."""
    return {"verdict.json": _verdict(), "metrics.json": _metrics(), "run.json": _run("3.0.12")}


def matrix() -> dict[str, Any]:
    """matrix.json of 13 clients in six scenarios: every verdict, every shade of speed, settings that changed."""
    clients = [f"kafka-python[crc32c]=={major}.0.{minor}" for major in (1, 2, 3) for minor in range(4)]
    verdicts = ("PASS", "PASS", "FAIL", "PASS", "UNKNOWN")
    cells = [
        dict.fromkeys(COLUMNS)
        | {"scenario": f"textbook/killed_before_commit_{name}", "client": client, "api": "iterator", "number": 0}
        | {"security": "mutual_tls", "state": "done", "verdict": verdicts[(place + name) % 5], "run": f"runs/{place}"}
        | {"why": "200 messages in partition 3 never handed over to anybody", "lost": 200, "beside": False}
        | ({"throughput_msgs_per_s": 600_000 / 1.6**place, "cpu_s_per_million": 3.7} if name == 5 else {})
        for name in range(6)
        for place, client in enumerate(clients)
    ]
    cells.append(cells[0] | {"client": "aiokafka==0.14.0", "state": "refused", "verdict": None, "run": None})
    settings = {client: {"consumer": {"acks": place // 2}, "producer": {}} for place, client in enumerate(clients)}
    told = {"name": "matrix", "matrix": "20261126T163225Z-matrix-matrix-2bc8", "finished": False, "seconds": 4000}
    return told | {"cells": cells, "settings": settings, "command": ["harness", "matrix", "scenarios/matrix.yaml"]}


def _verdict() -> dict[str, Any]:
    return {
        "verdict": "PASS",
        "guarantee": "at_least_once",
        "sent": 40_000,
        "acked": 40_000,
        "nacked": 0,
        "unknown": 0,
        "aborted": 0,
        "judged": 40_000,
        "deliveries": 40_118,
        "fates": {kind: 40_000 if kind == "delivered" else 0 for kind in FATES},
        "committed_ahead_of": {"never_handed_over": 0, "in_flight": 0},
        "anomalies": {kind: 118 if kind == "legal_redelivery" else 0 for kind in ANOMALIES},
        "reasons": ["All 40,000 acknowledged messages were delivered; 118 of them again, which at-least-once allows."],
        "examples": [],
        "spans": [
            {
                "kind": "legal_redelivery",
                "partition": 1,
                "first_offset": 2_310,
                "last_offset": 2_427,
                "count": 118,
                "blame": "",
                "text": "Delivered by c2, and again to c3, which started at the stored offset 2,310.",
            }
        ],
        "spans_left_out": 0,
        "partitions": [
            {
                "partition": p,
                "acked": 10_000,
                "in_log": 10_000,
                "delivered": 10_000,
                "lost": 0,
                "redelivered": 118 if p == 1 else 0,
                "unread": 0,
                "log_start": 0,
                "log_end": 10_000,
                "stored": 10_000,
            }
            for p in range(4)
        ],
        "ownerships": _ownerships(),
        "notes": ["kafka-python reads uncommitted by default, librdkafka committed; no transactions took part here."],
    }


def _ownerships() -> list[dict[str, Any]]:
    ends = [0, 700, 1_500, 2_400, 3_050, 4_100, 5_000, 6_150, 6_900, 7_700, 8_800, 10_000]
    times = [9.2, 11.0, 12.7, 14.6, 16.1, 18.4, 20.2, 22.6, 24.3, 26.0, 28.3, 31.0]
    return [
        {
            "member": f"c{i + 1}",
            "partition": p,
            "start_ns": at(times[i] + 0.3),
            "end_ns": at(times[i + 1]) if i < 10 else None,
            "first_offset": ends[i],
            "last_offset": ends[i + 1] - 1,
            "deliveries": ends[i + 1] - ends[i],
        }
        for i in range(11)
        for p in range(4)
    ]


def _metrics() -> dict[str, Any]:
    seconds = [round(4.5 + i * 0.1, 1) for i in range(270)]
    wave = [((i * 7919) % 13 - 6) * 4 for i in range(270)]
    return {
        "throughput_msgs_per_s": 1834.2,
        "mb_per_s": 9.17,
        "cpu_s_per_million": 121.4,
        "rss_max_bytes": 84_303_872,
        "wall_s": 21.8,
        "stages": [
            {"name": "broker start", "seconds": 4.31},
            {"name": "client environments", "seconds": 0.82},
            {"name": "producing", "seconds": 3.9},
            {"name": "reading the log", "seconds": 1.12},
            {"name": "consuming", "seconds": 21.83},
            {"name": "judging", "seconds": 0.21},
        ],
        "timeline": {
            "t_s": seconds,
            "delivered": [0 if t < 9.4 or (i % 22) < 3 else 2_100 + 10 * wave[i] for i, t in enumerate(seconds)],
            "produced": [10_200 + 10 * wave[i] if t < 8.4 else 0 for i, t in enumerate(seconds)],
        },
        "marks": [
            {"t_s": t, "text": f"c{i + 2} started"}
            for i, t in enumerate([11.0, 12.7, 14.6, 16.1, 18.4, 20.2, 22.6, 24.3, 26.0, 28.3])
        ],
        "recording": {"mode": "loss", "note": "every delivery with its offset, written before it is processed"},
        "producer": {"throughput_msgs_per_s": 10_256.4},
    }


def _run(version: str) -> dict[str, Any]:
    consumer = {
        "role": "consume",
        "spec": f"kafka-python=={version}",
        "client_version": version,
        "librdkafka": None,
        "python": "3.8.20",
        "api": "iterator",
        "settings": {
            "auto_offset_reset": "earliest",
            "enable_auto_commit": True,
            "auto_commit_interval_ms": 5000,
            "group_id": "founding",
            "max_poll_records": 500,
            "fetch_max_bytes": 52_428_800,
            "check_crcs": True,
            "isolation_level": "read_uncommitted",
            "session_timeout_ms": 10_000,
            "ssl_check_hostname": True,
        },
        "given": {"auto_offset_reset": "earliest", "enable_auto_commit": True, "group_id": "founding"},
        "status": "ended: stop_after",
    }
    others = [
        {
            "worker": "p1",
            "role": "produce",
            "spec": "confluent-kafka==2.16.1",
            "client_version": "2.16.1",
            "librdkafka": "2.16.0",
            "python": "3.11.9",
            "api": None,
            "settings": {"acks": "all", "enable.idempotence": True, "linger.ms": 5},
            "given": {"acks": "all"},
            "status": "ended: done",
        },
        {
            "worker": "reader",
            "role": "read_log",
            "spec": "confluent-kafka==2.16.1",
            "client_version": "2.16.1",
            "librdkafka": "2.16.0",
            "python": "3.11.9",
            "api": "consume",
            "settings": {},
            "given": {},
            "status": "ended",
        },
    ]
    return {
        "format": 1,
        "run": "20261123T181200Z-ssl_iter-a1f3",
        "scenario": "ssl_iter",
        "marks": [
            {"stage": stage, "wall_ns": WALL_NS + i * 10**9, "monotonic_ns": START_NS + i * 10**9}
            for i, stage in enumerate(("started", "broker_ready", "clients_ready", "produced", "recorded", "judged"))
        ],
        "command": ["harness", "run", "scenarios/ssl_iter.yaml", "--client", f"kafka-python=={version}", "--seed", "7"],
        "seed": 7,
        "harness_version": "0.1.0",
        "commit": "16b6b2d",
        "environment": {
            "os": "Linux 6.1.0",
            "cpu": "x86-64",
            "cores": 2,
            "memory_bytes": 8_273_539_072,
            "python": "3.11.9",
        },
        "broker": {"backend": "embedded", "kafka": "4.3.1", "java": "25.0.1", "nodes": 1, "heap_mb": 512},
        "clients": [{"worker": f"c{i}", **copy.deepcopy(consumer)} for i in range(1, 12)] + others,
        "errors": [],
        "scenario_settings": {
            "about": "The documented loop of kafka-python over mutual TLS, stopped and started again ten times.",
            "guarantee": "at_least_once",
            "client": f"kafka-python=={version}",
            "api": "iterator",
            "security": "mutual_tls",
            "broker": {"backend": "embedded", "kafka": "4.3.1", "heap_mb": 512},
            "partitions": 4,
            "messages": 40_000,
            "size_bytes": 5_000,
            "producer": {"client": "confluent-kafka==2.16.1", "settings": {"acks": "all"}},
            "restarts": {"count": 10, "after": [100, 1_200]},
            "record": "loss",
            "drain": {"idle_s": 10, "limit_s": 60},
            "planted": None,
            "seed": 7,
        },
    }


def failed() -> dict[str, dict[str, Any]]:
    """K1: two chunks of 208 committed and never handed over."""
    files = passed()
    files["run.json"] = _run("2.0.2")
    verdict = files["verdict.json"]
    verdict["verdict"] = "FAIL"
    verdict["deliveries"] = 39_584
    verdict["fates"].update(delivered=39_584, committed_ahead=416)
    verdict["committed_ahead_of"]["never_handed_over"] = 416
    verdict["anomalies"]["legal_redelivery"] = 0
    verdict["reasons"] = [
        "416 messages lost: a commit covered them before the client had handed them over, and the next owner began "
        "behind them.",
        "They are in the log: partitions 1 and 3, first at offset 2,192.",
    ]
    verdict["spans"] = [
        {
            "kind": "committed_ahead",
            "partition": partition,
            "first_offset": first,
            "last_offset": first + 207,
            "count": 208,
            "blame": "consumer",
            "text": f"{member} committed offset {first + 208:,} having been handed nothing beyond {first - 1:,}; "
            f"{heir} began at {first + 208:,}.",
        }
        for partition, first, member, heir in ((1, 2_192, "c3", "c4"), (3, 6_692, "c8", "c9"))
    ]
    verdict["examples"] = [_k1_example(1, 2_192, "c3", "c4", 14.6), _k1_example(3, 6_692, "c8", "c9", 24.3)]
    for partition in (1, 3):
        verdict["partitions"][partition].update(delivered=9_792, lost=208, redelivered=0)
    verdict["partitions"][1]["redelivered"] = 0
    return files


def _k1_example(partition: int, first: int, member: str, heir: str, left_s: float) -> dict[str, Any]:
    return {
        "kind": "committed_ahead",
        "partition": partition,
        "offset": first,
        "producer": "p1",
        "seq": first,
        "blame": "consumer",
        "timeline": [
            {"t_ns": at(6.1042), "text": "sent by p1"},
            {"t_ns": at(6.1129), "text": f"acknowledged at offset {first:,}"},
            {"t_ns": None, "text": f"in the log at offset {first:,}"},
            {
                "t_ns": at(left_s - 0.004),
                "text": f"{member} committed offset {first + 208:,}; handed over up to {first - 1:,}",
            },
            {"t_ns": at(left_s), "text": f"{member} left in order"},
            {"t_ns": at(left_s + 0.3), "text": f"{heir} took partition {partition}; stored offset {first + 208:,}"},
            {"t_ns": at(left_s + 0.3127), "text": f"{heir} was handed offset {first + 208:,}, its first"},
        ],
    }


def unknown() -> dict[str, dict[str, Any]]:
    """The consumer stopped being served before the end: unread messages, no measurement of the consumer."""
    files = passed()
    verdict = files["verdict.json"]
    verdict["verdict"] = "UNKNOWN"
    verdict["deliveries"] = 31_204
    verdict["fates"].update(delivered=31_204, unread=8_796)
    verdict["anomalies"]["legal_redelivery"] = 0
    verdict["reasons"] = [
        "8,796 messages were not delivered by the end of the drain of 60 s; nothing proves them lost.",
        "The end of worker c8 was recorded by nobody.",
    ]
    verdict["spans"] = []
    for row in verdict["partitions"]:
        row.update(delivered=7_801, unread=2_199, stored=7_801, redelivered=0)
    verdict["ownerships"] = verdict["ownerships"][:32]
    for key in ("throughput_msgs_per_s", "cpu_s_per_million", "rss_max_bytes"):
        files["metrics.json"][key] = None
    del files["metrics.json"]["mb_per_s"]
    files["run.json"]["errors"] = ["worker c8 ended by signal 9 (SIGKILL) after 2,304 deliveries; see logs/c8.log"]
    return files


def hostile() -> dict[str, dict[str, Any]]:
    """Every text, and every key that is free, holds markup, escapes and characters that do not exist."""
    files = failed()
    for content in files.values():
        _poison(content)
    files["verdict.json"].update(verdict="FAIL", guarantee=HOSTILE)
    for row in files["verdict.json"]["spans"] + files["verdict.json"]["examples"]:
        row["kind"] = HOSTILE
    for client, role in zip(files["run.json"]["clients"], ("consume", "produce", "read_log"), strict=False):
        client["role"] = role
        client["settings"][HOSTILE] = HOSTILE
        client["given"][HOSTILE] = [HOSTILE]
    files["run.json"]["errors"] = [HOSTILE, {"where": HOSTILE, "error": HOSTILE}]
    return files


def _poison(value: Any) -> None:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(item, str):
            value[key] = HOSTILE
        elif isinstance(item, dict | list):
            _poison(item)


def huge() -> dict[str, dict[str, Any]]:
    """More of everything than a page can hold."""
    files = failed()
    verdict = files["verdict.json"]
    verdict["spans"] = [dict(verdict["spans"][0], partition=i, text="why " * 2000) for i in range(3000)]
    verdict["examples"] = [
        dict(verdict["examples"][0], timeline=verdict["examples"][0]["timeline"] * 100) for _ in range(500)
    ]
    verdict["partitions"] = [dict(verdict["partitions"][0], partition=i) for i in range(5000)]
    verdict["ownerships"] = [dict(row, partition=i) for i in range(400) for row in verdict["ownerships"][:8]]
    verdict["reasons"] = ["because " * 3000] * 200
    verdict["notes"] = ["note " * 3000] * 200
    files["run.json"]["clients"] = [
        dict(files["run.json"]["clients"][0], api=f"api{i}", settings={f"s{k}": "v" * 900 for k in range(300)})
        for i in range(300)
    ]
    return files


def write(folder: Path, files: dict[str, dict[str, Any]]) -> Path:
    """The run's folder with these files in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder
