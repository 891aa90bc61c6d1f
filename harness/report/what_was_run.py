"""Pure: what a verdict is about, in words: clients, broker, connection, messages, and the command that repeats it."""

import shlex
from typing import Any

from harness.report.facts import Facts, count, hidden, integer, mapping, size, text

CONNECTIONS = {"mutual_tls": "mutual TLS", "tls": "TLS", "sasl_tls": "SASL over TLS"}


def what_was_run(facts: Facts) -> list[tuple[str, str]]:
    """What the verdict is about, as (name, value)."""
    settings = facts.settings
    security = text(settings.get("security"))
    broker = mapping(facts.run.get("broker"))
    pairs = [
        ("Client", client_line(facts, "consume") or text(settings.get("client"))),
        ("Producer", client_line(facts, "produce") or text(mapping(settings.get("producer")).get("client"))),
        ("Log read by", client_line(facts, "read_log")),
        ("Broker", _broker_line(broker)),
        ("Connection", CONNECTIONS.get(security, security)),
        ("Guarantee claimed", facts.guarantee.replace("_", " ")),
        ("Messages", _messages_line(settings)),
        ("Restarts", _restarts_line(settings)),
        ("Given to the client", _given_line(facts)),
        ("Seed", text(facts.run.get("seed"))),
    ]
    return [(name, value) for name, value in pairs if value]


def client_line(facts: Facts, role: str) -> str:
    """The client of a role in words: what was asked for, what was found installed, on which interpreter."""
    clients = facts.clients(role)
    if not clients:
        return ""
    client = clients[0]
    spec, version = text(client.get("spec")), text(client.get("client_version"))
    line = spec or "client unknown"
    if version and version not in spec:
        line += f" (version {version})"
    if text(client.get("librdkafka")):
        line += f", librdkafka {text(client.get('librdkafka'))}"
    if role != "produce" and text(client.get("api")):  # which names a call for reading
        line += f", {text(client.get('api'))}"
    if text(client.get("python")):
        line += f", on Python {text(client.get('python')).removeprefix('Python ')}"
    return line


def _given_line(facts: Facts) -> str:
    """What the scenario sets of the client under test; all else is as the harness or the library has it."""
    clients = facts.clients("consume")
    given = mapping(clients[0].get("given")) if clients else {}
    if not clients or "given" not in clients[0]:
        return ""
    return (
        ", ".join(f"{name} = {hidden(name, value)}" for name, value in given.items())
        or "nothing: its settings are in “Clients”"
    )


def _broker_line(broker: dict[str, Any]) -> str:
    kafka, backend, java = (text(broker.get(key)) for key in ("kafka", "backend", "java"))
    nodes = integer(broker.get("nodes")) or 1
    line = f"Apache Kafka {kafka}" if kafka else ""
    line += f", {nodes} nodes" if line and nodes > 1 else ""
    line += f", {backend}" if line and backend else backend
    line += ", behind a proxy" if line and broker.get("proxied") is True else ""
    return f"{line}, on Java {java.removeprefix('Java ')}" if line and java else line


def _messages_line(settings: dict[str, Any]) -> str:
    messages, size_bytes, partitions = (integer(settings.get(k)) for k in ("messages", "size_bytes", "partitions"))
    line = f"{messages:,}" if messages is not None else ""
    line += f" × {size_bytes:,} B" if line and size_bytes is not None else ""
    return f"{line} in {partitions:,} partition{'s' if partitions != 1 else ''}" if line and partitions else line


def _restarts_line(settings: dict[str, Any]) -> str:
    restarts = mapping(settings.get("restarts"))
    times, after = integer(restarts.get("count")), restarts.get("after")
    if times is None:
        return "none" if "restarts" in settings else ""
    line = f"{times:,} time{'s' if times != 1 else ''}"
    if isinstance(after, list) and len(after) == 2:
        line += f", each after {count(after[0], '?')} to {count(after[1], '?')} deliveries"
    return line


def surroundings(facts: Facts) -> list[tuple[str, str]]:
    environment, broker = mapping(facts.run.get("environment")), mapping(facts.run.get("broker"))
    pairs = [
        ("Harness", text(facts.run.get("harness_version"))),
        ("Commit", text(facts.run.get("commit"))),
        ("Host's Python", text(environment.get("python")).removeprefix("Python ")),
        ("System", text(environment.get("os"))),
        ("Processor", text(environment.get("cpu"))),
        ("Cores", text(environment.get("cores"))),
        ("Memory", size(environment.get("memory_bytes"), "")),
    ]
    pairs += [(f"Broker: {name.replace('_', ' ')}", hidden(name, broker[name])) for name in broker]
    return [(name, value) for name, value in pairs if value]


def beyond_defaults(settings: dict[str, Any]) -> list[tuple[str, str]]:
    """What a scenario says that it need not say, by key; nothing where it cannot be read by this harness any more."""
    # Imported here: the page of a run that died early must not wait for it, nor the terminal.
    from harness.scenario import Scenario

    try:
        said = Scenario.model_validate(settings).model_dump(mode="json", exclude_defaults=True)
    except ValueError:
        return []
    return [(key, hidden(key, value)) for key, value in said.items() if key not in ("about", "name")]


def command_line(facts: Facts) -> str:
    """The command that repeats the run, ready for a shell; empty where it was not recorded."""
    return command_line_of(facts.run.get("command"))


def command_line_of(command: Any) -> str:
    if isinstance(command, str):
        return text(command)
    return shlex.join(str(part) for part in command) if isinstance(command, list) else ""
