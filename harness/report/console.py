"""The run in the terminal: a summary of about 20 lines.

Nothing from a broker, client or file is ever read as markup or as a terminal's control sequence: texts are put into
rich's `Text` as they are, after `facts` has spelled out control characters. Away from a terminal it is plain text, one
fact a line, without colour or wrapping.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.report import facts as reading
from harness.report import words
from harness.report.evidence import place
from harness.report.facts import (
    NOT_MEASURED,
    Facts,
    count,
    figure,
    integer,
    mapping,
    number,
    one_line,
    shortened,
    size,
    text,
)
from harness.report.progress import progress
from harness.report.what_was_run import client_line, what_was_run

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_verdict", "progress", "summary"]

COLOURS = {"PASS": "bold green", "FAIL": "bold red", "UNKNOWN": "bold yellow"}
SPANS_SHOWN = 3
REASONS_SHOWN = 4
ERRORS_SHOWN = 4
FAULTS_SHOWN = 4
LABEL_WIDTH = 11


def summary(run: Path, console: "Console") -> None:
    """Print what the verdict is, why, what was run, the numbers, the worst losses, the cost, and where the rest is."""
    facts = reading.read(run)
    _print_lines(facts, _why(facts) + _what(facts) + _found(facts) + _rest(facts, run), console)


def print_verdict(verdict: dict[str, Any], console: "Console") -> None:
    """Print a verdict alone: of a history that was judged without a run's folder around it."""
    facts = Facts(Path(), verdict=mapping(reading.clean(verdict)))
    _print_lines(facts, _why(facts) + _found(facts), console)


def _print_lines(facts: Facts, lines: list[tuple[str, str, str]], console: "Console") -> None:
    from rich.text import Text

    headline = Text(facts.word, style=COLOURS[facts.word])
    for part, style in ((facts.scenario if facts.run else "", "bold"), (facts.guarantee.replace("_", " "), "dim")):
        headline.append(f"  {part}" if part else "", style=style)
    _print(console, headline)
    for name, value, style in lines:
        line = Text(f"{name:<{LABEL_WIDTH}}", style="dim")
        line.append(shortened(one_line(value), 400), style=style)
        _print(console, line)


def _print(console: "Console", line: Any) -> None:
    # Wrapping is the terminal's business: a line in a file or a CI log stays one line.
    console.print(line, markup=False, highlight=False, emoji=False, soft_wrap=True)


def _why(facts: Facts) -> list[tuple[str, str, str]]:
    """(label, text, style) of every reason and error."""
    lines = [("why" if i == 0 else "", reason, "bold" if i == 0 else "") for i, reason in enumerate(facts.reasons)]
    lines = _first(lines, REASONS_SHOWN, "reasons")
    return lines + _first([("error", error, "red") for error in facts.errors + facts.problems], ERRORS_SHOWN, "errors")


def _what(facts: Facts) -> list[tuple[str, str, str]]:
    what = dict(what_was_run(facts))
    connection = ", ".join(what[name] for name in ("Broker", "Connection") if name in what)
    extent = [what.get("Messages", "")]
    extent += [f"{name.lower()}: {what[name]}" for name in ("Restarts", "Seed") if name in what]
    return [
        ("client", client_line(facts, "consume") or what.get("Client", "not recorded"), ""),
        ("broker", connection or "not recorded", ""),
        ("messages", ", ".join(part for part in extent if part) or "not recorded", ""),
    ]


def _found(facts: Facts) -> list[tuple[str, str, str]]:
    against = _against(facts)
    return [("numbers", _numbers(facts), ""), *([("", against, "")] if against else []), *_worst(facts)]


def _rest(facts: Facts, run: Path) -> list[tuple[str, str, str]]:
    group, cost = _group(facts), reading.kill_cost(facts.metrics)
    return [
        *_faults(facts),
        *([("group", group, "")] if group else []),
        *([("a kill", f"at the worst moment: {cost}", "")] if cost else []),
        ("speed", _speed(facts), ""),
        *_latency(facts),
        ("stages", _stages(facts), ""),
        ("report", str(run / "report.html"), ""),
    ]


def _faults(facts: Facts) -> list[tuple[str, str, str]]:
    """What was done on purpose, and what it did."""
    lines: list[tuple[str, str, str]] = []
    for row in facts.rows(facts.metrics, "faults"):
        effect, why = text(row.get("effect")), text(row.get("why"))
        told = f"{text(row.get('fault'))}: {effect or ('no effect: ' + why if why else 'no effect')}"
        lines.append(("faults" if not lines else "", told, "" if effect else "yellow"))
    return _first(lines, FAULTS_SHOWN, "faults")


def _group(facts: Facts) -> str:
    """What the group's rebalances cost; empty where there were none."""
    group = mapping(facts.metrics.get("group"))
    rebalances = facts.rows(group, "rebalances")
    if not rebalances:
        return ""
    told = [f"{len(rebalances):,} rebalance{'s' if len(rebalances) != 1 else ''}"]
    told.append(f"longest {figure(group.get('longest_s'), 's')}")
    told += [shares for shares in (_moves(group), _fairness(group)) if shares]
    for kind in ("legal_redelivery", "excess_redelivery"):
        again = integer(group.get(kind))
        if again:
            told.append(f"{again:,} {words.label(kind) if again == 1 else words.label(kind)[:-1] + 'ies'}")
    idle = group.get("idle")
    if isinstance(idle, list) and idle:
        told.append(f"idle: {', '.join(text(member) for member in idle)}")
    return ", ".join(told)


def _moves(group: dict[str, Any]) -> str:
    """How many partitions changed their owner, and how many would have had to; empty where none did."""
    moved, needed = integer(group.get("moved")), integer(group.get("needed"))
    if not moved:
        return ""
    return f"{moved:,} partition{'s' if moved > 1 else ''} moved" + ("" if needed is None else f", {needed:,} had to")


def _fairness(group: dict[str, Any]) -> str:
    """What the busiest and the idlest process were handed; empty where there was only one."""
    handed = [found for value in mapping(group.get("messages")).values() if (found := integer(value)) is not None]
    return f"{min(handed):,} to {max(handed):,} messages each" if len(handed) > 1 else ""


def _first(lines: list[tuple[str, str, str]], limit: int, what: str) -> list[tuple[str, str, str]]:
    more = len(lines) - limit
    return lines[:limit] + ([("", f"… and {more:,} more {what} in the report", "dim")] if more > 0 else [])


def _numbers(facts: Facts) -> str:
    verdict = facts.verdict
    steps = {
        "sent": integer(verdict.get("sent")),
        "acked": integer(verdict.get("acked")),
        "in the log": facts.in_log(),
        "delivered": facts.count("delivered"),
    }
    if all(value is None for value in steps.values()):
        return NOT_MEASURED
    told = [f"{name} {NOT_MEASURED}" if value is None else f"{value:,} {name}" for name, value in steps.items()]
    deliveries = integer(verdict.get("deliveries"))
    return " → ".join(told) + ("" if deliveries is None else f" ({deliveries:,} deliveries)")


def _against(facts: Facts) -> str:
    """Every fate and anomaly that is there, with its count; what was not judged is said, never left out."""
    kinds = [kind for kind in (*words.FATES, *words.ANOMALIES) if kind != "delivered"]
    found = []
    for kind in kinds:
        number_of = facts.count(kind)
        if not number_of:
            continue
        ahead = mapping(facts.verdict.get("committed_ahead_of")) if kind == "committed_ahead" else {}
        parts = [f"{count(n)} {words.label(part)}" for part, n in ahead.items() if integer(n)]
        found.append(f"{count(number_of)} {words.label(kind)}" + (f" ({', '.join(parts)})" if parts else ""))
    missing = sum(facts.count(kind) is None for kind in kinds)
    if missing:
        found.append(f"{missing} checks not judged")
    return ", ".join(found)


def _worst(facts: Facts) -> list[tuple[str, str, str]]:
    """The first losses, or where there are none, nothing."""
    spans = [
        span for span in facts.rows(facts.verdict, "spans") if span.get("kind") in (*words.LOSSES, *words.OPEN_ENDS)
    ]
    lines = []
    for i, span in enumerate(spans[:SPANS_SHOWN]):
        offsets = "offsets " if integer(span.get("first_offset")) is not None else ""
        where = f"partition {text(span.get('partition')) or '?'}, {offsets}{place(span) or 'place unknown'}"
        blame = text(span.get("blame"))
        line = f"{where}: {words.label(text(span.get('kind')))}{f', blame: {blame}' if blame else ''}"
        line += f". {text(span.get('text'))}"
        lines.append(("lost" if i == 0 else "", line, "red"))
    more = len(spans) - SPANS_SHOWN + (integer(facts.verdict.get("spans_left_out")) or 0)
    if lines and more > 0:
        lines.append(("", f"… and {more:,} more spans in the report", "dim"))
    return lines


def _speed(facts: Facts) -> str:
    metrics = facts.metrics
    if number(metrics.get("throughput_msgs_per_s")) is None and number(metrics.get("cpu_s_per_million")) is None:
        return text(metrics.get("speed_note")) or NOT_MEASURED
    parts = [
        figure(metrics.get("throughput_msgs_per_s"), "messages/s", "throughput not measured"),
        figure(metrics.get("cpu_s_per_million"), "CPU s per million", "CPU not measured"),
        size(metrics.get("rss_max_bytes"), "memory not measured"),
    ]
    each, ceiling = mapping(metrics.get("wire")).get("received_per_message"), mapping(metrics.get("ceiling"))
    if number(each) is not None:
        parts.append(figure(each, "B a message on the wire"))
    if ceiling:
        parts.append(f"the harness's own ceiling: {figure(ceiling.get('throughput_msgs_per_s'), 'messages/s')}")
    return ", ".join(parts)


def _latency(facts: Facts) -> list[tuple[str, str, str]]:
    """From when messages were due until they were handed over; no line where that was not measured."""
    latency = mapping(facts.metrics.get("latency"))
    if not integer(latency.get("count")):
        return []
    names = {"p50_ms": "half", "p99_ms": "99 %", "p99_9_ms": "99.9 %", "max_ms": "all"}
    told = [f"{share} within {figure(latency.get(name), 'ms')}" for name, share in names.items()]
    return [("latency", f"{', '.join(told)}, at {figure(latency.get('rate'), 'messages/s')}", "")]


def _stages(facts: Facts) -> str:
    stages = facts.rows(facts.metrics, "stages")
    told = [f"{text(stage.get('name')) or '?'} {figure(stage.get('seconds'), 's')}" for stage in stages]
    after = facts.metrics.get("last_message_to_report_s")
    if number(after) is not None:
        told.append(f"from the last message to the report {figure(after, 's')}")
    return ", ".join(told) or NOT_MEASURED
