"""Pure: the cells of a matrix, in the order in which they run."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

import harness
from harness.clients.spec import ClientSpec, parse_spec
from harness.errors import UsageError
from harness.fault_models import OF_THE_BROKER
from harness.matrix.models import HINT, Asked, Matrix
from harness.scenario import Scenario
from harness.scenario_checks import TAKES_MAX_RECORDS
from harness.scenario_findings import Conflict

NAMES = ("scenario", "client", "api", "security", "number")
"""What a cell is known by, as the keys of its row."""


def key(row: Mapping[str, Any]) -> str:
    """Of a row, as `Cell.key` is of its cell."""
    return json.dumps([row[name] for name in NAMES])


def words(scenario: str, client: str, api: str, security: str, number: int) -> str:
    """A cell as people read it."""
    again = f", once more ({number + 1})" if number else ""
    return f"{scenario}: {client} {api}, {security.replace('_', ' ')}{again}"


@dataclass(frozen=True)
class Cell:
    """One run: `scenario` as it is run. number: of its repetition, from 0.

    refusal: why it cannot be run at all: the scenario has something that this client has not; `scenario` is None then.
    """

    name: str
    client: str
    api: str
    security: str
    number: int
    scenario: Scenario | None
    refusal: str | None = None

    @property
    def key(self) -> str:
        return json.dumps([self.name, self.client, self.api, self.security, self.number])

    @property
    def words(self) -> str:
        return words(self.name, self.client, self.api, self.security, self.number)

    @property
    def measures(self) -> bool:
        """Whether it measures speed or latency, for which nothing else may run beside it."""
        return self.scenario is not None and (self.scenario.record == "throughput" or self.scenario.while_produced)

    @property
    def alone(self) -> bool:
        """A proxy does to all connections what it does to one, and a broker's faults meet everybody."""
        if self.scenario is None:
            return False
        faults = [kind for fault in self.scenario.faults for kind in OF_THE_BROKER if getattr(fault, kind) is not None]
        return self.measures or self.scenario.proxied or self.scenario.trapped or bool(faults)

    @property
    def bed(self) -> tuple[Any, ...]:
        """Cells with the same one share a broker."""
        return () if self.scenario is None else (self.scenario.broker, self.scenario.proxied, self.scenario.trapped)

    @property
    def log(self) -> tuple[Any, ...]:
        """Cells with the same one read the same topic where the matrix says `same_log`."""
        return self.name, self.number


def cells(asked: Asked) -> list[Cell]:
    """All cells. Raises UsageError where none of them can be run."""
    made = list(_cells(asked))
    if all(cell.refusal for cell in made):
        refusals = dict.fromkeys(f"{cell.words}: {cell.refusal}" for cell in made)
        raise UsageError("bad-matrix", "\n".join(["none of its cells can be run:", *refusals]), HINT)
    return made


def _cells(asked: Asked) -> Iterator[Cell]:
    matrix = asked.matrix
    for number in range(matrix.repeat):
        for name, scenario in asked.scenarios.items():
            securities: list[str] = [*matrix.securities] or [scenario.security]
            for security in securities:
                for text in matrix.clients:
                    spec = parse_spec(text).pinned()
                    for api in _apis(matrix, scenario, spec):
                        limited = _limited(matrix, scenario, spec, api)
                        yield _cell(name, limited, spec, api, security, number)


def _apis(matrix: Matrix, scenario: Scenario, spec: ClientSpec) -> list[str]:
    offered = spec.client.apis
    if matrix.apis:
        return [api for api in matrix.apis if api in offered]
    return [scenario.api] if scenario.api in offered else list(offered)


def _limited(matrix: Matrix, scenario: Scenario, spec: ClientSpec, api: str) -> Scenario:
    """With the matrix's limit of a batch, where this call takes one and the scenario says none."""
    consumer = scenario.consumer
    if matrix.max_records is None or consumer.batch.max_records or (spec.library, api) not in TAKES_MAX_RECORDS:
        return scenario
    batch = consumer.batch.model_copy(update={"max_records": matrix.max_records})
    return scenario.model_copy(update={"consumer": consumer.model_copy(update={"batch": batch})})


def _cell(name: str, scenario: Scenario, spec: ClientSpec, api: str, security: str, number: int) -> Cell:
    client = str(spec)
    refusal = _foreign_settings(scenario, spec)
    if refusal is not None:
        return Cell(name, client, api, security, number, None, refusal)
    own = {"client": client, "api": api, "security": security, "seed": scenario.seed + number}
    try:
        made = Scenario.model_validate(scenario.model_dump() | own)
    except ValidationError as error:
        return Cell(name, client, api, security, number, None, _why(error))
    made._name = scenario.name
    return Cell(name, client, api, security, number, made)


def _foreign_settings(scenario: Scenario, spec: ClientSpec) -> str | None:
    """Settings are written by a library's own names, which another one does not know."""
    written_for = parse_spec(scenario.client)
    if scenario.consumer.settings and written_for.client.adapter != spec.client.adapter:
        return f"its consumer.settings are those of {written_for.library}"
    return None


def _why(error: ValidationError) -> str:
    for entry in error.errors():
        cause = entry.get("ctx", {}).get("error")
        if isinstance(cause, Conflict):
            return "; ".join(finding.what for finding in cause.findings)
    return "; ".join(str(entry["msg"]) for entry in error.errors())


def fingerprint(asked: Asked, made: list[Cell]) -> str:
    """What makes two matrices the same one: then what one of them has run need not be run by the other."""
    plan = [
        harness.__version__,
        asked.matrix.replay,
        [[cell.key, cell.scenario and cell.scenario.model_dump(mode="json")] for cell in made],
    ]
    return hashlib.sha256(json.dumps(plan).encode()).hexdigest()[:16]
