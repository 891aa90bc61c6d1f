"""Pure: the clients of a run with their settings, as the page tells them."""

import json
from typing import Any

from harness.report import facts as reading
from harness.report.evidence import Short, shown
from harness.report.facts import Facts, hidden, mapping, text

CLIENT_KEYS = ("role", "spec", "client_version", "librdkafka", "python", "packages", "api", "settings", "given")


def clients(facts: Facts) -> list[dict[str, Any]]:
    """Workers of one role, client and settings are shown as one: a restarted consumer is many of them."""
    groups: dict[str, dict[str, Any]] = {}
    for client in facts.rows(facts.run, "clients"):
        worker, status = text(client.get("worker")) or "?", text(client.get("status"))
        shared = {key: client.get(key) for key in CLIENT_KEYS}
        same = json.dumps(shared, sort_keys=True)
        group = groups.setdefault(same, {"workers": [], "statuses": [], "errors": [], "client": client})
        group["workers"].append(worker)
        group["errors"] += [f"{worker}: {error}" for error in reading.sentences(client.get("errors"))]
        if status and status not in group["statuses"]:
            group["statuses"].append(status)
    return list(groups.values())


def client(group: dict[str, Any], most: int, short: Short) -> dict[str, Any]:
    """What one group of workers was; at most so many of its settings, those that were given first."""
    client = group["client"]
    effective, given = mapping(client.get("settings")), mapping(client.get("given"))
    named = sorted(set(effective) | set(given), key=lambda name: (name not in given, name))

    def setting(name: str) -> dict[str, Any]:
        overruled = name in given and name in effective and given[name] != effective[name]
        return {
            "name": short(name),
            "value": short(hidden(name, effective[name] if name in effective else given[name])),
            "given": name in given,
            "asked": short(hidden(name, given[name])) if overruled else "",
        }

    workers = group["workers"]
    return {
        "workers": short(", ".join(workers) if len(workers) < 5 else f"{workers[0]} … {workers[-1]} ({len(workers)})"),
        "role": {"consume": "consumer", "produce": "producer", "read_log": "independent reader"}.get(
            text(client.get("role")), text(client.get("role"))
        ),
        "spec": short(client.get("spec")),
        "facts": [
            (name, short(client.get(key)))
            for name, key in (
                ("Asked for", "spec"),
                ("Version found", "client_version"),
                ("librdkafka", "librdkafka"),
                ("Python", "python"),
                ("Call", "api"),
            )
            if text(client.get(key))
        ]
        + ([("Packages", short(hidden("packages", client["packages"])))] if client.get("packages") else [])
        + ([("Ended", short("; ".join(group["statuses"])))] if group["statuses"] else []),
        "errors": shown(group["errors"], 20, short),
        "settings": shown(named, most, setting),
    }
