"""`harness measure`: how fast are clients, side by side on the same log?"""

import json
from pathlib import Path

import click

from harness.cli_lists import parts
from harness.errors import EXIT_FAIL, EXIT_PASS


@click.command()
@click.argument("scenario", metavar="SCENARIO")
@click.option("--clients", metavar="SPEC,SPEC...", help="Measure these.  [default: the scenario's]")
@click.option("--securities", metavar="NAME,...", default="mutual_tls,plaintext", show_default=True,
              help="Connect by each of these.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(1, 100), default=5, show_default=True, metavar="N",
              help="Measure each N times, all of them in turns.")  # fmt: skip
@click.option("--messages", type=int, metavar="N", help="Write N messages instead.")
@click.option("--yardsticks/--no-yardsticks", default=True, show_default=True,
              help="Also Kafka's ConsumerPerformance and ProducerPerformance, and librdkafka's batches.")  # fmt: skip
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write all figures of all rounds into FILE, as JSON.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON, and nothing else.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def measure(
    scenario: str,
    clients: str | None,
    securities: str,
    rounds: int,
    messages: int | None,
    yardsticks: bool,
    out: Path | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Measure clients side by side, with TLS and without, on one log.

    Each is a fresh process in each round; the table has the median and, in
    brackets, the least and the most. Beside them stand Kafka's own tools and
    the harness's own ceiling. For when you choose a client; to compare two
    releases soundly use `harness gate`.

    Exits 1 if a client did not deliver every message exactly once.

    Example: harness measure ssl_poll_speed --clients kafka-python,aiokafka
    """
    from harness.measuring import rounds as measuring
    from harness.measuring.table import WRONG, lines
    from harness.report.console import progress
    from harness.report.terminal import Terminal
    from harness.rundir import write_text
    from harness.scenario import load

    chosen = load(scenario, {"messages": messages})
    ways = [part.strip() for part in securities.split(",")]
    measuring.refuse(chosen, ways)
    specs = parts(clients) if clients else [chosen.client]
    with progress(Terminal(stderr=True), quiet=quiet or as_json) as shown:
        rows = measuring.measure(chosen, specs, securities=ways, rounds=rounds, yardsticks=yardsticks, progress=shown)
    told = json.dumps({"scenario": chosen.name, "rows": [row.as_json() for row in rows]}, indent=1)
    if out is not None:
        write_text(out, told + "\n")
    if as_json:
        click.echo(told)
    else:
        for line in lines(rows):
            click.echo(line)
    return EXIT_FAIL if any(row.sum(name) for row in rows for name in WRONG) else EXIT_PASS
