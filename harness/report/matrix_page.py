"""matrix.html: one offline file with a matrix's verdicts and speeds, each leading to the report of its run."""

import functools
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.clients.spec import parse_spec
from harness.report.facts import clean, figure, mapping, text
from harness.report.matrix_table import Table, sentence, table, tally
from harness.report.settings import HEADINGS, in_words
from harness.report.templating import template
from harness.report.what_was_run import command_line_of
from harness.rundir import write_text
from harness.settings_difference import Change, differences

SHOWN = 400
"""So many cells are told of in words; the table has them all."""


def write_page(path: Path, data: dict[str, Any], worst: str) -> None:
    """Write matrix.html into the folder of a matrix; `data` is the content of its matrix.json."""
    write_text(path / "matrix.html", render(data, worst))


def render(data: dict[str, Any], worst: str) -> str:
    page: str = _template().render(_content(clean(data), worst))
    return page


@functools.cache
def _template() -> Any:
    return template("matrix.html.j2", figure=figure, spoken=lambda spec: spec.replace("==", " "), connection=connection)


def _content(data: dict[str, Any], worst: str) -> dict[str, Any]:
    rows = data["cells"]
    asked = mapping(data.get("asked"))
    made = table(rows)
    bad = [row for row in rows if row["verdict"] in ("FAIL", "UNKNOWN")]
    refused = [row for row in rows if row["state"] == "refused"]
    return {
        "word": worst,
        "name": text(data.get("name")),
        "folder": text(data.get("matrix")),
        "started": text(data.get("started")),
        "finished": bool(data.get("finished")),
        "tally": tally(rows),
        "about": text(asked.get("about")),
        "what": _what(data, made),
        "table": made,
        "speeds": made.speeds(),
        "linked": any(row["run"] for row in rows),
        "released": defaultdict(str, {name: text(day) for name, day in mapping(data.get("released")).items()}),
        "alone": sum(row["beside"] is True for row in rows),
        "bad": [_told(row) for row in bad[:SHOWN]],
        "bad_left_out": max(0, len(bad) - SHOWN),
        "refused": [_told(row) for row in refused[:SHOWN]],
        "refused_left_out": max(0, len(refused) - SHOWN),
        "changes": _changes(data),
        "unknown_settings": _unknown(data),
        "command": command_line_of(data.get("command")),
    }


def _what(data: dict[str, Any], made: Table) -> list[tuple[str, str]]:
    rows, asked, host = data["cells"], mapping(data.get("asked")), mapping(data.get("environment"))
    brokers = sorted({row["kafka"] for row in rows if row["kafka"]})
    logs = {row["log"] for row in rows if row["log"]}
    own = "Each cell wrote and read a topic of its own."
    shared = "Cells of one scenario read the same topic, written once"
    anew = len(logs) > len({(row["scenario"], row["number"]) for row in rows if row["log"]})
    shared += ", and once more where the matrix went on after a break." if anew else "."
    pairs = [
        ("Scenarios", ", ".join(dict.fromkeys(scenario for scenario, _ in made.columns))),
        ("Clients", ", ".join(dict.fromkeys(client for client, _, _ in made.lines))),
        ("Cells", f"{len(rows):,}"),
        ("Topics", shared if asked.get("replay") == "same_log" else own),
        ("Broker", ", ".join(f"Apache Kafka {release}" for release in brokers)),
        ("Took", _duration(data.get("seconds"))),
        ("Harness", " ".join(text(data.get(key)) for key in ("harness_version", "commit")).strip()),
        ("Host", f"{text(host.get('os'))}, {text(host.get('cores'))} cores"),
    ]
    return [(name, value) for name, value in pairs if value]


def _duration(seconds: Any) -> str:
    found = float(seconds or 0)
    return f"{found:.0f} s" if found < 120 else f"{found / 60:.0f} min" if found < 7200 else f"{found / 3600:.1f} h"


def connection(security: str) -> str:
    """`mutual_tls` and the like, as people write it."""
    return security.replace("_", " ").replace("tls", "TLS")


def _told(row: dict[str, Any]) -> dict[str, str]:
    return {
        "verdict": text(row["verdict"]),
        "what": f"{row['client']} {row['api']}",
        "where": f"{row['scenario']}, {connection(row['security'])}",
        "why": sentence(row["why"]),
        "link": f"{row['run']}/report.html" if row["run"] else "",
    }


def _changes(data: dict[str, Any]) -> list[dict[str, Any]]:
    """What differs between neighbours of one library, in the order in which the matrix names the clients."""
    told = mapping(data.get("settings"))
    by_library: dict[str, list[str]] = {}
    for row in data["cells"]:
        clients = by_library.setdefault(parse_spec(row["client"]).library, [])
        if row["client"] in told and row["client"] not in clients:
            clients.append(row["client"])
    return [_change(one, other, told) for clients in by_library.values() for one, other in pairwise(clients)]


def _change(one: str, other: str, told: dict[str, Any]) -> dict[str, Any]:
    changes = differences(told[one], told[other])
    counts = [(kind, sum(change.kind == kind for change in changes)) for kind in HEADINGS]
    said = ", ".join(f"{found} {kind}" for kind, found in counts if found)
    return {"one": one, "other": other, "count": said or "the same", "groups": _grouped(one, other, changes)}


def _grouped(one: str, other: str, changes: list[Change]) -> list[tuple[str, list[str]]]:
    made = [
        (heading.format(one, other), [in_words(change) for change in changes if change.kind == kind])
        for kind, heading in HEADINGS.items()
    ]
    return [(heading, found) for heading, found in made if found]


def _unknown(data: dict[str, Any]) -> list[str]:
    told = mapping(data.get("settings"))
    return [client for client in dict.fromkeys(row["client"] for row in data["cells"]) if client not in told]
