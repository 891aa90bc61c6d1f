"""`harness gate` and `harness baseline`: may this client take that one's place?"""

from pathlib import Path
from typing import Any

import click

from harness.cli_share import share
from harness.errors import EXIT_PASS, UsageError

OUT = click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("results"),
                   show_default=True, metavar="DIR", help="Keep the results in a folder under DIR.")  # fmt: skip
MESSAGES = click.option(
    "--messages", type=click.IntRange(min=1), metavar="N", help="Read at most N messages at a time."
)
MINUTES = click.option("--limit-minutes", type=click.FloatRange(0.1, 600), default=3.0, show_default=True,
                       metavar="N", help="Measure each scenario so long at most; undecided is UNKNOWN.")  # fmt: skip
QUIET = click.option("--quiet", is_flag=True, help="Show no progress.")


@click.command()
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]...")
@click.option("--baseline", required=True, metavar="SPEC|NAME", help="The client that is in use, or a saved baseline.")
@click.option("--candidate", required=True, metavar="SPEC", help="The client that is to take its place.")
@click.option("--tolerance", callback=share, metavar="SHARE",
              help="Let cost rise by so much: 5%.  [default: the scenario's `gate`, 10% of CPU time]")  # fmt: skip
@MINUTES
@MESSAGES
@click.option("--plant", callback=share, metavar="SHARE",
              help="Make the candidate burn so much more CPU time, to see that the gate finds it.")  # fmt: skip
@OUT
@click.option("--json", "as_json", is_flag=True, help="Print gate.json, and nothing else.")
@QUIET
def gate(
    scenarios: tuple[str, ...],
    baseline: str,
    candidate: str,
    tolerance: float | None,
    limit_minutes: float,
    messages: int | None,
    plant: float | None,
    out: Path,
    as_json: bool,
    quiet: bool,
) -> int:
    """Say whether a client may take another one's place: nothing lost, not slower.

    Both read the same log in turns, fresh processes each time, until the figures
    decide. One lost message fails; speed is judged by pairs, with certainty on both
    sides. For CI. Writes gate.json, junit.xml, ctrf.json, and benchmark.json for
    `pytest-benchmark compare`.

    Exits 0 if it may, 1 if it may not, 3 if that cannot be told here.

    Example: harness gate ssl_poll_speed --baseline kafka-python==2.0.2 --candidate kafka-python
    """
    from harness.gating import baseline as saved
    from harness.gating import outputs
    from harness.gating.run import Wish
    from harness.gating.run import gate as gated
    from harness.report.console import progress
    from harness.report.terminal import Terminal

    known = saved.load(baseline, out) if _named(baseline, out) else None
    chosen = _loaded(scenarios or tuple(known.cells if known else ()), messages)
    wish = Wish(tolerance, limit_minutes * 60, plant or 0.0)
    with progress(Terminal(stderr=True), quiet=quiet or as_json) as shown:
        told = gated(chosen, known.client if known else baseline, candidate, wish=wish, results=out, progress=shown)
    if known is not None:
        told.doubts += saved.doubts(known, chosen)
        outputs.write(told)
    outputs.tell_github(told)
    if as_json:
        click.echo(outputs.as_json(told))
    else:
        for line in outputs.lines(told):
            click.echo(line)
    return told.exit_code


def _named(text: str, out: Path) -> bool:
    """Whether a baseline's name was given: what is no client's spec is one, and then it must be there."""
    from harness.clients.spec import parse_spec
    from harness.gating import baseline as saved

    if saved.is_name(text, out):
        return True
    try:
        parse_spec(text)
    except UsageError:
        if saved.NAME.fullmatch(text):
            return True
        raise
    return False


def _loaded(scenarios: tuple[str, ...], messages: int | None) -> list[Any]:
    from harness.scenario import load

    if not scenarios:
        raise UsageError("gate-usage", "no scenario is named", "Name one of speed, such as ssl_poll_speed.")
    return [load(name, {"messages": messages}) for name in scenarios]


@click.group()
def baseline() -> None:
    """Keep a client's figures by a name, for `harness gate --baseline NAME`.

    Example: harness baseline save main ssl_poll_speed --client kafka-python==2.0.2
    """


@baseline.command()
@click.argument("name")
@click.argument("scenarios", nargs=-1, required=True, metavar="SCENARIO...")
@click.option("--client", metavar="SPEC", help="Of this client.  [default: the scenario's]")
@MESSAGES
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("results"), show_default=True,
              metavar="DIR", help="Keep it in DIR/baselines.")  # fmt: skip
@QUIET
def save(
    name: str, scenarios: tuple[str, ...], client: str | None, messages: int | None, out: Path, quiet: bool
) -> int:
    """Measure a client, and save its figures as a baseline.

    Example: harness baseline save main ssl_poll_speed --client kafka-python==2.0.2
    """
    from harness.gating.baseline import save as kept
    from harness.gating.run import alone
    from harness.report.console import progress
    from harness.report.terminal import Terminal

    chosen = _loaded(scenarios, messages)
    spec = client or chosen[0].client
    with progress(Terminal(stderr=True), quiet=quiet) as shown:
        cells = {scenario.name: alone(scenario, spec, shown) for scenario in chosen}
    click.echo(f"saved {kept(name, str(next(iter(cells.values()))['client']), cells, out)}")
    return EXIT_PASS


@baseline.command("list")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("results"), show_default=True,
              metavar="DIR", help="Look in DIR/baselines.")  # fmt: skip
def list_(out: Path) -> int:
    """List the saved baselines.

    Example: harness baseline list
    """
    from harness.gating.baseline import folder, load

    for path in sorted(folder(out).glob("*.json")):
        try:
            found = load(path.stem, out)
        except UsageError as error:
            click.echo(f"{path.stem}: {error.what}")
            continue
        click.echo(f"{found.name}: {found.client}, {', '.join(found.cells)}")
    return EXIT_PASS
