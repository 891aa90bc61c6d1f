"""`harness broker`: a Kafka that goes on while you work with it."""

import json
from typing import TYPE_CHECKING, Any

import click

from harness.errors import EXIT_HARNESS, EXIT_PASS, HarnessError

if TYPE_CHECKING:
    from harness.broker.keeping import Kept

PATIENCE_S = 300.0
"""Longer than a run's: whoever waits here can interrupt."""
LIBRARIES = ("kafka-python", "aiokafka", "confluent-kafka", "java")


@click.group()
def broker() -> None:
    """Keep a Kafka running while you work, with mutual TLS as in a run.

    Example: harness broker up
    """


@broker.command()
@click.option("--broker", "backend", type=click.Choice(["embedded", "docker"]), default="embedded", show_default=True,
              metavar="BACKEND", help="Where it runs: embedded or docker.")  # fmt: skip
@click.option("--nodes", type=click.Choice(["1", "3"]), default="1", show_default=True, metavar="N",
              help="How many nodes: 1 or 3.")  # fmt: skip
@click.option("--kafka", metavar="RELEASE", help="Release of Apache Kafka.  [default: that of scenarios]")
@click.option("--json", "as_json", is_flag=True, help="Print what runs as JSON, and nothing else.")
def up(backend: str, nodes: str, kafka: str | None, as_json: bool) -> int:
    """Start a Kafka that goes on until `harness broker down`.

    It listens on this machine alone. How clients reach it is printed then, and
    again by `harness broker env`.

    Example: harness broker up --nodes 3
    """
    from harness.broker import keeping

    found = keeping.up(_settings(backend, int(nodes), kafka), say=lambda text: click.echo(text, err=True))
    _print(found, as_json=as_json)
    return EXIT_PASS


def _settings(backend: str, nodes: int, kafka: str | None) -> Any:
    from pydantic import ValidationError

    from harness.scenario_models import Broker

    try:
        said = {"backend": backend, "nodes": nodes, "start_timeout_s": PATIENCE_S} | ({"kafka": kafka} if kafka else {})
        return Broker.model_validate(said)
    except ValidationError:
        raise click.BadParameter(f"{kafka!r} is no release such as 4.3.1", param_hint="'--kafka'") from None


@broker.command()
def down() -> int:
    """End the Kafka that is kept running, and remove what it left.

    Example: harness broker down
    """
    from harness.broker import keeping

    found = keeping.kept()
    was_running = found is not None and found.running
    keeping.down()
    if found is None:
        click.echo("no broker is kept running")
    elif was_running:
        click.echo(f"Kafka {found.told['kafka']} was ended")
    else:
        click.echo(f"Kafka {found.told['kafka']} was gone already; what it left is removed")
    return EXIT_PASS


@broker.command()
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON, and nothing else.")
def status(as_json: bool) -> int:
    """Say whether a Kafka is kept running. Exits 4 if none is.

    Example: harness broker status
    """
    from harness.broker import keeping

    try:
        found = keeping.running()
    except HarnessError as error:
        if not as_json:
            raise
        click.echo(json.dumps({"state": "gone" if keeping.kept() else "none", "why": error.what}))
        return EXIT_HARNESS
    if as_json:
        click.echo(json.dumps(found.as_json()))
    else:
        click.echo(_line(found))
    return EXIT_PASS


@broker.command()
@click.option("--library", type=click.Choice(LIBRARIES), metavar="NAME",
              help="Print only the settings of kafka-python, aiokafka, confluent-kafka or java.")  # fmt: skip
@click.option("--security", type=click.Choice(["mutual_tls", "plaintext"]), default="mutual_tls", show_default=True,
              metavar="HOW", help="How clients reach it: mutual_tls or plaintext.")  # fmt: skip
@click.option("--shell", is_flag=True, help="Print exports for a shell, by which `harness run` finds it.")
@click.option("--json", "as_json", is_flag=True, help="Print all settings as JSON, and nothing else.")
def env(library: str | None, security: str, shell: bool, as_json: bool) -> int:
    """Print how clients reach the Kafka that is kept running, ready to paste.

    Example: harness broker env --library confluent-kafka

    Example: eval "$(harness broker env --shell)"
    """
    from harness.broker import client_settings, keeping

    connection = keeping.running().connection(security)
    if as_json:
        click.echo(json.dumps(client_settings.by_library(connection)))
    elif shell:
        click.echo(client_settings.exports(connection), nl=False)
    elif library is not None:
        click.echo(client_settings.pasted(library, connection), nl=False)
    else:
        for name in LIBRARIES:
            click.echo(f"# {name}\n{client_settings.pasted(name, connection)}")
    return EXIT_PASS


def _print(found: "Kept", *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(found.as_json()))
        return
    from harness.broker import client_settings

    click.echo(_line(found))
    for name in LIBRARIES:
        click.echo(f"\n# {name}\n{client_settings.pasted(name, found.connection('mutual_tls'))}", nl=False)


def _line(found: "Kept") -> str:
    told = found.told
    nodes = "" if told["nodes"] == 1 else f", {told['nodes']} nodes"
    reached = found.connection("mutual_tls")["bootstrap"]
    return f"Kafka {told['kafka']}{nodes}, {told['backend']}, at {reached} since {told['since']} (pid {told['pid']})"
