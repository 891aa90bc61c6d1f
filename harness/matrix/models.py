"""What a matrix says, and how one is read: a YAML file of its own, or the options of the command line.

A file is read as a scenario's is: whole, and all its errors are told at once, each with its place.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from harness import foreign_code
from harness.clients.spec import parse_spec
from harness.errors import UsageError
from harness.scenario import Scenario, load, refusal
from harness.scenario_errors import findings_of
from harness.scenario_file import Document, KeyPath, find, is_file, parse, read, shipped, shipped_folder
from harness.scenario_findings import Finding, short
from harness.scenario_models import Api, Keys, Messages

HINT = "scenarios/matrix.yaml is an example; `harness matrix --help` has the options."
MARKS = ("scenarios", "clients")
"""Keys that a matrix has and a scenario has not."""
CHANGES = ("add_partitions", "delete_records")
"""Faults after which a topic is not what it was."""


class Matrix(Keys):
    """Every scenario is run with every client, by each of the calls that it has, over each connection."""

    about: str | None = Field(default=None, max_length=4_000, description="What it is to show, for a person.")
    scenarios: list[str] = Field(description="Files, or names of scenarios that come with the harness.")
    clients: list[str] = Field(description="Specs of the clients, in the order in which they are compared.")
    apis: list[Api] = Field(
        default_factory=list,
        description="Calls to read with; a client is tried with those that it has. None: the scenario's own call, and "
        "a client that has not got it is tried with all of its calls.",
    )
    securities: list[Literal["mutual_tls", "plaintext"]] = Field(
        default_factory=list, description="How clients reach the broker. None: as each scenario says."
    )
    repeat: int = Field(default=1, ge=1, le=1_000, description="Each cell is run so often, the seed going up by one.")
    replay: Literal["own_log", "same_log"] = Field(
        default="own_log",
        description="`same_log`: all cells of a scenario read one topic that was written once, so that they differ by "
        "their clients alone; `own_log`: each cell writes its own.",
    )
    max_records: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Calls that take a limit hand over at most so many messages at once, where the scenario says none; "
        "null: as the library has it, which is one for confluent-kafka's `consume`.",
    )
    messages: Messages | None = Field(default=None, description="Produce so many; null: as each scenario says.")
    seed: int | None = Field(default=None, ge=0, le=2**63 - 1, description="null: as each scenario says.")


class Asked:
    """A matrix that is right, with its scenarios read. `name` is the stem of its file, or of its only scenario."""

    def __init__(self, matrix: Matrix, name: str, scenarios: Mapping[str, Scenario]) -> None:
        self.matrix = matrix
        self.name = name
        self.scenarios = scenarios


def is_matrix(path: Path) -> bool:
    """Whether a file is one of a matrix and not of a scenario."""
    values = parse(read(path)).values
    return isinstance(values, dict) and any(mark in values for mark in MARKS)


def ask(targets: tuple[str, ...], options: Mapping[str, Any]) -> Asked:
    """Read the matrix that the command line names: one file of a matrix, or scenarios.

    options: keys of Matrix from the command line, which win over the file's; None means not given. Raises UsageError
    with everything that is wrong.
    """
    files = [find(target) for target in targets]
    tables = [file for file in files if is_matrix(file)]
    if tables and len(files) > 1:
        raise UsageError("bad-matrix", f"{tables[0]}: a matrix stands alone, without other files", HINT)
    given = {key: value for key, value in options.items() if value is not None}
    if tables:
        document, name = parse(read(tables[0])), tables[0].stem
    else:
        given["scenarios"] = list(targets)
        document, name = Document(values={}), files[0].stem if len(files) == 1 else "scenarios"
    file = tables[0] if tables else Path("command line")
    for key, value in given.items():
        _lay_over(document, key, value)
    scenarios: dict[str, Scenario] = {}
    findings = _findings(document, file.parent, scenarios)
    findings += foreign_code.in_matrix(document.values) if "clients" not in given else []
    if findings or document.problems:
        named: dict[KeyPath, str] = {(key,): "SCENARIO" if key == "scenarios" else f"--{key}" for key in given}
        if not tables:
            named.setdefault(("clients",), "--clients")
        raise refusal(file, document, findings, named, slug="bad-matrix", hint=HINT)
    return Asked(Matrix.model_validate(document.values), name, scenarios)


def _lay_over(document: Document, key: str, value: Any) -> None:
    document.values[key] = value
    document.problems = [problem for problem in document.problems if problem.path[:1] != (key,)]
    document.unreadable = {path for path in document.unreadable if path[:1] != (key,)}


def _findings(document: Document, folder: Path, scenarios: dict[str, Scenario]) -> list[Finding]:
    """All that is wrong; the scenarios that are right are put into `scenarios`."""
    found: list[Finding] = []
    try:
        Matrix.model_validate(document.values)
    except ValidationError as error:
        found = findings_of(error, document, {(): Matrix.model_fields}, {})
    # What cannot be read at all is told already, and stands there as None.
    wrong = {finding.key[:1] for finding in found} | {path[:1] for path in document.unreadable}
    values = {key: value for key, value in document.values.items() if (key,) not in wrong}
    for key in ("scenarios", "clients", "apis", "securities"):
        found += _list(key, values)
    found += _scenarios(values, folder, scenarios)
    return found + list(_clients(values)) + list(_same_log(values, scenarios))


def _list(key: str, values: Mapping[str, Any]) -> Iterator[Finding]:
    """A list that is there has something in it, and nothing twice."""
    items = values.get(key)
    if items == [] and key in MARKS:
        yield Finding((key,), "an empty list: nothing would be run")
    seen: list[Any] = []
    for place, item in enumerate(items or ()):
        if item in seen:
            yield Finding((key, place), f'"{short(str(item))}" stands there twice')
        seen.append(item)


def _scenarios(values: Mapping[str, Any], folder: Path, scenarios: dict[str, Scenario]) -> Iterator[Finding]:
    overrides = {key: values[key] for key in ("messages", "seed") if values.get(key) is not None}
    for place, name in enumerate(values.get("scenarios", ())):
        path: KeyPath = ("scenarios", place)
        beside = folder / name
        try:
            file = beside if is_file(beside) else find(name)
            if is_matrix(file):
                yield Finding(path, f"{file} is a matrix, and no scenario")
                continue
            scenarios[_label(file, name, scenarios)] = load(file, overrides)
        except UsageError as error:
            whose = f"{name}: " if error.what.startswith("--") else ""
            said = "; ".join(error.what.splitlines())
            yield Finding(path, whose + said, also=tuple((key,) for key in overrides))


def _label(file: Path, name: str, taken: Mapping[str, Any]) -> str:
    """A scenario's name in the matrix: as `harness list` has it, or the stem of its file where no other has that."""
    if file in shipped():
        return file.relative_to(shipped_folder()).with_suffix("").as_posix()
    return name if file.stem in taken else file.stem


def _clients(values: Mapping[str, Any]) -> Iterator[Finding]:
    specs: dict[str, str] = {}
    calls: set[str] = set()
    for place, text in enumerate(values.get("clients", ())):
        try:
            spec = parse_spec(text).pinned()
        except UsageError as error:
            yield Finding(("clients", place), f"{error.what}. {error.hint}")
            continue
        calls.update(spec.client.apis)
        if str(spec) in specs and text != specs[str(spec)]:
            yield Finding(("clients", place), f"{text} is {specs[str(spec)]}, which stands there already")
        specs[str(spec)] = text
    for place, api in enumerate(values.get("apis", ())):
        if calls and api not in calls:
            yield Finding(("apis", place), f"none of the clients has {api}; they have {', '.join(sorted(calls))}")


def _same_log(values: Mapping[str, Any], scenarios: Mapping[str, Scenario]) -> Iterator[Finding]:
    """Which scenarios change the topic that they read, so that the next one would not find it as it was."""
    if values.get("replay") != "same_log":
        return
    for name, scenario in scenarios.items():
        change = changes_its_log(scenario)
        if change is not None:
            yield Finding(("replay",), f"same_log does not go with {name}: {change}", also=(("scenarios",),))


def changes_its_log(scenario: Scenario) -> str | None:
    """What a scenario does to its topic after it was written, or while; None: nothing."""
    if scenario.while_produced:
        return "it reads while the topic is written"
    for fault in scenario.faults:
        changes = [kind for kind in CHANGES if getattr(fault, kind) is not None]
        if changes:
            return f"the fault {changes[0]} changes the topic"
        if fault.during == "produce":
            return "a fault comes while the topic is written"
    return None
