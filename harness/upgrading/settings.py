"""Pure: which settings two releases run with differently, as the libraries themselves told when they were made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OF_THE_RUN = frozenset(
    {"bootstrap.servers", "bootstrap_servers", "client.id", "client_id", "group.id", "group_id", "api_version"}
)
"""Where this run connects to and as whom; api_version is the broker's answer."""
FILES = re.compile(r"ssl[._].*(file|location|pem|cadata|certificate|key)")
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
ABSENT = "–"


@dataclass(frozen=True)
class Setting:
    """One that differs; – where a release has none of that name."""

    name: str
    before: str
    after: str


def changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Setting]:
    """In the order of the names."""
    names = sorted({*before, *after} - OF_THE_RUN)
    pairs = ((name, _shown(before, name), _shown(after, name)) for name in names if not FILES.fullmatch(name))
    return [Setting(*pair) for pair in pairs if pair[1] != pair[2]]


def _shown(settings: Mapping[str, Any], name: str) -> str:
    return ADDRESS.sub("", str(settings[name])) or "''" if name in settings else ABSENT
