"""index.html over a folder of results: every run, matrix, bisect, upgrade and shrinking, newest first, with filters.

Written by command, not after each run: it reads the verdict of every run there. What cannot be read is listed too, as
UNKNOWN; what is inside of a matrix or a bisect is left to their own pages.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from harness.errors import UsageError
from harness.report import facts as reading
from harness.report.facts import Facts, clean, integer, mapping, shortened, text
from harness.report.matrix_table import tally
from harness.report.templating import script, template
from harness.rundir import write_text
from harness.verify import SEVERITY

SHOWN = 1500
"""So many results are listed; older ones are counted."""
LETTERS = 240
EXIT_WORDS = {0: "PASS", 1: "FAIL", 3: "UNKNOWN"}
WHEN = "%Y-%m-%d %H:%M:%S"
STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True)
class Entry:
    """One result. word: its verdict, empty where it has none; link: relative to the page, empty without a report."""

    kind: str
    word: str
    name: str
    client: str
    when: str
    why: str
    folder: str
    link: str


def write_index(results: Path) -> Path:
    """Write index.html into `results` and return its path. Raises UsageError where there is nothing to list."""
    found = entries(results)
    if not found:
        raise UsageError("not-a-run", f"{results}: no run in this folder", "Name the folder that runs were written to.")
    path = results / "index.html"
    write_text(path, render(found))
    return path


def entries(results: Path) -> list[Entry]:
    """What there is in a folder of results, newest first."""
    found = []
    for folder in results.iterdir():
        kind = next((kind for kind, (file, _) in KINDS.items() if (folder / file).is_file()), None)
        if kind is not None:
            found.append(KINDS[kind][1](folder))
    return sorted(found, key=lambda entry: (entry.when, entry.folder), reverse=True)


def render(found: list[Entry]) -> str:
    words = [(word, sum(entry.word == word for entry in found)) for word in reversed(SEVERITY)]
    kinds = [(kind, sum(entry.kind == kind for entry in found)) for kind in KINDS]
    page: str = _template().render(
        entries=found[:SHOWN],
        left_out=max(0, len(found) - SHOWN),
        words=[(word, count) for word, count in words if count],
        kinds=[(kind, count) for kind, count in kinds if count],
        script=script("index.js"),
    )
    return page


@functools.cache
def _template() -> Any:
    return template("index.html.j2")


def _run(folder: Path) -> Entry:
    facts = reading.read(folder)
    client = ", ".join(text(facts.settings.get(key)) for key in ("client", "api") if text(facts.settings.get(key)))
    return _entry("run", folder, facts.word, facts.scenario, client, facts.reasons[0], facts.started, "report.html")


def _matrix(folder: Path) -> Entry:
    data = _content(folder / "matrix.json")
    cells = [row for row in Facts(folder).rows(data, "cells") if "verdict" in row and "state" in row]
    words = [row["verdict"] for row in cells if row["verdict"] in SEVERITY]
    worst = max(words, key=SEVERITY.index, default="UNKNOWN")
    why = tally(cells) if cells else "it cannot be read"
    why += "" if data.get("finished") else "; not finished"
    clients = list(dict.fromkeys(text(row.get("client")) for row in cells))
    who = ", ".join(clients) if len(clients) < 4 else f"{len(clients)} clients"
    name = text(data.get("name")) or "unnamed"
    return _entry("matrix", folder, worst, name, who, why, text(data.get("started")), "matrix.html")


def _bisect(folder: Path) -> Entry:
    data = _content(folder / "bisect.json")
    question, answer = mapping(data.get("question")), mapping(data.get("answer"))
    good, bad, first = (text(value) for value in (question.get("good"), question.get("bad"), answer.get("first_bad")))
    why = f"begins with {first}" if first else f"not answered yet: between {good} and {bad}"
    return _entry("bisect", folder, "", text(question.get("scenario")), text(question.get("client")), why, "", "")


def _upgrade(folder: Path) -> Entry:
    data = _content(folder / "upgrade.json")
    clients = Facts(folder).rows(data, "clients")
    changes = [f"{text(one.get('before')) or 'new'} → {text(one.get('after')) or 'gone'}" for one in clients]
    word = EXIT_WORDS.get(integer(data.get("exit_code")) or 0, "UNKNOWN") if "exit_code" in data else "UNKNOWN"
    said = [mapping(each.get("candidate")) for one in clients for each in Facts(folder).rows(one, "scenarios")]
    counts = [(word, sum(one.get("verdict") == word for one in said)) for word in reversed(SEVERITY)]
    why = "the new release: " + (", ".join(f"{count} {word}" for word, count in counts if count) or "nothing was run")
    return _entry("upgrade", folder, word, "upgrade", ", ".join(changes), why, "", "")


def _shrink(folder: Path) -> Entry:
    data = _content(folder / "shrink.json")
    tried = len(Facts(folder).rows(data, "candidates"))
    why = f"{tried:,} scenarios tried" + ("" if data.get("finished") else "; not finished")
    return _entry("shrink", folder, "", text(data.get("run")), "", why, "", "")


def _gate(folder: Path) -> Entry:
    data = _content(folder / "gate.json")
    word = text(data.get("verdict"))
    doubts = reading.sentences(data.get("doubts"))
    why = doubts[0] if doubts else f"against {text(data.get('baseline'))}"
    name = ", ".join(text(cell.get("scenario")) for cell in Facts(folder).rows(data, "cells"))
    word = word if word in SEVERITY else "UNKNOWN"
    return _entry("gate", folder, word, name, text(data.get("candidate")), why, "", "")


KINDS: dict[str, tuple[str, Callable[[Path], Entry]]] = {
    "run": ("run.json", _run),
    "matrix": ("matrix.json", _matrix),
    "bisect": ("bisect.json", _bisect),
    "upgrade": ("upgrade.json", _upgrade),
    "shrink": ("shrink.json", _shrink),
    "gate": ("gate.json", _gate),
}
"""By kind: the file by which its folder is known, and what reads it."""


def _entry(kind: str, folder: Path, word: str, name: str, client: str, why: str, when: str, report: str) -> Entry:
    there = bool(report) and (folder / report).is_file()
    return Entry(
        kind=kind,
        word=word,
        name=shortened(name or "unnamed", LETTERS),
        client=shortened(client, LETTERS),
        when=when.removesuffix(" UTC") or _when(folder),
        why=shortened(why, LETTERS),
        folder=reading.one_line(clean(folder.name)),
        # The name of a folder may hold anything: quoted, and below this page, it can lead nowhere else.
        link=f"./{quote(folder.name, safe='')}/{report if there else ''}",
    )


def _when(folder: Path) -> str:
    """By its name, else by the file system."""
    try:
        found = datetime.strptime(folder.name[:16], STAMP).replace(tzinfo=UTC)
    except ValueError:
        found = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
    return found.strftime(WHEN)


def _content(path: Path) -> dict[str, Any]:
    """A file's object; an empty one where it cannot be read, which no reader here takes for good news."""
    return reading.read_object(path, [])
