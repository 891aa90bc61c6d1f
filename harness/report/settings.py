"""Settings of clients and their differences on the terminal."""

import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.text import Text

from harness.report.facts import clean, one_line
from harness.settings_difference import ROLES, Change, Settings

HEADINGS = {
    "changed": "Another value",
    "gone": "Only in {0}",
    "new": "Only in {1}",
}
RENAMED = "One that is gone may be there under another name; the libraries do not tell."


def written(value: Any) -> str:
    """A setting's value as JSON writes it, so that "1" and 1 differ."""
    return one_line(clean(json.dumps(value, ensure_ascii=False)))


def as_dicts(changes: list[Change]) -> list[dict[str, Any]]:
    return [asdict(change) for change in changes]


def print_settings(told: Settings, console: Console) -> None:
    for role in ROLES:
        console.print(Text(role, style="bold"))
        for name, value in told[role].items():
            console.print(Text(f"  {name} = {written(value)}"), soft_wrap=True)


def print_differences(one: str, other: str, changes: list[Change], console: Console) -> None:
    """By what differs, the changed values first."""
    if not changes:
        console.print(Text(f"{one} and {other} are made with the same settings."))
    for kind, heading in HEADINGS.items():
        found = [change for change in changes if change.kind == kind]
        if found:
            console.print(Text(heading.format(one, other), style="bold"))
        for change in found:
            console.print(Text(f"  {in_words(change)}"), soft_wrap=True)
    if any(change.kind == "gone" for change in changes):
        console.print(Text(RENAMED, style="dim"), soft_wrap=True)


def in_words(change: Change) -> str:
    role = "" if change.role == "both" else f" ({change.role})"
    match change.kind:
        case "changed":
            return f"{change.name}{role}: {written(change.before)} became {written(change.after)}"
        case "gone":
            return f"{change.name}{role}: {written(change.before)}"
    return f"{change.name}{role}: {written(change.after)}"
