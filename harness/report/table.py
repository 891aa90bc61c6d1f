"""Finished runs as one Markdown table, a line each, from the JSON files in their folders."""

from collections.abc import Iterable
from pathlib import Path

from harness.report import facts as reading
from harness.report import words
from harness.report.facts import Facts, count, mapping, number, one_line, shortened, text

COLUMNS = (
    "scenario",
    "client",
    "verdict",
    "lost",
    "legal",
    "excess",
    "rebalances",
    "longest rebalance s",
    "worst stall s",
    "why",
)
HEAD = f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}"
WHY_LETTERS = 200


def table(runs: Iterable[Path]) -> str:
    """The whole table; the runs in the order given."""
    return "\n".join([HEAD, *(line(run) for run in runs)]) + "\n"


def line(run: Path) -> str:
    """One run. Lost counts what stalled too; a figure that nobody measured is a dash, never a zero."""
    facts = reading.read(run)
    group = mapping(facts.metrics.get("group"))
    rebalances = facts.rows(group, "rebalances")
    return cells(
        facts.scenario,
        _client(facts),
        facts.word,
        count(_lost(facts), "–"),
        count(facts.count("legal_redelivery"), "–"),
        count(facts.count("excess_redelivery"), "–"),
        count(len(rebalances) if group else None, "–"),
        _tenths(group.get("longest_s")),
        _tenths(facts.metrics.get("worst_stall_s")),
        facts.reasons[0].partition("\n")[0],
    )


def cells(*values: str) -> str:
    """One line; nothing in a value ends its cell."""
    return f"| {' | '.join(shortened(one_line(value), WHY_LETTERS).replace('|', chr(92) + '|') for value in values)} |"


def _client(facts: Facts) -> str:
    specs = dict.fromkeys(text(client.get("spec")) for client in facts.clients("consume"))
    return ", ".join(spec for spec in specs if spec) or text(facts.settings.get("client"))


def _lost(facts: Facts) -> int | None:
    counts = [facts.count(kind) for kind in (*words.LOSSES, "stalled")]
    known = [found for found in counts if found is not None]
    return sum(known) if len(known) == len(counts) else None


def _tenths(value: object) -> str:
    found = number(value)
    return "–" if found is None else f"{found:,.1f}"
