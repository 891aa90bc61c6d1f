"""What a scenario says, and how one is read.

A scenario is one YAML file: a client, a workload, what is done to it, and the guarantee it is judged by. The models
here are the only definition of the format: `harness schema` and the table in scenarios/README.md are generated from
them (`harness.scenario_reference`). A file is read whole and all its errors are told at once, each with its place.
"""

import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import yaml
from pydantic import Field, PrivateAttr, StringConstraints, ValidationError, model_validator
from pydantic.fields import FieldInfo

from harness import foreign_code
from harness.errors import UsageError
from harness.fault_models import Fault
from harness.scenario_checks import conflicts
from harness.scenario_errors import findings_of, lookup
from harness.scenario_file import Document, KeyPath, dotted, find, parse, read, shipped
from harness.scenario_findings import Conflict, Finding
from harness.scenario_models import (
    DEFAULT_KAFKA,
    Api,
    Broker,
    ClientSpec,
    Consumer,
    Drain,
    Gate,
    Group,
    Keys,
    Member,
    Messages,
    Planted,
    PlantedProducer,
    Producer,
    Restarts,
    Topic,
)

__all__ = [
    "DEFAULT_KAFKA",
    "Broker",
    "Planted",
    "PlantedProducer",
    "Scenario",
    "dump",
    "find",
    "json_schema",
    "load",
    "refusal",
    "shipped",
]

HINT = "`harness schema` prints the format; scenarios/README.md explains every key."

# Option of the command line for each key that it can override.
OPTIONS: Mapping[str, tuple[str, KeyPath]] = {
    "client": ("--client", ("client",)),
    "messages": ("--messages", ("messages",)),
    "size_bytes": ("--size", ("size_bytes",)),
    "partitions": ("--partitions", ("partitions",)),
    "seed": ("--seed", ("seed",)),
    "broker": ("--broker", ("broker", "backend")),
}


class Scenario(Keys):
    """One scenario. `name` is the stem of its file."""

    about: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4_000)] = Field(
        description="What it shows and what to expect, for a person."
    )
    guarantee: Literal["at_least_once", "at_most_once", "exactly_once"] = Field(
        default="at_least_once", description="The claim that the verdict judges."
    )
    client: ClientSpec = Field(
        description="The client under test: `kafka-python`, `kafka-python==2.0.2`, `kafka-python[crc32c]==3.0.12`, "
        "`kafka-python==1.4.4 @ python3.6`, `aiokafka==0.8.1 + kafka-python==2.0.2`."
    )
    api: Api = Field(description="The call that the application reads with; each library offers some of them.")
    security: Literal["mutual_tls", "plaintext", "tls", "sasl_tls"] = Field(
        default="mutual_tls",
        description="How clients reach the broker; the certificates are made for the run. A broker of the backend "
        "external decides that itself: `tls` without a client's certificate, `sasl_tls` with a name and password.",
    )
    broker: Broker = Field(default_factory=Broker, description="The Kafka that the clients talk to.")
    partitions: int = Field(default=4, ge=1, le=10_000, description="Partitions of the topic.")
    messages: Messages = Field(description="How many messages are produced, over all partitions.")
    size_bytes: int = Field(ge=8, le=10 * 2**20, description="Size of each message's value.")
    producer: Producer = Field(default_factory=Producer, description="Who writes the messages.")
    consumer: Consumer = Field(default_factory=Consumer, description="How the client under test is set up.")
    group: Group | None = Field(
        default=None, description="The consumer group; null: one consumer, as its library is made."
    )
    members: dict[str, Member] | None = Field(
        default=None, description="The group's members by name, each with its script; null: the plain loop."
    )
    topic: Topic = Field(default_factory=Topic, description="The topic that is written and read.")
    faults: list[Fault] = Field(default_factory=list, description="What is done to the group or the producer.")
    restarts: Restarts | None = Field(default=None, description="Orderly restarts of the consumer; null: none.")
    consume: Literal["afterwards", "while_produced"] = Field(
        default="afterwards",
        description="`afterwards`: what was written before is read; `while_produced`: the group joins, and then the "
        "messages are written on a schedule, `producer.rate`, so that latency is measured.",
    )
    record: Literal["loss", "throughput"] = Field(
        default="loss",
        description="`loss`: every delivery with its offset, written so that a kill loses none; `throughput`: "
        "identities only, in memory, at the least cost.",
    )
    gate: Gate = Field(default_factory=Gate, description="What `harness gate` lets pass.")
    drain: Drain = Field(default_factory=Drain, description="The bounded wait at the end.")
    planted: Planted | None = Field(
        default=None, description="A fault made on purpose; only with the client `planted`."
    )
    seed: int = Field(default=1, ge=0, le=2**63 - 1, description="Everything drawn at random is drawn from it.")

    _name: str = PrivateAttr("scenario")

    @property
    def name(self) -> str:
        return self._name

    @property
    def while_produced(self) -> bool:
        """Whether the group reads while the messages are written."""
        return self.consume == "while_produced"

    @property
    def proxied(self) -> bool:
        """Whether a proxy has to stand before the broker, for faults of the network."""
        return any(fault.network is not None for fault in self.faults)

    @property
    def trapped(self) -> bool:
        """Whether its broker needs listeners that refuse clients."""
        return self.consumer.refused is not None

    def disturbed_while(self, stage: str) -> bool:
        """Whether there are faults of this stage, `produce` or `consume`."""
        return any(fault.during == stage for fault in self.faults)

    @model_validator(mode="after")
    def _keys_fit_together(self) -> "Scenario":
        if findings := conflicts(lookup(self.model_dump())):
            raise Conflict(findings)
        return self


def load(path: Path | str, overrides: Mapping[str, Any] | None = None, name: str | None = None) -> Scenario:
    """Read a scenario, or raise UsageError with everything that is wrong with it.

    path: a file, or the name of a shipped scenario. overrides: from the command line, by the keys of OPTIONS; None
    means not given. name: the scenario's name where the file's stem is not it (the resolved copy in a run's folder).
    """
    file = find(str(path))
    document = parse(read(file))
    if document.values is None:
        raise refusal(file, document, [], {})
    if "scenarios" in document.values:
        raise UsageError("bad-scenario", f"{file}: a matrix, and no scenario", f"`harness matrix {file}` runs it.")
    options: dict[KeyPath, str] = {}
    for key, value in (overrides or {}).items():
        if value is not None:
            option, target = OPTIONS[key]
            options[target] = option
            _put(document, target, value)
    findings: list[Finding] = []
    try:
        scenario = Scenario.model_validate(document.values)
    except ValidationError as error:
        findings = findings_of(error, document, blocks(), defaults())
    findings += foreign_code.in_scenario(document.values, options)
    if findings or document.problems:
        raise refusal(file, document, findings, options)
    scenario._name = name or file.stem
    return scenario


def _put(document: Document, path: KeyPath, value: Any) -> None:
    """Lay an override over the file's value."""
    *outer, last = path
    block = document.values
    for key in outer:
        block = block.setdefault(key, {})
        if not isinstance(block, dict):
            return  # The file has something else in the block's place, and is refused for that.
    block[last] = value
    document.written.pop(path, None)
    document.problems = [problem for problem in document.problems if problem.path != path]
    document.unreadable.discard(path)


def refusal(
    file: Path,
    document: Document,
    findings: list[Finding],
    options: Mapping[KeyPath, str],
    *,
    slug: str = "bad-scenario",
    hint: str = HINT,
) -> UsageError:
    """All that is wrong, one line each: options of the command line first, then in the order of the file."""
    from_options, from_file = [], [(problem.place, problem.path, problem.what) for problem in document.problems]
    for finding in findings:
        keys = (finding.key, finding.key[:1], *finding.also)
        option = next((options[key] for key in keys if key in options), None)
        if option is None:
            from_file.append((document.place(finding.key), finding.key, finding.what))
        else:
            from_options.append(f"{option}: {finding.what}")
    lines = [
        f"{file}:{place.line}:{place.column}: {f'{dotted(key)}: ' if key else ''}{what}"
        for place, key, what in sorted(from_file, key=lambda line: line[0])
    ]
    return UsageError(slug, "\n".join(_printable(line) for line in from_options + lines), hint)


def _printable(line: str) -> str:
    """A line stays one line, and moves no terminal's cursor, whatever the file's keys and values hold."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


def blocks() -> dict[KeyPath, dict[str, FieldInfo]]:
    """Every block of keys with its keys, the scenario itself first."""
    return dict(_blocks(Scenario, ()))


def _blocks(model: type[Keys], path: KeyPath) -> Iterator[tuple[KeyPath, dict[str, FieldInfo]]]:
    yield path, model.model_fields
    for key, info in model.model_fields.items():
        for inner, deeper in _models(info.annotation):
            yield from _blocks(inner, (*path, key, *deeper))


def _models(annotation: Any) -> Iterator[tuple[type[Keys], KeyPath]]:
    """The blocks in an annotation; `*` leads to those that a list has, or a mapping by name."""
    if isinstance(annotation, type) and issubclass(annotation, Keys):
        yield annotation, ()
    deeper = ("*",) if get_origin(annotation) in (list, dict) else ()
    for part in get_args(annotation):
        yield from ((model, (*deeper, *path)) for model, path in _models(part))


@functools.cache
def defaults() -> dict[str, Any]:
    """What holds where a file leaves a key out, blocks that are there by default included."""
    return {
        key: value.model_dump() if isinstance(value, Keys) else value
        for key, info in Scenario.model_fields.items()
        if not info.is_required()
        for value in [info.get_default(call_default_factory=True)]
    }


def dump(scenario: Scenario) -> str:
    """The whole scenario as YAML, every default written out; `load` reads it again."""
    return yaml.safe_dump(scenario.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)


def json_schema() -> dict[str, Any]:
    """The format as JSON Schema, for editors."""
    schema = Scenario.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "harness scenario"}
