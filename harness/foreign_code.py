"""Pure: what of a scenario's or a matrix's file would run code that the file itself names.

Such a file may come from anybody. A release of a known library is what is tested; a folder, a git address, or any other
package is code of whoever wrote the file, and is taken from the command line only, where the user has said so.
"""

from collections.abc import Iterator
from typing import Any

from harness.clients.catalogue import CLIENTS
from harness.clients.spec import parse_spec
from harness.errors import UsageError
from harness.scenario_file import KeyPath
from harness.scenario_findings import Finding

COMPANIONS = ("crc32c", "cramjam", "lz4", "python-snappy", "xxhash", "zstandard")
"""Packages that clients in pure Python use where they are installed."""


def foreign(text: Any) -> str | None:
    """What a spec in a file may not name, in words; None where it names nothing of the kind, or is no spec."""
    try:
        spec = parse_spec(text)
    except (UsageError, TypeError, AttributeError):
        return None
    if spec.source is not None:
        return f"a file runs no code from {spec.source}"
    other = next((name for name in spec.also if _name(name) not in (*CLIENTS, *COMPANIONS)), None)
    return None if other is None else f"a file installs no {other}, which is no client"


def in_scenario(values: Any, given: Any) -> Iterator[Finding]:
    """given: the keys that came from the command line."""
    members = values.get("members") if isinstance(values, dict) else None
    paths: list[KeyPath] = [("client",), ("producer", "client")]
    paths += [("members", name, "client") for name in (members if isinstance(members, dict) else ())]
    for path in paths:
        what = foreign(_at(values, path)) if path not in given else None
        if what is not None:
            remedy = "give it with --client" if path == ("client",) else "leave it out"
            yield Finding(path, f"{what}; {remedy}")


def in_matrix(values: Any) -> Iterator[Finding]:
    clients = values.get("clients") if isinstance(values, dict) else None
    for number, text in enumerate(clients if isinstance(clients, list) else ()):
        what = foreign(text)
        if what is not None:
            yield Finding(("clients", number), f"{what}; give it with --clients")


def _at(values: Any, path: KeyPath) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _name(requirement: str) -> str:
    return requirement.partition("[")[0].partition("=")[0]
