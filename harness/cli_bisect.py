"""`harness bisect`: which release brought a fault or a slowdown, or mended it."""

import json
from pathlib import Path
from typing import Any

import click

from harness.cli_share import share
from harness.errors import EXIT_PASS, UsageError


@click.command()
@click.argument("scenario", metavar="SCENARIO")
@click.option("--client", metavar="LIBRARY", help="Search this library's releases; the scenario's own by default.")
@click.option("--good", required=True, metavar="VERSION", help="A release without the fault.")
@click.option("--bad", required=True, metavar="VERSION", help="A release with it; older or newer than the good one.")
@click.option("--confidence", type=click.FloatRange(0.5, 0.9999), default=0.95, show_default=True, metavar="P",
              help="Repeat runs until the answer is so sure.")  # fmt: skip
@click.option("--repeat", type=click.IntRange(1, 100), metavar="N",
              help="Instead: call a release good after N runs without the fault.")  # fmt: skip
@click.option("--metric", type=click.Choice(["cpu", "throughput"]), metavar="METRIC",
              help="Search for a slowdown, not a fault: cpu (CPU seconds per million messages) or throughput, "
              "compared with the good release in pairs of runs.")  # fmt: skip
@click.option("--by", callback=share, metavar="SHARE", help="With --metric: how much worse is bad.  [default: 20%]")
@click.option("--pre", "prereleases", is_flag=True, help="Search pre-releases too.")
@click.option("--also", multiple=True, metavar="VERSION", help="Search this release too, though it was yanked.")
@click.option("--messages", type=int, metavar="N", help="Produce N messages instead.")
@click.option("--seed", type=int, metavar="N", help="Draw everything random from N instead.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("results"), show_default=True,
              metavar="DIR", help="Keep the search in a folder under DIR.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print bisect.json, and nothing else.")
@click.option("--quiet", is_flag=True, help="Show no progress.")
def bisect(scenario: str, as_json: bool, quiet: bool, out: Path, repeat: int | None, **options: Any) -> int:
    """Find the release that brought a fault, or mended it.

    Runs SCENARIO on releases between a good and a bad one, on one broker, and
    halves what is left; releases that do not install are passed over. Where the
    fault does not show in every run, runs are repeated until the answer is sure
    enough. Interrupted, the same command goes on where it stopped.

    Exits 0 with an answer, 2 where the ends are not as told, 3 without one.

    Example: harness bisect known-bugs/K1_iterator_close --good 1.4.4 --bad 2.0.2

    Example: harness bisect ssl_iter_speed --messages 50000 --metric cpu --good 2.0.2
    --bad 3.0.12
    """
    from harness.bisecting.run import bisect as searched
    from harness.bisecting.show import lines
    from harness.report.console import progress
    from harness.report.terminal import Terminal

    confidence = options.pop("confidence")
    question = _question(scenario, repeat=repeat, **options)
    with progress(Terminal(stderr=True), quiet=quiet or as_json) as shown:
        state = searched(question, results=out, confidence=confidence, repeat=repeat, progress=shown)
    if as_json:
        click.echo(json.dumps(state.as_json(), indent=1, ensure_ascii=False))
    else:
        for line in lines(state):
            click.echo(line)
    return EXIT_PASS


def _question(
    path: str, *, client: str | None, good: str, bad: str, by: float | None, repeat: int | None, **options: Any
) -> Any:
    """What is asked, refused early where it cannot be answered."""
    from dataclasses import replace

    from harness.bisecting.question import Question
    from harness.clients.spec import parse_spec
    from harness.scenario import load

    metric = options["metric"]
    if by is not None and metric is None:
        raise UsageError("bisect-usage", "--by can be given only with --metric", "A fault is there or not.")
    if metric == "throughput" and by is not None and by >= 1:
        raise UsageError("bisect-usage", f"--by {by:.0%}: throughput cannot drop by that", "Give less than 100%.")
    if metric is not None and repeat is not None:
        raise UsageError("bisect-usage", "--repeat is for faults", "With --metric the pairs go by --confidence.")
    own = load(path, {"client": client} if client else None)
    spec = replace(parse_spec(client or own.client), version=None)
    if (client and parse_spec(client).version is not None) or spec.source is not None:
        raise UsageError("bisect-usage", f"--client {client}: names a release", f"Write {spec.library}, and the ends.")
    if spec.client.distribution != spec.library:
        raise UsageError("bisect-usage", f"{spec.library} has no releases", "Search a library of the package index.")
    overrides = {"messages": options["messages"], "seed": options["seed"]}
    # Both ends are read as specs, so that a mistake in one is told as a mistake in a spec is.
    for version in (good, bad, *options["also"]):
        scenario = load(path, overrides | {"client": str(parse_spec(str(replace(spec, version=version))))})
    several = scenario.members or scenario.restarts or scenario.faults or (scenario.group and scenario.group.size)
    if metric is not None and several:
        raise UsageError(
            "bisect-usage",
            f"--metric: {scenario.name} has restarts, members or faults, so it measures no speed",
            "Take a scenario that reads once, such as ssl_iter_speed.",
        )
    asked = {key: options[key] for key in ("metric", "prereleases", "also")}
    return Question(scenario, spec, good, bad, by=0.2 if by is None else by, **asked)
