"""What clients are made with where nobody sets anything, asked of the installed libraries, and how two differ."""

import json
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.clients.envs import ClientEnv
from harness.clients.settings import consumer_settings, producer_settings
from harness.clients.spec import ClientSpec
from harness.errors import HarnessError, UsageError

SCRIPT = Path(__file__).resolve().parent / "worker" / "defaults.py"
TIMEOUT_S = 60
ROLES = ("consumer", "producer")
NAMES_ITS_RELEASE = "client_id"
"""kafka-python-2.0.2: every release has another, and it decides nothing."""

Settings = dict[str, dict[str, Any]]
"""By role, by the library's own names."""


@dataclass(frozen=True)
class Change:
    """One setting that differs. role: consumer, producer or both. kind: a default that changed, or only one has it.

    Whether a setting that is gone and one that is new are the same under another name, nobody can say.
    """

    role: str
    name: str
    kind: Literal["changed", "gone", "new"]
    before: Any = None
    after: Any = None


def ask(env: ClientEnv) -> Settings:
    """The settings of the client in an environment. Raises HarnessError where it does not answer."""
    if env.spec.client.module is None:
        raise UsageError("client-spec", f"client {str(env.spec)!r} has no settings", "Name a client of Kafka.")
    try:
        done = subprocess.run(
            [env.python, "-I", SCRIPT, env.spec.client.module],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            env={"PYTHONDONTWRITEBYTECODE": "1"},
        )
        told: Settings = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        said = done.stderr.strip().splitlines()[-1:] if isinstance(error, ValueError) else [f"after {TIMEOUT_S} s"]
        raise HarnessError(
            "client-environment",
            f"{env.spec} does not tell its settings: {' '.join(said) or 'it said nothing'}",
            "Its release may keep them elsewhere than those that are known here.",
        ) from error
    return told


def as_made(told: Settings, spec: ClientSpec, defaults: Literal["as_shipped", "equal"]) -> Settings:
    """The same under a scenario's `consumer.defaults`: what the harness sets lies over the library's own."""
    consumer = consumer_settings(spec, defaults=defaults, api=spec.client.apis[0], group=None, extra={})
    producer = producer_settings(spec, defaults=defaults, extra={})
    own = {"group.id", "group_id", "enable.auto.commit", "enable_auto_commit"}  # these are a group's
    consumer = {name: value for name, value in consumer.items() if name not in own}
    return {"consumer": told["consumer"] | consumer, "producer": told["producer"] | producer}


def differences(before: Settings, after: Settings) -> list[Change]:
    """What differs, by name; of two libraries names are the same that differ in dots and underscores alone."""
    return _united(change for role in ROLES for change in _of_role(role, before[role], after[role]))


def _of_role(role: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    one, other = _by_word(before), _by_word(after)
    for word in sorted((one.keys() | other.keys()) - {NAMES_ITS_RELEASE}):
        if word not in other:
            yield Change(role, one[word][0], "gone", before=one[word][1])
        elif word not in one:
            yield Change(role, other[word][0], "new", after=other[word][1])
        elif (one[word][1], type(one[word][1])) != (other[word][1], type(other[word][1])):
            yield Change(role, other[word][0], "changed", one[word][1], other[word][1])


def _by_word(settings: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    return {re.sub(r"[._]", "_", name): (name, value) for name, value in settings.items()}


def _united(changes: Iterable[Change]) -> list[Change]:
    """What consumer and producer have in common is told once."""
    found: dict[tuple[str, str, str], Change] = {}
    for change in changes:
        key = (change.name, change.kind, repr((change.before, change.after)))
        role = "both" if key in found else change.role
        found[key] = Change(role, change.name, change.kind, change.before, change.after)
    return sorted(found.values(), key=lambda change: (change.kind != "changed", change.kind, change.name, change.role))
