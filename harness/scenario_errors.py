"""Pure: pydantic's findings about a scenario, in the words of a person who wrote a YAML file."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from harness.scenario_checks import conflicts
from harness.scenario_file import Document, KeyPath, dotted, near
from harness.scenario_findings import Conflict, Finding, Lookup, short
from harness.scenario_findings import described as describe

Blocks = Mapping[KeyPath, Mapping[str, Any]]


def findings_of(
    error: ValidationError, document: Document, blocks: Blocks, defaults: Mapping[str, Any]
) -> list[Finding]:
    """All that is wrong: with single keys, and with those that are right by themselves but do not fit together.

    blocks: for each block of keys the keys it may have. defaults: what holds where a key is left out.
    """
    findings: list[Finding] = []
    wrong: list[KeyPath] = []
    for entry in error.errors():
        cause = entry.get("ctx", {}).get("error")
        if isinstance(cause, Conflict):
            return cause.findings  # Pydantic gets to these only when every single key is right.
        path: KeyPath = tuple(entry["loc"])
        if entry["type"] in ("missing", "too_long") and isinstance(path[-1], int):
            path = path[:-1]
        wrong.append(path[:-1] if isinstance(path[-1], int) else path)
        if path not in document.unreadable or entry["type"] == "extra_forbidden":
            findings.append(Finding(path, _words(path, dict(entry), document, blocks)))
    return findings + conflicts(lookup(document.values, defaults, wrong))


def lookup(values: Any, defaults: Any = None, wrong: Sequence[KeyPath] = ()) -> Lookup:
    """How the checks ask for a key: its value, its default where it is left out, None where it is wrong."""

    def get(*path: str | int) -> Any:
        if any(path[: len(bad)] == bad for bad in wrong):
            return None
        return _at(values, path, _at(defaults, path, None))

    return get


def _at(tree: Any, path: KeyPath, otherwise: Any) -> Any:
    for part in path:
        in_list = isinstance(tree, list) and isinstance(part, int) and part < len(tree)
        if not in_list and not (isinstance(tree, Mapping) and part in tree):
            return otherwise
        tree = tree[part]
    return tree


def pattern(path: KeyPath) -> KeyPath:
    """A path as the blocks know it: `*` for the number in a list, and for a member's name."""
    return tuple(
        "*" if isinstance(part, int) or (place == 1 and path[0] == "members") else part
        for place, part in enumerate(path)
    )


def _words(path: KeyPath, entry: dict[str, Any], document: Document, blocks: Blocks) -> str:
    kind, value, limits = entry["type"], entry["input"], entry.get("ctx", {})
    written = document.written.get(path)
    described = describe(value, written)
    words: dict[str, Callable[[], str]] = {
        "extra_forbidden": lambda: _unknown_key(path, blocks),
        "missing": lambda: _missing(path, described),
        "literal_error": lambda: _none_of(value, described, limits["expected"]),
        "model_type": lambda: f"expected a block of keys ({', '.join(blocks[pattern(path)])}), found {described}",
        "dict_type": lambda: f"expected {_mapping(path)}, found {described}",
        "list_type": lambda: f"expected a list, found {described}",
        "tuple_type": lambda: f"expected a pair such as [100, 1200], found {described}",
        "too_long": lambda: f"expected a pair such as [100, 1200], found {described}",
        "int_type": lambda: f"expected a whole number, found {described}",
        "float_type": lambda: f"expected a number, found {described}",
        "finite_number": lambda: f"expected a finite number, found {described}",
        "greater_than": lambda: f"must be more than {_plain(limits['gt'])}, found {described}",
        "greater_than_equal": lambda: f"must be at least {_plain(limits['ge'])}, found {described}",
        "less_than_equal": lambda: f"must be at most {_plain(limits['le'])}, found {described}",
        "string_type": lambda: _not_text(path, value, written, described),
        "string_too_short": lambda: "must not be empty",
        "string_too_long": lambda: f"longer than {limits['max_length']:,} characters",
        "string_pattern_mismatch": lambda: f'{described} is no release of Kafka; all three numbers, such as "4.3.1"',
    }
    return words[kind]() if kind in words else str(entry["msg"])


def _mapping(path: KeyPath) -> str:
    return "blocks by name, such as `a: {}`" if path == ("members",) else "a block of `name: value` lines"


def _plain(limit: float) -> str:
    """A limit of a number of seconds is a float to pydantic, also where it is whole."""
    return f"{int(limit):,}" if limit == int(limit) else f"{limit:,}"


def _unknown_key(path: KeyPath, blocks: Blocks) -> str:
    here = blocks.get(pattern(path[:-1]), {})
    word = str(path[-1])
    if suggestion := near(word, here):
        return f"unknown key{suggestion}"
    elsewhere = [dotted((*block, key)) for block, keys in blocks.items() for key in keys if key == word]
    if elsewhere:
        return f"unknown key; did you mean {elsewhere[0]}?"
    return f"unknown key; known here: {', '.join(here)}"


def _missing(path: KeyPath, described: str) -> str:
    if path[-1] == "after" and described != "a block of keys":
        return f"expected a pair such as [100, 1200], found {described}"
    return "required, and not there"


def _none_of(value: Any, described: str, expected: str) -> str:
    known = re.findall(r"'([^']*)'", expected) or re.findall(r"\d+", expected)
    suggestion = near(value, known) if isinstance(value, str) else ""
    return f"{described} is none of {', '.join(known)}{suggestion}"


def _not_text(path: KeyPath, value: Any, written: str | None, described: str) -> str:
    if path == ("broker", "kafka") and isinstance(value, int | float):
        return f'{described} is a number to YAML; quote it, with all three numbers, such as "4.3.1"'
    if written is not None and value is not None:
        return f'expected text, found {described}; quote it: "{short(written)}"'
    return f"expected text, found {described}"
