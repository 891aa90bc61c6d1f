"""report.html: one offline file that a person reads, verdict first.

Takes its facts from the run's three JSON files and writes one page without requests or fonts of its own; its one
script zooms and opens stories, and the page says all without it. Jinja2 escapes every value, inside the pictures too.
The page stays under PAGE_LIMIT_BYTES: where a run has more spans, examples or clients than fit, it is rendered again
with less of them and says how many were left out.
"""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.report import clients_shown, distribution, evidence, pictures, words
from harness.report import facts as reading
from harness.report.evidence import shown
from harness.report.facts import NOT_MEASURED, Facts, count, figure, integer, mapping, number, shortened, size, text
from harness.report.lanes import lanes as lanes_of
from harness.report.templating import script, template
from harness.report.what_was_run import beyond_defaults, command_line, surroundings, what_was_run
from harness.rundir import write_text

PAGE_LIMIT_BYTES = 500_000
WIDTHS = {"wide": 800, "narrow": 350}


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

    partitions = facts.rows(facts.verdict, "partitions")
    content = {
        "word": facts.word,
        "verdict_meaning": words.VERDICTS[facts.word],
        "reasons": shown(facts.reasons, 40, short),
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
        **_evidence(facts, limits, short),
        "partitions": shown(partitions, limits.partitions),
        "faults": shown(facts.rows(facts.metrics, "faults"), limits.bars, lambda row: _fault(row, short)),
        "rebalances": shown(facts.rows(mapping(facts.metrics.get("group")), "rebalances"), limits.bars, _rebalance),
        "handed": _listed(mapping(mapping(facts.metrics.get("group")).get("messages")), count, most=60),
        "metrics": facts.metrics,
        "ceiling": mapping(facts.metrics.get("ceiling")),
        "latencies": [
            (
                name,
                distribution.percentiles(told),
                {width: distribution.picture(told, px) for width, px in WIDTHS.items()},
            )
            for name, key in (("End to end", "latency"), ("Acknowledged to the producer", "ack_latency"))
            if (told := mapping(facts.metrics.get(key))).get("count")
        ],
        "kill_cost": reading.kill_cost(facts.metrics),
        "producer_metrics": mapping(facts.metrics.get("producer")),
        "recording": mapping(facts.metrics.get("recording")),
        "stages": facts.rows(facts.metrics, "stages"),
        "clients": shown(
            clients_shown.clients(facts),
            limits.clients,
            lambda group: clients_shown.client(group, limits.settings, short),
        ),
        "surroundings": [(name, short(value)) for name, value in surroundings(facts)],
        "command": shortened(command_line(facts), limits.letters),
        "seed": text(facts.run.get("seed")),
        "beyond": [(key, short(value)) for key, value in beyond_defaults(facts.settings)],
        "resolved": shortened(json.dumps(facts.settings, indent=1, ensure_ascii=False), limits.letters * 20)
        if facts.settings
        else "",
        "notes": shown(reading.sentences(facts.verdict.get("notes")), 40, short),
        "errors": shown(facts.errors, 40, short),
        "glossary": (
            ("Fates of a message", words.FATES),
            ("Committed ahead of", words.COMMITTED_AHEAD_OF),
            ("Anomalies", words.ANOMALIES),
            ("Numbers", words.NUMBERS),
            ("Blame", words.BLAMES),
        ),
        "losses": words.LOSSES,
        "script": script("page.js"),
        "not_measured": NOT_MEASURED,
    }
    # Last, because reading the rest is what finds problems.
    content["problems"] = [short(problem) for problem in facts.problems]
    return content


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


def _fault(row: dict[str, Any], short: Any) -> dict[str, Any]:
    effect, why = text(row.get("effect")), text(row.get("why"))
    told = effect or (f"none: {why}" if why else "none")
    return {**{key: row.get(key) for key in ("t_s", "until_s")}, "fault": short(row.get("fault")), "told": short(told)}


def _listed(values: dict[str, Any], told: Callable[[Any], str], most: int = 6) -> str:
    """By member, in their order; of many the first ones and how many more there are."""
    parts = [f"{member} {told(value)}" for member, value in list(values.items())[:most]]
    return ", ".join(parts) + (f" and {len(values) - most:,} more" if len(values) > most else "")


def _rebalance(row: dict[str, Any]) -> dict[str, Any]:
    """One line of the table; a list by member is in the members' order."""
    stopped, first, shares = (mapping(row.get(key)) for key in ("stopped_s", "first_message_s", "partitions"))
    overlaps = [found for value in mapping(row.get("overlap_ms")).values() if (found := number(value)) is not None]
    changed = row.get("changed_owner")
    return {
        **{key: row.get(key) for key in ("t_s", "duration_s", "legal_redelivery", "excess_redelivery")},
        "changed": len(changed) if isinstance(changed, list) else None,
        "needed": integer(row.get("needed")),
        "stopped": _listed(stopped, figure),
        "first": _listed(first, lambda value: figure(value, missing="never")),
        "overlap_ms": max(overlaps, default=0),
        "shares": _listed(shares, count),
    }


def _evidence(facts: Facts, limits: Limits, short: evidence.Short) -> dict[str, Any]:
    """Spans and stories, and the pictures on which they have a flag."""
    spans, examples = facts.rows(facts.verdict, "spans"), facts.rows(facts.verdict, "examples")
    links = evidence.links(spans[: limits.spans], examples[: limits.examples])
    told = list(zip(spans, links, strict=False))
    rows = [evidence.span(row, link, short) for row, link in told]
    ownerships = facts.rows(facts.verdict, "ownerships")
    within = pictures.time_range(facts.metrics, ownerships)
    return {
        "spans": {"rows": rows, "left_out": len(spans) - len(rows)},
        "spans_left_out": integer(facts.verdict.get("spans_left_out")) or 0,
        "examples": shown(examples, limits.examples, lambda row: evidence.example(row, facts, limits.steps, short)),
        "throughput": {
            name: pictures.throughput(facts.metrics, within=within, width=width) for name, width in WIDTHS.items()
        },
        "lanes": {
            name: lanes_of(ownerships, told, within=within, width=width, bars=limits.bars)
            for name, width in WIDTHS.items()
        },
    }
