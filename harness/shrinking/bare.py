"""Pure: a scenario as the few keys that are not as they would be anyway, and as the YAML that one would write.

`Values` are those keys as plain values. Taking something out of them may leave steps that wait for a word which nobody
tells any more, or faults of a member who is gone: `repaired` takes these out too.
"""

import copy
from typing import Any

import yaml
from pydantic import ValidationError

from harness.clients.spec import parse_spec
from harness.scenario import Scenario
from harness.scenario_file import KeyPath
from harness.scenario_findings import Conflict

Values = dict[str, Any]

REPAIRS_MAX = 20
WIDTH = 110


def bare(scenario: Scenario) -> Values:
    """What is not default, in the order of the format; clients by their releases, which a later day would change."""
    values: Values = scenario.model_dump(mode="json", exclude_defaults=True)
    for block in (values, *values.get("members", {}).values()):
        if block.get("client"):
            block["client"] = str(parse_spec(block["client"]).pinned())
    return _without_nothing(values)


def _without_nothing(values: Values) -> Values:
    """Without blocks in which nothing is left. A member is named, however little it says."""
    kept = {}
    for key, value in values.items():
        if isinstance(value, dict):
            value = {k: _without_nothing(v) for k, v in value.items()} if key == "members" else _without_nothing(value)
        if value not in ({}, []):
            kept[key] = value
    return kept


def repaired(values: Values) -> Values | None:
    """The values as a scenario that can be run, steps and faults that make no sense any more taken out; None: none."""
    values = copy.deepcopy(values)
    for _ in range(REPAIRS_MAX):
        try:
            return bare(Scenario.model_validate(values))
        except ValidationError as error:
            causes = [entry.get("ctx", {}).get("error") for entry in error.errors()]
            findings = [finding for cause in causes if isinstance(cause, Conflict) for finding in cause.findings]
            items = {_item(finding.key) for finding in findings}
            if not items or None in items:
                return None
            # From the last on, or the numbers of those behind would change.
            for item in sorted((item for item in items if item), key=lambda item: (len(item), item[-1]), reverse=True):
                del at(values, item[:-1])[item[-1]]
    return None


def _item(key: KeyPath) -> KeyPath | None:
    """The step or the fault that a finding is about."""
    if key[:1] == ("faults",) and len(key) > 1:
        return key[:2]
    return key[:4] if key[:1] == ("members",) and key[2:3] == ("steps",) and len(key) > 3 else None


def at(values: Any, path: KeyPath) -> Any:
    for part in path:
        values = values[part]
    return values


def changed(values: Values, path: KeyPath, value: Any) -> Values:
    """A copy with another value there."""
    made = copy.deepcopy(values)
    at(made, path[:-1])[path[-1]] = value
    return made


def removed(values: Values, path: KeyPath) -> Values:
    """A copy without that key or item."""
    made = copy.deepcopy(values)
    del at(made, path[:-1])[path[-1]]
    return made


class _Folded(str):
    """Text that goes over several lines."""


class _Dumper(yaml.SafeDumper):
    """Indents the items of lists, as the scenarios of this project do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


_Dumper.add_representer(
    _Folded, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", str(text), style=">")
)


def as_yaml(values: Values, about: str) -> str:
    """The text of a scenario file; `load` reads it again."""
    told = {"about": _Folded(about), **{key: value for key, value in values.items() if key != "about"}}
    return yaml.dump(told, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)
