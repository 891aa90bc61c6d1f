"""Pure: what a check of a scenario finds, and the words for what was found in a key's place."""

from collections.abc import Callable
from typing import Any, NamedTuple

from harness.clients.spec import ClientSpec, parse_spec
from harness.errors import UsageError
from harness.scenario_file import KeyPath, dotted

# Called with the parts of a key: the value that holds there, or None.
Lookup = Callable[..., Any]


class Finding(NamedTuple):
    """One thing wrong: the key, what is wrong, and other keys that the user could just as well change."""

    key: KeyPath
    what: str
    also: tuple[KeyPath, ...] = ()


class Conflict(ValueError):
    """Keys that do not fit together; a ValueError, so that pydantic reports it among its own."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("; ".join(f"{dotted(finding.key)}: {finding.what}" for finding in findings))
        self.findings = findings


def spec_at(get: Lookup, path: KeyPath) -> ClientSpec | None:
    """The client that a key names; None where there is no right one, which the check of the specs tells."""
    text = get(*path)
    try:
        return None if text is None else parse_spec(text)
    except UsageError:
        return None


def described(value: Any, written: str | None = None) -> str:
    """What was found, as it was written: 2.10 stays 2.10, which YAML reads as 2.1."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return written if written is not None else str(value).lower()
    if isinstance(value, int | float):
        return written if written is not None else f"{value}"
    if isinstance(value, str):
        return f'"{short(value)}"'
    if isinstance(value, list):
        return f"a list of {len(value)}"
    return "a block of keys"


def short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"
