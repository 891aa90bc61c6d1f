"""`harness upgrade`: may this upgrade of a Kafka client be merged?"""

import json
from pathlib import Path

import click


@click.command()
@click.option("--from", "before", required=True, metavar="FILE|SPEC",
              help="What is in use: a lock file, FILE@REF for that of a branch, or a client.")  # fmt: skip
@click.option("--to", "after", required=True, metavar="FILE|SPEC", help="What shall be: likewise.")
@click.option("--scenarios", multiple=True, metavar="NAME",
              help="Run these instead, by name, pattern or file: 'textbook/*'.  [default: those of the library: known "
              "bugs and TLS with restarts]")  # fmt: skip
@click.option("--repeat", type=click.IntRange(1, 100), default=1, show_default=True, metavar="N",
              help="Run both sides N times; the worst verdict of each counts.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("results"), show_default=True,
              metavar="DIR", help="Keep the runs in a folder under DIR.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print upgrade.json, and nothing else.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def upgrade(
    before: str, after: str, scenarios: tuple[str, ...], repeat: int, out: Path, as_json: bool, quiet: bool
) -> int:
    """Say whether an upgrade of a Kafka client is safe.

    Finds the Kafka clients that change between two lock files (uv.lock,
    poetry.lock, pdm.lock, pylock.toml, requirements.txt), and runs the old and the new
    release in turns through the scenarios of that library. For CI: before an
    upgrade is merged.

    Exits 0 if it is safe, 1 if the new release fails (told is whether the old one
    did too), 3 if that could not be proven.

    Example: harness upgrade --from uv.lock@main --to uv.lock

    Example: harness upgrade --from kafka-python==2.1.1 --to kafka-python==2.1.2
    """
    from harness.report.console import progress
    from harness.report.terminal import Terminal
    from harness.upgrading.run import upgrade as compared
    from harness.upgrading.show import lines
    from harness.versions.locks import pins

    sides = pins(before), pins(after)
    with progress(Terminal(stderr=True), quiet=quiet or as_json) as shown:
        report = compared(*sides, scenarios=scenarios, repeat=repeat, results=out, progress=shown)
    if as_json:
        click.echo(json.dumps(report.as_json(), indent=1, ensure_ascii=False))
    else:
        for line in lines(report):
            click.echo(line)
    return report.exit_code
