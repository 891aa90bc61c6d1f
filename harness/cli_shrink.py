"""`harness shrink`: the smallest scenario, and script, that fail as a run did."""

import json
from pathlib import Path

import click

from harness.errors import EXIT_PASS


@click.command()
@click.argument("target", type=click.Path(exists=True, file_okay=False, path_type=Path), metavar="RUN")
@click.option("--repeat", type=click.IntRange(1, 100), default=3, show_default=True, metavar="N",
              help="Keep what fails in the same way N times of N.")  # fmt: skip
@click.option("--limit-minutes", type=click.FloatRange(0, 10_000), default=30, show_default=True, metavar="M",
              help="Begin no run after M minutes; the same command goes on.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("results"), show_default=True,
              metavar="DIR", help="Keep it in a folder under DIR.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print shrink.json, and nothing else.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def shrink(target: Path, repeat: int, limit_minutes: float, out: Path, as_json: bool, quiet: bool) -> int:
    """Make the smallest scenario, and a script, that fail as RUN did.

    Takes out messages, members, faults, steps of scripts and settings, and runs
    what is left, as long as the same kinds of fault show and the same one is to
    blame. Writes shrunk.yaml, and reproduce.py, which needs no harness: a few calls
    of the client's own API, to attach to a bug report. Interrupted, it keeps the
    smallest so far, and the same command goes on.

    Exits 0 with a scenario, 2 where RUN did not fail, 3 where it does not fail in
    the same way again.

    Example: harness shrink results/20260101T120000Z-ssl_iter-1a2b
    """
    from harness.report.console import progress
    from harness.report.terminal import Terminal
    from harness.shrinking.run import failure_of
    from harness.shrinking.run import shrink as shrunk
    from harness.shrinking.show import lines

    failure = failure_of(target)
    with progress(Terminal(stderr=True), quiet=quiet or as_json) as shown:
        book = shrunk(failure, results=out, repeat=repeat, limit_s=limit_minutes * 60, progress=shown)
    if as_json:
        click.echo(json.dumps(book.as_json(), indent=1, ensure_ascii=False))
    else:
        for line in lines(book, repeat):
            click.echo(line)
    return EXIT_PASS
