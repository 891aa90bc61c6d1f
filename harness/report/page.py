"""report.html: one offline file that a person reads, verdict first.

Takes its facts from the run's three JSON files and writes one page without scripts, requests or fonts of its own.
Jinja2 escapes every value, inside the pictures too. The page stays under PAGE_LIMIT_BYTES: where a run has more
spans, examples or clients than fit, it is rendered again with less of them and says how many were left out.
"""

import functools
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.report import facts as reading
from harness.report import pictures, words
from harness.report.facts import NOT_MEASURED, Facts, count, figure, integer, mapping, number, shortened, size, text
from harness.report.templating import template
from harness.rundir import write_text

PAGE_LIMIT_BYTES = 500_000
WIDTHS = {"wide": 800, "narrow": 350}
CLIENT_KEYS = ("role", "spec", "client_version", "librdkafka", "python", "packages", "api", "settings", "given")
SECRET_WORDS = ("password", "secret", "token", "key.pem", "jaas")


@dataclass(frozen=True)
class Limits:
    """How much of each list the page shows."""

    spans: int
    examples: int
    steps: int
    partitions: int
    clients: int
    settings: int
    bars: int
    letters: int


LIMITS = (
    Limits(spans=400, examples=60, steps=60, partitions=500, clients=60, settings=250, bars=600, letters=1200),
    Limits(spans=150, examples=20, steps=30, partitions=200, clients=12, settings=80, bars=300, letters=500),
    Limits(spans=40, examples=8, steps=15, partitions=60, clients=6, settings=40, bars=100, letters=200),
    Limits(spans=10, examples=3, steps=8, partitions=20, clients=3, settings=20, bars=40, letters=120),
)


def write_page(run: Path) -> Path:
    """Write report.html into the run's folder and return its path."""
    page = render(reading.read(run))
    path = run / "report.html"
    write_text(path, page)
    return path


def render(facts: Facts) -> str:
    """The page as text, with as much detail as fits."""
    page = ""
    for limits in LIMITS:
        page = _template().render(_content(facts, limits))
        if len(page.encode()) < PAGE_LIMIT_BYTES:
            break
    return page


@functools.cache
def _template() -> Any:
    return template(
        "page.html.j2",
        count=count, figure=figure, size=size, plain=text, label=words.label, meaning=words.meaning, number=number,
    )  # fmt: skip


def _content(facts: Facts, limits: Limits) -> dict[str, Any]:
    """Everything the template needs, under the names it uses."""

    def short(value: Any) -> str:
        return shortened(value if isinstance(value, str) else text(value), limits.letters)

    spans = facts.rows(facts.verdict, "spans")
    partitions = facts.rows(facts.verdict, "partitions")
    content = {
        "word": facts.word,
        "verdict_meaning": words.VERDICTS[facts.word],
        "reasons": _shown(facts.reasons, 40, short),
        "name": short(facts.name),
        "scenario": short(facts.scenario),
        "started": facts.started,
        "about": short(facts.settings.get("about")),
        "what": [(name, short(value)) for name, value in what_was_run(facts)],
        "line": _number_line(facts),
        "fates": [(kind, facts.count(kind)) for kind in words.FATES],
        "judged": facts.verdict.get("judged"),
        "ahead_of": [
            (kind, integer(n))
            for kind, n in mapping(facts.verdict.get("committed_ahead_of")).items()
            if kind in words.COMMITTED_AHEAD_OF
        ],
        "anomalies": [(kind, facts.count(kind)) for kind in words.ANOMALIES],
        "spans": _shown(spans, limits.spans, lambda row: _span(row, short)),
        "spans_left_out": integer(facts.verdict.get("spans_left_out")) or 0,
        "examples": _shown(
            facts.rows(facts.verdict, "examples"), limits.examples, lambda row: _example(row, facts, limits, short)
        ),
        **_pictures(facts, spans, limits),
        "partitions": _shown(partitions, limits.partitions),
        "faults": _shown(facts.rows(facts.metrics, "faults"), limits.bars, lambda row: _fault(row, short)),
        "rebalances": _shown(facts.rows(mapping(facts.metrics.get("group")), "rebalances"), limits.bars, _rebalance),
        "handed": ", ".join(
            f"{member} {count(value)}"
            for member, value in mapping(mapping(facts.metrics.get("group")).get("messages")).items()
        ),
        "metrics": facts.metrics,
        "kill_cost": reading.kill_cost(facts.metrics),
        "producer_metrics": mapping(facts.metrics.get("producer")),
        "recording": mapping(facts.metrics.get("recording")),
        "stages": facts.rows(facts.metrics, "stages"),
        "clients": _shown(_clients(facts), limits.clients, lambda group: _client(group, limits, short)),
        "surroundings": [(name, short(value)) for name, value in _surroundings(facts)],
        "command": shortened(command_line(facts), limits.letters),
        "seed": text(facts.run.get("seed")),
        "resolved": shortened(json.dumps(facts.settings, indent=1, ensure_ascii=False), limits.letters * 20)
        if facts.settings
        else "",
        "notes": _shown(reading.sentences(facts.verdict.get("notes")), 40, short),
        "errors": _shown(facts.errors, 40, short),
        "glossary": (
            ("Fates of a message", words.FATES),
            ("Committed ahead of", words.COMMITTED_AHEAD_OF),
            ("Anomalies", words.ANOMALIES),
            ("Numbers", words.NUMBERS),
            ("Blame", words.BLAMES),
        ),
        "losses": words.LOSSES,
        "not_measured": NOT_MEASURED,
    }
    # Last, because reading the rest is what finds problems.
    content["problems"] = [short(problem) for problem in facts.problems]
    return content


def _shown(rows: list[Any], limit: int, made: Callable[[Any], Any] = lambda row: row) -> dict[str, Any]:
    """The first rows, each as `made` shows it, and how many more there are."""
    return {"rows": [made(row) for row in rows[:limit]], "left_out": max(0, len(rows) - limit)}


def what_was_run(facts: Facts) -> list[tuple[str, str]]:
    """What the verdict is about, as (name, value)."""
    settings = facts.settings
    broker = mapping(facts.run.get("broker"))
    pairs = [
        ("Client", client_line(facts, "consume") or text(settings.get("client"))),
        ("Producer", client_line(facts, "produce") or text(mapping(settings.get("producer")).get("client"))),
        ("Log read by", client_line(facts, "read_log")),
        ("Broker", _broker_line(broker)),
        ("Connection", text(settings.get("security")).replace("mutual_tls", "mutual TLS")),
        ("Guarantee claimed", facts.guarantee.replace("_", " ")),
        ("Messages", _messages_line(settings)),
        ("Restarts", _restarts_line(settings)),
        ("Seed", text(facts.run.get("seed"))),
    ]
    return [(name, value) for name, value in pairs if value]


def client_line(facts: Facts, role: str) -> str:
    """The client of a role in words: what was asked for, what was found installed, on which interpreter."""
    clients = facts.clients(role)
    if not clients:
        return ""
    client = clients[0]
    spec, version = text(client.get("spec")), text(client.get("client_version"))
    line = spec or "client unknown"
    if version and version not in spec:
        line += f" (version {version})"
    if text(client.get("librdkafka")):
        line += f", librdkafka {text(client.get('librdkafka'))}"
    if role != "produce" and text(client.get("api")):  # which names a call for reading
        line += f", {text(client.get('api'))}"
    if text(client.get("python")):
        line += f", on Python {text(client.get('python')).removeprefix('Python ')}"
    return line


def _broker_line(broker: dict[str, Any]) -> str:
    kafka, backend, java = (text(broker.get(key)) for key in ("kafka", "backend", "java"))
    nodes = integer(broker.get("nodes")) or 1
    line = f"Apache Kafka {kafka}" if kafka else ""
    line += f", {nodes} nodes" if line and nodes > 1 else ""
    line += f", {backend}" if line and backend else backend
    line += ", behind a proxy" if line and broker.get("proxied") is True else ""
    return f"{line}, on Java {java.removeprefix('Java ')}" if line and java else line


def _messages_line(settings: dict[str, Any]) -> str:
    messages, size_bytes, partitions = (integer(settings.get(k)) for k in ("messages", "size_bytes", "partitions"))
    line = f"{messages:,}" if messages is not None else ""
    line += f" × {size_bytes:,} B" if line and size_bytes is not None else ""
    return f"{line} in {partitions:,} partition{'s' if partitions != 1 else ''}" if line and partitions else line


def _restarts_line(settings: dict[str, Any]) -> str:
    restarts = mapping(settings.get("restarts"))
    times, after = integer(restarts.get("count")), restarts.get("after")
    if times is None:
        return "none" if "restarts" in settings else ""
    line = f"{times:,} time{'s' if times != 1 else ''}"
    if isinstance(after, list) and len(after) == 2:
        line += f", each after {count(after[0], '?')} to {count(after[1], '?')} deliveries"
    return line


def _number_line(facts: Facts) -> list[tuple[str, int | None, str]]:
    verdict = facts.verdict
    asides = {
        "sent": _aside(verdict, (("nacked", "nacked"), ("unknown", "unknown"))),
        "acked": _aside(verdict, (("aborted", "aborted"),)),
        "in the log": "" if facts.in_log() is None else "read independently",
        "delivered": _aside(verdict, (("deliveries", "deliveries"),)),
    }
    values = {
        "sent": integer(verdict.get("sent")),
        "acked": integer(verdict.get("acked")),
        "in the log": facts.in_log(),
        "delivered": facts.count("delivered"),
    }
    return [(name, values[name], asides[name]) for name in values]


def _aside(verdict: dict[str, Any], keys: tuple[tuple[str, str], ...]) -> str:
    known = [(integer(verdict.get(key)), name) for key, name in keys]
    return ", ".join(f"{number:,} {name}" for number, name in known if number is not None)


def place(row: dict[str, Any]) -> str:
    """The offsets of a span, or where it has none (it is not in the log) who sent it: `p1 seq 2 – 5`."""
    for first, last, name in (
        ("first_offset", "last_offset", ""),
        ("first_seq", "last_seq", f"{text(row.get('producer'))} seq "),
    ):
        begin, end = integer(row.get(first)), integer(row.get(last))
        if begin is not None:
            return name + (f"{begin:,}" if end in (None, begin) else f"{begin:,} – {end:,}")
    return ""


def _span(row: dict[str, Any], short: Any) -> dict[str, Any]:
    detail = text(row.get("detail"))
    return {
        "kind": text(row.get("kind")),
        "detail": words.label(detail) if detail in words.COMMITTED_AHEAD_OF else "",
        "partition": text(row.get("partition")),
        "offsets": place(row),
        "count": row.get("count"),
        "blame": short(row.get("blame")),
        "text": short(row.get("text")),
    }


def _example(row: dict[str, Any], facts: Facts, limits: Limits, short: Any) -> dict[str, Any]:
    steps = facts.rows(row, "timeline")
    producer, seq = text(row.get("producer")), integer(row.get("seq"))
    return {
        "kind": text(row.get("kind")),
        "partition": text(row.get("partition")),
        "offset": count(row.get("offset"), ""),
        "identity": "" if not producer and seq is None else f"{producer or '?'} seq {count(seq, '?')}",
        "blame": short(row.get("blame")),
        "steps": [(since_first_event(step.get("t_ns")), short(step.get("text"))) for step in steps][: limits.steps],
        "steps_left_out": max(0, len(steps) - limits.steps),
    }


def since_first_event(t_ns: Any) -> str:
    """A moment in seconds since the first event of the histories, to the millisecond."""
    moment = integer(t_ns)
    return "" if moment is None else f"{moment / 1e9:.3f} s"


def _fault(row: dict[str, Any], short: Any) -> dict[str, Any]:
    effect, why = text(row.get("effect")), text(row.get("why"))
    told = effect or (f"none: {why}" if why else "none")
    return {**{key: row.get(key) for key in ("t_s", "until_s")}, "fault": short(row.get("fault")), "told": short(told)}


def _rebalance(row: dict[str, Any]) -> dict[str, Any]:
    """One line of the table; a list by member is in the members' order."""
    stopped, first, shares = (mapping(row.get(key)) for key in ("stopped_s", "first_message_s", "partitions"))
    overlaps = [found for value in mapping(row.get("overlap_ms")).values() if (found := number(value)) is not None]
    changed = row.get("changed_owner")
    return {
        **{key: row.get(key) for key in ("t_s", "duration_s", "legal_redelivery", "excess_redelivery")},
        "changed": len(changed) if isinstance(changed, list) else None,
        "needed": integer(row.get("needed")),
        "stopped": ", ".join(f"{member} {figure(value)}" for member, value in stopped.items()),
        "first": ", ".join(f"{member} {figure(value, missing='never')}" for member, value in first.items()),
        "overlap_ms": max(overlaps, default=0),
        "shares": ", ".join(f"{member} {count(value)}" for member, value in shares.items()),
    }


def _pictures(facts: Facts, spans: list[dict[str, Any]], limits: Limits) -> dict[str, Any]:
    ownerships = facts.rows(facts.verdict, "ownerships")
    lost = [span for span in spans if span.get("kind") in words.LOSSES][: limits.spans]
    within = pictures.time_range(facts.metrics, ownerships)
    throughput, lanes = {}, {}
    for name, width in WIDTHS.items():
        throughput[name] = pictures.throughput(facts.metrics, within=within, width=width)
        lanes[name] = pictures.lanes(ownerships[: limits.bars], lost, within=within, width=width)
    return {
        "throughput": throughput,
        "lanes": {**lanes, "left_out": max(0, len(ownerships) - limits.bars)},
    }


def _clients(facts: Facts) -> list[dict[str, Any]]:
    """Workers of one role, client and settings are shown as one: a restarted consumer is many of them."""
    groups: dict[str, dict[str, Any]] = {}
    for client in facts.rows(facts.run, "clients"):
        worker, status = text(client.get("worker")) or "?", text(client.get("status"))
        shared = {key: client.get(key) for key in CLIENT_KEYS}
        same = json.dumps(shared, sort_keys=True)
        group = groups.setdefault(same, {"workers": [], "statuses": [], "errors": [], "client": client})
        group["workers"].append(worker)
        group["errors"] += [f"{worker}: {error}" for error in reading.sentences(client.get("errors"))]
        if status and status not in group["statuses"]:
            group["statuses"].append(status)
    return list(groups.values())


def _client(group: dict[str, Any], limits: Limits, short: Any) -> dict[str, Any]:
    client = group["client"]
    effective, given = mapping(client.get("settings")), mapping(client.get("given"))
    named = sorted(set(effective) | set(given), key=lambda name: (name not in given, name))

    def setting(name: str) -> dict[str, Any]:
        overruled = name in given and name in effective and given[name] != effective[name]
        return {
            "name": short(name),
            "value": short(_value(name, effective[name] if name in effective else given[name])),
            "given": name in given,
            "asked": short(_value(name, given[name])) if overruled else "",
        }

    workers = group["workers"]
    return {
        "workers": short(", ".join(workers) if len(workers) < 5 else f"{workers[0]} … {workers[-1]} ({len(workers)})"),
        "role": {"consume": "consumer", "produce": "producer", "read_log": "independent reader"}.get(
            text(client.get("role")), text(client.get("role"))
        ),
        "spec": short(client.get("spec")),
        "facts": [
            (name, short(client.get(key)))
            for name, key in (
                ("Asked for", "spec"),
                ("Version found", "client_version"),
                ("librdkafka", "librdkafka"),
                ("Python", "python"),
                ("Call", "api"),
            )
            if text(client.get(key))
        ]
        + ([("Packages", short(_value("packages", client["packages"])))] if client.get("packages") else [])
        + ([("Ended", short("; ".join(group["statuses"])))] if group["statuses"] else []),
        "errors": _shown(group["errors"], 20, short),
        "settings": _shown(named, limits.settings, setting),
    }


def _value(name: str, value: Any) -> str:
    if any(word in name.lower() for word in SECRET_WORDS):
        return "hidden"
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _surroundings(facts: Facts) -> list[tuple[str, str]]:
    environment, broker = mapping(facts.run.get("environment")), mapping(facts.run.get("broker"))
    pairs = [
        ("Harness", text(facts.run.get("harness_version"))),
        ("Commit", text(facts.run.get("commit"))),
        ("Host's Python", text(environment.get("python")).removeprefix("Python ")),
        ("System", text(environment.get("os"))),
        ("Processor", text(environment.get("cpu"))),
        ("Cores", text(environment.get("cores"))),
        ("Memory", size(environment.get("memory_bytes"), "")),
    ]
    pairs += [(f"Broker: {name.replace('_', ' ')}", _value(name, broker[name])) for name in broker]
    return [(name, value) for name, value in pairs if value]


def command_line(facts: Facts) -> str:
    """The command that repeats the run, ready for a shell; empty where it was not recorded."""
    return command_line_of(facts.run.get("command"))


def command_line_of(command: Any) -> str:
    if isinstance(command, str):
        return text(command)
    return shlex.join(str(part) for part in command) if isinstance(command, list) else ""
